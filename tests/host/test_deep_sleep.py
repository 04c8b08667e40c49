"""A board sleeps deeply after each few messages; what it had under way lies in a block of memory.

Rule: each wake is a process of MicroPython that is given only the block of the one before; mosquitto keeps the
session, and paho is the far end. What goes over the wire is counted packet by packet.
"""
import mp
import near
import pytest
from far import Far

pytestmark = pytest.mark.skipif(bool(mp.unavailable()), reason=str(mp.unavailable()))
SHORT = ["CONNECT", "CONNACK", "PUBLISH", "PUBACK", "DISCONNECT"]


@pytest.fixture
def far(keeper, uid):
    with Far(keeper.port) as far:
        far.subscribe(f"{uid}/up", 2)
        yield far


@pytest.fixture
def wake(keeper, uid, tmp_path):
    """Wake, do, sleep: `wake(how, messages)` returns the packets of the wire and the messages heard."""

    def run(how, *messages):
        words = keeper.url, uid, tmp_path / "block", how, *messages
        with mp.MicroPython(near.SCRIPTS / "deep_sleep.py", *words, heapsize="256k") as board:
            code = board.finish()
            lines = list(board.lines)
            assert code == 0 and lines[-1].startswith("ok") and lines[-1].endswith(" 0"), board.output
        said = [line.split(" ", 1) for line in lines[:-1]]
        return [what for kind, what in said if kind == "wire"], [what for kind, what in said if kind == "down"]

    return run


def test_a_wake_is_five_packets_while_the_session_lives(wake, far, uid):
    assert sorted(wake("drained", "0,1")[0]) == sorted([*SHORT, "SUBSCRIBE", "SUBACK"])
    for number in range(1, 11):
        assert wake("drained", f"{number},1")[0] == SHORT
    far.wait(f"{uid}/up", 11)
    assert far.payloads(f"{uid}/up") == [str(number) for number in range(11)]


@pytest.mark.parametrize("qos", (1, 2))
def test_twenty_messages_arrive_through_ten_sleeps_at_any_moment(wake, far, uid, qos):
    for number in range(10):
        how = ("written", "offline", "drained")[number % 3] if number < 9 else "drained"
        wake(how, f"{2 * number:02},{qos}", f"{2 * number + 1:02},{qos}")
    far.wait(f"{uid}/up", 20)
    got = far.payloads(f"{uid}/up")
    assert sorted(set(got)) == list(dict.fromkeys(got)) and len(set(got)) == 20
    assert qos == 1 or len(got) == 20


@pytest.mark.parametrize("qos", (1, 2))
def test_what_is_sent_to_the_sleeper_is_heard_once_at_the_next_wake(wake, far, uid, qos):
    wake("drained")
    for number in range(3):
        far.publish(f"{uid}/down", f"{number}", qos)
        wire, heard = wake("drained", "down")
        assert heard == [str(number)]
        ends = ["PUBACK"] if qos == 1 else ["PUBREC", "PUBREL", "PUBCOMP"]
        assert wire == ["CONNECT", "CONNACK", "PUBLISH", *ends, "DISCONNECT"]
    assert wake("drained") == (["CONNECT", "CONNACK", "DISCONNECT"], [])
