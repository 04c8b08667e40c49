# Wi-Fi by a turned clock, on a simulated ESP32 and a simulated Pico W.
import errno

from boards import Board

from umqtt_full import MQTTError

BOTH = ("esp32", "rp2")


def wifi_of(b, *points, **kw):
    """A Wifi for these access points; all of them are open with "secret"."""
    wifi = b.load("wifi")
    return wifi.Wifi([(name, "secret") for name in points], say=lambda text: b.say("wifi", text), **kw)


def run(b, w, ms, step_ms=50):
    """Turn the gate for a while; what it said first when it was open, None if it never was."""
    opened = None
    end = b.now + ms
    while b.now < end:
        if w.gate() and opened is None:
            opened = b.now
        b.now += step_ms
    return opened


def connects(b):
    return [line for line in b.world.log if line.startswith("connect")]


def test_it_comes_up_without_waiting():
    for chip in BOTH:
        with Board(chip) as b:
            b.point("home", "secret")
            w = wifi_of(b, "home")
            before = b.now
            assert not w.gate()
            assert b.now == before
            opened = run(b, w, 10000)
            assert 2000 < opened - before < 2500
            assert b.heard("wifi") == ["up, 10.0.0.7"]
            assert connects(b) == ["connect home"]
            assert not b.world.scans


def test_hostname_country_power_saving_and_a_static_address_are_set_in_time():
    for chip in BOTH:
        with Board(chip) as b:
            b.point("home", "secret")
            address = ["10.0.0.99", "255.255.255.0", "10.0.0.1", "10.0.0.1"]
            w = wifi_of(b, "home", hostname="attic", country="GB", power_save="powersave", static=address)
            run(b, w, 4000)
            assert (w.wlan.hostname, w.wlan.country) == ("attic", "GB")
            assert w.wlan.pm == w.wlan.PM_POWERSAVE
            assert b.heard("wifi") == ["up, 10.0.0.99"]


def test_power_saving_is_off_if_nobody_asks_for_it_also_after_a_restart():
    for chip in BOTH:
        with Board(chip) as b:
            b.point("home", "secret")
            w = wifi_of(b, "home")
            run(b, w, 4000)
            w.off()
            run(b, w, 4000)
            assert w.up and w.wlan.pm == w.wlan.PM_NONE


def test_a_wrong_password_is_named_and_tried_again_more_and_more_rarely():
    for chip in BOTH:
        with Board(chip) as b:
            b.point("home", "other")
            w = wifi_of(b, "home")
            assert run(b, w, 600000) is None
            said = b.heard("wifi")
            assert all(text.startswith("home: wrong password; next in ") for text in said)
            waits = [int(text.split()[-2]) for text in said]
            assert waits[0] <= 1000 and max(waits) <= 30000 and max(waits[5:]) > 4000
            assert 12 < len(connects(b)) < 130


def test_a_failure_that_a_pico_w_tells_is_not_waited_for():
    with Board("rp2") as b:
        b.point("home", "other")
        w = wifi_of(b, "home")
        run(b, w, 3000)
        assert b.heard("wifi")[0].startswith("home: wrong password")


def test_an_access_point_that_comes_late_is_found():
    for chip in BOTH:
        with Board(chip) as b:
            point = b.point("home", "secret")
            point.there = False
            w = wifi_of(b, "home")
            assert run(b, w, 60000) is None
            assert b.heard("wifi")[0].startswith("home: not found")
            point.there = True
            assert run(b, w, 50000) is not None


def test_an_old_failure_of_an_esp32_is_not_taken_for_a_new_one():
    with Board("esp32") as b:
        point = b.point("home", "secret")
        point.there = False
        w = wifi_of(b, "home")
        run(b, w, 20000)
        tried = len(connects(b))
        point.there = True
        assert run(b, w, 40000) is not None
        assert len(connects(b)) <= tried + 1


def test_a_lost_access_point_is_returned_to():
    for chip in BOTH:
        with Board(chip) as b:
            point = b.point("home", "secret")
            w = wifi_of(b, "home")
            run(b, w, 5000)
            point.there = False
            assert run(b, w, 5000) is None
            assert b.heard("wifi")[1] == "lost"
            point.there = True
            assert run(b, w, 60000) is not None


def test_of_several_the_strongest_is_chosen():
    for chip in BOTH:
        with Board(chip) as b:
            b.point("cellar", "secret", -80, b"\2\0\0\0\0\1")
            b.point("roof", "secret", -50, b"\2\0\0\0\0\2")
            b.point("stranger", "secret", -30, b"\2\0\0\0\0\3")
            w = wifi_of(b, "cellar", "roof", "hidden")
            run(b, w, 10000)
            assert connects(b) == ["connect roof bssid"]
            assert len(b.world.scans) == 1


