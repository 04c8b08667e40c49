"""Two that write to each other over links that delay, stall and are cut: our client on CPython and
on MicroPython; then ours and MQTT.js, over WebSocket.

Rule: each has a bad link of its own, whose weather is drawn from a fixed seed. The cuts go on until both have all
they wait for; then the links are good, and a last message shows that nothing more was behind.
"""
import contextlib
import json
import random
import threading

import brokers
import farend
import near
import pytest
from process import Process, clean_env
from proxy import Fault, Proxy

# Seconds; `cut` on the average. A text each `pause_ms`, for at least the time of two cuts.
WEATHER = {"delay": 0.3, "stall": 1, "cut": 20}
CROWD = {"delay": 0.03, "stall": 0.2, "cut": 1.5, "count": 200, "pause_ms": 25, "limit_ms": 20000}
LONG_CROWD = {**WEATHER, "count": 200, "pause_ms": 400, "limit_ms": 120000}
# MQTT.js sends what is left of an earlier link one by one, each when the one before is done: in the weather above
# that takes about 2 s for each, so it can not have many under way when a cut comes. A person does not.
MILD_CROWD = {"delay": 0.015, "stall": 0.1, "cut": 3, "count": 200, "pause_ms": 40, "limit_ms": 25000}
CHAT = {**WEATHER, "cut": 8, "count": 8, "pause_ms": 2800, "limit_ms": 60000}
LONG_CHAT = {**WEATHER, "count": 30, "pause_ms": 2500, "limit_ms": 200000}
# With a limit mosquitto 2.0.11 swaps messages of one QoS where two are mixed.
SETTINGS = "set_tcp_nodelay true\nmax_inflight_messages 0"
LIMIT = pytest.mark.limit(500)
LONG = (pytest.mark.long, LIMIT)


@pytest.fixture(scope="module")
def ports():
    """Two ports of a mosquitto: for MQTT, and for WebSocket, or None."""
    if brokers.Mosquitto.available():
        pytest.skip(brokers.Mosquitto.available())
    port = brokers.free_port()
    try:
        with brokers.Mosquitto(settings=f"{SETTINGS}\nlistener {port} 127.0.0.1\nprotocol websockets") as broker:
            yield broker.port, port
    except RuntimeError:  # a build without WebSocket ends at once
        with brokers.Mosquitto(settings=SETTINGS) as broker:
            yield broker.port, None


class Weather(Fault):
    """Each piece is late by `delay`, at least one in ten by `stall` more; what comes meanwhile waits behind it."""

    def __init__(self, pace, chance):
        self._pace, self._chance = pace, chance
        super().__init__()

    @property
    def pause(self):
        late = self._pace["stall"] if self._chance.random() < 0.1 else 0
        return self._pace["delay"] + late

    @pause.setter
    def pause(self, value):
        pass


class BadLink:
    """A proxy that cuts what there is each few seconds, until calm(). `cuts`: how many links that ended."""

    def __init__(self, port, pace, seed):
        self.proxy = Proxy(port)
        self.url = self.proxy.url
        self.cuts = 0
        self._pace, self._chance = pace, random.Random(seed)
        self._calm = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._next()

    def _next(self):
        self.proxy.next(*[Weather(self._pace, self._chance) for _ in range(100)])

    def storm(self):
        self._thread.start()

    def _run(self):
        while not self._calm.wait(self._pace["cut"] * self._chance.uniform(0.7, 1.3)):
            self.cuts += self.proxy.open_links()
            self._next()

    def calm(self):
        self._calm.set()
        self._thread.join(5)
        self.proxy.next()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._calm.set()
        self.proxy.__exit__(*exc)


class MqttJs(Process):
    """MQTT.js as one of the two: the same face as ours."""

    def __init__(self, url, name, me, pace):
        script = farend.SCRIPT.with_name("messenger.mjs")
        words = json.dumps({"count": pace["count"], "pause": pace["pause_ms"]})
        super().__init__("node", script, url, name, me, words, env=clean_env())

    def finish(self, timeout=60):
        code = super().finish(timeout)
        assert code == 0 and self.lines[-1] == "ok", f"exit code {code}\n{self.output}"


def ours(kind, url, name, me, pace):
    options = {"me": me, "count": pace["count"], "pause_ms": pace["pause_ms"], "limit_ms": pace["limit_ms"]}
    return near.begin(kind, "messengers", "writes", url, name, **options)


def talk(sides, links, pace):
    """From begin to end; `sides` are on `links`."""
    patience = pace["limit_ms"] / 1000
    for side in sides:
        side.expect("connected")
    for side, link in zip(sides, links):
        link.storm()
        side.send("go\n")
    for side in sides:
        side.expect("has all", 2 * patience)
    for link in links:
        link.calm()
    for side in sides:
        side.send("calm\n")
    for side in sides:
        print(side.expect("reconnected", patience))
    for side in sides:
        side.finish()
    print("cuts:", [link.cuts for link in links])
    assert all(link.cuts >= 2 for link in links)


@pytest.mark.parametrize("pace", [CROWD, pytest.param(LONG_CROWD, marks=LONG)], ids=["short", "long"])
def test_two_of_ours_lose_and_double_nothing(pace, ports, uid):
    if near.unavailable("micropython"):
        pytest.skip(near.unavailable("micropython"))
    with BadLink(ports[0], pace, 1) as a, BadLink(ports[0], pace, 2) as b, \
            ours("cpython", a.url, uid, 0, pace) as first, ours("micropython", b.url, uid, 1, pace) as second:
        talk((first, second), (a, b), pace)


PACES = (MILD_CROWD, pytest.param(CHAT, marks=LIMIT), pytest.param(LONG_CHAT, marks=LONG))


@pytest.mark.parametrize("pace", PACES, ids=["crowd", "chat", "long-chat"])
def test_ours_and_mqttjs_over_websocket_lose_and_double_nothing(pace, ports, uid):
    no_websocket = None if ports[1] else "mosquitto without WebSocket"
    for why in (farend.MqttJs.unavailable(), no_websocket):
        if why:
            pytest.skip(why)
    with contextlib.ExitStack() as stack:
        links, sides = [], []
        for seed, kind in enumerate(near.available()):  # all at the same time, each with an MQTT.js of its own
            pair = [stack.enter_context(BadLink(ports[1], pace, 2 * seed + i)) for i in (3, 4)]
            urls = [link.url.replace("mqtt:", "ws:") + "/mqtt" for link in pair]
            sides.append(stack.enter_context(ours(kind, urls[0], f"{uid}-{kind}", 0, pace)))
            sides.append(stack.enter_context(MqttJs(urls[1], f"{uid}-{kind}", 1, pace)))
            links += pair
        talk(sides, links, pace)
