# Payloads of many times the heap go out.
# Rule: as in large_notes.py; each block of 256 bytes begins with its offset.
import struct
from time import ticks_ms

from large_notes import Notes, client_of, leave, turns_until

from umqtt_full.stream import Streams


class Maker(Notes):
    """A source."""

    def __init__(self, size):
        super().__init__()
        self.size = size

    def __call__(self, offset, buf):
        n = len(buf)
        if not offset:
            self.begin(self.size)
            for i in range(n):
                buf[i] = i
        struct.pack_into(">I", buf, 0, offset)  # the rest is there from the first block
        self.add(buf, offset + n)
        return n


def turns(server, name, size, qoses):
    """Send a payload of `size` at each of `qoses`, a text such as "012"."""
    client = client_of(server, name, slots=1, slot_size=64)
    streams = Streams(client)
    maker = Maker(size)
    client.start()
    yield from turns_until(client, maker, lambda: client.connected)
    for qos in qoses:
        streams.publish(name + "/up/" + qos, maker, size, int(qos))
        yield from turns_until(client, maker, client.room)
        maker.ended = ticks_ms()
        maker.tell()
    leave(client)


def run(*arguments):
    for _ in turns(*arguments):
        pass
