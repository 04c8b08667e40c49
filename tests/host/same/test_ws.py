# WebSocket on a fake stream: the upgrade, every kind of frame, every violation, and not one byte of heap.
# Rule: what the server says is made here by hand, and what we say is taken apart by hand, from RFC 6455.
import os
import random
import sys

import fake
from fake import locked

from umqtt_full import MQTTClient, MQTTError, frames, ws
from umqtt_full.net import POLLIN, POLLOUT

MICROPYTHON_ONLY = (
    "test_sending_takes_no_heap",
    "test_receiving_takes_no_heap",
    "test_pings_take_no_heap",
    "test_2000_messages_leave_the_heap_as_it_was",
)

HEAPSIZE = "2m"
CPYTHON = sys.implementation.name == "cpython"
ROUNDS = 20000 if CPYTHON else 1000

ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
)


class Pseudo:
    """For a port without os.urandom()."""

    @staticmethod
    def urandom(n):
        return bytes(random.getrandbits(8) for _ in range(n))


if not hasattr(os, "urandom"):
    frames.os = ws.os = Pseudo


class Server:
    """What a WebSocket is around: gives the stream it was made with."""

    def __init__(self, stream):
        self.stream = stream
        self.failures = 0

    def open(self):
        return self.stream

    def failed(self):
        self.failures += 1


def key_of(request):
    at = request.index(b"Sec-WebSocket-Key: ") + 19
    return request[at : request.index(b"\r", at)]


def begun(size=4096, **kw):
    """(our stream, the one below), the request sent."""
    below = fake.Stream(size)
    stream = ws.WebSocket(Server(below), "h", **kw).open()
    assert stream.write(b"x", 0, 1) is None
    return stream, below


def answer(request):
    return ANSWER % ws.accept(key_of(request), b"any")


def opened(size=4096, **kw):
    """(our stream, the one below), upgraded."""
    stream, below = begun(size, **kw)
    below.feed(answer(below.sent()))
    assert stream.readinto(bytearray(1), 1) is None and not below.left()
    return stream, below


def frame(payload, head=0x82, form=None):
    """A frame as a server sends it; `form`: 125, 126 or 127 for a length longer than it must be."""
    n = len(payload)
    form = form or (125 if n < 126 else 126 if n < 65536 else 127)
    if form == 125:
        return bytes([head, n]) + payload
    if form == 126:
        return bytes([head, 126, n >> 8, n & 255]) + payload
    return bytes([head, 127, 0, 0, 0, 0, n >> 24, n >> 16 & 255, n >> 8 & 255, n & 255]) + payload


def apart(data):
    """[(first byte, payload, mask)] of what a client sent; what is amiss is an AssertionError."""
    found = []
    while data:
        n = data[1] & 127
        assert data[1] & 128
        at = 2
        if n == 126:
            n = data[2] << 8 | data[3]
            at = 4
            assert n > 125
        assert n < 65536 and len(data) >= at + 4 + n, (n, len(data))
        mask = data[at : at + 4]
        payload = bytes(data[at + 4 + i] ^ mask[i % 4] for i in range(n))
        found.append((data[0], payload, mask))
        data = data[at + 4 + n :]
    return found


def sent(below):
    return [(head, payload) for head, payload, _ in apart(below.sent())]


def read(stream, n=100000):
    """All that can be read, as an engine reads it; up to the end."""
    data = b""
    buf = bytearray(n)
    for _ in range(200000):
        k = stream.readinto(buf, n)
        if k == 0:
            return data + b"<end>"
        if k is None:
            return data
        data += bytes(buf[:k])
    raise AssertionError("it does not end")


def pattern(n):
    return bytes(i * 7 + (i >> 8) & 255 for i in range(n))


# -- frames that come


def test_frames_of_every_length_are_read():
    for n in (0, 1, 2, 124, 125, 126, 127, 128, 255, 256, 65535, 65536):
        stream, below = opened(66000)
        below.feed(frame(pattern(n)) + frame(b"behind"))
        assert read(stream) == pattern(n) + b"behind"


def test_frames_are_read_whatever_pieces_they_come_in():
    for most in (1, 2, 3, 7):
        for n in (0, 1, 125, 126, 300):
            for form in (None, 126, 127):
                stream, below = opened()
                below.most_in = most
                below.feed(frame(pattern(n), form=form) + frame(b"", 0x89) + frame(b"behind"))
                assert read(stream) == pattern(n) + b"behind"
                assert sent(below) == [(0x8A, b"")]


