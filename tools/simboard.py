"""A simulated board for the demo, in place of ports/*/board.py.

Rule: it has what both boards have, on MicroPython's unix port and on CPython; it prints one
line for each thing said; it lives as long as its standard input stays open.
"""

import gc
import select
import sys
import time

HEAP_MS = 2000  # between two heap figures

_stdin = select.poll()
_stdin.register(sys.stdin, select.POLLIN)


ms = time.ticks_ms if hasattr(time, "ticks_ms") else lambda: time.monotonic_ns() // 1000000

_start = ms()
_next_heap = HEAP_MS


def alive():
    """False when the demo has closed our standard input (or is dead)."""
    global _next_heap
    if ms() - _start >= _next_heap:
        _next_heap += HEAP_MS
        heap()
    return not _stdin.poll(0)


def heap():
    """What is in use once the garbage is gone: a flat line unless something leaks."""
    gc.collect()
    if hasattr(gc, "mem_alloc"):
        say("heap", f"{gc.mem_alloc()} bytes used, {gc.mem_free()} free")


QUANTITIES = (("celsius", "temperature", "\xb0C"),)


def read():
    """Tenths of a degree: up from 21.0 to 24.0 and down again, over and over."""
    phase = (ms() - _start) // 100 % 120
    return (210 + min(phase, 120 - phase) // 2,)


def light(red, green, blue):
    pass  # what the lamp does is in the words of the bulb


def restart():
    """There is nobody to start us again."""
    sys.exit(1)


def say(what, text):
    print(what, text)
