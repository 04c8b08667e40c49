# TCP: a non-blocking stream to host and port.
#
# A server, for the link, has open(), which begins to connect and gives a stream, and failed(), told when
# nothing came of it. Only the look-up of a name waits: there is no other way on these systems. It is done at
# the first open and again after a few failures; an address is never looked up.
import errno
import select
import socket

from micropython import const

if not hasattr(socket.socket, "readinto"):
    from ._cpython import select, socket

_STALE = const(3)
_PORTS = {"mqtt": 1883, "tcp": 1883, "mqtts": 8883, "tls": 8883, "ws": 80, "wss": 443}

POLLIN = select.POLLIN
POLLOUT = select.POLLOUT
poll = select.poll


def parse_url(url):
    """User, password, whether it is over TLS, over WebSocket, host, port and path of a URL.

    "mqtt://user:password@host:port". The schemes: mqtt and tcp (port 1883), mqtts and tls (8883), ws (80) and
    wss (443); only the last two have a path, with its query. User and password may be percent-encoded, and
    are bytes; None where they are not given. ValueError names the part that is wrong.
    """
    scheme, _, rest = url.partition("://")
    if scheme not in _PORTS:
        raise ValueError("url: scheme")
    rest, slash, path = rest.partition("/")
    web = scheme in ("ws", "wss")
    if path and not web:
        raise ValueError("url: path")
    login, at, host = rest.rpartition("@")
    user, colon, password = login.partition(":")
    port = ""
    if not host.endswith("]"):  # [::1] has colons of its own
        address, is_port, digits = host.rpartition(":")
        if is_port:
            host = address
            port = digits
            if not port.isdigit() or not 0 < int(port) < 65536:
                raise ValueError("url: port")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("url: an IPv6 address stands in [brackets]")
    if not host or "?" in host:
        raise ValueError("url: host")
    user = _unquote(user) if at else None
    password = _unquote(password) if colon else None
    return user, password, scheme in ("mqtts", "tls", "wss"), web, host, int(port or _PORTS[scheme]), slash + path


def _unquote(text):
    """The bytes of `text`, with %XX for any of them."""
    data, *parts = text.encode().split(b"%")
    for part in parts:
        try:
            data += bytes([int(part[0:1], 16) << 4 | int(part[1:2], 16)]) + part[2:]
        except ValueError:
            raise ValueError("url: user or password")
    return data


class TCP:
    """The server at `host` and `port`. `resolve(host, port)` may be set: it gives what getaddrinfo does."""

    def __init__(self, host, port):
        self.host = host
        self.port = port
        self.resolve = None
        self._info = None
        self._failures = 0

    def open(self):
        """Begin to connect and return the socket. Raises OSError. Waits for the look-up of a name only."""
        if not self._info:
            host = self.host
            if self.resolve and not (":" in host or host.replace(".", "").isdigit()):
                self._info = self.resolve(host, self.port)[0]
            else:
                self._info = socket.getaddrinfo(host, self.port, 0, socket.SOCK_STREAM)[0]
        info = self._info
        stream = socket.socket(info[0], info[1])
        try:
            stream.setblocking(False)
            try:
                stream.setsockopt(6, 1, 1)  # TCP_NODELAY: else each small packet waits for an ack
            except OSError:
                pass  # a port without it
            stream.connect(info[-1])
        except OSError as e:
            if e.errno != errno.EINPROGRESS and e.errno != getattr(errno, "EWOULDBLOCK", errno.EAGAIN):
                stream.close()
                raise
        return stream

    def failed(self):
        """The link did not come up: the third time in a row the name is looked up again."""
        self._failures += 1
        if self._failures % _STALE == 0:
            self._info = None
