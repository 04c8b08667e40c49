# The names of what can go wrong.
class MQTTError(Exception):
    """The broker, or the link to it, failed."""

    code: int
    """A reason code of MQTT 5 (0x80 to 0xFF); 0x100 closed by the broker, 0x101 connect timeout, 0x102 WebSocket,
    0x103 source failed."""
    name: str
    """`code` in words."""
    packet: int
    """First byte of the packet it was found in, or 0."""
    def __init__(self, code: int, packet: int = 0) -> None: ...

class MQTTFull(Exception):
    """No room left in a table that was sized at the start. Nothing was accepted: try again later."""
