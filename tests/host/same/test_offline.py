# What is published without a link, or faster than it goes out: what is kept, in which order, and what is dropped.
# Rule: what gets through is read from the bytes that the broker sees, what is dropped from on_drop and counters.
from fake import CONNACK, CONNACK_PRESENT, Stream, connected_client, error

from umqtt_full import MQTTClient, MQTTFull


class Bench:
    """A client whose links begin and end as a test says."""

    def __init__(self, **kw):
        self.client = c = MQTTClient(self._open, client_id="me", **kw)
        self.stream = None
        self.drops = []
        c.on_drop = self.drops.append
        c.retry_min_ms = 0

    def _open(self):
        if not self.stream:
            raise OSError(113, "unreachable")
        return self.stream

    def up(self, connack=CONNACK, tell=1 << 29):
        """Begin a link that takes `tell` bytes behind CONNECT; what is written behind it, in packets."""
        self.stream = Stream()
        self.client.start()
        while not self.stream.sent():
            self.client.poll()
        self.stream.tell = tell
        self.stream.feed(connack)
        while not self.client.connected:
            self.client.poll()
        self.client.poll()
        return self.sent()

    def down(self):
        stream, self.stream = self.stream, None
        stream.ended = True
        while self.client.connected:
            self.client.poll()

    def sent(self):
        return packets(self.stream.sent())

    def more(self, tell=1 << 29):
        """The stream takes more."""
        self.stream.tell = tell
        self.client.poll()
        return self.sent()

    def publish(self, *texts):
        """Publish "1x" with QoS 1, "0x" with QoS 0, to topic t; the packet ids."""
        return [self.client.publish("t", text, int(text[0])) for text in texts]


def packets(data):
    """What these bytes publish: payloads, with DUP a ' behind; other packets as their first byte."""
    found = []
    while data:
        n = 2 + data[1]
        if data[0] >> 4 == 3 and len(data) >= n:
            payload = data[5 + (2 if data[0] & 6 else 0) : n]
            found.append(payload.decode() + ("'" if data[0] & 8 else ""))
        else:
            found.append(data[0])
        data = data[n:]
    return found


def test_what_is_published_before_the_first_connect_goes_out_with_it():
    bench = Bench(slots=3)
    assert bench.publish("1a", "2b", "1c") == [1, 2, 3] and bench.client.room() == 0
    assert bench.up() == ["1a", "2b", "1c"] and not bench.drops


def test_what_is_published_while_attempts_fail_waits():
    bench = Bench(slots=3)
    bench.client.start()
    for text in ("1a", "2b", "1c"):
        bench.client.poll()
        bench.publish(text)
    assert isinstance(bench.client.reason, OSError)
    assert bench.up() == ["1a", "2b", "1c"]


def test_order_is_kept_over_an_outage():
    bench = Bench(clean=False, slots=6)
    bench.up()
    bench.publish("1a", "2b")
    assert bench.sent() == ["1a", "2b"]
    bench.down()
    bench.publish("1c", "2d")
    bench.client.poll()
    bench.publish("1e")
    assert bench.up(CONNACK_PRESENT) == ["1a'", "2b'", "1c", "2d", "1e"]
    bench.down()
    assert bench.up(CONNACK_PRESENT) == ["1a'", "2b'", "1c'", "2d'", "1e'"]
    bench.down()
    assert bench.up(CONNACK) == ["1a", "2b", "1c", "2d", "1e"]


def test_what_is_published_before_the_answer_to_connect_keeps_its_place():
    bench = Bench(slots=3)
    bench.publish("1a")
    bench.stream = Stream()
    bench.client.start()
    bench.client.poll()
    bench.publish("1b")
    assert bench.sent() == [0x10]
    bench.stream.feed(CONNACK)
    bench.client.poll()
    bench.publish("1c")
    bench.client.poll()
    assert bench.sent() == ["1a", "1b", "1c"]


