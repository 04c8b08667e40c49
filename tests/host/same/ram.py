# Files in RAM in place of the system's, for the store: what was not flushed is gone after a power cut.
# Rule: each open, write, flush, close and rename is an operation with a number, and any of them can fail.
from umqtt_full import store as module

ENOENT, EIO, EBUSY, ENOSPC, EROFS = 2, 5, 16, 28, 30


class Disk:
    """Its files are what lies on the medium. `with Disk() as disk:` the store has these files and no others."""

    def __init__(self, files=None):
        self.files = dict(files or {})
        self.done = []  # names of the operations
        self.fails = range(0)  # their numbers that fail
        self.errno = EIO

    def __enter__(self):
        self._os = module.os
        module.open, module.os = self.open, self
        return self

    def __exit__(self, *exc):
        module.os = self._os
        del module.open

    def _step(self, what):
        self.done.append(what)
        if self.fails.start <= len(self.done) - 1 < self.fails.stop:  # "in" would count them on MicroPython
            raise OSError(self.errno, "the medium")

    def open(self, name, mode):
        self._step("open")
        if mode == "wb":
            self.files[name] = b""
        elif name not in self.files:
            raise OSError(ENOENT, name)
        return File(self, name)

    def rename(self, old, new):
        self._step("rename")
        if old not in self.files:
            raise OSError(ENOENT, old)
        self.files[new] = self.files.pop(old)


class File:
    def __init__(self, disk, name):
        self._disk = disk
        self._name = name
        self._at = 0
        self._waits = b""  # written, not flushed

    def read(self, n):
        self._disk._step("read")
        self._at += n
        return self._disk.files[self._name][self._at - n : self._at]

    def write(self, data):
        self._disk._step("write")
        self._waits += bytes(data)

    def flush(self):
        self._disk._step("flush")
        if self._waits:
            self._disk.files[self._name] += self._waits
            self._waits = b""

    def close(self):
        self._disk._step("close")
        if self._waits:
            self._disk.files[self._name] += self._waits
            self._waits = b""


class Block:
    """Memory that outlives deep sleep, for MemoryStore."""

    def __init__(self):
        self.data = b""
        self.broken = False
        self.writes = 0

    def read(self):
        return self.data

    def write(self, data):
        self.writes += 1
        if self.broken:
            raise OSError(EIO, "the memory")
        self.data = bytes(data)
