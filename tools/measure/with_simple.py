# umqtt.simple as bench.py measures it: QoS 0 and 1, one message after another.
# Rule: see with_full.py.
from time import ticks_diff, ticks_us

from umqtt.simple import MQTTClient

TOPIC = b"bench/topic"


def make(url):
    host, port = url[7:].split(":")
    return MQTTClient(b"bench", host, int(port))


def publish(url, qos, payload, count, window):
    client = make(url)
    client.connect()
    begin = ticks_us()
    for _ in range(count):
        client.publish(TOPIC, payload, False, qos)
    took = ticks_diff(ticks_us(), begin)
    client.disconnect()
    return took


def receive(url, qos, size, bursts):
    client = make(url)
    seen = 0

    def on_message(topic, payload):
        nonlocal seen
        if len(payload) == size:
            seen += 1

    client.set_callback(on_message)
    client.connect()
    client.subscribe(TOPIC, qos)
    for end in bursts:
        while seen < end:
            client.wait_msg()
    client.disconnect()
