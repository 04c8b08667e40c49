"""The far end of a test: paho-mqtt, or MQTT.js under Node, as other programs use them.

Rule: both have one face, and keep every message that comes, in order: (topic, payload, qos, dup).
"""
import json
import shutil
import threading
import time
from pathlib import Path

import brokers
import paho.mqtt.client as mqtt
from process import Process, clean_env

SCRIPT = Path(__file__).resolve().parent / "node/farend.mjs"


class FarEnd:
    def __init__(self):
        self.received = []
        self._news = threading.Condition()

    def _add(self, *message):
        with self._news:
            self.received.append(message)
            self._news.notify_all()

    def wait(self, count, timeout=40):
        """Return the messages when there are so many."""
        with self._news:
            self._news.wait_for(lambda: len(self.received) >= count, timeout)
            assert len(self.received) >= count, f"{len(self.received)} of {count} came in {timeout} s"
            return list(self.received)

    def __enter__(self):
        return self


class Paho(FarEnd):
    name = "paho"

    def __init__(self, broker, client_id):
        super().__init__()
        self._granted = threading.Event()
        self._client = client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id)
        client.on_message = lambda c, u, m: self._add(m.topic, bytes(m.payload), m.qos, m.dup)
        client.on_subscribe = lambda *_: self._granted.set()
        client.connect(broker.host, broker.port)
        client.loop_start()

    @staticmethod
    def unavailable():
        return None

    def subscribe(self, topic, qos):
        self._client.subscribe(topic, qos)
        assert self._granted.wait(10)

    def publish(self, topic, payloads, qos, timeout=40):
        """Publish all and wait until the broker has them."""
        deadline = time.monotonic() + timeout
        for info in [self._client.publish(topic, payload, qos) for payload in payloads]:
            info.wait_for_publish(deadline - time.monotonic())
            assert info.is_published()

    def __exit__(self, *exc):
        self._client.disconnect()
        self._client.loop_stop()


class MqttJs(FarEnd):
    name = "mqttjs"

    def __init__(self, broker, client_id):
        super().__init__()
        self._answers = []
        self._process = Process("node", SCRIPT, broker.url, client_id, env=clean_env())
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._answer("connected")

    @staticmethod
    def unavailable():
        if not shutil.which("node"):
            return "MQTT.js: node is not installed"
        return None if (brokers.NODE_MODULES / "mqtt").is_dir() else "MQTT.js is not installed (npm)"

    def _read(self):
        while (line := self._process.next_line(3600)) is not None:
            told = json.loads(line)
            if told["is"] == "message":
                self._add(told["topic"], told["payload"].encode(), told["qos"], told["dup"])
            else:
                with self._news:
                    self._answers.append(told)
                    self._news.notify_all()

    def _answer(self, what, timeout=40):
        with self._news:
            self._news.wait_for(lambda: self._answers, timeout)
            assert self._answers, f"{what}: no answer from MQTT.js"
            answer = self._answers.pop(0)
            assert answer["is"] == what, answer

    def _ask(self, **question):
        self._process.send(json.dumps(question) + "\n")

    def subscribe(self, topic, qos):
        self._ask(do="subscribe", topic=topic, qos=qos)
        self._answer("subscribed")

    def publish(self, topic, payloads, qos, timeout=40):
        self._ask(do="publish", topic=topic, payloads=[payload.decode() for payload in payloads], qos=qos)
        self._answer("published", timeout)

    def __exit__(self, *exc):
        self._process.__exit__(*exc)
