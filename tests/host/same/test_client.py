# The sync face over a stream without a network: what its users rely on, and what it says when they err.
import io

from fake import CONNACK, CONNACK_PRESENT, Stream, connected_client, error, publish_packet
from keeper import Keeper, settle

from umqtt_full import MQTTClient, MQTTError, MQTTFull


def client_over(*streams, **kw):
    """A client that gets these streams, one after another."""
    left = list(streams)
    return MQTTClient(lambda: left.pop(0), client_id="me", **kw)


def test_connect_waits_and_returns_session_present():
    for connack, present in ((CONNACK, False), (CONNACK_PRESENT, True)):
        stream = Stream()
        stream.feed(connack)
        client = client_over(stream, clean=False)
        assert client.connect() is present and client.connected and client.session_present is present
        assert stream.sent() == b"\x10\x0e\x00\x04MQTT\x04\x00\x00\x3c\x00\x02me"


def test_connect_raises_what_refused_it():
    stream = Stream()
    stream.feed(b"\x20\x02\x00\x05")
    client = client_over(stream)
    e = error(client.connect)
    assert isinstance(e, MQTTError) and e.code == 0x87 and e.packet == 0x20
    assert str(e) == "not authorized (0x87) in packet 0x20"
    assert stream.closed and client.state == "offline" and client.reason is e


def test_connect_raises_when_its_time_is_up():
    e = error(client_over(Stream()).connect, 30)
    assert isinstance(e, MQTTError) and e.code == 0x101


def test_connected_means_subscribed():
    stream = Stream()
    stream.feed(CONNACK)
    client = client_over(stream)
    told = []
    client.on_connect = lambda present: told.append(present)
    client.on_subscribe = lambda name, granted: told.append((name, granted))
    client.on("a/+", lambda msg: None, qos=1)
    client.subscribe([("b", 2), "c"])
    client.start()
    for _ in range(5):
        client.poll()
    assert not client.connected and not told
    assert stream.sent()[16:] == b"\x82\x10\x00\x01\x00\x03a/+\x01\x00\x01b\x02\x00\x01c\x00"
    stream.feed(b"\x90\x05\x00\x01\x01\x80\x00")
    client.poll()
    client.poll()
    assert client.connected and told == [("a/+", 1), ("b", 0x80), ("c", 0), False]


def reconnect(client, connack):
    """A new link in place of the old one: what is written after CONNECT."""
    stream = client.next = Stream()
    client._servers = [lambda: stream]
    client.close()
    client.start()
    client.poll()
    client.poll()
    stream.forget()
    stream.feed(connack)
    for _ in range(4):
        client.poll()
    return stream.sent()


def subscribed_client():
    client, stream = connected_client(clean=False)
    client.subscribe("a", qos=1)
    client.on("b", print, qos=2)
    client.poll()
    stream.feed(b"\x90\x04\x00\x01\x01\x80")
    client.poll()
    return client


def test_subscriptions_are_asked_for_again_when_the_broker_lost_the_session():
    client = subscribed_client()
    assert reconnect(client, CONNACK) == b"\x82\x0a\x00\x02\x00\x01a\x01\x00\x01b\x02"


def test_subscriptions_are_left_alone_when_the_session_is_there():
    client = subscribed_client()
    assert reconnect(client, CONNACK_PRESENT) == b""
    assert client.connected


def test_what_was_not_answered_is_asked_for_again_in_any_case():
    client, _ = connected_client(clean=False)
    client.subscribe("a")
    client.poll()
    client.poll()
    assert reconnect(client, CONNACK_PRESENT) == b"\x82\x06\x00\x02\x00\x01a\x00"


def test_subscribe_goes_ahead_of_a_full_outbox():
    client, _ = connected_client(clean=False, slots=1)
    client.publish("t", b"", 1)
    client.subscribe("a")
    assert reconnect(client, CONNACK) == b"\x82\x06\x00\x02\x00\x01a\x00" + b"\x32\x05\x00\x01t\x00\x01"


