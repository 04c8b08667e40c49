# Lengths, strings and UTF-8: the atoms, at their borders.
from fake import error

from umqtt_full import filters, wire

# [MQTT-1.5.3-1] [MQTT-1.5.3-2]: each with whether it may stand in a packet
TEXTS = (
    (b"", True),
    (b"abc", True),
    (b"a\x00b", False),
    (b"\x7f", True),
    (b"\x80", False),
    (b"\xc1\xbf", False),  # overlong
    (b"\xc2\x80", True),
    (b"\xc2", False),
    (b"\xc2a", False),
    (b"\xdf\xbf", True),
    (b"\xe0\x9f\xbf", False),  # overlong
    (b"\xe0\xa0\x80", True),
    (b"\xe2\x82", False),
    (b"\xed\x9f\xbf", True),
    (b"\xed\xa0\x80", False),  # a surrogate
    (b"\xed\xbf\xbf", False),
    (b"\xee\x80\x80", True),
    (b"\xef\xbb\xbf", True),  # a BOM is kept [MQTT-1.5.3-3]
    (b"\xef\xbf\xbf", True),
    (b"\xf0\x8f\xbf\xbf", False),  # overlong
    (b"\xf0\x90\x80\x80", True),
    (b"\xf0\x9f\x92\xa1", True),
    (b"\xf0\x9f\x92", False),
    (b"\xf4\x8f\xbf\xbf", True),
    (b"\xf4\x90\x80\x80", False),  # past the last
    (b"\xf5\x80\x80\x80", False),
    (b"\xff", False),
)


def test_utf8_is_told_from_what_is_not():
    for text, good in TEXTS:
        data = b"x" + text + b"y\x00"  # what stands around does not matter
        assert wire.utf8_ok(data, 1, 1 + len(text)) == good, text


def test_utf8_is_what_cpython_takes_for_it():
    import random

    random.seed(1)
    try:
        b"\xed\xa0\x80".decode()
        return  # MicroPython's own decoder takes surrogates: no judge
    except UnicodeError:
        pass
    borders = b"\x00a\x7f\x80\x8f\x90\x9f\xa0\xbf\xc2\xe0\xed\xef\xf0\xf4\xf5"
    for _ in range(20000):
        data = bytes(random.choice(borders) for _ in range(4))
        try:
            data.decode()
            good = b"\x00" not in data
        except UnicodeError:
            good = False
        assert wire.utf8_ok(data, 0, 4) == good, data


def test_a_length_takes_one_to_four_bytes():
    for value, data in (
        (0, b"\x00"),
        (127, b"\x7f"),
        (128, b"\x80\x01"),
        (16383, b"\xff\x7f"),
        (16384, b"\x80\x80\x01"),
        (2097151, b"\xff\xff\x7f"),
        (2097152, b"\x80\x80\x80\x01"),
        (268435455, b"\xff\xff\xff\x7f"),
    ):
        buf = bytearray(6)
        end = wire.put_varint(buf, 1, value)
        assert bytes(buf[1:end]) == data


def test_a_topic_to_publish_has_no_wildcard():
    for topic in (b"", b"+", b"a/#", b"a+", b"a\x00", b"\xff", b"a" * 65536):
        assert isinstance(error(wire.check_topic, topic), ValueError), topic[:10]
    for topic in (b"a", b"/", b"a//b", b"$SYS/x", b" ", "\u20ac".encode(), b"a" * 65535):
        assert error(wire.check_topic, topic) is None


def test_a_filter_has_its_wildcards_where_they_may_stand():
    for name in (b"", b"a+", b"+a", b"a#", b"#a", b"#/a", b"a/#/b", b"a/b+/c", b"##", b"++", b"a\x00", b"\xff"):
        assert isinstance(error(filters.check, name), ValueError), name
    for name in (b"#", b"+", b"a/+", b"+/a", b"a/#", b"+/#", b"/", b"+/+/+", b"a//b", b"$share/g/a/#"):
        assert error(filters.check, name) is None
