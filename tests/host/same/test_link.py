# One link after another: deadlines, back-off, and a stream that is closed on every path; by a turned clock.
import sys
from array import array

from fake import CONNACK, Stream

from umqtt_full import MQTTError, v4
from umqtt_full.engine import Engine
from umqtt_full.link import Link

MICROPYTHON_ONLY = ("test_many_reconnects_leave_the_heap_as_it_was",)


class Transport:
    """A transport that does what a test says."""

    def __init__(self):
        self.streams = []
        self.failures = 0
        self.error = None  # raised by open()

    def open(self):
        self.streams.append(Stream(64))
        if self.error:
            raise self.error
        return self.streams[-1]

    def failed(self):
        self.failures += 1


class Bench(Link):
    """A link, its server and a clock."""

    def __init__(self, keep=True, keepalive=60):
        self.transport = Transport()
        super().__init__([self.transport])
        self._engine = Engine(self, v4, v4.Connect("me", keepalive=keepalive), 64, 4, 64, 4)
        self.downs = []
        self.now = 0
        self._want(keep)
        self._at = 0

    def got_session(self, present):
        pass

    def got_down(self, reason, was_up, delay_ms):
        self.downs.append(reason)

    def run(self, ms, accept=True):
        """Turn the clock; the broker accepts each link, or none."""
        end = self.now + ms
        while True:
            while self._step(self.now):
                pass
            if self._engine.connected and self.state == "connecting":
                self.state = "connected"
                self._since = self.now
                self._unstable = True
            stream = self.transport.streams[-1] if self.transport.streams else None
            if accept and stream and self._engine.stream and not self._engine.connected and not stream.left():
                stream.feed(CONNACK)
                continue
            if self.now >= end:
                return
            self.now += 10

    def names(self):
        return [e.name if isinstance(e, MQTTError) else e for e in self.downs]


def test_a_link_comes_up_and_stays_up():
    bench = Bench(keepalive=0)
    bench.run(100000)
    assert bench.state == "connected" and len(bench.transport.streams) == 1 and not bench.downs


def test_a_silent_broker_meets_the_deadline():
    bench = Bench(keep=False)
    bench.run(20000, accept=False)
    assert bench.names() == ["connect timeout"] and bench.state == "offline"
    assert bench.transport.streams[0].closed and bench.transport.failures == 1


def test_an_open_that_fails_is_told_and_tried_again():
    bench = Bench()
    bench.transport.error = OSError(111, "refused")
    bench.run(30000)
    assert len(bench.downs) > 3 and bench.downs[0] is bench.transport.error
    bench.transport.error = None
    bench.run(60000)
    assert bench.state == "connected"


def test_once_means_once():
    bench = Bench(keep=False)
    bench.run(100)
    bench.transport.streams[-1].ended = True
    bench.run(100000)
    assert bench.names() == ["closed by the broker"] and not bench._pending()


def test_delays_grow_up_to_the_cap_and_differ():
    bench = Bench()
    bench.retry_min_ms = 100
    bench.retry_max_ms = 1600
    bench.transport.error = OSError(113, "unreachable")
    gaps = []
    bench.got_down = lambda reason, was_up, delay_ms: gaps.append(delay_ms)
    bench.run(60000)
    assert max(gaps) <= 1600 and max(gaps[:2]) <= 400 and len(set(gaps)) > 10
    assert max(gaps[5:]) > 800


def test_a_link_that_lasts_resets_the_back_off():
    bench = Bench(keepalive=0)
    bench.transport.error = OSError(113, "unreachable")
    bench.run(20000)
    assert bench.attempts > 2
    bench.transport.error = None
    while bench.state != "connected":
        bench.run(100)
    assert bench.attempts > 2
    bench.run(10000)
    assert bench.attempts == 0


def test_a_refusal_that_will_not_change_stops_the_attempts():
    for code, name in ((1, "protocol version"), (2, "identifier"), (4, "password"), (5, "not authorized")):
        bench = Bench()
        bench.run(0, accept=False)
        bench.transport.streams[-1].feed(bytes([0x20, 2, 0, code]))
        bench.run(100000, accept=False)
        assert len(bench.downs) == 1 and name in bench.names()[0]
        assert not bench._pending() and bench.reason is bench.downs[0]


def test_server_unavailable_is_tried_again():
    bench = Bench()
    bench.run(0, accept=False)
    bench.transport.streams[-1].feed(b"\x20\x02\x00\x03")
    bench.run(60000)
    assert bench.names() == ["server unavailable"] and bench.state == "connected"


def test_a_client_id_that_somebody_else_has_is_recognised():
    bench = Bench(keepalive=0)
    for _ in range(4):
        while bench.state != "connected":
            bench.run(100)
        bench.transport.streams[-1].ended = True
        bench.run(20)
    assert bench.names()[:2] == ["closed by the broker"] * 2
    assert bench.names()[2:] == ["session taken over"] * 2


def test_a_broker_that_is_restarted_now_and_then_is_not_taken_for_that():
    bench = Bench(keepalive=0)
    for _ in range(6):
        while bench.state != "connected":
            bench.run(100)
        bench.run(20000)
        bench.transport.streams[-1].ended = True
        bench.run(20)
    assert bench.names() == ["closed by the broker"] * 6


def test_every_stream_is_closed_whatever_happened():
    bench = Bench(keepalive=0)
    for n in range(20):
        while bench.state != "connected":
            bench.run(100)
        stream = bench.transport.streams[-1]
        if n % 3 == 0:
            stream.ended = True
        elif n % 3 == 1:
            stream.feed(b"\x00\x00")
        else:
            bench._failure = OSError(104, "reset")
        bench.run(20)
    assert all(stream.closed == 1 for stream in bench.transport.streams[:-1])
    bench._drop()
    assert bench.transport.streams[-1].closed and bench.state == "offline"


def test_many_reconnects_leave_the_heap_as_it_was():
    import gc

    bench = Bench(keepalive=0)
    figures = array("I", range(60))
    if sys.maxsize < 1 << 32:
        return  # this port collects nothing while a test runs
    for i in figures:
        while bench.state != "connected":
            bench.run(100)
        bench.transport.streams[-1].ended = True
        bench.run(20)
        bench.downs.clear()
        del bench.transport.streams[:-1]
        gc.collect()
        figures[i] = gc.mem_alloc()
    assert max(figures[3:]) <= figures[3] + 64, figures