def test_a_frame_cut_at_each_byte_goes_on_where_it_was():
    data = frame(pattern(200)) + frame(b"ping", 0x89) + frame(b"ab", 0x02) + frame(b"cd", 0x80)
    for cut in range(1, len(data)):
        stream, below = opened()
        below.feed(data[:cut])
        got = read(stream)
        assert stream.readinto(bytearray(9), 9) is None
        below.feed(data[cut:])
        assert got + read(stream) == pattern(200) + b"abcd"


def test_never_is_more_read_than_was_asked_for():
    stream, below = opened()
    below.feed(frame(pattern(100)) + frame(pattern(50)))
    buf = bytearray(100)
    assert stream.readinto(buf, 30) == 30 and below.left() == 70 + 52
    assert stream.readinto(buf, 100) == 70 and below.left() == 52
    assert bytes(buf[:70]) == pattern(100)[30:]


def test_a_payload_is_read_straight_into_the_buffer_of_who_reads():
    stream, below = opened()
    below.feed(frame(pattern(200)))
    below.asked = 0
    assert stream.readinto(bytearray(150), 150) == 150
    assert below.asked == 150


def test_fragments_are_one_stream_and_a_ping_may_come_between():
    stream, below = opened()
    below.feed(frame(b"ab", 0x02) + frame(b"", 0x00) + frame(b"?", 0x89) + frame(b"cd", 0x00) + frame(b"e", 0x80))
    below.feed(frame(b"f"))
    assert read(stream) == b"abcdef"
    assert sent(below) == [(0x8A, b"?")]


def test_the_end_of_what_is_below_is_the_end():
    for cut in (b"", b"\x82", b"\x82\x05abc", b"\x89\x05abc", b"\x82\x7e\x01"):
        stream, below = opened()
        below.feed(cut)
        below.ended = True
        assert read(stream).endswith(b"<end>")


def test_a_ping_of_any_size_is_answered():
    stream, below = opened()
    for n in (0, 1, 16, 17, 125):
        below.feed(frame(pattern(n), 0x89))
        assert read(stream) == b""
        assert sent(below) == [(0x8A, pattern(n))]


def test_of_pings_that_find_no_way_out_the_last_is_answered():
    stream, below = opened()
    below.tell = 3
    below.feed(frame(b"first", 0x89))
    assert read(stream) == b"" and stream.wants(POLLIN) == POLLIN | POLLOUT
    for i in range(100):
        below.feed(frame(b"%d" % i, 0x89) + frame(b"x", 0x8A))
        assert read(stream) == b""
    below.feed(frame(b"data"))
    assert read(stream) == b"data"
    below.tell = 1 << 20
    assert read(stream) == b"" and stream.wants(POLLIN) == POLLIN
    assert sent(below) == [(0x8A, b"first"), (0x8A, b"99")]


def test_a_ping_that_is_half_here_is_not_mixed_with_one_to_be_answered():
    stream, below = opened()
    below.tell = 3
    below.feed(frame(b"first", 0x89) + frame(b"second", 0x89) + frame(b"THIRD!", 0x89)[:4])
    assert read(stream) == b""
    below.tell = 1000
    assert stream.write(b"x", 0, 1) == 1
    below.feed(frame(b"THIRD!", 0x89)[4:])
    assert read(stream) == b""
    assert sent(below) == [(0x8A, b"first"), (0x82, b"x"), (0x8A, b"THIRD!")]


def test_a_flood_of_pings_does_not_keep_the_caller():
    stream, below = opened(9000)
    for head in (0x89, 0x8A, 0x02, 0x00):
        flood = frame(b"", 0x89) * 1000 if head == 0x89 else frame(b"", 0x8A) * 1000
        if head == 2:
            flood = frame(b"", 0x82) * 1000
        below.feed(flood)
        assert stream.readinto(bytearray(9), 9) is None
        assert below.left() > 1000
        while below.left():
            assert stream.readinto(bytearray(9), 9) is None
        below.forget()


def test_a_close_is_answered_and_is_the_end():
    for payload, reply in ((b"", b""), (b"\x03\xe8", b"\x03\xe8"), (b"\x03\xf0too bad", b"\x03\xf0")):
        stream, below = opened()
        below.feed(frame(b"last") + frame(payload, 0x88))
        assert read(stream) == b"last<end>"
        stream.close()
        assert sent(below) == [(0x88, reply)] and below.closed == 1


