# What the README's programs leave to the reader, on CPython and MicroPython; the broker's other side is the test.
# Rule: program.py is one of them as it stands, but for the broker's address; a scenario has its heading's name.
import sys

from umqtt_full import MQTTClient


class Enough(Exception):
    """Ends a program's endless loop."""


def run(names):
    """Run the program with these names until something has had enough."""
    with open("program.py") as file:
        program = file.read()
    try:
        exec(compile(program, "README.md", "exec"), names)
    except Enough:
        pass


def run_until(condition, names):
    """Run the program until the condition holds: each client asks as it goes on."""

    def watchdog(client):
        if condition():
            raise Enough

    MQTTClient.watchdog = watchdog
    try:
        run(names)
    finally:
        MQTTClient.watchdog = None


def light(side, names):
    """Run the program until the lamp was switched twice."""
    lit = []

    def lamp(on):
        lit.append(on)
        side.say("lit", on)
        if len(lit) == 2:
            raise Enough

    names["lamp"] = lamp
    run(names)
    assert lit == [True, False], lit


def a_sensor(side):
    readings = [b"21.7", b"21.6", b"21.5"]
    names = {"is_due": lambda: bool(readings), "read_sensor": readings.pop}
    run_until(lambda: not readings and names["mqtt"].room() == 4, names)
    names["mqtt"].disconnect()


def a_bulb(side):
    names = {}
    light(side, names)
    names["mqtt"].disconnect()


def asyncio(side):
    light(side, {})


def a_sensor_that_sleeps(side):
    class RTC:
        kept = b""

        def memory(self, data=None):
            if data is None:
                return RTC.kept
            RTC.kept = bytes(data)

    class Machine:
        pass

    def deepsleep(ms):
        assert ms == 600000
        raise Enough

    def isconnected():
        if not wakes:
            raise Enough  # the power is cut
        return True

    machine = sys.modules["machine"] = Machine()
    machine.RTC, machine.deepsleep, machine.isconnected = RTC, deepsleep, isconnected
    try:
        for wakes in range(3):
            names = {"wlan": machine, "read_sensor": lambda: b"%d" % wakes}
            run(names)
            assert names["mqtt"].room() == (4 if wakes else 3)
            assert names["mqtt"].session_present == (wakes == 2)
    finally:
        del sys.modules["machine"]


def a_bulb_that_tells_its_state(side):
    names = {}
    light(side, names)
    names["mqtt"].close()


def a_gateway(side):
    ready = []

    def done():
        site, cloud = names["site"], names["cloud"]
        if site.connected and cloud.connected and not ready:
            ready.append(1)
            side.say("up")
        return cloud.counters["sent"] == 2 and cloud.room() == 4

    names = {}
    run_until(done, names)
    names["site"].disconnect()
    names["cloud"].disconnect()


def request_and_response(side):
    names = {"state_of": lambda question: bytes(question) + b" is on"}
    run(names)
    side.clients = [names["desk"], names["phone"]]
    got = []
    for client in side.clients:
        client.start()
    side.wait(lambda: names["desk"].connected and names["phone"].connected)
    for question in (b"red", b"blue"):
        names["ask"](question, got.append)
    side.wait(lambda: len(got) == 2)
    assert got == [b"red is on", b"blue is on"] and not names["waiting"], got


def over_power_cuts_and_deep_sleep(side):
    for _ in range(2):
        names = {}
        run(names)
        assert names["mqtt"].room() == 4 and names["mqtt"].counters["sent"] == 1
    open("mqtt.log").close()


def payloads_larger_than_memory(side):
    mqtt = side.client(rx=64)
    mqtt.connect()
    begun = []
    names = {"mqtt": mqtt, "block": bytearray(100), "photo_size": 10240}
    names["begin"] = lambda *what: begun.append(what)
    run(names)
    assert mqtt.room() == 4 and mqtt.drain(10000)
    side.say("up")
    side.wait(lambda: mqtt.counters["received"] == 2 and begun)
    assert begun == [("log/x", 300)], begun
