# Sessions: kept, lost, taken over; and what handlers may do.
# Rule: as in alone.py.
import time

from side import error


def what_came_while_away_is_delivered(s):
    c, other = s.client("-c", clean=False), s.client("-o")
    got = s.listen(c, s.topic("#"), 2)
    qos = [1, s.queued_qos] * 3
    other.connect()
    assert c.connect() is False
    for end in (c.disconnect, c.close):
        end()
        for i in range(6):
            other.publish(s.topic("q"), b"%d" % i, qos[i])
            assert other.drain(5000)
        assert not got
        asked = []
        c.on_subscribe = lambda name, granted, asked=asked: asked.append(name)
        assert c.connect() is True and c.session_present and not asked
        s.wait(lambda: len(got) >= 6)
        assert [m[1] for m in got] == [b"%d" % i for i in range(6)], got
        assert [m[2] for m in got] == [s.delivered(each, 2) for each in qos], got
        c.publish("end/" + s.name, b"", 1)
        assert c.drain(5000)  # the broker has our acks, too
        got.clear()


def what_was_accepted_while_away_is_sent(s):
    c, other = s.client("-c", clean=False, queue_qos0=True), s.client("-o")
    got = s.listen(other, s.topic("q"), 2)
    s.listen(c, s.topic("kept"), 1)  # some brokers keep no session without a subscription
    other.connect()
    c.connect()
    c.close()
    accepted = [c.publish(s.topic("q"), b"%d" % i, i % 3) for i in range(4)]
    done = []
    c.on_publish = done.append
    assert c.room() == 0 and not c.drain(10)
    assert c.connect() is True
    assert c.drain(5000) and sorted(done) == sorted(accepted)[2:]
    s.wait(lambda: len(got) == 4)
    assert sorted(m[1] for m in got) == [b"0", b"1", b"2", b"3"], got


def after_a_lost_session_it_subscribes_again(s):
    c, other = s.client("-c", clean=False), s.client("-o")
    got, asked = s.listen(c, s.topic("#"), 2), []
    c.on_subscribe = lambda name, granted: asked.append(granted)
    heard = s.listen(other, s.topic("+"), 2)
    other.connect()
    c.connect()
    c.close()
    thief = s.client("-c")  # the same id with a clean session: the broker forgets the kept one
    thief.connect()
    thief.disconnect()
    accepted = [b"%d" % qos for qos in (1, 2)]
    for payload in accepted:
        c.publish(s.topic("own"), payload, int(payload))
    assert c.connect() is False and not c.session_present and asked == [2, 2]
    other.publish(s.topic("new"), b"", 1)
    s.wait(lambda: len(got) >= 3 and len(heard) >= 3)
    for each in got, heard:
        assert sorted(m[1] for m in each if m[0] == s.topic("own")) == accepted, each
        assert len(each) == 3


def mqtt_31_does_the_same(s):
    c = s.client("-c", level=3)
    got = s.listen(c, s.topic("#"), 2)
    c.will(s.topic("will"), "gone", 1)
    assert c.connect() is False
    for qos in range(3):
        c.publish(s.topic("q"), b"%d" % qos, qos)
        assert c.drain(5000)
    s.wait(lambda: len(got) == 3)
    assert [m[1:3] for m in got] == [(b"%d" % qos, s.delivered(qos, 2)) for qos in range(3)]
    c.close()
    other = s.client("-o", level=3)
    heard = s.listen(other, s.topic("#"))
    other.connect()
    c.connect()
    c.close()
    s.wait(lambda: heard)
    assert heard == [(s.topic("will"), b"gone", 0, False)]


def mqtt_31_keeps_its_session(s):
    c, other = s.client("-c", level=3, clean=False), s.client("-o")
    got = s.listen(c, s.topic("#"), 1)
    c.connect()
    c.disconnect()
    other.connect()
    other.publish(s.topic("q"), "away", 1)
    assert other.drain(5000)
    c.connect()
    s.wait(lambda: got)
    assert [m[1] for m in got] == [b"away"]


