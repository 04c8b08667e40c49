# paho-mqtt on CPython as bench.py measures it: up to 20 messages under way.
# Rule: see with_full.py.
import threading
import time

from paho.mqtt.client import CallbackAPIVersion, Client

TOPIC = "bench/topic"


def make(url, on_subscribe=None):
    host, port = url[7:].split(":")
    client = Client(CallbackAPIVersion.VERSION2, "bench")
    ready = threading.Event()
    client.on_connect = lambda *_: ready.set()
    client.connect(host, int(port))
    client.loop_start()
    ready.wait()
    return client


def end(client):
    client.disconnect()
    client.loop_stop()


def publish(url, qos, payload, count, window):
    client = make(url)
    begin = time.perf_counter()
    for _ in range(count):
        last = client.publish(TOPIC, payload, qos)
    last.wait_for_publish()
    took = time.perf_counter() - begin
    end(client)
    return int(took * 1e6)


def receive(url, qos, size, count, burst, go):
    client = make(url)
    granted, all_seen = threading.Event(), threading.Event()
    begin = seen = 0

    def on_message(client, data, msg):
        nonlocal seen, begin
        begin = begin or time.perf_counter()
        seen += 1
        if seen == count:
            all_seen.set()

    client.on_message = on_message
    client.on_subscribe = lambda *_: granted.set()
    client.subscribe(TOPIC, qos)
    granted.wait()
    go()
    all_seen.wait()
    took = time.perf_counter() - begin
    end(client)
    return int(took * 1e6)
