"""What of a session is done again on the next link, in which order, and what never is.

Rule: a scripted broker keeps the session (PRESENT) or has lost it (ACCEPTED), and each byte is compared.
"""
import pytest
from hostile import ACCEPTED, PRESENT, Hostile


@pytest.fixture
def broker():
    with Hostile(clean=False, slots=6) as broker:
        yield broker


def cut(broker, reset=False):
    broker.peer.end(reset)
    broker.until(lambda: broker.reasons)
    broker.reasons.clear()


def publish(broker, *levels):
    """Publish a message of each QoS; return the packets as they came."""
    packets = []
    for i, qos in enumerate(levels):
        broker.c.publish("t", f"message {i}", qos)
        packets.append(broker.peer.packet())
    return packets


def with_dup(packet):
    return f"{int(packet[:2], 16) | 8:02x}{packet[2:]}"


def test_at_resume_pubrels_go_first_in_the_order_of_pubrec_then_publishes_in_theirs_with_dup(broker):
    """[MQTT-4.4.0-1] [MQTT-4.6.0-1] [MQTT-4.6.0-4]"""
    peer = broker.up()
    packets = publish(broker, 1, 2, 2, 2, 1, 2)
    for packet_id in (4, 2, 3):
        peer.send(f"5002{packet_id:04x}")
        peer.expect(f"6202{packet_id:04x}")
    for _ in range(3):
        cut(broker)
        peer = broker.up(PRESENT)
        peer.expect("62020004", "62020002", "62020003")
        assert [peer.packet() for _ in range(3)] == [with_dup(packets[i]) for i in (0, 4, 5)]
        peer.silent()
    peer.send("70020002", "40020005", "50020006", "40020001", "70020004", "70020003")
    peer.expect("62020006")
    peer.send("70020006")
    broker.until(lambda: broker.c.room() == 6)
    assert broker.published == [2, 5, 1, 4, 3, 6] and broker.c.counters["stray"] == 0


def test_a_stale_pubrec_before_the_replay_does_not_take_the_place_of_the_old_pubrels(broker):
    peer = broker.up()
    first = publish(broker, 2, 2)[0]
    peer.send("50020002")
    peer.expect("62020002")
    cut(broker)
    peer = broker.accept(PRESENT, "50020001")
    peer.expect("62020002", with_dup(first))
    peer.send("50020001")
    peer.expect("62020001")


def test_a_pubrec_that_comes_again_before_the_replay_does_not_change_the_order_of_pubrels(broker):
    peer = broker.up()
    publish(broker, 2, 2)
    peer.send("50020002", "50020001")
    peer.expect("62020002", "62020001")
    cut(broker)
    broker.accept(PRESENT, "50020001").expect("62020002", "62020001")


def test_of_a_publish_half_of_which_went_out_the_next_link_sees_the_whole():
    payload = bytes(range(256)) * 32000  # more than the system takes at once
    with Hostile(clean=False, slot_size=len(payload) + 100, slots=2) as broker:
        broker.up()
        broker.c.publish("t", payload, 1)
        broker.rest()
        assert broker.c.counters["sent"] == 0
        cut(broker, reset=True)
        packet = broker.up(PRESENT).packet()
        assert packet[:2] in ("32", "3a") and packet[10:] == "0001740001" + payload.hex()


def test_what_was_never_written_goes_out_without_dup(broker):
    broker.c.publish("t", "x", 1)
    broker.up(PRESENT).expect("32060001740001")


def test_in_a_fresh_session_all_that_was_accepted_is_published_as_new(broker):
    peer = broker.up()
    packets = publish(broker, 1, 2, 2, 1)
    peer.send("50020002")
    peer.expect("62020002")
    cut(broker)
    peer = broker.up(ACCEPTED)
    again = [peer.packet() for _ in packets]
    assert sorted(again) == sorted(packets)
    assert [p for p in again if p != packets[1]] == [packets[0], packets[2], packets[3]]
    peer.silent()
    peer.send("40020001", "40020004", "50020002", "50020003")
    peer.expect("62020002", "62020003")
    peer.send("70020002", "70020003")
    broker.until(lambda: broker.c.room() == 6)
    assert sorted(broker.published) == [1, 2, 3, 4]


def test_in_a_fresh_session_inbound_ids_are_forgotten_in_a_kept_one_they_are_not(broker):
    """[MQTT-3.2.2-2] [MQTT-4.3.3-2]"""
    peer = broker.up()
    peer.send("3406000161000778")
    peer.expect("50020007")
    for present, deliveries in ((PRESENT, 1), (ACCEPTED, 2), (PRESENT, 2), (ACCEPTED, 3)):
        cut(broker)
        peer = broker.up(present)
        peer.send("3c06000161000778")
        peer.expect("50020007")
        assert len(broker.got) == deliveries


def test_filters_are_asked_for_again_in_a_fresh_session_only_and_never_with_dup(broker):
    """[MQTT-3.8.1-1]"""
    broker.c.subscribe([("f", 1), ("g", 2)])
    ask = "820a", "0001 66 01 0001 67 02".replace(" ", "")

    def asked(peer, answer=True):
        packet = peer.packet()
        assert packet.startswith(ask[0]) and packet.endswith(ask[1])
        if answer:
            peer.send("9004" + packet[4:8] + "0102")
            broker.until(lambda: broker.c.connected)

    asked(broker.accept(ACCEPTED), answer=False)
    for session in (PRESENT, ACCEPTED):  # not answered yet: asked again in any session
        cut(broker)
        asked(broker.accept(session), answer=session == ACCEPTED)
    cut(broker)
    broker.up(PRESENT).silent()
    cut(broker)
    asked(broker.accept(ACCEPTED))
    assert broker.granted == [("f", 1), ("g", 2)] * 2