def test_more_filters_than_one_packet_holds_are_asked_for_in_turn():
    client, stream = connected_client(rx=40)
    told = []
    client.on_subscribe = lambda name, granted: told.append(name)
    names = [letter * 12 for letter in "abcd"]
    client.subscribe(names)
    for packet_id, count in ((1, 2), (2, 2)):
        client.poll()
        client.poll()
        packet = stream.sent()
        assert packet[0] == 0x82 and packet[1] == 2 + count * 15
        stream.feed(bytes([0x90, 2 + count, 0, packet_id]) + bytes(count))
        client.poll()
    assert told == names and client.drain(10)


def test_unsubscribe_tells_and_forgets():
    client = subscribed_client()
    told = []
    client.on_unsubscribe = told.append
    client.unsubscribe("a")
    stream = client._stream
    stream.forget()
    client.poll()
    client.poll()
    assert stream.sent() == b"\xa2\x05\x00\x02\x00\x01a"
    stream.feed(b"\xb0\x02\x00\x02")
    client.poll()
    assert told == ["a"]
    assert reconnect(client, CONNACK) == b"\x82\x06\x00\x03\x00\x01b\x02"


def test_an_answer_to_a_filter_that_was_changed_meanwhile_does_not_settle_it():
    client, stream = connected_client()
    client.subscribe("a", 0)
    client.poll()
    client.poll()
    client.subscribe("a", 2)
    stream.forget()
    stream.feed(b"\x90\x03\x00\x01\x00")
    for _ in range(3):
        client.poll()
    assert stream.sent() == b"\x82\x06\x00\x02\x00\x01a\x02"


def test_publish_takes_str_and_bytes_and_says_its_packet_id():
    client, stream = connected_client()
    assert client.publish("a", "\u00e4") == 0
    assert client.publish(b"a", bytearray(b"x"), 1, True) == 1
    assert client.publish("a", memoryview(b"x"), 2) == 2
    sent = stream.sent()
    assert sent == b"\x30\x05\x00\x01a\xc3\xa4" b"\x33\x06\x00\x01a\x00\x01x" b"\x34\x06\x00\x01a\x00\x02x"


def test_publish_is_accepted_offline_and_full_is_full():
    client = client_over(slots=2, queue_qos0=True)
    client.publish("a", b"", 0)
    client.publish("a", b"", 1)
    assert client.room() == 0
    assert isinstance(error(client.publish, "a", b"", 1), MQTTFull)


def test_publish_never_raises_for_the_link():
    client, stream = connected_client()

    def broken(buf, off, n):
        raise OSError(104, "reset")

    stream.write = broken
    downs = []
    client.on_disconnect = downs.append
    assert client.publish("a", b"", 1) == 1
    assert client.connected and not downs
    client.poll()
    assert not client.connected and downs[0].errno == 104 and client.room() == 3


def test_a_link_of_connect_that_ends_raises_from_poll_once():
    stream = Stream()
    stream.feed(CONNACK)
    client = client_over(stream)
    client.connect()
    stream.ended = True
    assert error(client.poll).name == "closed by the broker"
    assert error(client.poll) is None and stream.closed


def test_a_link_of_start_that_ends_is_told_and_not_raised():
    client, stream = connected_client()
    downs = []
    client.on_disconnect = downs.append
    stream.ended = True
    assert client.poll() is False
    assert [e.name for e in downs] == ["closed by the broker"] and client.reason is downs[0]
    assert client._pending()


def test_a_refusal_of_start_is_told_and_not_raised():
    stream = Stream()
    stream.feed(b"\x20\x02\x00\x05")
    client = client_over(stream)
    downs = []
    client.on_error = client.on_offline = downs.append
    client.on_disconnect = fail
    client.start()
    for _ in range(5):
        client.poll()
    assert [e.name for e in downs] == ["not authorized"] * 2 and not client._pending()


def test_start_twice_is_start_once():
    stream = Stream()
    client = client_over(stream)
    client.start()
    client.poll()
    client.start()
    stream.feed(CONNACK)
    for _ in range(3):
        client.poll()
        client.start()
    assert client.connected and client.attempts == 1


