# What MicroPython has and CPython lacks, so that the same files run on a PC. Never copied to a board.
#
# It adds a `micropython` module where there is none and the ticks functions to `time`; nothing that
# CPython has is changed. In return no other file of the package, and no byte on a board, knows of CPython.
import select as _select
import socket as _socket
import sys
import time
import types

_PERIOD = 1 << 30  # ticks wrap as they do on a 32-bit board

if "micropython" not in sys.modules:
    micropython = types.ModuleType("micropython")
    micropython.const = lambda value: value
    sys.modules["micropython"] = micropython

if not hasattr(time, "ticks_ms"):
    time.ticks_ms = lambda: time.monotonic_ns() // 1000000 % _PERIOD
    time.ticks_add = lambda ticks, delta: (ticks + delta) % _PERIOD
    time.ticks_diff = lambda a, b: (a - b + _PERIOD // 2) % _PERIOD - _PERIOD // 2
    time.sleep_ms = lambda ms: time.sleep(ms / 1000)


class Socket(_socket.socket):
    """A socket with MicroPython's stream methods: None where it would block, as bytes or a count else."""

    def readinto(self, buf, n):
        """Read up to `n` bytes into `buf`: the count, 0 at the end of the stream, None when it would block."""
        try:
            return self.recv_into(buf, n)
        except BlockingIOError:
            return None

    def write(self, buf, off, n):
        """Write up to `n` bytes of `buf` from `off`: the count, or None when it would block."""
        try:
            return self.send(memoryview(buf)[off : off + n])
        except BlockingIOError:
            return None


class Poll:
    """`select.poll` with `ipoll`, also where the system has only `select.select`."""

    def __init__(self):
        self._masks = {}

    def register(self, stream, mask):
        if not hasattr(stream, "fileno"):
            raise OSError("stream operation not supported")
        self._masks[stream] = mask

    modify = register

    def unregister(self, stream):
        self._masks.pop(stream, None)

    def ipoll(self, timeout_ms):
        """Wait up to `timeout_ms`; give (stream, events) for each that is ready."""
        reads = [s for s, mask in self._masks.items() if mask & POLLIN]
        writes = [s for s, mask in self._masks.items() if mask & POLLOUT]
        if not reads and not writes:
            time.sleep(timeout_ms / 1000)
            return []
        # a failed connect shows as "exceptional" on Windows, as writable elsewhere
        read, write, failed = _select.select(reads, writes, writes, timeout_ms / 1000)
        ready = {}
        for streams, event in ((read, POLLIN), (write, POLLOUT), (failed, POLLERR)):
            for s in streams:
                ready[s] = ready.get(s, 0) | event
        return list(ready.items())


POLLIN, POLLOUT, POLLERR, POLLHUP = 1, 4, 8, 16

select = types.SimpleNamespace(poll=Poll, POLLIN=POLLIN, POLLOUT=POLLOUT)
socket = types.SimpleNamespace(
    socket=Socket, getaddrinfo=_socket.getaddrinfo, SOCK_STREAM=_socket.SOCK_STREAM
)
