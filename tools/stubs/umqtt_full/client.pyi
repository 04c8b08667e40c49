# The sync client, and what the one for asyncio has in common with it.
from collections.abc import Callable, Sequence
from typing import Literal, TypeVar, overload, type_check_only

from .errors import MQTTError
from .link import Link
from .message import Message
from .net import Line, Server, Stream
from .store import Store
from .tls import Context

_Handler = TypeVar("_Handler", bound=Callable[[Message], object])

@type_check_only
class Face(Link):
    """What MQTTClient and aio.MQTTClient have in common. (`Face` is for annotations only.)"""

    on_connect: Callable[[bool], object] | None
    """on_connect(session_present): the link is up, and everything is subscribed."""
    on_disconnect: Callable[[MQTTError | OSError | None], object] | None
    """on_disconnect(reason): a link that was up has ended; None: as asked for."""
    on_offline: Callable[[MQTTError | OSError], object] | None
    """on_offline(reason): there is no link now; once for each outage."""
    on_reconnect: Callable[[int, int], object] | None
    """on_reconnect(attempt, delay_ms): the next attempt comes in `delay_ms`."""
    on_error: Callable[[Exception], object] | None
    """on_error(error): an attempt at a link failed, or the store did; the client goes on."""
    on_publish: Callable[[int], object] | None
    """on_publish(packet_id): the broker has a message of QoS 1 or 2."""
    on_message: Callable[[Message], object] | None
    """on_message(msg): what no handler of on() matched."""
    on_drop: Callable[[int], object] | None
    """on_drop(packet_id): a message was given up."""
    on_oversize: Callable[[Message], object] | None
    """on_oversize(msg): larger than `rx`; its length is right, its payload is the beginning."""
    on_subscribe: Callable[[str, int], object] | None
    """on_subscribe(filter, granted): 0 to 2, 0x80 for refused."""
    on_unsubscribe: Callable[[str], object] | None
    """on_unsubscribe(filter): the broker has confirmed it."""
    full: Literal["refuse", "drop_qos0", "drop_oldest"]
    """What publish() does when no slot is free."""
    queue_qos0: bool
    """Is QoS 0 kept without a link?"""
    session_present: bool
    """Had the broker kept the session?"""
    dropped: int
    """Messages given up; `dropped_offline` of them at QoS 0 without a link."""
    dropped_offline: int
    reconnects: int
    """Links that came up, the first one too."""
    longest_ms: int
    """The longest turn of poll(), its sleep aside."""
    def __init__(
        self,
        server: str | Server | Callable[[], Stream | Line] | Sequence[str | Server | Callable[[], Stream | Line]],
        client_id: str | bytes | None = None,
        user: str | bytes | None = None,
        password: str | bytes | None = None,
        keepalive: int = 60,
        clean: bool = True,
        rx: int = 256,
        slots: int = 4,
        slot_size: int = 256,
        filters: int = 8,
        qos2_ids: int = 32,
        level: Literal[3, 4] = 4,
        full: Literal["refuse", "drop_qos0", "drop_oldest"] = "refuse",
        queue_qos0: bool = False,
        store: Store | None = None,
        *,
        ca: str | bytes | None = None,
        cert: str | bytes | None = None,
        key: str | bytes | None = None,
        server_name: str | None = None,
        context: Context | None = None,
        insecure_no_verification: bool = False,
        psk: tuple[bytes, bytes] | None = None,
    ) -> None:
        """`keepalive`: seconds, 0 for none. `rx`, `slot_size`: bytes. `ca`, ..: see tls.TLS. Raises ValueError."""
    @property
    def verified(self) -> bool | None:
        """Is it certain who the server is? None without TLS."""
    @property
    def counters(self) -> dict[str, int]:
        """What was counted since the start, as a new dict."""
    def will(
        self,
        topic: str | bytes,
        payload: str | bytes | bytearray | memoryview,
        qos: Literal[0, 1, 2] = 0,
        retain: bool = False,
    ) -> None:
        """What the broker publishes when it loses us. Used from the next connect on. Raises ValueError."""
    def trace(self, function: Callable[[bool, int, int], object] | None) -> None:
        """Have function(sent, first_byte, length) called for each packet; None ends that."""
    def close(self) -> None:
        """Close at once, without DISCONNECT: the broker publishes the will. What is accepted is kept."""
    def room(self) -> int:
        """How many messages publish() would accept now."""
    @overload
    def on(
        self, filter: str | bytes, handler: None = None, qos: Literal[0, 1, 2] | None = 0
    ) -> Callable[[_Handler], _Handler]:
        """Subscribe, and call handler(msg) for what matches; qos=None: only call. Raises ValueError, MQTTFull."""
    @overload
    def on(self, filter: str | bytes, handler: _Handler, qos: Literal[0, 1, 2] | None = 0) -> _Handler: ...

class MQTTClient(Face):
    """An MQTT 3.1.1 client that never waits where it does not say so. All its memory is made here."""

    @property
    def connected(self) -> bool:
        """Is the link up, and all that is wanted subscribed?"""
    def start(self) -> None:
        """Connect, and again whenever the link ends: poll() does the work, and raises nothing of the link's."""
    def connect(self, timeout_ms: int = 10000) -> bool:
        """Connect once and wait for it: Session Present. Raises MQTTError, OSError."""
    def disconnect(self, timeout_ms: int = 5000) -> bool:
        """Send what is accepted, DISCONNECT and close; waits. True when the broker has everything."""
    def poll(self, timeout_ms: int = 0) -> bool:
        """Do all that goes without waiting, or sleep until something happens. True while connected."""
    def publish(
        self,
        topic: str | bytes,
        payload: str | bytes | bytearray | memoryview,
        qos: Literal[0, 1, 2] = 0,
        retain: bool = False,
    ) -> int:
        """Accept a message, connected or not: its packet id, 0 at QoS 0. Raises MQTTFull, ValueError."""
    def drain(self, timeout_ms: int) -> bool:
        """Wait until the broker has all that was accepted: True, or False after `timeout_ms`."""
    def subscribe(
        self,
        filters: str | bytes | Sequence[str | bytes | tuple[str | bytes, int]],
        qos: Literal[0, 1, 2] = 0,
    ) -> None:
        """Subscribe to a filter, a list of them, or of (filter, qos). Raises ValueError, MQTTFull."""
    def unsubscribe(self, filters: str | bytes | Sequence[str | bytes]) -> None:
        """Unsubscribe from a filter or a list of them; their handlers are forgotten."""
