# What a handler sees of a message, without copying it.
import fake
from fake import error


def seen(payload, look, topic=b"a/b"):
    """What `look(msg)` gives in the handler."""
    found = []
    recorder = fake.Recorder(rx=200)
    recorder.got_message = lambda msg: found.append(look(msg))
    recorder.connect()
    recorder.say(fake.publish_packet(topic, payload))
    return found[0]


def test_topic_and_payload_are_given_as_str_and_in_place():
    assert seen(b"on", lambda m: (m.topic, bytes(m.payload), len(m))) == ("a/b", b"on", 2)
    assert seen(b"", lambda m: (m.topic, bytes(m.payload), len(m))) == ("a/b", b"", 0)
    assert seen(b"", lambda m: m.topic, "\u00e4/\u20ac".encode()) == "\u00e4/\u20ac"


def test_topic_and_payload_are_compared_whole():
    assert seen(b"on", lambda m: m.payload_is(b"on"))
    assert seen(b"on", lambda m: m.payload_is("on"))
    assert not seen(b"on", lambda m: m.payload_is(b"o"))
    assert not seen(b"on", lambda m: m.payload_is(b"onn"))
    assert not seen(b"on", lambda m: m.payload_is(b"no"))
    assert seen(b"", lambda m: m.payload_is(b""))
    assert not seen(b"on", lambda m: m.payload_is(b""))
    assert seen(b"", lambda m: m.topic_is("a/b") and m.topic_is(b"a/b"))
    assert not seen(b"", lambda m: m.topic_is(b"a/") or m.topic_is(b"/b") or m.topic_is(b"a/b/c"))


def test_an_integer_is_parsed_and_nothing_else():
    for payload, value in (
        (b"0", 0),
        (b"42", 42),
        (b"-42", -42),
        (b"+7", 7),
        (b"007", 7),
        (b"123456789012", 123456789012),
        (b"", None),
        (b"-", None),
        (b"+", None),
        (b"4.2", None),
        (b" 4", None),
        (b"4a", None),
        (b"--4", None),
    ):
        assert seen(payload, lambda m: m.payload_int()) == value, payload
    assert seen(b"x", lambda m: m.payload_int(-1)) == -1


def test_a_payload_is_copied_where_it_fits():
    buf = bytearray(b"......")
    assert seen(b"1234", lambda m: m.copy_payload(buf)) == 4 and buf == b"1234.."
    assert isinstance(seen(b"1234567", lambda m: error(m.copy_payload, buf)), ValueError)
    assert buf == b"1234.."


def test_flags_are_those_of_the_packet():
    recorder = fake.Recorder()
    recorder.connect()
    recorder.say(fake.publish_packet(b"a", b"", 1, 5, 9) + fake.publish_packet(b"a", b"", 0))
    assert recorder.events == [("a", b"", 1, True, True), ("a", b"", 0, False, False)]
