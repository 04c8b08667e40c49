# The sync face: a client whose poll() never waits, and a few helpers that wait for as long as they are told.
#
# It puts the parts together: it is a link (when to connect) that has an engine (the protocol) and a router
# (whose message it is).
# What a handler raises leaves poll() only when the client is in order again.
from time import ticks_add, ticks_diff, ticks_ms

from micropython import const

from . import v4
from .engine import Engine
from .errors import MQTTError
from .link import Link
from .router import Router
from .wire import once

_NONE = const(255)  # no slot
_SLOT = const(3)  # of the outbox is being written
_SENT = const(2)  # in the engine's counts: PUBLISH packets written
_CONNECTING = const("connecting")
_CONNECTED = const("connected")


class MQTTClient(Link):
    """An MQTT 3.1.1 client. All its memory is made here.

    `server`: a URL (see url.py), a server such as net.TCP, a function that gives a new open stream
    (see engine.py), or a list of these, to be tried in turn. User and password may stand in the URL; what
    TLS needs (ca, cert, key, ..., see tls.py) is given by name.
    `client_id`: None makes one from the board's unique id. `keepalive`: seconds, 0 for none.
    `clean`: False keeps the session at the broker while we are away: needed for exactly-once over a cut.
    `rx`: bytes of the largest packet received whole, and of CONNECT. `slots`, `slot_size`: how many
    messages may wait to be sent and acknowledged, and the bytes of the largest. `filters`: how many may be
    subscribed. `qos2_ids`: how many QoS 2 messages the broker may send at once. `level`: 4, or 3 for MQTT 3.1.
    `full`: what publish() does when no slot is free: "refuse", "drop_qos0" or "drop_oldest" of what was not
    sent yet. `queue_qos0`: keep QoS 0 without a link, too. `store`: see store.py; it makes `clean` False.
    Raises ValueError for what can not work.

    Functions that may be set, each called from poll(): on_connect(session_present),
    on_disconnect(reason) when a link that was up ended (an MQTTError, an OSError, or None as asked for),
    on_offline(reason) once for each outage, on_error(error) when an attempt at a link failed, or the store,
    on_reconnect(attempt, delay_ms), on_publish(packet_id) when the broker has a message of QoS 1 or 2,
    on_drop(packet_id), on_subscribe(filter, granted) with 0 to 2, or 0x80 for refused,
    on_unsubscribe(filter), on_oversize(msg) for a message too large for `rx` (len() of it is right, its
    payload is the beginning, its topic "" if that did not fit), on_message(msg) for what no handler of `on`
    matches.
    """

    on_connect = on_disconnect = on_offline = on_reconnect = on_error = None
    on_publish = on_message = on_drop = on_oversize = on_subscribe = on_unsubscribe = None

    def __init__(
        self,
        server,
        client_id=None,
        user=None,
        password=None,
        keepalive=60,
        clean=True,
        rx=256,
        slots=4,
        slot_size=256,
        filters=8,
        qos2_ids=32,
        level=4,
        full="refuse",
        queue_qos0=False,
        store=None,
        **tls
    ):
        servers, login, word = once("url").servers(server, tls)
        if user is None and password is None:
            user, password = login, word
        super().__init__(servers)
        if full not in ("refuse", "drop_qos0", "drop_oldest"):
            raise ValueError("full: refuse, drop_qos0 or drop_oldest")
        own_id = client_id is None
        if own_id:
            client_id = once("ident").board_id()
        connect = v4.Connect(client_id, user, password, keepalive, clean and not store, level, rx)
        self._engine = Engine(self, v4, connect, rx, slots, slot_size, qos2_ids)
        self._router = Router(filters, rx - 10)
        self.full = full
        self.queue_qos0 = queue_qos0
        self.dropped = self.dropped_offline = self.reconnects = self.longest_ms = 0
        self._offline = False  # was on_offline called?
        self.session_present = False
        self._busy = False  # in poll(): a handler that calls poll() comes back at once
        self._event = False  # something happened that the caller of poll(timeout_ms) may wait for
        self._raise = None  # to leave poll() by
        self._ending = None  # the module, while disconnect() is under way
        self._end_at = 0
        self._counters = None  # the function, once it was asked for
        self._store = store
        if store:
            store.load(self._engine, own_id)
            self.server = store.server % len(servers)

    def will(self, topic, payload, qos=0, retain=False):
        """What the broker publishes when it loses us. Used from the next connect on. Raises ValueError."""
        once("fields").will(self._engine.connect, topic, payload, qos, retain)

    # -- link

    def __getattr__(self, name):
        """`connected`: is the link up, and all that is wanted subscribed? `verified`: is it certain who the
        server in use is? None without TLS, False with insecure_no_verification. `counters`: what was counted
        since the start, as a new dict, see counters.py. (Properties would slow each store down.)
        """
        if name == "connected":
            return self.state == _CONNECTED
        if name == "verified":
            return getattr(self._servers[self.server], name, None)
        if name == "counters":
            if not self._counters:
                self._counters = once("counters").counters
            return self._counters(self)
        raise AttributeError(name)

    def trace(self, function):
        """Have function(sent, first byte, length) called for each packet; None ends that."""
        once("trace").trace(self._engine, function)

    def start(self):
        """Connect, and again whenever the link ends: poll() does the work, and raises nothing of the link's."""
        if self._ending:
            self.close()
        self._want(True)

    def connect(self, timeout_ms=10000):
        """Connect once and wait for it: return Session Present. Raises MQTTError or OSError.

        `timeout_ms`: for each address that the server's name has.

        A link that ends later raises from poll().
        """
        if self._busy:
            raise RuntimeError("connect() in a handler: use start()")
        self.close()
        self.connect_ms = timeout_ms
        self._want(False)
        while self.state != _CONNECTED:
            self.poll(timeout_ms)
        return self.session_present

    def disconnect(self, timeout_ms=5000):
        """Send what is accepted, then DISCONNECT, and close; after `timeout_ms` close anyhow.

        Returns True when the broker has everything. In a handler it only begins: poll() does the rest.
        """
        self._ending = once("ending")
        self._end_at = ticks_add(ticks_ms(), timeout_ms)
        while self._ending and not self._busy:
            self.poll(timeout_ms)
        return self.room() == self._engine.outbox.slots

    def close(self):
        """Close at once, without DISCONNECT: the broker publishes the will. What is accepted is kept."""
        self._ending = None
        self._wanted = False
        self.reason = None
        self._drop()

    # -- progress

    def poll(self, timeout_ms=0):  # no alloc
        """Do all that can be done now; True while connected. In a handler it does nothing.

        With `timeout_ms` sleep until something happens to the caller's interest: a message came or went
        out, an acknowledgement, a change of the link. Raises what a handler raised, and what ended a link
        of connect().
        """
        if not self._busy:
            self._busy = True
            self._event = False
            try:
                if timeout_ms:
                    self._poll(timeout_ms)
                else:
                    self._turn()
            finally:
                self._busy = False
            if self._raise:
                self._leave()
        return self.state == _CONNECTED

    def _poll(self, timeout_ms):  # no alloc
        """Turn after turn, until something of interest has happened."""
        end = ticks_add(ticks_ms(), timeout_ms)
        engine = self._engine
        sent = engine.counts[_SENT]
        idle = engine.idle()
        while True:
            more = self._turn()
            if self._event or sent != engine.counts[_SENT] or idle != engine.idle():
                return
            left = ticks_diff(end, ticks_ms())
            if left <= 0:
                return
            if not more:
                self._wait(left)

    def _leave(self):
        e = self._raise
        self._raise = None
        raise e

    def _turn(self):  # no alloc
        """All that can be done now; True: there is more, call again at once."""
        now = ticks_ms()
        more = self._step(now)
        engine = self._engine
        if engine.connected:
            if self._router.dirty and engine.can_request():
                self._router.ask(engine)
                more = True
            if self.state == _CONNECTING:
                if self._keep and self._event:
                    self._at = ticks_add(now, self.connect_ms)  # a queue may come before SUBACK
                if self._router.settled():
                    self.state = _CONNECTED
                    self._since = now
                    self._unstable = True
                    self._offline = False
                    self.reconnects += 1
                    self._settled()
                    self.tell(self.on_connect, self.session_present)
        if self._ending:
            more = self._ending.step(self, now) or more
        store = self._store
        if store and store.error:
            self.tell(self.on_error, store.error)
            store.error = None
        now = ticks_diff(ticks_ms(), now)
        if now > self.longest_ms:
            self.longest_ms = now
        if self.watchdog:
            self.watchdog()
        return more

    # -- messages

    def publish(self, topic, payload, qos=0, retain=False):  # no alloc (given bytes)
        """Accept a message, connected or not, and write it if that goes without waiting.

        Returns its packet id for on_publish, 0 at QoS 0. Raises MQTTFull when no slot is free (see room,
        and `full`), ValueError when it can never be sent. What was accepted is sent, at QoS 1 and 2 until
        it is acknowledged, on whatever link comes; QoS 0 without a link is dropped, but for `queue_qos0`.
        """
        if isinstance(topic, str):
            topic = topic.encode()
        if isinstance(payload, str):
            payload = payload.encode()
        if not (self._engine.connected or qos or self.queue_qos0) or not self._engine.outbox.free:
            if not self._has_place(topic, len(payload), qos):
                return 0
        qos = self._engine.publish(topic, payload, qos, retain)
        self._flush()
        return qos

    def _has_place(self, topic, n, qos):
        """Without a link QoS 0 has no place; where the outbox is full `full` may make one."""
        engine = self._engine
        engine.check(topic, n, n, qos)
        if not (engine.connected or qos or self.queue_qos0):
            self._drop_message(_NONE)
            return False
        if self.full != "refuse":
            slot = engine.outbox.oldest(self.full == "drop_qos0", engine.busy == _SLOT)
            if slot != _NONE:
                self._drop_message(slot)
        return True

    def _flush(self):  # no alloc
        try:
            if self._engine.connected:
                self._engine.flush(ticks_ms())
        except (MQTTError, OSError) as e:
            self._failure = e  # poll() tells

    def _drop_message(self, slot):
        """Give up the message in a slot, or one that gets none; count it and tell."""
        box = self._engine.outbox
        packet_id = 0
        self.dropped += 1
        if slot == _NONE:
            self.dropped_offline += 1
        else:
            packet_id = box.ids[slot]
            box.drop(box.queued, slot)
        self.tell(self.on_drop, packet_id)

    def room(self):  # no alloc
        """How many messages publish() would accept now."""
        return len(self._engine.outbox.free)

    def drain(self, timeout_ms):
        """Wait until the broker has all that was accepted: True, or False after `timeout_ms`."""
        end = ticks_add(ticks_ms(), timeout_ms)
        while not (self._engine.idle() and self._router.settled()):
            left = ticks_diff(end, ticks_ms())
            if left <= 0 or self._busy or not self._pending():
                return False
            self.poll(left)
        return True

    def on(self, filter, handler=None, qos=0):  # noqa: A002  (the specification's word)
        """Call `handler(msg)` for what matches `filter`, and subscribe to it with `qos`.

        Subscribed when connected, and on each later link whose session the broker lost. With qos=None
        it is not subscribed. Without a handler: a decorator. Raises ValueError, MQTTFull.
        """
        if handler is None:
            return lambda function: self.on(filter, function, qos)
        once("filters").add(self._router, filter, qos, handler)
        return handler

    def subscribe(self, filters, qos=0):
        """Subscribe to a filter, a list of them, or a list of (filter, qos). The answer: on_subscribe.

        Remembered like those of on(); messages go to on_message unless on() names a handler.
        (What this and unsubscribe() return is for aio.py.)
        """
        return once("filters").subscribe(self._router, filters, qos)

    def unsubscribe(self, filters):
        """Unsubscribe from a filter or a list of them; their handlers are forgotten."""
        if self._store:
            self._store.keep(self.server, 0)  # a cut before the answer must not take the old ones for known
        return once("filters").unsubscribe(self._router, filters)

    # -- from below

    def tell(self, function, what):  # no alloc
        """Call what the user set; keep what it raises for the end of poll()."""
        self._event = True
        if function:
            try:
                function(what)
            except Exception as e:
                self._failed(e)

    def _failed(self, e):
        self._raise = e
        self._engine.halt = True

    def got_session(self, present):
        """CONNACK came."""
        self.session_present = bool(present)
        router = self._router
        known = present and self._store and self._store.subscribed == self._store.checksum(router)
        router.reset(present and self._engine.connect.level > 3, known)

    def _settled(self):
        if self._store:
            self._store.keep(self.server, self._store.checksum(self._router))

    def got_message(self, msg):  # no alloc
        """A message came."""
        try:
            if not self._router.dispatch(msg) and self.on_message:
                self.on_message(msg)
        except BaseException as e:  # KeyboardInterrupt, too: the message is to be acknowledged
            self._failed(e)
        if self._raise or not msg.again:  # for a message that is held poll(timeout_ms) goes on sleeping
            self._event = True

    def got_answer(self, buf):
        """SUBACK or UNSUBACK came."""
        self._event = True
        try:
            self._router.answer(buf, self.on_subscribe, self.on_unsubscribe)
        except Exception as e:
            self._failed(e)
        if self.state == _CONNECTED and self._router.settled():
            self._settled()

    def got_down(self, reason, was_up, delay_ms):
        """A link, or an attempt at one, ended; the next attempt is in `delay_ms`, if there will be one."""
        if reason and not self._keep and not self._pending():
            self._raise = reason
        self.tell(self.on_disconnect if was_up else self.on_error, reason)
        if not self._offline:
            self._offline = True
            self.tell(self.on_offline, reason)
        if self._pending() and not self._ending and self.on_reconnect:
            try:
                self.on_reconnect(self.attempts + 1, delay_ms)
            except Exception as e:
                self._failed(e)
