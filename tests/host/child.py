"""Start a command that dies when the process that started it dies: `python child.py command args...`

Rule: nothing that a test starts outlives the test run, not even one that was killed.
"""
import os
import sys

if sys.platform == "linux":
    import ctypes
    import signal

    _PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

os.execvp(sys.argv[1], sys.argv[1:])
