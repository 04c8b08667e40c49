"""A board that is not there: MicroPython's unix port behind a pty, which mpremote takes for a serial port.

Rule: from outside it is a board. It has flash of its own (a folder, or a littlefs image of the size that it is
to have), runs boot.py and main.py at power-on, knows soft reset, machine.reset(), deep sleep, Ctrl-C and the raw
REPL, and can be unplugged at any byte. Linux only: /proc tells whether a program listens to Ctrl-C.

    python3 tests/device/virtual.py LINK --flash FOLDER     # then: mpremote connect LINK
"""
import argparse
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import tty
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
for _folder in ("tools", "tests/host"):
    if str(ROOT / _folder) not in sys.path:
        sys.path.append(str(ROOT / _folder))

import env  # noqa: E402
from process import CHILD, clean_env  # noqa: E402

MARK = "\x1fvirtual board\x1f"  # the boot program's first word: from then on Ctrl-C finds MicroPython
REBOOT = b"MPY: soft reboot\r\n"
RAW = b"raw REPL; CTRL-B to exit\r\n"
FRIENDLY = b">>> "
CTRL_A, CTRL_C = b"\x01", b"\x03"
RESET, SLEPT = 99, 98  # exit codes, see virtual_boot.py
POWER_ON, HARD, DEEPSLEEP, SOFT = 1, 2, 4, 5  # what machine.reset_cause() gives
IMPORT = f"import sys; sys.path.insert(0, {str(HERE)!r}); import virtual_boot as boot"


def unavailable():
    """None, or why there can be no virtual board."""
    if sys.platform != "linux":
        return "virtual board: needs Linux"
    return None if env.find_micropython() else "MicroPython: no wheel for this machine, and not on PATH"


