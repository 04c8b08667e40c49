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


def test_there_are_a_sensor_and_a_bulb():
    assert len(PROGRAMS) == 2


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
