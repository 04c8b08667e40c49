# paho-mqtt on CPython as bench.py measures it: up to 20 messages under way.
# Rule: see with_full.py. Its thread reads whatever comes, so it stands still until the time begins.
import threading
import time

from paho.mqtt.client import CallbackAPIVersion, Client

TOPIC = "bench/topic"

time.ticks_us = lambda: time.perf_counter_ns() // 1000
time.ticks_diff = lambda after, before: after - before


def make(url, on_subscribe=None):
    host, port = url[7:].split(":")
    client = Client(CallbackAPIVersion.VERSION2, "bench")
    ready = threading.Event()
    client.on_connect = lambda *_: ready.set()
    client.connect(host, int(port))
    client.loop_start()
    ready.wait()
    return client


def stop(client):
    client.disconnect()
    client.loop_stop()


def publish(url, qos, payload, count, window):
    client = make(url)
    begin = time.ticks_us()
    for _ in range(count):
        last = client.publish(TOPIC, payload, qos)
    last.wait_for_publish()
    took = time.ticks_us() - begin
    stop(client)
    return took


def receive(url, qos, size, bursts):
    client = make(url)
    granted, all_seen = threading.Event(), threading.Event()
    end = seen = 0

    def on_message(client, data, msg):
        nonlocal seen
        seen += 1
        if seen == end:
            all_seen.set()

    client.on_message = on_message
    client.on_subscribe = lambda *_: granted.set()
    client.subscribe(TOPIC, qos)
    granted.wait()
    client.loop_stop()
    end = next(bursts)  # the only one
    client.loop_start()
    all_seen.wait()
    next(bursts, None)
    stop(client)