def test_start_after_disconnect_in_a_handler_begins_anew():
    client, stream = connected_client()
    second = client.next = Stream()
    client._servers = [lambda: second]
    client.on_message = lambda msg: client.disconnect()
    stream.feed(publish_packet(b"t", b""))
    client.poll()
    client.start()
    client.poll()
    second.feed(CONNACK)
    for _ in range(3):
        client.poll()
    assert client.connected and stream.closed and not second.closed


def test_what_a_server_function_raises_by_mistake_is_raised():
    client = MQTTClient(lambda: {}["stream"], client_id="me")
    assert isinstance(error(client.connect), KeyError)
    assert client.state == "offline" and error(client.poll) is None


def test_what_a_handler_raises_leaves_poll_and_the_client_in_order():
    client, stream = connected_client()
    seen = []

    def handler(msg):
        seen.append(bytes(msg.payload))
        raise OSError("the lamp is broken")

    client.on("t", handler, qos=None)
    stream.feed(publish_packet(b"t", b"1", 1, 7) + publish_packet(b"t", b"2", 2, 8))
    assert str(error(client.poll)) == "the lamp is broken"
    assert seen == [b"1"] and client.connected
    assert str(error(client.poll)) == "the lamp is broken"
    client.poll()
    assert seen == [b"1", b"2"] and stream.sent() == b"\x40\x02\x00\x07" + b"\x50\x02\x00\x08"


def test_what_the_other_callbacks_raise_leaves_poll_too():
    client, stream = connected_client()
    client.on_publish = client.on_subscribe = client.on_oversize = client.on_disconnect = fail
    client.publish("a", b"", 1)
    client.subscribe("a")
    client.poll()
    stream.feed(b"\x40\x02\x00\x01")
    assert isinstance(error(client.poll), KeyError)
    client.poll()
    stream.feed(b"\x90\x03\x00\x02\x00")
    assert isinstance(error(client.poll), KeyError)
    stream.feed(b"\x30\xff\x02\x00\x01a" + b"x" * 380)
    while stream.left() > 64:
        e = error(client.poll)
    assert isinstance(e or error(client.poll), KeyError)
    stream.ended = True
    assert isinstance(error(client.poll), KeyError) and not client.connected


def fail(*_):
    raise KeyError("mine")


def test_a_handler_may_do_anything():
    client, stream = connected_client()
    results = []

    def handler(msg):
        results.append(client.poll())  # harmless
        results.append(client.poll(1000))
        client.publish("answer", bytes(msg.payload), 1)
        results.append(client.drain(1000))
        client.subscribe("more")
        client.unsubscribe("less")
        results.append(isinstance(error(client.connect), RuntimeError))
        client.disconnect()
        results.append(client.connected)

    client.on("t", handler, qos=None)
    stream.feed(publish_packet(b"t", b"x", 1, 7))
    client.poll()
    assert results == [True, True, False, True, True]
    sent = stream.sent()
    assert b"answerx"[:6] in sent and b"\x40\x02\x00\x07" in sent
    for _ in range(6):
        client.poll()
    assert b"\xe0\x00" not in stream.sent()  # in-flight first
    stream.feed(b"\x40\x02\x00\x01")
    client.poll()


def test_a_handler_may_close():
    client, stream = connected_client()
    seen = []

    def handler(msg):
        seen.append(msg.topic)
        client.close()

    client.on("t", handler, qos=None)
    stream.feed(publish_packet(b"t", b"", 1, 7) * 2)
    client.poll()
    client.poll()
    assert seen == ["t"] and stream.closed and not client.connected and stream.sent() == b""


def test_disconnect_sends_what_was_accepted_then_disconnect():
    client, stream = connected_client()
    downs = []
    client.on_disconnect = downs.append
    client.publish("a", b"", 1)
    assert stream.sent() == b"\x32\x05\x00\x01a\x00\x01"
    stream.feed(b"\x40\x02\x00\x01")
    stream.ended = True  # the broker closes once it has read DISCONNECT

    write = stream.write

    def write_then_end(buf, off, n):
        stream.ended = True
        return write(buf, off, n)

    stream.ended = False
    stream.write = write_then_end
    assert client.disconnect() is True
    assert stream.sent() == b"\xe0\x00" and stream.closed and downs == [None] and client.reason is None


