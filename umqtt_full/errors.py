# The names of what can go wrong.
#
# One vocabulary for all versions of the protocol: the codes are the reason codes of MQTT 5, which 3.1.1
# has no bytes for, and from 0x100 on what the link itself can do to us. Wrong use raises ValueError, a
# transport's OSError stays what it is.

# One string takes a third of a dict's memory.
_NAMES = (
    ",80=refused,81=malformed packet,82=protocol error,84=unsupported protocol version"
    ",85=client identifier not valid,86=bad user name or password,87=not authorized,88=server unavailable"
    ",8d=keep alive timeout,8e=session taken over,93=receive maximum exceeded,100=closed by the broker"
    ",101=connect timeout,103=source failed,"
)


class MQTTError(Exception):
    """The broker, or the link to it, failed.

    `code`: a reason code of MQTT 5 (0x80 to 0xFF), 0x100 closed by the broker, 0x101 connect timeout, 0x102 an
    error of WebSocket, 0x103 source failed.
    `name`: the same in words. `packet`: first byte of the packet it was found in, or 0.
    """

    def __init__(self, code, packet=0):
        super().__init__(code)
        self.code = code
        at = _NAMES.find(",%02x=" % code)
        self.name = _NAMES[_NAMES.find("=", at) + 1 : _NAMES.find(",", at + 1)] if at >= 0 else "unknown"
        self.packet = packet

    def __str__(self):
        if self.packet:
            return "%s (0x%02x) in packet 0x%02x" % (self.name, self.code, self.packet)
        return "%s (0x%02x)" % (self.name, self.code)


class MQTTFull(Exception):
    """No room left in a table that was sized at the start. Nothing was accepted: try again later."""
