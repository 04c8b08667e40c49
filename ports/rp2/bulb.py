"""The desk bulb: obeys commands, and turns warm when the attic does.

Rule: while we have power a reading is obeyed exactly once, however often it comes: by its number
we know which we have had, and tell.  Commands come at QoS 2: exactly once, too, unless the broker
forgets one it had accepted; who presses sees the lamp, and its state on bulb/desk/state.
"""

import json

from umqtt_full import MQTTClient

NAME = "desk"
WARM = 22.5  # degrees in the attic from which the light is warm
AHEAD = 30  # numbers looked ahead; the sensor keeps fewer than that (and 30 bits are a small int)


class Numbers:
    """Which running numbers have come: all below `next`, and those marked in `ahead`."""

    def __init__(self):
        self.boot = None
        self.next = self.ahead = self.missed = 0

    def new(self, boot, first, number):
        """True the first time `number` comes.  Below `first` the sensor has nothing any more."""
        if boot != self.boot or first > self.next:
            if boot == self.boot:
                self.missed += first - self.next
            self.boot, self.next, self.ahead = boot, first, 0
        ahead = number - self.next
        if not 0 <= ahead < AHEAD or self.ahead >> ahead & 1:
            return False
        self.ahead |= 1 << ahead
        while self.ahead & 1:
            self.ahead >>= 1
            self.next += 1
        return True

    def missing(self):
        """How many numbers were passed over, or have not come while a later one has."""
        gaps, ahead = self.missed, self.ahead
        while ahead:
            gaps += not ahead & 1
            ahead >>= 1
        return gaps


class Bulb:
    """`tell` holds what others must still be told; it is sent as soon as the outbox has room."""

    def __init__(self, board, server):
        self.board = board
        self.on, self.percent, self.warm = False, 100, False
        self.numbers = Numbers()
        self.obeyed = self.twice = 0
        self.tell = set()

        self.mqtt = mqtt = MQTTClient(server, "bulb-" + NAME, keepalive=15, clean=False, slot_size=128)
        mqtt.retry_max_ms = 3000  # be back soon: this broker is our own
        mqtt.will("bulb/%s/state" % NAME, "offline", 1, True)
        mqtt.on_connect = self.connected
        mqtt.on_disconnect = mqtt.on_error = self.disconnected
        mqtt.on("bulb/+/set", qos=2)(self.command)
        mqtt.on("attic/minute", qos=2)(self.reading)
        mqtt.on("attic/temperature", qos=1)(self.reading)
        mqtt.start()

    # What the network tells us

    def connected(self, session_present):
        self.tell.add("state")
        if not session_present:  # what was sent before we were subscribed has missed us
            self.tell.add("again")
        self.board.say("link", "up, session %s" % ("kept" if session_present else "new"))

    def disconnected(self, reason):
        self.board.say("link", "down: %s" % (reason or "as asked for"))

    def command(self, msg):
        """on, off, toggle or a brightness of 0 to 100, for this bulb or for all."""
        if msg.topic not in ("bulb/%s/set" % NAME, "bulb/all/set"):
            return
        if msg.payload_is(b"toggle"):
            self.on = not self.on
        elif msg.payload_is(b"on") or msg.payload_is(b"off"):
            self.on = msg.payload_is(b"on")
        elif 0 <= msg.payload_int(-1) <= 100:
            self.percent = msg.payload_int()
            self.on = self.percent > 0
        else:
            self.board.say("ignore", "a command that is none")
            return
        self.tell.add("state")
        self.board.say("obey", "command %s -> %s" % (str(msg.payload, "utf-8"), self.light()))

    def reading(self, msg):
        """Obey a new reading; confirm an old one again, for our word may have been lost."""
        try:
            told = json.loads(str(msg.payload, "utf-8"))
            number, warm = told["n"], told["celsius"] >= WARM
            is_new = self.numbers.new(told["boot"], told["first"], number)
        except (ValueError, KeyError, TypeError):
            self.board.say("ignore", "a reading that is none")
            return
        self.tell.add("seen")
        if not is_new:
            self.twice += 1
            self.board.say("ignore", "reading %d, had it" % number)
            return
        self.obeyed += 1
        if warm != self.warm:
            self.warm = warm
            self.tell.add("state")
        self.board.say("obey", "reading %d %.1f C -> %s" % (number, told["celsius"], self.light()))

    # What we do

    def light(self):
        """Set the lamp; its state in words, for people."""
        self.board.lamp(self.percent if self.on else 0, self.warm)
        return "%s %d%% %s" % ("on" if self.on else "off", self.percent, "warm" if self.warm else "white")

    def say(self, what):
        if what == "state":
            state = {"on": self.on, "percent": self.percent, "warm": self.warm}
        else:
            state = {"boot": self.numbers.boot, "next": self.numbers.next}
        self.mqtt.publish("bulb/%s/%s" % (NAME, what), json.dumps(state), 1, what == "state")

    def turn(self):
        """One round: whatever can go on goes on; nothing waits longer than 50 ms."""
        self.mqtt.poll(50)
        while self.tell and self.mqtt.room():
            self.say(self.tell.pop())

    def finish(self):
        """Tell what is still to be told, and leave."""
        self.turn()
        counts = (self.obeyed, self.twice, self.numbers.missing())
        self.board.say("end", "%d readings obeyed, %d came twice, %d missing" % counts)
        if self.mqtt.room():  # the broker publishes the will only where we go without a word
            self.mqtt.publish("bulb/%s/state" % NAME, "offline", 1, True)
        self.mqtt.disconnect(1000)


def main(board, server):
    bulb = Bulb(board, server)
    while board.alive():
        bulb.turn()
    bulb.finish()