def test_disconnect_gives_up_when_its_time_is_up():
    client, stream = connected_client()
    client.publish("a", b"", 1)
    stream.forget()
    assert client.disconnect(30) is False
    assert stream.sent() == b"" and stream.closed and client.room() == 3


def test_disconnect_without_a_link_is_over_at_once():
    client = client_over()
    assert client.disconnect() is True
    client.publish("a", b"", 1)
    assert client.disconnect() is False


def test_what_the_broker_sends_behind_disconnect_is_let_go():
    client, stream = connected_client()
    stream.feed(publish_packet(b"t", b"", 1, 9))
    client.on("t", fail, qos=None)
    write = stream.write

    def write_then_talk(buf, off, n):
        stream.feed(publish_packet(b"t", b"", 1, 7) * 9)
        stream.ended = True
        return write(buf, off, n)

    client.on("t", print_nothing, qos=None)
    client.poll()
    stream.forget()
    stream.write = write_then_talk
    assert client.disconnect() is True
    assert stream.sent() == b"\xe0\x00"


def print_nothing(_):
    pass


def test_oversize_messages_are_told_and_acknowledged():
    client, stream = connected_client(rx=20)
    told = []
    client.on_oversize = lambda msg: told.append((msg.topic, len(msg), bytes(msg.payload)))
    client.on_message = fail
    stream.feed(b"\x32\x1d\x00\x03a/b\x00\x07" + b"x" * 22)  # the topic fits
    client.poll()
    stream.feed(b"\x34\x5f\x00\x50" + b"t" * 80 + b"\x01\x02" + b"x" * 11)  # the topic does not
    client.poll()
    for n in range(14, 21):  # the packet id lies across the border
        stream.feed(bytes([0x32, n + 14, 0, n]) + b"t" * n + b"\x03\x04" + b"y" * 10)
        client.poll()
    assert told[:2] == [("a/b", 22, b"x" * 13), ("", 11, b"")]
    assert stream.sent()[:8] == b"\x40\x02\x00\x07" + b"\x50\x02\x01\x02"
    assert client.counters["oversize"] == 9


def test_oversize_acks_carry_the_right_id_wherever_it_lies():
    for qos_head, ack_head in ((0x32, 0x40), (0x34, 0x50)):
        for n in range(1, 100):
            client, stream = connected_client(rx=20)
            stream.feed(bytes([qos_head, n + 24, 0, n]) + b"t" * n + b"\x03\x04" + b"y" * 20)
            stream.most_in = 1 + n % 7
            while stream.left():
                client.poll()
            client.poll()
            assert stream.sent() == bytes([ack_head, 2, 3, 4]), n


def test_wrong_use_is_refused_by_name():
    for kw in (
        {"server": "broker"},
        {"server": "mqtt://h", "rx": 15},
        {"server": "mqtt://h", "slots": 0},
        {"server": "mqtt://h", "slots": 255},
        {"server": "mqtt://h", "slot_size": 8},
        {"server": "mqtt://h", "qos2_ids": 0},
        {"server": "mqtt://h", "keepalive": -1},
        {"server": "mqtt://h", "keepalive": 65536},
        {"server": "mqtt://h", "level": 5},
        {"server": "mqtt://h", "password": "p"},
        {"server": "mqtt://h", "client_id": "", "clean": False},
        {"server": "mqtt://h", "client_id": "a\x00"},
        {"server": "mqtt://h", "client_id": "x" * 24, "level": 3},
        {"server": "mqtt://h", "client_id": "x" * 300},
        {"server": "mqtt://h", "user": "\x00"},
        {"server": "mqtt://h", "ca": "ca.der"},
        {"server": "mqtt://h", "user": "u", "password": "p" * 65536},
    ):
        assert isinstance(error(lambda: MQTTClient(**kw)), ValueError), kw


def test_user_and_password_may_stand_in_the_url():
    connect = MQTTClient(["mqtt://h", "mqtt://u:p%20q@h"])._engine.connect
    assert connect.fields[3:] == [b"u", b"p q"]
    connect = MQTTClient("mqtt://u:p@h", user="me", password="mine")._engine.connect
    assert connect.fields[3:] == [b"me", b"mine"]


