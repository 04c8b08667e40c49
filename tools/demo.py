"""A sensor, a broker and a bulb at work before your eyes; the broker is killed, and nothing is lost.

    python3 tools/demo.py [--forever] [--plain] [--seconds N]

Rule: the verdict at the end comes from what both programs printed, and from nothing else.
Sensor and bulb are the unchanged applications in ports/, each in its own MicroPython process;
`you` is a third client, in this process: it presses the switch.
"""

import argparse
import re
import signal
import sys
import time

import env
from stage import ROOT, Screen, Stage

sys.path.insert(0, str(ROOT))
from umqtt_full import MQTTClient  # noqa: E402

DOWN = 2  # seconds the broker is away
PRESSES = ("on", "toggle", "toggle", "40", "toggle", "toggle", "75", "off")


class Stop(Exception):
    """Ctrl-C, or a request to terminate."""


class Count:
    """What the programs printed, in numbers."""

    def __init__(self):
        self.published, self.obeyed, self.commands = {}, {}, 0
        self.heap = {"sensor": [], "bulb": []}
        self.up = {"sensor": False, "bulb": False}
        self.links = {"sensor": 0, "bulb": 0}
        self.broker = 0
        self.end = {}

    def line(self, who, what, text):
        number = int((re.search(r"\d+", text) or [0])[0])
        if what == "heap":
            self.heap[who].append(number)
        elif what == "link" and who in self.up:
            self.up[who] = text.startswith("up")
            self.links[who] += self.up[who]
        elif who == "broker":
            self.broker += what == "up"
        elif what == "publish" and who == "sensor":
            self.published[number] = self.published.get(number, 0) + 1
        elif what == "obey" and text.startswith("command"):
            self.commands += 1
        elif what == "obey":
            self.obeyed[number] = self.obeyed.get(number, 0) + 1
        elif what == "end":
            self.end[who] = [int(n) for n in re.findall(r"\d+", text)]


class You:
    """Presses the switch at QoS 2; never again before the lamp has answered, as people do."""

    def __init__(self, port, screen):
        self.screen = screen
        self.presses = 0
        self.waiting = False  # for the lamp to answer our last press
        self.lamp_is_there = False
        self.next = time.monotonic() + 1
        self.mqtt = mqtt = MQTTClient(f"mqtt://127.0.0.1:{port}", "demo-you", keepalive=15, clean=False)
        mqtt.retry_max_ms = 3000
        mqtt.on("bulb/desk/state", qos=1)(self.state)
        mqtt.start()

    def state(self, msg):
        self.lamp_is_there = not msg.payload_is(b"offline")
        self.screen.line("you", "see", str(msg.payload, "utf-8"))

    def turn(self, count, may_press):
        self.mqtt.poll(20)
        if self.waiting and count.commands == self.presses:
            self.waiting, self.next = False, time.monotonic() + 1
        ready = may_press and self.lamp_is_there and self.mqtt.connected and self.mqtt.room()
        if ready and not self.waiting and time.monotonic() > self.next:
            command = PRESSES[self.presses % len(PRESSES)]
            self.mqtt.publish("bulb/desk/set", command, 2)
            self.presses, self.waiting = self.presses + 1, True
            self.screen.line("you", "press", f"{command}, QoS 2")


