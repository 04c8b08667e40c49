# What every application on a board begins with: its settings, its network, its client, and what to do on failure.
#
# Rule: a device that can not work says why in one line and tries again later; it never crashes in a fast loop.
# What touches hardware is in board.py, Wi-Fi in wifi.py; both are replaced where there is neither.
import sys
import time

import settings
from umqtt_full import MQTTClient

CONFIG_S = 60  # before the restart when the settings are wrong
ERROR_S = 10  # before the restart after any other error


class Network:
    """What the client needs before it connects: Wi-Fi, Ethernet, or nothing to look after; and the time."""

    def __init__(self, nic, clock, needs_time):
        self.nic = nic
        self.clock = clock
        self._needs_time = needs_time

    def step(self):
        """True when the client may connect. Call it in each turn, too: Wi-Fi comes back without the client."""
        if self.nic and not self.nic.gate():
            return False
        return not self.clock or self.clock.step() or not self._needs_time

    def trouble(self, reason):
        """See wifi.Wifi.trouble."""
        if self.nic:
            self.nic.trouble(reason)

    def off(self):
        """Before a sleep."""
        if self.nic:
            self.nic.off()


def make_network(config, board, secure):
    """The Network that the settings name."""
    nic = clock = None
    if config.take("network", None, (dict,)):
        part = config.section("network")
        if part.take("lan", False):
            from wifi import Wired

            nic = Wired(board.lan())
        else:
            from wifi import Wifi

            points = part.take("wifi", kinds=(list,), least=1)
            nic = Wifi(
                [access_point(part, p) for p in points],
                part.take("hostname", None, (str,), most=32),
                part.take("country", None, (str,), least=2, most=2),
                part.take("power_save", "none", choices=("none", "performance", "powersave")),
                part.take("static", None, (list,), least=4, most=4),
                say=lambda text: board.say("wifi", text),
            )
        part.done()
    host = config.take("ntp", "pool.ntp.org" if secure else None, (str,))
    if host:
        from ntp import Ntp

        clock = Ntp(host, board.set_clock)
    return Network(nic, clock, secure)


def access_point(part, point):
    """(ssid, password) of one."""
    one = settings.Section(point, "config.json: network.wifi.")
    pair = one.take("ssid", kinds=(str,), least=1, most=32), one.take("password", None, (str,))
    one.done()
    return pair


def make_store(config, board, default):
    """What the settings want to outlive a restart: a file's name, "rtc", or None."""
    name = config.take("store", default, (str,))
    if not name:
        return None
    from umqtt_full.store import FileStore, MemoryStore

    if name == "rtc":
        if not hasattr(board, "memory"):
            raise config.wrong("store", "this board has no memory that outlives a restart: name a file")
        memory = board.memory()
        return MemoryStore(2048, memory, memory)
    return FileStore(name)


def make_client(config, board, topic, store=None, slots=4, slot_size=128):
    """(client, network) of the settings, with the will "offline" on topic/status; not started yet."""
    server = config.take("broker", kinds=(str, list))
    secure = "s://" in str(server)
    network = make_network(config, board, secure)
    options = config.take("tls", {})
    options["client_id"] = config.take("client_id", None, (str,))
    options["keepalive"] = config.take("keepalive", 60, least=0, most=65535)
    options["store"] = make_store(config, board, store)
    try:
        mqtt = MQTTClient(server, clean=False, slots=slots, slot_size=slot_size, **options)
        mqtt.will(topic + "/status", "offline", 1, True)
    except (ValueError, TypeError) as e:
        raise config.wrong("broker, client_id, tls", str(e))
    mqtt.retry_max_ms = config.take("retry_max_s", 60, least=1, most=86400) * 1000
    mqtt.gate = network.step
    watchdog_ms = config.take("watchdog_ms", None, (int,), least=1000)
    config.done()
    if watchdog_ms:  # the last thing: it can not be stopped any more
        mqtt.watchdog = board.watchdog(watchdog_ms)
    return mqtt, network


def report(mqtt, network, board, connected):
    """Tell the board's owner, and Wi-Fi, how the link is; connected(session_present) is the application's."""

    def up(session_present):
        network.trouble(None)
        board.say("link", "up, session %s" % ("kept" if session_present else "new"))
        connected(session_present)

    def down(reason):
        network.trouble(reason)
        board.say("link", "down: %s" % (reason or "as asked for"))

    mqtt.on_connect = up
    mqtt.on_disconnect = mqtt.on_error = down


def run(application, board, path="config.json"):
    """application.make(config, board) gives what has turn() and finish(): call turn() while the board is alive."""
    try:
        app = application.make(settings.load(path), board)
        while board.alive():
            app.turn()
        app.finish()
    except settings.ConfigError as e:
        board.say("config", str(e))
        time.sleep(CONFIG_S)
        board.restart()
    except Exception as e:
        board.say("error", "%s: %s" % (type(e).__name__, e))
        if hasattr(sys, "print_exception"):
            sys.print_exception(e)
        time.sleep(ERROR_S)
        board.restart()
