# TCP, and what the client asks of a stream and of a server.
from collections.abc import Callable, Sequence
from typing import Any, Protocol, type_check_only

POLLIN: int
POLLOUT: int

@type_check_only
class Stream(Protocol):
    """A stream that does not wait, as MicroPython has it. (`Stream` is for annotations only.)"""

    def readinto(self, buf: bytearray, n: int, /) -> int | None:
        """Read up to `n` bytes: the count, 0 at the end, None when it would block."""
    def write(self, buf: bytearray | bytes, off: int, n: int, /) -> int | None:
        """Write up to `n` bytes of `buf` from `off`: the count, or None when it would block."""
    def close(self) -> object: ...

@type_check_only
class Line(Protocol):
    """A machine.UART, whose stubs do not tell of write(buf, off, n). (`Line` is for annotations only.)"""

    def any(self) -> int: ...
    def readinto(self, buf: bytearray, n: int, /) -> int | None: ...
    def write(self, buf: bytearray | bytes, /) -> int | None: ...

@type_check_only
class Server(Protocol):
    """Where to connect. (`Server` is for annotations only.)"""

    def open(self) -> Stream:
        """Begin to connect and return the stream. Raises OSError."""
    def failed(self) -> object:
        """The link did not come up: true if there is another address, to be tried at once."""

class TCP:
    """The server at `host` and `port`."""

    host: str
    port: int
    resolve: Callable[[str, int], Sequence[tuple[Any, ...]]] | None
    """Gives what socket.getaddrinfo does; never asked for an address."""
    def __init__(self, host: str, port: int) -> None: ...
    def open(self) -> Stream:
        """Begin to connect and return the stream. Raises OSError. Waits for the look-up of a name only."""
    def failed(self) -> bool:
        """The link did not come up: True if there is another address to be tried.

        The third time that none was any good the name is looked up again."""
