# Payloads larger than memory, both ways, and a handler that says "not now".
import fake
from clock import Clock, Server, client_of, until_up
from fake import CONNACK, CONNACK_PRESENT, Stream, connected_client, error, publish_packet

from umqtt_full import MQTTFull
from umqtt_full.stream import Streams, to_file


def long_publish(topic, payload, qos=0, packet_id=7, flags=0):
    """A PUBLISH of any size, as a broker sends it."""
    body = bytes([0, len(topic)]) + topic + (bytes([0, packet_id]) if qos else b"") + payload
    n, length = len(body), b""
    while n > 127:
        length += bytes([n & 127 | 128])
        n >>= 7
    return bytes([0x30 | qos << 1 | flags]) + length + bytes([n]) + body


PAYLOAD = bytes(i * 7 & 255 for i in range(3000))


class Taker:
    """A handler that notes what it got; `pieces` bytes at a time, `calls` pieces a call."""

    def __init__(self, piece=100, calls=1000):
        self.got = []
        self.buf = bytearray(piece)
        self.calls = calls
        self.done = 0

    def __call__(self, stream):
        if not stream.offset:
            self.got.append(b"")
        for _ in range(self.calls):
            n = stream.readinto(self.buf)
            if not n:
                break
            self.got[-1] += bytes(self.buf[:n])
        if not stream.remaining:
            self.done += 1
            self.topic = stream.topic


def receiving(taker, **kw):
    """(client, stream): a client whose handler of a/# gets streams."""
    client, stream = connected_client(rx=64, **kw)
    Streams(client).on("a/#", taker)
    client.poll()
    client.poll()
    stream.forget()
    stream.feed(b"\x90\x03\x00\x01\x00")
    client.poll()
    return client, stream


def test_a_payload_of_any_size_is_taken_piece_by_piece():
    for size in (0, 1, 40, 50, 60, 61, 63, 64, 65, 200, 3000):
        for qos in (0, 1, 2):
            for most in (4096, 1, 50):
                taker = Taker()
                client, stream = receiving(taker)
                stream.most_in = most
                stream.feed(long_publish(b"a/b", PAYLOAD[:size], qos))
                while stream.left():
                    client.poll()
                client.poll()
                assert taker.got == [PAYLOAD[:size]] and taker.done == 1, (size, qos, most)
                assert taker.topic == "a/b"
                assert stream.sent() == (b"", b"\x40\x02\x00\x07", b"\x50\x02\x00\x07")[qos]


def test_what_lies_behind_a_stream_is_read_as_ever():
    taker = Taker()
    client, stream = receiving(taker)
    others = []
    client.on_message = lambda msg: others.append((msg.topic, bytes(msg.payload)))
    stream.feed(long_publish(b"a/b", PAYLOAD[:500], 1) + publish_packet(b"b", b"x"))
    stream.feed(long_publish(b"a/c", b"", 1, 8))
    for _ in range(5):
        client.poll()
    assert others == [("b", b"x")] and taker.got == [PAYLOAD[:500], b""]
    assert stream.sent() == b"\x40\x02\x00\x07\x40\x02\x00\x08"


def test_a_handler_that_stops_stops_the_reading_and_the_acknowledgement():
    taker = Taker(piece=10, calls=1)
    client, stream = receiving(taker)
    stream.feed(long_publish(b"a/b", PAYLOAD[:200], 1))
    left = []
    for _ in range(18):
        client.poll()
        assert stream.sent() == b"" and client._engine.held and not client._engine.wants_read()
        left.append(stream.left())
    assert left == sorted(left, reverse=True) and left[0] > 100
    for _ in range(3):
        client.poll()
    assert taker.got == [PAYLOAD[:200]] and stream.sent() == b"\x40\x02\x00\x07"


def test_the_rest_can_be_skipped_in_one_call():
    def skip(stream):
        stream.readinto(bytearray(10))
        stream.skip()

    client, stream = receiving(skip)
    stream.feed(long_publish(b"a/b", PAYLOAD, 2))
    while stream.left():
        client.poll()
    client.poll()
    assert stream.sent() == b"\x50\x02\x00\x07" and not client._engine.held


def test_a_handler_that_raises_is_heard_and_the_rest_let_go():
    def fail(stream):
        raise KeyError("mine")

    client, stream = receiving(fail)
    stream.feed(long_publish(b"a/b", PAYLOAD, 1))
    assert isinstance(error(client.poll), KeyError)
    while stream.left():
        client.poll()
    client.poll()
    assert stream.sent() == b"\x40\x02\x00\x07"


