"""A mosquitto that is killed again and again, at moments that a seed chooses, under messages both ways.

Rule: it is SIGKILL. What a broker took and forgot is the broker's fault, so each test says what our client
answers for: everything that publish() accepted is acknowledged in the end, on whatever link, and
- where the broker had saved what it took, all arrives, and QoS 2 once;
- where it may die before it saves, or keeps nothing, only what it had taken by then is missing (or before the
  far end was back), and where it keeps nothing, nothing comes twice but what was under way when it died.
"""
import os
import random
import signal
import threading
import time
from collections import Counter

import brokers
import near
import paho.mqtt.client as paho
import pytest
from far import wait_until
from proxy import Proxy

SEED = 20
ROUND = 20  # kills: with each up to six messages that mosquitto saved half of stay under way in it for ever,
PILE = 200  # and beyond so many it takes, and sends, no others


class FarEnd:
    """paho on a link of its own, with a kept session; it subscribes again on each link."""

    def __init__(self, port, name):
        self.name = name
        self.got = []  # (topic's last level, payload)
        self.sent = []  # what publish() gave
        self.acked = 0  # how many of these the broker has
        self.numbers = Counter()
        self._up = threading.Event()
        self._client = c = paho.Client(paho.CallbackAPIVersion.VERSION2, f"{name}-far", clean_session=False)
        c.reconnect_delay_set(0.01, 0.02)
        c.max_queued_messages_set(0)
        c.on_connect = lambda *_: c.subscribe(f"{name}/up/+", 2)
        c.on_subscribe = lambda *_: self._up.set()
        c.on_disconnect = lambda *_: self._up.clear()
        c.on_publish = self._on_publish
        c.on_message = lambda c, u, m: self.got.append((m.topic[-1], m.payload.decode()))
        c.connect("127.0.0.1", port)
        c.loop_start()

    def publish(self, what, text=None, qos=1):
        """To down/1, down/2: the next number; to probe: a text."""
        if what != "probe":
            text, self.numbers[qos] = str(self.numbers[qos]), self.numbers[qos] + 1
            what = f"down/{qos}"
        info = self._client.publish(f"{self.name}/{what}", text, qos)
        self.sent.append(info)
        return info

    def _on_publish(self, *_):
        self.acked += 1

    def gone(self):
        wait_until(lambda: not self._up.is_set())

    def subscribed(self):
        return self._up.wait(20)

    def settle(self):
        """Wait until the broker has nothing more for it: behind all else comes what it sends to itself."""
        for _ in range(2):  # what the broker had not yet read at the first is before the second
            mark = str(len(self.sent))
            self.sent.append(self._client.publish(f"{self.name}/up/0", mark, 2))
            wait_until(lambda mark=mark: ("0", mark) in self.got)
        wait_until(lambda: self.acked == len(self.sent))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._client.disconnect()
        self._client.loop_stop()


def saved(broker):
    """Have the broker save what it knows, and wait for it."""
    file = broker.folder / "mosquitto.db"
    file.unlink(missing_ok=True)
    os.kill(broker._process.pid, signal.SIGUSR1)
    wait_until(file.exists)  # it is renamed when it is whole


class Stage:
    """The broker, a proxy where the link is to be held, both ends, and the killing."""

    def __init__(self, broker, proxy, far, side, record):
        self.broker, self.proxy, self.far, self.side, self.record = broker, proxy, far, side, record
        self.kills = 0

    def flow(self, chance):
        """Messages down for a moment."""
        end = time.monotonic() + chance.uniform(0.005, 0.15)
        while time.monotonic() < end:
            self.far.publish("down", qos=chance.choice((1, 2)))
            time.sleep(0.004)
        for _ in range(6):  # so that some are under way when the end comes
            self.far.publish("down", qos=2)
        time.sleep(chance.uniform(0, 0.003))

    def kill(self):
        if self.proxy:  # the link falls silent amid whatever it carries; the broker saves, then dies
            self.proxy.connections[-1].fall_silent()
            self.far.settle()
            saved(self.broker)
        self.broker.kill()
        self.far.gone()
        self.kills += 1
        if self.proxy:
            self.proxy.refuse()
        self.broker.start()
        if self.proxy:
            self.proxy.accept()

    def probe(self, text):
        """The subscriptions of both are alive: a probe goes down, and what answers it comes up."""
        assert self.far.subscribed()
        while True:  # a far end whose broker forgot it may say it before our client has subscribed
            self.far.publish("probe", text)
            try:
                number = self.side.expect(f"probe {text}", 1).split()[-1]
                break
            except (TimeoutError, near.queue.Empty):
                continue
        wait_until(lambda: ("1", number) in self.far.got)

    def result(self):
        """End it; what came down as {qos: Counter}, each number's (accepted, taken, done), what came up."""
        self.far.settle()
        self.far.publish("probe", "end")
        lives, stages = map(int, self.side.expect("lives").split()[1:])
        down = [word.split(":") for word in self.side.expect("got").split()[1:]]
        book = [tuple(map(int, word.split(":"))) for word in self.side.expect("book").split()[1:]]
        counted = self.side.expect("counted")
        self.side.finish()
        self.far.settle()
        up = Counter(int(text) for level, text in list(self.far.got) if level != "0")
        lost = [n for n in range(len(book)) if not up[n]]
        again = [n for n in range(len(book)) if up[n] > 1]
        for name, value in (("kills", self.kills), ("up", len(book)), ("lost", len(lost)), ("twice", len(again))):
            self.record(name, value)
            print(f"{name}: {value}")
        print(counted, "of", lives, "links")
        assert lives == self.kills + 1 and set(up) <= set(range(len(book)))
        return Result(stages, book, up, lost, again, down, self.far.numbers)


