"""The asyncio face against real brokers and bad links, on CPython and as a MicroPython process.

Rule: every scenario of test_with_brokers.py is run once more through aio.py; what only asyncio can do is in
scripts/aio_alone.py.
"""
import functools
import importlib
import socket
import sys
from pathlib import Path

import brokers
import certificates
import exchanges
import mp
import near
import pytest
import test_cut_links
from far import broker_that_keeps_sessions
from test_cut_links import arranged, single_cuts
from test_with_brokers import *  # noqa: F403  every scenario once more

begin = near.begin


@pytest.fixture(autouse=True)
def through_aio(monkeypatch):
    """Whatever module a scenario is in, it gets clients of aio.py."""

    @functools.wraps(begin)
    def begin_aio(kind, module, *args, **options):
        return begin(kind, "aio_faces" if module in ("alone", "kept") else module, *args, **options)

    monkeypatch.setattr(near, "begin", begin_aio)


def test_a_link_where_nothing_is_said_stays_up(kind, mosquitto, uid):
    near.play(kind, "alone", "a_link_where_nothing_is_said_stays_up", mosquitto, uid, ms=1600)


def test_fifty_tasks_publish_at_once(kind, broker, uid):
    near.play(kind, "aio_alone", "fifty_tasks_publish_at_once", broker, uid)


def test_a_slow_loop_loses_nothing(kind, mosquitto, uid):
    near.play(kind, "aio_alone", "a_slow_loop_loses_nothing", mosquitto, uid, count=1000)


def test_a_handler_may_say_not_now(kind, mosquitto, uid):
    near.play(kind, "aio_alone", "a_handler_may_say_not_now", mosquitto, uid)


def test_a_large_payload_goes_both_ways(kind, mosquitto, uid):
    near.play(kind, "aio_alone", "a_large_payload_goes_both_ways", mosquitto, uid, size=1000000)


def test_it_does_nothing_when_idle_or_held_up(kind, mosquitto, uid):
    near.play(kind, "aio_alone", "it_does_nothing_when_idle_or_held_up", mosquitto, uid)


def test_disconnect_has_a_limit_where_no_answer_comes(kind, uid):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        url = f"mqtt://127.0.0.1:{server.getsockname()[1]}"
        with near.begin(kind, "aio_alone", "disconnect_has_a_limit", url, uid) as side, server.accept()[0] as link:
            assert link.recv(99)[0] == 0x10
            link.sendall(b"\x20\x02\0\0")
            side.finish()


def test_what_is_cancelled_leaves_a_will(kind, broker, uid):
    near.play(kind, "aio_alone", "what_is_cancelled_leaves_a_will", broker, uid)


def test_a_restarted_broker_gets_all_and_is_subscribed_again(kind, uid):
    with broker_that_keeps_sessions() as own:
        scenario = "a_restarted_broker_gets_all_and_is_subscribed_again"
        with near.begin(kind, "aio_alone", scenario, own.url, uid) as side:
            side.expect("stop")
            own.kill()
            side.expect("start")
            own.start()
            side.finish()


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    """A Mosquitto that speaks TLS and WebSocket: .urls are those, .ca the authority."""
    for why in (brokers.Mosquitto.available(), certificates.unavailable()):
        if why:
            pytest.skip(why)
    folder = tmp_path_factory.mktemp("certificates")
    certificates.Authority(folder).issue("here", "127.0.0.1")
    tls, ws = brokers.free_port(), brokers.free_port()
    more = f"listener {ws} 127.0.0.1\nprotocol websockets\n"
    with brokers.Mosquitto(settings=brokers.tls_listener(tls, folder, "here") + more) as broker:
        broker.urls = {"tls": f"mqtts://127.0.0.1:{tls}", "websocket": f"ws://127.0.0.1:{ws}/mqtt"}
        broker.ca = folder / "ca.crt.der"
        yield broker


@pytest.mark.parametrize("transport", ("tls", "websocket"))
def test_it_does_the_same_over_tls_and_websocket(kind, transport, secure, uid):
    with near.begin(kind, "aio_alone", f"it_does_the_same_over_{transport}", secure.url, uid) as side:
        side.send(f"{secure.urls[transport]}\n")
        side.send(f"{secure.ca}\n")
        side.finish()


class Here(test_cut_links.Here):
    """The client runs in this process."""

    def __init__(self, port):
        super().__init__(port)
        if str(near.SCRIPTS) not in sys.path:
            sys.path.append(str(near.SCRIPTS))
        self._client, exchanges.client = exchanges.client, importlib.import_module("aio_exchanges").client

    def __exit__(self, *exc):
        exchanges.client = self._client


class There(test_cut_links.There):
    """The client runs on MicroPython."""

    def __init__(self, port):
        paths = [Path(__file__).resolve().parent]
        mp.MicroPython.__init__(self, near.SCRIPTS / "aio_exchanges.py", port, heapsize="512k", paths=paths)


@pytest.fixture
def side(kind):
    return Here if kind == "cpython" else There


def each_byte_once(*total):
    """A cut after each byte, by turns with FIN and with RST."""
    return [fault for i, fault in enumerate(single_cuts(*total)) if i % 4 in (0, 3)]


def test_what_is_published_arrives_once_over_a_cut_at_each_byte(keeper, side, uid):
    with arranged(keeper, side, uid, 2) as runs:
        for fault in each_byte_once(*runs.measure_published()):
            runs.publish(fault)
        runs.check_published()
        print(len(runs.faults), "exchanges")


def test_what_is_received_comes_once_over_a_cut_at_each_byte(keeper, side, uid):
    with arranged(keeper, side, uid, 2) as runs:
        for fault in each_byte_once(*runs.measure_received()):
            runs.receive(fault)
        print(len(runs.faults), "exchanges")
