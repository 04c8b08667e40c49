# Not one byte of heap in the steady state: every path a message takes, run while the heap is locked.
# Rule: a first run makes what is made once; then the heap is locked, where any allocation raises MemoryError.
import fake
from fake import locked

MICROPYTHON_ONLY = (
    "test_an_idle_poll_takes_no_heap",
    "test_a_lock_finds_an_allocation",
    "test_publish_at_qos_0_takes_no_heap",
    "test_publish_at_qos_1_takes_no_heap",
    "test_publish_at_qos_2_takes_no_heap",
    "test_receiving_at_qos_0_takes_no_heap",
    "test_receiving_at_qos_1_takes_no_heap",
    "test_receiving_at_qos_2_takes_no_heap",
    "test_receiving_by_wildcard_takes_no_heap",
    "test_a_message_of_no_handler_takes_no_heap",
    "test_topics_beyond_ascii_take_no_heap",
    "test_packets_fragmented_at_any_byte_take_no_heap",
    "test_short_writes_take_no_heap",
    "test_keepalive_takes_no_heap",
    "test_an_oversize_message_takes_no_heap",
    "test_a_repeated_qos_2_message_takes_no_heap",
    "test_a_qos_2_message_beyond_the_table_takes_no_heap",
    "test_waiting_takes_no_heap",
    "test_each_accessor_of_a_message_takes_no_heap",
    "test_the_largest_small_number_is_read_without_heap",
    "test_a_full_outbox_is_seen_without_heap",
    "test_a_resumed_session_sends_again_without_heap",
    "test_2000_messages_leave_the_heap_as_it_was",
)


def turn(client, times=4):
    """A few polls, as a main loop does them."""
    while times:
        times -= 1
        client.poll()


def test_a_lock_finds_an_allocation():
    assert isinstance(fake.error(locked, lambda: [1, 2, 3]), MemoryError)


def test_an_idle_poll_takes_no_heap():
    client, _ = fake.connected_client()
    locked(lambda: turn(client))


class Publisher:
    """Publishes two messages and takes their acks, as often as it is called."""

    def __init__(self, qos):
        self.client, self.stream = fake.connected_client()
        self.qos = qos
        self.payload = bytearray(b"21.5")
        self.ack = bytearray(4)
        self.client.on_publish = self.done = Count()

    def __call__(self):
        first = self.client.publish(b"attic/temperature", self.payload, self.qos)
        second = self.client.publish(b"attic/temperature", self.payload, self.qos, True)
        turn(self.client)
        if self.qos == 2:
            self.answer(0x50, first)
            self.answer(0x50, second)
        if self.qos:
            self.answer(0x40 if self.qos == 1 else 0x70, first)
            self.answer(0x40 if self.qos == 1 else 0x70, second)
        self.stream.forget()

    def answer(self, head, packet_id):
        self.ack[0] = head
        self.ack[1] = 2
        self.ack[2] = packet_id >> 8
        self.ack[3] = packet_id & 255
        self.stream.feed(self.ack)
        turn(self.client)


def publish(qos):
    publisher = Publisher(qos)
    locked(publisher)
    assert publisher.client.room() == 4
    assert publisher.done.n == (4 if qos else 0)
    assert publisher.client.counters["sent"] == 4


class Count:
    """A function that counts its calls."""

    def __init__(self):
        self.n = 0

    def __call__(self, _):
        self.n += 1


def test_publish_at_qos_0_takes_no_heap():
    publish(0)


def test_publish_at_qos_1_takes_no_heap():
    publish(1)


def test_publish_at_qos_2_takes_no_heap():
    publish(2)


def test_a_full_outbox_is_seen_without_heap():
    client, stream = fake.connected_client(slots=1)
    stream.tell = 0
    client.publish(b"a", b"b", 1)

    def act():
        assert client.room() == 0
        turn(client)

    locked(act)


class Lamp:
    """A handler that uses each accessor that takes no heap."""

    def __init__(self):
        self.n = 0
        self.copy = bytearray(16)
        self.good = True

    def __call__(self, msg):
        self.n += 1
        ok = msg.payload_is(b"-42") and msg.payload_int() == -42 and msg.copy_payload(self.copy) == len(msg) == 3
        self.good = self.good and ok and self.copy.startswith(b"-42") and not msg.topic_is(b"other")


def receive(packets, qos=0, most_in=4096, topic_filter="bulb/desk/set", times=2, **kw):
    """Receive packets (bytes each), as often as asked, with the heap locked from the second time on."""
    client, stream = fake.connected_client(**kw)
    lamp = Lamp()
    client.on(topic_filter, lamp, qos=None)
    stream.most_in = most_in

    def act():
        for packet in packets:
            stream.feed(packet)
            while stream.left():
                client.poll()
            turn(client)
        stream.forget()

    locked(act)
    assert lamp.good
    return client, lamp


def test_receiving_at_qos_0_takes_no_heap():
    _, lamp = receive([fake.publish_packet(b"bulb/desk/set", b"-42")] * 3)
    assert lamp.n == 6


def test_receiving_at_qos_1_takes_no_heap():
    _, lamp = receive([fake.publish_packet(b"bulb/desk/set", b"-42", 1, 7)] * 3)
    assert lamp.n == 6


