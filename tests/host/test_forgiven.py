"""What a server may do, however odd: the link lives on, and each thing has exactly the effect it should have.

Rule: a scripted server; after each oddity a QoS 1 message still passes (`alive`).
"""
import pytest
from hostile import ACCEPTED, Hostile


@pytest.fixture
def broker():
    with Hostile() as broker:
        broker.up()
        yield broker


def test_acks_with_unknown_ids_are_counted_and_ignored(broker):
    for stray in ("40020009", "50020009", "70020009", "9003000900", "b0020009"):
        broker.peer.send(stray)
    broker.alive()
    broker.peer.silent()
    assert broker.c.counters["stray"] == 5


def test_a_second_puback_is_one_too_many_and_harmless(broker):
    broker.c.publish("t", "x", 1)
    broker.peer.expect("32060001740001")
    broker.peer.send("40020001", "40020001")
    broker.alive()
    assert broker.published == [1] and broker.c.counters["stray"] == 1


def test_a_second_pubrec_is_answered_by_pubrel_again(broker):
    broker.c.publish("t", "x", 2)
    broker.peer.expect("34060001740001")
    broker.peer.send("50020001", "50020001")
    broker.peer.expect("62020001", "62020001")
    broker.peer.send("70020001", "70020001")
    broker.alive()
    assert broker.published == [1] and broker.c.counters["stray"] == 1


def test_an_unknown_pubrel_is_answered_by_pubcomp(broker):
    broker.peer.send("62020123")
    assert broker.peer.packet() == "70020123"
    broker.alive()


@pytest.mark.parametrize("again", ("3c", "34"), ids=("with DUP", "without DUP"))
def test_a_repeated_qos_2_publish_gets_pubrec_again_and_no_second_delivery(broker, again):
    broker.peer.send("340600016100077a", again + "0600016100077a")
    broker.peer.expect("50020007", "50020007")
    assert broker.got == [("a", b"z")]
    broker.peer.send("62020007", "62020007")
    broker.peer.expect("70020007", "70020007")
    broker.peer.send("3406000161000779")  # the id is free again: a new message
    broker.peer.expect("50020007")
    assert broker.got == [("a", b"z"), ("a", b"y")]
    broker.alive()


def test_a_repeated_qos_1_publish_is_delivered_and_acknowledged_again(broker):
    broker.peer.send("320600016100077a", "3a0600016100077a")
    broker.peer.expect("40020007", "40020007")
    assert broker.got == [("a", b"z")] * 2
    broker.alive()


ODD_TOPICS = ("\ufeff", "\ufeffa", "a/\ufeff", "/", "//", " ", "$x", "\x01\x7f", "\uffff", "\U0010ffff")


@pytest.mark.parametrize("topic", ODD_TOPICS, ids=ascii)
def test_an_odd_topic_is_kept_as_it_is(broker, topic):
    raw = topic.encode()
    broker.peer.send(f"30{len(raw) + 3:02x}00{len(raw):02x}{raw.hex()}78")
    broker.until(lambda: broker.got)
    assert broker.got.pop() == (topic, b"x")
    broker.alive()


def test_pingresp_unasked_is_ignored(broker):
    broker.peer.send("d000", "d000")
    broker.alive()


def test_an_empty_payload_is_delivered(broker):
    broker.peer.send("3003000161", "3205000161 0001")
    broker.peer.expect("40020001")
    assert broker.got == [("a", b"")] * 2
    broker.alive()


def oversize(qos, topic_bytes, total, packet_id="0001"):
    """A PUBLISH whose remaining length is `total`."""
    body = topic_bytes.to_bytes(2, "big") + b"a" * topic_bytes + (bytes.fromhex(packet_id) if qos else b"")
    body += b"p" * (total - len(body))
    return bytes([0x30 | qos << 1, total & 127 | 128, total >> 7 & 127 | 128, total >> 14]) + body


