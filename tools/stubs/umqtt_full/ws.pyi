# MQTT over WebSocket: a server around another server.
from collections.abc import Callable

from .errors import MQTTError
from .net import Server, Stream

class WebSocketError(MQTTError):
    """The server refused the upgrade, or broke the rules of WebSocket. `name` says how."""

    status: int
    """Of the HTTP answer when it was not 101, else 0."""
    def __init__(self, name: str, status: int = 0) -> None: ...

class WebSocket:
    """The server `inner` (TCP, or TLS for wss) when it speaks WebSocket. For one client."""

    inner: Server
    verified: bool | None
    """As that of `inner`; None without TLS."""
    host: str
    path: str
    headers: dict[str, str]
    sign: Callable[[str, dict[str, str]], tuple[str, dict[str, str]]] | None
    def __init__(
        self,
        inner: Server,
        host: str,
        path: str = "/mqtt",
        headers: dict[str, str] | None = None,
        sign: Callable[[str, dict[str, str]], tuple[str, dict[str, str]]] | None = None,
        buffer: int = 256,
    ) -> None:
        """`sign(path, headers)` gives both anew at each open. `buffer`: 125 to 65535 bytes. Raises ValueError."""
    def open(self) -> Stream:
        """Begin to connect and return the stream. Raises OSError, and what `sign` raises."""
    def failed(self) -> bool:
        """The link did not come up."""
    def explain(self, e: Exception, handshaking: object) -> Exception:
        """What `inner` makes of an error."""
