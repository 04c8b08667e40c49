# One link after another: opens a stream to the server, gives it to the engine, and begins again.
#
# Every wait is a deadline that _step() looks at. A stream is closed at one place, _drop.
from random import getrandbits
from time import sleep_ms, ticks_add, ticks_diff, ticks_ms

from micropython import const

from .errors import MQTTError
from .net import POLLIN, POLLOUT, poll

# `state`
_OFFLINE = const("offline")
_CONNECTING = const("connecting")
_CONNECTED = const("connected")

_CLOSED = const(0x100)
_CONNECT_TIMEOUT = const(0x101)
_TAKEN_OVER = const(0x8E)
_RECEIVE_MAXIMUM = const(0x93)

_HELD_MS = const(20)  # after which a message is offered to its handler again
_GATE_MS = const(100)  # how often the gate is looked at
_UNPOLLED_MS = const(10)  # how long to sleep where a stream can not be polled


def backoff(failures, low_ms, high_ms):
    """Milliseconds to wait after so many failures: random up to `low_ms`, doubled each time up to `high_ms`.

    The whole range is drawn from (full jitter), so that many clients do not come back in step. The source is
    `random`: random.seed() makes it repeatable.
    """
    return getrandbits(30) % (min(high_ms, low_ms << min(failures, 16)) + 1)