def test_our_end_is_told_to_the_server_if_that_goes_without_waiting():
    stream, below = opened()
    stream.write(b"abc", 0, 3)
    stream.close()
    assert sent(below) == [(0x82, b"abc"), (0x88, b"\x03\xe8")] and below.closed == 1
    stream, below = opened()
    below.tell = 4
    stream.write(b"abc", 0, 3)
    stream.close()
    assert below.closed == 1


def test_a_stream_that_fails_is_closed_all_the_same():
    stream, below = opened()

    def fail(*_):
        raise OSError(104)

    below.write = fail
    stream.close()
    assert below.closed == 1


VIOLATIONS = (
    ("reserved bits", b"\xc2\x01a"),
    ("reserved bits", b"\xa2\x01a"),
    ("reserved bits", b"\x92\x01a"),
    ("masked frame", b"\x82\x81\0\0\0\0a"),
    ("masked frame", b"\x89\x80\0\0\0\0"),
    ("text frame", b"\x81\x01a"),
    ("text frame", b"\x01\x01a"),
    ("unknown opcode", b"\x83\x00"),
    ("unknown opcode", b"\x87\x00"),
    ("unknown opcode", b"\x8b\x00"),
    ("unknown opcode", b"\x8f\x00"),
    ("control frame fragmented or too long", b"\x09\x00"),
    ("control frame fragmented or too long", b"\x08\x00"),
    ("control frame fragmented or too long", b"\x89\x7e\x00\x7e"),
    ("control frame fragmented or too long", b"\x88\x7f" + bytes(8)),
    ("fragments out of order", b"\x80\x01a"),
    ("fragments out of order", b"\x00\x01a"),
    ("fragments out of order", b"\x02\x01a\x82\x01b"),
    ("fragments out of order", b"\x02\x01a\x02\x01b"),
    ("fragments out of order", b"\x02\x01a\x80\x01b\x80\x01c"),
    ("close frame of one byte", b"\x88\x01\x03"),
    ("frame too large", b"\x82\x7f\x80\0\0\0\0\0\0\1"),
    ("frame too large", b"\x82\x7f\0\0\0\1\0\0\0\0"),
    ("frame too large", b"\x82\x7f\0\0\0\0\x40\0\0\0"),
)


def test_each_violation_has_a_name_and_is_told_to_the_server():
    for name, data in VIOLATIONS:
        for most in (1, 4096):
            stream, below = opened()
            below.most_in = most
            below.feed(frame(b"ok") + data)
            e = fake.error(read, stream)
            assert isinstance(e, ws.WebSocketError) and isinstance(e, MQTTError), (data, e)
            assert e.name == "websocket: " + name and e.status == 0, (data, e.name)
            stream.close()
            assert sent(below)[-1] == (0x88, b"\x03\xea")


# -- frames that go


def test_what_is_written_is_masked_and_binary():
    source = pattern(1200)
    stream, below = opened(buffer=1000)
    for n in (1, 2, 3, 4, 5, 124, 125, 126, 127, 255, 256, 999, 1000):
        for off in (0, 1, 130):
            assert stream.write(source, off, n) == n
            head, payload, mask = apart(below.sent())[0]
            assert (head, payload) == (0x82, source[off : off + n])


def test_a_frame_holds_no_more_than_its_buffer():
    for size in (125, 126, 256, 700):
        stream, below = opened(buffer=size)
        assert stream.write(pattern(1000), 0, 1000) == size
        assert sent(below) == [(0x82, pattern(size))]
    for size in (0, 124, 65536):
        assert isinstance(fake.error(ws.Stream, size), ValueError)


def test_what_a_blocked_write_took_is_neither_doubled_nor_lost():
    source = bytearray(pattern(700))
    random.seed(5)
    for _ in range(60):
        stream, below = opened(8192)
        at = 0
        wrote = b""
        while at < len(source):
            below.tell = random.choice((0, 1, 2, 5, 100, 300))
            left = min(len(source) - at, random.choice((1, 50, 700)))
            n = stream.write(source, at, left)
            if n:
                at += n
            wrote += below.sent()
        below.tell = 1 << 20
        read(stream)
        wrote += below.sent()
        assert b"".join(payload for _, payload, _ in apart(wrote)) == source


