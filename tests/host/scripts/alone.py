# What two or three of our clients tell each other through a broker.
# Rule: one function of a Side for each sentence of test_with_brokers.py; no other program takes part.
import time

from side import error

PAYLOADS = b"", b"\x00\xff", b"x" * 200


def connects_and_disconnects(s):
    c = s.client()
    seen = []
    c.on_connect = c.on_disconnect = seen.append
    for _ in range(2):
        assert c.connect() is False and c.connected and c.state == "connected" and c.poll()
        assert c.disconnect() is True and c.state == "offline" and c.reason is None
    assert seen == [False, None, False, None]


def every_qos_both_ways(s):
    c = s.client()
    done, sent = [], []
    c.on_publish = done.append
    lists = [s.listen(c, s.topic("%d" % qos), qos) for qos in range(3)]
    c.connect()
    for qos in range(3):
        for payload in PAYLOADS:
            sent.append(c.publish(s.topic("%d" % qos), payload, qos))
            assert c.drain(5000)
    s.wait(lambda: all(len(got) == len(PAYLOADS) for got in lists))
    for qos, got in enumerate(lists):
        assert got == [(s.topic("%d" % qos), payload, qos, False) for payload in PAYLOADS]
    assert sent[:3] == [0, 0, 0] and sorted(done) == sent[3:]


def drain_ends_when_all_is_out(s):
    """At QoS 0, where no answer tells that it is: with more than a socket takes at once."""
    c = s.client(slots=3, slot_size=500000)
    c.connect()
    payload = b"x" * 499900
    begin = time.ticks_ms()
    for _ in range(9):
        while not c.room():
            c.poll(10)
        c.publish(s.topic("q"), payload)
    assert c.drain(8000) and c.counters["sent"] == 9
    assert time.ticks_diff(time.ticks_ms(), begin) < 4000
    assert c.disconnect()


def the_will_comes_of_a_cut_and_not_of_a_disconnect(s):
    watcher, c = s.client("-w"), s.client("-c")
    got = s.listen(watcher, s.topic("#"), 1)
    watcher.connect()
    c.will(s.topic("will"), "lost", 1)
    c.connect()
    c.disconnect()
    watcher.publish(s.topic("between"), b"", 1)
    s.wait(lambda: got)
    c.connect()
    c.close()
    s.wait(lambda: len(got) > 1)
    assert got == [(s.topic("between"), b"", 1, False), (s.topic("will"), b"lost", 1, False)], got


def a_retained_message_waits_for_who_subscribes_later(s):
    c, late, last = s.client("-c"), s.client("-l"), s.client("-z")
    topic = s.topic("state")
    c.connect()
    c.publish(topic, "first", 1, True)
    c.publish(topic, "on", 1, True)
    assert c.drain(5000)
    got = s.listen(late, topic, 1)
    late.connect()
    s.wait(lambda: got)
    c.publish(topic, "off", 1, True)
    s.wait(lambda: len(got) > 1)
    assert got == [(topic, b"on", 1, True), (topic, b"off", 1, False)], got
    c.publish(topic, b"", 1, True)  # removes it
    assert c.drain(5000)
    none = s.listen(last, topic, 1)
    last.connect()
    last.publish(topic, "live", 1)
    s.wait(lambda: none)
    assert none == [(topic, b"live", 1, False)], none


def each_handler_gets_what_its_filter_matches(s):
    c = s.client(filters=12)
    hits = {}

    def hit(name):
        def handler(msg):
            hits.setdefault(name, []).append(msg.topic[len(s.name) + 1 :])

        return handler

    c.subscribe(s.topic("#"), 1)
    for name in ("a/+/c", "a/#", "+", "a/b/c", "+/+", "/+", "a/b", "b/#"):
        c.on(s.topic(name), hit(name), qos=None)
    rest = []
    c.on_message = lambda msg: rest.append(msg.topic[len(s.name) + 1 :])
    c.connect()
    for name in ("a/b/c", "a", "a/b", "b/", "/a", "c/d/e"):
        c.publish(s.topic(name), b"", 1)
        assert c.drain(5000)
    s.wait(lambda: rest)
    want = {"a/+/c": ["a/b/c"], "a/#": ["a/b/c", "a", "a/b"], "+": ["a"], "a/b/c": ["a/b/c"]}
    want.update({"+/+": ["a/b", "b/", "/a"], "/+": ["/a"], "a/b": ["a/b"], "b/#": ["b/"]})
    assert hits == want, hits
    assert rest == ["c/d/e"]


