# The packets of MQTT 3.1.1 (and 3.1): how each is written, and what of each may be believed.
#
# Encoders write at an offset of a buffer that is large enough and return a length; decoders read a whole
# packet's body that lies at 0. A version of the protocol is a module with these names: the engine calls
# whichever it was given.
from micropython import const

from .errors import MQTTError
from .wire import once, put_field, put_u16, put_varint, topic_ok

_MALFORMED = const(0x81)
_PROTOCOL_ERROR = const(0x82)

# The reserved flags of each type of packet, 255 where a server may not send it. [MQTT-2.2.2-2]
_FLAGS = b"\xff\xff\x00\xff\x00\x00\x02\x00\xff\x00\xff\x00\xff\x00\xff\xff"

# CONNACK return codes 1 to 5 as reason codes
_REFUSALS = b"\x84\x85\x88\x86\x87"


class Connect:
    """The fields of CONNECT. Bad ones raise ValueError. Strings may be str or bytes.

    `room`: bytes that it may take.
    """

    def __init__(self, client_id, user=None, password=None, keepalive=60, clean=True, level=4, room=1 << 20):
        self.keepalive = keepalive
        self.clean = clean
        self.level = level
        self.room = room
        self.held = False  # 3.1: was there a session? A store knows of an earlier one
        # client id, topic and payload of the will, user, password: in the order of the payload [MQTT-3.1.3-1]
        self.fields = None
        self.flags = 0
        once("fields").fill(self, client_id, user, password)

    def size(self):
        """Bytes of the packet behind its fixed header, which takes up to five more. Raises ValueError."""
        n = 12 if self.level == 3 else 10
        for field in self.fields:
            if field is not None:
                n += 2 + len(field)
                if len(field) > 65535:
                    raise ValueError("CONNECT: a field of more than 65535 bytes")
        return n

    def encode(self, buf):
        """Write CONNECT at the start of `buf` and return its length."""
        buf[0] = 0x10
        off = put_field(buf, put_varint(buf, 1, self.size()), b"MQIsdp" if self.level == 3 else b"MQTT")
        buf[off] = self.level
        buf[off + 1] = self.flags
        off = put_u16(buf, off + 2, self.keepalive)
        for field in self.fields:
            if field is not None:
                off = put_field(buf, off, field)
        return off

    def connack(self, buf):
        """Take CONNACK's body: return Session Present, or raise MQTTError with what refused us."""
        code = buf[1]
        present = buf[0]
        if self.level == 3:  # it does not say: a kept session is taken to be there the second time
            present = 1 if self.held else 0
            self.held = not self.clean and not code
        if present > 1 or code > 5:  # [MQTT-2.2.2-2], 3.2.2.3
            raise MQTTError(_MALFORMED)
        if present and (code or self.clean):  # [MQTT-3.2.2-1] [MQTT-3.2.2-4]
            raise MQTTError(_PROTOCOL_ERROR)
        if code:
            raise MQTTError(_REFUSALS[code - 1])
        return present


def check(head, n):  # no alloc
    """Raise MQTTError unless a server may send a packet (no PUBLISH) of first byte `head` and a body of `n`."""
    kind = head >> 4
    if _FLAGS[kind] == 255:
        raise MQTTError(_PROTOCOL_ERROR)
    elif _FLAGS[kind] != head & 15:
        raise MQTTError(_MALFORMED)
    elif n < 3 if kind == 9 else n != (0 if kind == 13 else 2):
        raise MQTTError(_MALFORMED)


def publish_size(topic, n, qos):  # no alloc
    """Bytes of a whole PUBLISH with a payload of `n` bytes."""
    n += len(topic) + (4 if qos else 2)
    return n + (2 if n < 128 else 3 if n < 16384 else 4 if n < 2097152 else 5)


def publish(buf, off, topic, n, head, packet_id):  # no alloc
    """Write PUBLISH at `off`, up to where its payload of `n` bytes belongs: return the offset of that.

    `topic`: bytes, checked before. `head`: the first byte. `packet_id`: 0 at QoS 0.
    """
    buf[off] = head
    n += len(topic)
    off = put_varint(buf, off + 1, n + (4 if packet_id else 2))
    buf[off] = len(topic) >> 8  # as put_field(), which is twice as slow
    buf[off + 1] = len(topic) & 255
    off += 2
    n = off + len(topic)
    buf[off:n] = topic
    return put_u16(buf, n, packet_id) if packet_id else n


def parse_publish(msg, rx, head, n, have):  # no alloc
    """Fill `msg` from a PUBLISH of `n` bytes, of which the first `have` lie at the start of `rx`.

    The two bytes behind those are the packet id's, where that was not among them.
    """
    end = 2 + (rx[0] << 8 | rx[1])
    msg._start = end + 2 if head & 6 else end
    if msg._start > n:
        raise MQTTError(_MALFORMED)
    msg._head = head
    msg.qos = head >> 1 & 3
    msg._topic_end = end if end <= have else 2
    msg._end = n
    msg._have = have
    msg.packet_id = 0
    if head & 6:
        n = (rx[end] if end < have else rx[have]) << 8 | (rx[end + 1] if end + 1 < have else rx[have + 1])
        if not n:  # [MQTT-2.3.1-1]
            raise MQTTError(_PROTOCOL_ERROR)
        msg.packet_id = n
    if end > 2 and len(msg._known) == end - 2 and rx.find(msg._known, 2, end) == 2:
        return
    if end <= have and not topic_ok(rx, 2, end):  # [MQTT-4.7.3-1]
        raise MQTTError(_MALFORMED)


def subscribe(buf, subscriptions, packet_id, unsubscribe):
    """Write SUBSCRIBE (UNSUBSCRIBE) for `subscriptions`, each with `filter` and `qos`; return its length."""
    n = 2
    for sub in subscriptions:
        n += len(sub.filter) + (2 if unsubscribe else 3)
    buf[0] = 0xA2 if unsubscribe else 0x82
    off = put_u16(buf, put_varint(buf, 1, n), packet_id)
    for sub in subscriptions:
        off = put_field(buf, off, sub.filter)
        if not unsubscribe:
            buf[off] = sub.qos
            off += 1
    return off


def check_codes(buf, n):
    """Raise MQTTError unless the codes of a SUBACK, buf[2:n], are 0, 1, 2 or 0x80. [MQTT-3.9.3-2]"""
    for i in range(2, n):
        if buf[i] > 2 and buf[i] != 0x80:
            raise MQTTError(_MALFORMED)