class Link:
    """What a face is built on: connects its engine to one of `servers`, once or for ever.

    Each has open() and failed(), see net.py, or is a function that gives a new open stream; after a failure
    it is the next one's turn, unless failed() says that it has another address. A face makes `_engine`, and has
    got_down(reason, was_up, delay_ms), called when a link, or an attempt at one, has ended.

    `gate`: a function that says whether there is a network at all; without one nothing is tried.
    `watchdog`: a function that poll() calls as it goes on, once a second at least.

    Milliseconds that may be set: `connect_ms` for all from open to the answers to SUBSCRIBE, anew at each message
    that comes before these; before each retry a random time up to `retry_min_ms`, doubled at each failure up to
    `retry_max_ms`; a link that lasted `stable_ms` begins that anew.
    """

    gate = watchdog = None
    connect_ms = 10000
    retry_min_ms = 1000
    retry_max_ms = 60000
    stable_ms = 10000

    def __init__(self, servers):
        self._servers = servers
        self.server = 0  # the index of the one in use
        self.state = _OFFLINE
        self.reason = None  # why the last link, or attempt at one, ended: MQTTError, OSError, or None
        self.attempts = 0  # since a link was stable
        self._wanted = False
        self._keep = False  # for ever
        self._at = 0  # when to try next; when connecting, or lingering: the deadline
        self._since = 0  # connected
        self._unstable = False
        self._taken = 0
        self._lingering = False  # see ending.py
        self._stream = None
        self._failure = None  # of the stream, outside of _step
        self._poller = poll()
        self._pollable = None  # what lies below a stream in Python; None where it can not be polled

    def _want(self, keep):
        """Connect from now on; with `keep` for ever, else once."""
        self._keep = keep
        self._wanted = True
        if self.state == _OFFLINE:
            self._at = ticks_ms()

    def _pending(self):
        """Is there a link, or will there be one?"""
        return self._wanted or self.state != _OFFLINE

    def _step(self, now):  # no alloc (while connected)
        """All that goes without waiting. True: call again at once."""
        engine = self._engine
        try:
            if self._failure:
                raise self._failure
            if self.state == _OFFLINE:
                if not self._wanted or ticks_diff(self._at, now) > 0:
                    return False
                if self.gate and not self.gate():
                    self._at = ticks_add(now, _GATE_MS)
                    return False
                self._open(now)
            elif self.state == _CONNECTING and ticks_diff(self._at, now) <= 0:
                raise MQTTError(_CONNECT_TIMEOUT)
            if not engine.stream:
                ready = self._pollable is None
                if not ready:
                    for _ in self._poller.ipoll(0):  # connected or failed: the first write will tell
                        ready = True
                if not ready:
                    return False
                engine.open(self._stream, now)
            if self._unstable and ticks_diff(now, self._since) >= self.stable_ms:
                self._unstable = False
                self.attempts = self._taken = 0
            return engine.poll(now)
        except Exception as e:
            explain = getattr(self._servers[self.server], "explain", None)
            if explain:
                e = explain(e, engine.request_n and not engine.connected)
            if isinstance(e, MQTTError):
                e.packet = engine.head
            elif not isinstance(e, OSError):
                raise
            self._down(e, now)
            return False

    def next_ms(self):  # no alloc
        """Milliseconds until poll() has something to do by itself, -1 if never."""
        if self.state == _CONNECTED and not self._lingering:
            return self._engine.next_ms(ticks_ms())
        if self._pending():
            return max(ticks_diff(self._at, ticks_ms()), 0)
        return -1

    def _wait(self, ms):  # no alloc
        """Sleep for up to `ms`, or until the stream is ready for what the engine wants."""
        next_ms = self.next_ms()
        if next_ms >= 0:
            ms = min(ms, next_ms)
        if self.watchdog:
            ms = min(ms, 1000)
        if not self._stream:
            sleep_ms(ms)
        elif self._pollable is None:
            sleep_ms(min(ms, _UNPOLLED_MS))
        else:
            if self._engine.held:
                ms = min(ms, _HELD_MS)
            self._poller.modify(self._pollable, self._mask())
            for _ in self._poller.ipoll(ms):
                pass

    def _mask(self):  # no alloc
        """What to poll the stream for."""
        engine = self._engine
        mask = POLLIN | POLLOUT
        if engine.stream:
            mask = POLLIN if engine.wants_read() else 0
            if engine.busy:
                mask |= POLLOUT
        return self._stream.wants(mask) if hasattr(self._stream, "wants") else mask

    def _open(self, now):
        self._wanted = self._keep
        self.attempts += 1
        server = self._servers[self.server]
        stream = self._stream = server.open() if hasattr(server, "open") else server()
        self.state = _CONNECTING
        self._at = ticks_add(now, self.connect_ms)
        pollable = getattr(stream, "pollable", stream)
        try:
            self._poller.register(pollable, POLLIN | POLLOUT)  # not before connect(): it polls as HUP
            self._pollable = pollable
            for _ in self._poller.ipoll(0):
                pass
        except (OSError, AttributeError):  # it can not be polled
            self._unpoll()

    def _unpoll(self):
        if self._pollable is not None:
            self._poller.unregister(self._pollable)
            self._pollable = None

    def _drop(self):
        """Close the stream, if there is one."""
        stream = self._stream
        self._stream = self._failure = None
        self._lingering = self._unstable = False
        self.state = _OFFLINE
        self._engine.open(None, 0)
        if stream:
            self._unpoll()  # before close(), behind which it polls as NVAL
            try:
                stream.close()
            except (OSError, AttributeError):
                pass  # gone already, or a stream that has no end

    def _down(self, reason, now):
        """The link, or the attempt at one, ended: see when to try again, and say so."""
        was_up = self.state == _CONNECTED
        unstable = self._unstable
        code = reason.code if isinstance(reason, MQTTError) else 0
        self._drop()
        if not was_up:
            server = self._servers[self.server]
            if hasattr(server, "failed") and server.failed() and not 0x80 <= code < _CLOSED:
                self.attempts -= 1  # of another address
                self._wanted = True
                self._at = now
                return
            self.server = (self.server + 1) % len(self._servers)
        delay = 0
        if code == _RECEIVE_MAXIMUM:  # our own doing: resume at once
            self._wanted = True
        elif 0x84 <= code <= 0x87:  # a refusal that will not change
            self._wanted = False
        else:
            failures = self.attempts // len(self._servers)
            low = self.retry_min_ms
            if code == _CLOSED and unstable:
                self._taken += 1
                if self._taken >= 3:  # closed again and again soon after it came up: somebody has our id
                    reason = MQTTError(_TAKEN_OVER)
                    failures = 0
                    low = self.retry_max_ms
            delay = backoff(failures, low, self.retry_max_ms)
        self._at = ticks_add(now, delay)
        self.reason = reason
        self.got_down(reason, was_up, delay)
