# Payloads of many times the heap go out.
# Rule: as in large_notes.py; each block of 256 bytes begins with its offset.
import struct
from time import ticks_ms

from large_notes import Notes, client_of, poll_until

from umqtt_full.stream import Streams

BLOCK = bytearray(range(256))


class Maker(Notes):
    """A source."""

    def __init__(self, size):
        super().__init__()
        self.size = size

    def __call__(self, offset, buf):
        if not offset:
            self.begin(self.size)
        n = len(buf)
        buf[:] = BLOCK if n == 256 else BLOCK[:n]
        struct.pack_into(">I", buf, 0, offset)
        self.add(buf, offset + n)
        return n


def run(server, name, size, qoses):
    """Send a payload of `size` at each of `qoses`, a text such as "012"."""
    client = client_of(server, name, slots=1, slot_size=64)
    streams = Streams(client)
    client.start()
    poll_until(client, lambda: client.connected)
    maker = Maker(size)
    for qos in qoses:
        streams.publish(name + "/up/" + qos, maker, size, int(qos))
        poll_until(client, client.room)
        maker.ended = ticks_ms()
        maker.tell()
    assert client.disconnect()
