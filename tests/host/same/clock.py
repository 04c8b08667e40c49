# A client whose time a test turns: its clock, servers that do as they are told, and what it tells.
# Rule: no time passes but in a sleep, and every sleep is kept.
from fake import CONNACK, Stream

import umqtt_full.client
import umqtt_full.link
from umqtt_full import MQTTClient

HOUR = 3600000


class Clock:
    """`with Clock() as clock:` time stands still but for sleeps, which are kept."""

    def __init__(self):
        self.now = 5000
        self.sleeps = []

    def ms(self):
        return self.now

    def sleep(self, ms):
        self.sleeps.append(ms)
        self.now += ms

    def __enter__(self):
        self._before = [(m, m.ticks_ms) for m in (umqtt_full.client, umqtt_full.link)]
        self._sleep = umqtt_full.link.sleep_ms
        for module, _ in self._before:
            module.ticks_ms = self.ms
        umqtt_full.link.sleep_ms = self.sleep
        return self

    def __exit__(self, *_):
        for module, ticks_ms in self._before:
            module.ticks_ms = ticks_ms
        umqtt_full.link.sleep_ms = self._sleep


class Poller:
    """For streams that are connected and never ready to read: waiting for them only takes time."""

    def __init__(self, clock):
        self._clock = clock

    def register(self, stream, mask):
        pass

    modify = register

    def unregister(self, stream):
        pass

    def ipoll(self, ms):
        if ms:
            self._clock.sleep(ms)
            return ()
        return (1,)


class Server:
    """A server that does as a test says. `answer`: CONNACK, None for none, or what open() raises."""

    def __init__(self, answer=CONNACK):
        self.answer = answer
        self.opened = []  # when
        self.failures = 0
        self.addresses = 1
        self.clock = self.stream = None

    def open(self):
        self.opened.append(self.clock.now)
        if isinstance(self.answer, Exception):
            raise self.answer
        self.stream = Stream()
        if self.answer:
            self.stream.feed(self.answer)
        return self.stream

    def failed(self):
        self.failures += 1
        self.addresses -= 1
        return self.addresses > 0


REFUSED = OSError(111, "refused")


def client_of(clock, *servers, **kw):
    """A client of these servers, and the list of all that it tells."""
    kw.setdefault("keepalive", 0)
    for server in servers:
        server.clock = clock
    c = MQTTClient(list(servers), "me", **kw)
    told = []
    for name in ("on_connect", "on_disconnect", "on_error", "on_offline"):
        setattr(c, name, lambda what, name=name: told.append((name[3:], getattr(what, "name", what))))
    c.on_reconnect = lambda attempt, delay_ms: told.append(("reconnect", attempt, delay_ms))
    return c, told


def until_up(c):
    c.start()
    for _ in range(200):
        if c.poll(HOUR):
            return
    raise AssertionError("it did not come up")


def cut(c, server):
    server.stream.ended = True
    c.poll()
    assert not c.connected


def names(told):
    return [event[0] for event in told]
