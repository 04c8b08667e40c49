"""A board at the end of a serial line, as the tools see it, through mpremote.

Rule: whatever goes wrong with a board is a BoardError whose text says what to do; no call waits for ever.
"""
import binascii
import contextlib
import importlib.util
import io
import json
import os
import re
import struct
import sys
import time

import env

try:
    import serial
    import serial.tools.list_ports
    from mpremote.transport import TransportError
    from mpremote.transport_serial import SerialTransport
except ImportError:
    serial = None

OLDEST = (1, 26)  # of MicroPython
STOP_S = 5  # for a board to stop what it does; three times this
READ_S = 10  # for the next byte, where one has to come
PARKED = "/main.py.~new"  # a name that install.py removes where it is left over
CHUNK = 2048  # bytes of a file that go to the board at a time
INFO = """
import json, sys
i = sys.implementation
print(json.dumps([i.name, sys.platform, list(i.version)[:3], getattr(i, "_machine", "?"), getattr(i, "_mpy", 0)]))
"""


class BoardError(Exception):
    """The board can not be used: the text is for the one who holds it."""


def need(package, extra=False):
    """Go on in the project's own environment where this Python lacks the package; `extra`: see env.ensure()."""
    if importlib.util.find_spec(package):
        return
    python = str(env.ensure(extra))
    importlib.invalidate_caches()
    if os.path.realpath(sys.prefix) == os.path.realpath(env.VENV) and not importlib.util.find_spec(package):
        raise SystemExit(f"{package} is not in {env.VENV.name}")
    os.execv(python, [python, *sys.argv])


def find(device=None):
    """The port of the one board that is plugged in, or `device` where it is given."""
    if device:
        return device
    ports = [port for port in serial.tools.list_ports.comports() if port.vid is not None]
    if not ports:
        raise BoardError("no board found: is it plugged in, by a cable that carries data? "
                         "Else name its port: --device /dev/ttyUSB0, or --device socket://host:port")
    if len(ports) > 1:
        listed = "\n".join(f"  {port.device}  {port.manufacturer} {port.product}" for port in ports)
        raise BoardError(f"several boards: choose one with --device\n{listed}")
    return ports[0].device


class Board:
    """`with Board(find()) as board:` and the board waits for orders; what ran on it has been stopped.

    `platform` (sys.platform), `version` (a tuple), `machine` (its name), `mpy` (what .mpy it reads).
    """

    def __init__(self, device):
        self.device = device
        self._open()

    def _open(self):
        with self._words("connecting"):
            try:
                self._line = SerialTransport(self.device, timeout=READ_S)
            except TransportError as e:
                raise BoardError(f"{e}: does it exist, and is no other program using it?")
        try:
            self.stop()
            self._read_info()
        except BoardError:
            self.close()
            raise

    def again(self, seconds=30):
        """Be its master once more, after a reset that may have taken the port away for a while."""
        end = time.monotonic() + seconds
        while True:
            try:
                self.close()
                self._open()
                return
            except BoardError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.5)

    def end_watchdog(self):
        """End what machine.WDT has begun: nothing does but a reset after which main.py does not run."""
        self.exec(f"import os\nos.rename('/main.py', {PARKED!r})")
        with contextlib.suppress(BoardError):
            self.exec("import machine\nmachine.reset()", timeout=1)
        self.again()
        self.exec(f"import os\nos.rename({PARKED!r}, '/main.py')")

    def _read_info(self):
        name, self.platform, version, self.machine, self.mpy = json.loads(self.exec(INFO))
        self.version = tuple(version)
        shown = ".".join(map(str, version))
        if name != "micropython" or self.version < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            raise BoardError(f"{self.device} runs {name} {shown}: MicroPython {oldest} or later is needed; "
                             "tools/flash.py puts it on the board")
        self.firmware = f"{name} {shown}"

    def stop(self):
        """Stop what runs: there is a fresh interpreter then, and main.py does not run."""
        self._runs = False
        with self._words("stopping what runs"), contextlib.redirect_stdout(io.StringIO()):
            for attempt in range(3):
                try:
                    self._line.enter_raw_repl(soft_reset=True, timeout_overall=STOP_S)
                    return
                except TransportError:
                    if attempt == 2:
                        raise BoardError(f"{self.device} does not answer as MicroPython: is its firmware on it "
                                         "(tools/flash.py)? If a program keeps it busy, press reset")

    def exec(self, code, timeout=20, say=None):
        """Run a program; return what it printed. `say(bytes)` is told at once. Raises BoardError."""
        with self._words("running a program"):
            try:
                out, error = self._line.exec_raw(code, timeout, say)
            except (TransportError, struct.error) as e:  # the latter where mpremote reads too little
                raise BoardError(f"{self.device}: {e}")
        if re.search(rb"OSError: (28$|.*ENOSPC)", error.strip()):
            raise BoardError(f"{self.device}: its filesystem is full")
        if error:
            raise BoardError(f"{self.device}: {error.decode(errors='replace').strip()}")
        return out.decode(errors="replace")

    def write(self, path, data, progress=None):
        """Write a file; `progress(bytes)` is called as it goes. Raises BoardError, after removing the file."""
        step = f"from binascii import a2b_base64 as a\nf = open({path!r}, 'wb')\n"
        try:
            for at in range(0, len(data) or 1, CHUNK):
                piece = data[at:at + CHUNK]
                step += f"f.write(a({binascii.b2a_base64(piece, newline=False)!r}))\n"
                self.exec(step + "f.close()" * (at + CHUNK >= len(data)))
                step = ""
                if progress:
                    progress(len(piece))
        except BoardError:
            with contextlib.suppress(BoardError):
                self.exec(f"import os\ntry:\n f.close()\nexcept OSError:\n pass\nos.remove({path!r})")
            raise

    def start(self):
        """Soft reset, unless it runs already: boot.py and main.py as at power-on; the serial port stays there."""
        if self._runs:
            return
        self._runs = True
        with self._words("starting"):
            self._line.exit_raw_repl()
            self._line.read_until(1, b">>> ", timeout=3)
            self._line.serial.write(b"\x04")

    def read(self, seconds):
        """What the board says, as bytes; b"" when it said nothing for so long."""
        with self._words("listening"):
            end = time.monotonic() + seconds
            while not self._line.serial.in_waiting:
                if time.monotonic() >= end:
                    return b""
                time.sleep(0.01)
            return self._line.serial.read(self._line.serial.in_waiting)

    def close(self):
        """Let go of the port; what runs on the board goes on."""
        with contextlib.suppress(OSError):
            self._line.close()

    @contextlib.contextmanager
    def _words(self, doing):
        """A port that fails has gone away."""
        try:
            yield
        except TimeoutError:  # is not of the port
            raise
        except OSError as e:  # pyserial's errors are such, too
            raise BoardError(f"{self.device} went away while {doing} ({e})")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
