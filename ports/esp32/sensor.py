# A sensor: reads, and sends each reading until it is confirmed; all the time, or between two sleeps.
#
# Rule: a reading that was given a number is never dropped while we have power. Confirmed is what the broker has
# acknowledged; as MQTT guards each hop alone, and a broker that is restarted may forget, `confirm` can name a
# topic on which the receiver says how far it got. When the memory for readings is full no new one is taken.
import json
import time
from array import array
from random import getrandbits

from start import make_client, report
from ntp import is_set, unix_time
from time import ticks_add, ticks_diff, ticks_ms

AWAKE_MS = 20000  # the longest time awake between two sleeps, but for an image that comes in
SLOT_SIZE = 512  # the largest message, with its topic
ROOM = SLOT_SIZE - 16  # for a topic and a payload


def make(config, board):
    """The Sensor of these settings. Raises ConfigError."""
    return Sensor(config, board)


class Readings:
    """A ring of numbered readings: first..next-1 are not confirmed yet; `send` is the one to publish next."""

    def __init__(self, keep, names):
        self.keep = keep
        self.names = names
        self._values = array("i", [0] * (keep * len(names)))  # tenths; reading n is at n % keep
        self._times = array("I", [0] * keep)  # time.time(), 0 where the clock was not set
        self.first = self.send = self.next = 1

    def full(self):
        return self.next - self.first == self.keep

    def add(self, tenths):
        """Give a reading the next number, which is returned."""
        at = self.next % self.keep
        for i in range(len(self.names)):
            self._values[at * len(self.names) + i] = tenths[i]
        self._times[at] = int(time.time()) if is_set() else 0
        self.next += 1
        return self.next - 1

    def confirm(self, following):
        """All below this number have arrived: True if that is news."""
        if not self.first < following <= self.next:
            return False
        self.first = following
        self.send = max(self.send, following)
        return True

    def tenths(self, number):
        at = number % self.keep * len(self.names)
        return self._values[at : at + len(self.names)]

    def unix(self, number):
        """When it was taken: seconds since 1970, or None."""
        seconds = self._times[number % self.keep]
        return unix_time(seconds) if seconds else None


