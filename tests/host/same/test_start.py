# What every application begins with: settings that are wrong, errors, and the way to the network.
from boards import Board, Sim, on_the_air, section
from fake import error
from tiny import Broker


class Slept:
    def __init__(self, module):
        self.seconds = []
        self._time = module.time

    def sleep(self, s):
        self.seconds.append(s)


def run(b, make, alive=0):
    """start.run() of an application: what was said, the sleeps, and the restarts."""
    start = b.load("start")
    board = Sim(b)
    turns = [alive]

    def is_alive():
        turns[0] -= 1
        return turns[0] >= 0

    board.alive = is_alive
    start.time = slept = Slept(start)
    start.settings.load = lambda path: section(b, broker="mqtt://broker")

    class Application:
        pass

    Application.make = staticmethod(make)
    start.run(Application, board)
    return slept.seconds, board.restarts


def test_wrong_settings_are_one_line_and_a_minute():
    def make(config, board):
        config.take("sensor_pin", kinds=(int,))

    with Board() as b:
        assert run(b, make) == ([60], 1)
        assert b.said == [("config", "config.json: sensor_pin: is missing")]


def test_an_error_is_said_and_restarts_after_ten_seconds():
    class App:
        def turn(self):
            raise OSError(5, "EIO")

    with Board() as b:
        assert run(b, lambda config, board: App(), 1) == ([10], 1)
        assert b.said[0][0] == "error" and "OSError" in b.said[0][1]


def test_it_turns_while_the_board_is_alive_and_then_finishes():
    done = []

    class App:
        def turn(self):
            done.append("turn")

        def finish(self):
            done.append("finish")

    with Board() as b:
        assert run(b, lambda config, board: App(), 3) == ([], 0)
        assert done == ["turn"] * 3 + ["finish"]


def make(b, **keys):
    on_the_air(b, Broker())
    board = Sim(b)
    return b.load("start").make_client(section(b, **keys), board, "attic")


def test_what_can_not_work_names_its_key():
    with Board("rp2") as b:
        point = {"ssid": "x"}
        for keys, name in (
            ({"brokr": 1}, "brokr: unknown key"),
            ({"network": {"wifi": []}}, "network.wifi: must be 1 to any long"),
            ({"network": {"wifi": [{"password": "x"}]}}, "network.wifi.ssid: is missing"),
            ({"network": {"wifi": [{"ssid": "x", "key": "y"}]}}, "network.wifi.key: unknown"),
            ({"network": {"wfi": []}}, "network.wifi: is missing"),
            ({"network": {"wifi": [point], "power_save": "on"}}, "network.power_save: must be"),
            ({"network": {"wifi": [point], "hostname": "x" * 33}}, "network.hostname: must be 0 to 32 long"),
            ({"network": {"wifi": [point], "country": "GBR"}}, "network.country: must be 2 to 2 long"),
            ({"network": {"wifi": [point], "static": ["10.0.0.7"]}}, "network.static: must be 4 to 4 long"),
            ({"store": "rtc"}, "store: this board has no memory"),
            ({"keepalive": 70000}, "keepalive: must be 0 to 65535"),
        ):
            text = str(error(lambda keys=keys: make(b, broker="mqtt://h", **keys)))
            assert text.startswith("config.json: " + name), text
        assert str(error(make, b)) == "config.json: broker: is missing"


def test_a_url_that_is_wrong_is_an_error_of_the_settings():
    with Board() as b:
        start = b.load("start")
        for keys in ({"broker": "http://h"}, {"broker": "mqtt://h", "tls": {"ca": "ca.der"}}):
            e = error(lambda keys=keys: start.make_client(section(b, **keys), Sim(b), "attic"))
            assert str(e).startswith("config.json: broker, client_id, tls: "), e


def test_wifi_and_time_come_before_the_client_where_tls_verifies():
    with Board() as b:
        b.point("home", "secret")
        mqtt, network = make(
            b, broker="mqtts://h", network={"wifi": [{"ssid": "home", "password": "secret"}], "hostname": "attic"}
        )
        steps = []
        network.clock.step = lambda: len(steps) > 100
        for _ in range(100):
            assert not mqtt.gate()
            b.now += 100
        assert network.nic.up and b.heard("wifi") == ["up, 10.0.0.7"]
        steps.extend(range(101))
        assert mqtt.gate()


def test_ethernet_takes_the_place_of_wifi():
    class Lan:
        def isconnected(self):
            return True

    with Board() as b:
        on_the_air(b, Broker())
        board = Sim(b)
        board.lan = Lan
        config = section(b, broker="mqtt://h", network={"lan": True})
        mqtt, network = b.load("start").make_client(config, board, "attic")
        assert mqtt.gate() and type(network.nic).__name__ == "Wired"


def test_without_tls_nobody_waits_for_the_time():
    with Board() as b:
        mqtt, network = make(b, broker="mqtt://h", ntp="pool")
        network.clock.step = lambda: False
        assert network.nic is None and mqtt.gate()
        mqtt, network = make(b, broker="mqtt://h")
        assert network.clock is None and mqtt.gate()


def test_the_watchdog_starts_when_all_else_is_right():
    with Board("rp2") as b:
        started = []
        start = b.load("start")
        on_the_air(b, Broker())
        board = Sim(b)
        board.watchdog = lambda ms: started.append(ms) or (lambda: None)
        assert error(lambda: start.make_client(section(b, broker="mqtt://h", watchdog_ms=8000, x=1), board, "a"))
        assert not started
        mqtt, _ = start.make_client(section(b, broker="mqtt://h", watchdog_ms=8000), board, "a")
        assert started == [8000] and mqtt.watchdog


def test_what_ends_links_is_told_to_wifi_and_to_the_owner():
    with Board() as b:
        b.point("home", "secret")
        broker = Broker()
        on_the_air(b, broker)
        start = b.load("start")
        config = section(b, broker="mqtt://h", network={"wifi": [{"ssid": "home", "password": "secret"}]})
        mqtt, network = start.make_client(config, Sim(b), "attic")
        told = []
        network.nic.trouble = told.append
        start.report(mqtt, network, Sim(b), lambda present: told.append(present))
        broker.down = True
        mqtt.start()
        while len(told) < 2:
            mqtt.poll(100)
        broker.down = False
        while not mqtt.connected:
            mqtt.poll(100)
        assert isinstance(told[0], OSError) and told[-2:] == [None, False]
        assert b.heard("link")[-1] == "up, session new" and "refused" in b.heard("link")[0]
