"""The far end of a conversation: paho on a good link of its own, which counts what arrives."""
import socket
import time
from contextlib import contextmanager

import brokers
import paho.mqtt.client as paho
import pytest


def wait_until(condition, seconds=20, what="it did not happen"):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} within {seconds} s"
        time.sleep(0.001)


@contextmanager
def broker_that_keeps_sessions():
    """A Mosquitto of its own for a file; it does not wait for TCP's ack before it sends a small packet.

    No other will do: rumqttd closes at a PUBREL that is sent again on the next link.
    """
    if brokers.Mosquitto.available():
        pytest.skip(brokers.Mosquitto.available())
    with brokers.Mosquitto(settings="set_tcp_nodelay true") as broker:
        yield broker


class Far:
    """`with Far(broker.port) as far:`; .got holds (topic, payload) in the order of arrival."""

    def __init__(self, port, client_id="", user=None, password=None):
        self.got = []
        self._granted = 0
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id)
        self._client.on_message = lambda c, data, msg: self.got.append((msg.topic, msg.payload.decode()))
        self._client.on_subscribe = self._on_subscribe
        self._client.username_pw_set(user, password)
        self._client.connect("127.0.0.1", port)
        self._client.socket().setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client.loop_start()
        wait_until(self._client.is_connected)

    def _on_subscribe(self, *_):
        self._granted += 1

    def subscribe(self, topic_filter, qos):
        want = self._granted + 1
        self._client.subscribe(topic_filter, qos)
        wait_until(lambda: self._granted == want)

    def publish(self, topic, payload, qos):
        """Return when the broker has it."""
        self.publish_all(topic, [payload], qos)

    def publish_all(self, topic, payloads, qos):
        for info in [self._client.publish(topic, payload, qos) for payload in payloads]:
            info.wait_for_publish(20)

    def payloads(self, topic):
        return [payload for where, payload in list(self.got) if where == topic]

    def wait(self, topic, count):
        """Wait until so many different payloads have come to the topic."""
        wait_until(lambda: len(set(self.payloads(topic))) >= count, what=f"not {count} messages on {topic}")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._client.disconnect()
        self._client.loop_stop()