def test_a_stale_puback_does_not_end_what_is_about_to_be_sent_again(broker):
    peer = broker.up()
    first = publish(broker, 1)[0]
    cut(broker)
    peer = broker.accept(PRESENT, "40020001")
    assert peer.packet() == with_dup(first)
    assert broker.published == [] and broker.c.counters["stray"] == 1
    peer.send("40020001", "40020001")
    broker.until(lambda: broker.c.counters["stray"] == 2)
    assert broker.published == [1] and broker.c.room() == 6


@pytest.mark.parametrize("reset", (False, True), ids=("fin", "rst"))
def test_a_sender_cut_between_pubrec_and_pubrel_twice_in_a_row_never_publishes_again(broker, reset):
    broker.up()
    publish(broker, 2)
    broker.peer.send("50020001")
    if reset:
        broker.rest()  # RST may overtake what was sent, FIN comes behind it
    cut(broker, reset)
    broker.accept(PRESENT)
    cut(broker, reset)
    broker.up(PRESENT).expect("62020001")
    broker.peer.send("70020001")
    broker.until(lambda: broker.published == [1])
    cut(broker)
    broker.up(PRESENT).silent()


@pytest.mark.parametrize("reset", (False, True), ids=("fin", "rst"))
def test_a_receiver_cut_between_pubrec_and_pubrel_twice_in_a_row_delivers_once(broker, reset):
    peer = broker.up()
    peer.send("3406000161000778")
    for _ in range(2):
        peer.expect("50020007")
        cut(broker, reset)
        peer = broker.up(PRESENT)
        peer.send("3c06000161000778")
    peer.expect("50020007")
    peer.send("62020007")
    peer.expect("70020007")
    cut(broker, reset)
    peer = broker.up(PRESENT)
    peer.send("62020007")
    peer.expect("70020007")
    assert broker.got == [("a", b"x")]


def test_acks_that_did_not_go_out_are_not_sent_on_the_next_link(broker):
    peer = broker.up()
    peer.send("3206000161000778", "3406000161000878")
    peer.end()
    broker.until(lambda: broker.reasons)
    broker.up(PRESENT).silent()


def test_a_link_that_was_refused_then_accepted_sends_all_once(broker):
    for text in ("x", "y"):
        broker.c.publish("t", text, 2)
    broker.accept("20020003")
    broker.ended(0x88)
    peer = broker.up()
    peer.expect("34060001740001 78", "34060001740002 79")
    peer.silent()


def test_packet_ids_stay_reserved_over_links_and_wrap_round_those_in_use(broker):
    """[MQTT-2.3.1-2] [MQTT-2.3.1-4]"""
    peer = broker.up()
    publish(broker, 1, 2)
    broker.c._engine.outbox.last_id = 65533
    assert [packet[10:14] for packet in publish(broker, 1, 2, 1)] == ["fffe", "ffff", "0003"]
    cut(broker)
    peer = broker.up(PRESENT)
    assert [peer.packet()[10:14] for _ in range(5)] == ["0001", "0002", "fffe", "ffff", "0003"]


CONNECTS = {
    "nothing but the id": ({}, "02 003c 0001 63"),
    "an empty id": ({"client_id": ""}, "02 003c 0000"),
    "a kept session": ({"clean": False}, "00 003c 0001 63"),
    "the longest keepalive": ({"keepalive": 65535}, "02 ffff 0001 63"),
    "a user": ({"user": "u"}, "82 003c 0001 63 0001 75"),
    "an empty user": ({"user": ""}, "82 003c 0001 63 0000"),
    "a user and a password": ({"user": "u", "password": "pw"}, "c2 003c 0001 63 0001 75 0002 7077"),
    "a user and an empty password": ({"user": "u", "password": ""}, "c2 003c 0001 63 0001 75 0000"),
    "a binary password": ({"user": "u", "password": b"\0\xff"}, "c2 003c 0001 63 0001 75 0002 00ff"),
}
WILLS = {
    "no will": (None, 0, ""),
    "a will": (("w", "gone", 0, False), 0x04, "0001 77 0004 676f6e65"),
    "an empty will": (("w", "", 0, False), 0x04, "0001 77 0000"),
    "a will of QoS 1": (("w", "x", 1, False), 0x0C, "0001 77 0001 78"),
    "a retained will of QoS 2": (("w", b"\xff", 2, True), 0x34, "0001 77 0001 ff"),
}


@pytest.mark.parametrize("will", WILLS)
@pytest.mark.parametrize("name", CONNECTS)
def test_connect_is_byte_for_byte_as_it_must_be(name, will):
    """[MQTT-3.1.2-11] to [MQTT-3.1.2-22], [MQTT-3.1.3-1]"""
    options, rest = CONNECTS[name]
    fields, will_flags, will_hex = WILLS[will]
    with Hostile(started=False, **{"keepalive": 60, **options}) as broker:
        if fields:
            broker.c.will(*fields)
        broker.c.start()
        raw = bytes.fromhex(rest)
        end = 5 + raw[4]  # of the client id, behind which the will stands
        body = b"\x00\x04MQTT\x04" + bytes([raw[0] | will_flags])
        body += raw[1:end] + bytes.fromhex(will_hex) + raw[end:]
        broker.accept()
        assert broker.peer.connect == (bytes([0x10, len(body)]) + body).hex()


def test_a_password_needs_a_user():
    """[MQTT-3.1.2-22]"""
    with pytest.raises(ValueError):
        Hostile(password="pw")
