# What the drop-ins for umqtt.simple and umqtt.robust write, what they take, and when they call the callback.
from errno import ETIMEDOUT

from fake import CONNACK, CONNACK_PRESENT, PINGREQ, PINGRESP, Stream, error, publish_packet

from umqtt_full import robust
from umqtt_full.simple import MQTTClient, MQTTException
from umqtt_full.wire import put_varint

SUBACK = b"\x90\x03\x00\x01\x01"


class Server:
    """Gives streams in their turn."""

    host, port = "host", 1883

    def __init__(self, streams):
        self.open = streams.pop
        self.streams = streams


class Client(MQTTClient):
    """A client of streams; `got` is what its callback got."""

    def __init__(self, *streams, slots=2, **kw):
        super().__init__(b"me", "host", **kw)
        self.SLOTS = slots
        self.streams = list(reversed(streams))
        self.got = []
        self.cb = self.take

    def _server(self):
        return Server(self.streams)

    def take(self, topic, msg):
        self.got.append((topic, msg))


class Broker(Stream):
    """A stream that answers each write: with what `answers` has for its first byte; DISCONNECT with the end."""

    def __init__(self, **answers):
        super().__init__(8192)
        self.answers = answers

    def write(self, buf, off, n):
        done = super().write(buf, off, n)
        if done:
            self.feed(self.answers.pop("x%02x" % buf[off], b""))
            self.ended = self.ended or buf[off + n - 2] == 0xE0
        return done


def connected(connack=CONNACK, timeout=None, **kw):
    """(client, stream), connected."""
    stream = Broker()
    client = Client(stream, **kw)
    stream.feed(connack)
    assert client.connect(connack != CONNACK_PRESENT, timeout) == connack[2]
    stream.forget()
    return client, stream


def test_connect_sends_what_the_attributes_say():
    stream = Stream()
    client = Client(stream, user="ann", password=b"pw", keepalive=300)
    client.client_id = "other"
    client.set_last_will("w", b"gone", True, 2)
    stream.feed(CONNACK)
    client.connect()
    body = b"\x00\x04MQTT\x04\xf6\x01\x2c\x00\x05other\x00\x01w\x00\x04gone\x00\x03ann\x00\x02pw"
    assert stream.sent() == b"\x10%c" % len(body) + body
    assert client.sock is stream


def test_a_user_needs_no_password_and_a_password_without_user_is_left_out():
    me = b"\x00\x00\x00\x02me"
    for user, password, end in (("u", None, b"\x82" + me + b"\x00\x01u"), ("", "p", b"\x02" + me)):
        stream = Stream()
        stream.feed(CONNACK)
        Client(stream, user=user, password=password).connect()
        assert stream.sent()[9:] == end


def test_a_refused_connect_raises_mqttexception_with_its_code():
    for code in range(1, 6):
        stream = Stream()
        stream.feed(b"\x20\x02\x00%c" % code)
        e = error(Client(stream).connect)
        assert isinstance(e, MQTTException) and not isinstance(e, OSError) and e.args[0] == code, e
        assert stream.closed


def test_a_refused_subscribe_raises_128():
    client, stream = connected()
    stream.answers["x82"] = b"\x90\x03\x00\x01\x80"
    e = error(client.subscribe, "t")
    assert isinstance(e, MQTTException) and e.args[0] == 128, e
    stream.answers["x82"] = b"\x90\x03\x00\x02\x00"
    client.subscribe("t")


def test_subscribe_needs_a_callback_first():
    client, stream = connected()
    client.set_callback(None)
    assert isinstance(error(client.subscribe, "t"), ValueError)


def test_the_end_of_the_stream_is_oserror_minus_one():
    client, stream = connected()
    stream.feed(publish_packet(b"t", b"last"))
    stream.ended = True
    client.wait_msg()
    for call in (client.wait_msg, client.check_msg, client.ping, client.wait_msg):
        e = error(call)
        assert isinstance(e, OSError) and e.args[0] == -1, e
    assert client.got == [(b"t", b"last")] and stream.closed == 1


def test_the_end_instead_of_connack_is_oserror_minus_one():
    stream = Stream()
    stream.ended = True
    e = error(Client(stream).connect)
    assert isinstance(e, OSError) and e.args[0] == -1, e


def test_what_is_no_mqtt_is_oserror_minus_one():
    client, stream = connected()
    stream.feed(b"\xff\x00")
    e = error(client.wait_msg)
    assert isinstance(e, OSError) and e.args[0] == -1, e