class Result:
    def __init__(self, stages, book, up, lost, again, down, numbers):
        self.stages, self.book, self.up, self.lost, self.again = stages, book, up, lost, again
        self.down = {qos: Counter(int(text) for level, text in down if int(level) == qos) for qos in (1, 2)}
        self.numbers = numbers

    def all_arrived(self):
        assert not self.lost
        assert not [n for n in self.again if n % 2], "QoS 2 came twice"  # odd numbers: see killed.py
        for qos in (1, 2):
            assert set(self.down[qos]) == set(range(self.numbers[qos]))
        assert set(self.down[2].values()) <= {1}, "QoS 2 came twice"

    def only_the_broker_lost(self):
        """What is missing was the broker's before the last probe showed that all are there."""
        for n in self.lost:
            assert self.book[n][1] < self.stages, f"message {n} was lost when nobody was killed"
        for qos in (1, 2):
            assert set(self.down[qos]) <= set(range(self.numbers[qos]))

    def nothing_twice_but_what_was_under_way(self):
        for n in self.again:
            assert self.book[n][0] < self.book[n][2], f"message {n} came twice though nobody was killed"


def play(kind, uid, kills, record, persistence, held, store=0, seed=SEED):
    """Kill the broker so often; return what came of it."""
    why = near.unavailable(kind) or brokers.Mosquitto.available()
    if why:
        pytest.skip(why)
    chance = random.Random(seed)
    settings = f"set_tcp_nodelay true\nmax_inflight_messages {PILE}"
    with brokers.Mosquitto(persistence, settings=settings) as broker, \
            FarEnd(broker.port, uid) as far:
        assert far.subscribed()
        proxy = Proxy(broker.port) if held else None
        try:
            url = proxy.url if proxy else broker.url
            with near.begin(kind, "killed", "flows", url, uid, store=store) as side:
                stage = Stage(broker, proxy, far, side, record)
                stage.probe("first")
                for i in range(kills):
                    stage.flow(chance)
                    stage.kill()
                    stage.probe(f"p{i}")
                stage.flow(chance)
                return stage.result()
        finally:
            if proxy:
                proxy.__exit__()


SHORT = [pytest.param("cpython", 10, id="cpython"), pytest.param("micropython", 6, id="micropython")]
LONG = [pytest.param("cpython", 200, id="200-kills", marks=[pytest.mark.long, pytest.mark.limit(600)])]


@pytest.mark.parametrize("kind, kills", SHORT + LONG)
def test_a_broker_that_saved_what_it_took_loses_nothing_and_delivers_qos_2_once(kind, kills, uid, record_property):
    play(kind, uid, kills, record_property, persistence=True, held=True, store=1).all_arrived()


@pytest.mark.parametrize("kind, kills", SHORT + LONG)
def test_of_a_broker_killed_before_it_saved_only_what_it_took_is_missing(kind, kills, uid, record_property):
    for i in range(0, kills, ROUND):
        options = {"persistence": True, "held": False, "seed": SEED + i}
        play(kind, f"{uid}-{i}", min(kills, ROUND), record_property, **options).only_the_broker_lost()


@pytest.mark.parametrize("kind, kills", SHORT + LONG)
def test_of_a_broker_that_keeps_nothing_only_what_it_took_is_missing(kind, kills, uid, record_property):
    result = play(kind, uid, kills, record_property, persistence=False, held=False)
    result.only_the_broker_lost()
    result.nothing_twice_but_what_was_under_way()
