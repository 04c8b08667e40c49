# Programs as they are written for umqtt.robust; but for the import they run unchanged with that.
# Rule: as in drop_in_simple.py. That is so for `.._faithful`; the others need what ours does otherwise.
import select
import sys

from umqtt_full.robust import MQTTClient
from umqtt_full.simple import MQTTException


class Quick(MQTTClient):
    """Overrides what is there to be overridden."""

    DELAY = 0.05

    def __init__(self, *args, **kw):
        super().__init__(*args, **kw)
        self.logged = []

    def log(self, in_reconnect, e):
        assert isinstance(e, OSError)
        self.logged.append(in_reconnect)
        print("log", in_reconnect)

    def delay(self, i):
        assert i > 0
        super().delay(i)


def listens_faithful(port, name):
    """Its subscription is made once; the broker keeps the session over its own restart."""
    got = []
    c = Quick(name, "127.0.0.1", port)
    c.set_callback(lambda topic, msg: got.append(msg))
    if not c.connect(clean_session=False):
        c.subscribe(name, 1)
    print("ready")
    for i in range(2):
        while len(got) == i:
            c.wait_msg()
        print("got", got[i].decode())
    assert c.logged.count(False) == 1 and c.logged[0] is False, c.logged
    c.disconnect()


def resubscribes_faithful(port, name):
    """A subclass that keeps its topics, and overrides connect() and subscribe() to that end."""

    class Keeps(Quick):
        topics = []

        def connect(self, clean_session=True):
            present = super().connect(clean_session)
            if not present:
                for topic in self.topics:
                    self.subscribe(topic)
            return present

        def subscribe(self, topic):
            super().subscribe(topic)
            if topic not in self.topics:
                self.topics.append(topic)

    got = []
    c = Keeps(name, "127.0.0.1", port)
    c.set_callback(lambda topic, msg: got.append(msg))
    c.connect()
    c.subscribe(name)
    print("ready")
    for i in range(2):
        while len(got) == i:
            c.wait_msg()
        print("got", got[i].decode())
    c.disconnect()


def says_that_it_is_there_faithful(port, name):
    """A subclass whose connect() publishes, with a will that says the opposite."""

    class Tells(Quick):
        def connect(self, clean_session=True):
            self.set_last_will(name + "/state", b"off", retain=True)
            try:
                return super().connect(clean_session)
            finally:
                self.publish(name + "/state", b"on", retain=True)

    c = Tells(name, "127.0.0.1", port, keepalive=5)
    c.connect()
    print("ready")
    if input() == "again":
        c.publish(name + "/more", b"1", qos=1)
    c.sock.close()


def tells_what_it_does_faithful(port, name):
    """DEBUG prints, and check_msg() gives up after so many attempts."""
    c = MQTTClient(name, "127.0.0.1", port)
    assert (c.DELAY, c.DEBUG) == (2, False)
    c.DELAY, c.DEBUG = 0.05, True
    c.set_callback(print)
    c.connect()
    poller = select.poll()
    poller.register(c.sock, 1)
    print("cut")
    assert poller.poll(5000)
    assert c.check_msg() is None
    print("checked")
    c.disconnect()


def publishes(port, name):
    """Each message, at each QoS, is at the broker once it is back; QoS 1 and 2 return only then."""
    c = Quick(name, "127.0.0.1", port)
    c.connect()
    while True:
        qos, payload = input().split()
        if payload == "none":
            break
        c.publish(name, payload.encode(), qos=int(qos))
        print("published", payload)
    c.disconnect()


def comes_back(port, name):
    """Clean session or not, its subscriptions do, with their QoS; and what was begun is ended."""
    got = []
    c = Quick(name, "127.0.0.1", port)
    c.set_callback(lambda topic, msg: got.append(msg))
    c.connect()
    c.subscribe(name, 1)
    c.subscribe(name + "/gone")
    c.unsubscribe(name + "/gone")
    c.subscribe(name + "/+/two", 2)
    print("ready")
    input()
    while not c.logged:
        c.check_msg()
    c.publish(name, b"1", qos=1)
    c.publish(name + "/gone", b"0")
    c.publish(name + "/x/two", b"2", qos=2)
    while len(got) < 2:
        c.check_msg()
    print("again")
    input()
    c.subscribe(name + "/late", 1)
    c.publish(name + "/late", b"3", qos=1)
    c.publish(name, b"4")
    while len(got) < 4:
        c.wait_msg()
    assert got == [b"1", b"2", b"3", b"4"], got
    print("again")
    input()
    c.unsubscribe(name + "/late")
    c.ping()
    assert c.wait_msg() is None
    c.disconnect()


def is_refused(port, name):
    """A refusal ends the attempts, as it is no OSError."""
    c = Quick(name, "127.0.0.1", port, "ann", "wrong")
    for call in (c.connect, c.reconnect, lambda: c.publish("t", b"", qos=1), c.ping):
        try:
            call()
            raise AssertionError("no error")
        except MQTTException as e:
            assert e.args[0] == 5, e
    c.pswd = "secret"
    c.publish(name, b"let in", qos=1)
    c.disconnect()


if __name__ == "__main__":
    globals()[sys.argv[1]](int(sys.argv[2]), *sys.argv[3:])
    print("ok")