def test_what_waits_goes_out_with_the_next_read():
    stream, below = opened()
    below.tell = 5
    assert stream.write(b"abcdef", 0, 6) == 6
    assert stream.wants(POLLIN) == POLLIN | POLLOUT and stream.wants(0) == POLLOUT
    assert stream.write(b"more", 0, 4) is None
    below.tell = 100
    assert stream.readinto(bytearray(1), 1) is None
    assert stream.wants(POLLIN) == POLLIN
    assert sent(below) == [(0x82, b"abcdef")]


def test_each_frame_has_a_mask_of_its_own():
    stream, below = opened()
    masks = []
    for _ in range(300):
        stream.write(b"abc", 0, 3)
        masks.append(apart(below.sent())[0][2])
    assert len(set(masks)) > 298
    other, below = opened()
    other.write(b"abc", 0, 3)
    assert apart(below.sent())[0][2] not in masks
    counts = [0] * 256
    for mask in masks:
        for c in mask:
            counts[c] += 1
    assert max(counts) < 25  # 1200 bytes


def test_the_cipher_of_the_masks_is_rc4():
    class Zeros:
        @staticmethod
        def urandom(n):
            return b"Key" * 85 + b"K" if n == 256 else bytes(n)

    class Bare(frames.Frames):
        def _upgrade(self):
            return True

    before = frames.os
    frames.os = Zeros
    try:
        stream = Bare(125)
        below = fake.Stream()
        stream.begin(below)
    finally:
        frames.os = before
    for mask in (b"\xeb\x9f\x77\x81", b"\xb7\x34\xca\x72"):  # published for "Key", which RC4 repeats
        stream.write(b"a", 0, 1)
        assert apart(below.sent())[0][2] == mask


# -- the upgrade


def test_the_request_says_what_a_server_must_know():
    _, below = begun(path="/mqtt?token=a", headers={"Authorization": "Bearer x"})
    request = below.sent()
    lines = request.split(b"\r\n")
    assert lines[0] == b"GET /mqtt?token=a HTTP/1.1" and lines[-2:] == [b"", b""]
    for line in (
        b"Host: h",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Protocol: mqtt",
        b"Authorization: Bearer x",
    ):
        assert lines.count(line) == 1, line
    assert len(key_of(request)) == 24
    _, below = begun()
    assert key_of(below.sent()) != key_of(request)


def test_the_accept_is_that_of_the_rfc():
    if not ws.sha1:
        return
    assert ws.accept(b"dGhlIHNhbXBsZSBub25jZQ==", b"") == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_nothing_goes_out_before_the_answer_and_it_is_not_waited_for():
    below = fake.Stream()
    below.tell = 0
    stream = ws.WebSocket(Server(below), "h").open()
    assert stream.wants(POLLIN | POLLOUT) == POLLOUT
    assert stream.write(b"x", 0, 1) is None and stream.readinto(bytearray(1), 1) is None
    request = b""
    while stream.wants(POLLOUT) == POLLOUT:
        below.tell = 7
        assert stream.write(b"x", 0, 1) is None
        request += below.sent()
    assert request.endswith(b"\r\n\r\n") and stream.wants(POLLIN | POLLOUT) == POLLIN
    below.tell = 1000
    for c in answer(request):
        assert stream.write(b"x", 0, 1) is None and below.sent() == b""
        below.feed(bytes([c]))
    assert stream.write(b"x", 0, 1) == 1 and sent(below) == [(0x82, b"x")]


def test_frames_right_behind_the_answer_are_kept():
    stream, below = begun()
    below.feed(answer(below.sent()) + frame(b"soon"))
    assert read(stream) == b"soon"


def test_the_answer_may_be_written_in_other_ways():
    for change in (
        lambda a: a.replace(b"Upgrade: websocket", b"UPGRADE:WebSocket"),
        lambda a: a.replace(b"Sec-WebSocket-", b"sec-websocket-"),
        lambda a: a.replace(b"Sec-WebSocket-", b"SEC-WEBSOCKET-"),
        lambda a: a.replace(b"\r\n", b"\n"),
        lambda a: a.replace(b": ", b":  \t"),
        lambda a: a.replace(b"\r\n\r\n", b"\r\nX-Long: " + b"x" * 3000 + b"\r\nNo colon\r\n:\r\n\r\n"),
        lambda a: a.replace(b"Switching Protocols", b""),
    ):
        stream, below = begun()
        below.feed(change(answer(below.sent())) + frame(b"in"))
        assert read(stream) == b"in"


