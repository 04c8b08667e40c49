"""Eight MiB through a client of 256 bytes on MicroPython: over TCP, TLS and WebSocket, both ways, at each QoS, cut
and not cut.

Rule: SHA-256 is equal at both ends, and the heap is the same, to the byte, at eight places of the way; where the
link is cut a message begins again at offset 0. How large the heap is, is said in large.py. What it took is
printed and recorded, never asserted.
"""

import large
import pytest
from large import MIB, TAIL, arrived, cut_twice, payload, sha_of
from proxy import DOWN, UP, Fault, Proxy

WHOLE, PART = 8 * MIB + TAIL, 2 * MIB + TAIL
CUT = [(1, PART), (2, WHOLE), pytest.param(1, WHOLE, marks=pytest.mark.long)]  # (QoS, size)
ACK_CUT = [(1, PART), (2, PART), *(pytest.param(qos, WHOLE, marks=pytest.mark.long) for qos in (1, 2))]
REASON = 768  # bytes: what the first cuts leave behind, such as the last error; no more, however many there are


@pytest.fixture(scope="module", params=("tcp", "tls", "ws"))
def over(request, tmp_path_factory):
    with large.over(request.param, tmp_path_factory.mktemp(request.param)) as over:
        yield over


@pytest.fixture
def tcp(tmp_path):
    with large.over("tcp", tmp_path) as over:
        yield over


@pytest.fixture
def look(record_property):
    """Read what a board tells of one payload: that it is right, and how often it was begun."""

    def look(board, what, size):
        begun, ms, first, heap = board.look(size, REASON)
        speed = f"{size / MIB / ms * 1000:.1f} MiB/s"
        record_property(what, speed)
        print(f"{what}: {speed}, heap {first} {heap}")
        return begun

    return look


def test_eight_mib_go_out_at_each_qos(over, uid, look):
    with over.far_end(uid) as far, over.board("large_up", over.port, uid, WHOLE, "012") as board:
        far.subscribe(f"{uid}/up/#", 2)
        for qos in "012":
            assert look(board, f"{over.name}, up, QoS {qos}", WHOLE) == 1
        assert arrived(far, 3) == [(qos, sha_of(WHOLE)) for qos in "012"] and board.ended()


def test_eight_mib_come_in_at_each_qos(over, uid, look):
    with over.far_end(uid) as far, over.board("large_down", over.port, uid, 3) as board:
        board.expect("subscribed")
        for qos in (0, 1, 2):
            far.publish(f"{uid}/down", [payload(WHOLE)], qos)
            assert look(board, f"{over.name}, down, QoS {qos}", WHOLE) == 1
        assert board.ended()


@pytest.mark.parametrize("qos, size", CUT)
def test_what_goes_out_begins_again_behind_each_cut(qos, size, over, uid, look):
    with Proxy(over.port) as proxy, over.far_end(uid) as far:
        far.subscribe(f"{uid}/up/#", 2)
        proxy.next(*cut_twice(UP, size))
        with over.board("large_up", proxy.port, uid, size, str(qos)) as board:
            assert look(board, f"{over.name}, up, cut twice, QoS {qos}", size) == 3
            assert proxy.fired() and board.ended()
        assert arrived(far, 1) == [(str(qos), sha_of(size))]


@pytest.mark.parametrize("qos, size", CUT)
def test_what_comes_in_begins_again_behind_each_cut(qos, size, over, uid, look):
    with Proxy(over.port) as proxy, over.far_end(uid) as far:
        proxy.next(*cut_twice(DOWN, size))
        with over.board("large_down", proxy.port, uid, 1) as board:
            board.expect("subscribed")
            far.publish(f"{uid}/down", [payload(size)], qos)
            assert look(board, f"{over.name}, down, cut twice, QoS {qos}", size) == 3
            assert proxy.fired() and board.ended()


@pytest.mark.parametrize("qos, size", ACK_CUT)
def test_what_went_out_whole_but_was_not_acknowledged_goes_out_again(qos, size, tcp, uid, look):
    with Proxy(tcp.port) as proxy, tcp.far_end(uid) as far:
        far.subscribe(f"{uid}/up/#", 2)
        proxy.next(Fault("rst", DOWN, 5))  # behind CONNACK and the first byte of PUBACK or PUBREC
        with tcp.board("large_up", proxy.port, uid, size, str(qos)) as board:
            assert look(board, f"up, ack cut, QoS {qos}", size) == 2
            assert proxy.fired() and board.ended()
        far.publish(f"{uid}/up/end", [b""], qos)
        end = ("d", large.sha(b""))
        assert arrived(far, 4 - qos) == [(str(qos), sha_of(size))] * (3 - qos) + [end]


@pytest.mark.parametrize("qos, size", ACK_CUT)
def test_what_came_in_whole_comes_again_where_its_ack_was_cut_but_not_at_qos_2(qos, size, tcp, uid, look):
    with Proxy(tcp.port) as proxy, tcp.far_end(uid) as far:
        with tcp.board("large_down", proxy.port, uid, 3 - qos) as board:
            board.expect("subscribed")
            (first,) = proxy.connections
            first.fault, first.fired = Fault("rst", UP, first.counts[UP] + 1), False
            far.publish(f"{uid}/down", [payload(size)], qos)
            for _ in range(3 - qos):
                assert look(board, f"down, ack cut, QoS {qos}", size) == 1
            assert first.fired and board.ended()
        second = proxy.connections[1]
        assert len(proxy.connections) == 2 and second.counts[DOWN] > size
