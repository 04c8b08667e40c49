# The protocol: what comes over one non-blocking stream, and what it means. It never waits and sees no socket.
#
# A stream has readinto(buf, n), which gives a count, 0 at the end and None when it would block, and
# write(buf, off, n), which gives a count or None. What belongs to a link is made new by open(); what
# belongs to the session (the outbox, the ids of inbound QoS 2) outlives it and is settled by CONNACK.
#
# Reading takes exactly one packet at a time, its header, then its body, both to the start of `rx`, and
# stops where the stream would block.
from collections import deque
from time import ticks_diff

from micropython import const

from .errors import MQTTError, MQTTFull
from .inflight import pull
from .message import Message
from .wire import check_topic
from .writer import Writer

_MALFORMED = const(0x81)
_PROTOCOL_ERROR = const(0x82)
_KEEP_ALIVE_TIMEOUT = const(0x8D)
_RECEIVE_MAXIMUM = const(0x93)
_CLOSED = const(0x100)

_CHUNK = const(64)  # what is read at a time behind the start of rx
_HELD_MS = const(20)  # after which a message that is held is offered again
_BUDGET = const(32)  # packets read in one poll: a flood must not keep the caller

# As in inflight.py
_IGNORED = const(0)
_DONE = const(1)
_RELEASE = const(2)
_WRONG = const(4)

_WENT_OUT = const(2)  # `ending`, as in writer.py

# In `counts`
_BYTES_IN = const(0)
_RECEIVED = const(3)
_OVERSIZE = const(4)
_STRAY = const(5)
_RESENT = const(6)
_DEFERRED = const(7)


