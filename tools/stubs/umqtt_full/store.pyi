# What outlives a power cut or deep sleep.
from collections.abc import Callable

class Store:
    """A log of what is under way. Its failures go to on_error; the client goes on from RAM."""

    errors: int
    """Failures of the medium."""
    error: Exception | None
    """The last, until on_error was told."""
    writes: int
    """Records made durable one by one."""
    rewrites: int
    """New logs."""
    lost: int
    """Messages and ids of the log that there was no room for."""
    def __init__(self, bound: int) -> None: ...
    def save(self) -> None:
        """Make durable what is not yet, as before deep sleep."""

class FileStore(Store):
    """A log in the file `path`, written anew when it has grown to `bound` bytes."""

    def __init__(self, path: str, bound: int = 1024) -> None: ...

class MemoryStore(Store):
    """A log in `size` bytes that outlive deep sleep: MemoryStore(2048, rtc.memory, rtc.memory)."""

    def __init__(
        self,
        size: int,
        read: Callable[[], bytes | bytearray | memoryview],
        write: Callable[[bytearray], object],
    ) -> None:
        """`read()` gives what `write(data)` was last given."""