def test_the_next_one_is_tried_where_the_strongest_refuses():
    for chip in BOTH:
        with Board(chip) as b:
            b.point("cellar", "secret", -80, b"\2\0\0\0\0\1")
            b.point("roof", "changed", -50, b"\2\0\0\0\0\2")
            w = wifi_of(b, "cellar", "roof")
            run(b, w, 30000)
            assert connects(b) == ["connect roof bssid", "connect cellar bssid"], connects(b)
            assert w.up


def test_it_never_scans_while_there_is_a_link():
    for chip in BOTH:
        with Board(chip) as b:
            b.point("cellar", "secret", -80, b"\2\0\0\0\0\1")
            w = wifi_of(b, "cellar", "roof")
            run(b, w, 20000)
            assert w.up
            scans = len(b.world.scans)
            run(b, w, 600000, 1000)
            assert len(b.world.scans) == scans


def test_a_port_that_refuses_to_connect_is_asked_again():
    with Board("esp32") as b:
        b.point("home", "secret")
        w = wifi_of(b, "home")
        wlan, connect = w.wlan, w.wlan.connect
        errors = [OSError("Wifi Internal Error"), RuntimeError("Wifi Unknown Error 0x3007")]

        def refuse(*args):
            if errors:
                raise errors.pop()
            connect(*args)

        wlan.connect = refuse
        assert run(b, w, 20000) is not None
        assert not errors and len(b.heard("wifi")) == 3


TIMEOUT = MQTTError(0x101)
KEEPALIVE = MQTTError(0x8D)


def test_silence_behind_a_stale_isconnected_restarts_wifi():
    with Board("rp2") as b:
        point = b.point("home", "secret")
        w = wifi_of(b, "home", silences=3)
        run(b, w, 5000)
        point.silent, point.there = True, False
        assert run(b, w, 60000) is not None  # the port says that all is well
        w.trouble(KEEPALIVE)
        w.trouble(TIMEOUT)
        assert w.restarts == 0
        w.trouble(OSError(errno.EHOSTUNREACH, ""))
        assert w.restarts == 1 and "deinit" in b.world.log
        assert not w.gate()
        point.there = True
        assert run(b, w, 60000) is not None and w.wlan.restarts == 2


def test_the_clients_own_deadlines_find_a_dead_link_and_restart_wifi():
    from clock import Server, client_of

    with Board("rp2") as b:
        point = b.point("home", "secret")
        w = wifi_of(b, "home")
        server = Server()
        c, told = client_of(b, server)
        c._poller = __import__("clock").Poller(b)
        c.gate = w.gate
        c.on_connect = lambda present: w.trouble(None)
        c.on_error = c.on_disconnect = w.trouble
        c.start()
        while not c.connected:
            c.poll(100)
        point.silent, point.there = True, False  # nobody tells the chip
        server.answer = None
        server.stream.ended = True
        until = b.now + 300000
        while not w.restarts:
            c.poll(1000)
            assert w.gate() or w.restarts
            assert b.now < until
        point.there = True
        server.answer = b"\x20\x02\x00\x00"
        while not c.connected:
            c.poll(1000)
            assert b.now < until


def test_an_answer_of_any_kind_is_no_silence():
    for chip in BOTH:
        with Board(chip) as b:
            b.point("home", "secret")
            w = wifi_of(b, "home", silences=3)
            run(b, w, 5000)
            for answer in (None, OSError(errno.ECONNREFUSED, ""), OSError(errno.ECONNRESET, ""), MQTTError(0x87)):
                for _ in range(2):
                    w.trouble(TIMEOUT)
                w.trouble(answer)
            w.trouble(TIMEOUT)
            assert w.restarts == 0 and w.up


def test_an_interface_that_looks_after_itself_has_the_same_face():
    class Lan:
        def isconnected(self):
            return True

    with Board("esp32") as b:
        w = b.load("wifi").Wired(Lan())
        assert w.gate() is True
        w.trouble(TIMEOUT)
        w.off()


def test_the_client_connects_when_the_gate_opens():
    from clock import Server, client_of

    for chip in BOTH:
        with Board(chip) as b:
            b.point("home", "secret")
            w = wifi_of(b, "home")
            server = Server()
            c, _ = client_of(b, server)
            c._poller = __import__("clock").Poller(b)
            c.gate = w.gate
            c.start()
            for _ in range(100):
                c.poll(100)
            assert c.connected and len(server.opened) == 1
            assert 2000 < server.opened[0] - 5000 < 2700
