# What a session keeps over its links: what is in flight, in order, and what was delivered already.
import fake
from fake import CONNACK, CONNACK_PRESENT, error, publish_packet

from umqtt_full import MQTTError, MQTTFull


def ack(head, packet_id):
    return bytes([head, 2, packet_id >> 8, packet_id & 255])


def split(data):
    """The packets in a stretch of bytes, each shorter than 128."""
    packets = []
    while data:
        n = 2 + data[1]
        packets.append(data[:n])
        data = data[n:]
    return packets


def heads(data):
    """(first byte, packet id) of each packet that was written."""
    found = []
    for packet in split(data):
        at = 2 if packet[0] >> 4 != 3 else 4 + packet[3]
        packet_id = packet[at] << 8 | packet[at + 1] if packet[0] & 0xF6 != 0x30 else 0
        found.append((packet[0], packet_id))
    return found


class Reluctant(fake.Stream):
    """A stream that takes CONNECT and nothing more."""

    def __init__(self):
        super().__init__()
        self.tell = 16


def test_messages_go_out_in_the_order_of_publish():
    recorder = fake.Recorder()
    stream = recorder.connect()
    for qos in (1, 0, 2, 1):
        recorder.publish(qos=qos)
    recorder.poll()
    assert heads(stream.sent()) == [(0x32, 1), (0x30, 0), (0x34, 2), (0x32, 3)]


def test_acks_free_their_slots_in_any_order():
    recorder = fake.Recorder()
    recorder.connect()
    for _ in range(4):
        recorder.publish()
    recorder.poll()
    assert isinstance(error(recorder.publish), MQTTFull)
    recorder.say(ack(0x40, 3) + ack(0x40, 1))
    assert recorder.events == [("done", 3), ("done", 1)]
    assert recorder.publish() == 5 and recorder.publish() == 6
    assert isinstance(error(recorder.publish), MQTTFull)
    recorder.poll()
    recorder.say(ack(0x40, 2) + ack(0x40, 4) + ack(0x40, 5) + ack(0x40, 6))
    assert recorder.engine.idle() and recorder.room() == 4


def test_a_resumed_session_sends_again_in_order_with_dup_and_the_same_ids():
    recorder = fake.Recorder()
    recorder.connect()
    for qos in (1, 2, 2, 1):
        recorder.publish(payload=b"p", qos=qos)
    recorder.poll()
    first = split(recorder.stream.sent())
    recorder.say(ack(0x50, 3))
    recorder.close()
    stream = recorder.connect(CONNACK_PRESENT)
    recorder.poll()
    again = split(stream.sent())
    assert again[0] == ack(0x62, 3)
    assert again[1:] == [bytes([p[0] | 8]) + p[1:] for p in (first[0], first[1], first[3])]
    assert recorder.engine.counts[fake.RESENT] == 4


def test_pubrel_is_sent_again_in_the_order_of_pubrec():
    recorder = fake.Recorder(slots=5)
    recorder.connect()
    for _ in range(5):
        recorder.publish(qos=2)
    recorder.poll()
    for packet_id in (4, 2, 5, 1):
        recorder.say(ack(0x50, packet_id))
    for _ in range(2):  # and so on the link after that
        recorder.close()
        recorder.connect(CONNACK_PRESENT)
        recorder.poll()
        sent = recorder.stream.sent()
        assert heads(sent) == [(0x62, 4), (0x62, 2), (0x62, 5), (0x62, 1), (0x3C, 3)]
    recorder.say(ack(0x70, 4) + ack(0x70, 2) + ack(0x70, 5) + ack(0x70, 1) + ack(0x50, 3) + ack(0x70, 3))
    assert recorder.engine.idle()


def test_a_pubrec_while_pubrels_wait_keeps_their_order():
    recorder = fake.Recorder()
    recorder.connect()
    for _ in range(3):
        recorder.publish(qos=2)
    recorder.poll()
    recorder.say(ack(0x50, 2) + ack(0x50, 1))
    recorder.close()
    recorder.connect(CONNACK_PRESENT, Reluctant())
    stream = recorder.stream
    recorder.say(ack(0x50, 1))  # the broker's own repeat, ahead of our PUBREL
    stream.tell = 1000
    recorder.poll()
    assert heads(stream.sent())[:2] == [(0x62, 2), (0x62, 1)]


def test_more_pubrels_than_the_acks_have_room_for_go_out_all_the_same():
    recorder = fake.Recorder(slots=60)
    recorder.connect()
    recorder.engine.outbox.window = 60
    for _ in range(60):
        recorder.publish(qos=2)
    recorder.poll()
    for packet_id in range(1, 61):
        recorder.say(ack(0x50, packet_id))
    recorder.close()
    recorder.connect(CONNACK_PRESENT)
    recorder.poll()
    assert heads(recorder.stream.sent()) == [(0x62, n) for n in range(1, 61)]


