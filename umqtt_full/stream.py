# Payloads of any size through a few bytes of memory, both ways, with back-pressure all the way.
#
# In: the handler takes the payload piece by piece, straight from the link; what it does not take is not read,
# and the message is acknowledged only when it has taken all. Out: the head of the PUBLISH lies in a slot, its
# payload is asked from a source as the link takes it. A cut in the middle begins the message again.
from micropython import const

from .errors import MQTTError, MQTTFull
from .sink import Taker
from .wire import once, to_bytes

_NONE = const(255)
_BUDGET = const(4096)  # bytes taken in one turn: a large payload must not keep the caller
_SOURCE_FAILED = const(0x103)


class Streams(Taker):
    """Streams for one `client`, with a buffer of `block` bytes for what is sent."""

    def __init__(self, client, block=256):
        self._client = client
        self._engine = client._engine
        self._engine.sink = self
        self._engine.source = self
        self._subs = []
        self._sub = None  # whose message comes in
        self._error = None
        self.message = None  # its topic, qos, retain and dup
        self.length = 0  # of its payload
        self.offset = 0  # bytes taken so far: 0 tells a handler to begin, perhaps again
        self._skipping = False
        self.buf = bytearray(block)
        self._source = None
        self._size = 0
        self._sent = 0
        self.error = None  # what a source raised last

    # -- in

    def on(self, filter, handler=None, qos=0):  # noqa: A002  (the specification's word)
        """Subscribe, and give what matches `filter` to `handler(stream)`, whatever its size.

        The handler takes what it likes with readinto() or skip() and returns. It is called again from poll()
        until `remaining` is 0: at once when more has come, where it left some that was there after 20 ms.
        Without a handler: a decorator.
        """
        if handler is None:
            return lambda function: self.on(filter, function, qos)
        filters = once("filters")
        sub = filters.subscription(filter)
        sub.handler = handler
        filters.add(self._client._router, filter, qos, None)
        self._subs.append(sub)
        return handler

    @property
    def topic(self):
        """The topic of the message that comes in."""
        return self.message.topic

    @property
    def remaining(self):
        """Bytes of the payload that were not taken yet."""
        return self.length - self.offset

    def readinto(self, buf):
        """Take up to len(buf) bytes of the payload: the count, 0 at its end, None when no more has come yet."""
        if self._error or not self.remaining:
            return None if self._error else 0
        if self._budget <= 0:
            return None
        engine = self._engine
        ready = self.remaining - engine.left  # in rx
        n = min(len(buf), ready)
        if n:
            at = self.message._have - ready
            buf[:n] = self.message._view[at : at + n]
        else:
            try:
                n = engine.stream.readinto(buf, min(len(buf), engine.left))
                if n is None:
                    self._waiting = True
                    return None
                engine.took(n, self._now)
            except (MQTTError, OSError) as e:
                self._error = e  # the handler need not know: the link ends, and it will be called anew
                return None
            engine.left -= n
        self.offset += n
        self._budget -= n
        return n

    def skip(self):
        """Let go the rest."""
        self._skipping = True

    def begin(self, msg):
        """A message comes: True if it is for one of our handlers."""
        for sub in self._subs:
            if sub.matches(msg):
                self._sub = sub
                self.message = msg
                self.length = len(msg)
                self.offset = 0
                self._skipping = False
                self._error = None
                return True
        return False

    def step(self, now):
        """Have the handler take what it likes: True when the rest, if any, may be let go, None when there is
        more than one turn of poll() may take.
        """
        self._now = now
        self._waiting = False
        self._budget = _BUDGET
        if not self._skipping:
            at = self.offset
            try:
                self._sub.handler(self)
            except Exception as e:
                self._client._failed(e)
                self._skipping = True
            if self._skipping or self.offset != at or not self.remaining:
                self._client._event = True  # where it took nothing poll(timeout_ms) goes on sleeping
        if self._error:
            raise self._error
        if self._skipping or not self.remaining:
            return True
        if self._budget <= 0:
            return None
        self._engine.held = not self._waiting
        return False

    # -- out

    def publish(self, topic, source, length, qos=0, retain=False):
        """Accept a message of `length` bytes from `source`; return its packet id.

        `source`: an object with readinto(buf) and seek(0), such as a file, or a function source(offset, buf)
        that fills the buffer and returns the count. It is asked while the message is written, from 0 again
        where a link was cut. One that ends early or raises ends the link, and its message is given up: there
        is no other way to end a PUBLISH. Raises MQTTFull while another stream is under way, and what
        publish() of the client does. It is not kept by a store.
        """
        engine = self._engine
        box = engine.outbox
        if box.streamed != _NONE:
            raise MQTTFull("stream: another one is under way")
        self._source = source
        self._size = length
        packet_id = engine.publish(to_bytes(topic), None, qos, retain, length)
        self._client._flush()
        return packet_id

    def rewind(self):
        """The message is written from its beginning."""
        self._sent = 0

    def fill(self):
        """Fill `buf` with what comes next; return the count, 0 at the end."""
        left = self._size - self._sent
        if not left:
            return 0
        buf = self.buf if left >= len(self.buf) else memoryview(self.buf)[:left]
        n = 0
        try:
            source = self._source
            if callable(source):
                n = source(self._sent, buf)
            else:
                if not self._sent:
                    source.seek(0)
                n = source.readinto(buf)
            self.error = None
        except Exception as e:
            self.error = e
        if not self._engine.stream:
            return 0  # the source closed the link: its message waits for the next
        if not n or not 0 < n <= len(buf):
            self._client._drop_message(self._engine.outbox.streamed)
            raise MQTTError(_SOURCE_FAILED)
        self._sent += n
        return n


def to_file(open_file, done=None, block=256):
    """A handler that puts a payload into a file: `open_file()` opens it anew, `done(stream)` is called when it
    is whole and closed.
    """
    buf = bytearray(block)
    view = memoryview(buf)
    file = None

    def handler(stream):
        nonlocal file
        if not stream.offset:
            if file:
                file.close()
            file = open_file()
        n = stream.readinto(buf)
        while n:
            file.write(view[:n])
            n = stream.readinto(buf)
        if not stream.remaining:
            file.close()
            file = None
            if done:
                done(stream)

    return handler
