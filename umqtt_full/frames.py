# The frames of WebSocket, RFC 6455: a stream of bytes over a stream of frames, for a client.
#
# Nothing waits and nothing takes heap: what is written is masked into one fixed buffer, what is read goes
# straight to the reader's, and of what lies below never more is read than the header of a frame.
import os

from micropython import const

from .errors import MQTTError
from .net import POLLOUT

_WEBSOCKET = const(0x102)

_CONTROL_MAX = const(125)  # payload of a control frame
_CHUNK = const(16)
_STEPS = const(64)  # in one readinto() without a byte for the reader: a flood must not keep the caller

_BINARY = const(0x82)
_CLOSE = const(0x88)
_PONG = const(0x8A)


def _xor(dst, at, src, off, n, mask):  # no alloc
    for i in range(n):
        dst[at + i] = src[off + i] ^ mask[i & 3]


# Thirty times as fast where the port can compile for its own processor. Text, because mpy-cross refuses the
# decorator for a file that any board may load, and a port without it the whole file.
try:
    exec(
        "@micropython.viper\n"
        "def _xor(dst:ptr8,at:int,src:ptr8,off:int,n:int,mask:ptr8):\n"
        " i=0\n"
        " while i<n:\n"
        "  dst[at+i]=src[off+i]^mask[i&3]\n"
        "  i+=1\n",
        {"micropython": __import__("micropython")},
        globals(),
    )
except (SyntaxError, ValueError, AttributeError, NameError):
    pass


class WebSocketError(MQTTError):
    """The server refused the upgrade, or broke the rules of WebSocket.

    `code`: 0x102. `name`: what was wrong, in words. `status`: of the HTTP answer when it was not 101, else 0.
    """

    def __init__(self, name, status=0):
        super().__init__(_WEBSOCKET)
        self.name = name
        self.status = status


