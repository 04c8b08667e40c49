# TCP: a non-blocking stream to host and port.
#
# A server, for the link, has open(), which begins to connect and gives a stream, and failed(), told when
# nothing came of it. Only the look-up of a name waits: there is no other way on these systems. It is done at
# the first open and again after a few failures; an address is never looked up. The addresses of a name are tried
# one after another.
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


class TCP:
    """The server at `host` and `port`. `resolve(host, port)` may be set: it gives what getaddrinfo does."""

    def __init__(self, host, port):
        self.host = host
        self.port = port
        self.resolve = None
        self._infos = ()
        self._at = 0  # which of them
        self._failures = 0

    def open(self):
        """Begin to connect and return the socket. Raises OSError. Waits for the look-up of a name only."""
        if not self._infos:
            self._at = 0
            host = self.host
            if self.resolve and not (":" in host or host.replace(".", "").isdigit()):
                self._infos = self.resolve(host, self.port)
            else:
                self._infos = socket.getaddrinfo(host, self.port, 0, socket.SOCK_STREAM)
        info = self._infos[self._at]
        stream = socket.socket(info[0], info[1])
        try:
            stream.setblocking(False)
            try:
                stream.setsockopt(6, 1, 1)  # TCP_NODELAY: else each small packet waits for an ack
            except OSError:
                pass  # a port without it
            stream.connect(info[-1])
        except OSError as e:
            if e.errno != errno.EINPROGRESS and e.errno != errno.EAGAIN:
                stream.close()
                raise
        return stream

    def failed(self):
        """The link did not come up: True if there is another address to be tried.

        The third time that none was any good the name is looked up again.
        """
        self._at += 1
        if self._at < len(self._infos):
            return True
        self._at = 0
        self._failures += 1
        if self._failures % _STALE == 0:
            self._infos = ()
        return False
