# One measurement of bench.py.
# Rule: `-m run with_X publish|receive|idle|heap url qos bytes count n [never]`; `n`: the window or burst of
# with_full.py; with "never" no garbage is collected. It says "ready" and waits for a line, at receive for each
# burst, and "us N" at the end. `heap` receives, too, but says "heap N" in place of "ready".
import gc
import sys
import time

line = bytearray(1)


def go():
    if not sys.argv[8:]:
        gc.collect()
    print("ready")
    sys.stdin.buffer.readinto(line)


def go_on():
    print("heap", gc.mem_alloc())
    sys.stdin.buffer.readinto(line)


def bursts(go):
    """See with_full.py; the time is added to `us`."""
    global us
    for end in range(n, count + 1, n):
        go()
        begin = time.ticks_us()
        yield end
        us += time.ticks_diff(time.ticks_us(), begin)


client, way, url = sys.argv[1:4]
qos, size, count, n = (int(word) for word in sys.argv[4:8])
module = __import__(client)
gc.collect()
if sys.argv[8:]:
    gc.disable()
if way == "publish":
    go()
    us = module.publish(url, qos, bytes(size), count, n)
elif way in ("receive", "heap"):
    us = 0
    module.receive(url, qos, size, bursts(go if way == "receive" else go_on))
else:
    go()
    us = module.idle(url, count)
print("us", us)
