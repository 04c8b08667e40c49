# A broker in the same process that keeps one client's session over every cut.
# Rule: it delivers a message of QoS 2 at its PUBLISH and forgets its id at PUBREL; what it sends goes out in
# order, and again on the next link until it is done. What it can not take is an AssertionError.
from fake import Stream, publish_packet

from umqtt_full import MQTTClient
from umqtt_full.store import FileStore

_PUBLISH, _AWAIT_REC, _AWAIT_COMP = range(3)


class Keeper:
    """Give `open` to MQTTClient as its server, and call serve() after each poll()."""

    def __init__(self):
        self.got = []  # payloads, as they were delivered
        self.dups = []  # those that came with DUP
        self.wire = []  # the first byte of each packet, as they came
        self.strict = True  # no other client may come
        self.client_id = None
        self.ids = []  # of QoS 2, delivered and not yet released
        self.silent = ()  # types of packets (3, 6, ...) that are not answered
        self.given = []  # payloads of send()
        self.linked = False  # was there ever a link?
        self._pending = []  # what is to be sent: [id, qos, payload, state]
        self._last_id = 0
        self._stream = None
        self._up = False
        self._rest = b""

    def open(self):
        """The next link. What the last one wrote and serve() has not seen is lost."""
        self._stream = Stream()
        self.linked = True
        self._up = False
        self._rest = b""
        return self._stream

    def lose_session(self):
        self.client_id = None
        self.ids, self._pending = [], []

    def send(self, payload, qos):
        self._last_id += 1
        self.given.append(payload)
        self._pending.append([self._last_id, qos, payload, _PUBLISH])
        if self._up:
            self._push(self._pending[-1])

    def done(self):
        """Has the client confirmed all?"""
        return not self._pending

    def serve(self):
        """Act on what came; return how many packets."""
        data = self._rest + self._stream.sent()
        count = 0
        while len(data) > 1:
            n, at = data[1], 2
            if n > 127:
                n, at = n & 127 | data[2] << 7, 3
            if len(data) < at + n:
                break
            self._packet(data[0], data[at : at + n])
            data = data[at + n :]
            count += 1
        self._rest = data
        return count

    def _say(self, kind, body):
        self._stream.feed(bytes([kind, len(body)]) + body)

    def _push(self, item):
        packet_id, qos, payload, state = item
        if state == _AWAIT_COMP:
            self._say(0x62, bytes([packet_id >> 8, packet_id & 255]))
            return
        item[3] = _AWAIT_REC
        self._stream.feed(publish_packet(b"in", payload, qos, packet_id, 8 if state else 0))

    def _packet(self, head, body):
        self.wire.append(head)
        kind = head >> 4
        if kind == 1:
            self._connect(body)
        elif kind == 3:
            self._publish(head, body)
        elif kind == 4 or kind == 5 or kind == 7:
            self._acked(kind, body[0] << 8 | body[1])
        elif kind == 6:
            if body in self.ids:
                self.ids.remove(body)
            if kind not in self.silent:
                self._say(0x70, body)
        elif kind == 8:
            self._say(0x90, body[:2] + bytes([body[-1]]))  # one filter at a time
        else:
            assert kind == 14, kind

    def _connect(self, body):
        client_id = body[12:]
        if self.client_id not in (None, client_id):
            assert not self.strict, "another client id"
            self.lose_session()
        present = self.client_id is not None
        self.client_id = client_id
        self._say(0x20, bytes([present, 0]))
        self._up = True
        for item in self._pending:
            self._push(item)

    def _publish(self, head, body):
        n = 2 + (body[0] << 8 | body[1])
        qos = head >> 1 & 3
        if not qos:
            self.got.append(body[n:])
            return
        packet_id, payload = body[n : n + 2], body[n + 2 :]
        if head & 8:
            self.dups.append(payload)
        if qos == 1 or packet_id not in self.ids:
            self.got.append(payload)
            if qos == 2:
                self.ids.append(packet_id)
        if 3 not in self.silent:
            self._say(0x40 if qos == 1 else 0x50, packet_id)

    def _acked(self, kind, packet_id):
        """PUBACK, PUBREC or PUBCOMP; one that is out of date is ignored but for PUBREC."""
        if kind in self.silent:
            return
        for item in self._pending:
            if item[0] == packet_id:
                if kind == 5:
                    item[3] = _AWAIT_COMP
                else:
                    self._pending.remove(item)
                break
        if kind == 5:
            self._say(0x62, bytes([packet_id >> 8, packet_id & 255]))


def turn(client, keeper):
    """The client polls, then the broker has its turn: True while something moves."""
    bytes_in = client.counters["bytes_in"]
    client.poll()
    return keeper.serve() + client.counters["bytes_in"] - bytes_in


def settle(client, keeper):
    """Connect, if it is not connected, and go on until nothing moves."""
    if not client.connected:
        client.start()
    quiet = 0
    while quiet < 3:
        quiet = 0 if turn(client, keeper) else quiet + 1


SIZES = {"slots": 4, "slot_size": 64, "qos2_ids": 4, "rx": 64, "keepalive": 0}


def boot(keeper, store=None, **kw):
    """A new client over what the medium holds; `heard` is what its handler got."""
    options = dict(SIZES)
    options.update(kw)
    client = MQTTClient(keeper.open, store=store or FileStore("log", 300), **options)
    client.heard = []
    client.on("in", lambda msg: client.heard.append(bytes(msg.payload)), 2)
    return client
