# The world around a simulated board: which chip it is, what time it is, and who is on the air.
# Rule: what a port's sources say is cited where it is replayed (MicroPython 1.29); what they do not say (how many
# milliseconds the air takes) is a number here. Time is turned by the test, and by what waits on a real board.
JOIN_MS = 1500  # to an association
DHCP_MS = 700  # from there to an address
FAIL_MS = 2500  # to the news that there is no such access point, or that the password is wrong
SCAN_MS = 2800


class Point:
    """An access point. `silent`: it has gone without a word, and the chip does not know."""

    def __init__(self, ssid, password=None, rssi=-60, bssid=b"\x02\0\0\0\0\1"):
        self.ssid, self.password, self.rssi, self.bssid = ssid, password, rssi, bssid
        self.there = True
        self.silent = False


class World:
    """`chip`: "esp32" or "rp2". `scans`: when; `clock`: has `now` in ms and sleep(ms)."""

    def __init__(self):
        self.reset("esp32", None)

    def reset(self, chip, clock):
        self.chip = chip
        self.clock = clock
        self.points = []
        self.scans = []
        self.log = []  # what was asked of the hardware
        self.rtc_memory = b""  # outlives deep sleep
        self.datetime = None
        self.reset_cause = 1  # power on
        self.watchdog_ms = None
        self.partitions = {}
        self.pins = {}

    def find(self, ssid, bssid=None):
        """The strongest that goes by this name."""
        found = [p for p in self.points if p.there and p.ssid == ssid and bssid in (None, p.bssid)]
        found.sort(key=lambda p: -p.rssi)
        return found[0] if found else None


world = World()
