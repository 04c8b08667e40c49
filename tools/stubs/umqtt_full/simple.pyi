# The drop-in for umqtt.simple.
from collections.abc import Callable
from typing import Any, Literal

from .net import Stream
from .tls import Context

class MQTTException(Exception):
    """The broker refused: CONNECT with 1 to 5, or SUBSCRIBE with 128, in args[0]."""

class MQTTClient:
    """A client with the face of umqtt.simple. What needs the link waits, and raises OSError where it ended."""

    RX: int
    """Bytes of the largest packet that is received whole. May be set in a subclass, as the next two."""
    SLOTS: int
    SLOT_SIZE: int
    client_id: str | bytes
    sock: Stream | None
    server: str
    port: int
    ssl: Context | bool | None
    ssl_params: dict[str, Any]
    pid: int
    cb: Callable[[bytes, bytes], object] | None
    user: str | bytes | None
    pswd: str | bytes | None
    keepalive: int
    lw_topic: str | bytes | None
    lw_msg: str | bytes | None
    lw_qos: Literal[0, 1, 2]
    lw_retain: bool
    def __init__(
        self,
        client_id: str | bytes,
        server: str,
        port: int = 0,
        user: str | bytes | None = None,
        password: str | bytes | None = None,
        keepalive: int = 0,
        ssl: Context | bool | None = None,
        ssl_params: dict[str, Any] = {},
    ) -> None:
        """`ssl`: a context, or True with `ssl_params`, which verifies only with cert_reqs=ssl.CERT_REQUIRED."""
    def set_callback(self, f: Callable[[bytes, bytes], object]) -> None:
        """Have f(topic, msg) called for each message, both bytes."""
    def set_last_will(
        self, topic: str | bytes, msg: str | bytes, retain: bool = False, qos: Literal[0, 1, 2] = 0
    ) -> None:
        """What the broker publishes when it loses us. Used from the next connect() on."""
    def connect(self, clean_session: bool = True, timeout: float | None = None) -> int:
        """Connect: 1 where the broker had kept the session, else 0. `timeout`: seconds, for later answers too."""
    def disconnect(self) -> None:
        """DISCONNECT, and close."""
    def ping(self) -> None:
        """Ask for a sign of life: the answer ends a wait_msg()."""
    def publish(
        self,
        topic: str | bytes,
        msg: str | bytes | bytearray | memoryview,
        retain: bool = False,
        qos: Literal[0, 1, 2] = 0,
    ) -> None:
        """Publish; returns when it is written, at QoS 1 and 2 when the broker has it."""
    def subscribe(self, topic: str | bytes, qos: Literal[0, 1, 2] = 0) -> None:
        """Subscribe, and wait for the answer. Raises MQTTException(128) where it is refused."""
    def unsubscribe(self, topic: str | bytes) -> None:
        """Unsubscribe, and wait for the answer."""
    def wait_msg(self) -> int | None:
        """Wait for one message and have the callback called: the first byte of its packet, None for ping()."""
    def check_msg(self) -> int | None:
        """The same without waiting, also where only a part of a message has come: then None."""
