"""Whatever a server may not do ends the link, by the name of what was wrong.

Rule: each row is a situation, the bytes that are wrong in it and the code that must come of it; the test's id
begins with the number of the statement in the standard. Afterwards the client connects again as ever.
"""
import tracemalloc

import pytest
from hostile import ACCEPTED, PRESENT, Hostile

MALFORMED = 0x81
PROTOCOL_ERROR = 0x82
CLOSED = 0x100


# Situations

def new(broker):
    """CONNECT came, CONNACK did not go out."""
    broker.accept()


def up(broker):
    broker.up()


def sent1(broker):
    """A QoS 1 PUBLISH with the id 1 waits for PUBACK."""
    broker.up()
    broker.c.publish("t", "x", 1)
    broker.peer.expect("32060001 74 0001")


def sent2(broker):
    broker.up()
    broker.c.publish("t", "x", 2)
    broker.peer.expect("34060001 74 0001")


def released(broker):
    """PUBCOMP is awaited for the id 1."""
    sent2(broker)
    broker.peer.send("50020001")
    broker.peer.expect("62020001")


def asked(broker):
    """A SUBSCRIBE for one filter with the id 1 waits for SUBACK."""
    broker.up()
    broker.c.subscribe("f")
    broker.peer.expect("82060001 0001 66 00")


def unasked(broker):
    """An UNSUBSCRIBE with the id 2 waits for UNSUBACK."""
    asked(broker)
    broker.peer.send("9003000100")
    broker.c.unsubscribe("f")
    broker.peer.expect("a2050002 0001 66")


