# A board with its real main.py and board.py, on simulated hardware, against a real broker.
# Rule: `board_app.py chip`, in a folder that is the board's file system; deep sleep ends the process, and what
# outlives it lies in rtc.bin. Time is real, but the air is fast.
import sys
import time

import air
import network


class RealClock:
    """The clock of the air."""

    @property
    def now(self):
        return time.ticks_ms()

    @now.setter
    def now(self, value):
        time.sleep_ms(time.ticks_diff(value, time.ticks_ms()))


def saved():
    try:
        with open("rtc.bin", "rb") as file:
            return file.read()
    except OSError:
        return None


air.JOIN_MS, air.DHCP_MS, air.SCAN_MS, air.FAIL_MS = 100, 50, 100, 200
world = air.world
world.reset(sys.argv[1], RealClock())
world.points.append(air.Point("home", "secret"))
network.reset()
memory = saved()
if memory is not None:
    world.rtc_memory = memory
    world.reset_cause = 4
try:
    __import__("main")
finally:
    print("hardware", " ".join(world.log))
    with open("rtc.bin", "wb") as file:
        file.write(world.rtc_memory)
