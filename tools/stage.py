"""What the demo stands on: the screen, the processes and the files they run.

Rule: each process gets a pipe as its standard input and ends when that closes, so none outlives
the demo, however the demo ends; and each is in a process group of its own, so Ctrl-C reaches the demo alone.
"""

import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import env

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
# All the memory a MicroPython process gets, with compiled files and without; objects here are twice as
# big as on a board.
HEAPS = "128k", "256k"

# What stands in config.json on a board. The waits are short: this broker is our own.
COMMON = {"keepalive": 15, "retry_max_s": 3}
CONFIGS = {
    "sensor": {
        "client_id": "attic-sensor",
        "sensor": {"topic": "attic", "period_s": 0.5, "batch": 1, "keep": 24, "confirm": "bulb/desk/seen"},
    },
    "bulb": {
        "client_id": "bulb-desk",
        "bulb": {"topic": "bulb/desk", "group": "bulb/all", "follow": "attic/reading"},
    },
}

BROKER = """
import sys
from iotcore import Broker
broker = Broker(port=int(sys.argv[1]), listen="127.0.0.1").start()
print("up listening on 127.0.0.1:" + sys.argv[1], flush=True)
sys.stdin.read()
broker.stop()
"""

COLOURS = {"demo": "1", "broker": "35", "sensor": "36", "bulb": "33", "you": "32"}
STRONG = {"link": "1", "keep": "31", "skip": "31;1", "error": "31;1", "heap": "2", "confirm": "2", "*": "1"}


class Screen:
    """Time, who, what and the rest, in columns; in colour on a terminal only."""

    def __init__(self, plain):
        self.start = time.monotonic()
        self.colour = not plain and sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def paint(self, text, code):
        return f"\033[{code}m{text}\033[0m" if self.colour and code else text

    def line(self, who, what, text):
        seconds = time.monotonic() - self.start
        who = self.paint(f"{who:7}", COLOURS.get(who))
        words = self.paint(f"{what:9} {text}", STRONG.get(what))
        print(f"{seconds:7.2f}  {who} {words}", flush=True)


class Process:
    """A child whose lines come as (who, what, text) in the common queue."""

    def __init__(self, who, command, lines, cwd=None):
        self.who, self.lines = who, lines
        self.may_end = False
        self.child = subprocess.Popen(
            command,
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.child.stdout:
            what, _, text = line.rstrip().partition(" ")
            self.lines.put((self.who, what, text))

    def has_fallen(self):
        """Did it end though nobody asked it to?  What it said last is then in the queue."""
        fallen = not self.may_end and self.child.poll() is not None
        if fallen:
            self.reader.join(1)
        return fallen

    def stop(self):
        """Ask it to end; it does in its own time."""
        self.may_end = True
        if not self.child.stdin.closed:
            self.child.stdin.close()

    def kill(self):
        """It and its own children are gone when this returns."""
        self.may_end = True
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.child.wait()
        self.stop()


class Stage:
    """The folder with the programs, and the processes that were started; close() leaves nothing behind."""

    def __init__(self, python, micropython):
        self.python, self.micropython = str(python), micropython and str(micropython)
        self.lines = queue.Queue()
        self.processes = []
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="umqtt_demo_"))

    def build(self):
        """Put the library, both applications and the simulated board in one folder, as on a board."""
        compiler = self.micropython and env.find_mpy_cross()
        self.heap = HEAPS[0 if compiler else 1]
        files = [("umqtt_full/" + f.name, f) for f in sorted((ROOT / "umqtt_full").glob("*.py"))]
        files += [(f.name, f) for f in sorted((ROOT / "ports").glob("*.py")) if f.stem != "manifest"]
        files.append(("sensor.py", ROOT / "ports/esp32/sensor.py"))
        files.append(("bulb.py", ROOT / "ports/rp2/bulb.py"))
        files.append(("board.py", HERE / "simboard.py"))
        for name, config in CONFIGS.items():
            config = {"broker": f"mqtt://127.0.0.1:{self.port}", **COMMON, **config}
            (self.folder / f"{name}.json").write_text(json.dumps(config))
        (self.folder / "umqtt_full").mkdir()
        for name, source in files:
            target = self.folder / name
            if not compiler:
                shutil.copy(source, target)
            elif source.name not in ("_cpython.py", "__main__.py"):
                command = [compiler, "-O3", "-s", name, "-o", target.with_suffix(".mpy"), source]
                subprocess.run(command, check=True, start_new_session=True)

    def run(self, who, command, cwd=None):
        process = Process(who, command, self.lines, cwd)
        self.processes.append(process)
        return process

    def broker(self):
        return self.run("broker", [self.python, "-c", BROKER, str(self.port)])

    def application(self, name):
        """Run sensor or bulb, as its main.py would, with the simulated board."""
        code = f"import board, start, {name} as app; start.run(app, board, '{name}.json')"
        if self.micropython:
            command = [self.micropython, "-X", "heapsize=" + self.heap, "-c", code]
        else:
            command = [self.python, "-u", "-c", code]
        return self.run(name, command, self.folder)

    def fallen(self):
        """Who ended and should not have; None as a rule."""
        return next((process.who for process in self.processes if process.has_fallen()), None)

    def close(self):
        for process in self.processes:
            process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]