def test_no_connack_in_time_is_etimedout():
    e = error(Client(Stream()).connect, True, 0.02)
    assert isinstance(e, OSError) and e.args[0] == ETIMEDOUT, e


def test_check_msg_waits_for_no_byte_of_a_message():
    for n in (0, 20, 1000):
        client, stream = connected()
        body = b"\x00\x01t" + b"x" * n
        length = bytearray(3)
        packet = b"\x30" + length[: put_varint(length, 0, len(body))] + body
        for i in range(len(packet) - 1):
            stream.feed(packet[i : i + 1])
            assert client.check_msg() is None and not client.got
        stream.feed(packet[-1:])
        assert client.check_msg() == 0x30 and client.got == [(b"t", b"x" * n)]


def test_a_message_is_a_copy_as_bytes():
    client, stream = connected()
    for payload in (b"one", b"two"):
        stream.feed(publish_packet(b"t/%s" % payload, payload))
        client.wait_msg()
    assert client.got == [(b"t/one", b"one"), (b"t/two", b"two")]
    assert {type(part) for message in client.got for part in message} == {bytes}


def test_one_call_reads_one_message():
    client, stream = connected()
    packets = [publish_packet(b"t", b"%d" % i, qos, i + 1, 1) for i, qos in enumerate((0, 1, 2))]
    for packet in packets:
        stream.feed(packet)
    left = stream.left()
    for packet in packets:
        assert client.check_msg() == packet[0]
        left -= len(packet)
        assert stream.left() == left
    assert client.check_msg() is None
    assert [msg for topic, msg in client.got] == [b"0", b"1", b"2"]


def test_a_message_is_acknowledged_when_the_callback_has_returned():
    client, stream = connected()
    seen = []
    client.cb = lambda topic, msg: seen.append(stream.sent())
    stream.feed(publish_packet(b"t", b"1", 1, 7))
    client.check_msg()
    assert seen == [b""] and stream.sent() == b"\x40\x02\x00\x07"
    stream.feed(publish_packet(b"t", b"2", 2, 8))
    client.check_msg()
    assert seen == [b"", b""] and stream.sent() == b"\x50\x02\x00\x08"


def test_what_the_callback_raises_comes_out_and_the_next_message_is_read():
    client, stream = connected()

    def bad(topic, msg):
        raise KeyError

    client.set_callback(bad)
    stream.feed(publish_packet(b"t", b"1", 1, 7))
    stream.feed(publish_packet(b"t", b"2", 1, 8))
    assert isinstance(error(client.wait_msg), KeyError)
    client.set_callback(client.take)
    client.wait_msg()
    assert client.got == [(b"t", b"2")] and stream.sent() == b"\x40\x02\x00\x07\x40\x02\x00\x08"


def test_a_qos_2_message_that_comes_again_is_not_delivered_again():
    client, stream = connected(CONNACK_PRESENT)
    stream.feed(publish_packet(b"t", b"2", 2, 8))
    client.wait_msg()
    stream.feed(publish_packet(b"t", b"2", 2, 8, 8))
    assert client.check_msg() is None and len(client.got) == 1
    again = Stream()
    client.streams.append(again)
    again.feed(CONNACK_PRESENT)
    client.connect(False)
    again.feed(publish_packet(b"t", b"2", 2, 8, 8))
    assert client.check_msg() is None and len(client.got) == 1
    assert again.sent()[-4:] == b"\x50\x02\x00\x08"


def test_a_qos_2_message_whose_callback_raised_is_not_delivered_again():
    client, stream = connected(CONNACK_PRESENT)

    def on_message(topic, msg):
        client.got.append(msg)
        raise KeyError

    client.set_callback(on_message)
    stream.feed(publish_packet(b"t", b"2", 2, 8))
    assert isinstance(error(client.wait_msg), KeyError)
    again = Stream()
    client.streams.append(again)
    again.feed(CONNACK_PRESENT)
    client.connect(False)
    again.feed(publish_packet(b"t", b"2", 2, 8, 8))
    assert client.check_msg() is None and client.got == [b"2"]


