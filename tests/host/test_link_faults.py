"""Every fault of a link, one at a time: the client comes back by itself, and no poll() keeps its caller waiting.

Rule: the longest poll() that the client counted, and the longest that its caller saw, are printed and recorded
for each fault. How a link falls silent, crawls or stalls otherwise is in test_slow_links.py.
"""
import time

import pytest
from far import Far
from proxy import DOWN, UP, Fault, Proxy

import umqtt_full

BUDGET_MS = 500  # of one poll(): 0 to 1 ms were seen; what waits takes seconds, and a machine may be busy
KEEP_ALIVE_TIMEOUT = 0x8D
TAKEN_OVER = 0x8E
CLOSED = 0x100
CONNECT_TIMEOUT = 0x101


@pytest.fixture
def bench(keeper, uid, record_property):
    with Far(keeper.port) as far, Proxy(keeper.port) as first, Proxy(keeper.port) as second:
        bench = Bench(far, (first, second), uid, keeper)
        yield bench
        bench.report(record_property)


class Bench:
    """A client of two proxies, or of the first alone, and a far end beside them."""

    def __init__(self, far, proxies, uid, keeper):
        self.far, self.proxies, self.uid, self.keeper = far, proxies, uid, keeper
        self.proxy = proxies[0]
        self.reasons, self.downs, self.got, self.count, self.seen = [], [], [], 0, 0

    def client(self, *servers, keepalive=0, connect_ms=10000):
        c = self.c = umqtt_full.MQTTClient(
            list(servers) or self.proxy.url, self.uid, keepalive=keepalive, clean=False, slots=8
        )
        c.retry_min_ms, c.retry_max_ms, c.connect_ms = 5, 50, connect_ms
        c.on_error = lambda reason: self.reasons.append(getattr(reason, "code", reason))
        c.on_disconnect = lambda reason: self.downs.append(getattr(reason, "code", reason))
        c.on(f"{self.uid}/down", lambda msg: self.got.append(bytes(msg.payload).decode()), 2)
        self.far.subscribe(f"{self.uid}/up", 2)
        c.start()
        return c

    def until(self, condition, seconds=20):
        end = time.monotonic() + seconds
        while not condition():
            before = time.monotonic()
            self.c.poll()
            self.seen = max(self.seen, time.monotonic() - before)
            assert time.monotonic() < end, f"{self.c.state}, {self.reasons}, {self.downs}, {self.c.counters}"
            time.sleep(0.0005)

    def connected(self):
        return self.c.connected

    def accept(self, count=2):
        for _ in range(count):
            self.c.publish(f"{self.uid}/up", str(self.count), 1 + self.count % 2)
            self.count += 1

    def check(self):
        """The link is up, all that was accepted arrives, and what is sent to the client too."""
        self.until(self.connected)
        self.accept()
        down = str(len(self.got))
        self.far.publish(f"{self.uid}/down", down, 2)
        want = {str(i) for i in range(self.count)}
        self.until(lambda: self.c.drain(0) and set(self.far.payloads(f"{self.uid}/up")) == want)
        self.until(lambda: self.got[-1:] == [down])

    def report(self, record):
        counted = self.c.counters["longest_ms"]
        self.c.on_error = self.c.on_disconnect = None
        self.c.disconnect()
        record("longest_ms", counted)
        print(f"the longest poll() took {counted} ms as counted, {self.seen * 1000:.1f} ms as seen")
        assert counted < BUDGET_MS and self.seen * 1000 < BUDGET_MS


def test_refused(bench):
    bench.proxy.refuse()
    bench.client()
    bench.accept()
    bench.until(lambda: len(bench.reasons) >= 5)
    assert all(isinstance(reason, OSError) for reason in bench.reasons) and not bench.downs
    bench.proxy.accept()
    bench.check()


def test_accepted_and_silent(bench):
    bench.proxy.next(Fault("silent"), Fault("silent"))
    bench.client(connect_ms=150)
    bench.accept()
    bench.until(lambda: len(bench.reasons) == 2)
    bench.check()
    assert bench.reasons == [CONNECT_TIMEOUT] * 2 and not bench.downs


def test_connack_behind_the_deadline(bench):
    bench.proxy.next(Fault("stall", DOWN, 0, seconds=0.5), Fault("stall", DOWN, 2, seconds=0.5))
    bench.client(connect_ms=150)
    bench.accept()
    bench.check()
    assert bench.reasons == [CONNECT_TIMEOUT] * 2 and not bench.downs


@pytest.mark.parametrize("what", ("fin", "rst"))
def test_ended_right_behind_connack(bench, what):
    bench.proxy.next(*[Fault(what, DOWN, 4)] * 3)
    bench.client()
    bench.accept()
    bench.check()
    assert len(bench.reasons) == 3 and not bench.downs  # SUBSCRIBE was not answered: they were never up


@pytest.mark.parametrize("way", (UP, DOWN), ids=("up", "down"))
def test_a_black_hole_in_mid_flow(bench, way):
    bench.proxy.next(Fault("silent", way, 1000))
    bench.client(keepalive=1)
    bench.until(bench.connected)

    def talk():
        if bench.c.room() > 2:
            bench.accept(1)
        return bench.downs

    bench.until(talk)
    assert bench.downs == [KEEP_ALIVE_TIMEOUT]
    bench.check()


def test_a_broker_that_dies_under_the_link_is_followed_by_the_next_and_back(bench):
    """Two servers: the one in use is tried first, then the other."""
    first, second = bench.proxies
    c = bench.client(first.url, second.url)
    bench.until(bench.connected)
    for dies, lives, index in ((first, second, 1), (second, first, 0), (first, second, 1)):
        bench.accept()
        dies.refuse()
        bench.accept()
        bench.until(lambda index=index: c.connected and c.server == index)
        bench.check()
        dies.accept()
        assert lives.open_links() == 1
    lives.next()  # a link that only breaks is made again to the same server
    bench.until(lambda: len(bench.downs) == 4)
    bench.check()
    assert c.server == 1 and c.counters["reconnects"] == 4


def test_a_server_that_never_answers_is_passed_over(bench):
    first, second = bench.proxies
    first.next(*[Fault("silent")] * 5)
    c = bench.client(first.url, second.url, connect_ms=150)
    bench.accept()
    bench.check()
    assert c.server == 1 and bench.reasons == [CONNECT_TIMEOUT]


def test_a_name_that_can_not_be_looked_up_is_passed_over(bench):
    looked_up = []

    def resolve(host, port):
        looked_up.append((host, port))
        raise OSError(-2, "unknown name")

    c = bench.client("mqtt://broker.invalid:1884", bench.proxy.url)
    c._servers[0].resolve = resolve
    bench.accept()
    bench.check()
    assert c.server == 1 and looked_up == [("broker.invalid", 1884)]
    assert [reason.args[0] for reason in bench.reasons] == [-2] and not bench.downs


def test_an_id_that_somebody_else_uses_is_named(bench):
    c = bench.client()
    c.retry_max_ms = 300
    for _ in range(3):
        bench.until(bench.connected)
        assert TAKEN_OVER not in bench.downs
        with Far(bench.keeper.port, bench.uid):
            bench.until(lambda: not c.connected)
    assert bench.downs == [CLOSED, CLOSED, TAKEN_OVER] and c.reason.name == "session taken over"
    bench.check()
