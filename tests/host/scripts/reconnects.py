# Our side of test_thousand_reconnects.py: links that end as soon as they are up.
# Rule: the heap in use is noted behind each, after a collection, in memory that was there before.
import gc
import sys
from array import array

from umqtt_full import MQTTClient


def client(url):
    c = MQTTClient(url, "many", keepalive=0, clean=False, rx=64, slots=2, slot_size=32)
    c.retry_min_ms = c.retry_max_ms = 1
    c.publish("t", b"never acknowledged", 1)
    return c


def run(url, count, note):
    """Make `count` links; call note(index) when each has ended."""
    c = client(url)
    ended = 0

    def on_disconnect(reason):
        nonlocal ended
        ended += 1

    c.on_disconnect = on_disconnect
    c.start()
    seen = 0
    while seen < count:
        c.poll(1000)
        while seen < min(ended, count):
            note(seen)
            seen += 1
    c.close()
    assert c.room() == 1 and c.counters["reconnects"] >= count - 1
    return c


def main(url, count):
    heap = array("I", range(count))

    def note(i):
        gc.collect()
        heap[i] = gc.mem_alloc()

    run(url, count, note)
    print("heap", max(heap[2:12]), max(heap[-10:]), max(heap[12:]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
