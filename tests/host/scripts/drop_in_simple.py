# Programs as they are written for umqtt.simple; but for the import they run unchanged with that.
# Rule: `micropython drop_in_simple.py program port name [words]` runs one; the last line is then "ok".
import select
import sys
import time

from umqtt_full.simple import MQTTClient, MQTTException


def publishes(port, name):
    """A sensor: str or bytes, empty or retained, with and without an acknowledgement; None comes back."""
    c = MQTTClient(name, "127.0.0.1", port=port)
    assert c.connect() == 0
    assert c.publish(name + "/str", "21.5") is None
    assert c.publish(name.encode() + b"/bytes", b"\x00\xff", False, 1) is None
    c.publish(name + "/view", memoryview(b"-view-")[1:5], qos=1)
    c.publish(name + "/empty", b"")
    c.publish(name + "/kept", b"1", True)
    c.publish(name + "/kept", b"2", retain=True, qos=1)
    assert c.disconnect() is None


def receives(port, name):
    """Each message is one wait_msg(), in order, and what is returned is its packet's first byte."""
    got = []
    c = MQTTClient(client_id=name.encode(), server="127.0.0.1", port=port, keepalive=30)
    c.set_callback(lambda topic, msg: got.append((topic, msg)))
    c.connect()
    assert c.check_msg() is None and not got
    assert c.subscribe(name.encode() + b"/#", qos=1) is None
    print("ready")
    ops = [c.wait_msg() for _ in range(4)]
    assert [op & 0xF7 for op in ops] == [0x30, 0x32, 0x30, 0x32], ops
    topic = name.encode() + b"/in"
    assert got == [(topic, b"0"), (topic, b"1"), (topic, b""), (topic, b"\x00\xff")], got
    assert {type(part) for message in got for part in message} == {bytes}
    while len(got) < 5:
        c.check_msg()
        time.sleep(0.01)
    assert c.unsubscribe(name + "/#") is None
    c.publish(name + "/in", b"nobody hears this", qos=1)
    assert c.check_msg() is None and len(got) == 5
    c.disconnect()


def keeps_its_session(port, name):
    """What came while it was away comes with the next connect(clean_session=False)."""
    got = []

    def client():
        c = MQTTClient(name, "127.0.0.1", port)
        c.set_callback(lambda topic, msg: got.append(msg))
        return c

    c = client()
    if not c.connect(clean_session=False):
        c.subscribe(name + "/in", 1)
    c.disconnect()
    print("away")
    input()
    for each in (c, client()):
        assert each.connect(False) == 1
        while len(got) < 3:
            each.wait_msg()
        assert got == [b"0", b"1", b"2"], got
        each.disconnect()
    assert client().connect() == 0


def leaves_a_will(port, name):
    """The socket is closed without DISCONNECT."""
    c = MQTTClient(name, "127.0.0.1", port)
    c.set_last_will(name + "/will", b"gone", retain=False, qos=1)
    c.connect()
    assert c.sock
    c.sock.close()
    try:
        c.publish("t", b"", qos=1)
    except OSError:
        return
    raise AssertionError("published to a closed socket")


def pings(port, name):
    """The answer to ping() ends a wait_msg(), with None."""
    c = MQTTClient(name, "127.0.0.1", port)
    c.set_callback(print)
    c.connect()
    c.ping()
    assert c.wait_msg() is None
    c.ping()
    c.publish("t", b"", qos=1)
    c.subscribe(name)
    c.publish(name, b"")
    assert c.wait_msg() == 0x30
    c.disconnect()


def is_refused(port, name):
    """By MQTTException with CONNACK's return code, which is no OSError."""
    for user, password, code in (("ann", "secret", 0), ("ann", "wrong", 5), (b"bob", b"", 5), (None, None, 5)):
        c = MQTTClient(name, "127.0.0.1", port, user, password)
        try:
            c.connect()
            assert code == 0
        except OSError:
            raise AssertionError("an OSError")
        except MQTTException as e:
            assert e.args[0] == code, e


