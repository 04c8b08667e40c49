# A thousand messages each way, and a broker that ends and comes back, with the test as the far end.
# Rule: as in alone.py, but say() tells the test when it can go on and hear() waits for it.


def sends(s):
    """Publish `count` numbers to name/out, as fast as slots become free."""
    c = s.client(slots=8, slot_size=64)
    done = []
    c.on_publish = done.append
    c.connect()
    s.say("connected")
    s.hear()
    topic = s.topic("out").encode()
    for i in range(s.count):
        while not c.room():
            c.poll(100)
        c.publish(topic, b"%d" % i, s.qos)
    assert c.disconnect()
    assert len(done) == (s.count if s.qos else 0), len(done)
    assert c.counters["resent"] == c.counters["stray"] == 0 and c.counters["sent"] == s.count, c.counters
    s.say("sent")


def receives(s):
    """Take `count` numbers from name/in: each once, in order."""
    c = s.client(clean=False, qos2_ids=s.count)
    got = []
    c.on(s.topic("in"), lambda msg: got.append((msg.payload_int(), msg.qos)), s.qos)
    c.connect()
    s.say("connected")
    s.wait(lambda: len(got) >= s.count, 30000)
    s.hear()  # the far end has nothing more in flight
    c.publish(s.topic("in"), b"-1", s.qos)
    s.wait(lambda: got[-1][0] == -1)
    assert [number for number, qos in got[:-1]] == list(range(s.count)), got
    assert {qos for number, qos in got} == {s.qos}
    assert c.counters["deferred"] == 0, c.counters
    assert c.disconnect()
    s.say("received", len(got) - 1)


def comes_back(s):
    """The broker goes twice: what was accepted meanwhile arrives, with the subscriptions."""
    c = s.client()
    ups, downs, got = [], [], s.listen(c, s.topic("#"), 1)
    c.on_connect, c.on_disconnect = ups.append, downs.append
    c.start()
    for life in range(3):
        s.wait(lambda: c.connected)
        s.wait(lambda life=life: len(got) == 3 * life)
        c.publish(s.topic("live"), b"%d" % life, 1)
        s.wait(lambda life=life: len(got) == 3 * life + 1)
        assert c.drain(10000)  # or it comes twice where its PUBACK dies with the broker
        s.say("go")
        if life < 2:
            s.wait(lambda: not c.connected)
            for qos in (1, 2):
                c.publish(s.topic("meanwhile"), b"%d" % qos, qos)
    got = [m[1] for m in got]
    assert got[::3] == [b"0", b"1", b"2"], got
    assert sorted(got[1:3]) == sorted(got[4:6]) == [b"1", b"2"], got  # two QoS: in any order
    assert len(ups) == 3 and len(downs) >= 2 and c.reason, (ups, downs)
    c.disconnect()