REFUSALS = (
    (301, "HTTP 301 to https://b/c, not followed", b"HTTP/1.1 301 Moved\r\nLocation: https://b/c\r\n\r\n"),
    (302, "HTTP 302 to ??, not followed", b"HTTP/1.1 302 Found\r\nlocation: \xff\x80\r\n\r\n"),
    (401, "HTTP 401", b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n\r\n"),
    (403, "HTTP 403", b"HTTP/1.0 403\r\n\r\n"),
    (404, "HTTP 404", b"HTTP/1.1 404 Not Found\nContent-Length: 9\n\nnot found"),
    (503, "HTTP 503", b"HTTP/1.1 503 Busy\r\nRetry-After: 9\r\n\r\n"),
    (200, "HTTP 200", b"HTTP/1.1 200 OK\r\n\r\n<html>"),
    (0, "no HTTP answer", b"\x20\x02\x00\x00\x0a"),
    (0, "no HTTP answer", b"\r\n"),
    (0, "no HTTP answer", b"HTTP/1.1 abc\r\n"),
    (0, "no HTTP answer", b"HTTP/2\n"),
    (0, "HTTP answer too long", b"HTTP/1.1 101 x\r\n" + b"X: y\r\n" * 2000),
    (0, "HTTP answer too long", b"x" * 9000),
    (0, "no answer to the upgrade", b"HTTP/1.1 101 x\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"),
)


def test_a_refusal_of_the_upgrade_has_a_name_and_a_status():
    for status, name, data in REFUSALS:
        stream, below = begun(16384)
        below.feed(data)
        e = fake.error(stream.write, b"x", 0, 1)
        assert isinstance(e, ws.WebSocketError), (data, e)
        assert (e.name, e.status) == ("websocket: " + name, status)
        assert "websocket: " + name in str(e) and e.code == 0x102
        below.forget()
        stream.close()
        assert below.sent() == b"" and below.closed == 1


def test_what_the_server_must_accept_is_checked():
    for old, new, name in (
        (b"Protocol: mqtt", b"Protocol: mqttv3.1", "the subprotocol mqtt was not accepted"),
        (b"Sec-WebSocket-Protocol: mqtt\r\n", b"", "the subprotocol mqtt was not accepted"),
        (b"Upgrade: websocket", b"Upgrade: h2c", "no answer to the upgrade"),
        (b"Accept: ", b"Accept: A" if ws.sha1 else b"No: ", "no answer to the upgrade"),
    ):
        stream, below = begun()
        below.feed(answer(below.sent()).replace(old, new))
        e = fake.error(stream.readinto, bytearray(1), 1)
        assert isinstance(e, ws.WebSocketError) and e.name == "websocket: " + name, (new, e)


def test_an_end_amid_the_upgrade_is_named():
    for data in (b"", b"HTTP/1.1 10", ANSWER[:60]):
        stream, below = begun()
        below.feed(data)
        below.ended = True
        e = fake.error(stream.write, b"x", 0, 1)
        assert isinstance(e, MQTTError) and e.name == "closed by the broker"


def test_a_signature_is_made_anew_at_each_open():
    asked = []

    def sign(path, headers):
        asked.append(path)
        return path + "?n=%d" % len(asked), {"X-Date": "%d" % len(asked)}

    below = fake.Stream()
    server = ws.WebSocket(Server(below), "h", "/mqtt", sign=sign)
    for n in (b"1", b"2"):
        stream = server.open()
        stream.write(b"x", 0, 1)
        request = below.sent()
        assert request.startswith(b"GET /mqtt?n=" + n + b" HTTP/1.1\r\n") and b"X-Date: " + n + b"\r\n" in request
    server.failed()
    assert server.inner.failures == 1


def test_what_can_not_stand_in_a_request_is_refused():
    for kw in ({"path": "mqtt"}, {"path": "/a b"}, {"path": "/a\r\nX: y"}, {"headers": {"A": "b\nX: y"}}):
        e = fake.error(lambda kw=kw: ws.WebSocket(None, "h", **kw))
        assert isinstance(e, ValueError), kw


def test_a_link_that_is_opened_again_begins_anew():
    below = fake.Stream(16384)
    server = ws.WebSocket(Server(below), "h")

    def upgraded():
        stream = server.open()
        stream.write(b"x", 0, 1)
        below.feed(answer(below.sent()))
        return stream

    for data in (b"\x82", b"\x02\x05ab", b"\x02\x00", b"\x89\x05ab", b"\x8a\x05ab", b"\x82\x7e\x01", b"\xff\xff"):
        stream = upgraded()
        below.feed(data)
        fake.error(read, stream)
        below.tell = 2
        stream.write(b"abc", 0, 3)
        stream = server.open()
        below.tell = 1000
        stream.write(b"x", 0, 1)
        below.forget()
        below.feed(b"HTTP/1.1 40")
        assert stream.readinto(bytearray(1), 1) is None
        stream = upgraded()
        below.feed(frame(b"new"))
        assert read(stream) == b"new" and below.sent() == b"", data


class Explained(Server):
    def explain(self, e, handshaking):
        return OSError("shaking" if handshaking else "talking")


def test_an_error_is_explained_by_what_is_inside():
    assert fake.error(ws.WebSocket(Server(None), "h").explain, None, True) is None
    below = fake.Stream()
    server = ws.WebSocket(Explained(below), "h")
    stream = server.open()
    stream.write(b"x", 0, 1)
    assert str(server.explain(ValueError(), True)) == "shaking"
    below.feed(b"H")
    stream.write(b"x", 0, 1)
    assert str(server.explain(ValueError(), True)) == "talking"


# -- below a client


def connected_client(**kw):
    """(client, the stream below), over WebSocket."""
    below = fake.Stream(8192)
    client = MQTTClient(ws.WebSocket(Server(below), "h"), client_id="me", **kw)
    client.start()
    client.poll()
    client.poll()
    below.feed(answer(below.sent()) + frame(fake.CONNACK))
    while not client.connected:
        client.poll()
    below.forget()
    return client, below


def test_a_client_does_not_know_that_there_are_frames():
    client, below = connected_client()
    got = []
    client.on("a/#", lambda msg: got.append(bytes(msg.payload)), qos=None)
    packet = fake.publish_packet(b"a/b", b"12345", 1, 7)
    for cut in range(len(packet) + 1):
        below.feed(frame(packet[:cut], 0x02) + frame(b"p", 0x89) + frame(packet[cut:] + packet, 0x80))
        while below.left():
            client.poll()
        client.poll()
        assert (0x8A, b"p") in sent(below)
    assert len(got) == 2 * len(packet) + 2 and set(got) == {b"12345"}
    client.publish("t", b"x" * 200)
    assert sent(below) == [(0x82, b"\x30\xcb\x01\x00\x01t" + b"x" * 200)]


def test_what_comes_behind_our_disconnect_raises_no_more():
    client, below = connected_client()

    class Late:
        """Says what it must not when DISCONNECT has come."""

        def __init__(self):
            self.n = 0

        def __call__(self, buf, n):
            if below._n and not self.n:
                self.n = below._n
                below.feed(b"\x81\x01a")
            return readinto(buf, n)

    readinto = below.readinto
    below.readinto = late = Late()
    assert client.disconnect(2000) is True
    assert late.n and sent(below)[0] == (0x82, b"\xe0\x00") and below.closed == 1


def test_a_refusal_reaches_the_caller_of_connect():
    below = fake.Stream()
    below.feed(b"HTTP/1.1 301 Moved\r\nLocation: wss://other/\r\n\r\n")
    client = MQTTClient(ws.WebSocket(Server(below), "h"), client_id="me")
    e = fake.error(client.connect, 500)
    assert isinstance(e, ws.WebSocketError) and e.status == 301 and below.closed


def test_a_server_that_never_answers_the_upgrade_meets_the_deadline_of_the_connect():
    client = MQTTClient(ws.WebSocket(Server(fake.Stream()), "h"), client_id="me")
    e = fake.error(client.connect, 60)
    assert isinstance(e, MQTTError) and e.name == "connect timeout"


# -- fuzz


def pieces(rng):
    """Bytes as a server with faults may send them."""
    data = b""
    for _ in range(rng.randint(1, 5)):
        head = rng.choice((0x82, 0x82, 0x82, 0x02, 0x00, 0x80, 0x89, 0x8A, 0x88))
        n = rng.choice((0, 1, 5, 100, 125)) if head & 8 else rng.choice((0, 1, 5, 126, 300))
        form = rng.choice((None, None, None, 126, 127)) if n < 126 and not head & 8 else None
        data += frame(bytes(n), head, form)
    data = bytearray(data)
    for _ in range(rng.randint(0, 2)):
        what = rng.randrange(3)
        at = rng.randrange(min(len(data), 12))
        if what == 0:
            data[at] = rng.getrandbits(8)
        elif what == 1:
            data[at] ^= 1 << rng.randrange(8)
        else:
            del_at = data[:at] + data[at + 1 :]
            data = del_at or data
    return bytes(data)


def attack(seed):
    """One link with a hostile server: it ends with a named error, or waits for more."""
    rng = random
    rng.seed(seed)
    upgrade = not rng.randrange(4)
    stream, below = begun() if upgrade else opened()
    request = below.sent()
    size = len(stream._tx), len(stream._control), len(stream._chunk), len(stream._head)
    if upgrade:
        data = bytearray(answer(request) if rng.randrange(2) else rng.choice(REFUSALS)[2][:200])
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(len(data))] = rng.choice((10, 13, 32, 58, rng.getrandbits(8)))
    else:
        data = pieces(rng)
    below.feed(bytes(data))
    below.most_in = rng.choice((1, 3, 4096))
    buf = bytearray(64)
    try:
        for _ in range(3000):
            below.tell = rng.choice((0, 1, 1 << 20))
            if rng.randrange(20) == 0:
                stream.write(b"abc", 0, 3)
            k = stream.readinto(buf, 64)
            if k == 0 or (k is None and not below.left()):
                break
        else:
            raise AssertionError("it does not end")
    except MQTTError as e:
        assert e.name.startswith("websocket: ") and "unknown" not in e.name.replace("unknown opcode", ""), e.name
    except Exception:
        print("seed", seed, "data", bytes(data))
        raise
    stream.close()
    assert size == (len(stream._tx), len(stream._control), len(stream._chunk), len(stream._head))
    assert below.closed == 1


