"""Links that crawl, stall, fall silent or are refused: the client comes back, and nothing accepted is lost.

Rule: how long things may take is limited generously and printed, never asserted closely.
"""
import gc
import os
import time

import pytest
from far import Far, wait_until
from proxy import DOWN, UP, Fault, Proxy

import umqtt_full

KEEP_ALIVE_TIMEOUT = 0x8D
CLOSED = 0x100
CONNECT_TIMEOUT = 0x101


@pytest.fixture
def link(keeper, uid):
    with Far(keeper.port) as far, Proxy(keeper.port) as proxy:
        yield Link(far, proxy, uid)


class Link:
    """A client behind a bad link, a far end on a good one, and what each got from the other."""

    def __init__(self, far, proxy, uid):
        self.far, self.proxy, self.uid = far, proxy, uid
        self.reasons, self.got, self.longest, self.count = [], [], 0, 0

    def client(self, keepalive=0, connect_ms=10000):
        c = umqtt_full.MQTTClient(self.proxy.url, self.uid, keepalive=keepalive, clean=False)
        c.retry_min_ms, c.retry_max_ms, c.connect_ms = 5, 50, connect_ms
        c.on_disconnect = c.on_error = lambda reason: self.reasons.append(getattr(reason, "code", reason))
        c.on(f"{self.uid}/down", lambda msg: self.got.append(bytes(msg.payload).decode()), 2)
        self.far.subscribe(f"{self.uid}/up", 2)
        self.c = c
        c.start()
        return c

    def until(self, condition, seconds=20):
        """Poll, without waiting in poll(), until the condition holds; note the longest poll()."""
        end = time.monotonic() + seconds
        while not condition():
            before = time.monotonic()
            self.c.poll()
            after = time.monotonic()
            self.longest = max(self.longest, after - before)
            assert after < end, f"not within {seconds} s: {self.c.state}, {self.reasons}, {self.c.counters}"
            time.sleep(0.0005)

    def connected(self):
        return self.c.connected

    def accept(self, count=2):
        """Give the client messages to publish, now."""
        for qos in range(1, count + 1):
            self.c.publish(f"{self.uid}/up", str(self.count), qos)
            self.count += 1

    def check(self):
        """All that was accepted arrives, and messages still pass both ways; poll() never waited."""
        for down in range(len(self.got), len(self.got) + 3):
            self.far.publish(f"{self.uid}/down", str(down), 2)
        self.accept()
        want = {str(i) for i in range(self.count)}
        self.until(lambda: self.c.drain(0) and set(self.far.payloads(f"{self.uid}/up")) == want)
        self.until(lambda: self.got[-1:] == [str(down)])
        assert self.got == [str(i) for i in range(down + 1)]
        print(f"the longest poll() took {self.longest * 1000:.1f} ms")
        assert self.longest < 0.5
        self.c.on_disconnect = self.c.on_error = None
        self.c.disconnect()


def test_one_byte_at_a_time_both_ways_is_a_link_like_any_other(link):
    link.proxy.next(Fault(piece=1, pause=0.0005))
    link.client()
    link.accept()
    link.until(link.connected)
    link.check()
    assert len(link.proxy.connections) == 1 and not link.reasons


@pytest.mark.parametrize("way", (UP, DOWN), ids=("up", "down"))
@pytest.mark.parametrize("at", (1, 5, 40, 60))
def test_a_stall_ends_and_the_link_goes_on(link, way, at):
    link.proxy.next(Fault("stall", way, at, seconds=0.3))
    link.client()
    link.accept()
    link.until(link.connected)
    link.check()
    assert len(link.proxy.connections) == 1 and link.proxy.fired() and not link.reasons


def test_a_link_that_falls_silent_at_rest_is_found_by_keepalive(link):
    link.client(keepalive=2)
    link.until(link.connected)
    link.proxy.connections[0].fall_silent()
    link.until(lambda: link.reasons)
    link.until(link.connected)
    assert link.reasons == [KEEP_ALIVE_TIMEOUT]
    link.check()