class Odd(io.IOBase):
    """A stream that looks as if it could be polled, and can not: CONNACK is there at once."""

    def __init__(self):
        self.stream = Stream()
        self.stream.feed(CONNACK)

    def readinto(self, buf, n=0):
        return self.stream.readinto(buf, n)

    def write(self, buf, off=0, n=0):
        return self.stream.write(buf, off, n)


class Odder(Odd):
    def ioctl(self, request, argument):
        return -1


def test_a_stream_that_can_not_be_polled_is_used_all_the_same():
    for odd in (Odd, Odder):
        client = MQTTClient(odd, client_id="me")
        client.connect(1000)
        client.poll(20)
        assert client.connected


def test_a_bad_will_is_refused():
    client = client_over()
    for args in (("+", b""), ("", b""), ("t", b"", 3), ("t", b"x" * 300), ("t", b"x" * 65536)):
        assert isinstance(error(client.will, *args), ValueError), args[0]


def test_a_will_that_is_refused_changes_nothing():
    stream = Stream()
    stream.feed(CONNACK)
    client = client_over(stream)
    client.will("w", b"gone")
    assert isinstance(error(client.will, "w", b"x" * 300, 1), ValueError)
    client.connect()
    assert stream.sent() == b"\x10\x17\x00\x04MQTT\x04\x06\x00\x3c\x00\x02me\x00\x01w\x00\x04gone"


def test_on_subscribe_may_raise_and_every_filter_has_its_answer():
    client, stream = connected_client()
    client.on_subscribe = lambda name, granted: 1 // 0
    client.subscribe(["a", "b"], 1)
    client.poll()
    client.poll()
    stream.feed(b"\x90\x04\x00\x01\x01\x00")
    assert isinstance(error(client.poll), ZeroDivisionError)
    assert [sub.granted for sub in client._router.subs] == [1, 0] and client._router.settled()


def test_a_user_name_without_a_password_is_fine():
    stream = Stream()
    stream.feed(CONNACK)
    client = client_over(stream, user="u")
    client.will("w", "gone", 1, True)
    client.connect()
    assert stream.sent() == b"\x10\x1a\x00\x04MQTT\x04\xae\x00\x3c\x00\x02me\x00\x01w\x00\x04gone\x00\x01u"


def test_a_client_id_is_made_where_none_is_given():
    one, two = MQTTClient(Stream), MQTTClient(Stream)
    first, second = (client._engine.connect.fields[0] for client in (one, two))
    assert first[2:3] == b"-" and len(first) <= 23 and first != second


def test_poll_with_a_time_returns_when_something_happens():
    client, stream = connected_client()
    client.on("t", print_nothing, qos=None)
    stream.feed(publish_packet(b"t", b""))
    client.poll(600000)  # else the test would hang
    assert client.counters["received"] == 1
    client.poll(20)


def test_mqtt_3_1_speaks_as_it_did():
    stream = Stream()
    stream.feed(b"\x20\x02\x01\x00")  # its first byte means nothing
    client = client_over(stream, level=3, clean=False)
    assert client.connect() is False
    assert stream.sent() == b"\x10\x10\x00\x06MQIsdp\x03\x00\x00\x3c\x00\x02me"
    client.publish("t", b"", 1)
    assert reconnect(client, CONNACK) == b"\x3a\x05\x00\x01t\x00\x01"  # taken for kept: with DUP


def test_no_object_gets_an_attribute_after_the_constructor():
    """One more may double the table of them: a large piece of heap, when it is wanted least."""
    keeper = Keeper()
    client = MQTTClient(keeper.open, client_id="me", clean=False, keepalive=0)
    engine = client._engine
    parts = client, client._router, engine, engine.connect, engine.message, engine.outbox
    made = [sorted(part.__dict__) for part in parts]
    client.on("in", lambda msg: None, 2)
    for qos in (1, 2):
        client.publish("out", b"%d" % qos, qos)
        keeper.send(b"in", qos)
        settle(client, keeper)
        client.close()
    assert len(keeper.got) == 2 and not keeper.ids and keeper.done()
    assert [sorted(part.__dict__) for part in parts] == made
