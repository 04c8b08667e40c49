# Which server is tried when: one after another, with a gate before them all and a watchdog beside.
# Rule: no time passes but in a sleep, so what is awaited comes at once, and each sleep can be looked at.
from clock import HOUR, REFUSED, Clock, Poller, Server, client_of, cut, names, until_up
from fake import CONNACK, error, publish_packet

from umqtt_full import MQTTClient


def test_servers_are_tried_in_turn_until_one_is_up():
    with Clock() as clock:
        servers = Server(REFUSED), Server(REFUSED), Server()
        c, told = client_of(clock, *servers)
        seen = []
        c.on_reconnect = lambda attempt, delay_ms: seen.append(c.server)
        until_up(c)
        assert seen == [1, 2] and c.server == 2
        assert [len(s.opened) for s in servers] == [1, 1, 1] and [s.failures for s in servers] == [1, 1, 0]


def test_another_address_of_a_server_is_tried_at_once_and_only_the_last_is_told_of():
    with Clock() as clock:
        server, other = Server(REFUSED), Server(REFUSED)
        server.addresses = 3
        c, told = client_of(clock, server, other)
        c.start()
        for _ in range(4):
            c.poll()
        assert server.opened == [clock.now] * 3 and not other.opened
        assert [event[:2] for event in told] == [("error", REFUSED), ("offline", REFUSED), ("reconnect", 2)]


def test_connect_tries_each_address_and_raises_for_the_last():
    with Clock() as clock:
        server = Server(REFUSED)
        server.addresses = 2
        c, _ = client_of(clock, server)
        assert error(c.connect) is REFUSED and len(server.opened) == 2


def test_a_broker_that_refuses_us_is_not_asked_at_its_other_addresses():
    with Clock() as clock:
        server = Server(bytes([0x20, 2, 0, 5]))
        server.addresses = 2
        c, _ = client_of(clock, server)
        assert error(c.connect).name == "not authorized" and len(server.opened) == 1


def test_the_list_begins_anew_at_its_end():
    with Clock() as clock:
        first, second = Server(REFUSED), Server(REFUSED)
        c, told = client_of(clock, first, second)
        seen = []

        def on_reconnect(attempt, delay_ms):
            seen.append(c.server)
            if attempt == 7:
                first.answer = CONNACK

        c.on_reconnect = on_reconnect
        until_up(c)
        assert seen == [1, 0, 1, 0, 1, 0] and c.server == 0


def test_the_server_of_a_link_that_was_up_is_the_first_to_be_tried_again():
    with Clock() as clock:
        first, second = Server(REFUSED), Server()
        c, told = client_of(clock, first, second)
        until_up(c)
        for _ in range(2):
            cut(c, second)
            assert c.server == 1
            until_up(c)
        assert c.server == 1 and len(first.opened) == 1 and len(second.opened) == 3
        second.answer = REFUSED
        first.answer = CONNACK
        cut(c, second)
        until_up(c)
        assert c.server == 0 and len(second.opened) == 4


def test_a_server_that_says_nothing_and_one_that_refuses_are_passed_over():
    with Clock() as clock:
        servers = Server(None), Server(b"\x20\x02\x00\x03"), Server()
        c, told = client_of(clock, *servers)
        until_up(c)
        assert c.server == 2
        errors = [event[1] for event in told if event[0] == "error"]
        assert errors == ["connect timeout", "server unavailable"]


def longest_delays(count, rounds):
    """The longest delay seen at each attempt, of many runs with `count` servers."""
    longest = [0] * (count * rounds)
    for _ in range(60):
        with Clock() as clock:
            c, told = client_of(clock, *[Server(REFUSED) for _ in range(count)])
            c.retry_min_ms = 1000
            c.retry_max_ms = 8000
            c.start()
            while len(told) < 2 * count * rounds + 1:
                c.poll(HOUR)
            for event in told:
                if event[0] == "reconnect":
                    longest[event[1] - 2] = max(event[2], longest[event[1] - 2])
    return longest


