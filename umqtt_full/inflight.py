# The outbox: every PUBLISH that was accepted and is not yet done, in equal slots of one block.
#
# A slot is in one of four queues: `free`; `queued` (to be written, in the order of publish); `sent` (written on
# this link, PUBACK or PUBREC awaited); `released` (PUBREC came, PUBCOMP awaited, in the order of PUBREC). A packet
# stays whole in its slot until it is done, so that it can be sent again from the same bytes.
from collections import deque

from micropython import const

_NONE = const(255)  # no slot; others know it too

# What an ack did, for the engine
_IGNORED = const(0)
_DONE = const(1)
_RELEASE = const(2)
_LATER = const(3)
_WRONG = const(4)


class Outbox:
    """`slots` (1 to 254) packets of up to `size` bytes each."""

    def __init__(self, slots, size):
        if not 1 <= slots <= 254 or size < 16:
            raise ValueError("slots: 1 to 254, of 16 bytes or more")
        self.size = size
        self.slots = slots
        self.buf = bytearray(slots * size)
        self.ids = [0] * slots  # the packet id of each, 0 at QoS 0 and where it is free
        self.lengths = [0] * slots
        self.free = deque(range(slots), slots)  # the first is to be filled, then given to `queue`
        self.queued = deque((), slots)
        self.sent = deque((), slots)
        self.released = deque((), slots)
        self.unreleased = 0  # so many at the end of `released` wait for their PUBREL to be sent (again)
        self.store = None  # told of all that must outlive us
        self.again = 0  # so many at the beginning of `queued` were sent on an earlier link
        self.streamed = _NONE  # the slot whose payload is not in it, see stream.py
        self.window = 20  # so many under way at once: brokers close the link at more (mosquitto, by default)
        self.last = 0  # the slot that was queued last
        self.last_id = 0

    def queue(self, packet_id, n):  # no alloc
        """Append the first free slot, which holds a packet of `n` bytes, to what is to be written."""
        slot = self.last = self.free.popleft()
        self.ids[slot] = packet_id
        self.lengths[slot] = n
        self.queued.append(slot)
        if packet_id and self.store and slot != self.streamed:
            self.store.published(slot)

    def next_id(self, other):  # no alloc
        """A packet id that no slot has, nor is `other`. [MQTT-2.3.1-2]"""
        while True:
            packet_id = self.last_id = self.last_id % 65535 + 1
            if packet_id != other and packet_id not in self.ids:
                return packet_id

    def written(self):  # no alloc
        """The first of `queued` went out whole: it waits for its ack, or at QoS 0 is done."""
        slot = self.queued.popleft()
        if self.again:
            self.again -= 1
        if self.ids[slot]:
            self.sent.append(slot)
            return
        self.free.append(slot)
        if slot == self.streamed:
            self.streamed = _NONE

    def ack(self, kind, packet_id):  # no alloc
        """Take PUBACK (`kind` 4), PUBREC (5) or PUBCOMP (7): say what it did, as one of the names above.

        An ack for a packet that was not written on this link is out of date: ignored, since the packet
        goes out again anyhow. [MQTT-2.3.1-6]
        """
        if packet_id not in self.ids:
            return _IGNORED
        slot = self.ids.index(packet_id)
        chain = self.sent
        if slot in chain:
            if kind != (5 if self.buf[slot * self.size] & 4 else 4):
                return _WRONG
            if kind == 5:
                pull(chain, slot)
                self.released.append(slot)
                if self.store:
                    self.store.released(packet_id)
                if self.unreleased:
                    self.unreleased += 1
        else:
            chain = self.released
            if slot not in chain:
                return _IGNORED
            if kind == 4:
                return _WRONG
        if kind == 5:
            return _LATER if self.unreleased else _RELEASE  # behind those of the last link
        self.drop(chain, slot)
        return _DONE

    def drop(self, chain, slot):  # no alloc
        """Free a slot that is in `chain`: its message is done, or given up."""
        if self.again and chain is self.queued and chain[0] == slot:
            self.again -= 1
        pull(chain, slot)
        if self.unreleased > len(self.released):
            self.unreleased -= 1
        if slot == self.streamed:
            self.streamed = _NONE
        packet_id = self.ids[slot]
        self.ids[slot] = 0
        self.free.append(slot)
        if packet_id and self.store:
            self.store.drop(packet_id)

    def oldest(self, only_qos_0, writing):
        """The oldest message that was never sent, and is not being written if the first is; or _NONE."""
        kept = self.again or writing
        for slot in self.queued:
            if kept:
                kept -= 1
            elif not (only_qos_0 and self.ids[slot]):
                return slot
        return _NONE

    def resend(self, present):
        """A link begins: queue again what is not done; return how many were sent on the last.

        With the session `present`: PUBLISH with DUP, and PUBREL in the order of PUBREC. [MQTT-4.4.0-1]
        Without it they are new messages, as the broker knows nothing of them.
        """
        queued = self.queued
        released = self.released
        count = len(self.sent) + len(released)
        while self.sent:
            slot = self.sent.pop()
            self.buf[slot * self.size] |= 8  # DUP
            queued.appendleft(slot)
        if not present:
            while released:
                queued.appendleft(released.pop())
            for slot in queued:
                self.buf[slot * self.size] &= 0xF7
        self.again += count - len(released)
        self.unreleased = len(released)
        return count


def pull(chain, item):  # no alloc
    """Take `item` out of a deque that holds it; the others keep their order."""
    for _ in range(1 if chain[0] == item else len(chain)):
        first = chain.popleft()
        if first != item:
            chain.append(first)
