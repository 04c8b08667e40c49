# The names of what can go wrong.
#
# One vocabulary for all versions of the protocol: the codes are the reason codes of MQTT 5, which 3.1.1
# has no bytes for, and from 0x100 on what the link itself can do to us. Wrong use raises ValueError, a
# transport's OSError stays what it is.

_NAMES = {
    0x81: "malformed packet",
    0x82: "protocol error",
    0x83: "refused",
    0x84: "unsupported protocol version",
    0x85: "client identifier not valid",
    0x86: "bad user name or password",
    0x87: "not authorized",
    0x88: "server unavailable",
    0x8D: "keep alive timeout",
    0x8E: "session taken over",
    0x93: "receive maximum exceeded",
    0x100: "closed by the broker",
    0x101: "connect timeout",
}


class MQTTError(Exception):
    """The broker, or the link to it, failed.

    `code`: a reason code of MQTT 5 (0x80 to 0xFF), 0x100 closed by the broker, 0x101 connect timeout.
    `name`: the same in words. `packet`: first byte of the packet it was found in, or 0.
    """

    def __init__(self, code, packet=0):
        super().__init__(code)
        self.code = code
        self.name = _NAMES.get(code, "unknown")
        self.packet = packet

    def __str__(self):
        if self.packet:
            return "%s (0x%02x) in packet 0x%02x" % (self.name, self.code, self.packet)
        return "%s (0x%02x)" % (self.name, self.code)


class MQTTFull(Exception):
    """No room left in a table that was sized at the start. Nothing was accepted: try again later."""
