# What runs on a board in its tests: each function is one program, told by arguments what a test wants.
# Rule: it prints lines of "word what"; an assert that fails is the test's failure. It needs only what a board has.
import gc
import json
import os
import time

from umqtt_full import MQTTClient


def join(ssid, password):
    """Wi-Fi up, or an error after two minutes."""
    import network

    wlan = network.WLAN(network.WLAN.IF_STA)
    wlan.active(True)
    if not wlan.isconnected():
        wlan.connect(ssid, password)
    end = time.ticks_add(time.ticks_ms(), 120000)
    while not wlan.isconnected():
        assert time.ticks_diff(end, time.ticks_ms()) > 0, wlan.status()
        time.sleep_ms(100)
    print("address", wlan.ifconfig()[0])


def set_clock(year, month, day, hour, minute, second):
    """UTC, where the board has a clock to be set."""
    import machine

    if hasattr(machine.RTC(), "datetime"):
        machine.RTC().datetime((year, month, day, 0, hour, minute, second, 0))


def client(url, name, **options):
    """A client that is back soon, and tells how its links come and go."""
    mqtt = MQTTClient(url, name, slots=4, slot_size=64, **options)
    mqtt.retry_min_ms, mqtt.retry_max_ms = 20, 500
    went = [None]

    def down(reason):
        went[0] = time.ticks_ms()
        print("down", reason)

    def up(present):
        if went[0] is not None:
            print("away", time.ticks_diff(time.ticks_ms(), went[0]))
        print("up", int(present))

    mqtt.on_disconnect, mqtt.on_connect = down, up
    return mqtt


def numbers(url, name, count, pause_ms=0, keepalive=60):
    """Publish 0..count-1 at QoS 1 to name/up, over whatever links there are; all are acknowledged in the end."""
    mqtt = client(url, name, keepalive=keepalive, clean=False)
    topic = (name + "/up").encode()
    mqtt.start()
    n = 0
    while n < count or mqtt.room() < 4:
        mqtt.poll(20)
        if n < count and mqtt.room():
            mqtt.publish(topic, b"%d" % n, 1)
            n += 1
            time.sleep_ms(pause_ms)
    assert mqtt.disconnect()
    print("resent", mqtt.counters["resent"])


def loses_the_network(url, name, *wifi):
    """Accept messages without Wi-Fi, or with the gate shut where there is none: nothing is tried meanwhile."""
    there = [True]
    mqtt = client(url, name, keepalive=2, clean=False)
    mqtt.gate = lambda: there[0]
    if wifi:
        import network

        wlan = network.WLAN(network.WLAN.IF_STA)
        mqtt.gate = wlan.isconnected
    tried = []
    mqtt.on_error = tried.append
    mqtt.start()
    while not mqtt.connected:
        mqtt.poll(100)
    if wifi:
        wlan.disconnect()
    else:
        there[0] = False
        mqtt.close()
        mqtt.start()
    for n in range(3):
        mqtt.publish(name + "/up", b"%d" % n, 1)
    end = time.ticks_add(time.ticks_ms(), 1000)
    while mqtt.connected or time.ticks_diff(end, time.ticks_ms()) > 0:
        mqtt.poll(100)
    assert mqtt.state == "offline" and not tried and mqtt.room() == 1, (mqtt.state, tried)
    there[0] = True
    if wifi:
        join(*wifi)
    while mqtt.room() < 4:
        mqtt.poll(100)
    assert mqtt.disconnect()


def waits_for_silence(url, name):
    """Be connected and say nothing, until keepalive has found the link dead and another is up."""
    mqtt = client(url, name, keepalive=1)
    mqtt.start()
    while mqtt.counters["reconnects"] == 0 or not mqtt.connected:
        mqtt.poll(1000)
    print("longest", mqtt.longest_ms)
    mqtt.close()


def secure(url, name, ca, ca_of_others):
    """Connect by TLS and be sure who the server is; refuse it where another authority has to have signed."""
    mqtt = MQTTClient(url, name, ca=ca)
    mqtt.connect(30000)
    assert mqtt.verified is True
    mqtt.publish(name + "/up", b"by TLS", 1)
    assert mqtt.disconnect(10000)
    mqtt = None
    gc.collect()
    try:
        MQTTClient(url, name, ca=ca_of_others).connect(30000)
    except Exception as e:
        print("refused", getattr(e, "name", e))
    else:
        raise AssertionError("not refused")


def store():
    """What outlives a reset on this board."""
    from machine import RTC

    from umqtt_full.store import FileStore, MemoryStore

    if hasattr(RTC(), "memory"):
        memory = RTC().memory
        return MemoryStore(2048, memory, memory)
    return FileStore("/tests/store.log")


def sleeps():
    """Accept a message and sleep before it can be sent; after waking send it, and another."""
    import machine

    with open("/tests/sleep.json") as file:
        url, name = json.load(file)
    mqtt = MQTTClient(url, name, store=store(), slots=4, slot_size=64)
    if "slept" not in os.listdir("/tests"):
        with open("/tests/slept", "w") as file:
            file.write("1")
        mqtt.publish(name + "/up", b"before", 2)
        machine.deepsleep(100)
    mqtt.publish(name + "/up", b"after", 2)
    mqtt.connect(30000)
    assert mqtt.disconnect(10000)


def forgets():
    """What sleeps() has kept is no longer wanted."""
    from machine import RTC

    if hasattr(RTC(), "memory"):
        RTC().memory(b"")


def speed(url, name, qos, count):
    """Tell how long `count` messages of 16 bytes take, there and acknowledged, in milliseconds."""
    mqtt = MQTTClient(url, name, slots=8, slot_size=64)
    mqtt.connect(30000)
    topic, payload = (name + "/speed").encode(), b"0123456789abcdef"
    gc.collect()
    begin = time.ticks_ms()
    for _ in range(count):
        while not mqtt.room():
            mqtt.poll(1000)
        mqtt.publish(topic, payload, qos)
    assert mqtt.drain(60000)
    print("ms", time.ticks_diff(time.ticks_ms(), begin))
    assert mqtt.disconnect()


def soak(url, name, seconds):
    """Talk to ourselves for so long, over links that end; nothing is lost, and the heap stays as it is."""
    mqtt = client(url, name, keepalive=1, clean=False)
    topic = (name + "/round").encode()
    seen = [0, 0]  # the last number, how many were missed

    def on_number(msg):
        number = msg.payload_int()
        if number > seen[0] + 1:
            seen[1] += 1
        seen[0] = max(seen[0], number)

    mqtt.on(name + "/round", on_number, 1)
    mqtt.start()
    n = first = 0
    now = time.ticks_ms()
    end = time.ticks_add(now, seconds * 1000)
    while time.ticks_diff(end, now) > 0 or seen[0] < n:
        mqtt.poll(50)
        now = time.ticks_ms()
        assert time.ticks_diff(end, now) > -30000, "of %d only %d came back" % (n, seen[0])
        if time.ticks_diff(end, now) > 0 and mqtt.room():
            n += 1
            mqtt.publish(topic, b"%d" % n, 1)
            if not first and mqtt.counters["reconnects"] == 2:  # by now all that is kept of a lost link is there
                gc.collect()
                first = gc.mem_alloc()
    gc.collect()
    print("messages", n)
    print("missed", seen[1])
    print("links", mqtt.counters["reconnects"] + 1)
    print("more", gc.mem_alloc() - first)
    mqtt.disconnect(5000)

