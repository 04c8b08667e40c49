# The atoms of a packet: lengths, strings, UTF-8. Nothing here knows a packet, and nothing allocates.
import sys


def put_varint(buf, off, value):  # no alloc
    """Write `value` (0 to 268,435,455) at `off` in 7-bit groups; return the offset behind it."""
    while value > 127:
        buf[off] = value & 127 | 128
        value >>= 7
        off += 1
    buf[off] = value
    return off + 1


def put_u16(buf, off, value):  # no alloc
    """Write `value` (0 to 65,535) at `off`, high byte first; return the offset behind it."""
    buf[off] = value >> 8
    buf[off + 1] = value & 255
    return off + 2


def put_field(buf, off, data):  # no alloc
    """Write bytes with their two-byte length at `off`; return the offset behind them."""
    n = len(data)
    off = put_u16(buf, off, n)
    buf[off : off + n] = data
    return off + n


def utf8_ok(buf, off, end):  # no alloc
    """Is buf[off:end] well-formed UTF-8 without U+0000 and surrogates? [MQTT-1.5.3-1] [MQTT-1.5.3-2]"""
    while off < end:
        b = buf[off]
        off += 1
        if b < 0x80:
            if b:
                continue
            return False
        if not 0xC2 <= b <= 0xF4:
            return False
        more = off + (1 if b < 0xE0 else 2 if b < 0xF0 else 3)
        low = 0xA0 if b == 0xE0 else 0x90 if b == 0xF0 else 0x80  # nothing overlong
        high = 0x9F if b == 0xED else 0x8F if b == 0xF4 else 0xBF  # no surrogate, nothing past U+10FFFF
        while off < more:
            if off == end or not low <= buf[off] <= high:
                return False
            low = 0x80
            high = 0xBF
            off += 1
    return True


def topic_ok(buf, off, end):  # no alloc
    """Is buf[off:end] a topic that a PUBLISH may have? [MQTT-3.3.2-1] [MQTT-3.3.2-2]"""
    if off == end or buf.find(b"+", off, end) >= 0 or buf.find(b"#", off, end) >= 0:
        return False
    return utf8_ok(buf, off, end)


def to_bytes(value):
    """Bytes of a str (one new object), anything else as it is."""
    return value.encode() if isinstance(value, str) else value


def once(name):
    """A module of ours that is needed for a moment: where nobody else has it its memory is free again then.

    On a PC it stays, as other threads may import it, too.
    """
    path = "umqtt_full." + name
    modules = sys.modules
    known = path in modules or sys.implementation.name != "micropython"
    try:
        __import__(path)
        return modules[path]
    finally:
        if not known:
            modules.pop(path, None)  # also where there was no memory: MicroPython leaves half an entry then
            package = modules["umqtt_full"]
            if hasattr(package, name):
                delattr(package, name)


def check_string(data, what):  # no alloc
    """Raise ValueError, which names `what` it is, unless `data` may stand in a packet as a string."""
    if len(data) > 65535 or not utf8_ok(data, 0, len(data)):
        raise ValueError(what + ": not UTF-8, or too long")


def check_topic(topic):  # no alloc
    """Raise ValueError unless `topic` (bytes) may be published to. [MQTT-4.7.1-1] [MQTT-4.7.3-1]"""
    if len(topic) > 65535 or not topic_ok(topic, 0, len(topic)):
        raise ValueError("topic: empty, too long, not UTF-8, or with a wildcard")
