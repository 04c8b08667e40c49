# A simulated board around a test, on every interpreter: the modules of ports/ and those of a board (../board).
# Rule: they can be imported inside the `with` only, and are forgotten at its end; time is the test's. The board's
# file system is an empty folder, which is gone at the end.
import os
import sys
from random import getrandbits

from clock import Clock

_OURS = "network machine esp32 air wifi ntp settings start sensor bulb ota board main".split()


def _exists(path):
    try:
        os.stat(path)
        return True
    except OSError:
        return False


def root():
    """The folder that holds ports/: the checkout's, or the copies' of the 32-bit interpreter."""
    return [path for path in sys.path if _exists((path or ".") + "/ports/wifi.py")][0] or "."


class Board(Clock):
    """`with Board("esp32") as b:` a board without power yet: `b.world` is the air, `b.load(name)` imports."""

    def __init__(self, chip="esp32"):
        super().__init__()
        self.chip = chip
        self.said = []

    def __enter__(self):
        super().__enter__()
        top = root()
        simulated = top + "/tests/host/board"
        if not _exists(simulated):
            simulated = top + "/board"
        self._path = sys.path[:]
        self._cwd = os.getcwd()
        self._folder = "/tmp/umqtt-board-%08x" % getrandbits(30)
        os.mkdir(self._folder)
        os.chdir(self._folder)
        forget()
        sys.path[:0] = [simulated, top + "/ports", top + "/ports/" + self.chip]
        import air
        import network

        self.world = air.world
        self.world.reset(self.chip, self)
        network.reset()
        self.network = network
        return self

    def __exit__(self, *e):
        super().__exit__(*e)
        sys.path[:] = self._path
        forget()
        os.chdir(self._cwd)
        for name in os.listdir(self._folder):
            os.remove(self._folder + "/" + name)
        os.rmdir(self._folder)

    def load(self, name):
        """A module of ports/, whose clock is ours."""
        module = __import__(name)
        for part in _OURS:
            if part in sys.modules and hasattr(sys.modules[part], "ticks_ms"):
                sys.modules[part].ticks_ms = self.ms
        return module

    def point(self, *args, **kw):
        """Put an access point on the air."""
        import air

        point = air.Point(*args, **kw)
        self.world.points.append(point)
        return point

    def say(self, what, text):
        self.said.append((what, text))

    def heard(self, what):
        """What was said of this kind."""
        return [text for kind, text in self.said if kind == what]


def ends(function, *args):
    """How a call ends that never returns on a board: "deepsleep" or "reset"."""
    try:
        function(*args)
    except SystemExit as e:
        return str(e)
    return None


def forget():
    for name in _OURS:
        if name in sys.modules:
            del sys.modules[name]


def section(b, **keys):
    """Settings as they stand in a file."""
    return b.load("settings").Section(keys, "config.json: ")


def on_the_air(b, broker):
    """Have the client of an application talk to a Broker of tiny.py."""
    import umqtt_full

    def client(server, *args, **kw):
        return umqtt_full.MQTTClient(broker, *args, **kw)

    b.load("start").MQTTClient = client


class Sim:
    """A board.py for an application: what both ports have."""

    QUANTITIES = (("celsius", "temperature", "\xb0C"), ("volts", "voltage", "V"))

    def __init__(self, b):
        self._b = b
        self.say = b.say
        self.next = 200
        self.light_is = None
        self.shown = 0
        self.restarts = 0
        self.kept = 0
        self.clock = None

    def set_clock(self, tm):
        self.clock = tm

    def read(self):
        self.next += 1
        return self.next, 37

    def light(self, *colour):
        self.light_is = colour
        self.shown += 1

    def restart(self):
        self.restarts += 1

    def keep_firmware(self):
        self.kept += 1
