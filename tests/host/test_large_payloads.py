"""Eight MiB through a client of 256 bytes on MicroPython, in a heap of 64 KiB, both ways and at each QoS.

Rule: SHA-256 is equal at both ends, and the heap is the same at each eighth of the way; where the link is cut
a message begins again at offset 0. What it took is printed and recorded, never asserted.
"""
from contextlib import ExitStack

import brokers
import large
import pytest
from certificates import Authority
from farend import Paho
from large import MIB, TAIL, Board
from proxy import DOWN, UP, Fault, Proxy

SIZE = 8 * MIB + TAIL
HEAP = {"tls": "80k", "ws": "80k"}  # their code takes the rest: 64 KiB are used up, with either


@pytest.fixture(scope="module")
def data():
    return large.payload(SIZE)


@pytest.fixture(scope="module", params=[2, pytest.param(8, marks=pytest.mark.long)], ids=["2", "8"])
def cut(request):
    """A payload for a link that is cut."""
    return large.payload(request.param * MIB + TAIL)


@pytest.fixture
def look(record_property):
    """Read what a board tells of one payload: that it is right, and how often it was begun."""

    def look(board, what, data, timeout=30):
        assert board.told("sha", timeout) == large.sha(data)
        begun, took, heap = (board.told(word) for word in ("begun", "took", "heap"))
        assert len(heap) == 8 and max(heap) - min(heap) <= 64, heap  # one object more, at the last look
        speed = f"{len(data) / MIB / max(took[0], 1) * 1000:.1f} MiB/s"
        record_property(what, speed)
        print(f"{what}: {speed}, heap {heap}")
        return begun[0]

    return look


def far_end(broker, uid):
    return Paho(broker, f"{uid}-far")


def arrived(far, count):
    """The payloads that came to the far end, as a list of (last level of the topic, SHA-256)."""
    return [(topic[-1], large.sha(body)) for topic, body, _, _ in far.wait(count)]


def test_eight_mib_go_out_at_each_qos(mosquitto, uid, data, look):
    with far_end(mosquitto, uid) as far, Board("large_up", repr(mosquitto.url), uid, SIZE, "012") as board:
        far.subscribe(f"{uid}/up/#", 2)
        for qos in "012":
            assert look(board, f"up, QoS {qos}", data) == 1
        assert arrived(far, 3) == [(qos, large.sha(data)) for qos in "012"] and board.ended()


def test_eight_mib_come_in_at_each_qos(mosquitto, uid, data, look):
    with far_end(mosquitto, uid) as far, Board("large_down", repr(mosquitto.url), uid, 3) as board:
        board.expect("subscribed")
        for qos in (0, 1, 2):
            far.publish(f"{uid}/down", [data], qos)
            assert look(board, f"down, QoS {qos}", data) == 1
        assert board.ended()