def test_qos_0_without_a_link_is_dropped_counted_and_told():
    for full in ("refuse", "drop_qos0", "drop_oldest"):
        bench = Bench(slots=2, full=full)
        assert bench.publish("0a", "1b", "0c") == [0, 1, 0]
        assert bench.drops == [0, 0] and bench.client.counters["dropped"] == 2 and bench.client.room() == 1
        assert bench.up() == ["1b"]
        assert bench.publish("0d") == [0] and bench.sent() == ["0d"] and bench.drops == [0, 0]
        bench.down()
        assert bench.publish("0e") == [0] and bench.drops == [0, 0, 0]


def test_qos_0_without_a_link_is_kept_where_that_is_asked_for():
    bench = Bench(slots=3, queue_qos0=True)
    assert bench.publish("0a", "1b", "0c") == [0, 1, 0] and bench.client.room() == 0
    assert isinstance(error(bench.publish, "0d"), MQTTFull)
    assert not bench.drops and bench.client.counters["dropped"] == 0
    assert bench.up() == ["0a", "1b", "0c"] and bench.client.room() == 2


def test_what_could_never_be_sent_is_refused_without_a_link_too():
    for full in ("refuse", "drop_qos0", "drop_oldest"):
        bench = Bench(slots=1, slot_size=32, full=full)
        for args in (("+", b"", 0), ("t", b"", 3), ("t", b"x" * 40, 0), ("t", b"x" * 40, 1), ("", b"", 0)):
            assert isinstance(error(bench.client.publish, *args), ValueError), args
        assert not bench.drops and bench.client.room() == 1


def test_a_full_outbox_refuses():
    bench = Bench(slots=2, queue_qos0=True)
    bench.publish("0a", "1b")
    for text in ("0c", "1d", "2e"):
        assert isinstance(error(bench.publish, text), MQTTFull)
    assert not bench.drops and bench.client.counters["dropped"] == 0
    assert bench.up() == ["0a", "1b"]


def test_a_full_outbox_drops_its_oldest_qos_0():
    bench = Bench(slots=4, queue_qos0=True, full="drop_qos0")
    assert bench.publish("1a", "0b", "0c", "2d") == [1, 0, 0, 2]
    assert bench.publish("1e") == [3] and bench.drops == [0]
    assert bench.publish("0f") == [0] and bench.drops == [0, 0]
    assert bench.client.counters["dropped"] == 2 and bench.client.room() == 0
    assert bench.up() == ["1a", "2d", "1e", "0f"]


def test_a_full_outbox_without_qos_0_refuses_where_only_that_may_go():
    bench = Bench(slots=2, queue_qos0=True, full="drop_qos0")
    bench.publish("1a", "2b")
    for text in ("0c", "1d"):
        assert isinstance(error(bench.publish, text), MQTTFull)
    assert not bench.drops and bench.up() == ["1a", "2b"]


def test_a_full_outbox_drops_its_oldest_of_any_qos():
    bench = Bench(slots=3, queue_qos0=True, full="drop_oldest")
    bench.publish("1a", "0b", "2c")
    assert bench.publish("1d", "0e", "2f", "1g") == [3, 0, 4, 5]
    assert bench.drops == [1, 0, 2, 3] and bench.client.counters["dropped"] == 4
    assert bench.client.room() == 0
    assert bench.up() == ["0e", "2f", "1g"]


def test_what_was_sent_is_never_dropped():
    bench = Bench(slots=3, clean=False, full="drop_oldest")
    bench.up()
    bench.publish("1a")
    bench.down()
    assert bench.publish("1b", "1c", "1d") == [2, 3, 4] and bench.drops == [2]
    assert bench.up(CONNACK_PRESENT, tell=9) == ["1a'"]
    bench.publish("1e")  # c is begun
    assert bench.drops == [2, 4] and bench.more() == ["1c", "1e"]


def test_a_qos_2_message_that_was_released_is_never_dropped():
    bench = Bench(slots=2, clean=False, full="drop_oldest")
    bench.up()
    bench.publish("2a")
    bench.stream.feed(b"\x50\x02\x00\x01")
    bench.client.poll()
    bench.client.poll()
    bench.down()
    assert bench.publish("1b", "1c") == [2, 3] and bench.drops == [2]
    assert bench.up(CONNACK_PRESENT) == [0x62, "1c"]


