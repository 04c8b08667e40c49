# The time of day from an SNTP server, without waiting: TLS can not verify a certificate without it.
#
# Rule: one packet out, one in, and a deadline, in steps; only the look-up of the server's name waits. An answer
# counts only if it repeats the random number of its question.
import errno
import socket
import time
from random import getrandbits

from umqtt_full.link import backoff
from micropython import const
from time import ticks_add, ticks_diff, ticks_ms

_DAY_S = const(86400)
_ANSWER_MS = const(2000)
_RETRY_MIN_MS = const(2000)
_RETRY_MAX_MS = const(600000)
_FIRST_YEAR = const(2026)  # a clock before it was never set: an ESP32 begins in 2000, a Pico in 2021
_UNIX = const(2208988800)  # seconds from 1900 to 1970
_TO_2000 = const(946684800)  # and from there to 2000
_ERA = const(0x100000000)  # in 2036 the 32 bits of NTP begin anew
_OLDEST = const(3913056000)  # 2024, in seconds since 1900: what is below is of the next era


def unix_time(seconds):
    """Seconds since 1970, of what time.time() gives: some ports count from 2000."""
    return seconds + _TO_2000 if time.gmtime(0)[0] == 2000 else seconds


def is_set():
    """Has somebody set the clock?"""
    return time.gmtime()[0] >= _FIRST_YEAR


class Ntp:
    """Keeps the clock right, once a day: `set_clock(tuple)` is given what time.gmtime() gives."""

    def __init__(self, host, set_clock, port=123):
        self.synced = 0  # how often
        self.error = None  # why the last attempt failed
        self._host = host
        self._port = port
        self._set_clock = set_clock
        self._socket = None
        self._failures = 0
        self._asked = None  # the random number of our question
        self._at = ticks_ms()  # when to ask; while one waits for an answer: until when
        # when to ask again, by time.time(): ticks do not reach far enough. Where the clock ran on through a
        # deep sleep, which makes it inaccurate by minutes a day, it is asked for at every 32nd wake or so
        self._next_s = int(time.time()) + _DAY_S if is_set() and getrandbits(5) else 0

    def step(self):
        """One step, to be called while there is a network. True when the clock is set.

        Waits for the look-up of the name only.
        """
        now = ticks_ms()
        try:
            if self._socket:
                self._answer(now)
            elif ticks_diff(self._at, now) <= 0 and time.time() >= self._next_s:
                self._ask(now)
        except OSError as e:
            self.error = e
            self._close()
            self._at = ticks_add(now, backoff(self._failures, _RETRY_MIN_MS, _RETRY_MAX_MS) + _RETRY_MIN_MS)
            self._failures += 1
        return is_set()

    def _ask(self, now):
        address = socket.getaddrinfo(self._host, self._port)[0]  # (a Pico W warns if more is asked for)
        self._socket = socket.socket(address[0], socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.connect(address[-1])
        self._asked = bytes([getrandbits(8) for _ in range(8)])
        self._socket.send(b"\x23" + bytes(39) + self._asked)  # version 4, client; our time is a random number
        self._at = ticks_add(now, _ANSWER_MS)

    def _answer(self, now):
        try:
            data = self._socket.recv(48)
        except OSError as e:
            if e.errno != errno.EAGAIN:
                raise
            data = b""
        if len(data) == 48 and data[0] & 7 == 4 and data[24:32] == self._asked and 0 < data[1] < 16:
            self._close()
            self._failures = 0
            self.error = None
            seconds = int.from_bytes(data[40:44], "big")
            if seconds < _OLDEST:
                seconds += _ERA
            seconds -= _UNIX
            if time.gmtime(0)[0] == 2000:
                seconds -= _TO_2000
            self._set_clock(time.gmtime(seconds))
            self.synced += 1
            self._next_s = seconds + _DAY_S
        elif ticks_diff(self._at, now) <= 0:
            raise OSError("ntp: no answer")

    def _close(self):
        if self._socket:
            self._socket.close()
            self._socket = None
