# Telling of each packet that goes out or comes in. Loaded when it is asked for.
#
# It stands in front of the engine's own functions, so that an engine that is not traced pays nothing.
from micropython import const

# As in writer.py
_REQUEST = const(1)
_CONTROL = const(2)


def trace(engine, function):
    """Have function(sent, first byte, length) called for each packet; None ends that."""
    own = type(engine)

    def packet(head):
        function(False, head, engine.length)
        own._packet(engine, head)

    def publish(head):
        if not engine.message.again:  # else it was told of when it came
            function(False, head, engine.length)
        own._publish(engine, head)

    def written(now):
        what = engine.busy
        at = engine._from if what == _CONTROL or what == _REQUEST else engine.outbox.queued[0]
        own._written(engine, now)
        if not engine.busy and engine.stream:  # else a stream goes on, or closed the link
            _tell(function, engine, what, at)

    if function:
        engine._packet = packet
        engine._publish = publish
        engine._written = written
        return
    try:
        del engine._packet, engine._publish, engine._written
    except AttributeError:
        pass  # it was not traced


def _tell(function, engine, what, at):
    """What was written: acks and the like, a request, or the PUBLISH of the slot `at`."""
    buf = engine._buf
    if what == _CONTROL:  # of two or four bytes each
        end = engine._off
        while at < end:
            function(True, buf[at], buf[at + 1])
            at += 2 + buf[at + 1]
        return
    if what == _REQUEST:
        at = 0
    else:
        buf = engine.outbox.buf
        at *= engine.outbox.size
    function(True, buf[at], _varint(buf, at + 1))


def _varint(buf, off):  # no alloc
    """The length that stands at `off` in 7-bit groups, four at the most."""
    value = shift = 0
    while True:
        value |= (buf[off] & 127) << shift
        if buf[off] < 128:
            return value
        shift += 7
        off += 1
