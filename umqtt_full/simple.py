# The drop-in for umqtt.simple: its names and its calls that wait, on top of our client.
#
# A callback is called outside of the client's poll(), so that it may call everything. Until it has returned its
# message (but of QoS 2) is not acknowledged, and nothing behind it is read: one message for each wait_msg(), and
# what was not delivered yet can be polled for on `sock`.
from errno import ETIMEDOUT
from time import ticks_add, ticks_diff, ticks_ms

from micropython import const

from .client import MQTTClient as Client
from .errors import MQTTError
from .net import TCP
from .sink import Taker
from .v4 import Connect
from .wire import once, to_bytes

_NONE = const(255)  # no slot
_EVER = const(1 << 28)  # ms
_CONNECT_MS = const(60000)
_DISCONNECT_MS = const(5000)
_REFUSED = const(0x80)
_VERIFY = const(2)  # ssl.CERT_REQUIRED


class MQTTException(Exception):
    """The broker refused: CONNECT with the return code 1 to 5, or SUBSCRIBE with 128. It is in args[0]."""


def _as_old(e):
    """What umqtt.simple raises where ours is an MQTTError: OSError(-1) for a link that ended."""
    at = b"\x84\x85\x88\x86\x87".find(bytes((e.code & 255,)))
    if at >= 0:
        return MQTTException(at + 1)
    try:
        name = e.name
    except MemoryError:
        name = ""
    return OSError(ETIMEDOUT if e.code in (0x8D, 0x101) else -1, name)


class _Payloads(Taker):
    """Takes each message whole into `queue`, whatever its size; gives the payload that is too large for a slot."""

    def __init__(self, client):
        self._client = client
        engine = self._engine = client._engine
        engine.sink = engine.source = self
        self.queue = []  # (topic, payload, first byte) that the callback has not seen
        self.taken = False  # has the callback the message that is held?
        self.buf = None  # what is sent from where it lies

    def begin(self, msg):
        """A message comes, its beginning is there. Raises MemoryError: then it is let go."""
        part = msg.payload
        self._payload = bytearray(len(msg))
        self._at = len(part)
        self._payload[: self._at] = part
        self._topic = msg.topic.encode()
        self._op = 0x30 | msg.dup << 3 | msg.qos << 1 | msg.retain
        self.taken = False
        return True

    def step(self, now):
        """Read on: True when the message may be acknowledged."""
        engine = self._engine
        while engine.left:
            n = engine.stream.readinto(memoryview(self._payload)[self._at :], engine.left)
            if n is None:
                return False
            engine.took(n, now)
            engine.left -= n
            self._at += n
        if not self.taken:
            self.taken = True
            self.queue.append((self._topic, bytes(self._payload), self._op))
            self._payload = None
            self._client._event = True
            if not self._op & 4:
                engine.held = True
                return False
        self.taken = False
        engine.halt = True  # nothing behind it is read
        return True

    def rewind(self):
        self._left = len(self.buf)

    def fill(self):
        n = self._left
        self._left = 0
        return n