def test_random_bytes_of_a_server_meet_a_named_error_or_none():
    before = frames.os, ws.os
    frames.os = ws.os = Pseudo if CPYTHON else frames.os
    try:
        for seed in range(ROUNDS):
            attack(seed)
    finally:
        frames.os, ws.os = before


# -- no heap


def test_sending_takes_no_heap():
    client, below = connected_client()
    payload = b"21.5" * 40

    def act():
        for tell in (3, 1, 1000):
            below.tell = tell
            client.publish(b"t", b"21.5")
            client.publish(b"t", payload)
            client.poll()
            below.tell = 1000
            client.poll()
            client.poll()
        below.forget()

    locked(act)
    assert client.counters["sent"] == 12


def test_receiving_takes_no_heap():
    client, below = connected_client()
    count = [0]

    def handler(msg):
        count[0] += 1

    client.on("a/#", handler, qos=None)
    packet = fake.publish_packet(b"a/b", b"x" * 100, 1, 7)
    data = frame(packet[:20], 0x02) + frame(packet[20:], 0x80) + frame(packet + packet) + frame(packet, form=127)

    def act():
        for most in (1, 5, 4096):
            below.most_in = most
            below.feed(data)
            while below.left():
                client.poll()
            client.poll()
            below.forget()

    locked(act)
    assert count[0] == 24


def test_pings_take_no_heap():
    client, below = connected_client()
    data = frame(pattern(125), 0x89) + frame(b"x", 0x8A) + frame(b"", 0x89)

    def act():
        for most in (1, 4096):
            for tell in (0, 5, 4096):
                below.most_in = most
                below.tell = tell
                below.feed(data)
                while below.left():
                    client.poll()
                below.tell = 4096
                client.poll()
                below.forget()

    locked(act)
    assert client.connected


def test_2000_messages_leave_the_heap_as_it_was():
    import gc

    client, below = connected_client()
    client.on("a/#", lambda msg: None, qos=None)
    packet = frame(fake.publish_packet(b"a/b", b"-42")) + frame(b"p", 0x89)

    def act(n):
        while n:
            n -= 1
            client.publish(b"attic/temperature", b"21.5")
            below.feed(packet)
            client.poll()
            client.poll()
            below.forget()

    act(10)
    gc.collect()
    before = gc.mem_alloc()
    act(2000)
    assert gc.mem_alloc() == before
    assert client.counters["received"] == client.counters["sent"] == 2010
