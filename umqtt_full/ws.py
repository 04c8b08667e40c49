# MQTT over WebSocket: a server around another server, whose streams upgrade themselves, then speak in frames.
#
# The upgrade is done inside write() and readinto(), without waiting: the link's deadline for the whole
# connect holds for it too. Section 6 of MQTT 3.1.1.
import os
from binascii import b2a_base64

from micropython import const

from .errors import MQTTError
from .frames import Frames, WebSocketError  # noqa: F401
from .net import POLLIN, POLLOUT

try:
    from hashlib import sha1
except ImportError:
    sha1 = None  # a port without it: the server's answer to the key is not checked

_CLOSED = const(0x100)

_ANSWER_MAX = const(8192)  # bytes of the answer to the upgrade

_PROTOCOL = const(1)  # what the answer must hold
_ACCEPT = const(2)
_WEB = const(4)


class WebSocket:
    """The server `inner` (TCP, or TLS for wss) when it speaks WebSocket. For one client: it has one stream.

    `host`: for the header Host, with :port where the server insists. `path`: with the query. `headers`: a
    dict of more of them. `sign(path, headers)`: called at each open, gives the path and the headers to use,
    for signatures that expire. `buffer`: bytes of payload in a frame, 125 to 65535; all else takes 1.4 KB.
    Raises ValueError for what can not stand in a request.
    """

    def __init__(self, inner, host, path="/mqtt", headers=None, sign=None, buffer=256):
        self.inner = inner
        self.verified = getattr(inner, "verified", None)
        self.host = host
        self.path = path
        self.headers = headers or {}
        self.sign = sign
        self._stream = Stream(buffer)
        self._request(path, self.headers, "")

    def _request(self, path, headers, key):
        text = "GET %s HTTP/1.1\r\nHost: %s\r\n" % (path, self.host)
        text += "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        text += "Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Key: %s\r\n" % key
        for name in headers:
            text += "%s: %s\r\n" % (name, headers[name])
        n = 7 + len(headers)
        if text.count("\n") != n or text.count("\r") != n:
            raise ValueError("websocket: a line end in a header")
        if not path.startswith("/") or " " in path:
            raise ValueError("websocket: path")
        return (text + "\r\n").encode()

    def open(self):
        """Begin to connect and return the stream. Raises OSError, and what `sign` raises."""
        path, headers = self.path, self.headers
        if self.sign:
            path, headers = self.sign(path, headers)
        key = b2a_base64(os.urandom(16)).strip()
        request = self._request(path, headers, key.decode())
        self._stream.ask(self.inner.open(), request, key)
        return self._stream

    def failed(self):
        """The link did not come up: True if there is another address to be tried."""
        return hasattr(self.inner, "failed") and self.inner.failed()

    def explain(self, e, handshaking):
        """What `inner` makes of an error, see TLS; its handshake is over when the answer begins to come."""
        if hasattr(self.inner, "explain"):
            e = self.inner.explain(e, handshaking and not self._stream.total)
        return e


class Stream(Frames):
    """A stream that begins with the upgrade."""

    def ask(self, inner, request, key):
        """Begin anew on an open stream: `request` goes out, its answer must fit `key`."""
        self.begin(inner)
        self._request = request
        self._key = key
        self._status = self._seen = 0
        self.total = 0  # bytes of the answer
        self._location = b""

    def wants(self, mask):  # no alloc
        """What to poll for, in place of `mask`."""
        if not self._ready:
            mask = POLLOUT if self._request else POLLIN
        return super().wants(mask)

    def _upgrade(self):
        """Send the request and read the answer: True when the server agreed, False when it would block."""
        while self._request:
            k = self._inner.write(self._request, self._at, len(self._request) - self._at)
            if not k:
                return False
            self._at += k
            if self._at == len(self._request):
                self._request = None
                self._at = 0
        while not self._ready:
            k = self._inner.readinto(self._chunk, 1)  # not one byte of what follows the answer
            if k is None:
                return False
            if not k:
                raise MQTTError(_CLOSED)
            self.total += 1
            if self.total > _ANSWER_MAX:
                self._fail("HTTP answer too long")
            c = self._chunk[0]
            if c == 10:
                line = bytes(self._tx[: self._end]).strip()
                self._end = 0
                self._line(line)
            elif self._end < self._size:  # the rest of a longer line is let go
                self._tx[self._end] = c
                self._end += 1
        return True

    def _line(self, line):
        """A line of the answer: the status, a header, or the end."""
        if not self._status:
            status = line[9:12]
            if not line.startswith(b"HTTP/1.") or not status.isdigit():
                self._fail("no HTTP answer")
            self._status = int(status)
            return
        if not line:
            self._agreed()
            return
        name, _, value = line.partition(b":")
        name = name.strip().lower()
        value = value.strip()
        if name == b"location":
            self._location = value
        elif name == b"upgrade" and value.lower() == b"websocket":
            self._seen |= _WEB
        elif name == b"sec-websocket-protocol" and value == b"mqtt":
            self._seen |= _PROTOCOL
        elif name == b"sec-websocket-accept" and value == accept(self._key, value):
            self._seen |= _ACCEPT

    def _agreed(self):
        """The answer is through: was it yes, to all that was asked?"""
        if self._status != 101:
            text = "HTTP %d" % self._status
            if self._location:
                text += " to %s, not followed" % "".join(chr(c) if 32 < c < 127 else "?" for c in self._location)
            self._fail(text, self._status)
        seen = self._seen
        if not seen & _WEB or not seen & _ACCEPT:
            self._fail("no answer to the upgrade")
        if not seen & _PROTOCOL:  # [MQTT-6.0.0-4]
            self._fail("the subprotocol mqtt was not accepted")
        self._ready = True


def accept(key, otherwise):
    """What Sec-WebSocket-Accept must be for a key; `otherwise` where there is no SHA-1."""
    if not sha1:
        return otherwise
    return b2a_base64(sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).strip()
