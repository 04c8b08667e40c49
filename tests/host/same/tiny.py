# A broker in memory, for an application under test: one client, its session, and all that it published.
# Rule: it answers at once and in order, to packets of less than 16 KiB; it is a server of the link (see net.py).
# `wire` has the names of all packets, ours in capitals as theirs.
PACKETS = (
    "CONNECT CONNACK PUBLISH PUBACK PUBREC PUBREL PUBCOMP SUBSCRIBE SUBACK UNSUBSCRIBE UNSUBACK PINGREQ PINGRESP "
    "DISCONNECT"
).split()
REFUSED = 111


class Link:
    """One connection, as a stream."""

    def __init__(self, broker):
        self._broker = broker
        self._in = b""
        self._out = b""
        self.cut = False

    def say(self, data):
        self._broker.wire.append(PACKETS[(data[0] >> 4) - 1])
        self._out += data

    def readinto(self, buf, n):
        if self.cut:
            return 0
        if not self._out:
            return None
        n = min(n, len(self._out), self._broker.piece)
        buf[:n] = self._out[:n]
        self._out = self._out[n:]
        return n

    def write(self, buf, off, n):
        if self.cut:
            raise OSError(104, "reset")
        self._in += bytes(buf[off : off + n])
        while self._take():
            pass
        return n

    def _take(self):
        size = shift = 0
        at = 1
        while True:
            if at >= len(self._in):
                return False
            size |= (self._in[at] & 127) << shift
            shift += 7
            at += 1
            if not self._in[at - 1] & 128:
                break
        if len(self._in) < at + size:
            return False
        packet = self._in[:1] + self._in[at : at + size]
        self._in = self._in[at + size :]
        self._broker.wire.append(PACKETS[(packet[0] >> 4) - 1])
        self._broker.take(self, packet)
        return True

    def close(self):
        self.cut = True


class Broker:
    """`messages`: (topic, payload, qos, retain) as they were published; `down`: it refuses."""

    def __init__(self):
        self.messages = []
        self.wire = []
        self.filters = []
        self.session = False
        self.down = False
        self.piece = 1 << 29  # the most bytes that one read gives
        self.link = None
        self._id = 0

    def open(self):
        if self.down:
            raise OSError(REFUSED, "refused")
        self.link = Link(self)
        return self.link

    def failed(self):
        pass

    def take(self, link, packet):
        kind = packet[0] & 0xF0
        if kind == 0x10:
            link.say(bytes([0x20, 2, self.session, 0]))
            self.session = True
        elif kind == 0x30:
            self._published(link, packet)
        elif kind == 0x60:
            link.say(b"\x70\2" + packet[1:3])
        elif kind == 0x50:
            link.say(b"\x62\2" + packet[1:3])
        elif kind == 0x80:
            link.say(self._subscribed(packet))
        elif kind == 0xC0:
            link.say(b"\xd0\0")

    def _subscribed(self, packet):
        granted = b""
        at = 3
        while at < len(packet):
            n = packet[at] << 8 | packet[at + 1]
            self.filters.append(packet[at + 2 : at + 2 + n].decode())
            granted += packet[at + 2 + n : at + 3 + n]
            at += n + 3
        return bytes([0x90, 2 + len(granted)]) + packet[1:3] + granted

    def _published(self, link, packet):
        qos = packet[0] >> 1 & 3
        n = packet[1] << 8 | packet[2]
        topic = packet[3 : 3 + n].decode()
        payload = packet[3 + n + (2 if qos else 0) :]
        self.messages.append((topic, payload.decode(), qos, bool(packet[0] & 1)))
        if qos:
            link.say((b"\x40\2" if qos == 1 else b"\x50\2") + packet[3 + n : 5 + n])

    def send(self, topic, payload, qos=1):
        """A message for the client."""
        self._id += 1
        topic = topic.encode()
        body = bytes([0, len(topic)]) + topic + (bytes([0, self._id]) if qos else b"") + payload
        n = len(body)
        head = bytes([0x30 | qos << 1])
        while n > 127:
            head += bytes([n & 127 | 128])
            n >>= 7
        self.link.say(head + bytes([n]) + body)

    def of(self, topic):
        """The payloads of one topic."""
        return [payload for t, payload, _, _ in self.messages if t == topic]
