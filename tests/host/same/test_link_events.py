# What a client tells of its links, and what it counts: each event once, in order, with the truth in it.
# Rule: time passes in sleeps only; each byte that either side wrote is known, so counters are compared exactly.
import gc
import random
import sys

from clock import HOUR, REFUSED, Clock, Server, client_of, cut, names, until_up
from fake import CONNACK, CONNACK_PRESENT, PINGREQ, PINGRESP, Stream, connected_client, error, publish_packet

from umqtt_full import MQTTClient

MICROPYTHON_ONLY = ("test_what_is_not_traced_any_more_holds_nothing_of_it",)


def polls(c, count=5):
    for _ in range(count):
        c.poll()


# -- events


def test_each_event_comes_once_and_in_order():
    with Clock() as clock:
        server = Server(REFUSED)
        c, told = client_of(clock, server, clean=False)
        c.start()
        while len(told) < 6:
            c.poll(HOUR)
        server.answer = CONNACK
        until_up(c)
        cut(c, server)
        server.answer = CONNACK_PRESENT
        until_up(c)
        assert names(told) == (
            ["error", "offline", "reconnect"] + ["error", "reconnect"] * ((len(told) - 8) // 2)
            + ["connect", "disconnect", "offline", "reconnect", "connect"]
        ), told
        assert [event[1] for event in told if event[0] == "connect"] == [False, True]
        assert told[0] == ("error", REFUSED) and told[1] == ("offline", REFUSED)
        assert told[-4:-2] == [("disconnect", "closed by the broker"), ("offline", "closed by the broker")]


def test_a_link_that_was_not_up_yet_is_an_error_and_no_disconnect():
    with Clock() as clock:
        server = Server()
        c, told = client_of(clock, server)
        c.subscribe("a")
        c.start()
        polls(c)
        assert server.stream.sent()[-4:] == b"\x00\x01a\x00" and not c.connected  # CONNACK is not all
        cut(c, server)
        assert told[0] == ("error", "closed by the broker") and "disconnect" not in names(told)


def test_a_disconnect_that_was_asked_for_is_told_and_no_outage():
    with Clock() as clock:
        server = Server()
        c, told = client_of(clock, server)
        until_up(c)
        c.disconnect(1000)
        assert told == [("connect", False), ("disconnect", None)] and server.stream.closed


def test_a_disconnect_without_a_link_tells_of_none_and_does_not_wait():
    with Clock() as clock:
        c, told = client_of(clock, Server(REFUSED))
        before = clock.now
        c.disconnect(1000)
        assert not told and clock.now == before
        c.start()
        c.poll()
        told.clear()
        c.disconnect(1000)
        assert not told


def test_a_close_is_told_by_nothing():
    with Clock() as clock:
        c, told = client_of(clock, Server())
        until_up(c)
        c.close()
        polls(c)
        assert told == [("connect", False)]


def test_the_delay_that_is_told_is_the_one_that_passes():
    with Clock() as clock:
        server = Server(REFUSED)
        c, told = client_of(clock, server)
        c.start()
        while len(server.opened) < 12:
            c.poll(HOUR)
        told = [event for event in told if event[0] == "reconnect"]
        gaps = [b - a for a, b in zip(server.opened, server.opened[1:])]
        assert gaps == [event[2] for event in told][: len(gaps)]
        assert [event[1] for event in told][: len(gaps)] == list(range(2, 13))


def test_a_refusal_that_will_not_change_ends_the_attempts():
    for code in (1, 2, 4, 5):
        with Clock() as clock:
            server, other = Server(bytes([0x20, 2, 0, code])), Server()
            c, told = client_of(clock, server, other)
            c.start()
            for _ in range(10):
                c.poll(HOUR)
            assert names(told) == ["error", "offline"] and not other.opened and len(server.opened) == 1
            assert c.next_ms() == -1
            server.answer = CONNACK
            until_up(c)


def test_messages_that_come_before_suback_are_given_their_time():
    with Clock() as clock:
        server = Server(b"\x20\x02\x01\x00")
        c, _ = client_of(clock, server, clean=False)
        c.connect_ms = 1000
        seen = []
        c.on("t", lambda msg: seen.append(1), qos=1)
        c.start()
        for n in range(5):
            c.poll()
            clock.now += 600
            server.stream.feed(publish_packet(b"t", b"x", 1, n + 1))
        c.poll()
        assert len(seen) == 5 and len(server.opened) == 1 and not c.connected
        clock.now += 1000
        c.poll()
        assert c.reason.name == "connect timeout"


def test_connect_takes_the_time_it_was_given_whatever_comes():
    with Clock() as clock:
        server = Server(b"\x20\x02\x01\x00")
        c, _ = client_of(clock, server, clean=False)
        turn = c._turn

        def busy():
            clock.now += 100
            assert clock.now - begun < 2000
            if server.stream:
                server.stream.feed(publish_packet(b"t", b"x"))
            return turn()

        c._turn = busy
        c.on("t", lambda msg: None)
        begun = clock.now
        assert error(c.connect, 1000).name == "connect timeout"


def test_a_refusal_that_may_change_does_not():
    with Clock() as clock:
        server = Server(b"\x20\x02\x00\x03")
        c, told = client_of(clock, server)
        c.start()
        c.poll()
        polls(c)
        assert names(told) == ["error", "offline", "reconnect"]
        server.answer = CONNACK
        until_up(c)


def test_who_stops_in_on_disconnect_is_told_of_no_reconnect():
    for stop in ("close", "disconnect"):
        with Clock() as clock:
            server = Server()
            c, told = client_of(clock, server)
            until_up(c)
            c.on_disconnect = lambda reason, c=c, stop=stop: getattr(c, stop)()
            cut(c, server)
            for _ in range(5):
                c.poll(HOUR)
            assert "reconnect" not in names(told) and len(server.opened) == 1


def test_what_a_callback_raises_leaves_poll_and_the_attempts_go_on():
    def fail(*_):
        raise KeyError("mine")

    for name in ("on_error", "on_offline", "on_reconnect", "on_connect"):
        with Clock() as clock:
            server = Server(REFUSED)
            c, told = client_of(clock, server)
            setattr(c, name, fail)
            c.start()
            raised = 0
            for _ in range(20):
                raised += isinstance(error(c.poll, 0 if c.connected else HOUR), KeyError)
                server.answer = CONNACK if len(server.opened) > 2 else REFUSED
            assert raised and c.connected, name


# -- the trace


def traced(c):
    seen = []
    c.trace(lambda *packet: seen.append(packet))
    return seen


def test_every_packet_is_traced_as_it_comes_and_goes():
    stream = Stream()
    c = MQTTClient(lambda: stream, "me", clean=False, slot_size=600)
    seen = traced(c)
    c.subscribe("a", 1)
    c.start()
    polls(c, 2)
    stream.feed(CONNACK)
    polls(c)
    assert seen == [(True, 0x10, 14), (False, 0x20, 2), (True, 0x82, 6)]
    del seen[:]
    stream.feed(b"\x90\x03\x00\x01\x01")
    polls(c)
    c.publish("t", b"x" * 500, 2, True)
    c.publish("t", b"", 0)
    stream.feed(b"\x50\x02\x00\x02\x70\x02\x00\x02" + publish_packet(b"a", b"z", 1, 9, 8))
    polls(c)
    assert seen[:3] == [(False, 0x90, 3), (True, 0x35, 505), (True, 0x30, 3)]
    assert sorted(seen[3:]) == sorted(
        [(False, 0x50, 2), (False, 0x70, 2), (False, 0x3A, 6), (True, 0x62, 2), (True, 0x40, 2)]
    )


def test_acks_that_go_out_together_are_traced_one_by_one():
    c, stream = connected_client()
    seen = traced(c)
    stream.tell = 0
    stream.feed(publish_packet(b"t", b"", 1, 7) + publish_packet(b"t", b"", 2, 8) + b"\x62\x02\x00\x08")
    polls(c)
    assert seen == [(False, 0x32, 5), (False, 0x34, 5), (False, 0x62, 2)]
    del seen[:]
    stream.tell = 5  # the first, and a piece of the next
    polls(c)
    stream.feed(publish_packet(b"t", b"", 1, 9))
    polls(c)
    stream.tell = 1 << 29
    polls(c)
    assert [packet for packet in seen if packet[0]] == [
        (True, 0x40, 2), (True, 0x50, 2), (True, 0x70, 2), (True, 0x40, 2)
    ]


def test_a_trace_function_may_publish():
    for log in (b"log", b"a" * 60):
        c, stream = connected_client(slots=6)
        told = []

        def trace(sent, head, n, log=log, c=c, told=told):
            told.append((sent, head))
            if len(told) == 1:
                c.publish(b"log", log, 1)

        stream.most_out = 0
        for i in range(3):
            c.publish(b"a", b"%d" % i, 1)
        c.trace(trace)
        stream.most_out, stream.tell = 4096, 40
        polls(c)
        stream.tell = 4096
        polls(c)
        packets = b"".join(publish_packet(b"a", b"%d" % i, 1, i + 1) for i in range(3))
        assert stream.sent() == packets + publish_packet(b"log", log, 1, 4)
        assert c.counters["sent"] == 4 and told == [(True, 0x32)] * 4 and c.room() == 2


def test_a_message_that_is_held_is_traced_and_counted_once():
    c, stream = connected_client()
    held = [3]

    def handler(msg):
        held[0] -= 1
        if held[0]:
            msg.later()

    c.on_message = handler
    seen = []
    c.trace(lambda sent, head, n: seen.append(head))
    before = c.counters["bytes_in"]
    packet = publish_packet(b"t", b"x", 1, 7)
    stream.feed(packet)
    polls(c)
    assert held == [0] and seen == [0x32, 0x40]
    assert c.counters["bytes_in"] - before == len(packet) and c.counters["received"] == 1


def test_a_message_whose_handler_closes_the_link_is_counted_with_its_bytes():
    c, stream = connected_client()
    c.on_message = lambda msg: c.close()
    before = c.counters["bytes_in"]
    stream.feed(publish_packet(b"t", b"x" * 20))
    c.poll()
    assert c.counters["bytes_in"] - before == 25


def test_what_is_too_large_and_pings_and_disconnect_are_traced():
    with Clock() as clock:
        server = Server()
        c, told = client_of(clock, server, rx=32, keepalive=10)
        seen = traced(c)
        until_up(c)
        server.stream.feed(b"\x30\xac\x02\x00\x01t" + b"x" * 297)
        while server.stream.left():
            c.poll()
        polls(c)
        clock.now += 9000
        polls(c)
        server.stream.feed(PINGRESP)
        polls(c)
        c.disconnect(1000)
        assert seen[2:] == [(False, 0x30, 300), (True, 0xC0, 0), (False, 0xD0, 0), (True, 0xE0, 0)]


def test_a_trace_function_may_close_the_link():
    c, stream = connected_client()
    c.trace(lambda sent, head, n: sent and head == 0x82 and c.close())
    stream.most_out = 0
    c.subscribe("a")
    c.poll()
    stream.most_out = 4096
    c.poll()
    assert c.state == "offline"


def test_what_is_not_traced_any_more_holds_nothing_of_it():
    c, _ = connected_client()

    def begin():
        log = bytearray(20000)

        def note(sent, head, n):
            log[0] = head

        c.trace(note)

    def deep(n):  # where the stack still knew of it
        return n and deep(n - 1)

    c.trace(len)
    c.trace(None)
    gc.collect()
    before = gc.mem_alloc()
    begin()
    c.trace(None)
    deep(30)
    gc.collect()
    held = gc.mem_alloc() - before
    assert held < 1000 or sys.platform == "webassembly"  # it collects only when the script is over


# -- counters


def test_bytes_are_counted_exactly():
    c, stream = connected_client(rx=32, keepalive=0)
    assert (c.counters["bytes_in"], c.counters["bytes_out"]) == (4, 16)
    answers = b"\x40\x02\x00\x01" + publish_packet(b"t", b"x" * 100, 1, 7) + publish_packet(b"t", b"y", 0)
    stream.most_in = stream.most_out = 3
    c.publish("t", b"payload", 1)
    c.publish("t", b"p")
    stream.feed(answers)
    while stream.left():
        c.poll()
    polls(c)
    assert c.counters["bytes_in"] == 4 + len(answers)
    assert c.counters["bytes_out"] == 16 + len(stream.sent()) == 16 + 14 + 6 + 4


def test_messages_acks_and_links_are_counted():
    with Clock() as clock:
        server = Server()
        c, told = client_of(clock, server, clean=False, rx=32, slots=3)
        assert c.counters["reconnects"] == 0
        until_up(c)
        assert c.counters["reconnects"] == 0
        c.publish("t", b"1", 1)
        c.publish("t", b"2", 2)
        server.stream.feed(b"\x50\x02\x00\x02\x40\x02\x01\x00" + publish_packet(b"t", b"x" * 50))
        server.stream.feed(publish_packet(b"t", b"") * 3)
        while server.stream.left():
            c.poll()
        polls(c)
        cut(c, server)
        c.publish("t", b"0")
        server.answer = CONNACK_PRESENT
        until_up(c)
        polls(c)
        want = {"received": 3, "sent": 3, "resent": 2, "oversize": 1, "stray": 1, "dropped": 1, "reconnects": 1}
        assert {name: c.counters[name] for name in want} == want
        cut(c, server)
        server.answer = CONNACK
        until_up(c)
        assert c.counters["reconnects"] == 2 and c.counters["resent"] == 2  # as new ones
        assert PINGREQ not in server.stream.sent()


def test_the_longest_poll_is_counted_without_its_sleep():
    with Clock() as clock:
        server = Server()
        c, told = client_of(clock, server)
        until_up(c)
        for _ in range(5):
            c.poll(1000)
        assert c.counters["longest_ms"] == 0 and clock.now > 9000

        def handler(msg):
            clock.now += 70

        c.on_message = handler
        server.stream.feed(publish_packet(b"t", b""))
        c.poll(1000)
        assert c.counters["longest_ms"] == c.longest_ms == 70


# -- chance


def delays(seed):
    with Clock() as clock:
        c, told = client_of(clock, Server(REFUSED))
        random.seed(seed)
        c.start()
        while len(told) < 31:
            c.poll(HOUR)
        return [event[2] for event in told if event[0] == "reconnect"]


def test_the_same_seed_gives_the_same_delays():
    first = delays(1)
    assert first == delays(1) and first != delays(2) and len(set(first)) > 10