ROWS = [
    # CONNACK
    ("3.2.0-1 PUBLISH before CONNACK", new, "3003000161", PROTOCOL_ERROR),
    ("3.2.0-1 PINGRESP before CONNACK", new, "d000", PROTOCOL_ERROR),
    ("3.2.0-1 PUBACK before CONNACK", new, "40020001", PROTOCOL_ERROR),
    ("3.2.0-1 SUBACK before CONNACK", new, "9003000100", PROTOCOL_ERROR),
    ("3.2.0-1 a large PUBLISH before CONNACK", new, "30ffff03", PROTOCOL_ERROR),
    ("3.2 second CONNACK", up, ACCEPTED, PROTOCOL_ERROR),
    ("3.2 two CONNACKs at once", new, ACCEPTED + ACCEPTED, PROTOCOL_ERROR),
    ("3.2.2-1 Session Present after a clean start", new, PRESENT, PROTOCOL_ERROR),
    ("3.2.2-4 Session Present with a refusal", new, "20020105", PROTOCOL_ERROR),
    ("3.2.2.3 return code 6", new, "20020006", MALFORMED),
    ("3.2.2.3 return code 255", new, "200200ff", MALFORMED),
    *[(f"3.2.2.1 CONNACK flags {f:#04x}", new, f"2002{f:02x}00", MALFORMED) for f in (2, 3, 4, 16, 64, 128)],
    # what only a client may send, and what nobody may
    ("4.8.0-1 CONNECT from a server", up, "100d00044d51545404020000000161", PROTOCOL_ERROR),
    ("4.8.0-1 SUBSCRIBE from a server", up, "820600010001 66 00", PROTOCOL_ERROR),
    ("4.8.0-1 UNSUBSCRIBE from a server", up, "a20500010001 66", PROTOCOL_ERROR),
    ("4.8.0-1 PINGREQ from a server", up, "c000", PROTOCOL_ERROR),
    ("4.8.0-1 DISCONNECT from a server", up, "e000", PROTOCOL_ERROR),
    ("2.2.1 packet type 0", up, "0000", PROTOCOL_ERROR),
    ("2.2.1 packet type 15", up, "f000", PROTOCOL_ERROR),
    # lengths
    ("2.2.3 a fifth byte of the length", up, "30ffffffff", MALFORMED),
    ("2.2.3 a fifth byte of the length of 0", up, "3080808080", MALFORMED),
    *[(f"2.2.3 no such length: {t}", up, t, MALFORMED) for t in (
        "4000", "400100", "4003000100", "500100", "5003000100", "620100", "6203000100", "700100",
        "7003000100", "90020001", "9000", "b00100", "b003000100", "d00100", "40ffffff7f", "90ffffff7f",
        "3000", "30020001", "320400016100", "34020001")],
    *[(f"2.2.3 no such length of CONNACK: {t}", new, t, MALFORMED) for t in ("2000", "200100", "2003000000")],
    # PUBLISH
    ("3.3.1-4 QoS 3", up, "36060001 61 0001 78", MALFORMED),
    ("3.3.1-4 QoS 3 with DUP", up, "3e060001 61 0001 78", MALFORMED),
    ("3.3.1-2 DUP with QoS 0", up, "38040001 61 78", MALFORMED),
    ("3.3.1-2 DUP and RETAIN with QoS 0", up, "39040001 61 78", MALFORMED),
    ("4.7.3-1 empty topic", up, "30030000 78", MALFORMED),
    ("4.7.3-1 empty topic with QoS 1", up, "32050000 0001 78", MALFORMED),
    ("3.3.2-2 topic with +", up, "30050003 612f2b", MALFORMED),
    ("3.3.2-2 topic with #", up, "30030001 23", MALFORMED),
    ("1.5.3-2 topic with NUL", up, "30050003 610062", MALFORMED),
    *[(f"1.5.3-1 ill-formed topic {t}", up, f"30{len(t) // 2 + 2:02x}00{len(t) // 2:02x}{t}", MALFORMED)
      for t in ("ff", "80", "c3", "61e282", "c0af", "e080af", "f08080af", "eda080", "edbfbf", "f4908080",
                "f5808080", "e28261")],
    ("3.3.2 topic longer than the packet", up, "3004 0003 6161", MALFORMED),
    ("3.3.2 topic far longer than the packet", up, "3004 ffff 6161", MALFORMED),
    ("3.3.2 no room for the packet id", up, "3205 0003 616161", MALFORMED),
    ("3.3.2 half a packet id", up, "3206 0003 616161 00", MALFORMED),
    # packet ids
    *[(f"2.3.1-1 packet id 0: {t}", up, t, PROTOCOL_ERROR) for t in (
        "3206000161000078", "3406000161000078", "40020000", "50020000", "62020000", "70020000",
        "9003000000", "b0020000")],
    ("2.3.1-6 PUBACK for a QoS 2 message", sent2, "40020001", PROTOCOL_ERROR),
    ("2.3.1-6 PUBACK after PUBREC", released, "40020001", PROTOCOL_ERROR),
    ("2.3.1-6 PUBREC for a QoS 1 message", sent1, "50020001", PROTOCOL_ERROR),
    ("2.3.1-6 PUBCOMP for a QoS 1 message", sent1, "70020001", PROTOCOL_ERROR),
    ("4.3.3-1 PUBCOMP before PUBREC", sent2, "70020001", PROTOCOL_ERROR),
    ("2.3.1-7 SUBACK for a QoS 1 message", sent1, "9003000100", PROTOCOL_ERROR),
    ("2.3.1-7 SUBACK for a QoS 2 message", released, "9003000100", PROTOCOL_ERROR),
    ("2.3.1-7 UNSUBACK for a message", sent1, "b0020001", PROTOCOL_ERROR),
    ("2.3.1-7 PUBACK for a SUBSCRIBE", asked, "40020001", PROTOCOL_ERROR),
    ("2.3.1-7 PUBREC for a SUBSCRIBE", asked, "50020001", PROTOCOL_ERROR),
    ("2.3.1-7 PUBCOMP for a SUBSCRIBE", asked, "70020001", PROTOCOL_ERROR),
    ("2.3.1-7 UNSUBACK for a SUBSCRIBE", asked, "b0020001", PROTOCOL_ERROR),
    ("2.3.1-7 SUBACK for an UNSUBSCRIBE", unasked, "9003000200", PROTOCOL_ERROR),
    ("2.3.1-7 PUBACK for an UNSUBSCRIBE", unasked, "40020002", PROTOCOL_ERROR),
    # SUBACK
    *[(f"3.9.3-2 SUBACK with {c}", asked, f"90030001{c}", MALFORMED) for c in ("03", "7f", "81", "ff")],
    ("3.8.4-5 SUBACK with two codes for one filter", asked, "9004 0001 0000", PROTOCOL_ERROR),
]


