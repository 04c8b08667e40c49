"""The client over a serial line, on CPython and as a MicroPython process, with mosquitto at its end.

Rule: the line carries bytes and nothing else: who is there and who is gone is for MQTT to find out. What arrives
is counted by paho on a link of its own.
"""
import time

import brokers
import near
import pytest
from far import Far, wait_until
from serial_line import SerialLine

COUNT = 200
SHAPES = ("opened_for_each_link", "without_close", "not_pollable")
SLOW = {"baud": 115200, "chunk": 16}

pytestmark = pytest.mark.skipif("sys.platform == 'win32'", reason="no pty on this system")


@pytest.fixture(scope="module")
def keeper():
    if brokers.Mosquitto.available():
        pytest.skip(brokers.Mosquitto.available())
    # with a limit mosquitto 2.0.11 swaps messages of one QoS, where two are mixed
    with brokers.Mosquitto(settings="set_tcp_nodelay true\nmax_inflight_messages 0") as broker:
        yield broker


@pytest.fixture
def far(keeper, uid):
    with Far(keeper.port) as far:
        far.subscribe(f"{uid}/out/+", 2)
        yield far


def numbers(far, uid, qos):
    return [int(payload) for payload in far.payloads(f"{uid}/out/{qos}")]


@pytest.mark.parametrize("shape, speed", ((0, {}), (1, SLOW), (2, {})), ids=SHAPES)
def test_200_messages_of_each_qos_go_both_ways(kind, shape, speed, keeper, far, uid):
    with SerialLine(keeper.port, **speed) as line, \
            near.begin(kind, "uart", "both_ways", line.path, uid, shape=shape, count=COUNT) as side:
        side.expect("connected")
        side.send("go\n")
        for qos in range(3):
            far.publish_all(f"{uid}/in", range(COUNT), qos)
        side.finish()
        wait_until(lambda: min(len(numbers(far, uid, qos)) for qos in range(3)) >= COUNT)
        assert [numbers(far, uid, qos) for qos in range(3)] == [list(range(COUNT))] * 3
        assert line.links == 1


def test_a_quiet_line_stays_up_and_a_dead_one_is_found(kind, keeper, uid):
    with SerialLine(keeper.port) as line, \
            near.begin(kind, "uart", "a_quiet_line", line.path, uid, shape=1) as side:
        side.expect("quiet")
        assert line.links == 1
        line.unplug()
        side.send("unplugged\n")
        side.expect("found")
        line.plug()
        side.send("plugged\n")
        side.finish()
        assert line.links >= 2


@pytest.mark.parametrize("shape", (0, 1), ids=SHAPES[:2])
def test_a_line_that_is_unplugged_in_the_middle_loses_nothing(kind, shape, keeper, far, uid):
    cuts = (50, 130)
    options = {"shape": shape, "count": COUNT, "cuts": len(cuts)}
    with SerialLine(keeper.port, **SLOW) as line, \
            near.begin(kind, "uart", "unplugged", line.path, uid, **options) as side:
        side.expect("connected")
        for qos in (1, 2):
            far.publish_all(f"{uid}/in", range(COUNT), qos)
        side.send("go\n")
        for cut in cuts:
            wait_until(lambda cut=cut: len(numbers(far, uid, 2)) >= cut)
            line.unplug()
            time.sleep(0.2)
            line.plug()
        side.expect("has all", timeout=40)
        side.send("go\n")
        side.finish()
        assert numbers(far, uid, 2) == list(range(COUNT))
        assert sorted(set(numbers(far, uid, 1))) == list(range(COUNT))
        assert line.links > len(cuts)