def who_is_taken_over_is_told(s):
    first, second = s.client(), s.client()
    first.connect()
    second.connect()

    def poll():
        for _ in range(100):
            first.poll(50)

    assert error(poll) == "closed by the broker" and first.reason.code == 0x100
    assert first.state == "offline" and not first.poll() and second.poll(50)


def two_that_fight_for_an_id_back_off(s):
    fighters = [s.client(), s.client()]
    for c in fighters:
        c.retry_max_ms = 100
        c.start()
    s.wait(lambda: any(c.reason and getattr(c.reason, "code", 0) == 0x8E for c in fighters))
    assert [c for c in fighters if c.reason and c.reason.name == "session taken over"]


def a_handler_may_publish_and_subscribe(s):
    c = s.client(slots=10)
    got, echo = [], []

    def on_ask(msg):
        got.append(bytes(msg.payload))
        c.publish(s.topic("echo"), bytes(msg.payload), 2)
        c.on(s.topic("late"), on_late, 1)
        assert c.poll(1000) is True  # comes back at once

    def on_late(msg):
        echo.append((msg.topic, bytes(msg.payload)))

    c.on(s.topic("ask"), on_ask, 2)
    c.on(s.topic("echo"), on_late, 2)
    c.connect()
    begin = time.ticks_ms()
    for i in range(5):
        c.publish(s.topic("ask"), b"%d" % i, 2)
    s.wait(lambda: len(echo) == 5)
    assert c.drain(5000) and time.ticks_diff(time.ticks_ms(), begin) < 5000
    c.publish(s.topic("late"), "subscribed", 1)
    s.wait(lambda: len(echo) == 6)
    assert got == [b"%d" % i for i in range(5)]
    assert echo == [(s.topic("echo"), x) for x in got] + [(s.topic("late"), b"subscribed")], echo


def a_handler_may_disconnect(s):
    c, other, downs = s.client("-c"), s.client("-o"), []
    heard = s.listen(other, s.topic("#"), 1)
    other.connect()
    c.will(s.topic("will"), b"")
    c.on_disconnect = downs.append

    def bye(msg):
        c.publish(s.topic("last"), b"word", 2)
        c.disconnect()

    c.on(s.topic("bye"), bye, 1)
    c.connect()
    other.publish(s.topic("bye"), b"", 1)
    s.wait(lambda: downs and len(heard) == 2)
    other.publish(s.topic("end"), b"", 1)
    s.wait(lambda: len(heard) == 3)
    assert [m[0] for m in heard] == [s.topic(x) for x in ("bye", "last", "end")]
    assert downs == [None] and c.state == "offline"


def a_handler_may_close(s):
    c, other, got = s.client("-c"), s.client("-o"), []
    heard = s.listen(other, s.topic("will"), 1)
    c.will(s.topic("will"), b"cut", 1)

    def cut(msg):
        got.append(bytes(msg.payload))
        c.close()

    c.on(s.topic("cut"), cut, 1)
    other.connect()
    for i in range(2):
        c.connect()
        other.publish(s.topic("cut"), b"%d" % i, 1)
        s.wait(lambda i=i: len(heard) == i + 1)
        assert c.state == "offline" and c.reason is None and c.poll() is False
    assert got == [b"0", b"1"]


def what_a_handler_raises_leaves_poll(s):
    c = s.client()
    got = []

    def bad(msg):
        got.append(bytes(msg.payload))
        raise KeyError("mine")

    c.on(s.topic("q"), bad, 2)
    c.connect()
    for i in range(3):
        c.publish(s.topic("q"), b"%d" % i, 2)
        raised = 0
        while not raised:
            try:
                c.poll(1000)
            except KeyError:
                raised += 1
    begin = time.ticks_ms()
    assert c.drain(5000) and got == [b"0", b"1", b"2"] and c.poll()
    assert time.ticks_diff(time.ticks_ms(), begin) < 2000
