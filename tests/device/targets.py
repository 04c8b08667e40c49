"""The boards that the device tests run on: what there is at a serial port, an emulated Pico W, or a virtual board.

Rule: a test sees one face, whatever is behind it; a program on the board is a Running, of which lines are awaited.
The broker is on this machine's loopback; where the board is elsewhere one port is opened for it, on one interface,
for the time of a test, and with a password.
"""
import contextlib
import secrets
import socket
import sys
import time
from pathlib import Path

import brokers
import deploy
import install
import mp
import mpy
import picow
import virtual
from device import Board
from process import Process, clean_env
from proxy import Proxy

TESTS = "/tests"  # on the board
HERE = Path(__file__).resolve().parent
SOURCES = (HERE / "scripts", mp.SAME, HERE.parent / "host/scripts")
MAIN, KEPT = "/main.py", "/main.py.~tests"


class Running:
    """A program that runs on a board; `lines` is what it has printed."""

    def __init__(self, board):
        self.lines = []
        self._board, self._rest, self._ends = board, b"", 0
        self._seen = 0

    def next_line(self, timeout):
        """The next line that was not seen yet, or None when the program has ended. Raises TimeoutError."""
        end = time.monotonic() + timeout
        while self._seen == len(self.lines):
            if self._ends > 1:
                return None
            if time.monotonic() > end:
                raise TimeoutError(f"nothing within {timeout} s after\n" + "\n".join(self.lines[-20:]))
            self._take(self._board.read(0.2))
        self._seen += 1
        return self.lines[self._seen - 1]

    def _take(self, data):
        """Output, 0x04, the traceback, 0x04: the raw REPL's frame."""
        self._ends += data.count(b"\x04")
        *lines, self._rest = (self._rest + data.replace(b"\x04", b"\n")).split(b"\n")
        self.lines += [text for text in (line.decode(errors="replace").rstrip() for line in lines) if text]

    def expect(self, text, timeout=30):
        """The next line with this text in it."""
        while True:
            line = self.next_line(timeout)
            assert line is not None, f"ended without {text!r}:\n" + "\n".join(self.lines[-20:])
            if text in line:
                return line

    def finish(self, timeout=60):
        """Wait for the end; the last line has to be ok."""
        end = time.monotonic() + timeout
        while self.next_line(max(0.1, end - time.monotonic())) is not None:
            pass
        assert self.lines and self.lines[-1] == "ok", "\n".join(self.lines[-30:])
        return self

    def told(self, word):
        """The numbers of the lines that begin with a word."""
        return [int(line.split()[1]) for line in self.lines if line.split()[0] == word]


class DeviceBoard(Board):
    """A board for tests: it has the whole library, and what a test wants to run."""

    def __init__(self, device):
        super().__init__(device)
        self._put = set()
        self._has_main = False  # of ours
        self.install()
        self.exec(f"import os\ntry:\n os.mkdir({TESTS!r})\nexcept OSError:\n pass")

    def install(self, readable=False):
        """Have the whole library on the board: as its user has it, or with names that our tests know."""
        plan = install.Plan(self, deploy.files_of("full", self.mpy, readable))
        plan.install()
        plan.keep()

    def begin(self, module, function, *arguments):
        """Run a function of one of our modules, in a fresh interpreter; return it as a Running."""
        self.stop()
        self.put(module)
        words = ", ".join(map(repr, arguments))
        with self._words("starting a program"):
            self._line.exec_raw_no_follow(f"import sys\nsys.path.append({TESTS!r})\nimport {module}\n"
                                          f"{module}.{function}({words})\nprint('ok')")
        return Running(self)

    def run(self, module, function, *arguments, timeout=60):
        return self.begin(module, function, *arguments).finish(timeout)

    def put(self, module):
        """Have a module of ours on the board."""
        if module not in self._put:
            source = next(folder / f"{module}.py" for folder in SOURCES if (folder / f"{module}.py").is_file())
            self.write(f"{TESTS}/{module}.mpy", mpy.compile_file(source, source.name, level=0))
            self._put.add(module)

    def starts_with(self, text):
        """Restart it with this as its main.py, until clear()."""
        self.exec(f"import os\nif 'main.py' in os.listdir('/'):\n os.rename({MAIN!r}, {KEPT!r})")
        self._has_main = True
        self.write(MAIN, text.encode())
        self.start()

    def clear(self):
        """Leave it as it was, but for the library."""
        self.stop()
        if self._has_main:
            self.exec(f"import os\nos.remove({MAIN!r})")
        self.exec(f"import os\nif {KEPT[1:]!r} in os.listdir('/'):\n os.rename({KEPT!r}, {MAIN!r})")
        self.exec(f"for name in os.listdir({TESTS!r}):\n os.remove({TESTS!r} + '/' + name)\nos.rmdir({TESTS!r})")


class Place:
    """A board, and where it finds us: `host`, an address of this machine that the board can reach."""

    def __init__(self, kind, device, host, bind, wifi=None):
        self.kind, self.host, self.bind = kind, host, bind
        self.board = DeviceBoard(device)
        if wifi:
            self.board.run("on_board", "join", *wifi, timeout=150)
        self.local = bind == "127.0.0.1"
        self.user, self.password = (None, None) if self.local else ("board", secrets.token_hex(8))

    def broker(self, **options):
        return brokers.Mosquitto(user=self.user, password=self.password, **options)

    def door(self, port):
        """A way from the board to a port of this machine: a Proxy with the url that the board is given."""
        door = Door(self.bind, port)
        secret = f"{self.user}:{self.password}@" if self.user else ""
        door.url = f"mqtt://{secret}{self.host}:{door.port}"
        return door


class Door(Proxy):
    """A proxy that listens on one address."""

    def __init__(self, bind, port):
        self._bind = bind
        super().__init__(port)

    def _listen(self, port):
        listener = socket.create_server((self._bind, port), backlog=16)
        listener.setblocking(False)
        return listener


def own_address():
    """This machine's address towards its network. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return probe.getsockname()[0]


@contextlib.contextmanager
def emulated(image):
    """An emulated Pico W, on the air after about a minute."""
    port = brokers.free_port()
    with Process(sys.executable, HERE / "picow.py", image, port, env=clean_env()) as process:
        deadline = time.monotonic() + 60
        while brokers.is_free(port):
            assert process.running() and time.monotonic() < deadline, process.output
            time.sleep(0.2)
        yield Place("emulated", f"socket://127.0.0.1:{port}", picow.HOST, "127.0.0.1", (picow.SSID, None))


@contextlib.contextmanager
def chosen(folder, device=None, image=None, wifi=None, interface=None):
    """The Place that the options name; a virtual board where they name none."""
    if image:
        with emulated(image) as place:
            yield place
    elif device:
        bind = interface or own_address()
        yield Place("board", device, bind, bind, wifi)
    else:
        with virtual.VirtualBoard(folder, heapsize="512k") as board:
            yield Place("virtual", board.device, "127.0.0.1", "127.0.0.1")
