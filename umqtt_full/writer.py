# What goes out, and in which order: a request, acks, then the outbox; each packet whole before the next.
#
# A write that would block goes on later from the same bytes at the same length, as TLS demands. Acks and
# PINGREQ have room of their own, so a full outbox never holds them back, and those that are due together
# go out in one write.
from micropython import const

from .inflight import Outbox

_ACKS = const(64)  # bytes of acks that may wait to be written

# What is being written
_NOTHING = const(0)
_REQUEST = const(1)  # CONNECT, SUBSCRIBE or UNSUBSCRIBE, from rx
_CONTROL = const(2)  # acks, PINGREQ, DISCONNECT
_SLOT = const(3)  # of the outbox

_WENT_OUT = const(2)  # `ending`

# In `counts`
_BYTES_OUT = const(1)
_SENT = const(2)


class Writer:
    """The half of an engine that writes: what is in `rx`, what is asked for, and what `outbox` holds."""

    def __init__(self, rx, slots, slot_size):
        self.rx = rx
        self.outbox = Outbox(slots, slot_size)
        self._control = bytearray(_ACKS + 4)  # PINGREQ and DISCONNECT always have room
        self.source = None  # of the payload of the slot `streamed`, see stream.py
        self.counts = [0] * 8  # see counters.py

    def _begin(self, stream, now):
        """A link begins."""
        self.stream = stream
        self.busy = _NOTHING  # is a packet being written?
        self._buf = None
        self._off = self._left = self._from = 0
        self.control_n = 0  # bytes of acks and the like that wait, or are being written
        self.request_n = 0  # set it: a packet of so many bytes lies in rx, which is the writer's until it is 0
        self.ping_n = 0  # not 0: PINGREQ waits, up to here
        self.connected = False  # may the outbox be written? From CONNACK on
        self.ending = 0  # 1: DISCONNECT was put, nothing may follow it; 2: it went out
        self._out_ms = now  # the last packet was written
        self._moved_ms = now  # the last byte was
        self._ping_ms = now  # the last PINGREQ was

    def blocks(self):  # no alloc
        """Must reading wait: for room for another ack, for rx, or for ever after DISCONNECT?"""
        return self.control_n > _ACKS - 4 or self.request_n or self.ending

    def ack(self, head, packet_id):  # no alloc
        """PUBACK, PUBREC, PUBREL or PUBCOMP; there is room where `blocks` was false."""
        n = self.put(head, 2)
        self._control[n] = packet_id >> 8
        self._control[n + 1] = packet_id & 255
        self.control_n = n + 2

    def put(self, head, n=0):  # no alloc
        """PINGREQ (0xC0) or DISCONNECT (0xE0), behind what waits: return where it ends."""
        at = self.control_n
        self._control[at] = head
        self._control[at + 1] = n
        self.control_n = at + 2
        return at + 2

    def flush(self, now):  # no alloc
        """Write until there is nothing left or the stream would block. Raises the stream's OSError."""
        while self._left or not self.busy and self._choose(now):
            n = self.stream.write(self._buf, self._off, self._left)
            if not n:
                return
            self._moved_ms = now
            self.counts[_BYTES_OUT] = self.counts[_BYTES_OUT] + n & 0x3FFFFFFF
            self._off += n
            self._left -= n
            if not self._left:
                self._written(now)

    def _choose(self, now):  # no alloc
        """Begin the next packet, or the acks that have gathered; False where there is nothing."""
        box = self.outbox
        live = self.connected and not self.ending
        while live and box.unreleased and not self.blocks():
            n = box.released[len(box.released) - box.unreleased]
            self.ack(0x62, box.ids[n])
            box.unreleased -= 1
        off = 0
        if self.request_n:
            self.busy = _REQUEST
            self._buf = self.rx
            n = self.request_n
        elif self.control_n:
            self.busy = _CONTROL
            self._buf = self._control
            off = self._from
            n = self.control_n - off
        elif live and box.queued:
            n = box.queued[0]
            if box.ids[n] and len(box.sent) + len(box.released) >= box.window:
                return False
            self.busy = _SLOT
            self._buf = box.buf
            off = n * box.size
            if n == box.streamed:
                self.source.rewind()
            n = box.lengths[n]
        else:
            return False
        self._off = off
        self._left = n
        self._moved_ms = now
        return True

    def _written(self, now):  # no alloc
        what = self.busy
        box = self.outbox
        if what == _SLOT:
            if box.queued[0] == box.streamed:
                self._left = self.source.fill()
                if not self.busy:
                    return  # the source closed the link
                if self._left:
                    self._buf = self.source.buf
                    self._off = 0
                    return
            self.counts[_SENT] += 1
            box.written()
        elif what == _REQUEST:
            self.request_n = 0
        else:
            end = self._from = self._off
            if self.ping_n and end >= self.ping_n:
                self.ping_n = 0
                self._ping_ms = now
            if end == self.control_n:  # nothing was added meanwhile
                self._from = self.control_n = 0
                if self.ending:
                    self.ending = _WENT_OUT
        self.busy = _NOTHING
        self._out_ms = now
