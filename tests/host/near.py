"""Our end of a test with a broker: a scenario of scripts/ on CPython, in a thread, or in a MicroPython process.

Rule: both have the face of a Process: expect what it says, send it a line, finish. What it asserts fails the test.
"""
import importlib
import queue
import sys
import threading
import time
from pathlib import Path

import interpreters
import mp

SCRIPTS = Path(__file__).resolve().parent / "scripts"
KINDS = ("cpython", "micropython")


def unavailable(kind):
    """None, or why there is none of this kind."""
    return mp.unavailable() if kind == "micropython" else None


def available():
    return [kind for kind in KINDS if not unavailable(kind)]


class Thread:
    """A scenario in this process, so that its coverage is measured."""

    def __init__(self, module, scenario, url, name, options):
        if str(SCRIPTS) not in sys.path:
            sys.path.append(str(SCRIPTS))
        self._said, self._sent = queue.Queue(), queue.Queue()
        side = importlib.import_module("side").Side(url, name, options, self._say, self._sent.get)
        function = getattr(importlib.import_module(module), scenario)
        self._error = None
        self._thread = threading.Thread(target=self._run, args=(function, side), daemon=True)
        self._thread.start()

    def _say(self, *words):
        self._said.put(" ".join(map(str, words)))

    def _run(self, function, side):
        try:
            function(side)
        except BaseException as e:
            self._error = e
        finally:
            for client in side.clients:
                client.close()
            self._said.put(None)

    def expect(self, text, timeout=30):
        deadline = time.monotonic() + timeout
        while True:
            line = self._said.get(timeout=max(0.001, deadline - time.monotonic()))
            if line is None:
                raise self._error or AssertionError(f"ended without {text!r}")
            if text in line:
                return line

    def send(self, text):
        self._sent.put(text.rstrip("\n"))

    def finish(self, timeout=60):
        self._thread.join(timeout)
        if self._error:
            raise self._error
        if self._thread.is_alive():
            raise TimeoutError("the scenario did not end")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._sent.put("")  # so that the thread ends


class Board(mp.MicroPython):
    """A scenario in a MicroPython process."""

    def __init__(self, module, scenario, url, name, options):
        words = [f"{key}={int(value)}" for key, value in options.items()]
        super().__init__(SCRIPTS / "side.py", module, scenario, url, name, *words, heapsize="4m")
        self._script = SCRIPTS / f"{module}.py"

    def finish(self, timeout=60):
        code = super().finish(timeout)
        said = interpreters.with_source(self.output, self._script)
        assert code == 0 and self.lines[-1] == "ok", f"exit code {code}\n{said}"


def begin(kind, module, scenario, url, name, **options):
    """`with begin("micropython", "traffic", "sends", broker.url, uid, count=9) as near: near.finish()`"""
    return (Thread if kind == "cpython" else Board)(module, scenario, url, name, options)


def play(kind, module, scenario, broker, name, **options):
    """A scenario that needs no other program, from begin to end."""
    options.setdefault("lowers_qos", broker.lowers_qos)
    with begin(kind, module, scenario, broker.url, name, **options) as near:
        near.finish()
