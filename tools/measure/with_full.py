# umqtt_full as bench.py measures it.
# Rule: as each with_*.py it has publish(url, qos, payload, count, window), with up to `window` messages under way,
# which returns microseconds, and receive(url, qos, size, bursts): for each `end` of bursts, what comes until `end`
# messages have been seen in all waits at the broker, and the time runs until the next is asked for.
from time import ticks_diff, ticks_us

from umqtt_full import MQTTClient

TOPIC = b"bench/topic"


def make(url, size, slots):
    tls = {"insecure_no_verification": True} if url.startswith("mqtts") else {}
    return MQTTClient(url, "bench", rx=size + 64, slots=slots, slot_size=size + 64, **tls)


def publish(url, qos, payload, count, window):
    client = make(url, len(payload), window)
    client.connect()
    begin = ticks_us()
    for _ in range(count):
        while not client.room():
            client.poll(1000)
        client.publish(TOPIC, payload, qos)
    while client.room() < window:
        client.poll(1000)
    took = ticks_diff(ticks_us(), begin)
    client.disconnect()
    return took


def receive(url, qos, size, bursts):
    client = make(url, size, 1)
    seen = 0

    def on_message(msg):
        nonlocal seen
        if len(msg) == size:
            seen += 1

    client.on(TOPIC, on_message, qos)
    client.connect()
    for end in bursts:
        while seen < end:
            client.poll(1000)
    client.disconnect()


def idle(url, count):
    client = make(url, 64, 1)
    client.connect()
    begin = ticks_us()
    for _ in range(count):
        client.poll()
    took = ticks_diff(ticks_us(), begin)
    client.disconnect()
    return took