def test_when_all_was_sent_nothing_is_dropped():
    for full in ("drop_qos0", "drop_oldest"):
        bench = Bench(slots=2, full=full)
        bench.up()
        bench.publish("1a", "2b")
        for text in ("1c", "0d"):
            assert isinstance(error(bench.publish, text), MQTTFull)
        bench.down()
        assert isinstance(error(bench.publish, "1c"), MQTTFull)
        assert not bench.drops and bench.client.counters["dropped"] == 0


def test_what_is_sent_again_is_never_dropped():
    bench = Bench(slots=2, clean=False, full="drop_oldest")
    bench.up()
    bench.publish("1a", "1b")
    bench.down()
    assert bench.up(CONNACK_PRESENT, tell=0) == []
    assert isinstance(error(bench.publish, "1c"), MQTTFull)
    assert not bench.drops and bench.more() == ["1a'", "1b'"]


def test_what_is_sent_again_in_a_fresh_session_is_never_dropped():
    bench = Bench(slots=2, full="drop_oldest")
    bench.up()
    bench.publish("1a", "1b")
    bench.down()
    assert bench.up(tell=0) == []
    assert isinstance(error(bench.publish, "1c"), MQTTFull)
    assert not bench.drops and bench.more() == ["1a", "1b"]


def test_what_is_being_written_is_never_dropped():
    for full, first, second in (("drop_qos0", "0a", "0b"), ("drop_oldest", "1a", "1b")):
        bench = Bench(slots=2, queue_qos0=True, full=full)
        bench.up(tell=4)
        bench.publish(first, second)
        bench.publish("1c")
        assert bench.drops == [0 if second == "0b" else 2]
        begun = bench.stream.sent()
        assert len(begun) == 4
        bench.stream.tell = 1 << 29
        bench.client.poll()
        assert packets(begun + bench.stream.sent()) == [first, "1c"]


def test_what_can_not_be_sent_drops_nothing():
    for full in ("drop_qos0", "drop_oldest"):
        bench = Bench(slots=1, slot_size=32, queue_qos0=True, full=full)
        bench.publish("0a")
        for args in (("t", b"x" * 40, 1), ("+", b"", 1), ("t", b"", 3)):
            assert isinstance(error(bench.client.publish, *args), ValueError), args
        assert not bench.drops and bench.client.counters["dropped"] == 0
        assert bench.up() == ["0a"]


def test_a_link_that_is_slow_drops_as_no_link_does():
    bench = Bench(slots=3, queue_qos0=True, full="drop_oldest")
    bench.up(tell=0)
    bench.publish("1a", "0b", "1c", "1d", "1e")  # a is begun, though nothing of it went out
    assert bench.drops == [0, 2]
    assert bench.more() == ["1a", "1d", "1e"]


def test_what_on_drop_raises_leaves_the_next_poll_and_the_message_is_accepted():
    bench = Bench(slots=1, full="drop_oldest")

    def fail(packet_id):
        raise KeyError(packet_id)

    bench.client.on_drop = fail
    assert bench.publish("1a", "1b") == [1, 2]
    assert isinstance(error(bench.client.poll), KeyError)
    assert bench.up() == ["1b"]


def test_drain_and_disconnect_know_what_waits():
    bench = Bench(slots=3)
    bench.publish("1a")
    assert bench.client.drain(1000) is False  # no link, and none to come
    assert bench.client.disconnect(20) is False
    assert bench.up() == ["1a"]
    bench.stream.feed(b"\x40\x02\x00\x01")
    assert bench.client.drain(1000) is True and bench.client.room() == 3


def test_a_client_that_is_connected_drops_nothing():
    client, stream = connected_client(slots=2, full="drop_oldest")
    drops = []
    client.on_drop = drops.append
    for _ in range(50):
        packet_id = client.publish("t", b"1x", 1)
        stream.feed(b"\x40\x02" + packet_id.to_bytes(2, "big"))
        client.poll()
        client.publish("t", b"0y")
    assert not drops and client.counters["dropped"] == 0 and packets(stream.sent()) == ["1x", "0y"] * 50


def test_drops_are_counted_by_their_cause():
    bench = Bench(slots=1, full="drop_oldest")
    bench.publish("0a", "1b", "1c")
    counters = bench.client.counters
    assert counters["dropped"] == 2 and counters["dropped_offline"] == 1