class MQTTClient:
    """A client with the face of umqtt.simple. Topics, payloads and all else may be str or bytes.

    `ssl`: an SSLContext, or True with `ssl_params` (server_hostname, key, cert, cadata, cert_reqs). As there, True
    verifies nothing unless cert_reqs is ssl.CERT_REQUIRED.
    `RX`, `SLOTS`, `SLOT_SIZE`: may be set in a subclass, see the client; what is larger goes through all the same,
    but a topic must fit. Used by the first connect().

    All but set_callback(), set_last_will() and check_msg() wait, and all that need the link raise OSError where it
    ended, with -1 where the broker closed it, ETIMEDOUT where the time was over.
    """

    RX = 256
    SLOTS = 2
    SLOT_SIZE = 256

    def __init__(
        self, client_id, server, port=0, user=None, password=None, keepalive=0, ssl=None, ssl_params={}  # noqa: B006
    ):
        self.client_id = client_id
        self.sock = None
        self.server = server
        self.port = port or (8883 if ssl else 1883)
        self.ssl = ssl
        self.ssl_params = ssl_params
        self.pid = 0
        self.cb = None
        self.user = user
        self.pswd = password
        self.keepalive = keepalive
        self.lw_topic = self.lw_msg = None
        self.lw_qos = 0
        self.lw_retain = False
        self._client = None
        self._busy = False  # in the callback
        self._ping = 0  # 1: asked for, 2: answered
        self._op = None  # the first byte of the last message
        self._ms = _EVER

    def set_callback(self, f):
        """Have f(topic, msg) called for each message, both bytes."""
        self.cb = f

    def set_last_will(self, topic, msg, retain=False, qos=0):
        """What the broker publishes when it loses us. Used from the next connect() on."""
        self.lw_topic = topic
        self.lw_msg = msg
        self.lw_qos = qos
        self.lw_retain = retain

    def connect(self, clean_session=True, timeout=None):
        """Connect, or connect anew; return 1 where the broker had kept the session, else 0.

        `timeout`: seconds for this, and for each later answer. None: 60 s for this, for ever later. Raises
        MQTTException with what refused us, OSError, ValueError for what can not work. With clean_session
        subscriptions are forgotten, without it those come back that the broker does not know.
        """
        connect = Connect(
            self.client_id, self.user or None, self.pswd if self.user else None, self.keepalive, clean_session
        )
        if self.lw_topic:
            once("fields").will(connect, self.lw_topic, self.lw_msg, self.lw_qos, self.lw_retain)
        self.sock = None
        c = self._client
        n = connect.size() + 5
        if c:
            c.close()
        if not c or c._engine.rx_size < n and c.room() == self.SLOTS:
            c = self._client = Client(
                None, "", rx=max(n, self.RX), slots=self.SLOTS, slot_size=self.SLOT_SIZE, filters=_EVER
            )
            c._engine._packet = self._packet  # before the engine's own
            self._in = _Payloads(c)
        c._engine.connect = connect
        if c._engine.rx_size < n:
            raise ValueError("RX: CONNECT takes %d bytes" % n)
        if clean_session:
            c._router.subs.clear()
        old = c._servers[0]
        if not old or old.host != self.server or old.port != self.port:
            c._servers[0] = self._server()
        self._in.taken = False
        self._ping = 0
        self._ms = _EVER if timeout is None else int(timeout * 1000)
        present = self._do(c.connect, min(self._ms, _CONNECT_MS))
        self.sock = c._stream
        return int(present)

    def disconnect(self):
        """DISCONNECT, and close."""
        if self._client:
            self._do(self._client.disconnect, _DISCONNECT_MS)

    def ping(self):
        """Ask for a sign of life: the answer ends a wait_msg()."""
        self._keep_on(self._ask)

    def publish(self, topic, msg, retain=False, qos=0):
        """Publish; return when it is written, at QoS 1 and 2 when the broker has it."""
        slot, done = self._keep_on(self._accept, topic, msg, retain, qos)
        try:
            self._keep_on(self._until, done)
        except (OSError, MQTTException):
            box = self._client._engine.outbox
            if not self._client._pending() and not done():
                for chain in (box.queued, box.sent, box.released):
                    if slot in chain:
                        box.drop(chain, slot)
            raise

    def subscribe(self, topic, qos=0):
        """Subscribe, and wait for the answer. Raises MQTTException(128) where it is refused."""
        if not self.cb:
            raise ValueError("set_callback() comes first")
        c = self._keep_on(self._link)
        c.subscribe(topic, qos)
        self._keep_on(self._until, c._router.settled)
        if once("filters").get(c._router, topic).granted == _REFUSED:
            raise MQTTException(_REFUSED)

    def unsubscribe(self, topic):
        """Unsubscribe, and wait for the answer."""
        c = self._keep_on(self._link)
        c.unsubscribe(topic)
        self._keep_on(self._until, c._router.settled)

    def wait_msg(self):
        """Wait for one message and have the callback called. Returns the first byte of its packet, None where it
        was the answer to ping().
        """
        self._op = None
        return self._keep_on(self._next, _EVER)

    def check_msg(self):
        """The same without waiting, also where only a part of a message has come: then None."""
        self._op = None
        return self._next(0)

    # -- below

    def _keep_on(self, function, *args):
        """Where robust.py begins again."""
        return function(*args)

    def _server(self):
        if not self.ssl:
            return TCP(self.server, self.port)
        from .tls import TLS

        if self.ssl is not True:
            return TLS(self.server, self.port, context=self.ssl)
        get = self.ssl_params.get
        return TLS(
            self.server,
            self.port,
            get("cadata"),
            get("cert"),
            get("key"),
            get("server_hostname"),
            insecure_no_verification=get("cert_reqs") != _VERIFY,
        )

    def _do(self, function, ms):
        try:
            return function(ms)
        except MQTTError as e:
            raise _as_old(e)

    def _link(self):
        """The client. Raises OSError before the first connect()."""
        if not self._client:
            raise OSError(-1, "not connected")
        return self._client

    def _poll(self, ms):
        c = self._link()
        if not c._pending():
            raise OSError(-1, "not connected")
        if hasattr(self.sock, "setblocking"):
            self.sock.setblocking(False)  # old programs set it as they like
        self._do(c.poll, ms)

    def _until(self, done):
        """Wait until done(). In the callback messages are kept for after it: it is not called within itself."""
        end = ticks_add(ticks_ms(), self._ms)
        while True:
            if not self._busy:
                self._deliver()
            if done():
                return
            left = ticks_diff(end, ticks_ms())
            if left <= 0:
                raise OSError(ETIMEDOUT, "no answer")
            self._poll(left)

    def _next(self, ms):
        self._link()
        if self._ping == 2:  # while something else was waited for
            self._ping = 0
        self._deliver()
        while not self._op and self._ping < 2:
            self._poll(ms)
            self._deliver()
            if not ms:
                break
        return self._op

    def _deliver(self):
        """Call the callback for what has come."""
        queue = self._in.queue
        if not queue:
            return
        busy = self._busy
        while queue:
            topic, msg, op = queue.pop(0)
            self._busy = True
            try:
                self.cb(topic, msg)
            finally:
                self._busy = busy
        self._op = op
        if self._in.taken:
            self._do(self._client.poll, 0)
        self._client._flush()

    def _accept(self, topic, msg, retain, qos):
        """Put a message into a slot, or its head alone; return the slot and a function: is it done?"""
        c = self._link()
        if not self.cb:
            self._poll(0)  # nobody else would see that the link has ended
        engine = c._engine
        box = engine.outbox
        topic = to_bytes(topic)
        msg = to_bytes(msg)
        n = len(msg)
        large = len(topic) + n + 9 > self.SLOT_SIZE
        self._until(lambda: box.free and not (large and box.streamed != _NONE))
        if large:
            self._in.buf = msg
        slot = box.free[0]
        box.last_id = self.pid
        pid = engine.publish(topic, None if large else msg, qos, retain, n)
        self.pid = box.last_id
        c._flush()
        if qos:
            return slot, lambda: pid not in box.ids
        return slot, lambda: not box.queued

    def _ask(self):
        c = self._link()
        engine = c._engine
        if not c.connected:
            raise OSError(-1, "not connected")
        self._ping = 1
        engine.ping()
        c._flush()
        self._until(lambda: not engine.control_n)

    def _packet(self, head):
        if head == 0xD0 and self._ping:
            self._ping = 2
            self._client._event = True
        engine = self._client._engine
        type(engine)._packet(engine, head)
