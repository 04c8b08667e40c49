# That the frame itself works on every interpreter: CPython, MicroPython of 64 and of 32 bits.
import sys

import run

HEAPSIZE = "64k"
CPYTHON_ONLY = ("test_this_is_cpython",)
MICROPYTHON_ONLY = ("test_this_is_micropython", "test_the_heap_is_as_small_as_said")


def test_a_test_that_returns_is_ok():
    assert run.one(lambda: None) == "ok"


def test_this_is_cpython():
    assert sys.implementation.name == "cpython"


def test_this_is_micropython():
    assert sys.implementation.name == "micropython"


def test_the_heap_is_as_small_as_said():
    import gc

    if sys.maxsize > 1 << 31:  # a 32-bit heap grows when it must
        assert gc.mem_free() + gc.mem_alloc() < 65536