def test_no_more_are_under_way_than_brokers_take():
    for qos, done in ((1, 0x40), (2, 0x70)):
        recorder = fake.Recorder(slots=30)
        recorder.connect()
        for _ in range(30):
            recorder.publish(qos=qos)
        recorder.poll()
        assert [n for _, n in heads(recorder.stream.sent())] == list(range(1, 21))
        if qos == 2:
            assert heads(recorder.say(ack(0x50, 1))) == [(0x62, 1)]
        recorder.say(ack(0x40, 999))  # unasked: makes no room
        assert heads(recorder.say(ack(done, 1))) == [(0x30 | qos << 1, 21)]
        recorder.close()
        recorder.connect(CONNACK_PRESENT)
        assert [n for _, n in heads(recorder.stream.sent())] == list(range(2, 22))


def test_a_lost_session_publishes_anew_what_is_not_done():
    recorder = fake.Recorder()
    recorder.connect()
    for qos in (1, 2, 2, 0):
        recorder.publish(qos=qos)
    recorder.poll()
    recorder.say(ack(0x50, 2))
    recorder.close()
    recorder.publish(qos=1)
    recorder.connect(CONNACK)
    recorder.poll()
    assert heads(recorder.stream.sent()) == [(0x34, 2), (0x32, 1), (0x34, 3), (0x32, 4)]


def test_nothing_is_sent_again_on_a_live_link():
    recorder = fake.Recorder(keepalive=0)
    recorder.connect()
    recorder.publish(qos=1)
    recorder.publish(qos=2)
    recorder.poll()
    recorder.stream.forget()
    for now in range(0, 10**8, 10**6):
        recorder.poll(now)
    assert recorder.stream.sent() == b""


def test_a_packet_that_was_cut_is_sent_whole_without_dup():
    for qos in (0, 1, 2):
        recorder = fake.Recorder()
        stream = recorder.connect(stream=Reluctant())
        recorder.publish(payload=b"12345", qos=qos)
        for _ in range(5):
            stream.tell = 3
            recorder.poll()
            assert len(stream.sent()) == 3
            recorder.close()
            stream = recorder.connect(CONNACK_PRESENT, Reluctant())
        stream.tell = 100
        recorder.poll()
        assert stream.sent()[0] == 0x30 | qos << 1


def test_qos_2_is_delivered_once_over_any_number_of_links():
    recorder = fake.Recorder()
    recorder.connect()
    assert recorder.say(publish_packet(b"t", b"x", 2, 9)) == ack(0x50, 9)
    assert len(recorder.events) == 1
    for _ in range(3):
        recorder.close()
        recorder.connect(CONNACK_PRESENT)
        assert recorder.say(publish_packet(b"t", b"x", 2, 9, 8)) == ack(0x50, 9)
        assert recorder.events == []
    assert recorder.say(ack(0x62, 9)) == ack(0x70, 9)
    recorder.say(publish_packet(b"t", b"y", 2, 9))
    assert len(recorder.events) == 1


def test_a_lost_session_forgets_the_ids_of_inbound_qos_2():
    recorder = fake.Recorder()
    recorder.connect()
    recorder.say(publish_packet(b"t", b"x", 2, 9))
    recorder.close()
    recorder.connect(CONNACK)
    recorder.say(publish_packet(b"t", b"other", 2, 9))
    assert recorder.events == [("t", b"other", 2, False, False)]


def test_qos_2_beyond_the_table_waits_for_the_next_link_in_order():
    recorder = fake.Recorder(qos2_ids=2)
    stream = recorder.connect()
    for packet_id in (1, 2, 3, 4):
        recorder.say(publish_packet(b"t", bytes([packet_id]), 2, packet_id))
    assert [e[1] for e in recorder.events] == [b"\x01", b"\x02"]
    stream.forget()
    assert recorder.say(ack(0x62, 1)) == ack(0x70, 1)
    assert recorder.say(publish_packet(b"t", b"\x05", 2, 5)) == b""  # there is room, but 3 comes first
    assert recorder.say(publish_packet(b"t", b"q1", 1, 6)) == ack(0x40, 6)
    e = error(recorder.say, ack(0x62, 2))
    assert isinstance(e, MQTTError) and e.name == "receive maximum exceeded"
    assert stream.sent() == ack(0x70, 2)  # went out before the end
    recorder.close()
    recorder.connect(CONNACK_PRESENT)
    for packet_id in (3, 4):
        recorder.say(publish_packet(b"t", bytes([packet_id]), 2, packet_id, 8))
    assert [e[1] for e in recorder.events] == [b"\x03", b"\x04"]
    assert recorder.engine.counts[fake.DEFERRED] == 3


