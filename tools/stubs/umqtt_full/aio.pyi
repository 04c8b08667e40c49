# The client for asyncio.
from asyncio import Task
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Literal, overload

from .client import Face
from .message import Message

class Messages:
    """The messages of a filter, for `async for`. Leaving `with`, or close(), frees it."""

    dropped: int
    """How many were let go."""
    def close(self) -> None:
        """End it: no more messages are taken. What the broker has subscribed stays so."""
    def __enter__(self) -> Messages: ...
    def __exit__(self, *error: object) -> None: ...
    def __aiter__(self) -> Messages: ...
    async def __anext__(self) -> Message: ...

class MQTTClient(Face):
    """An MQTT 3.1.1 client for asyncio: `async with MQTTClient(..) as mqtt:`. Links that end are made anew."""

    def start(self) -> Task[Any]:
        """Connect, and again whenever the link ends. Returns the task."""
    async def connected(self) -> bool:
        """Wait until the link is up, and all that is wanted subscribed: Session Present."""
    async def disconnect(self, timeout_ms: int = 5000) -> bool:
        """Send what is accepted, DISCONNECT and close. True when the broker has everything."""
    async def __aenter__(self) -> MQTTClient: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...
    async def publish(
        self,
        topic: str | bytes,
        payload: str | bytes | bytearray | memoryview,
        qos: Literal[0, 1, 2] = 0,
        retain: bool = False,
        timeout_ms: int | None = None,
    ) -> bool:
        """Publish, wait until the broker has it: False if given up. Raises ValueError, MQTTFull, TimeoutError."""
    async def drain(self, timeout_ms: int | None = None) -> bool:
        """Wait until the broker has all that was accepted: True, or False after `timeout_ms`."""
    @overload
    async def subscribe(self, filters: str | bytes, qos: Literal[0, 1, 2] = 0) -> int:  # type: ignore[overload-overlap]
        """Subscribe, and wait for the answer: what was granted, 0 to 2, 0x80 for refused; for a list a list."""
    @overload
    async def subscribe(
        self, filters: Sequence[str | bytes | tuple[str | bytes, int]], qos: Literal[0, 1, 2] = 0
    ) -> list[int]: ...
    async def unsubscribe(self, filters: str | bytes | Sequence[str | bytes]) -> None:
        """Unsubscribe from a filter or a list of them, and wait for the answer; who took its messages ends."""
    def messages(
        self,
        filter: str | bytes,
        qos: Literal[0, 1, 2] = 0,
        size: int = 4,
        full: Literal["wait", "drop_newest", "drop_oldest"] = "wait",
    ) -> Messages:
        """Subscribe, and queue up to `size` copies of what comes from now on. Raises ValueError, MQTTFull."""