def test_publish_gives_none_when_it_is_written_or_acknowledged():
    client, stream = connected()
    assert client.publish("t", "0", True) is None
    assert stream.sent() == b"\x31\x04\x00\x01t0"
    stream.feed(b"\x40\x02\x00\x01")
    assert client.publish(b"t", b"1", False, 1) is None
    assert stream.sent() == b"\x32\x06\x00\x01t\x00\x011"
    broker = Broker(x34=b"\x50\x02\x00\x02", x62=b"\x70\x02\x00\x02")
    client.streams.append(broker)
    broker.feed(CONNACK)
    client.connect()
    broker.forget()
    assert client.publish(b"t", b"2", qos=2) is None
    assert broker.sent() == b"\x34\x06\x00\x01t\x00\x022\x62\x02\x00\x02" and client.pid == 2


def test_a_payload_of_any_size_is_written_piece_by_piece():
    for n in (236, 237, 4000):
        for most in (1, 7, 4096):
            client, stream = connected()
            stream.most_out = most
            payload = bytes([n & 255]) * n
            client.publish("t", payload)
            assert stream.sent()[-n:] == payload
            stream.feed(b"\x40\x02\x00\x01")
            client.publish("t", payload, qos=1)
            assert stream.sent()[-n - 2 :] == b"\x00\x01" + payload


def test_a_time_over_leaves_the_link_and_a_late_puback_is_no_harm():
    for slots in (1, 2):
        for n in (1, 1000):
            client, stream = connected(timeout=0.02, slots=slots)
            e = error(client.publish, "t", b"1" * n, False, 1)
            assert isinstance(e, OSError) and e.args[0] == ETIMEDOUT, e
            if slots == 1 or n == 1000:  # no room, or one that is large already
                e = error(client.publish, "t", b"2" * n)
                assert isinstance(e, OSError) and e.args[0] == ETIMEDOUT, e
            stream.feed(b"\x40\x02\x00\x01")
            stream.answers["x32"] = b"\x40\x02\x00\x02"
            client.publish("t", b"3" * n, qos=1)
            assert stream.sent()[-n:] == b"3" * n
            stream.feed(publish_packet(b"t", b"in"))
            assert client.wait_msg() == 0x30


def test_a_message_whose_link_ended_is_given_up():
    client, stream = connected()
    stream.ended = True
    for qos in (0, 1, 2):
        e = error(client.publish, "t", b"1", False, qos)
        if qos:
            assert isinstance(e, OSError) and e.args[0] == -1, e
    again = Stream()
    client.streams.append(again)
    again.feed(CONNACK)
    client.connect()
    again.forget()
    assert client.check_msg() is None and again.sent() == b""


def test_ping_ends_a_wait_msg_but_only_its_own():
    client, stream = connected()
    client.ping()
    assert stream.sent() == PINGREQ
    stream.feed(PINGRESP)
    assert client.wait_msg() is None
    client.ping()
    stream.feed(PINGRESP + b"\x40\x02\x00\x01")
    client.publish("t", b"", qos=1)
    stream.feed(PINGRESP + publish_packet(b"t", b"1"))
    assert client.wait_msg() == 0x30


def test_a_callback_may_publish_and_is_not_called_within_itself():
    client, stream = connected()
    depth = []

    def on_message(topic, msg):
        depth.append(len(client.got))
        if msg == b"1":
            stream.feed(publish_packet(b"t", b"2", 1, 8) + b"\x40\x02\x00\x01")
            client.publish("a", b"", qos=1)
            assert not client.got
        client.got.append(msg)

    client.set_callback(on_message)
    stream.feed(publish_packet(b"t", b"1", 1, 7))
    assert client.wait_msg() == 0x32
    assert client.got == [b"1", b"2"] and depth == [0, 1]
    assert stream.sent() == b"\x32\x05\x00\x01a\x00\x01\x40\x02\x00\x07\x40\x02\x00\x08"


def test_a_callback_may_wait_for_a_message():
    client, stream = connected()

    def on_message(topic, msg):
        client.got.append(msg)
        if msg == b"1":
            assert client.wait_msg() == 0x30

    client.set_callback(on_message)
    stream.feed(publish_packet(b"t", b"1") + publish_packet(b"t", b"2"))
    client.wait_msg()
    assert client.got == [b"1", b"2"]


def test_a_callback_may_disconnect():
    client, stream = connected()
    client.set_callback(lambda topic, msg: client.disconnect())
    stream.feed(publish_packet(b"t", b"1", 1, 7))
    client.wait_msg()
    assert stream.sent() == b"\x40\x02\x00\x07\xe0\x00" and stream.closed == 1


