# URLs: the server, user and password that one names.
from collections.abc import Callable, Sequence
from typing import Any

from .net import Server, Stream

def parse(url: str) -> tuple[bytes | None, bytes | None, bool, bool, str, int, str]:
    """User, password, over TLS, over WebSocket, host, port, path. Raises ValueError."""

def servers(
    given: str | Server | Callable[[], Stream] | Sequence[str | Server | Callable[[], Stream]], tls: dict[str, Any]
) -> tuple[list[Server | Callable[[], Stream]], bytes | None, bytes | None]:
    """The list of servers for what a client was given, with user and password of the first URL; `tls`: arguments.
    Raises ValueError."""