def each_filter_subscribed_gets_its_messages(s):
    c = s.client(filters=5)
    lists = [s.listen(c, s.topic(name), 1) for name in ("1/+/c", "2/#", "3/+", "4")]
    c.connect()
    topics = ["1/b/c", "2", "2/b/c", "3/", "4"]
    for name in topics + ["1/c", "1/b/d", "3", "3/a/b", "4/a"]:
        c.publish(s.topic(name), b"", 1)
        assert c.drain(5000)
    end = s.listen(c, s.topic("end"), 1)
    assert c.drain(5000)
    c.publish(s.topic("end"), b"", 1)
    s.wait(lambda: end)
    heard = sorted(m[0][len(s.name) + 1 :] for got in lists for m in got)
    assert heard == topics, heard


def a_topic_with_a_dollar_is_not_for_wildcards(s):
    c = s.client()
    every = s.listen(c, "#")
    plus = s.listen(c, "+/broker/version")
    system = s.listen(c, "$SYS/broker/version")
    c.connect()
    s.wait(lambda: system)
    c.publish(s.topic("end"), b"")
    s.wait(lambda: any(m[0] == s.topic("end") for m in every))
    assert system[0][3] and not plus
    assert not [m for m in every if m[0].startswith("$")]


def what_is_granted_is_told_per_filter(s):
    c = s.client()
    granted = {}
    c.on_subscribe = granted.__setitem__
    wanted = {s.topic("%d" % qos): qos for qos in range(3)}
    for name in wanted:
        c.on(name, print, wanted[name])
    c.connect()
    assert granted == wanted, granted
    c.subscribe([(s.topic("x"), 2), (s.topic("y"), 0)])
    s.wait(lambda: len(granted) == 5)
    assert granted[s.topic("x")] == 2 and granted[s.topic("y")] == 0


def what_is_refused_is_told_per_filter(s):
    c = s.client()
    granted = {}
    c.on_subscribe = granted.__setitem__
    c.subscribe(["public/" + s.name, "secret/" + s.name], 1)
    c.connect()
    assert granted == {"public/" + s.name: 1, "secret/" + s.name: 0x80}, granted
    assert c.poll()


def messages_stop_with_unsubscribe(s):
    c = s.client()
    gone, kept, told = s.listen(c, s.topic("a"), 1), s.listen(c, s.topic("b"), 1), []
    c.on_unsubscribe = told.append
    c.on_message = gone.append
    c.connect()
    c.publish(s.topic("a"), b"1", 1)
    s.wait(lambda: gone)
    c.unsubscribe(s.topic("a"))
    s.wait(lambda: told)
    assert told == [s.topic("a")]
    c.publish(s.topic("a"), b"2", 1)
    c.publish(s.topic("b"), b"3", 1)
    s.wait(lambda: kept)
    assert len(gone) == 1, gone
    again = s.listen(c, s.topic("a"), 1)
    assert c.drain(5000)
    c.publish(s.topic("a"), b"4", 1)
    s.wait(lambda: again)
    assert [m[1] for m in again] == [b"4"]


def refused_credentials_have_a_name(s):
    for user, password in (("ann", "wrong"), ("bob", "secret"), (None, None)):
        c = s.client(user=user, password=password)
        assert error(c.connect) in ("bad user name or password", "not authorized")
        assert c.state == "offline" and c.reason
        c.start()
        s.wait(lambda c=c: c.reason and c.next_ms() < 0)  # it does not try again: the answer would be the same
        assert c.reason.code in (0x86, 0x87) and c.state == "offline" and c.next_ms() < 0
    c = s.client(user="ann", password="secret")
    c.connect()
    assert c.disconnect()


def a_link_where_nothing_is_said_stays_up(s):
    c, downs = s.client(keepalive=1), []
    c.on_disconnect = downs.append
    c.connect()
    s.rest(s.ms)
    assert downs == [] and c.connected and c.counters["sent"] == c.counters["received"] == 0
    assert c.disconnect()
