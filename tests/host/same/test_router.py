# Which handler a message is for, and which filters the broker is asked for.
import fake
from fake import error

from umqtt_full import MQTTFull
from umqtt_full.filters import add, subscription
from umqtt_full.message import Message
from umqtt_full.router import Router

# [MQTT-4.7.1-1] to [MQTT-4.7.3-3]
MATCHES = (
    ("a/b", "a/b", True),
    ("a/b", "a/c", False),
    ("a/b", "a/b/c", False),
    ("a/b/c", "a/b", False),
    ("a", "A", False),
    ("#", "a", True),
    ("#", "a/b/c", True),
    ("#", "/", True),
    ("#", "$SYS/x", False),
    ("+/x", "$SYS/x", False),
    ("$SYS/#", "$SYS/x", True),
    ("$SYS/+", "$SYS/x", True),
    ("a/#", "a", True),
    ("a/#", "a/", True),
    ("a/#", "a/b/c", True),
    ("a/#", "ab", False),
    ("+", "a", True),
    ("+", "/a", False),
    ("+", "a/", False),
    ("+/+", "/a", True),
    ("/+", "/a", True),
    ("a/+", "a", False),
    ("a/+", "a/", True),
    ("a/+/c", "a/b/c", True),
    ("a/+/c", "a//c", True),
    ("a/+/c", "a/b/d", False),
    ("a/+/c", "a/b/c/d", False),
    ("a/+/#", "a/b", True),
    ("a/+/#", "a", False),
    ("+/b", "a/b", True),
    ("+/b", "a/bc", False),
    ("bulb/+/set", "bulb/desk/set", True),
    ("bulb/+/set", "bulb/desk/get", False),
    ("bulb/+/set", "bulb/desk/lamp/set", False),
    ("\u00e4/+", "\u00e4/x", True),
)


def test_filters_match_topics_as_the_specification_says():
    for name, topic, match in MATCHES:
        msg = Message(b"??" + topic.encode() + b"/behind")
        msg._topic_end = 2 + len(topic.encode())
        assert subscription(name).matches(msg) == match, (name, topic)


def calls(names, topic):
    """The filters, of these, whose handlers a message reaches."""
    recorder = fake.Recorder()
    router = Router(8, 60)
    called = []

    def remember(name):
        return lambda msg: called.append(name)

    for name in names:
        add(router, name, None, remember(name))
    recorder.got_message = lambda msg: router.dispatch(msg) or called.append(None)
    recorder.connect()
    recorder.say(fake.publish_packet(topic, b""))
    return called


def test_each_handler_that_matches_is_called_in_the_order_of_registration():
    assert calls(["a/#", "b", "a/b", "+/b"], b"a/b") == ["a/#", "a/b", "+/b"]


def test_what_no_handler_matches_goes_to_on_message():
    assert calls(["a/#", "b"], b"c") == [None]


def test_a_shared_subscription_gets_the_topic_behind_its_group():
    assert calls(["$share/group/a/+"], b"a/b") == ["$share/group/a/+"]
    assert calls(["$share/group/a"], b"a") == ["$share/group/a"]
    assert calls(["$share/group/a"], b"group/a") == [None]


def test_the_table_is_full_when_it_is_full():
    router = Router(2, 60)
    add(router, "a", 0, None)
    add(router, "b", 0, None)
    assert isinstance(error(add, router, "c", 0, None), MQTTFull)
    add(router, "a", 1, None)  # known already


def test_a_filter_that_does_not_fit_a_packet_is_refused():
    assert isinstance(error(add, Router(2, 10), "a" * 11, 0, None), ValueError)


def test_a_bad_filter_or_qos_is_refused_and_takes_no_room():
    router = Router(1, 60)
    assert isinstance(error(add, router, "a/#/b", 0, None), ValueError)
    assert isinstance(error(add, router, "a", 3, None), ValueError)
    add(router, "a", 2, None)
