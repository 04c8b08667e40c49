# Telling of each packet that goes out or comes in. Loaded when it is asked for.
#
# It stands in front of the engine's own functions, so that an engine that is not traced pays nothing.
from micropython import const

# As in writer.py
_CONTROL = const(2)
_SLOT = const(3)


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
        buf = engine._buf
        at = 0
        if what == _SLOT:  # of a stream's message only its beginning lies in one
            box = engine.outbox
            buf = box.buf
            at = box.queued[0] * box.size
        elif what == _CONTROL:
            at = engine._from
        own._written(engine, now)
        if not engine.busy and engine.stream:  # else a stream goes on, or closed the link
            _tell(function, buf, at, engine._off if what == _CONTROL else at + 1)

    if function:
        engine._packet = packet
        engine._publish = publish
        engine._written = written
        return
    engine._packet = engine._publish = engine._written = None  # MicroPython's del leaves what is there in place
    del engine._packet, engine._publish, engine._written


def _tell(function, buf, at, end):
    """What was written: the packets that begin before `end`."""
    while at < end:
        head = buf[at]
        n = shift = 0
        at += 1
        while buf[at] > 127:
            n |= (buf[at] & 127) << shift
            shift += 7
            at += 1
        n |= buf[at] << shift
        at += 1 + n
        function(True, head, n)
