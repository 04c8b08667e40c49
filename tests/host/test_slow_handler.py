"""A handler that is slower than the messages: they wait at the broker, and the link lives.

Rule: a second of the slow handler is made 2 ms; what waits is what the broker tells of its own store. How often
a sleeping poll() wakes up is counted, with room for ten times as many.
"""
import time

import brokers
import large
import pytest
from farend import Paho
from proxy import DOWN, Fault, Proxy

from umqtt_full import MQTTClient
from umqtt_full.net import TCP
from umqtt_full.stream import Streams

COUNT, EACH_MS, REST_MS = 1000, 2, 4500  # the rest: more than four times the keepalive


@pytest.fixture(scope="module")
def telling():
    """A broker that tells each second what it holds."""
    if brokers.Mosquitto.available():
        pytest.skip(brokers.Mosquitto.available())
    with brokers.Mosquitto(settings="sys_interval 1") as broker:
        yield broker


def test_a_thousand_messages_wait_at_the_broker_for_a_slow_handler(telling, uid):
    with Paho(telling, f"{uid}-sys") as system, Paho(telling, f"{uid}-far") as far, \
            large.Board("slow_handler", repr(telling.url), uid, COUNT, EACH_MS, REST_MS) as board:
        system.subscribe("$SYS/broker/store/messages/count", 0)
        board.expect("subscribed")
        before = held(system)[-1]
        far.publish(f"{uid}/n", [b"%d" % i for i in range(COUNT)], 1)
        heap, (pings,), (offers,) = (board.told(word) for word in ("heap", "pings", "offers"))
        assert board.ended(), board.output
        print(f"heap {heap}, {pings} pings while a message was held, {offers} offers")
        most = max(held(system)) - before
        print(f"{most} messages in the broker's store")
        assert most > COUNT // 2
        assert pings >= 3 and offers < 10_000 and max(heap) - min(heap) <= 64
        assert f"{uid} has exceeded" not in telling.output


def held(system):
    return [int(body) for _, body, _, _ in system.wait(1)]


@pytest.fixture
def counted(telling, uid):
    """A client that counts its turns, and a far end."""
    client = MQTTClient(telling.url, uid, rx=64)
    client.turns = 0
    turn = client._turn

    def count():
        client.turns += 1
        return turn()

    client._turn = count
    with Paho(telling, f"{uid}-far") as far:
        yield client, far
    client.close()


def turns_of_half_a_second(client):
    """Poll for so long, as a program does that has nothing else to do."""
    client.turns = 0
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        assert client.poll(100)
    print(f"{client.turns} turns in half a second")
    return client.turns


def test_poll_sleeps_while_a_message_is_held(counted, uid):
    client, far = counted
    calls = []

    def later(msg):
        calls.append(msg.topic)
        msg.later()

    client.on(f"{uid}/n", later, 1)
    client.connect()
    far.publish(f"{uid}/n", [b"x"], 1)
    while not calls:
        client.poll(100)
    assert 2 < turns_of_half_a_second(client) < 300  # it is offered each 20 ms
    assert len(calls) > 2


@pytest.mark.parametrize("takes", [0, 10], ids=["nothing", "a-piece"])
def test_poll_sleeps_while_a_stream_is_not_taken(takes, counted, uid):
    client, far = counted
    calls = []

    def handler(stream):
        calls.append(stream.remaining)
        if takes and len(calls) == 1:
            stream.readinto(bytearray(takes))

    Streams(client).on(f"{uid}/n", handler, 1)
    client.connect()
    far.publish(f"{uid}/n", [bytes(1000)], 1)
    while not calls:
        client.poll(100)
    assert 2 < turns_of_half_a_second(client) < 300 and len(calls) > 2


def test_poll_sleeps_while_the_rest_of_a_payload_does_not_come(counted, uid, telling):
    client, _ = counted
    calls = []

    def handler(stream):
        calls.append(stream.remaining)
        while stream.readinto(bytearray(64)):
            pass

    Streams(client).on(f"{uid}/n", handler, 1)
    with Proxy(telling.port) as proxy:
        client._servers = [TCP("127.0.0.1", proxy.port)]
        client.connect()
        (link,) = proxy.connections
        link.fault, link.fired = Fault("silent", DOWN, link.counts[DOWN] + 500), False
        with Paho(telling, f"{uid}-large") as far:
            far.publish(f"{uid}/n", [bytes(1000)], 1)
        while not calls:
            client.poll(100)
        turns = turns_of_half_a_second(client)
        assert turns < 300 and len(calls) <= turns + 10


def test_a_payload_that_takes_many_times_the_keepalive_comes_in_on_one_link(telling, uid):
    client = MQTTClient(telling.url, uid, rx=64, keepalive=1)
    done, downs = [], []

    def handler(stream):
        while stream.readinto(bytearray(64)):
            pass
        if not stream.remaining:
            done.append(stream.length)

    Streams(client).on(f"{uid}/n", handler, 1)
    client.on_disconnect = downs.append
    with Proxy(telling.port) as proxy, Paho(telling, f"{uid}-far") as far:
        proxy.next(Fault(piece=400, pause=0.05))
        client._servers = [TCP("127.0.0.1", proxy.port)]
        client.start()
        while not client.poll(100):
            pass
        far.publish(f"{uid}/n", [bytes(32_000)], 1)  # 4 s, and PINGRESP is behind it
        while not done and not downs:
            client.poll(100)
        assert done == [32_000] and client.drain(5000) and client.disconnect()
    assert downs == [None] and f"{uid} has exceeded" not in telling.output