class Sensor:
    """The application. It prints a line for each event through board.say()."""

    def __init__(self, config, board):
        self.board = board
        part = config.section("sensor")
        self.topic = part.take("topic", kinds=(str,))
        self.period_ms = int(part.take("period_s", 60.0, least=0.1, most=86400) * 1000)
        self.csv = part.take("format", "json", choices=("json", "csv")) == "csv"
        self.qos = part.take("qos", 1, choices=(1, 2))
        self.batch = part.take("batch", 8, least=1, most=32)
        self.readings = Readings(part.take("keep", 64, least=2, most=4096), [q[0] for q in board.QUANTITIES])
        self.sleep = part.take("sleep", "none", choices=("none", "light", "deep"))
        self.home_assistant = part.take("home_assistant", None, (str,))
        confirm = part.take("confirm", None, (str,))
        ota = part.take("ota", None, (str,))
        part.done()
        if confirm and (self.sleep != "none" or self.batch > 1):
            raise part.wrong("confirm", "goes with batch 1 and without sleep only")
        self.boot = getrandbits(16)  # tells this run's numbers from an older one's
        self.skipped = 0
        self.sent = {}  # packet id: the number after the last in it
        self.discovery = []
        self.birth = False
        self.at = ticks_ms()  # of the next reading

        deep = self.sleep == "deep"
        self.mqtt, self.network = make_client(config, board, self.topic, "rtc" if deep else None, 6, SLOT_SIZE)
        self.eager = deep or self.batch == 1  # else, without a link, readings gather to travel together
        report(self.mqtt, self.network, board, self.connected)
        self.confirmed_by_broker = not confirm
        if confirm:
            self.mqtt.on(confirm, self.seen, 1)
        else:
            self.mqtt.on_publish = self.acknowledged
        self.ota = None
        if ota:
            from ota import Ota

            self.ota = Ota(self.mqtt, self.topic + "/ota", ota, board)
        self.mqtt.start()

    # What the network tells us

    def connected(self, session_present):
        fresh = not (self.sleep == "deep" and self.board.woke())
        self.birth = self.sleep == "none"
        if self.home_assistant and fresh:
            self.discovery = list(range(len(self.board.QUANTITIES)))
        if not session_present and not self.confirmed_by_broker:
            self.readings.send = self.readings.first  # the broker may have lost what it had accepted
        if self.ota:
            self.ota.works()

    def acknowledged(self, packet_id):
        """The broker has a message: readings are sent, and so acknowledged, in order."""
        following = self.sent.pop(packet_id, 0)
        if following and self.readings.confirm(following):
            self.board.say("confirm", "up to %d" % (following - 1))

    def seen(self, msg):
        """The receiver says {"boot":.., "next":..}: it has every number below `next`; or null: send all again."""
        try:
            told = json.loads(str(msg.payload, "utf-8"))
            if told["next"] is None:
                self.readings.send = self.readings.first
            elif told["boot"] == self.boot and self.readings.confirm(told["next"]):
                self.board.say("confirm", "up to %d" % (self.readings.first - 1))
        except (ValueError, KeyError, TypeError):
            self.board.say("ignore", "a confirmation that is none")

    # What we do

    def measure(self):
        """Take a reading, give it a number and keep it; where there is no room, take none."""
        full = not self.mqtt.room()
        if self.readings.full() or full and self.sleep == "deep":  # which only the outbox outlives
            self.skipped += 1
            self.board.say("skip", "%d readings wait already" % (self.readings.next - self.readings.first))
            return
        number = self.readings.add(self.board.read())
        if full:
            self.board.say("keep", "%d, outbox full" % number)

    def text(self, number):
        """One reading, in the format of the settings."""
        readings = self.readings
        tenths, when = readings.tenths(number), readings.unix(number)
        if self.csv:
            head = "%d,%s" % (number, "" if when is None else when)
            return ",".join([head] + ["%.1f" % (t / 10) for t in tenths])
        reading = {"boot": self.boot, "first": readings.first, "n": number, "t": when}
        for i in range(len(tenths)):
            reading[readings.names[i]] = tenths[i] / 10
        return json.dumps(reading)

    def publish(self):
        """Publish what is due: one reading alone, or as many together as a message holds."""
        readings = self.readings
        texts = []
        left = ROOM - len(self.topic)
        for n in range(readings.send, min(readings.next, readings.send + self.batch)):
            text = self.text(n)
            left -= len(text) + 1
            if texts and left < 0:
                break
            texts.append(text)
        numbers = range(readings.send, readings.send + len(texts))
        topic = self.topic + ("/reading" if len(texts) == 1 else "/batch")
        payload = "\n".join(texts) if self.csv or len(texts) == 1 else "[" + ",".join(texts) + "]"
        packet_id = self.mqtt.publish(topic, payload, self.qos)
        readings.send += len(texts)
        if self.confirmed_by_broker:
            self.sent[packet_id] = readings.send
        where = "" if self.mqtt.connected else ", waits in the outbox"
        for n in numbers:
            celsius = readings.tenths(n)[0] / 10
            self.board.say("publish", "%d %s %.1f, QoS %d%s" % (n, topic, celsius, self.qos, where))

    def announce(self, i):
        """Have Home Assistant know one of our quantities; the short keys are its own."""
        name, device_class, unit = self.board.QUANTITIES[i]
        column = "value.split(',')[%d]" % (i + 2) if self.csv else "value_json.%s" % name
        device = self.topic.replace("/", "_")
        text = {
            "~": self.topic,
            "name": name,
            "uniq_id": "%s_%s" % (device, name),
            "stat_t": "~/reading",
            "val_tpl": "{{ %s }}" % column,
            "unit_of_meas": unit,
            "dev_cla": device_class,
            "dev": {"ids": [device], "name": self.topic},
        }
        if self.sleep == "none":
            text["avty_t"] = "~/status"
        else:
            text["exp_aft"] = 3 * self.period_ms // 1000 + 60
        topic = "%s/sensor/%s/%s/config" % (self.home_assistant, device, name)
        self.mqtt.publish(topic, json.dumps(text), 1, True)

    def speak(self):
        """Publish what there is room for."""
        mqtt, readings = self.mqtt, self.readings
        while self.discovery and mqtt.room():
            self.announce(self.discovery.pop())
        if self.birth and mqtt.room():
            self.birth = False
            mqtt.publish(self.topic + "/status", "online", 1, True)
        while readings.send < readings.next and mqtt.room() and (mqtt.connected or self.eager):
            self.publish()

    def turn(self):
        """One round: whatever can go on goes on; nothing waits longer than 50 ms, but for a sleep."""
        if self.sleep != "none":
            self.cycle()
            return
        self.network.step()
        if ticks_diff(ticks_ms(), self.at) >= 0:
            self.at = ticks_add(self.at, self.period_ms)
            if ticks_diff(ticks_ms(), self.at) > self.period_ms:
                self.at = ticks_ms()  # we were kept too long: do not catch up
            self.measure()
        self.mqtt.poll(50)
        self.speak()
        if self.ota:
            self.ota.turn()

    def cycle(self):
        """Read, hand over, sleep."""
        end = ticks_add(ticks_ms(), AWAKE_MS)
        self.measure()
        while True:
            self.speak()
            self.mqtt.poll(50)
            self.network.step()
            busy = False
            if self.ota:
                self.ota.turn()
                busy = self.ota.busy
            if self.idle() and not busy or ticks_diff(end, ticks_ms()) <= 0 and not busy:
                break
        self.mqtt.disconnect(2000)
        self.network.off()
        if self.sleep == "deep":
            self.board.deep_sleep(self.period_ms)
        else:
            self.board.light_sleep(self.period_ms)
            self.mqtt.start()

    def idle(self):
        """Has the broker everything?"""
        return self.mqtt.connected and self.readings.send == self.readings.next and self.mqtt.drain(0)

    def finish(self):
        """Before the program ends: hand over what is kept, but do not try for more than ten seconds."""
        readings = self.readings
        end = ticks_add(ticks_ms(), 10000)
        while readings.first < readings.next and ticks_diff(end, ticks_ms()) > 0:
            self.mqtt.poll(50)
            self.speak()
        counts = (readings.next - 1, readings.next - readings.first, self.skipped)
        self.board.say("end", "%d readings, %d not confirmed, %d skipped" % counts)
        if self.mqtt.room():  # the broker publishes the will only where we go without a word
            self.mqtt.publish(self.topic + "/status", "offline", 1, True)
        self.mqtt.disconnect(1000)
