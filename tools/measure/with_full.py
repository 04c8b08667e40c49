# umqtt_full as bench.py measures it.
# Rule: as each with_*.py it has publish(url, qos, payload, count, window), with up to `window` messages under way,
# and receive(url, qos, size, count, burst, go), where the next `burst` messages wait at the broker when go()
# returns. Both return microseconds.
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


def receive(url, qos, size, count, burst, go):
    client = make(url, size, 1)
    seen = 0

    def on_message(msg):
        nonlocal seen
        if len(msg) == size:
            seen += 1

    client.on(TOPIC, on_message, qos)
    client.connect()
    took = end = 0
    while end < count:
        end += burst
        go()
        begin = ticks_us()
        while seen < end:
            client.poll(1000)
        took += ticks_diff(ticks_us(), begin)
    client.disconnect()
    return took


def idle(url, count):
    client = make(url, 64, 1)
    client.connect()
    begin = ticks_us()
    for _ in range(count):
        client.poll()
    took = ticks_diff(ticks_us(), begin)
    client.disconnect()
    return took
