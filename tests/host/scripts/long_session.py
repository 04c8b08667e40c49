# One session with more messages than there are packet ids.
# Rule: as in alone.py.


def more_messages_than_ids(s):
    """Publish `count` numbers of 5 digits to name/n with QoS 1, all slots in use; the acks come in order of id."""
    c = s.client(slots=16, slot_size=64)
    acked = [0, 0]  # how many, the last id
    at_wrap = []

    def on_publish(packet_id):
        assert packet_id == acked[1] % 65535 + 1, (packet_id, acked)
        acked[0] += 1
        acked[1] = packet_id

    c.on_publish = on_publish
    c.connect()
    topic = s.topic("n").encode()
    for i in range(s.count):
        while not c.room():
            c.poll(1000)
        if c.publish(topic, b"%05d" % i, 1) == 1:
            at_wrap.append(16 - c.room())
    assert c.drain(10000) and acked == [s.count, (s.count - 1) % 65535 + 1], acked
    assert at_wrap[0] == 1 and len(at_wrap) == 2 and at_wrap[1] > 1, at_wrap  # others were in flight
    assert c.counters["sent"] == s.count and c.counters["resent"] == c.counters["stray"] == 0, c.counters
    assert c.disconnect()