@pytest.mark.parametrize("situation, wrong, code", [pytest.param(*row[1:], id=row[0]) for row in ROWS])
def test_a_violation_ends_the_link_by_its_name(situation, wrong, code):
    with Hostile() as broker:
        situation(broker)
        broker.peer.send(wrong)
        broker.ended(code)
        assert not broker.got
        broker.accept(ACCEPTED)  # on the next link


@pytest.mark.parametrize("situation, wrong, code", [pytest.param(*row[1:], id=row[0]) for row in ROWS[::4]])
def test_a_violation_is_found_in_single_bytes_too(situation, wrong, code):
    with Hostile() as broker:
        situation(broker)
        for byte in bytes.fromhex(wrong):
            if not broker.reasons:
                broker.peer.send(bytes([byte]))
                broker.rest(0.001)
        broker.ended(code)


def test_session_present_with_a_refusal_ends_the_link_when_the_session_is_kept_too():
    """[MQTT-3.2.2-4]"""
    with Hostile(clean=False) as broker:
        broker.accept("20020103")
        broker.ended(PROTOCOL_ERROR)


BODIES = {"20": "020000", "40": "020001", "50": "020001", "62": "020001", "70": "020001", "90": "03000100",
          "b0": "020001", "d0": "00"}


@pytest.mark.parametrize("head", BODIES, ids=lambda head: f"2.2.2-2 type {head[0]}")
def test_each_wrong_reserved_flag_ends_the_link(head):
    right = int(head, 16)
    with Hostile() as broker:
        for first in range(right & 0xF0, (right & 0xF0) + 16):
            if first != right:
                new(broker) if head == "20" else up(broker)
                broker.peer.send(bytes([first]), BODIES[head])
                broker.ended(MALFORMED)
                assert broker.c.reason.packet == first


REFUSALS = {
    1: (0x84, "unsupported protocol version"), 2: (0x85, "client identifier not valid"),
    3: (0x88, "server unavailable"), 4: (0x86, "bad user name or password"), 5: (0x87, "not authorized"),
}


@pytest.mark.parametrize("number", REFUSALS)
def test_a_refusal_says_why_and_only_server_unavailable_is_tried_again(number):
    code, name = REFUSALS[number]
    with Hostile() as broker:
        broker.accept(f"200200{number:02x}")
        broker.until(lambda: broker.reasons)
        broker.ended(code)
        assert broker.c.reason.name == name
        if number != 3:
            broker.rest()
            assert broker.c.state == "offline"
            broker.c.start()
        broker.up()


PACKETS = {"CONNACK": (new, ACCEPTED), "PUBLISH": (up, "328001" + "0001 61 0001" + "78" * 123),
           "PUBACK": (sent1, "40020001"), "SUBACK": (asked, "9003000100"), "PINGRESP": (up, "d000"),
           "a PUBLISH that does not fit": (up, "32bf02" + "0001 61 0001" + "78" * 314)}


@pytest.mark.parametrize("name", PACKETS)
def test_the_end_of_the_stream_at_each_byte_of_a_packet_is_seen(name):
    situation, packet = PACKETS[name]
    packet = bytes.fromhex(packet)
    for n in (*range(min(len(packet), 12)), len(packet) - 1):
        with Hostile() as broker:
            situation(broker)
            broker.peer.send(packet[:n])
            broker.peer.end()
            broker.ended(CLOSED)
            assert not broker.got and not broker.oversize and not broker.published and not broker.granted
            broker.accept(ACCEPTED)


def test_a_length_with_nothing_behind_it_costs_no_memory_and_the_user_can_close():
    with Hostile() as broker:
        up(broker)
        broker.rest()
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            broker.peer.send("30ffffff7f 0001 61")
            broker.rest(0.2)
            grown = tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()
        print(grown, "bytes at the most")
        assert grown < 10000 and broker.c.connected and not broker.reasons
        broker.c.publish("t", "still there", 0)
        broker.peer.expect("300e")
        broker.c.close()
        assert broker.c.state == "offline"