def new_link(client, connack=CONNACK_PRESENT):
    stream = Stream(8192)
    client._servers = [lambda: stream]
    client.close()
    client.start()
    client.poll()
    client.poll()
    stream.forget()
    stream.feed(connack)
    client.poll()
    client.poll()
    return stream


def test_a_cut_in_the_middle_begins_again_at_offset_0():
    for qos in (1, 2):
        taker = Taker()
        client, stream = receiving(taker, clean=False)
        stream.feed(long_publish(b"a/b", PAYLOAD, qos)[:1000])
        client.poll()
        stream.ended = True
        client.poll()
        assert not client.connected and 0 < len(taker.got[0]) < 1000 and not taker.done
        stream = new_link(client)
        stream.feed(long_publish(b"a/b", PAYLOAD, qos, 7, 8))
        client.poll()
        assert len(taker.got) == 2 and taker.got[1] == PAYLOAD and taker.done == 1
        stream.forget()
        stream.feed(long_publish(b"a/b", PAYLOAD, qos, 7, 8))
        while stream.left():
            client.poll()
        assert taker.done == 3 - qos  # at QoS 2 it is not delivered twice


def test_a_file_gets_it_whole():
    import io

    files = []
    done = []

    def open_file():
        class File(io.BytesIO):
            def close(self):
                files[-1] = self.getvalue()

        files.append(File())
        return files[-1]

    client, stream = receiving(to_file(open_file, lambda s: done.append(s.length), 32))
    stream.feed(long_publish(b"a/b", PAYLOAD, 1))
    while stream.left():
        client.poll()
    client.poll()
    assert files == [PAYLOAD] and done == [3000]


def test_a_large_payload_does_not_keep_the_caller():
    taker = Taker(1000)
    client, stream = receiving(taker)
    stream._in = bytearray(60000)
    stream.feed(long_publish(b"a/b", bytes(50000), 1))
    turns = 0
    while not taker.done:
        left = stream.left()
        assert client._engine.poll(0) or taker.done
        assert left - stream.left() <= 6000
        turns += 1
    assert turns > 8 and taker.got == [bytes(50000)]


def test_poll_sleeps_while_a_ping_waits_behind_a_long_upload():
    recorder = fake.Recorder(keepalive=4, slot_size=200)
    stream = recorder.connect()
    stream.tell = 0
    recorder.publish(payload=b"x" * 150, qos=0)
    for _ in range(60):
        stream.tell = 1
        recorder.now += 100
        recorder.engine.poll(recorder.now)
        assert recorder.engine.next_ms(recorder.now) > 0


class Source:
    """A file of PAYLOAD's bytes that counts how often it is begun."""

    def __init__(self, size, fail_at=-1):
        self.size = size
        self.at = self.begun = 0
        self.fail_at = fail_at

    def seek(self, at):
        self.at = at
        self.begun += 1

    def readinto(self, buf):
        if 0 <= self.fail_at <= self.at:
            raise OSError("the card was pulled out")
        n = min(len(buf), self.size - self.at)
        buf[:n] = PAYLOAD[self.at : self.at + n]
        self.at += n
        return n


def test_a_source_of_any_size_is_sent_as_the_link_takes_it():
    for size in (0, 1, 31, 32, 33, 64, 3000):
        for qos in (0, 1, 2):
            client, stream = connected_client()
            streams = Streams(client, 32)
            stream.most_out = 20
            assert streams.publish("a", Source(size), size, qos) == (1 if qos else 0)
            for _ in range(5):
                client.poll()
            assert stream.sent() == long_publish(b"a", PAYLOAD[:size], qos, 1), (size, qos)
            if qos:
                assert isinstance(error(streams.publish, "a", Source(1), 1), MQTTFull)
                stream.feed(b"\x40\x02\x00\x01" if qos == 1 else b"\x50\x02\x00\x01\x70\x02\x00\x01")
                client.poll()
            assert client.room() == 4 and client.drain(10)


def test_a_function_is_a_source_too():
    client, stream = connected_client()

    def source(offset, buf):
        buf[:1] = PAYLOAD[offset : offset + 1]
        return 1

    Streams(client).publish(b"a", source, 100)
    assert stream.sent() == long_publish(b"a", PAYLOAD[:100])


