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

POLLIN = select.POLLIN
POLLOUT = select.POLLOUT
poll = select.poll


def parse_url(url):
    """Host and port of "mqtt://host:port" (or tcp://); ValueError names the part that is wrong."""
    scheme, _, rest = url.partition("://")
    if scheme not in ("mqtt", "tcp") or not rest:
        raise ValueError("url: mqtt://host[:port]")
    rest = rest.rstrip("/")
    if "/" in rest or "?" in rest or "@" in rest:
        raise ValueError("url: no path, query or user here")
    host, colon, port = rest.rpartition(":")
    if rest.endswith("]") or not colon:  # [::1] has colons of its own
        host, port = rest, "1883"
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("url: an IPv6 address stands in [brackets]")
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("url: port")
    if not host:
        raise ValueError("url: host")
    return host, int(port)


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
