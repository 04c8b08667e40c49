# What goes by in large_down.py and large_up.py: its SHA-256, and the heap meanwhile.
# Rule: from .mpy and with nothing else loaded; lines of "word values", then "ok"; the heap is told as
# gc.mem_alloc() behind a gc.collect(), at eight places of a payload; "first" is the first look of all, which may
# have been before a cut. On the WebAssembly port time passes, and garbage is collected, only where a turn ends:
# `poll_ms` is 0 there, and a look is done when the next turn begins.
import gc
import hashlib
import sys
from binascii import hexlify
from time import ticks_add, ticks_diff, ticks_ms

from umqtt_full import MQTTClient, MQTTError

poll_ms = 0 if sys.platform == "webassembly" else 1000


class Notes:
    """The SHA-256 of a payload that goes by, how often it was begun, and the heap on its way."""

    def __init__(self):
        self.heap = [0] * 8
        self.first = self.begun = 0
        self.due = False  # a look

    def begin(self, size):
        self.begun += 1
        self.sha = hashlib.sha256()
        self.step = size // 9  # none at the end, where a piece is smaller than the others
        self.at = 0
        self.began = ticks_ms()

    def add(self, data, offset):
        self.sha.update(data)
        if offset >= (self.at + 1) * self.step and self.at < 8:
            gc.collect()
            self.due = True
            if poll_ms:
                self.look()

    def look(self):
        self.due = False
        self.heap[self.at] = gc.mem_alloc()
        self.first = self.first or self.heap[self.at]
        self.at += 1

    def tell(self):
        print("sha", str(hexlify(self.sha.digest()), "ascii"))
        print("begun", self.begun)
        print("took", ticks_diff(self.ended, self.began))
        print("first", self.first)
        print("heap", *self.heap)
        self.first = self.begun = 0


def client_of(server, name, **options):
    str(MQTTError(0))  # the names of what is loaded for that moment stay in memory
    client = MQTTClient(server, name, rx=256, clean=False, **options)
    client.retry_min_ms, client.retry_max_ms = 20, 200
    client.on_error = client.on_disconnect = lambda why: print("link", why)
    return client


def turns_until(client, notes, condition, ms=100000):
    """Poll until the condition holds: a turn for each time."""
    end = ticks_add(ticks_ms(), ms)
    while not condition():
        client.poll(poll_ms)
        yield
        if notes.due:
            notes.look()
        if ticks_diff(end, ticks_ms()) <= 0:
            raise AssertionError("it did not happen")


def leave(client):
    """Disconnect. A disconnect waits, and on the WebAssembly port nothing comes meanwhile."""
    if not poll_ms:
        client.close()
    elif not client.disconnect():
        raise AssertionError("not all was sent")
