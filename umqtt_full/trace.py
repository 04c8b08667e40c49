# Telling of each packet that goes out or comes in. Loaded when it is asked for.
from micropython import const

# As in writer.py
_REQUEST = const(1)
_CONTROL = const(2)


def trace(engine, function):
    """Have function(sent, first byte, length) called for each packet; None ends that."""

    def wrote(what, at):
        buf = engine._buf
        if what == _CONTROL:  # acks and the like, of two or four bytes each
            end = engine._off
            while at < end:
                function(True, buf[at], buf[at + 1])
                at += 2 + buf[at + 1]
            return
        if what == _REQUEST:
            at = 0
        else:  # `at`: the slot
            buf = engine.outbox.buf
            at *= engine.outbox.size
        function(True, buf[at], _varint(buf, at + 1))

    engine.trace = function
    engine.wrote = function and wrote


def _varint(buf, off):  # no alloc
    """The length that stands at `off` in 7-bit groups, four at the most."""
    value = shift = 0
    while True:
        value |= (buf[off] & 127) << shift
        if buf[off] < 128:
            return value
        shift += 7
        off += 1
