# TLS: the server of net whose stream is encrypted.
from collections.abc import Callable
from typing import Any, Protocol, type_check_only

from .net import TCP

@type_check_only
class Context(Protocol):
    """An SSLContext, MicroPython's or CPython's. (`Context` is for annotations only.)"""

    @property
    def wrap_socket(self) -> Callable[..., Any]: ...

class TLS(TCP):
    """The server at `host` and `port`, by TLS."""

    verified: bool
    """Is it certain who the broker is?"""
    def __init__(
        self,
        host: str,
        port: int = 8883,
        ca: str | bytes | None = None,
        cert: str | bytes | None = None,
        key: str | bytes | None = None,
        server_name: str | None = None,
        context: Context | None = None,
        insecure_no_verification: bool = False,
        psk: tuple[bytes, bytes] | None = None,
    ) -> None:
        """`ca`, `cert`, `key`: bytes or a file's name, DER or PEM. `psk`: identity, key. ValueError, OSError."""
    def explain(self, e: Exception, handshaking: object) -> Exception:
        """What the stream raised: a TLSError where it is TLS's, else the error itself."""