@pytest.mark.parametrize("qos", (0, 1, 2))
@pytest.mark.parametrize("topic_bytes", (1, 59, 60, 61, 62, 63, 64, 65, 123, 124, 125, 126, 127, 128, 188, 300))
def test_an_oversize_message_is_drained_acknowledged_and_reported(qos, topic_bytes):
    with Hostile(rx=64) as broker:
        peer = broker.up()
        peer.send(oversize(qos, topic_bytes, 700, "1234"), "3003000162")
        if qos:
            assert peer.packet() == ("40021234" if qos == 1 else "50021234")
        broker.until(lambda: broker.got)
        assert broker.got.pop() == ("b", b"")
        topic = "a" * topic_bytes if topic_bytes + 2 <= 64 else ""
        assert broker.oversize == [(topic, 700 - 2 - topic_bytes - (2 if qos else 0))]
        assert broker.c.counters["oversize"] == 1
        if qos == 2:
            peer.send(oversize(2, topic_bytes, 700, "1234"), "62021234")
            peer.expect("50021234", "70021234")
            assert len(broker.oversize) == 1
        broker.alive()


def test_a_large_oversize_message_passes_by_while_the_client_goes_on_publishing():
    with Hostile(rx=64) as broker:
        peer = broker.up()
        message = oversize(1, 3, 200000)
        peer.send(message[:100000])
        broker.c.publish("t", "x", 1)
        peer.expect("3206000174")
        peer.send(message[100000:], "40020001")
        peer.expect("40020001")
        broker.until(lambda: broker.published)
        assert [length for _, length in broker.oversize] == [200000 - 7]
        broker.alive()


def test_a_refused_subscription_reaches_the_caller_and_the_link_is_up(broker):
    broker.c.subscribe([("no", 2), ("yes", 1), ("less", 2)])
    broker.peer.expect("82")
    broker.peer.send("9005000180 01 00")
    broker.until(lambda: len(broker.granted) == 3)
    assert broker.granted == [("no", 0x80), ("yes", 1), ("less", 0)]
    broker.alive()


def test_a_full_outbox_still_acknowledges_what_comes_in():
    with Hostile(slots=1) as broker:
        peer = broker.up()
        broker.c.publish("t", "x", 2)
        peer.expect("34060001740001")
        assert broker.c.room() == 0
        peer.send("3206000161000178", "3406000161000278", "62020002")
        peer.expect("40020001", "50020002", "70020002")
        peer.send("50020001")
        peer.expect("62020001")
        broker.alive()


def test_acks_go_out_in_the_order_of_the_messages_even_when_many_come_at_once(broker):
    broker.peer.send(*[f"3{2 + 2 * (i % 2)}06 000161 {i:04x} 78" for i in range(1, 61)])
    broker.peer.expect(*[f"{4 + i % 2}002{i:04x}" for i in range(1, 61)])
    assert len(broker.got) == 60


def test_nothing_is_sent_again_on_a_live_link_however_long_the_broker_is_silent(broker):
    c, peer = broker.c, broker.peer
    c.publish("t", "1", 1)
    c.publish("t", "2", 2)
    c.publish("t", "3", 2)
    c.subscribe("f")
    peer.expect("32", "34", "34", "82")
    peer.send("50020002")
    peer.expect("62020002")
    peer.silent(3)
    peer.send("40020001")
    peer.silent()
    broker.alive()


def test_many_packets_in_one_segment_and_one_byte_in_each_are_the_same(broker):
    stream = bytes.fromhex("d000 3205000161 0007 3003000162 3406000161 0008 79 62020008 40020009")
    want = ["40020007", "50020008", "70020008"]
    broker.peer.send(stream)
    assert [broker.peer.packet() for _ in want] == want
    for byte in stream:
        broker.peer.send(bytes([byte]))
        broker.rest(0.001)
    assert [broker.peer.packet() for _ in want] == want
    assert broker.got == [("a", b""), ("b", b""), ("a", b"y")] * 2
    broker.alive()


def test_a_server_unavailable_at_first_is_asked_again_and_then_used():
    with Hostile() as broker:
        broker.c.publish("t", "x", 1)
        for _ in range(3):
            broker.accept("20020003")
            broker.ended(0x88)
        peer = broker.up()
        peer.expect("32060001740001")
        peer.send("40020001")
        broker.until(lambda: broker.published == [1])


def test_a_broker_that_closes_during_connect_is_asked_again_and_then_used():
    with Hostile() as broker:
        broker.c.publish("t", "x", 1)
        for answer in ((), ("20",), ("200200",)):
            for reset in (False, True):
                broker.accept(*answer).end(reset)
                broker.until(lambda: broker.reasons)
                reason = broker.reasons.pop()
                assert reason == 0x100 or isinstance(reason, ConnectionResetError)
        peer = broker.accept(ACCEPTED)
        peer.expect("32060001740001")
