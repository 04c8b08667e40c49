# URLs: the server, user and password that one names.
from typing import Any

from .net import TCP
from .ws import WebSocket

def parse(url: str) -> tuple[bytes | None, bytes | None, bool, bool, str, int, str]:
    """User, password, over TLS, over WebSocket, host, port, path. Raises ValueError."""

def server(secure: bool, web: bool, host: str, port: int, path: str, tls: dict[str, Any]) -> TCP | WebSocket:
    """The server for what parse() found, with `tls` as arguments of TLS."""
