# What a small heap can do: the client alone, from .mpy, and nothing else loaded.
# Rule: compiled and imported like the library; `uses|locked url name count`; lines of "word number", then "ok".
import gc

from umqtt_full import MQTTClient

gc.collect()
print("imported", gc.mem_free())


def poll_until(client, condition):
    while not condition():
        if not client.poll(5000):
            raise AssertionError("offline")


def uses(url, name, count):
    """Connect, subscribe, publish `count` messages of QoS 2 to ourselves; tell what is left of the heap."""
    client = MQTTClient(url, name)
    seen = [0]

    def on_number(msg):
        if msg.payload_int() != seen[0]:
            raise AssertionError("number %d" % seen[0])
        seen[0] += 1

    client.on(name + "/n", on_number, 2)
    client.connect()
    topic = (name + "/n").encode()
    for i in range(count):
        poll_until(client, client.room)
        client.publish(topic, b"%d" % i, 2)
    poll_until(client, lambda: seen[0] == count)
    assert client.drain(5000)
    gc.collect()
    print("free", gc.mem_free())
    assert client.disconnect() and seen[0] == count


def count_up(digits):
    """Add one to a decimal number in a bytearray, in place."""
    i = len(digits) - 1
    while digits[i] == 57:
        digits[i] = 48
        i -= 1
    digits[i] += 1


def flow(client, topic, count, qos, digits, seen):
    """Publish and receive `count` messages. Runs without a heap."""
    for _ in range(count):
        while not client.room():
            client.poll(5000)
        client.publish(topic, digits, qos)
        count_up(digits)
    while seen[0] < count:
        client.poll(5000)
    return client.drain(5000)


def locked(url, name, count):
    """The same at QoS 0, 1 and 2 while the heap is locked: any allocation is a MemoryError."""
    import micropython

    client = MQTTClient(url, name)
    copy = bytearray(8)
    seen = [0, 0]  # how many, how many of them out of order or not as they were sent
    topics = [(name + "/%d" % qos).encode() for qos in range(3)]
    digits = bytearray(8)

    def on_number(msg):
        right = msg.copy_payload(copy) == 8 and msg.payload_is(copy) and msg.payload_int() == seen[0]
        seen[0] += 1
        seen[1] += not right

    for qos in range(3):
        client.on(topics[qos], on_number, qos)
    client.connect()
    for qos in range(3):
        seen[0] = 0
        digits[:] = b"00000000"
        gc.collect()
        before = gc.mem_alloc()
        micropython.heap_lock()
        try:
            drained = flow(client, topics[qos], count, qos, digits, seen)
        finally:
            micropython.heap_unlock()
        after = gc.mem_alloc()
        print("more-%d" % qos, after - before)
        assert drained and seen == [count, 0], seen
    assert client.disconnect()