def test_a_stream_that_was_cut_is_sent_from_its_beginning():
    client, stream = connected_client(clean=False)
    source = Source(3000)
    stream.tell = 1000
    Streams(client).publish("a", source, 3000, 1)
    client.publish("b", b"", 1)  # waits behind it
    client.poll()
    assert len(stream.sent()) == 1000
    stream = new_link(client)
    assert stream.sent() == long_publish(b"a", PAYLOAD, 1, 1) + b"\x32\x05\x00\x01b\x00\x02" and source.begun == 2
    stream = new_link(client)  # sent whole, and not acknowledged
    assert stream.sent() == long_publish(b"a", PAYLOAD, 1, 1, 8) + b"\x3a\x05\x00\x01b\x00\x02"
    stream.feed(b"\x40\x02\x00\x01\x40\x02\x00\x02")
    client.poll()
    assert client.room() == 4


def test_a_source_that_fails_ends_the_link_and_gives_the_message_up():
    for source in (Source(2000), Source(3000, 1500), lambda offset, buf: len(buf) + 1):
        client, stream = connected_client(clean=False)
        downs, drops = [], []
        client.on_disconnect = downs.append
        client.on_drop = drops.append
        streams = Streams(client, 100)
        streams.publish("a", source, 3000, 1)
        client.publish("b", b"", 1)
        for _ in range(3):
            client.poll()
        assert [e.name for e in downs] == ["source failed"] and drops == [1] and stream.closed
        stream = new_link(client, CONNACK)
        assert stream.sent() == b"\x32\x05\x00\x01b\x00\x02"
    assert "pulled out" in str(Streams(client).error or "pulled out")


def test_a_source_may_close_the_link_and_its_message_waits_for_the_next():
    with Clock() as clock:
        server = Server()
        server.addresses = 9
        client, _ = client_of(clock, server, clean=False)
        until_up(client)
        closed = []

        def source(offset, buf):
            if not closed:
                closed.append(client.close())
            buf[:] = b"x" * len(buf)
            return len(buf)

        Streams(client).publish(b"t", source, 10, 1)
        for _ in range(4):
            client.poll()
        assert client.state == "offline" and len(server.opened) == 1 and client.room() == 3
        server.answer = CONNACK_PRESENT
        until_up(client)
        client.poll()
        assert server.stream.sent().endswith(b"t\x00\x01" + b"x" * 10) and client.counters["sent"] == 1


def test_what_was_never_sent_may_be_dropped_behind_a_stream_that_failed():
    client, stream = connected_client(clean=False, slots=3, full="drop_oldest")
    fails = []

    def source(offset, buf):
        if fails:
            return 0
        buf[:] = b"x" * len(buf)
        return len(buf)

    Streams(client).publish(b"t", source, 10, 1)
    client.poll()
    fails.append(True)
    box = client._engine.outbox
    assert box.resend(True) == 1
    box.drop(box.queued, box.queued[0])  # as when the source fails
    client.close()
    dropped = []
    client.on_drop = dropped.append
    ids = [client.publish(b"t", b"%d" % n, 1) for n in range(4)]
    assert dropped == ids[:1]


def test_a_message_that_comes_at_the_wrong_time_comes_again():
    client, stream = connected_client(keepalive=2)
    calls = []

    def handler(msg):
        calls.append(bytes(msg.payload))
        if len(calls) % 3:
            msg.later()

    client.on("t", handler, qos=None)
    stream.feed(publish_packet(b"t", b"1", 2, 7) + publish_packet(b"t", b"2", 1, 8))
    for _ in range(2):
        client.poll()
        assert stream.sent() == b"" and client._engine.held and stream.left()
    client.poll()
    client.poll()
    client.poll()
    client.poll()
    assert calls == [b"1"] * 3 + [b"2"] * 3
    assert stream.sent() == b"\x50\x02\x00\x07\x40\x02\x00\x08"
    assert client.counters["received"] == 2


def test_while_a_message_is_held_pings_go_out_and_no_answer_is_missing():
    recorder = fake.Recorder(keepalive=2)
    recorder.got_message = lambda msg: msg.later()
    stream = recorder.connect()
    stream.feed(publish_packet(b"t", b"1", 1, 7))
    for _ in range(100):
        recorder.now += 100
        recorder.engine.poll(recorder.now)
    assert stream.sent() == fake.PINGREQ * 6  # the broker must hear of us again and again
    recorder.got_message = lambda msg: None
    stream.feed(fake.PINGRESP)
    recorder.poll()
    assert stream.sent() == b"\x40\x02\x00\x07" and not recorder.engine.held
