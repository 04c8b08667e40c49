# Our side of a test against a real broker, the same on CPython and MicroPython.
# Rule: a scenario is a function of a Side: it asserts, and returns when all it waits for has come.
# `micropython side.py module scenario url name [option=integer ...]` runs one; the last line is then "ok".
import sys
import time

from umqtt_full import MQTTClient, MQTTError


class Side:
    """What a scenario gets: clients, names of its own, and the options it was given as attributes.

    `say` tells the test something, `hear` waits for a line of the test's.
    """

    lowers_qos = 1  # see brokers.py

    def __init__(self, url, name, options, say=print, hear=input):
        self.url, self.name, self.say, self.hear = url, name, say, hear
        self.clients = []
        for key in options:
            setattr(self, key, options[key])

    def client(self, suffix="", **options):
        """A client whose link wait() sees to."""
        client = MQTTClient(self.url, self.name + suffix, **options)
        client.retry_min_ms, client.retry_max_ms = 20, 200
        self.clients.append(client)
        return client

    def topic(self, rest):
        return self.name + "/" + rest

    def listen(self, client, topic_filter, qos=0):
        """Subscribe; the list of (topic, payload, qos, retain) to which each message is added."""
        got = []
        client.on(topic_filter, lambda m: got.append((m.topic, bytes(m.payload), m.qos, m.retain)), qos)
        return got

    def wait(self, condition, ms=10000):
        """Poll all clients until the condition holds."""
        end = time.ticks_add(time.ticks_ms(), ms)
        each = 20 if len(self.clients) == 1 else 2
        while not condition():
            if time.ticks_diff(end, time.ticks_ms()) <= 0:
                raise AssertionError("what was waited for did not come in %d ms" % ms)
            for client in self.clients:
                client.poll(each)

    def rest(self, ms):
        """Poll all clients for so long."""
        end = time.ticks_add(time.ticks_ms(), ms)
        self.wait(lambda: time.ticks_diff(end, time.ticks_ms()) <= 0, ms + 1000)

    def delivered(self, published, subscribed):
        """The QoS with which this broker delivers."""
        return min(published, subscribed) if self.lowers_qos else subscribed


def error(function, *args):
    """Call, and return the name of the MQTTError it has to raise."""
    try:
        function(*args)
    except MQTTError as e:
        return e.name
    raise AssertionError("no MQTTError")


def main(module, scenario, url, name, *options):
    pairs = [option.split("=") for option in options]
    side = Side(url, name, {key: int(value) for key, value in pairs})
    getattr(__import__(module), scenario)(side)
    print("ok")


if __name__ == "__main__":
    main(*sys.argv[1:])