class Engine(Writer):
    """The protocol's state for one client. `protocol` is a module such as v4, `connect` its Connect.

    Memory: `rx` bytes for the packet being read, `slots` times `slot_size` for what is published, and a list
    of `qos2_ids`. Of `owner` it calls got_session(present), got_message(msg), got_answer(codes), and
    tell(function, what) with its on_publish or on_oversize.
    """

    def __init__(self, owner, protocol, connect, rx, slots, slot_size, qos2_ids):
        if rx < 16 or qos2_ids < 1:
            raise ValueError("rx: 16 bytes or more, qos2_ids: 1 or more")
        super().__init__(bytearray(rx + _CHUNK), slots, slot_size)  # a chunk may be copied to any place of rx
        self._owner = owner
        self.protocol = protocol
        self.connect = connect
        self.rx_size = rx
        self._chunk = bytearray(_CHUNK)
        self.message = Message(self.rx)
        self.ids = deque((), qos2_ids)  # of inbound QoS 2 messages that were delivered, PUBREL awaited
        self.qos2_ids = qos2_ids
        self.sink = None  # takes payloads piece by piece, see sink.py
        self.halt = False  # set in a handler: poll returns behind this packet
        self._topic = None  # the last that was checked
        self.open(None, 0)

    # -- the link and the session

    def open(self, stream, now):
        """Begin a link on a stream that is open: CONNECT goes out with the next polls. With None the
        link ends; the owner closes its stream.
        """
        self._begin(stream, now)
        self.halt = True
        self.head = 0  # first byte of the packet that is being read, or acted on
        self.length = self._pos = 0
        self._head_n = self.want = 2
        self.left = 0  # bytes of the packet that are neither in rx nor let go
        self.message.again = False
        self.sunk = None  # did the sink take the PUBLISH? None: it was not asked yet
        self.held = False  # a message waits for its handler: nothing is read, and no answer is missing
        self._request_id = self._request_codes = 0
        self._deferring = self._more = False
        self._pinging = False  # PINGREQ was asked for and PINGRESP has not come
        self._in_ms = now
        self._watched = now
        if stream:
            self.request_n = self.connect.encode(self.rx)

    def _begin_session(self, present):
        """What belongs to the session: kept by both sides, or begun anew."""
        resent = self.outbox.resend(present)
        if present:
            self.counts[_RESENT] += resent
        else:
            while self.ids:
                self.ids.pop()
            if self.outbox.store:
                self.outbox.store.rewrite()
        self.connected = True
        self.halt = True  # the owner comes first
        self._owner.got_session(present)

    # -- progress

    def poll(self, now):  # no alloc
        """Read and write all that goes without waiting. True: there is more to read, poll again at once.

        Raises MQTTError or the stream's OSError when the link has to end; the owner then closes it.
        """
        self.halt = self._more = False
        more = self.ending != _WENT_OUT
        budget = _BUDGET
        while budget and more:
            budget -= 1
            more = self._read(now)
            if self.halt:
                return True
        box = self.outbox
        if self.busy or self.control_n or self.request_n or box.queued or box.unreleased:
            self.flush(now)
        if now != self._watched:  # once in a millisecond
            self._watched = now
            self._watch(now, more or self.held)
        if self._deferring and not self.ids and not self.control_n:
            raise MQTTError(_RECEIVE_MAXIMUM)  # the broker sends again what found no room
        return more or self._more

    def next_ms(self, now):  # no alloc
        """Milliseconds until poll has something to do by itself, -1 if never."""
        patience = self.connect.keepalive * 500
        if not patience or not self.connected:
            return -1
        left = patience
        if not self._pinging:
            left = self._ping_in(now)
        elif not self.ping_n:  # else PINGREQ waits behind what is being written
            left = patience - ticks_diff(now, self._ping_ms)
        if self.busy:
            left = min(left, patience - ticks_diff(now, self._moved_ms))
        return max(left, _HELD_MS if self.held else 0)

    def wants_read(self):  # no alloc
        """Does poll read, when there is something to read?"""
        return self.ending == _WENT_OUT or not (self.held or self.blocks())

    def idle(self):  # no alloc
        """Is everything written and acknowledged?"""
        box = self.outbox
        return len(box.free) == box.slots and not (self.busy or self.control_n or self._request_id)

    # -- keepalive

    def ping(self):  # no alloc
        """PINGREQ, if none is waiting to be written."""
        if not self.ping_n:
            self.ping_n = self.put(0xC0)

    def _ping_in(self, now):  # no alloc
        """Milliseconds until PINGREQ is due: the interval less a margin, from when one direction fell quiet.

        One suffices: where only we send, the answers must still be seen to come. While PINGRESP is behind
        what was not read yet, only ours counts: the broker must hear of us again and again.
        """
        interval = self.connect.keepalive * 1000
        quiet = ticks_diff(now, self._out_ms)
        if not self._pinging:
            quiet = max(quiet, ticks_diff(now, self._in_ms))
        return interval - min(interval // 4, 5000) - quiet

    def _watch(self, now, more):  # no alloc
        """PINGREQ when it is due; the end of the link when it is dead. [MQTT-3.1.2-23]

        Half the interval without PINGRESP, or without a byte of a packet going out, is the end: so a dead
        link is found within one and a half. `more`: not all that came was read, so no answer is missing.
        """
        patience = self.connect.keepalive * 500
        if not patience or not self.connected or self.ending:
            return
        dead = self.busy and ticks_diff(now, self._moved_ms) >= patience
        if self._pinging and not self.ping_n:
            dead = dead or ticks_diff(now, self._ping_ms) >= patience
        if dead and not more:
            raise MQTTError(_KEEP_ALIVE_TIMEOUT)
        if not self.ping_n and self._ping_in(now) <= 0:
            self._pinging = True
            self.ping()
            self.flush(now)

    # -- what the owner asks for

    def publish(self, topic, payload, qos, retain, n=0):  # no alloc
        """Put a PUBLISH (bytes) into the outbox; return its packet id, 0 at QoS 0.

        With payload None `n` bytes come from `source`. Raises ValueError where it can never be sent, MQTTFull
        where no slot is free now.
        """
        box = self.outbox
        here = 0  # bytes of the payload that lie in the slot
        if payload is not None:
            n = here = len(payload)
        size = self.check(topic, n, here, qos)
        if not box.free:
            raise MQTTFull("outbox: all %d slots are in use" % box.slots)
        packet_id = box.next_id(self._request_id) if qos else 0
        slot = box.free[0]
        head = 0x30 | qos << 1 | (1 if retain else 0)
        off = self.protocol.publish(box.buf, slot * box.size, topic, n, head, packet_id)
        if payload is None:
            box.streamed = slot
        else:
            box.buf[off : off + n] = payload
        box.queue(packet_id, size)
        return packet_id

    def check(self, topic, n, here, qos):  # no alloc
        """Bytes that a PUBLISH takes of a slot, `here` of its `n` of payload in it; ValueError where it can
        never be sent.
        """
        if not 0 <= qos <= 2:
            raise ValueError("qos: 0, 1 or 2")
        if topic is not self._topic:
            check_topic(topic)
            if isinstance(topic, bytes):  # it stays as it is
                self._topic = topic
        size = self.protocol.publish_size(topic, n, qos) - n + here
        if size > self.outbox.size:
            raise ValueError("PUBLISH of %d bytes: slot_size is %d" % (size, self.outbox.size))
        return size

    def can_request(self):  # no alloc
        """May SUBSCRIBE or UNSUBSCRIBE be asked for? One at a time, while rx holds no packet."""
        return self.connected and not (self.ending or self._request_id or self.head or self._pos)

    def request(self, subscriptions, unsubscribe):
        """SUBSCRIBE (UNSUBSCRIBE) these, ahead of what is queued; the answer comes by on_answer.

        The packet is written from rx, and nothing is read before it is out.
        """
        self._request_id = self.outbox.next_id(0)
        self._request_codes = 0 if unsubscribe else len(subscriptions)
        self.request_n = self.protocol.subscribe(self.rx, subscriptions, self._request_id, unsubscribe)

    # -- reading

    def _read(self, now):  # no alloc
        """Read one packet and act on it: False when it would block, or must not go on."""
        if self.blocks():
            self.flush(now)
            if not self.stream or self.blocks():  # what is asked or told as it is written may close the link
                return False
        self.held = False
        if not self.head and not (self._fill(now) and self._header(now)):
            return False
        if not self._fill(now):
            return False
        head = self.head
        publish = head >> 4 == 3
        if publish and self.sink:
            done = self.sink.offer(self, now)
            if not done:
                self._more = done is None
                return False
        if self.left and not self._drain(now):
            return False
        n = self._head_n + self.length
        if publish:
            self._publish(head)
        else:
            self._packet(head)
        if self.held:  # it stays where it is
            return False
        self.counts[_BYTES_IN] = self.counts[_BYTES_IN] + n & 0x3FFFFFFF
        self.head = self._pos = 0
        self.want = 2
        return True

    def _fill(self, now):  # no alloc
        """Read until `want` bytes lie at the start of rx: True when they do."""
        while self._pos < self.want:
            n = self.want - self._pos
            if self._pos:
                n = self.stream.readinto(self._chunk, min(n, _CHUNK))
                if n:
                    self.rx[self._pos : self._pos + _CHUNK] = self._chunk
            else:
                n = self.stream.readinto(self.rx, n)
            if n is None:
                return False
            self.took(n, now)
            self._pos += n
        return True

    def took(self, n, now):  # no alloc
        """So many bytes came; MQTTError where it was the end."""
        if not n:
            raise MQTTError(_CLOSED)
        self._in_ms = now
        if self._pinging and self.head:
            self._ping_ms = now  # PINGRESP may well be behind the packet that is coming in

    def _header(self, now):  # no alloc
        """The first byte and the remaining length, one to four bytes of it. [MQTT-2.2.2-1]"""
        rx = self.rx
        while rx[self.want - 1] > 127:
            if self.want == 5:
                raise MQTTError(_MALFORMED)
            self.want += 1
            if not self._fill(now):
                return False
        n = 0
        for i in range(self.want - 1, 0, -1):
            n = n << 7 | rx[i] & 127
        head = self.head = rx[0]
        if head >> 4 != 3:
            self.protocol.check(head, n)
            if n > self.rx_size:
                raise MQTTError(_MALFORMED)
        elif head & 6 == 6 or head & 14 == 8:  # [MQTT-3.3.1-4] [MQTT-3.3.1-2]
            raise MQTTError(_MALFORMED)
        if self.connected == (head == 0x20):  # [MQTT-3.2.0-1], and a second CONNACK
            raise MQTTError(_PROTOCOL_ERROR)
        self._head_n = self.want
        self.length = n
        self._pos = self.left = 0
        if n > self.rx_size:
            self.left = n - self.rx_size  # what is drained, or goes to the sink
            n = self.rx_size
        self.want = n
        self.sunk = None
        return True

    def is_new(self, msg):  # no alloc
        """Is one of QoS 2 to be delivered? False where it was, on an earlier link; None where there is no room for
        its id: then it is left to the next link, and all behind it likewise, to keep their order. With a clean
        session there is no next link for it: it is delivered, as nothing comes twice on one link, and where there
        is no room the oldest id is forgotten.
        """
        ids = self.ids
        if msg.packet_id in ids:
            return False
        return None if self._deferring or (len(ids) == self.qos2_ids and not self.connect.clean) else True

    def _drain(self, now):  # no alloc
        """Read what does not fit rx and let it go, but for the packet id: True when it is through."""
        rx = self.rx
        while self.left:
            n = self.stream.readinto(self._chunk, min(self.left, _CHUNK))
            if n is None:
                return False
            self.took(n, now)
            i = 2 + (rx[0] << 8 | rx[1]) - (self.length - self.left)
            if 0 <= i < n:
                rx[self.rx_size] = self._chunk[i]
            if 0 <= i + 1 < n:
                rx[self.rx_size + 1] = self._chunk[i + 1]
            self.left -= n
        return True

    def _packet(self, head):  # no alloc
        """Act on a packet, but PUBLISH, that lies in rx."""
        rx = self.rx
        kind = head >> 4
        if kind == 2:
            self._begin_session(self.connect.connack(rx))
            return
        if kind == 13:
            self._pinging = False
            return
        packet_id = rx[0] << 8 | rx[1]
        if not packet_id:  # [MQTT-2.3.1-1]
            raise MQTTError(_PROTOCOL_ERROR)
        if kind == 6:
            if packet_id in self.ids:
                pull(self.ids, packet_id)
                if self.outbox.store:
                    self.outbox.store.forgotten(packet_id)
            self.ack(0x70, packet_id)  # also for an id that is not known
        elif kind == 9 or kind == 11:
            self._answer(head, packet_id, self.length)
        elif packet_id == self._request_id:
            raise MQTTError(_PROTOCOL_ERROR)
        else:
            kind = self.outbox.ack(kind, packet_id)
            if kind == _RELEASE:
                self.ack(0x62, packet_id)
            elif kind == _DONE:
                self._owner.tell(self._owner.on_publish, packet_id)
            elif kind == _IGNORED:
                self.counts[_STRAY] += 1
            elif kind == _WRONG:
                raise MQTTError(_PROTOCOL_ERROR)

    def _answer(self, head, packet_id, n):
        """SUBACK or UNSUBACK: there must be a code for each filter asked for."""
        if packet_id != self._request_id:
            if packet_id in self.outbox.ids:
                raise MQTTError(_PROTOCOL_ERROR)
            self.counts[_STRAY] += 1
            return
        codes = n - 2 if head == 0x90 else 0  # UNSUBACK has none, SUBACK one at least
        if codes != self._request_codes:
            raise MQTTError(_PROTOCOL_ERROR)
        if codes:
            self.protocol.check_codes(self.rx, n)
        self._request_id = 0
        self._owner.got_answer(self.rx)

    def _publish(self, head):  # no alloc
        """Deliver a PUBLISH, then acknowledge it; one of QoS 2 that was seen before only the latter.

        `want` bytes of it lie in rx.
        """
        msg = self.message
        self.protocol.parse_publish(msg, self.rx, head, self.length, self.want)
        new = msg.qos < 2 or self.is_new(msg)
        if new is None:
            self._deferring = True
            self.counts[_DEFERRED] += 1
            return
        if new:
            msg.again = False
            if not self.sunk and self.length > self.want:
                self.counts[_OVERSIZE] += 1
                self._owner.tell(self._owner.on_oversize, msg)
            else:
                if not self.sunk:
                    self._owner.got_message(msg)  # it raises nothing
                    if msg.again:
                        self.held = True
                        return
                self.counts[_RECEIVED] += 1
            if msg.qos == 2:
                self.ids.append(msg.packet_id)
                if self.outbox.store:
                    self.outbox.store.delivered(msg.packet_id)
        if msg.qos:  # [MQTT-4.5.0-2]: whatever became of it
            self.ack(0x30 + (msg.qos << 4), msg.packet_id)
