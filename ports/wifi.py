# Wi-Fi that never waits: a state machine that is turned by gate(), which the client calls before it connects.
#
# Rule: one step a call. Where the ports differ we ask what they have (deinit, the sign of status). Only active(),
# once, and scan(), for seconds, wait: so it is called only while there is no link and where there is a choice.
# That isconnected() is true proves nothing on a Pico W: when the client meets silence again and again, Wi-Fi
# is started anew.
import errno

from umqtt_full.link import backoff
import network
from micropython import const
from time import ticks_add, ticks_diff, ticks_ms

_JOIN_MS = const(15000)  # from connect() to an address; an ESP32 tries several times meanwhile
_RETRY_MIN_MS = const(1000)
_RETRY_MAX_MS = const(30000)
_POWER = {"none": "PM_NONE", "performance": "PM_PERFORMANCE", "powersave": "PM_POWERSAVE"}

# what each port's status() means; all else is told as a number
_WORDS = (
    ("STAT_WRONG_PASSWORD", "wrong password"),
    ("STAT_NO_AP_FOUND", "not found"),
    ("STAT_CONNECT_FAIL", "refused"),
    ("STAT_HANDSHAKE_TIMEOUT", "wrong password"),
)


class Wifi:
    """The station interface, for `access_points`: a list of (ssid, password), the password None where open.

    With several of them the strongest that is heard is tried first. `power_save`: "none", "performance" or
    "powersave"; `static`: (address, mask, gateway, dns); `country`: two letters. `silences`: after so many
    failures of the client in a row that were silence, not an answer, Wi-Fi is started anew.
    `say(text)` is told of each change.
    """

    def __init__(
        self, access_points, hostname=None, country=None, power_save="none", static=None, silences=5, say=None
    ):
        self.wlan = network.WLAN(network.WLAN.IF_STA)
        self.up = False
        self.restarts = 0
        self._points = access_points
        self._hostname = hostname
        self._country = country
        self._power_save = power_save
        self._static = static
        self._silences = silences
        self._say = say or print
        self._silent = 0
        self._failures = 0
        self._order = []  # what is still to be tried: (ssid, password, bssid or None)
        self._trying = None
        self._on = False
        self._at = 0  # when to try next; while trying: until when

    def gate(self):
        """Is there an address? If not, one step towards it: call it often. Waits only to scan, see above."""
        now = ticks_ms()
        if not self._on:
            self._start(now)
        if self.wlan.isconnected():
            if not self.up:
                self.up = True
                self._failures = 0
                self._order = []
                self._trying = None
                self._say("up, %s" % self.wlan.ifconfig()[0])
            return True
        if self.up:
            self.up = False
            self._at = now
            self._say("lost")
        if self._trying and self.wlan.status() >= 0 and ticks_diff(self._at, now) > 0:
            return False  # below 0 is a Pico's, for what has failed; an ESP32's may be of an earlier attempt
        if self._trying:
            self._failed(now, self._why())
        if ticks_diff(self._at, now) <= 0:
            self._try(now)
        return False

    def off(self):
        """Switch it off, as before a sleep; the next gate() switches it on again."""
        if self._on:
            self._on = self.up = False
            self._trying = None
            self._order = []
            self.wlan.disconnect()
            self.wlan.active(False)
            if hasattr(self.wlan, "deinit"):  # a Pico W: cuts the power of the chip, which may be at fault
                self.wlan.deinit()

    def trouble(self, reason):
        """Why a link of the client ended, or an attempt at one; None when it came up.

        Call it from on_connect, on_disconnect and on_error. A refusal is an answer: the network works.
        """
        if getattr(reason, "name", None) in ("connect timeout", "keep alive timeout") or (
            isinstance(reason, OSError) and reason.errno not in (errno.ECONNREFUSED, errno.ECONNRESET)
        ):
            self._silent += 1
            if self._silent >= self._silences:
                self._silent = 0
                self.restarts += 1
                self._say("silence: starting anew")
                self.off()
        else:
            self._silent = 0

    def _start(self, now):
        self._on = True
        self._at = now
        if self._country:
            network.country(self._country)  # before active(): a Pico W reads it there only
        if self._hostname:
            network.hostname(self._hostname)
        self.wlan.active(True)
        self.wlan.config(pm=getattr(self.wlan, _POWER[self._power_save]))  # active() has set it back on a Pico W
        if self._static:
            self.wlan.ifconfig(tuple(self._static))

    def _try(self, now):
        try:
            self.wlan.disconnect()  # an ESP32 goes on trying by itself, and can neither scan nor connect then
            if not self._order:
                self._order = self._by_strength()
            self._trying = self._order.pop(0)
            ssid, password, bssid = self._trying
            if bssid:
                self.wlan.connect(ssid, password, bssid=bssid)
            else:
                self.wlan.connect(ssid, password)
            self._at = ticks_add(now, _JOIN_MS)
        except (OSError, RuntimeError) as e:  # (an ESP32 has RuntimeError for what it has no name for)
            self._failed(now, e)

    def _by_strength(self):
        """What to try: those heard, the strongest first, then the others, which may be hidden."""
        heard = []
        if len(self._points) > 1:
            found = sorted(self.wlan.scan(), key=lambda point: -point[3])
            for ssid, bssid, _, _, _, _ in found:
                for name, password in self._points:
                    if name.encode() == ssid and not [1 for h in heard if h[0] == name]:
                        heard.append((name, password, bytes(bssid)))
        return heard + [(n, p, None) for n, p in self._points if not [1 for h in heard if h[0] == n]]

    def _failed(self, now, why):
        """An attempt failed: the next access point at once, all of them again after a while."""
        name = self._trying[0] if self._trying else "Wi-Fi"
        self._trying = None
        delay = 0
        if not self._order:
            self._failures += 1
            delay = backoff(self._failures - 1, _RETRY_MIN_MS, _RETRY_MAX_MS)
        self._at = ticks_add(now, delay)
        self._say("%s: %s; next in %d ms" % (name, why, delay))

    def _why(self):
        status = self.wlan.status()
        for name, words in _WORDS:
            if getattr(network, name, None) == status:
                return words
        return "no address (status %d)" % status


class Wired:
    """Ethernet or PPP: an interface that looks after itself, with the face of Wifi."""

    def __init__(self, interface):
        self.gate = interface.isconnected

    def off(self):
        """It stays on in a light sleep."""

    def trouble(self, reason):
        """Nothing can be done about it here."""
