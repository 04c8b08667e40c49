# Messages to ourselves over a real broker, each with all its acknowledgements, and what the heap holds meanwhile.
# Rule: run turn by turn, see node/mp32.mjs: garbage is collected where a turn ends. From .mpy and with nothing
# else loaded; lines of "word number".
import gc

from umqtt_full import MQTTClient


def heap(word, less=0):
    gc.collect()
    yield
    taken = gc.mem_alloc() - less
    print(word, taken)
    return taken


def turns(server, name, count):
    """Publish `count` messages at each of QoS 1 and 2 to ourselves, four at a time; then disconnect."""
    yield from heap("imported")
    topics = [(name + "/%d" % qos).encode() for qos in range(3)]
    client = MQTTClient(server, name, rx=256, slots=4, slot_size=256)
    seen = [0] * 3

    def on_number(msg):
        qos = msg.qos
        if msg.payload_int() != seen[qos] or not msg.topic_is(topics[qos]):
            raise AssertionError("QoS %d: not number %d" % (qos, seen[qos]))
        seen[qos] += 1

    def exchange(count):
        for qos in (1, 2):
            seen[qos] = 0
            for i in range(count):
                while not client.room():
                    client.poll()
                    yield
                client.publish(topics[qos], b"%d" % i, qos)
            while seen[qos] < count or client.room() < 4 or client._engine.ids:
                client.poll()
                yield

    for qos in (1, 2):
        client.on(topics[qos], on_number, qos)
    client.start()
    while not client.connected:
        client.poll()
        yield
    yield from heap("connected")
    yield from exchange(4)
    taken = yield from heap("exchanged")
    yield from exchange(count)
    yield from heap("more", taken)
    client.on_publish = lambda _: client.disconnect()  # which does not wait in a handler
    client.publish(name + "/end", b"", 1)
    while client.state != "offline":
        client.poll()
        yield
    if seen[1:] != [count, count] or client.reason:
        raise AssertionError("%s, %s" % (seen, client.reason))
