# The outbox: every PUBLISH that was accepted and is not yet done, in equal slots of one block; and the ids of
# QoS 2 messages on their way in.
#
# A slot is FREE, QUEUED (to be written), SENT (written, its PUBACK or PUBREC awaited), RELEASED (PUBREC came,
# PUBCOMP awaited) or AGAIN (to be written, as it was on an earlier link). Slots that are in use hang in two
# chains: main, in the order of publish (SENT before QUEUED and AGAIN), and released, in the order of PUBREC. A
# packet stays whole in its slot until it is done, so that it can be sent again from the same bytes.
from array import array

from micropython import const

_FREE = const(0)
_QUEUED = const(1)
_SENT = const(2)
_RELEASED = const(3)
_AGAIN = const(4)

_MAIN = const(0)
_REL = const(1)
_NONE = const(255)  # no slot: the end of a chain; others know it too

WINDOW = 20  # messages under way at once: brokers close the link at more (mosquitto does, by default)

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
        self.slots = self.free = slots
        self.buf = bytearray(slots * size)
        self.ids = array("H", [0] * slots)
        self.lengths = array("H" if size < 65536 else "I", [0] * slots)
        self._state = bytearray(slots)
        self.links = bytearray(slots)  # from each slot to the next of its chain
        self.heads = bytearray(b"\xff\xff")  # of main and released
        self._tails = bytearray(b"\xff\xff")
        self.store = None  # told of all that must outlive us
        self.streamed = _NONE  # the slot whose payload is not in it, see stream.py
        self.unsent = _NONE  # the first QUEUED
        self.quota = 0  # how many more of QoS 1 and 2 may be sent before one of them is done
        self.unreleased = _NONE  # the first RELEASED whose PUBREL is to be sent again
        self.last_id = 0

    def take(self):  # no alloc
        """A free slot (the caller has seen `free`), to be filled and then given to `queue`."""
        return self._state.find(b"\x00")

    def queue(self, slot, packet_id, n):  # no alloc
        """Append a slot that holds a packet of `n` bytes to what is to be written."""
        self.free -= 1
        self.ids[slot] = packet_id
        self.lengths[slot] = n
        self._append(_MAIN, slot, _QUEUED)
        if self.unsent == _NONE:
            self.unsent = slot
        if packet_id and self.store and slot != self.streamed:
            self.store.published(slot)

    def next_id(self, other):  # no alloc
        """A packet id that no slot has, nor is `other`. [MQTT-2.3.1-2]"""
        while True:
            packet_id = self.last_id = self.last_id % 65535 + 1
            if packet_id != other and self.find(packet_id) == _NONE:
                return packet_id

    def find(self, packet_id):  # no alloc
        """The slot with this id, or _NONE. Acks come in order as a rule: the first is the one."""
        chain = _MAIN
        while True:
            slot = self.heads[chain]
            while slot != _NONE:
                if self.ids[slot] == packet_id:
                    return slot
                slot = self.links[slot]
            if chain == _REL:
                return _NONE
            chain = _REL

    def written(self, slot):  # no alloc
        """The slot `unsent` went out whole: it waits for its ack, or at QoS 0 is free again."""
        if self.ids[slot]:
            self.unsent = self.links[slot]
            self._state[slot] = _SENT
            self.quota -= 1
        else:
            self.drop(slot)

    def ack(self, kind, packet_id):  # no alloc
        """Take PUBACK (`kind` 4), PUBREC (5) or PUBCOMP (7): say what it did, as one of the names above.

        An ack for a packet that was not written on this link is out of date: ignored, since the packet
        goes out again anyhow. [MQTT-2.3.1-6]
        """
        slot = self.find(packet_id)
        state = _QUEUED if slot == _NONE else self._state[slot]
        if state == _QUEUED or state == _AGAIN:
            return _IGNORED
        two = self.buf[slot * self.size] & 4
        if kind == 5 and two:
            if state != _RELEASED:
                self._unlink(_MAIN, slot)
                self._append(_REL, slot, _RELEASED)
                if self.store:
                    self.store.released(packet_id)
            return _RELEASE if self.unreleased == _NONE else _LATER  # behind those of the last link
        if (kind == 7 and state == _RELEASED) or (kind == 4 and not two):
            self.quota += 1
            self.drop(slot)
            return _DONE
        return _WRONG

    def drop(self, slot):  # no alloc
        """Free a slot: its message is done, or given up."""
        packet_id = self.ids[slot]
        if self.streamed == slot:
            self.streamed = _NONE
        if self.unsent == slot:
            self.unsent = self.links[slot]
        if self.unreleased == slot:
            self.unreleased = self.links[slot]
        self._unlink(_REL if self._state[slot] == _RELEASED else _MAIN, slot)
        self._state[slot] = _FREE
        self.ids[slot] = 0
        self.free += 1
        if packet_id and self.store:
            self.store.drop(packet_id)

    def oldest(self, only_qos_0, busy):
        """The oldest message that was never sent and is not in the slot `busy`, or _NONE."""
        slot = self.unsent
        while slot != _NONE:
            if slot != busy and self._state[slot] == _QUEUED and not (only_qos_0 and self.ids[slot]):
                return slot
            slot = self.links[slot]
        return _NONE

    def resend(self, present):
        """A link begins: queue again what is not done; return how many were sent before.

        With the session `present`: PUBLISH with DUP, and PUBREL in the order of PUBREC. [MQTT-4.4.0-1]
        Without it they are new messages, as the broker knows nothing of them.
        """
        count = 0
        heads = self.heads
        if not present and heads[_REL] != _NONE:  # back in front: they were published first
            self.links[self._tails[_REL]] = heads[_MAIN]
            if heads[_MAIN] == _NONE:
                self._tails[_MAIN] = self._tails[_REL]
            heads[_MAIN] = heads[_REL]
            heads[_REL] = _NONE
        slot = self.unsent = heads[_MAIN]
        while slot != _NONE:
            first = slot * self.size
            if self._state[slot] != _QUEUED:
                self._state[slot] = _AGAIN
                self.buf[first] |= 8  # DUP
                count += 1
            if not present:
                self.buf[first] &= 0xF7
            slot = self.links[slot]
        self.quota = WINDOW
        slot = self.unreleased = heads[_REL]
        while slot != _NONE:
            self.quota -= 1
            count += 1
            slot = self.links[slot]
        return count

    def _append(self, chain, slot, state):  # no alloc
        self._state[slot] = state
        self.links[slot] = _NONE
        if self.heads[chain] == _NONE:
            self.heads[chain] = slot
        else:
            self.links[self._tails[chain]] = slot
        self._tails[chain] = slot

    def _unlink(self, chain, slot):  # no alloc
        before = _NONE
        at = self.heads[chain]
        while at != slot:
            before = at
            at = self.links[at]
        if before == _NONE:
            self.heads[chain] = self.links[slot]
        else:
            self.links[before] = self.links[slot]
        if self._tails[chain] == slot:
            self._tails[chain] = before


class Ids:
    """The ids of inbound QoS 2 messages that were delivered and whose PUBREL is awaited: up to `size`."""

    def __init__(self, size):
        self.table = array("H", [0] * size)
        self.count = 0  # of them, at the start of the table

    def replace(self, old, new):  # no alloc
        """Put `new` where `old` is, False where it is not: (id, id) finds one, (0, id) adds it if there is
        room, (id, 0) forgets it.
        """
        ids = self.table
        n = self.count
        i = 0
        while i < n and ids[i] != old:
            i += 1
        if i == (n if old else len(ids)):
            return False
        if not old:
            self.count += 1
        elif not new:
            self.count = n - 1
            new = ids[n - 1]
        ids[i] = new
        return True
