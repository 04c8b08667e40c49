# A bulb: obeys commands, shows effects, and may turn warm with a sensor.
#
# Rule: commands come at QoS 2, exactly once; who presses sees the lamp, and its state, retained, on topic/state.
# While we have power a sensor's reading is obeyed exactly once, however often it comes: by its number we know
# which we have had, and tell. Nothing here waits: an effect is a function of the time.
import json
import os

from start import make_client, report
from time import ticks_add, ticks_diff, ticks_ms

AHEAD = 30  # numbers looked ahead; the sensor keeps fewer than that (and 30 bits are a small int)
SAVE_MS = 5000  # after the last change: the flash wears
WARM = (255, 147, 41)
EFFECTS = ("none", "blink", "breathe", "rainbow")
PERIODS_MS = (0, 1000, 4000, 6000)


def make(config, board):
    """The Bulb of these settings. Raises ConfigError."""
    return Bulb(config, board)


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


def wheel(at):
    """A colour of the rainbow, 0 to 767."""
    fade = at % 256
    return ((255 - fade, fade, 0), (0, 255 - fade, fade), (fade, 0, 255 - fade))[at // 256]


class Lamp:
    """What the lamp shows; obey() changes it, frame() shows it."""

    def __init__(self, board, path):
        self._board = board
        self._path = path
        self.on, self.percent, self.colour, self.effect = False, 100, (255, 255, 255), 0
        self.warm = False
        self._since = ticks_ms()  # when this period of the effect began
        self._shown = None
        self._save_at = None
        self._restore()

    def _restore(self):
        try:
            with open(self._path) as file:
                self.set(json.load(file))
            self._save_at = None
        except (OSError, ValueError):
            pass  # the first start; or not ours: it will be written anew

    def obey(self, payload):
        """on, off, toggle, 0 to 100, or an object as state() gives; ValueError: not a command, nothing changed."""
        text = str(payload, "utf-8")
        if text == "toggle":
            self.set({"state": "OFF" if self.on else "ON"})
        elif text in ("on", "off"):
            self.set({"state": text.upper()})
        elif text.isdigit():
            self.set({"state": "ON" if int(text) else "OFF", "brightness": int(text) or self.percent})
        else:
            self.set(json.loads(text))

    def set(self, wish):
        """Become as the object says, as far as it says anything."""
        try:
            on = {"ON": True, "OFF": False}[wish.get("state", "ON")]
            percent = int(wish.get("brightness", self.percent))
            rgb = wish.get("color")
            colour = (int(rgb["r"]), int(rgb["g"]), int(rgb["b"])) if rgb else self.colour
            effect = EFFECTS.index(wish.get("effect", EFFECTS[self.effect]))
        except (KeyError, TypeError, AttributeError):
            raise ValueError("not a command")
        if not 0 <= percent <= 100 or min(colour) < 0 or max(colour) > 255:
            raise ValueError("not a command")
        self.on, self.percent, self.colour, self.effect = on, percent, colour, effect
        self._save_at = ticks_add(ticks_ms(), SAVE_MS)

    def state(self):
        """The lamp as an object, as Home Assistant's JSON light has it; brightness 0 to 100."""
        r, g, b = self.colour
        return {
            "state": "ON" if self.on else "OFF",
            "brightness": self.percent,
            "color_mode": "rgb",
            "color": {"r": r, "g": g, "b": b},
            "effect": EFFECTS[self.effect],
        }

    def words(self):
        """The lamp in words, for people."""
        colour = "warm" if self.warm else "white" if min(self.colour) == 255 else "%02x%02x%02x" % self.colour
        return "%s %d%% %s" % ("on" if self.on else "off", self.percent, colour)

    def frame(self):
        """Show what there is to show now."""
        colour = WARM if self.warm else self.colour
        percent = self.percent if self.on else 0
        if self.effect:
            period = PERIODS_MS[self.effect]
            at = ticks_diff(ticks_ms(), self._since)
            if not 0 <= at < period:
                self._since = ticks_ms()
                at = 0
            if self.effect == 1:
                percent = percent if at < period // 2 else 0
            elif self.effect == 2:
                percent = percent * abs(at - period // 2) * 2 // period
            else:
                colour = wheel(at * 768 // period)
        r, g, b = colour
        shown = r * percent // 100, g * percent // 100, b * percent // 100
        if shown != self._shown:
            self._shown = shown
            self._board.light(*shown)

    def save(self, now=False):
        """Write the state to its file, once it has not changed for a while; OSError is told, not raised."""
        if self._save_at is None or not now and ticks_diff(ticks_ms(), self._save_at) < 0:
            return
        self._save_at = None
        try:
            with open(self._path + ".new", "w") as file:
                json.dump(self.state(), file)
            getattr(os, "replace", os.rename)(self._path + ".new", self._path)
        except OSError as e:
            self._board.say("error", "%s: %s" % (self._path, e))


class Bulb:
    """The application. `tell` holds what others must still be told; it is sent as the outbox has room."""

    def __init__(self, config, board):
        self.board = board
        part = config.section("bulb")
        self.topic = part.take("topic", kinds=(str,))
        group = part.take("group", None, (str,))
        follow = part.take("follow", None, (str,))
        self.warm_from = part.take("warm_from", 22.5)
        self.home_assistant = part.take("home_assistant", None, (str,))
        self.lamp = Lamp(board, part.take("file", "lamp.json"))
        part.done()
        self.numbers = Numbers()
        self.obeyed = self.twice = 0
        self.tell = set()

        size = 640 if self.home_assistant else 192
        self.mqtt, self.network = make_client(config, board, self.topic, None, 4, size)
        report(self.mqtt, self.network, board, self.connected)
        for topic in (self.topic, group):
            if topic:
                self.mqtt.on(topic + "/set", self.command, 2)
        if follow:
            self.mqtt.on(follow, self.reading, 2)
        self.lamp.frame()
        self.mqtt.start()

    # What the network tells us

    def connected(self, session_present):
        self.tell.add("status")
        self.tell.add("state")
        if self.home_assistant:
            self.tell.add("discovery")
        if not session_present:  # what was sent before we were subscribed has missed us
            self.tell.add("again")

    def command(self, msg):
        try:
            self.lamp.obey(msg.payload)
        except (ValueError, UnicodeError):
            self.board.say("ignore", "a command that is none")
            return
        self.lamp.frame()
        self.tell.add("state")
        self.board.say("obey", "command %s -> %s" % (str(msg.payload, "utf-8"), self.lamp.words()))

    def reading(self, msg):
        """Obey a new reading; confirm an old one again, for our word may have been lost."""
        try:
            told = json.loads(str(msg.payload, "utf-8"))
            number, warm = told["n"], told["celsius"] >= self.warm_from
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
        if warm != self.lamp.warm:
            self.lamp.warm = warm
            self.lamp.frame()
            self.tell.add("state")
        self.board.say("obey", "reading %d %.1f C -> %s" % (number, told["celsius"], self.lamp.words()))

    # What we do

    def say(self, what):
        publish = self.mqtt.publish
        if what == "state":
            publish(self.topic + "/state", json.dumps(self.lamp.state()), 1, True)
        elif what == "status":
            publish(self.topic + "/status", "online", 1, True)
        elif what == "discovery":
            self.announce()
        else:  # seen, or again: then the sensor sends all that is not confirmed
            following = self.numbers.next if what == "seen" else None
            publish(self.topic + "/seen", json.dumps({"boot": self.numbers.boot, "next": following}), 1)

    def announce(self):
        """Have Home Assistant know the bulb; the short keys are its own."""
        device = self.topic.replace("/", "_")
        text = {
            "~": self.topic,
            "schema": "json",
            "name": None,
            "uniq_id": device,
            "cmd_t": "~/set",
            "stat_t": "~/state",
            "avty_t": "~/status",
            "qos": 2,
            "brightness": True,
            "bri_scl": 100,
            "sup_clrm": ["rgb"],
            "effect": True,
            "fx_list": EFFECTS,
            "dev": {"ids": [device], "name": self.topic},
        }
        topic = "%s/light/%s/config" % (self.home_assistant, device)
        self.mqtt.publish(topic, json.dumps(text), 1, True)

    def turn(self):
        """One round: whatever can go on goes on; nothing waits longer than 50 ms, or 20 with an effect."""
        self.network.step()
        self.mqtt.poll(20 if self.lamp.effect and self.lamp.on else 50)
        self.lamp.frame()
        self.lamp.save()
        while self.tell and self.mqtt.room():
            self.say(self.tell.pop())

    def finish(self):
        """Before the program ends: tell what is still to be told, and leave."""
        self.turn()
        self.lamp.save(True)
        counts = (self.obeyed, self.twice, self.numbers.missing())
        self.board.say("end", "%d readings obeyed, %d came twice, %d missing" % counts)
        if self.mqtt.room():  # the broker publishes the will only where we go without a word
            self.mqtt.publish(self.topic + "/status", "offline", 1, True)
        self.mqtt.disconnect(1000)
