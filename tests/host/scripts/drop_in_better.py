# Programs for umqtt.simple that end badly there: each needs what ours does otherwise.
# Rule: as in drop_in_simple.py.
import sys
import time

from umqtt_full.simple import MQTTClient, MQTTException


def takes_qos_2(port, name):
    """QoS 2 both ways, also a payload larger than a slot, and a will of it."""
    got = []
    c = MQTTClient(name, "127.0.0.1", port)
    c.set_callback(lambda topic, msg: got.append(msg))
    c.set_last_will(name + "/will", "gone", qos=2)
    c.connect()
    c.subscribe(name + "/in", 2)
    for msg in (b"1", b"2" * 3000):
        c.publish(name + "/in", msg, qos=2)
        while msg not in got:
            assert c.wait_msg() == 0x34
    print("ready")
    while len(got) < 12:
        c.wait_msg()
    assert got[2:] == [b"%d" % i for i in range(10)], got
    c.sock.close()


def has_no_password(port, name):
    """A user name without one."""
    c = MQTTClient(name, "127.0.0.1", port, user="ann")
    c.connect()
    c.ping()
    assert c.wait_msg() is None
    c.disconnect()
    c = MQTTClient(name, "127.0.0.1", port, password="of nobody")
    c.connect()
    c.disconnect()


def uses_up_its_ids(port, name):
    """65,535 is followed by 1."""
    got = []
    c = MQTTClient(name, "127.0.0.1", port)
    c.set_callback(lambda topic, msg: got.append(msg))
    c.connect()
    c.subscribe(name, 1)
    c.pid = 65530
    for i in range(10):
        c.publish(name, b"%d" % i, qos=1)
    while len(got) < 10:
        c.wait_msg()
    assert got == [b"%d" % i for i in range(10)] and c.pid == 5, (got, c.pid)
    c.subscribe(name + "/more")
    c.disconnect()


def is_acknowledged_late(port, name):
    """A publish() whose time is over raises; its PUBACK comes while something else is waited for."""
    got = []
    c = MQTTClient(name, "127.0.0.1", port)
    c.set_callback(lambda topic, msg: got.append(msg))
    c.connect(timeout=0.2)
    c.publish(name, b"0", qos=1)
    print("stall")
    input()
    try:
        c.publish(name, b"1", qos=1)
        raise AssertionError("no error")
    except OSError as e:
        assert e.args[0] in (11, 110), e
    print("late")
    time.sleep(0.5)  # the acknowledgement lies in the socket
    c.subscribe(name, 1)
    c.publish(name, b"2", qos=1)
    while not got:
        c.wait_msg()
    assert got == [b"2"], got
    c.disconnect()


def meets_half_a_message(port, name):
    """check_msg() does not wait in the middle of a message."""
    got = []
    c = MQTTClient(name, "127.0.0.1", port)
    c.set_callback(lambda topic, msg: got.append(msg))
    c.connect()
    c.subscribe(name)
    print("ready")
    input()
    for _ in range(10):
        assert c.check_msg() is None and not got
    print("more")
    while not got:
        c.check_msg()
        time.sleep(0.001)
    assert got == [b"x" * 1000], got
    c.disconnect()


def answers_itself_for_ever(port, name):
    """A callback that publishes what calls it again is not called within itself."""
    got = []
    depth = [0, 0]

    def on_message(topic, msg):
        depth[0] += 1
        depth[1] = max(depth)
        got.append(int(msg))
        if got[-1] < 300:
            c.publish(name, b"%d" % (got[-1] + 1), qos=1)
        depth[0] -= 1

    c = MQTTClient(name, "127.0.0.1", port)
    c.set_callback(on_message)
    c.connect()
    c.subscribe(name, 1)
    c.publish(name, b"0")
    while len(got) < 301:
        c.wait_msg()
    assert got == list(range(301)) and depth == [0, 1], (got, depth)
    c.disconnect()


def is_cut_in_a_message(port, name):
    """OSError(-1), not half a message; with the session kept it comes whole on the next link, at QoS 2 once."""
    got = []
    c = MQTTClient(name, "127.0.0.1", port)
    c.set_callback(lambda topic, msg: got.append(msg))
    c.connect(False)
    c.subscribe(name, 2)
    print("ready")
    try:
        while True:
            c.wait_msg()
    except OSError as e:
        assert e.args[0] == -1, e
    assert not got
    assert c.connect(False) == 1
    while not got:
        c.wait_msg()
    c.publish(name, b"end", qos=2)
    while b"end" not in got:
        c.wait_msg()
    assert got == [b"x" * 1000, b"end"], [len(msg) for msg in got]
    c.disconnect()


def is_not_there(port, name):
    """What needs a link raises OSError before connect() and after disconnect()."""
    c = MQTTClient(name, "127.0.0.1", port)
    c.set_callback(print)
    for _ in range(2):
        c.disconnect()
        for call in (c.ping, c.wait_msg, c.check_msg, lambda: c.subscribe("t"), lambda: c.publish("t", b"")):
            try:
                call()
                raise AssertionError("no error")
            except OSError as e:
                assert e.args[0] == -1, e
        c.connect()
    c.disconnect()


def is_told_of_the_end(port, name):
    """A program that only publishes, at QoS 0, hears that its link has ended from the next publish()."""
    c = MQTTClient(name, "127.0.0.1", port)
    c.connect()
    print("ready")
    input()
    try:
        c.publish(name, b"lost")
    except OSError as e:
        assert e.args[0] == -1, e
        return
    except MQTTException:
        pass
    raise AssertionError("no error")


if __name__ == "__main__":
    globals()[sys.argv[1]](int(sys.argv[2]), *sys.argv[3:])
    print("ok")