class VirtualBoard:
    """`with VirtualBoard(flash) as board:` and give board.device to mpremote.

    `flash`: a folder, or the file of a littlefs image. `unplug_after`: the board goes away when so many bytes
    have come to it. `name`: machine.unique_id().
    """

    def __init__(self, flash, link=None, heapsize="256k", name="virtual", unplug_after=None):
        self.flash, self.heapsize, self.name = Path(flash).resolve(), heapsize, name
        self._folder = tempfile.TemporaryDirectory(prefix="virtual-board-")
        self.device = str(link or Path(self._folder.name) / "tty")
        self._left = unplug_after
        self._cause, self._raw = POWER_ON, False
        self.causes = []  # of each reset
        self._plugged = True
        self._line, self._far = os.openpty()  # the far end stays open: mpremote may come and go
        tty.setraw(self._far)
        if os.path.lexists(self.device):
            os.unlink(self.device)
        os.symlink(os.ttyname(self._far), self.device)
        self._bell, self._button = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def unplug(self):
        """Take it away: power, and the serial port."""
        os.write(self._button, b"!")  # the thread may have ended: then nobody reads it
        self._thread.join(10)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.unplug()
        os.close(self._bell)
        os.close(self._button)
        self._folder.cleanup()

    # -- all below runs in the board's own thread

    def _run(self):
        try:
            self._boot()
            while self._plugged:
                reads = [self._bell, self._inner] + [self._line] * self._ready
                for end in select.select(reads, [], [])[0]:
                    self._step(end)
        finally:
            self._child.kill()
            self._child.wait()
            for end in (self._line, self._far, self._inner):
                os.close(end)
            os.unlink(self.device)

    def _step(self, end):
        if end == self._bell:
            self._plugged = False
        elif end == self._line:
            self._hear(os.read(self._line, 4096))
        elif end == self._inner:
            self._say()

    def _boot(self):
        """Start the process; a board that was in the raw REPL stays there over a soft reset, without main.py."""
        self._inner, terminal = os.openpty()
        tty.setraw(terminal)
        environment = {
            "VIRTUAL_MARK": MARK, "VIRTUAL_FLASH": str(self.flash), "VIRTUAL_STATE": self._folder.name,
            "MICROPYINSPECT": "1",  # a prompt follows
            "VIRTUAL_ID": self.name, "VIRTUAL_CAUSE": str(self._cause), "VIRTUAL_MAIN": str(int(not self._raw)),
        }
        command = [sys.executable, "-I", "-S", str(CHILD), str(env.find_micropython())]
        command += ["-X", f"heapsize={self.heapsize}", "-c", IMPORT]
        self._child = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal,
                                       env=clean_env(**environment), start_new_session=True)
        os.close(terminal)
        self._ready = False  # until then what comes is left in the line
        self._hide = MARK.encode()
        self._tail = b""

    def _say(self):
        """Carry what the process says to the line."""
        try:
            data = os.read(self._inner, 4096)
        except OSError:
            data = b""  # it has ended
        if not data:
            self._ended()
            return
        self._tail += data
        while self._hide and self._hide in self._tail:
            self._tail = self._tail[self._tail.index(self._hide):]
            if self._hide == RAW:
                data, self._hide = self._tail, None
            else:
                data = self._tail = self._tail[len(self._hide):]
                self._ready, self._hide = True, RAW if self._raw else None
                if self._raw:
                    os.write(self._inner, CTRL_A)
        if not self._hide:
            self._tail = self._tail[-256:]
            raw, friendly = self._tail.rfind(RAW), self._tail.rfind(FRIENDLY)
            if raw != friendly:
                self._raw = raw > friendly
            write_all(self._line, data)

    def _ended(self):
        code = self._child.wait()
        if not self._ready:
            raise RuntimeError(f"the virtual board does not start: {self._tail.decode(errors='replace')}")
        os.close(self._inner)
        self._cause = {RESET: HARD, SLEPT: DEEPSLEEP}.get(code, SOFT)
        self.causes.append(self._cause)
        if self._cause == SOFT:
            write_all(self._line, (b"" if self._tail.endswith(b"\r\n") else b"\r\n") + REBOOT)
        else:
            self._raw = False
        self._boot()

    def _hear(self, data):
        """Carry what comes from the line to the process; Ctrl-C as a signal while a program listens to it."""
        if self._left is not None:
            data = data[:self._left]
            self._left -= len(data)
            self._plugged = self._left > 0
        while data:
            plain, stop, data = data.partition(CTRL_C)
            write_all(self._inner, plain)
            if stop and self._listens():
                os.kill(self._child.pid, signal.SIGINT)
            elif stop:
                write_all(self._inner, stop)

    def _listens(self):
        """MicroPython catches SIGINT only while a program runs that Ctrl-C may stop; else it is a byte."""
        status = Path(f"/proc/{self._child.pid}/status").read_text()
        caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
        return bool(int(caught.split()[1], 16) >> signal.SIGINT - 1 & 1)


def write_all(end, data):
    try:
        while data:
            data = data[os.write(end, data):]
    except OSError:
        pass  # it has ended, which its other side will tell


def make_image(path, size):
    """Make the file of an empty littlefs of `size` bytes: flash that can become full."""
    path.write_bytes(b"\xff" * size)
    program = f"{IMPORT}; boot.vfs.VfsLfs2.mkfs(boot.Flash({str(path)!r}), progsize=256)"
    subprocess.run([env.find_micropython(), "-c", program], env=clean_env(), check=True)
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("link", help="where the serial port appears")
    parser.add_argument("--flash", default="flash", help="a folder, or a littlefs image (default: %(default)s)")
    parser.add_argument("--heapsize", default="256k")
    chosen = parser.parse_args()
    if unavailable():
        return unavailable()
    if not os.path.exists(chosen.flash):
        os.mkdir(chosen.flash)
    with VirtualBoard(chosen.flash, chosen.link, chosen.heapsize):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        print(f"mpremote connect {chosen.link}    (Ctrl-C unplugs it)", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main())
