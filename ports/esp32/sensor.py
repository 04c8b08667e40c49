"""The attic sensor: sends every reading until the bulb has confirmed it.

Rule: a reading that was given a number is never dropped.  MQTT's QoS guards each hop; a broker
that is restarted may still forget what it had accepted, so a reading is kept here until the
bulb has confirmed its number.  When the memory for readings is full, no new one is taken.
"""

import json
import os
from array import array

from umqtt_full import MQTTClient

KEEP = 24  # readings kept at most; the bulb looks as far ahead
MEAN_OF = 5  # every fifth number is a mean, sent at QoS 2


class Sensor:
    """Readings first..next-1 are not confirmed yet; `send` is the one to publish next."""

    def __init__(self, board, server):
        self.board = board
        self.tenths = array("h", [0] * KEEP)  # reading n is at n % KEEP
        self.first = self.send = self.next = 1
        self.skipped = 0
        self.greet = False
        self.boot = int.from_bytes(os.urandom(2), "big")  # tells this run's numbers from an older one's

        self.mqtt = mqtt = MQTTClient(server, "attic-sensor", keepalive=15, clean=False, slot_size=128)
        mqtt.retry_max_ms = 3000  # be back soon: this broker is our own
        mqtt.will("attic/state", "offline", 1, True)
        mqtt.on_connect = self.connected
        mqtt.on_disconnect = mqtt.on_error = self.disconnected
        mqtt.on("bulb/desk/seen", qos=1)(self.seen)
        mqtt.on("bulb/desk/again", qos=1)(self.again)
        mqtt.start()

    # What the network tells us

    def connected(self, session_present):
        self.greet = True
        if not session_present:  # the broker does not know us: it may have lost what it had accepted
            self.send = self.first
        self.board.say("link", "up, session %s" % ("kept" if session_present else "new"))

    def disconnected(self, reason):
        self.board.say("link", "down: %s" % (reason or "as asked for"))

    def again(self, msg):
        self.send = self.first  # the bulb has just come, and missed what was sent before

    def seen(self, msg):
        """The bulb has obeyed every number below `next`."""
        try:
            told = json.loads(str(msg.payload, "utf-8"))
            news = told["boot"] == self.boot and self.first < told["next"] <= self.next
        except (ValueError, KeyError, TypeError):
            return
        if news:
            self.first = told["next"]
            self.send = max(self.send, self.first)
            self.board.say("confirm", "up to %d" % (self.first - 1))

    # What we do

    def measure(self, tenths):
        """Give a reading its number and keep it."""
        if self.next - self.first == KEEP:
            self.skipped += 1
            self.board.say("skip", "%d readings wait already" % KEEP)
            return
        number = self.next
        self.next += 1
        if number % MEAN_OF == 0:
            for n in range(number - MEAN_OF + 1, number):
                tenths += self.tenths[n % KEEP]  # confirmed ones are still there
            tenths //= MEAN_OF
        self.tenths[number % KEEP] = tenths
        if not self.mqtt.room():
            self.board.say("keep", "%d, outbox full" % number)

    def publish(self, number):
        celsius = self.tenths[number % KEEP] / 10
        topic, qos = ("attic/minute", 2) if number % MEAN_OF == 0 else ("attic/temperature", 1)
        reading = {"boot": self.boot, "first": self.first, "n": number, "celsius": celsius}
        self.mqtt.publish(topic, json.dumps(reading), qos)
        where = "" if self.mqtt.connected else ", waits in the outbox"
        self.board.say("publish", "%d %s %.1f C, QoS %d%s" % (number, topic, celsius, qos, where))

    def turn(self):
        """One round: whatever can go on goes on; nothing waits longer than 50 ms."""
        self.mqtt.poll(50)
        if self.greet and self.mqtt.room():
            self.greet = False
            self.mqtt.publish("attic/state", "online", 1, True)
        while self.send < self.next and self.mqtt.room():
            self.publish(self.send)
            self.send += 1

    def finish(self):
        """Before going to sleep: hand over what is kept, but do not try for more than ten seconds."""
        for _ in range(200):
            if self.first == self.next:
                break
            self.turn()
        counts = (self.next - 1, self.next - self.first, self.skipped)
        self.board.say("end", "%d readings, %d not confirmed, %d skipped" % counts)
        if self.mqtt.room():  # the broker publishes the will only where we go without a word
            self.mqtt.publish("attic/state", "offline", 1, True)
        self.mqtt.disconnect(1000)


def main(board, server):
    sensor = Sensor(board, server)
    while board.alive():
        tenths = board.temperature()  # None: not time for a reading yet
        if tenths is not None:
            sensor.measure(tenths)
        sensor.turn()
    sensor.finish()
