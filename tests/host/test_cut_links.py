"""The link is cut after each byte of an exchange, and every message arrives all the same.

Rule: the exchange is measured once over a good link, then done again for each byte that it took, either way;
QoS 1 arrives at least once, QoS 2 exactly once and in order, counted at the end of all runs.
"""
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import exchanges
import mp
import pytest
from far import Far, wait_until
from proxy import DOWN, UP, Fault, Proxy

PAYLOADS = ["0", "1", "2", "3"]


class Here:
    """The client runs in this process."""

    thin = 97

    def __init__(self, port):
        self.port = port

    def publish(self, *exchange):
        exchanges.publish(self.port, *exchange)

    def receive(self, *exchange, up):
        return exchanges.receive(self.port, *exchange, up)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass


class There(mp.MicroPython):
    """The client runs on MicroPython."""

    thin = 211

    def __init__(self, port):
        super().__init__(Path(exchanges.__file__), port)

    def publish(self, client_id, topic, qos, payloads):
        self.send(f"publish {client_id} {topic} {qos} {' '.join(payloads)}\n")
        self.expect("done")

    def receive(self, client_id, topic, qos, up):
        self.send(f"receive {client_id} {topic} {qos}\n")
        self.expect("up")
        up()
        return self.expect("got").split()[1:]


@pytest.fixture
def side(kind):
    return Here if kind == "cpython" else There


class Runs:
    """The same exchange again and again, each time with other faults, client id and topic."""

    def __init__(self, side, proxy, far, uid, qos):
        self.side, self.proxy, self.far, self.uid, self.qos = side, proxy, far, uid, qos
        self.faults = {}  # of each topic
        self.counts = None

    def _next(self, faults):
        name = f"{self.uid}-{len(self.faults):04}"
        topic = f"cut/{self.uid}/{len(self.faults):04}"
        self.faults[topic] = faults
        self.proxy.next(*faults)
        return name, topic

    def publish(self, *faults):
        name, topic = self._next(faults)
        self.side.publish(name, topic, self.qos, PAYLOADS)
        self.far.wait(topic, len(PAYLOADS))

    def check_published(self):
        last = f"cut/{self.uid}/last"
        self.far.publish(last, "", self.qos)
        self.far.wait(last, 1)
        for topic, faults in self.faults.items():
            self._check(self.far.payloads(topic), faults)

    def receive(self, *faults):
        name, topic = self._next(faults)
        feeder = threading.Thread(target=self._feed, args=(topic,))

        def up():
            if not feeder.ident:
                feeder.start()

        got = self.side.receive(name, topic, self.qos, up=up)
        feeder.join(20)
        assert got.pop() == "end"
        self._check(got, faults)

    def _feed(self, topic):
        """Send the messages; when nothing moves any more, the "end", behind all that may be sent again."""
        self.far.publish_all(topic, PAYLOADS, self.qos)
        quiet = 0.03 if self.faults[topic] else 0.3
        since = time.monotonic()
        while time.monotonic() - since < quiet and not (self.faults[topic] and self.proxy.fired()):
            counts = [tuple(connection.counts) for connection in self.proxy.connections]
            if counts != self.counts:
                self.counts, since = counts, time.monotonic()
            time.sleep(0.001)
        self.far.publish(topic, "end", self.qos)

    def _check(self, got, faults):
        if self.qos == 2:
            assert got == PAYLOADS, faults
        else:
            assert sorted(set(got)) == PAYLOADS, (got, faults)

    def measure_published(self):
        """Bytes up and down of the exchange on a good link."""
        self.publish()
        wait_until(lambda: self.proxy.open_links() == 0)
        up, down = self.proxy.connections[0].counts
        return up - 2, down  # DISCONNECT is not part of it

    def measure_received(self):
        self.receive()
        return self.counts[0]


@contextmanager
def arranged(keeper, side, uid, qos):
    with Far(keeper.port) as far, Proxy(keeper.port) as proxy, side(proxy.port) as client:
        far.subscribe(f"cut/{uid}/#", qos)
        yield Runs(client, proxy, far, uid, qos)


def single_cuts(up, down):
    """A cut after each byte, either way, with FIN and with RST."""
    for way, total in ((UP, up), (DOWN, down)):
        for at in range(1, total + 1):
            yield Fault("fin", way, at)
            yield Fault("rst", way, at)


def double_cuts(up, down, thin):
    """A cut, and another on the next connection: each byte takes part, one pair of `thin` is taken."""
    cuts = list(single_cuts(up, down))
    for i, first in enumerate(cuts):
        for second in cuts[i * 2 % thin :: thin]:
            yield first, second


@pytest.mark.parametrize("qos", (1, 2))
def test_what_is_published_arrives_over_a_cut_at_each_byte(keeper, side, uid, qos):
    with arranged(keeper, side, uid, qos) as runs:
        total = runs.measure_published()
        for fault in single_cuts(*total):
            runs.publish(fault)
        runs.check_published()
        print(len(runs.faults), "exchanges of", total, "bytes up and down")


@pytest.mark.parametrize("qos", (1, 2))
def test_what_is_received_comes_over_a_cut_at_each_byte(keeper, side, uid, qos):
    with arranged(keeper, side, uid, qos) as runs:
        total = runs.measure_received()
        for fault in single_cuts(*total):
            runs.receive(fault)
        print(len(runs.faults), "exchanges of", total, "bytes up and down")


def test_what_is_published_arrives_once_over_two_cuts_in_a_row(keeper, side, uid):
    with arranged(keeper, side, uid, 2) as runs:
        for faults in double_cuts(*runs.measure_published(), side.thin):
            runs.publish(*faults)
        runs.check_published()
        print(len(runs.faults), "exchanges")


def test_what_is_received_comes_once_over_two_cuts_in_a_row(keeper, side, uid):
    with arranged(keeper, side, uid, 2) as runs:
        for first, second in double_cuts(*runs.measure_received(), 2 * side.thin + 1):
            if second.what == "fin":  # at RST amid a resume Mosquitto 2.0 forgets that it had sent PUBREL
                runs.receive(first, second)
        print(len(runs.faults), "exchanges")
