# Payloads of any size, piece by piece.
from collections.abc import Callable
from typing import Literal, Protocol, TypeVar, overload, type_check_only

from .client import Face
from .message import Message

_Handler = TypeVar("_Handler", bound=Callable[[Streams], object])

@type_check_only
class Source(Protocol):
    """What a payload is read from, such as a file. (`Source` is for annotations only.)"""

    def readinto(self, buf: bytearray | memoryview, /) -> int | None: ...
    def seek(self, offset: int, /) -> object: ...

@type_check_only
class Sink(Protocol):
    """What a payload is written to, such as a file. (`Sink` is for annotations only.)"""

    def write(self, data: memoryview, /) -> object: ...
    def close(self) -> object: ...

class Streams:
    """Streams for one `client`, sync or asyncio, with a buffer of `block` bytes for what is sent."""

    message: Message
    """For a handler: the message that comes in; its `payload` is only the beginning."""
    length: int
    """Bytes of its payload."""
    offset: int
    """Bytes taken so far: 0 tells a handler to begin, perhaps again."""
    error: Exception | None
    """What a source raised last."""
    def __init__(self, client: Face, block: int = 256) -> None: ...
    @overload
    def on(
        self, filter: str | bytes, handler: None = None, qos: Literal[0, 1, 2] = 0
    ) -> Callable[[_Handler], _Handler]:
        """Subscribe; handler(stream) is called from poll() until `remaining` is 0. Raises ValueError, MQTTFull."""
    @overload
    def on(self, filter: str | bytes, handler: _Handler, qos: Literal[0, 1, 2] = 0) -> _Handler: ...
    @property
    def topic(self) -> str:
        """The topic of the message that comes in."""
    @property
    def remaining(self) -> int:
        """Bytes of the payload that were not taken yet."""
    def readinto(self, buf: bytearray | memoryview) -> int | None:
        """Take up to len(buf) bytes: the count, 0 at the end, None when no more has come yet."""
    def skip(self) -> None:
        """Let go the rest."""
    def publish(
        self,
        topic: str | bytes,
        source: Source | Callable[[int, bytearray | memoryview], int | None],
        length: int,
        qos: Literal[0, 1, 2] = 0,
        retain: bool = False,
    ) -> int:
        """Accept `length` bytes from a file or source(offset, buf): the packet id. Raises MQTTFull, ValueError."""

def to_file(
    open_file: Callable[[], Sink], done: Callable[[Streams], object] | None = None, block: int = 256
) -> Callable[[Streams], None]:
    """A handler that puts a payload into a file; done(stream) is called when it is whole and closed."""
