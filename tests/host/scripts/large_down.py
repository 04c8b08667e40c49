# Payloads of many times the heap come in.
# Rule: as in large_notes.py.
from time import ticks_ms

from large_notes import Notes, client_of, leave, turns_until

from umqtt_full.stream import Streams


class Taker(Notes):
    """A handler that takes all that has come, at each call."""

    def __init__(self):
        super().__init__()
        self.buf = bytearray(64)
        self.view = memoryview(self.buf)
        self.done = 0

    def __call__(self, stream):
        if not stream.offset:
            self.begin(stream.length)
        n = stream.readinto(self.buf)
        while n:
            self.add(self.buf if n == 64 else self.view[:n], stream.offset)
            n = stream.readinto(self.buf)
        if not stream.remaining:
            self.done += 1
            self.ended = ticks_ms()


def turns(server, name, count):
    """Take `count` payloads, of whatever size and QoS."""
    client = client_of(server, name, slots=1, slot_size=64)
    taker = Taker()
    Streams(client, 16).on(name + "/down/#", taker, 2)
    client.start()
    yield from turns_until(client, taker, lambda: client.connected)
    print("subscribed")
    for i in range(count):
        yield from turns_until(client, taker, lambda i=i: taker.done > i)
        ended = lambda: client.connected and not client._engine.ids  # noqa: E731  of QoS 2
        yield from turns_until(client, taker, ended)
        taker.tell()
    if taker.done != count:
        raise AssertionError("more came")
    leave(client)


def run(*arguments):
    for _ in turns(*arguments):
        pass