class Frames:
    """What is written goes out in binary frames of up to `size` bytes; what is read is the payload of those
    that come. A subclass has _upgrade(), called until it is True, and wants() meanwhile.
    """

    def __init__(self, size):
        if not _CONTROL_MAX <= size < 65536:
            raise ValueError("websocket: buffer: 125 to 65535 bytes")
        self._size = size
        self._tx = bytearray(size + 8)  # the frame that goes out
        self._chunk = bytearray(_CHUNK)
        self._head = bytearray(10)  # of the frame that comes
        self._control = bytearray(_CONTROL_MAX)  # payload of a ping or close: to come, or to be answered
        self._mask = bytearray(4)
        self._cipher = bytearray(256)

    def begin(self, inner):
        """Begin anew on an open stream."""
        self._inner = inner
        self.pollable = getattr(inner, "pollable", inner)
        self._inner_asks = hasattr(inner, "wants")
        self._ready = False  # may frames go?
        self._at = self._end = 0  # of tx: what is still to go out
        self._due = 0  # first byte of the control frame that goes out next
        self._due_n = 0
        self._have = 0  # bytes in head, or in control
        self._want = 2  # bytes of head
        self._left = 0  # payload still to come
        self._op = 0  # of a control frame whose payload comes, else 0
        self._more = False  # amid a fragmented message
        self._over = False  # a close frame came, or will go out
        # Masks come from the cipher RC4, because os.urandom() takes heap at each call.
        key = os.urandom(256)
        s = self._cipher
        for i in range(256):
            s[i] = i
        j = 0
        for i in range(256):
            j = j + s[i] + key[i] & 255
            s[i], s[j] = s[j], s[i]
        self._i = self._j = 0

    # -- the face of a stream

    def write(self, buf, off, n):  # no alloc
        """Take up to `n` bytes of `buf` from `off` into a frame: the count, or None when it would block.

        Raises MQTTError, OSError.
        """
        if not (self._ready or self._upgrade()) or not self._flush():
            return None
        n = min(n, self._size)
        self._frame(_BINARY, buf, off, n)
        self._flush()
        return n

    def readinto(self, buf, n):  # no alloc
        """Read up to `n` bytes: the count, 0 at the end, None when it would block. Raises as write() does."""
        if not (self._ready or self._upgrade()):
            return None
        self._flush()
        for _ in range(_STEPS):
            if self._left and not self._op:
                k = self._inner.readinto(buf, min(n, self._left))
                if k:
                    self._left -= k
                return k
            k = self._answer() if self._op else self._header()
            if not k:
                return k
        return None

    def wants(self, mask):  # no alloc
        """What to poll for, in place of `mask`."""
        if self._at < self._end:
            mask |= POLLOUT
        return self._inner.wants(mask) if self._inner_asks else mask

    def close(self):
        """Say so, if that goes without waiting, and close what lies below."""
        try:
            if self._ready:
                if not self._over:
                    self._farewell(0xE8)
                self._flush()
        except (MQTTError, OSError):
            pass
        self._inner.close()

    # -- writing

    def _flush(self):  # no alloc
        """Write the frame that is begun, and the control frame that is due: True when both are out."""
        while True:
            while self._at < self._end:
                k = self._inner.write(self._tx, self._at, self._end - self._at)
                if not k:
                    return False
                self._at += k
            head = self._due
            if not head:
                return True
            self._due = 0
            self._frame(head, self._control, 0, self._due_n)

    def _frame(self, head, buf, off, n):  # no alloc
        """Put a frame into tx, masked. [5.3]"""
        tx = self._tx
        tx[0] = head
        at = 2
        if n > _CONTROL_MAX:
            tx[1] = 0xFE
            tx[2] = n >> 8
            tx[3] = n & 255
            at = 4
        else:
            tx[1] = 0x80 | n
        mask = self._mask
        s = self._cipher
        i = self._i
        j = self._j
        for k in range(4):
            i = i + 1 & 255
            a = s[i]
            j = j + a & 255
            b = s[i] = s[j]
            s[j] = a
            tx[at + k] = mask[k] = s[a + b & 255]
        self._i = i
        self._j = j
        _xor(tx, at + 4, buf, off, n, mask)
        self._at = 0
        self._end = at + 4 + n

    def _farewell(self, low):
        """A close frame of status 0x300 + `low` is due."""
        self._over = True
        self._control[0] = 3
        self._control[1] = low
        self._due_n = 2
        self._due = _CLOSE

    def _fail(self, name, status=0):
        """The server broke a rule: close() will tell it."""
        self._farewell(0xEA)
        raise WebSocketError("websocket: " + name, status)

    # -- reading

    def _collect(self, buf, want):  # no alloc
        """Read until `want` bytes lie in `buf` (None: let them go): 1, or 0 and None as readinto()."""
        while self._have < want:
            k = self._inner.readinto(self._chunk, min(want - self._have, _CHUNK))
            if not k:
                return k
            if buf:
                for i in range(k):
                    buf[self._have + i] = self._chunk[i]
            self._have += k
        return 1

    def _header(self):  # no alloc
        """Read the header of a frame, and what it says of its length."""
        head = self._head
        k = self._collect(head, self._want)
        if not k:
            return k
        n = head[1]
        if self._want == 2:
            first = head[0]
            op = first & 15
            wrong = None
            if first & 0x70:
                wrong = "reserved bits"
            elif n > 127:
                wrong = "masked frame"
            elif op > 10 or 2 < op < 8:
                wrong = "unknown opcode"
            elif op & 8:
                if first < 128 or n > _CONTROL_MAX:
                    wrong = "control frame fragmented or too long"
            elif op == 1:
                wrong = "text frame"  # [MQTT-6.0.0-1]
            elif (op == 0) != self._more:
                wrong = "fragments out of order"
            if wrong:
                self._fail(wrong)
            if n > _CONTROL_MAX:
                self._want = 4 if n == 126 else 10
                return 1
        elif self._want == 4:
            n = head[2] << 8 | head[3]
        else:
            if head[2] or head[3] or head[4] or head[5] or head[6] > 63:
                self._fail("frame too large")
            n = head[6] << 24 | head[7] << 16 | head[8] << 8 | head[9]
        self._have = 0
        self._want = 2
        self._left = n
        if head[0] & 8:
            self._op = head[0] & 15
        else:
            self._more = head[0] < 128
        return 1

    def _answer(self):  # no alloc
        """Read the payload of a control frame and answer it: 1, 0 at a close, None when it would block."""
        pong = self._op & 2
        if not pong:
            self._due = 0  # only the last ping has to be answered [5.5.3]
        k = self._collect(None if pong else self._control, self._left)
        if not k:
            return k
        n = self._left
        close = self._op == 8
        self._have = self._left = self._op = 0
        if pong:
            return 1
        if close:
            if n == 1:
                self._fail("close frame of one byte")
            self._over = True
        self._due_n = min(n, 2) if close else n
        self._due = _CLOSE if close else _PONG
        self._flush()
        return 0 if close else 1