def loses_its_link(port, name):
    """wait_msg() raises OSError(-1); a second connect() makes it whole."""
    got = []
    c = MQTTClient(name, "127.0.0.1", port)
    c.set_callback(lambda topic, msg: got.append(msg))
    c.connect()
    print("cut")
    try:
        c.wait_msg()
        raise AssertionError("no error")
    except OSError as e:
        assert e.args[0] == -1, e
    c.connect()
    c.subscribe(name)
    c.publish(name, b"again")
    c.wait_msg()
    assert got == [b"again"], got
    c.disconnect()


def polls_its_socket(port, name):
    """check_msg() is called where the socket is readable only, and misses nothing."""
    got = []
    c = MQTTClient(name, "127.0.0.1", port)
    c.set_callback(lambda topic, msg: got.append(msg))
    c.connect()
    c.subscribe(name, 1)
    for i in range(9):
        c.publish(name, b"%d" % i, qos=i % 2)
    poller = select.poll()
    poller.register(c.sock, 1)
    while len(got) < 9:
        assert poller.poll(5000), got
        assert c.check_msg() is not None
    assert got == [b"%d" % i for i in range(9)], got
    c.disconnect()


def sets_its_socket(port, name):
    """The socket is made blocking, or gets a time-out, between the calls."""
    got = []
    c = MQTTClient(name, "127.0.0.1", port)
    c.set_callback(lambda topic, msg: got.append(msg))
    c.connect(timeout=10)
    c.subscribe(name)
    c.sock.settimeout(20)
    c.publish(name, b"0", qos=1)
    while len(got) < 1:
        c.sock.setblocking(False)
        c.check_msg()
        c.sock.setblocking(True)
    c.publish(name, b"1")
    while len(got) < 2:
        c.wait_msg()
    c.sock.setblocking(True)
    assert c.check_msg() is None
    c.disconnect()


def moves_much(port, name):
    """Messages far larger than what the client has as a buffer, both ways."""
    got = []
    c = MQTTClient(name, "127.0.0.1", port)
    c.set_callback(lambda topic, msg: got.append(msg))
    c.connect()
    c.subscribe(name, 1)
    for n in (200, 255, 256, 257, 5000, 100000):
        for qos in (0, 1):
            msg = bytes([n & 255, qos]) * (n // 2)
            c.publish(name, msg, qos=qos)
            while not got:
                c.wait_msg()
            assert got.pop() == msg, (n, qos)
    c.disconnect()


def answers_in_its_callback(port, name):
    """A callback publishes, subscribes, and waits for a message itself."""
    got = []

    def on_message(topic, msg):
        got.append(msg)
        if msg == b"question":
            c.subscribe(name + "/more")
            c.publish(name + "/in", b"answer", qos=1)
            c.publish(name + "/more", b"more", qos=1)
            while b"more" not in got:
                c.wait_msg()

    c = MQTTClient(name, "127.0.0.1", port)
    c.set_callback(on_message)
    c.connect()
    c.subscribe(name + "/in", 1)
    c.publish(name + "/in", b"question")
    c.wait_msg()
    assert sorted(got) == [b"answer", b"more", b"question"], got
    c.disconnect()


def raises_in_its_callback(port, name):
    """What the callback raises leaves wait_msg(), and the next goes on."""
    got = []

    def on_message(topic, msg):
        if msg == b"bad":
            raise KeyError
        got.append(msg)

    c = MQTTClient(name, "127.0.0.1", port)
    c.set_callback(on_message)
    c.connect()
    c.subscribe(name, 1)
    c.publish(name, b"bad")
    c.publish(name, b"good")
    for _ in range(2):
        try:
            c.wait_msg()
        except KeyError:
            got.append(None)
    assert got == [None, b"good"], got
    c.disconnect()


def times_out(port, name):
    """connect(timeout) where nothing answers."""
    c = MQTTClient(name, "127.0.0.1", port)
    try:
        c.connect(timeout=0.2)
        raise AssertionError("no error")
    except OSError as e:
        assert e.args[0] in (11, 110), e  # as the port has it
    try:
        MQTTClient(name, "127.0.0.1", 1).connect()
        raise AssertionError("no error")
    except OSError as e:
        assert e.args[0] == 111, e  # ECONNREFUSED


if __name__ == "__main__":
    globals()[sys.argv[1]](int(sys.argv[2]), *sys.argv[3:])
    print("ok")