def test_the_back_off_grows_with_each_round_through_the_servers():
    for count in (1, 2, 3):
        longest = longest_delays(count, 6)
        print(count, longest)
        for i, delay in enumerate(longest):
            grown = min(1000 << (i + 1) // count, 8000)
            assert grown // 2 < delay <= grown, (i, longest)


def test_nothing_is_opened_or_looked_up_while_the_gate_says_no():
    with Clock() as clock:
        looked_up = []

        def resolve(host, port):
            looked_up.append(host)
            raise REFUSED

        c = MQTTClient("mqtt://broker.test", "me")
        c._servers[0].resolve = resolve
        c.gate = lambda: clock.now > 60000
        c.start()
        while clock.now < 50000:
            assert c.poll(1000) is False
        assert not looked_up and c.attempts == 0 and c.state == "offline" and c.reason is None
        while clock.now < 65000:
            c.poll(1000)
        assert looked_up[0] == "broker.test" and c.reason is REFUSED


def test_poll_looks_at_the_gate_now_and_then_and_sleeps_in_between():
    with Clock() as clock:
        c, told = client_of(clock, Server())
        looks = []
        c.gate = lambda: looks.append(clock.now)
        c.start()
        c.poll(2000)
        assert 2 <= len(looks) <= 40 and clock.now == 7000, looks
        assert len(clock.sleeps) <= 40 and min(clock.sleeps) > 0
        count = len(looks)
        for _ in range(100):
            c.poll()
        assert len(looks) <= count + 1 and not told


def test_the_gate_is_not_asked_while_a_link_is_up_or_wanted_by_nobody():
    with Clock() as clock:
        c, told = client_of(clock, Server())
        looks = []
        c.gate = lambda: looks.append(1) or True
        c.poll(1000)
        assert not looks
        until_up(c)
        assert len(looks) == 1
        c.poll(5000)
        assert len(looks) == 1 and c.connected


def test_a_gate_that_shuts_in_an_outage_only_defers():
    with Clock() as clock:
        server = Server()
        c, told = client_of(clock, server)
        until_up(c)
        cut(c, server)
        c.gate = lambda: clock.now > 100000
        until_up(c)
        assert server.opened[-1] > 100000 and len(server.opened) == 2
        assert names(told) == ["connect", "disconnect", "offline", "reconnect", "connect"]


def test_the_watchdog_is_fed_by_each_poll_and_sleeps_are_cut_to_a_second():
    with Clock() as clock:
        c, told = client_of(clock, Server(REFUSED))
        c.retry_min_ms = c.retry_max_ms = 30000
        fed = []
        c.watchdog = lambda: fed.append(clock.now)
        for count in range(1, 4):
            c.poll()
            assert len(fed) == count
        c.start()
        c.poll()
        for _ in range(20):
            c.poll(60000)
        assert clock.now > 50000 and max(clock.sleeps) <= 1000
        assert max(b - a for a, b in zip(fed, fed[1:])) <= 1000
        c.watchdog = None
        c.poll(60000)
        c.poll(60000)
        assert max(clock.sleeps) > 1000


def test_the_watchdog_is_fed_while_connect_drain_and_disconnect_wait():
    with Clock() as clock:
        server = Server(None)
        c, told = client_of(clock, server)
        c._poller = Poller(clock)
        fed = [clock.now]
        c.watchdog = lambda: fed.append(clock.now)
        assert error(c.connect, 5000).name == "connect timeout"
        server.answer = CONNACK
        c.connect(5000)
        c.publish("t", b"", 1)
        assert c.drain(5000) is False and c.disconnect(5000) is False
        assert clock.now - fed[0] >= 15000
        assert max(b - a for a, b in zip(fed, fed[1:])) <= 1000 and max(clock.sleeps) <= 1000


def test_the_watchdog_is_not_fed_from_within_a_handler():
    with Clock() as clock:
        server = Server()
        c, told = client_of(clock, server)
        until_up(c)
        fed, seen = [], []
        c.watchdog = lambda: fed.append(1)

        def hang(msg):
            for _ in range(100):
                c.poll()
                c.poll(1000)
                c.drain(1000)
            seen.append(len(fed))

        c.on_message = hang
        server.stream.feed(publish_packet(b"t", b""))
        c.poll()
        assert seen == [0] and fed
