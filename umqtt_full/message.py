# One received PUBLISH, where it lies in the receive buffer.
#
# There is one Message for each client and it is valid during the handler's call: what is to be kept is
# copied. The accessors that end in _is, _int and copy_ take no heap; topic and payload make an object each.
from .wire import to_bytes


class Message:
    """What a handler gets: `topic`, `payload`, `qos` (0 to 2), `retain`, `dup`; len() is the payload's.

    Valid during the handler's call only.
    """

    def __init__(self, rx):
        self._rx = rx
        self._view = memoryview(rx)
        self._topic_end = 2  # the topic begins at 2, behind its length
        self._start = 0  # of the payload
        self._end = 0
        self._have = 0  # where what lies in rx ends: before _end, where the message was too large
        self._head = 0  # first byte of the packet
        self._known = b""  # a topic that needs no check: the filter without wildcards that was matched last
        self.qos = 0
        self.packet_id = 0
        self.again = False

    def __getattr__(self, name):
        """`topic`, a str: makes two small objects. `payload`, in place, a memoryview: makes one; bytes(..) of
        it may be kept. `retain`, `dup`. (A class with properties stores each attribute four times as slowly.)
        """
        if name == "retain":
            return self._head & 1 != 0
        if name == "dup":
            return self._head & 8 != 0
        if name == "topic":
            return str(self._view[2 : self._topic_end], "utf-8")
        if name == "payload":
            return self._view[self._start : min(self._end, self._have)]
        raise AttributeError(name)

    def __len__(self):  # no alloc
        return self._end - self._start

    def topic_is(self, topic):  # no alloc (given bytes)
        """Is this the topic?"""
        return self._equal(2, self._topic_end, topic)

    def payload_is(self, data):  # no alloc (given bytes)
        """Is this the payload?"""
        return self._equal(self._start, self._end, data)

    def payload_int(self, default=None):  # no alloc
        """The payload as a decimal integer such as b"-12"; `default` where it is none."""
        value = None
        sign = 1
        for i in range(self._start, self._end):
            c = self._rx[i]
            if 48 <= c <= 57:
                value = (value or 0) * 10 + (c - 48)
            elif i == self._start and (c == 43 or c == 45):
                sign = 44 - c
            else:
                return default
        return default if value is None else sign * value

    def later(self):  # no alloc
        """Not now: poll() calls the handlers again with the same message, and nothing is read until then."""
        self.again = True

    def copy_payload(self, buf):  # no alloc
        """Copy the payload to the start of `buf` and return its length; ValueError if it does not fit."""
        n = self._end - self._start
        if n > len(buf):
            raise ValueError("buffer too small")
        rx = self._rx
        start = self._start
        for i in range(n):
            buf[i] = rx[start + i]
        return n

    def _equal(self, start, end, data):  # no alloc
        data = to_bytes(data)
        return len(data) == end - start and self._rx.find(data, start, end) == start