def test_qos_2_beyond_the_table_is_delivered_where_the_session_ends_with_the_link():
    recorder = fake.Recorder(qos2_ids=2, clean=True)
    recorder.connect()
    for packet_id in (1, 2, 3, 4):
        assert recorder.say(publish_packet(b"t", bytes([packet_id]), 2, packet_id)) == ack(0x50, packet_id)
    for packet_id in (1, 2, 3, 4):
        assert recorder.say(ack(0x62, packet_id)) == ack(0x70, packet_id)
    assert [e[1][0] for e in recorder.events] == [1, 2, 3, 4]
    assert recorder.engine.counts[fake.DEFERRED] == 0


def test_acks_go_out_though_the_outbox_is_full():
    recorder = fake.Recorder(slots=1)
    recorder.connect()
    recorder.publish()
    recorder.poll()
    recorder.stream.forget()
    assert recorder.say(publish_packet(b"t", b"", 1, 7)) == ack(0x40, 7)
    assert recorder.say(publish_packet(b"t", b"", 2, 8)) == ack(0x50, 8)
    assert recorder.say(ack(0x62, 8)) == ack(0x70, 8)


def test_acks_are_written_in_the_order_of_receipt_and_in_one_go():
    recorder = fake.Recorder()
    recorder.connect()
    data = b"".join(publish_packet(b"t", b"", 1 + n % 2, n) for n in range(1, 5))
    assert heads(recorder.say(data)) == [(0x50, 1), (0x40, 2), (0x50, 3), (0x40, 4)]


def test_nothing_is_read_for_which_no_ack_has_room():
    recorder = fake.Recorder(qos2_ids=99)
    stream = recorder.connect()
    stream.tell = 0
    for n in range(1, 41):
        stream.feed(publish_packet(b"t", b"", 1, n))
    recorder.poll()
    assert len(recorder.events) == 16 and stream.left()
    assert not recorder.engine.wants_read()
    stream.tell = 1000
    recorder.poll()
    recorder.poll()
    assert len(recorder.events) == 40 and [n for _, n in heads(stream.sent())] == list(range(1, 41))


def test_a_started_packet_is_finished_before_an_ack():
    recorder = fake.Recorder()
    stream = recorder.connect()
    stream.tell = 4
    recorder.publish(payload=b"123456")
    recorder.poll()
    stream.feed(publish_packet(b"t", b"", 1, 7))
    recorder.poll()
    stream.tell = 1000
    recorder.poll()
    assert stream.sent() == b"\x32\x0b\x00\x01t\x00\x01123456" + ack(0x40, 7)


def test_packet_ids_wrap_and_skip_those_in_flight():
    recorder = fake.Recorder(slots=3)
    stream = recorder.connect()
    assert recorder.publish() == 1  # stays in flight
    assert recorder.publish(qos=2) == 2
    recorder.poll()
    recorder.say(ack(0x50, 2))  # stays released
    expected = 3
    for _ in range(65536 + 10):
        packet_id = recorder.publish()
        assert packet_id == expected
        expected = 3 if expected == 65535 else expected + 1
        recorder.engine.poll(0)
        stream.feed(ack(0x40, packet_id))
        recorder.engine.poll(0)
        stream.forget()
        recorder.events.clear()
    recorder.say(ack(0x70, 2) + ack(0x40, 1))
    assert recorder.engine.idle()


def test_a_stale_ack_of_a_packet_that_waits_to_be_sent_again_is_ignored():
    recorder = fake.Recorder()
    recorder.connect()
    recorder.publish()
    recorder.poll()
    recorder.close()
    stream = recorder.connect(CONNACK_PRESENT, Reluctant())
    recorder.say(ack(0x40, 1))
    assert recorder.engine.counts[fake.STRAY] == 1 and recorder.room() == 3
    stream.tell = 1000
    recorder.poll()
    recorder.say(ack(0x40, 1))
    assert recorder.room() == 4


def test_what_can_never_be_sent_is_refused_and_takes_no_room():
    recorder = fake.Recorder(slots=1, slot_size=20)
    too_large = ((b"t", b"x" * 14, 1), (b"t", b"x" * 16, 0))
    for args in too_large + ((b"+", b""), (b"", b""), (b"t", b"", 3), (b"t", b"", -1)):
        assert isinstance(error(recorder.publish, *args), ValueError), args
    recorder.publish(b"t", b"x" * 13, 1)  # fits to the byte
    assert recorder.engine.outbox.lengths[0] == 20
