# What can go wrong.
#
# One vocabulary for all versions of the protocol: the codes are the reason codes of MQTT 5, which 3.1.1
# has no bytes for, and from 0x100 on what the link itself can do to us. Wrong use raises ValueError, a
# transport's OSError stays what it is.
from .wire import once


class MQTTError(Exception):
    """The broker, or the link to it, failed.

    `code`: a reason code of MQTT 5 (0x80 to 0xFF), 0x100 closed by the broker, 0x101 connect timeout, 0x102 an
    error of WebSocket, 0x103 source failed.
    `name`: the same in words. `packet`: first byte of the packet it was found in, or 0.
    """

    def __init__(self, code, packet=0):
        super().__init__(code)
        self.code = code
        self.packet = packet

    def __getattr__(self, name):
        if name == "name":
            return once("names").name(self.code)
        raise AttributeError(name)

    def __str__(self):
        return "%s (0x%02x)%s" % (self.name, self.code, " in packet 0x%02x" % self.packet if self.packet else "")


class MQTTFull(Exception):
    """No room left in a table that was sized at the start. Nothing was accepted: try again later."""