@pytest.mark.parametrize("qos", [1, 2])
def test_what_goes_out_begins_again_behind_each_cut(qos, mosquitto, uid, cut, look):
    with Proxy(mosquitto.port) as proxy, far_end(mosquitto, uid) as far:
        far.subscribe(f"{uid}/up/#", 2)
        proxy.next(Fault("rst", UP, len(cut) // 2), Fault("fin", UP, len(cut) * 3 // 4))
        with Board("large_up", repr(proxy.url), uid, len(cut), str(qos)) as board:
            assert look(board, f"up, cut twice, QoS {qos}", cut) == 3
            assert proxy.fired() and board.ended()
        assert arrived(far, 1) == [(str(qos), large.sha(cut))]


@pytest.mark.parametrize("qos", [1, 2])
def test_what_went_out_whole_but_was_not_acknowledged_goes_out_again(qos, mosquitto, uid, cut, look):
    with Proxy(mosquitto.port) as proxy, far_end(mosquitto, uid) as far:
        far.subscribe(f"{uid}/up/#", 2)
        proxy.next(Fault("rst", DOWN, 5))  # behind CONNACK and the first byte of PUBACK or PUBREC
        with Board("large_up", repr(proxy.url), uid, len(cut), str(qos)) as board:
            assert look(board, f"up, ack cut, QoS {qos}", cut) == 2
            assert proxy.fired() and board.ended()
        far.publish(f"{uid}/up/end", [b""], qos)
        end = ("d", large.sha(b""))
        assert arrived(far, 4 - qos) == [(str(qos), large.sha(cut))] * (3 - qos) + [end]


@pytest.mark.parametrize("qos", [1, 2])
def test_what_comes_in_begins_again_behind_each_cut(qos, mosquitto, uid, cut, look):
    with Proxy(mosquitto.port) as proxy, far_end(mosquitto, uid) as far:
        proxy.next(Fault("rst", DOWN, len(cut) // 2), Fault("fin", DOWN, len(cut) * 3 // 4))
        with Board("large_down", repr(proxy.url), uid, 1) as board:
            board.expect("subscribed")
            far.publish(f"{uid}/down", [cut], qos)
            assert look(board, f"down, cut twice, QoS {qos}", cut) == 3
            assert proxy.fired() and board.ended()


@pytest.mark.parametrize("qos", [1, 2])
def test_what_came_in_whole_comes_again_where_its_ack_was_cut_but_not_at_qos_2(qos, mosquitto, uid, cut, look):
    with Proxy(mosquitto.port) as proxy, far_end(mosquitto, uid) as far:
        with Board("large_down", repr(proxy.url), uid, 3 - qos) as board:
            board.expect("subscribed")
            (first,) = proxy.connections
            first.fault, first.fired = Fault("rst", UP, first.counts[UP] + 1), False
            far.publish(f"{uid}/down", [cut], qos)
            for _ in range(3 - qos):
                assert look(board, f"down, ack cut, QoS {qos}", cut) == 1
            assert first.fired and board.ended()
        second = proxy.connections[1]
        assert len(proxy.connections) == 2 and second.counts[DOWN] > len(cut)


def over_tls(broker, folder, stack):
    """(broker, import, expression of the server, heap)"""
    pytest.importorskip("umqtt_full.tls")
    Authority(folder).issue("server", "localhost", "127.0.0.1")
    port = brokers.free_port()
    files = f"certfile {folder}/server.crt\nkeyfile {folder}/server.key"
    broker = stack.enter_context(brokers.Mosquitto(settings=f"listener {port} 127.0.0.1\n{files}"))
    server = f"TLS('127.0.0.1', {port}, ca='{folder}/ca.crt.der')"
    return broker, "from umqtt_full.tls import TLS", server, HEAP["tls"]


def over_websocket(broker, folder, stack):
    pytest.importorskip("umqtt_full.ws")
    port = stack.enter_context(large.websocket_before(broker.port))
    imports = "from umqtt_full.net import TCP\nfrom umqtt_full.ws import WebSocket"
    return broker, imports, f"WebSocket(TCP('127.0.0.1', {port}), '127.0.0.1')", HEAP["ws"]


@pytest.mark.parametrize("over", [over_tls, over_websocket], ids=["tls", "ws"])
@pytest.mark.parametrize("size", [MIB + TAIL, pytest.param(SIZE, marks=pytest.mark.long)], ids=["1", "8"])
def test_the_same_goes_both_ways_over(over, size, mosquitto, uid, look, tmp_path):
    data = large.payload(size)
    with ExitStack() as stack:
        broker, imports, server, heapsize = over(mosquitto, tmp_path, stack)
        options = {"imports": imports, "heapsize": heapsize}
        far = stack.enter_context(far_end(broker, uid))
        far.subscribe(f"{uid}/up/#", 2)
        with Board("large_up", server, uid, size, "012", **options) as board:
            for qos in "012":
                assert look(board, f"{over.__name__}, up, QoS {qos}", data) == 1
            assert arrived(far, 3) == [(qos, large.sha(data)) for qos in "012"] and board.ended()
        with Board("large_down", server, uid, 3, **options) as board:
            board.expect("subscribed")
            for qos in (0, 1, 2):
                far.publish(f"{uid}/down", [data], qos)
                assert look(board, f"{over.__name__}, down, QoS {qos}", data) == 1
            assert board.ended()