def test_a_clean_session_forgets_subscriptions_and_another_brings_them_back():
    client, stream = connected()
    stream.answers["x82"] = SUBACK
    client.subscribe("t", 1)
    for clean, expected in ((False, b"\x82\x06\x00\x02\x00\x01t\x01"), (True, b"")):
        again = Broker(x82=b"\x90\x03\x00\x02\x01")
        client.streams.append(again)
        again.feed(CONNACK)
        client.connect(clean)
        assert again.sent()[16:] == expected


def test_a_message_ahead_of_suback_does_not_keep_a_link_from_coming_up():
    client, stream = connected()
    stream.answers["x82"] = SUBACK
    client.subscribe("t", 1)
    again = Broker(x82=publish_packet(b"t", b"1", 1, 5) + publish_packet(b"t", b"2") + b"\x90\x03\x00\x02\x01")
    client.streams.append(again)
    again.feed(CONNACK)
    client.connect(False)
    assert not client.got
    assert client.wait_msg() == 0x30 and client.got == [(b"t", b"1"), (b"t", b"2")]


def test_there_may_be_many_subscriptions():
    client, stream = connected()
    for i in range(1, 30):
        stream.answers["x82"] = b"\x90\x03\x00%c\x00" % i
        client.subscribe("t/%d" % i)
    stream.answers["xa2"] = b"\xb0\x02\x00\x1e"
    stream.forget()
    client.unsubscribe(b"t/1")
    assert stream.sent() == b"\xa2\x07\x00\x1e\x00\x03t/1"


def test_a_will_may_be_larger_than_rx():
    client, stream = connected()
    for n in (1000, 2000):
        client.set_last_will("w", b"x" * n)
        again = Stream()
        client.streams.append(again)
        again.feed(CONNACK)
        client.connect()
        assert again.sent()[-n:] == b"x" * n


def test_packet_ids_go_on_from_pid_and_wrap():
    client, stream = connected()
    client.pid = 65534
    for high, low in ((255, 255), (0, 1)):
        stream.feed(bytes((0x40, 2, high, low)))
        client.publish("t", b"", qos=1)
    assert client.pid == 1


def test_a_server_is_looked_up_anew_where_it_has_changed():
    client, stream = connected()
    first = client._client._servers[0]
    for server, same in (("host", True), ("elsewhere", False)):
        client.server = server
        again = Stream()
        client.streams.append(again)
        again.feed(CONNACK)
        client.connect()
        assert (client._client._servers[0] is first) == same


def test_a_connect_that_publishes_is_not_called_within_itself_in_a_long_outage():
    stream = Stream()
    stream.feed(CONNACK)
    depth = [0, 0]
    attempts = []

    def open_late():
        attempts.append(depth[0])
        if len(attempts) < 200:
            raise OSError(111)
        return stream

    class Tells(robust.MQTTClient):
        DELAY = 0

        def _server(self):
            server = Server([])
            server.open = open_late
            return server

        def connect(self, clean_session=True):
            depth[0] += 1
            depth[1] = max(depth)
            try:
                return super().connect(clean_session)
            finally:
                try:
                    self.publish("state", b"on")
                finally:
                    depth[0] -= 1

    client = Tells("me", "host")
    assert isinstance(error(client.connect), OSError)  # the first attempt's, behind all others
    assert len(attempts) == 200 and depth == [0, 2], (len(attempts), depth)
    assert stream.sent()[16:] == (b"\x30\x09\x00\x05stateon") * 2


def test_a_robust_publish_is_one_message_over_many_links():
    streams = [Broker() for _ in range(5)]
    for stream in streams[:-1]:
        stream.feed(CONNACK_PRESENT)
        stream.ended = True
    streams[-1].feed(CONNACK_PRESENT)
    streams[-1].answers["x3c"] = b"\x50\x02\x00\x01"  # with DUP
    streams[-1].answers["x62"] = b"\x70\x02\x00\x01"

    class Robust(robust.MQTTClient):
        DELAY = 0
        logged = []

        def _server(self):
            return Server(list(reversed(streams)))

        def log(self, in_reconnect, e):
            self.logged.append(in_reconnect)

    client = Robust("me", "host")
    client.set_callback(print)
    client.connect(False)
    assert client.publish("t", b"x" * 500, qos=2) is None
    assert client.logged == [False] * 4 and client.pid == 1
    assert [stream.closed for stream in streams] == [1, 1, 1, 1, 0]