class Demo:
    def __init__(self, stage, screen):
        self.stage, self.screen = stage, screen
        self.count = Count()
        self.restarts = 0
        self.stopping = False
        self.you = self.broker = self.bulb = self.sensor = None

    def say(self, text):
        self.screen.line("demo", "*", text)

    def interrupt(self, *_):
        self.stopping = True  # raised as Stop at the next turn, where nothing is half done

    def turn(self, may_press=False):
        """Move everything on by 20 ms."""
        if self.you:
            self.you.turn(self.count, may_press)
        else:
            time.sleep(0.02)
        fallen = self.stage.fallen()
        while not self.stage.lines.empty():
            line = self.stage.lines.get()
            self.count.line(*line)
            self.screen.line(*line)
        if fallen:
            raise RuntimeError(f"the {fallen} has ended, and should not")
        if self.stopping:
            self.stopping = False
            raise Stop

    def play(self, seconds, may_press=True):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.turn(may_press)

    def until(self, condition, seconds, what):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise RuntimeError(f"waited {seconds} s in vain for {what}")
            self.turn()

    def raise_curtain(self):
        self.broker = self.stage.broker()
        self.until(lambda: self.count.broker, 15, "the broker to start")
        self.you = You(self.stage.port, self.screen)
        self.bulb = self.stage.application("bulb")
        self.until(lambda: self.you.lamp_is_there, 15, "the bulb to connect")
        self.sensor = self.stage.application("sensor")
        self.until(lambda: all(self.count.up.values()), 15, "the sensor to connect")

    def restart(self):
        """Kill the broker with all it knows; only presses of the switch wait until it is back."""
        self.until(lambda: not self.you.waiting, 10, "the lamp to answer")
        before = dict(self.count.links)
        self.say(f"now the broker is killed, with all it had stored in memory, for {DOWN} seconds")
        self.broker.kill()
        self.you.lamp_is_there = False  # until it says so again
        self.play(DOWN, False)
        self.start_again()
        self.until(lambda: all(self.count.links[w] > before[w] for w in before), 30, "both to come back")

    def start_again(self):
        self.say("the broker starts again, and knows nobody")
        self.broker = self.stage.broker()
        self.restarts += 1

    def reunite(self):
        """Have the broker there and both connected, whatever was going on."""
        if self.broker.may_end:
            self.start_again()
        self.until(lambda: all(self.count.up.values()), 30, "both to come back")

    def finish(self):
        """The sensor hands over what it has measured and ends, then the bulb."""
        self.say("the sensor stops measuring and hands over what it still has")
        self.until(lambda: not self.you.waiting, 10, "the lamp to answer")
        for process in (self.sensor, self.bulb):
            process.stop()
            self.until(lambda who=process.who: who in self.count.end, 20, f"the {process.who} to end")
        self.play(0.2, False)

    def summary(self):
        """Print the counts and the verdict; True if every reading and command was obeyed exactly once."""
        count, line = self.count, self.screen.line
        measured = count.end["sensor"][0]
        once = sum(1 for n in range(1, measured + 1) if count.obeyed.get(n) == 1)
        for who, used in count.heap.items():
            if used:
                text = f"{used[0]} bytes used at first, {used[-1]} at last, {max(used)} at most"
                line(who, "heap", f"{text}, of {self.stage.heap}")
        again = count.end["bulb"][1]
        line("sensor", "count", f"{measured} readings, published {sum(count.published.values())} times")
        line("bulb", "count", f"{once} of them obeyed exactly once; {again} came again and were ignored")
        line("bulb", "count", f"{count.commands} of {self.you.presses} presses of the switch obeyed")
        line("broker", "count", f"{self.restarts} times killed and started again")
        good = measured > 0 and once == measured == len(count.obeyed) and count.commands == self.you.presses
        good = good and not any(count.end["sensor"][1:]) and not count.end["bulb"][2]
        verdict = "nothing was lost" if good else "SOMETHING WAS LOST" if measured else "nothing was measured"
        self.say("VERDICT: " + verdict)
        return good


def perform(demo, seconds, forever):
    """The whole story; the exit code."""
    try:
        demo.raise_curtain()
        while True:
            demo.play(seconds * 0.4)
            demo.restart()
            demo.play(seconds * 0.4)
            if not forever:
                break
    except Stop:
        if not forever or not demo.sensor:
            demo.say("stopped")
            return 130
        demo.say("stopping, when all is delivered; Ctrl-C again stops at once")
        demo.reunite()
    demo.finish()
    return 0 if demo.summary() else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--forever", action="store_true", help="until Ctrl-C, with a restart now and then")
    parser.add_argument("--plain", action="store_true", help="no colours")
    parser.add_argument("--seconds", type=float, default=14, help="how long sensor and bulb run, about")
    options = parser.parse_args()
    python, micropython = env.ensure(), env.find_micropython()
    screen = Screen(options.plain)
    stage = Stage(python, micropython)
    demo = Demo(stage, screen)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, demo.interrupt)
    try:
        stage.build()
        where = f"MicroPython, heap {stage.heap} each" if micropython else "CPython (no MicroPython here)"
        demo.say(f"sensor and bulb run on {where}; the broker is at 127.0.0.1:{stage.port}")
        return perform(demo, options.seconds, options.forever)
    except Stop:
        return 130
    except RuntimeError as error:
        screen.line("demo", "error", str(error))
        return 1
    finally:
        stage.close()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # while the environment was being made
        sys.exit(130)