def test_receiving_at_qos_2_takes_no_heap():
    _, lamp = receive([fake.publish_packet(b"bulb/desk/set", b"-42", 2, 7), b"\x62\x02\x00\x07"] * 3)
    assert lamp.n == 6


def test_a_repeated_qos_2_message_takes_no_heap():
    again = fake.publish_packet(b"bulb/desk/set", b"-42", 2, 7, 8)
    _, lamp = receive([fake.publish_packet(b"bulb/desk/set", b"-42", 2, 7), again, again, b"\x62\x02\x00\x07"])
    assert lamp.n == 2


def test_a_qos_2_message_beyond_the_table_takes_no_heap():
    packets = [fake.publish_packet(b"bulb/desk/set", b"-42", 2, n) for n in range(1, 5)]
    client, lamp = receive(packets, qos2_ids=2, clean=False)
    assert lamp.n == 2 and client.counters["deferred"] == 4


def test_receiving_by_wildcard_takes_no_heap():
    _, lamp = receive([fake.publish_packet(b"bulb/desk/set", b"-42")], topic_filter="bulb/+/set")
    _, more = receive([fake.publish_packet(b"bulb/desk/set", b"-42")], topic_filter="bulb/#")
    assert lamp.n == more.n == 2


def test_a_message_of_no_handler_takes_no_heap():
    client, stream = fake.connected_client()
    client.on_message = lamp = Lamp()

    def act():
        stream.feed(packet)
        turn(client)

    packet = fake.publish_packet(b"else", b"-42")
    locked(act)
    assert lamp.good and lamp.n == 2


def test_topics_beyond_ascii_take_no_heap():
    topic = "gr\u00fc\u00dfe/\u20ac/\U0001f4a1"
    _, lamp = receive([fake.publish_packet(topic.encode(), b"-42", 1, 9)], topic_filter=topic)
    assert lamp.n == 2


def test_packets_fragmented_at_any_byte_take_no_heap():
    packets = [
        fake.publish_packet(b"bulb/desk/set", b"-42", 2, 7),
        b"\x62\x02\x00\x07",
        fake.publish_packet(b"bulb/desk/set", b"-42", 1, 8),
        fake.PINGRESP,
    ]
    for most in range(1, 8):
        _, lamp = receive(packets, most_in=most)
        assert lamp.n == 4


def test_an_oversize_message_takes_no_heap():
    packet = b"\x32\xf0\x01\x00\x01a\x00\x07" + b"x" * 235
    client, lamp = receive([packet], rx=100)
    assert lamp.n == 0 and client.counters["oversize"] == 2


def test_short_writes_take_no_heap():
    client, stream = fake.connected_client()

    def act():
        stream.tell = 1
        client.publish(b"attic/temperature", b"21.5", 0)
        client.publish(b"attic/temperature", b"22", 0)
        for _ in range(60):
            stream.tell = 1
            client.poll()
        stream.forget()

    locked(act)
    assert client.room() == 4 and client.counters["sent"] == 4


def test_keepalive_takes_no_heap():
    recorder = fake.Recorder(keepalive=10)
    stream = recorder.connect()

    def act():
        now = recorder.now
        while recorder.now < now + 60000:
            recorder.now += 500
            recorder.engine.poll(recorder.now)
            if stream._n:
                stream.forget()
                stream.feed(fake.PINGRESP)

    locked(act)
    assert recorder.now == 120000


def test_waiting_takes_no_heap():
    client, _ = fake.connected_client()
    locked(lambda: client.poll(3))


def test_each_accessor_of_a_message_takes_no_heap():
    _, lamp = receive([fake.publish_packet(b"bulb/desk/set", b"-42", 0)] * 2)
    assert lamp.n == 4


def test_the_largest_small_number_is_read_without_heap():
    msg = fake.Recorder().engine.message
    for text in (b"1073741823", b"-1073741823"):
        msg._rx[2 : 2 + len(text)] = text
        msg._start = 2
        msg._end = 2 + len(text)
        locked(msg.payload_int)
        assert msg.payload_int() == int(text)


def test_a_resumed_session_sends_again_without_heap():
    recorder = fake.Recorder(slots=4)
    stream = recorder.connect()
    for qos in (1, 2, 2, 1):
        recorder.publish(qos=qos)
    recorder.poll()
    recorder.say(b"\x50\x02\x00\x02")
    sent = [0]

    def act():
        recorder.engine.outbox.resend(1)
        recorder.engine.poll(0)
        sent[0] = stream._n
        stream.forget()

    locked(act)
    assert sent[0] == 4 + 3 * 7


def test_2000_messages_leave_the_heap_as_it_was():
    import gc

    client, stream = fake.connected_client()
    client.on("bulb/#", Lamp(), qos=None)
    packet = fake.publish_packet(b"bulb/desk/set", b"-42", 1, 7)
    ack = bytearray(b"\x40\x02\x00\x00")

    def act(n):
        while n:
            n -= 1
            packet_id = client.publish(b"attic/temperature", b"21.5", 1)
            ack[2] = packet_id >> 8
            ack[3] = packet_id & 255
            stream.feed(packet)
            stream.feed(ack)
            turn(client, 2)
            stream.forget()

    act(10)
    gc.collect()
    before = gc.mem_alloc()
    act(2000)
    assert gc.mem_alloc() == before
    assert client.room() == 4 and client.counters["received"] == 2010
