# What is loaded for a moment, while memory is so scarce that loading fails at one place after another.
# Rule: run with a heap of 56 KiB and the compact build; lines of "what failed", then "ok".
import gc

gc.threshold(2048)
import sys  # noqa: E402

from umqtt_full import MQTTClient, MQTTError  # noqa: E402


def hog(size):
    """All the memory there is in pieces of this size."""
    chain = None
    try:
        while True:
            chain = (chain, bytearray(size))
    except MemoryError:
        return chain


def fails(act):
    try:
        act()
        return 0
    except MemoryError:
        return 1


client = MQTTClient("mqtt://127.0.0.1:1", "scarce")
acts = {
    "on": lambda: client.on("a/b", print),
    "name": lambda: str(MQTTError(0x81)),
    "will": lambda: client.will("a", b""),
    "unsubscribe": lambda: client.unsubscribe("a/b"),
    "disconnect": lambda: client.disconnect(0),
}
failed = n = room = large = middle = small = None
for what, act in acts.items():
    failed = 0
    for n in range(32, 4000, 32):
        room = bytearray(n)
        large, middle, small = hog(512), hog(64), hog(16)
        room = None
        failed += fails(act)
        large = middle = small = None
        gc.collect()
        act()
    print(what, failed)
left = [name for name in sys.modules if name.startswith("umqtt_full.")]
if left:
    raise AssertionError(left)
print("ok")
