# Our side of test_killed_broker.py: messages both ways over links that end whenever the broker is killed.
# Rule: what publish() accepted is in a book until on_publish says that the broker has it; in the end it is empty.
# Time is counted in stages: one begins with each link, and one with each probe that was answered.
import time

from umqtt_full.store import MemoryStore

EVERY_MS = 3  # a message is published


class Book:
    """The stages in which each message, by its number, was accepted, the broker took it, and it was done."""

    def __init__(self, client):
        self.client = client
        self.waiting = {}  # packet id: number
        self.accepted, self.taken, self.done = [], {}, {}
        self.links = self.probes = 0
        client.on_publish = self._done
        client.trace(self._trace)

    def stage(self):
        return self.links + self.probes

    def publish(self, topic, qos):
        number = len(self.accepted)
        packet_id = self.client.publish(topic, b"%d" % number, qos)
        assert packet_id and packet_id not in self.waiting
        self.accepted.append(self.stage())
        self.waiting[packet_id] = number
        return number

    def _done(self, packet_id):
        number = self.waiting.pop(packet_id)  # each once, and none that was not accepted
        self.done[number] = self.stage()
        self.taken.setdefault(number, self.stage())

    def _trace(self, out, head, length):
        if head == 0x20:  # not only when all is subscribed: messages may be done by then
            self.links += 1
        elif head == 0x50 and not out:  # PUBREC: from now on the message is the broker's
            rx = self.client._engine.rx
            number = self.waiting.get(rx[0] << 8 | rx[1])
            if number is not None:
                self.taken.setdefault(number, self.stage())


def store_in_memory():
    log = [b""]

    def write(data):
        log[0] = bytes(data)

    return MemoryStore(4096, lambda: log[0], write)


def flows(s):
    """Publish and receive until the far end says that it is the end; each probe of its is answered."""
    c = s.client(clean=False, slots=8, slot_size=64, qos2_ids=200, store=store_in_memory() if s.store else None)
    c.retry_max_ms = 40
    c.connect_ms = 2000
    book = Book(c)
    got, probes = [], []
    c.on(s.topic("down/+"), lambda msg: got.append(msg.topic[-1:] + ":" + bytes(msg.payload).decode()), 2)
    c.on(s.topic("probe"), lambda msg: probes.append(bytes(msg.payload).decode()), 1)
    c.start()
    next_at = time.ticks_ms()
    while "end" not in probes:
        c.poll(EVERY_MS)
        if c.room() and time.ticks_diff(time.ticks_ms(), next_at) >= 0:
            next_at = time.ticks_add(time.ticks_ms(), EVERY_MS)
            qos = 1 + len(book.accepted) % 2
            book.publish(s.topic("up/%d" % qos), qos)
        if probes and probes[0] != "end" and c.room():
            number = book.publish(s.topic("up/1"), 1)
            book.probes += 1
            s.say("probe", probes.pop(0), number)
    assert c.drain(10000) and not book.waiting, book.waiting
    assert c.room() == 8 and len(book.done) == len(book.accepted)
    assert c.disconnect()
    s.say("lives", book.links, book.stage())
    s.say("got", *got)
    s.say("book", *["%d:%d:%d" % (when, book.taken[n], book.done[n]) for n, when in enumerate(book.accepted)])
    s.say("counted", c.counters["reconnects"], c.counters["resent"], c.counters["stray"])
