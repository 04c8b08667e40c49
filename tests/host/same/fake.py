# A stream and a client for tests, without a network and without the heap.
# Rule: readinto() and write() behave as a port's sockets may: any piece, nothing yet, the end.
from umqtt_full import MQTTClient, v4
from umqtt_full.engine import Engine

CONNACK = b"\x20\x02\x00\x00"
CONNACK_PRESENT = b"\x20\x02\x01\x00"
PINGREQ = b"\xc0\x00"
PINGRESP = b"\xd0\x00"


class Stream:
    """What the broker says is given to feed(); what the client wrote is in sent()."""

    def __init__(self, size=4096):
        self._in = bytearray(size)
        self._at = self._have = 0
        self._out = bytearray(size)
        self._n = 0
        self.most_in = self.most_out = size  # bytes that one call may move; 0: it would block
        self.tell = 1 << 29  # bytes that may still be written
        self.ended = False
        self.closed = 0
        self.asked = 0  # the largest n that readinto was called with

    def feed(self, data):  # no alloc
        if self._at == self._have:
            self._at = self._have = 0
        n = self._have + len(data)
        assert n <= len(self._in)
        self._in[self._have : n] = data
        self._have = n

    def readinto(self, buf, n):  # no alloc
        self.asked = max(n, self.asked)
        k = min(n, self._have - self._at, self.most_in)
        if not k:
            return 0 if self.ended and self.most_in and self._at == self._have else None
        for i in range(k):
            buf[i] = self._in[self._at + i]
        self._at += k
        return k

    def write(self, buf, off, n):  # no alloc
        k = min(n, self.most_out, self.tell)
        if not k:
            return None
        for i in range(k):
            self._out[self._n + i] = buf[off + i]
        self._n += k
        self.tell -= k
        return k

    def left(self):  # no alloc
        """Bytes fed and not yet read."""
        return self._have - self._at

    def sent(self):
        """What was written since the last call."""
        data = bytes(self._out[: self._n])
        self._n = 0
        return data

    def forget(self):  # no alloc
        self._n = 0

    def close(self):
        self.closed += 1


class Recorder:
    """An engine whose events are kept in `events`, as tuples."""

    def __init__(self, rx=64, slots=4, slot_size=64, qos2_ids=4, keepalive=60, clean=False, level=4):
        self.events = []
        connect = v4.Connect("me", keepalive=keepalive, clean=clean, level=level)
        self.engine = Engine(self, v4, connect, rx, slots, slot_size, qos2_ids)
        self.stream = None
        self.now = 0

    def got_session(self, present):
        self.events.append(("session", present))

    def tell(self, function, what):
        function(what)

    def on_oversize(self, msg):
        self.events.append(("oversize", len(msg), msg.qos))

    def on_publish(self, packet_id):
        self.events.append(("done", packet_id))

    def got_answer(self, buf):
        self.events.append(("answer", buf[2]))

    def got_message(self, msg):
        self.events.append((msg.topic, bytes(msg.payload), msg.qos, msg.retain, msg.dup))

    def close(self):
        """The link ends."""
        self.engine.open(None, 0)

    def connect(self, connack=CONNACK, stream=None):
        """Begin a link and have it accepted; CONNECT is forgotten, what follows it is there."""
        self.stream = stream or Stream()
        self.engine.open(self.stream, self.now)
        self.poll()
        self.stream.forget()
        self.stream.feed(connack)
        self.poll()
        self.events.clear()
        return self.stream

    def poll(self, now=None):
        """Poll until nothing moves."""
        if now is not None:
            self.now = now
        while self.engine.poll(self.now):
            pass

    def say(self, data):
        """The broker says `data`; what the client answers is returned."""
        self.stream.feed(data)
        self.poll()
        return self.stream.sent()

    def publish(self, topic=b"t", payload=b"", qos=1, retain=False):
        return self.engine.publish(topic, payload, qos, retain)


def publish_packet(topic, payload, qos=0, packet_id=0, flags=0):
    """A PUBLISH as a broker sends it, of less than 128 bytes."""
    body = bytes([0, len(topic)]) + topic
    if qos:
        body += bytes([packet_id >> 8, packet_id & 255])
    body += payload
    assert len(body) < 128
    return bytes([0x30 | qos << 1 | flags, len(body)]) + body


def connected_client(**kw):
    """(client, stream): a client that CONNACK has accepted."""
    stream = Stream()
    client = MQTTClient(lambda: stream, client_id="me", **kw)
    client.start()
    client.poll()
    stream.feed(CONNACK)
    while not client.connected:
        client.poll()
    stream.forget()
    return client, stream


def error(function, *args):
    """The exception that the call raises, or None."""
    try:
        function(*args)
    except Exception as e:
        return e
    return None


def locked(function):
    """Run once, then once more with the heap locked."""
    import micropython

    function()
    micropython.heap_lock()
    try:
        function()
    finally:
        micropython.heap_unlock()
