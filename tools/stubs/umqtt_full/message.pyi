# One received PUBLISH.
from typing import Literal, TypeVar, overload

_T = TypeVar("_T")

class Message:
    """What a handler gets. Valid during its call only; len() is the payload's."""

    qos: Literal[0, 1, 2]
    retain: bool
    dup: bool
    @property
    def topic(self) -> str:
        """Takes two small objects of heap."""
    @property
    def payload(self) -> memoryview:
        """In place: bytes(..) of it may be kept. Takes one small object of heap."""
    def __len__(self) -> int: ...
    def topic_is(self, topic: str | bytes | bytearray) -> bool:
        """Is this the topic? Without heap when given bytes."""
    def payload_is(self, data: str | bytes | bytearray) -> bool:
        """Is this the payload? Without heap when given bytes."""
    @overload
    def payload_int(self, default: None = None) -> int | None:
        """The payload as a decimal integer; `default` where it is none. Without heap."""
    @overload
    def payload_int(self, default: _T) -> int | _T: ...
    def later(self) -> None:
        """Not now: the handlers are called again with this message, and nothing is read until then."""
    def copy_payload(self, buf: bytearray | memoryview) -> int:
        """Copy the payload to the start of `buf`: its length. ValueError if it does not fit. Without heap."""
