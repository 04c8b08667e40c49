"""A process whose output can be read while it runs.

Rule: every wait has a limit, and what the process printed is shown when a test fails.
"""
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

CHILD = Path(__file__).resolve().parent / "child.py"


def clean_env(**more):
    """The environment for a program that coverage does not measure, and that finds its modules by itself."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("COVERAGE_", "PYTHON", "MICROPY"))}
    return {**kept, **more}


class Process:
    """Run a command; stdout and stderr arrive, line by line, in .lines."""

    def __init__(self, *command, env=None, cwd=None):
        self.command = [str(part) for part in command]
        self.lines = []
        self.expected = 0  # lines before this one were seen by expect()
        self._ended = False
        self._news = threading.Condition()
        self._popen = subprocess.Popen(
            [sys.executable, "-I", "-S", str(CHILD), *self.command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, cwd=cwd,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._popen.stdout:
            with self._news:
                self.lines.append(line.decode(errors="replace").rstrip("\r\n"))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    @property
    def pid(self):
        return self._popen.pid

    @property
    def output(self):
        return "\n".join(self.lines)

    def running(self):
        return self._popen.poll() is None

    def next_line(self, timeout):
        """Return the next unread line; None when the output has ended; TimeoutError when none comes."""
        deadline = time.monotonic() + timeout
        with self._news:
            while self.expected >= len(self.lines):
                if self._ended:
                    return None
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"no line within {timeout} s from {self._described()}")
                self._news.wait(left)
            self.expected += 1
            return self.lines[self.expected - 1]

    def expect(self, text, timeout=30):
        """Wait for a line that holds the text, after the last one expected; return that line."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                line = self.next_line(max(0, deadline - time.monotonic()))
            except TimeoutError:
                raise TimeoutError(f"no {text!r} within {timeout} s from {self._described()}") from None
            if line is None:
                raise AssertionError(f"ended without {text!r}: {self._described()}")
            if text in line:
                return line

    def send(self, text):
        """Write a text to the process's stdin."""
        self._popen.stdin.write(text.encode())
        self._popen.stdin.flush()

    def finish(self, timeout=60):
        """Wait for the end; return the exit code (negative: the signal)."""
        try:
            code = self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"did not end within {timeout} s: {self._described()}") from None
        self._reader.join(5)
        return code

    def terminate(self, timeout=10):
        """Ask it to end (SIGTERM), then make it."""
        self._popen.terminate()
        try:
            self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            pass
        self.kill()

    def kill(self):
        """End it at once (SIGKILL)."""
        self._popen.kill()
        self._popen.wait()
        self._reader.join(5)
        for stream in (self._popen.stdin, self._popen.stdout):
            try:
                stream.close()
            except BrokenPipeError:
                pass

    def _described(self):
        return " ".join(self.command) + "\n" + "\n".join(self.lines[-40:])

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.kill()
        print(f"--- {' '.join(self.command)}\n{self.output}\n---")
