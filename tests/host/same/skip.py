# How a test says that it cannot run here: `raise SkipTest("why")`.
# Rule: one exception that pytest knows already, and that MicroPython can have too.
try:
    from unittest import SkipTest
except ImportError:

    class SkipTest(Exception):
        pass


__all__ = ("SkipTest",)
