"""The README's programs, run as they stand against a broker.

Rule: only the broker's address is changed; what they leave to the reader is given here.
"""
import re
import time

import env

README = (env.ROOT / "README.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", README, re.S)


class Enough(Exception):
    """Ends a program's endless loop."""


def run(program, url, names):
    program = program.replace("mqtt://broker.local", url)
    try:
        exec(compile(program, "README.md", "exec"), names)
    except Enough:
        names["mqtt"].disconnect()


def test_each_program_has_a_test_here():
    assert len(PROGRAMS) == 4


def test_the_sensor_publishes(mosquitto):
    published = []
    end = time.monotonic() + 20

    def is_due():
        if names["mqtt"].counters["sent"] >= 3 or time.monotonic() > end:
            raise Enough
        return True

    def read_sensor():
        published.append(1)
        return b"21.5"

    names = {"is_due": is_due, "read_sensor": read_sensor}
    run(PROGRAMS[0], mosquitto.url, names)
    assert len(published) >= 3 and names["mqtt"].room() == 4


def test_the_bulb_obeys(mosquitto):
    from umqtt_full import MQTTClient

    lit = []
    switch = MQTTClient(mosquitto.url, "switch")
    switch.connect()

    def lamp(on):
        lit.append(on)
        if len(lit) == 2:
            raise Enough

    class Helped(MQTTClient):
        """The bulb's client; while it polls, somebody presses the switch."""

        def poll(self, timeout_ms=0):
            if self.connected and not switch.counters["sent"]:
                switch.publish("bulb/desk/set", "on", qos=2)
                switch.publish("bulb/desk/set", "off", qos=2)
            switch.poll()
            return super().poll(min(timeout_ms, 20))

    program = PROGRAMS[1].replace("from umqtt_full import MQTTClient", "")
    run(program, mosquitto.url, {"lamp": lamp, "MQTTClient": Helped})
    assert lit == [True, False]
    switch.disconnect()


def test_a_reading_outlives_the_program(mosquitto, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        names = {}
        run(PROGRAMS[2], mosquitto.url, names)
        assert names["mqtt"].room() == 4 and names["mqtt"].counters["sent"] == 1
    assert (tmp_path / "mqtt.log").exists()


def test_payloads_larger_than_memory_come_and_go(mosquitto, tmp_path, monkeypatch):
    from umqtt_full import MQTTClient

    monkeypatch.chdir(tmp_path)
    photo = bytes(range(256)) * 40
    (tmp_path / "photo.jpg").write_bytes(photo)
    begun, got = [], []
    other = MQTTClient(mosquitto.url, "darkroom", rx=20000, slot_size=20000)
    other.on("camera/photo", lambda msg: got.append(bytes(msg.payload)), qos=2)
    other.connect()
    mqtt = MQTTClient(mosquitto.url, "camera", rx=64)
    mqtt.connect()
    names = {"mqtt": mqtt, "block": bytearray(100), "photo_size": len(photo)}
    names["begin"] = lambda *what: begun.append(what)
    run(PROGRAMS[3], mosquitto.url, names)
    other.publish("firmware/image", photo, qos=1)
    other.publish("log/x", b"y" * 300, qos=1)
    end = time.monotonic() + 20
    while not (got and begun) and time.monotonic() < end:
        other.poll(10)
        mqtt.poll(10)
    assert got == [photo] and begun == [("log/x", 300)]
    assert (tmp_path / "image.bin").read_bytes() == photo
    mqtt.close()
    other.close()
