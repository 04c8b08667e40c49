# Every packet, as it is written and as it is read: whole, byte by byte, and with the next one behind it.
import fake
import packets

from umqtt_full import MQTTError, fields, v4
from umqtt_full.filters import subscription
from umqtt_full.writer import Writer

HEAPSIZE = "1m"  # many clients, some of them with streams of 17,000 bytes


def by_writer(act):
    """What a Writer sends for an ack and the like."""
    stream = fake.Stream()
    writer = Writer(None, 1, 16)
    writer._begin(stream, 0)
    act(writer)
    writer.flush(0)
    return stream.sent()


def encode_connect(row):
    connect = v4.Connect(
        row["clientId"],
        row.get("username"),
        row.get("password"),
        row["keepalive"],
        row["clean"],
        row.get("protocolVersion", 4),
    )
    if "will" in row:
        will = row["will"]
        fields.will(connect, will["topic"], will["payload"], will["qos"], will["retain"])
    size = connect.size() + 5
    buf = bytearray(size)
    n = connect.encode(buf)
    assert connect.size() + 2 <= n and len(buf) == size
    return bytes(buf[:n])


def encode_publish(row):
    topic = row["topic"].encode()
    payload = row["payload"]
    n = v4.publish_size(topic, len(payload), row["qos"])
    buf = bytearray(3 + n)
    head = 0x30 | row["qos"] << 1 | (1 if row["retain"] else 0)
    at = v4.publish(buf, 3, topic, len(payload), head, row.get("messageId", 0))
    assert at + len(payload) == len(buf) == 3 + n
    buf[at:] = payload
    return bytes(buf[3:])


def encode_request(row):
    unsubscribe = row["cmd"] == "unsubscribe"
    subscriptions = []
    for item in row["unsubscriptions"] if unsubscribe else row["subscriptions"]:
        subscriptions.append(subscription(item if unsubscribe else item["topic"]))
        subscriptions[-1].qos = 0 if unsubscribe else item["qos"]
    buf = bytearray(64)
    n = v4.subscribe(buf, subscriptions, row["messageId"], unsubscribe)
    return bytes(buf[:n])


ACKS = {"puback": 0x40, "pubrec": 0x50, "pubrel": 0x62, "pubcomp": 0x70}


def encode(row):
    cmd = row["cmd"]
    if cmd == "connect":
        return encode_connect(row)
    if cmd == "publish":
        return encode_publish(row)
    if cmd in ("subscribe", "unsubscribe"):
        return encode_request(row)
    if cmd in ACKS:
        return by_writer(lambda writer: writer.ack(ACKS[cmd], row["messageId"]))
    if cmd == "pingreq":
        return by_writer(lambda writer: writer.put(0xC0))
    return by_writer(lambda writer: writer.put(0xE0))


def test_each_packet_is_written_as_the_table_says():
    for row, text in packets.SENT:
        assert encode(row) == packets.to_bytes(text), row


def reader_for(row):
    """A client that is in a state to expect the packet, and has room for it."""
    big = len(row.get("payload", b"")) > 1000
    reader = fake.Recorder(rx=17000 if big else 200, slots=4, slot_size=200)
    if row["cmd"] == "connack":
        reader.stream = fake.Stream()
        reader.engine.open(reader.stream, 0)
        reader.poll()
        reader.stream.forget()
        return reader
    reader.connect(stream=fake.Stream(17000 if big else 400))
    for qos in (1, 2, 2):
        reader.publish(qos=qos)
    reader.poll()
    if row["cmd"] in ("suback", "unsuback"):
        count = len(row.get("granted", "x"))
        reader.engine.request([subscription(b"f")] * count, row["cmd"] == "unsuback")
        reader.poll()
    if row["cmd"] == "pubcomp":
        reader.say(b"\x50\x02" + bytes([row["messageId"] >> 8, row["messageId"] & 255]))
    reader.events.clear()
    reader.stream.forget()
    return reader


def read(row, data, most):
    """(events, what was answered or the error): the packet is given in pieces of up to `most` bytes."""
    reader = reader_for(row)
    reader.stream.most_in = most
    reader.stream.feed(data)
    try:
        reader.poll()
    except MQTTError as e:
        reader.events.append(("error", e.code))
    return reader.events, reader.stream.sent(), reader.stream.left()


def expected(row):
    """The events that a packet must lead to."""
    cmd = row["cmd"]
    if cmd == "connack":
        code = row["returnCode"]
        refusal = (0, 0x84, 0x85, 0x88, 0x86, 0x87)[code]
        return [("error", refusal)] if code else [("session", 1 if row["sessionPresent"] else 0)]
    if cmd == "publish":
        return [(row["topic"], row["payload"], row["qos"], row["retain"], row.get("dup", False))]
    if cmd in ("puback", "pubcomp"):
        return [("done", row["messageId"])]
    if cmd == "suback":
        return [("answer", row["granted"][0])]
    return None if cmd == "unsuback" else []


def test_each_packet_is_read_whole():
    for row, text in packets.RECEIVED:
        events, _, left = read(row, packets.to_bytes(text), 65536)
        assert left == 0
        if row["cmd"] == "unsuback":
            assert events[0][0] == "answer"
        else:
            assert events == expected(row), (row["cmd"], events)


def test_each_packet_is_read_the_same_in_pieces_of_any_size():
    for row, text in packets.RECEIVED:
        data = packets.to_bytes(text)
        whole = read(row, data, 65536)
        for most in (1, 2, 3, 5, 63, 64, 65) if len(data) < 1000 else (1, 64, 1460):
            assert read(row, data, most) == whole, (row["cmd"], most)


def test_each_packet_is_read_the_same_with_the_next_one_behind():
    behind = fake.publish_packet(b"next", b"one")
    for row, text in packets.RECEIVED:
        data = packets.to_bytes(text)
        events, sent, left = read(row, data, 65536)
        if events and events[0][0] == "error":  # nothing behind a refusal is read
            assert read(row, data + behind, 65536)[2] == len(behind)
            continue
        for most in (65536, 1) if len(data) < 1000 else (65536, 97):
            more, sent_too, left = read(row, data + behind, most)
            assert more == events + [("next", b"one", 0, False, False)], row["cmd"]
            assert sent_too == sent and left == 0


def test_nothing_is_read_past_a_packet():
    for row, text in packets.RECEIVED:
        data = packets.to_bytes(text)
        reader = reader_for(row)
        stream = reader.stream
        for n in range(len(data) if len(data) < 1000 else 10):
            stream.feed(data[n : n + 1])
            stream.asked = 0
            error = fake.error(reader.poll)
            if n < len(data) - 1:
                assert error is None and stream.asked <= max(len(data) - n, 1), (row["cmd"], n)


def test_the_end_of_the_stream_is_named_at_each_byte():
    for row, text in packets.RECEIVED:
        data = packets.to_bytes(text)
        for n in range(min(len(data), 40)):
            reader = reader_for(row)
            reader.stream.feed(data[:n])
            reader.stream.ended = True
            error = fake.error(reader.poll)
            assert isinstance(error, MQTTError) and error.name == "closed by the broker", (row["cmd"], n)


def test_each_answer_goes_out_at_any_length_of_write():
    for row, text in packets.RECEIVED:
        data = packets.to_bytes(text)
        answer = read(row, data, 65536)[1]
        for most in (1, 2, 3):
            reader = reader_for(row)
            reader.stream.most_out = most
            reader.stream.feed(data)
            fake.error(reader.poll)
            assert reader.stream.sent() == answer