def test_a_link_that_falls_silent_while_sending_still_succeeds_is_found_by_keepalive(link):
    link.client(keepalive=2)
    link.until(link.connected)
    link.proxy.connections[0].fall_silent()
    link.accept()
    sent = time.monotonic()

    def send():  # a client that always has something to say would never be quiet for an interval
        nonlocal sent
        if time.monotonic() > sent + 0.2:
            sent = time.monotonic()
            link.c.publish(f"{link.uid}/noise", "x")
        return link.reasons

    link.until(send)
    link.until(link.connected)
    assert link.reasons == [KEEP_ALIVE_TIMEOUT]
    link.check()


@pytest.mark.parametrize("way, at", ((UP, 100), (UP, 107), (DOWN, 30), (DOWN, 33)))
def test_a_link_that_falls_silent_in_mid_packet_is_found_by_keepalive(link, way, at):
    link.proxy.next(Fault("silent", way, at))
    link.client(keepalive=1)
    link.until(link.connected)

    def talk():
        if link.c.room() == 4 and not link.reasons:
            link.accept()
        return link.reasons

    link.until(talk)
    link.until(link.connected)
    assert link.reasons == [KEEP_ALIVE_TIMEOUT]
    link.check()


def test_a_refused_connection_is_tried_until_it_is_accepted(link):
    link.proxy.refuse()
    link.client()
    link.accept()
    link.until(lambda: len(link.reasons) >= 3)
    assert all(isinstance(reason, OSError) for reason in link.reasons)
    link.proxy.accept()
    link.until(link.connected)
    link.check()


def test_a_connection_that_is_accepted_and_stays_silent_is_given_up(link):
    link.proxy.next(Fault("silent"), Fault("silent"))
    link.client(connect_ms=300)
    link.accept()
    link.until(link.connected)
    assert link.reasons == [CONNECT_TIMEOUT] * 2
    link.check()


@pytest.mark.parametrize("at", (0, 3, 4, 8))
def test_connack_or_suback_later_than_the_deadline_is_given_up(link, at):
    link.proxy.next(Fault("stall", DOWN, at, seconds=1))
    link.client(connect_ms=300)
    link.accept()
    link.until(link.connected)
    assert link.reasons == [CONNECT_TIMEOUT]
    link.check()


@pytest.mark.parametrize("what", ("fin", "rst"))
@pytest.mark.parametrize("way, at", ((UP, 0), (UP, 9), (DOWN, 3), (DOWN, 4)))
def test_a_link_that_ends_before_or_right_after_connack_is_made_again(link, what, way, at):
    link.proxy.next(*[Fault(what, way, at)] * 2)
    link.client()
    link.accept()
    link.until(link.connected)
    assert len(link.reasons) == 2
    assert all(reason == CLOSED or isinstance(reason, OSError) for reason in link.reasons)
    link.check()


def test_a_black_hole_in_mid_flow_loses_nothing_that_was_accepted(link):
    link.client(keepalive=1)
    link.until(link.connected)
    for _ in range(3):
        link.accept(1)
        link.proxy.connections[-1].fall_silent()
        link.accept(1)
        link.far.publish(f"{link.uid}/down", str(len(link.got)), 2)
        link.until(lambda: link.reasons and link.c.connected and link.c.room() == 4)
        assert link.reasons == [KEEP_ALIVE_TIMEOUT]
        link.reasons.clear()
    link.check()


def open_files():
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the system does not show open files")
def test_fifty_links_leave_no_socket_open(link):
    link.client()
    link.until(link.connected)
    wait_until(lambda: link.proxy.open_links() == 1)
    before = open_files()
    for i in range(50):
        link.proxy.next(Fault(("fin", "rst")[i % 2], (UP, DOWN)[i // 2 % 2], i % 5))
        link.until(lambda: link.proxy.fired() and link.proxy.connections)
        link.until(link.connected)
    wait_until(lambda: link.proxy.open_links() == 1)
    assert open_files() == before
    link.proxy.refuse()
    seen = len(link.reasons)
    link.until(lambda: len(link.reasons) >= seen + 10)
    link.proxy.accept()
    link.until(link.connected)
    assert open_files() == before
    link.check()
