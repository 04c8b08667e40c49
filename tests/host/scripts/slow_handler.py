# A handler that takes one message at a time, with long rests, on MicroPython, from .mpy.
# Rule: as in large_notes.py.
import gc
from time import ticks_add, ticks_diff, ticks_ms

from umqtt_full import MQTTClient


def run(server, name, count, each_ms, rest_ms):
    """Take one message each `each_ms`, the sixth only after `rest_ms`; say what went on meanwhile."""
    client = MQTTClient(server, name, keepalive=1, clean=False)
    pings, downs, offers = [0], [], [0]
    taken = [0, ticks_ms()]  # how many; when the next may be taken
    heap = [0] * 8

    def on_number(msg):
        offers[0] += 1
        if ticks_diff(ticks_ms(), taken[1]) < 0:
            msg.later()
            return
        assert msg.payload_int() == taken[0], (taken[0], bytes(msg.payload))
        taken[0] += 1
        taken[1] = ticks_add(ticks_ms(), rest_ms if taken[0] == 5 else each_ms)
        if taken[0] * 8 % count == 0:
            gc.collect()
            heap[taken[0] * 8 // count - 1] = gc.mem_alloc()

    def trace(out, head, length):
        if head == 0xC0 and client._engine.held:
            pings[0] += 1

    client.trace(trace)
    client.on_disconnect = downs.append
    client.on(name + "/n", on_number, 1)
    client.start()
    while not client.connected:
        client.poll(1000)
    print("subscribed")
    while taken[0] < count:
        client.poll(each_ms)
    assert client.drain(5000) and not downs, downs
    print("heap", *heap)
    print("pings", pings[0])
    print("offers", offers[0])
    client.on_disconnect = None
    client.disconnect()
