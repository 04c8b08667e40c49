# The asyncio face: the same client, whose calls are awaited where they wait.
#
# One task does a turn of the client when it is time, and so does what waits for the stream: _go(). After each
# turn in which something happened all who wait look again for what they wait for.
# Reading stops while a queue is full. What the queue's own task waits for may lie behind what is not read: then
# a few more are queued, and where these do not suffice its wait ends.
import asyncio
from errno import ENOTCONN
from time import ticks_add, ticks_diff, ticks_ms

from micropython import const

from . import client
from .errors import MQTTError, MQTTFull
from .message import Message
from .net import POLLIN, POLLOUT
from .wire import once

_NONE = const(255)  # no slot
_HOUR_MS = const(3600000)
_HELD_MS = const(20)  # after which a message is offered to its handler again
_SENT = const(2)  # in the counts of the engine: PUBLISH packets written
_UNPOLLED_MS = const(10)  # how long to sleep where a stream can not be polled
_REFUSED = const(0x80)
_SPARE = const(32)  # messages beyond a queue's limit, while its task waits for the broker

# States of a subscription, as in router.py
_WANTED = const(1)
_ASKED = const(2)
_UNWANTED = const(4)
_UNASKED = const(5)


class Waits:
    """What the client waits for, on MicroPython: its task for the time, one more for each way of the stream.

    `task` is always asleep in asyncio's queue when it does not run, so its time can be changed there.
    """

    def __init__(self, turn):
        self._turn = turn
        self.task = None
        self._ms = _HOUR_MS
        self._mask = 0
        self._watchers = [None, None]

    def sleep(self):  # no alloc
        """To be awaited by `task`: for an hour, or what within() has said since the last time."""
        ms = self._ms
        self._ms = _HOUR_MS
        return asyncio.sleep_ms(ms)

    def within(self, ms):  # no alloc
        """Have `task` go on in `ms` at the latest."""
        core = asyncio.core
        task = self.task
        if task is core.cur_task:
            self._ms = min(self._ms, ms)
        elif task and not task.done() and not task.data:  # (data: it is being cancelled)
            at = ticks_add(ticks_ms(), ms)
            if ticks_diff(at, task.ph_key) < 0:
                core._task_queue.remove(task)
                core._task_queue.push(task, at)

    def watch(self, stream, mask):  # no alloc (while they wait)
        """Have a turn done whenever `stream` is ready for `mask`."""
        self._mask = mask
        for i in (0, 1):
            if mask & (POLLOUT if i else POLLIN) and not self._watchers[i]:
                self._watchers[i] = asyncio.create_task(self._watch(i, stream))

    def _watch(self, i, stream):  # a coroutine; it ends when it is not wanted
        me = asyncio.core.cur_task
        while self._watchers[i] is me:
            if i:
                asyncio.core._io_queue.queue_write(stream)
            else:
                asyncio.core._io_queue.queue_read(stream)
            yield
            self._turn()
            if self._watchers[i] is me and not self._mask & (POLLOUT if i else POLLIN):
                self._watchers[i] = None

    def drop(self):
        """The stream is about to be closed."""
        for i in (0, 1):
            watcher = self._watchers[i]
            self._watchers[i] = None
            if watcher and watcher is not asyncio.core.cur_task:
                watcher.cancel()


if not hasattr(asyncio, "core"):
    from ._cpython import Waits


class Messages:
    """The messages of a filter, for `async for`; or those of the coroutine function `handler`.

    `dropped`: how many were let go. Leaving `with`, or close(), frees it.
    """

    def __init__(self, owner, sub, size, full, handler=None):
        self._client = owner
        self.sub = sub
        self._size = size
        self._full = full
        self.handler = handler
        self._queue = []
        self.task = None  # which takes them out
        self.waits = False  # does it wait for the broker?
        self.hit = False  # is the message that came for it?
        self.dropped = 0

    def full(self):  # no alloc
        """Must reading wait for it?"""
        n = self._size + (_SPARE if self.waits else 0)
        if self._full or len(self._queue) < n or (self.handler and not self.task):
            return False
        if self.task and self.task.done():  # left without a word
            self.close()
            return False
        return True

    def take(self, msg):  # no alloc (for a plain handler)
        """The message that came is for it."""
        if self.handler and not self.task:
            result = self.handler(msg)
            if hasattr(result, "send"):
                self._client.keep(msg)
                self.task = asyncio.create_task(self._handle(result))
            return
        if self._full and len(self._queue) >= self._size:
            self.dropped += 1
            if self._full == "drop_newest":
                return
            self._queue.pop(0)
        self._queue.append(self._client.keep(msg))

    async def _handle(self, coroutine):
        """Run the handler for one message after another."""
        try:
            while coroutine:
                try:
                    await coroutine
                except Exception as e:
                    self._client.report(e)
                coroutine = self._queue and self.handler(self._queue.pop(0))
        finally:
            self.task = None
            self._client.eased()

    def close(self):
        """End it: no more messages are taken. What the broker has subscribed stays so."""
        owner = self._client
        self.hit = False  # in case that a message comes in just now
        self._queue.clear()
        owner.takers = [t for t in owner.takers if t is not self]
        owner.eased()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def __aiter__(self):
        self.task = asyncio.current_task()
        return self

    async def __anext__(self):
        """The next message. The iteration ends with the client, and when the filter is unsubscribed.

        Raises what ended the client if it was not asked to, MQTTError where the broker refused the filter.
        """
        owner = self._client
        done = False
        try:
            while not self._queue:
                if self not in owner.takers or not (owner.reason or owner._pending()):
                    raise StopAsyncIteration
                if not owner._pending():
                    raise owner.reason
                if self.sub.granted == _REFUSED:
                    raise MQTTError(_REFUSED, 0x90)
                await owner.news.wait()
            done = True
        finally:
            if self.task and not done:
                self.close()
        owner.eased()
        return self._queue.pop(0)


class MQTTClient(client.MQTTClient):
    """An MQTT 3.1.1 client for asyncio, with the arguments and the callbacks of client.MQTTClient.

    `async with MQTTClient(..) as mqtt:` connects (and raises a refusal that will not change; it waits for a
    broker that is not there), at its end sends what is accepted, disconnects and closes; an exception closes
    at once. Or start(), and disconnect() or close(). A link that ends is made anew, as with start().
    What a handler, or any function of yours, raises goes to on_error(error), without one to asyncio's
    handler of exceptions; the client goes on.
    All waiting raises what ended the client, OSError where it is closed or was not started.
    connect() and poll() are not for asyncio.
    """

    def __init__(self, *args, **kw):
        super().__init__(*args, **kw)
        self._io = Waits(self._go)
        self.news = asyncio.Event()  # set for a moment when something has happened
        self.takers = []  # Messages; a list that is replaced, never changed
        self._marks = [None] * self._engine.outbox.slots  # of each slot: [was it sent?], of who waits for it
        self._more = self._blocked = self._timed = False
        self._sent = self._idle = 0  # of the engine, at the end of a turn

    # -- link

    def start(self):
        """Connect, and again whenever the link ends. Returns the task: to cancel it closes the socket."""
        super().start()
        if not self._io.task or self._io.task.done():
            self.news = asyncio.Event()
            self._io.task = asyncio.create_task(self._run())
        self._io.within(0)
        return self._io.task

    async def connected(self):
        """Wait until the link is up, and all that is wanted subscribed: return Session Present."""
        while self.state != "connected":
            await self._answer()
        return self.session_present

    async def disconnect(self, timeout_ms=5000):
        """Send what is accepted, then DISCONNECT, and close; after `timeout_ms`, or when cancelled, close anyhow.

        Returns True when the broker has everything.
        """
        try:
            self._ending = once("ending")
            self._end_at = ticks_add(ticks_ms(), timeout_ms)
            self._io.within(0)
            while self._ending and self._pending():
                await self._answer()
        except asyncio.TimeoutError:
            pass
        finally:
            self.close()
        return self.room() == self._engine.outbox.slots

    def close(self):
        """Close at once, without DISCONNECT: the broker publishes the will. It does not wait."""
        super().close()
        self._tell()
        self._io.within(0)

    async def __aenter__(self):
        self.start()
        try:
            await self.connected()
        finally:
            if self.state != "connected":
                self.close()
        return self

    async def __aexit__(self, kind, error, traceback):
        if kind:
            self.close()
        else:
            await self.disconnect()

    # -- messages

    async def publish(self, topic, payload, qos=0, retain=False, timeout_ms=None):
        """Publish, and wait until the broker has it; at QoS 0 until it is written. Waits for a free slot first.

        Returns True; False if it was given up: QoS 0 without a link, or by the policy of a full outbox.
        Raises ValueError, and after `timeout_ms` MQTTFull where it was not accepted, TimeoutError (of
        asyncio) where it was: then it is sent all the same, and so it is when the caller was cancelled while
        it waited for the ack. Cancelled while it waited for a slot it was not accepted. In a loop over
        messages() its time may be up earlier, see there.
        """
        end = None if timeout_ms is None else ticks_add(ticks_ms(), timeout_ms)
        engine = self._engine
        box = engine.outbox
        while True:
            dropped = self.dropped_offline
            if box.free or self.full != "refuse" or not engine.connected:
                try:
                    super().publish(topic, payload, qos, retain)
                    break
                except MQTTFull:
                    pass
            try:
                await self._answer(end)
            except asyncio.TimeoutError:
                raise MQTTFull("outbox: all %d slots are in use" % box.slots)
        if dropped != self.dropped_offline:
            return False
        if not (qos or box.queued):
            return True
        slot = box.last
        mark = self._marks[slot] = [True]
        while self._marks[slot] is mark and slot not in box.free:
            await self._answer(end)
        return mark[0]

    def _flush(self):  # no alloc
        busy = self._engine.busy
        super()._flush()
        if busy or self._engine.busy or self._failure:
            self._io.within(0)

    def _drop_message(self, slot):
        if slot != _NONE and self._marks[slot]:
            self._marks[slot][0] = False
        super()._drop_message(slot)
        self._tell()

    async def drain(self, timeout_ms=None):
        """Wait until the broker has all that was accepted: True, or False after `timeout_ms`."""
        end = None if timeout_ms is None else ticks_add(ticks_ms(), timeout_ms)
        try:
            while not (self._engine.idle() and self._router.settled()):
                await self._answer(end)
        except asyncio.TimeoutError:
            return False
        return True

    async def subscribe(self, filters, qos=0):
        """Subscribe to a filter, a list of them, or a list of (filter, qos), and wait for the answer.

        Returns what was granted, for a list a list: 0 to 2, 0x80 for refused. Messages go to on_message
        unless on() or messages() is there for the filter.
        """
        subs = super().subscribe(filters, qos)
        self._io.within(0)
        for sub in subs:
            while sub.state == _WANTED or sub.state == _ASKED:
                await self._answer()
        granted = [sub.granted for sub in subs]
        return granted if isinstance(filters, (list, tuple)) else granted[0]

    async def unsubscribe(self, filters):
        """Unsubscribe from a filter or a list of them, and wait for the answer; who took its messages ends."""
        subs = super().unsubscribe(filters)
        self._io.within(0)
        self.takers = [t for t in self.takers if t.sub not in subs]
        self._tell()
        for sub in subs:
            while sub in self._router.subs and (sub.state == _UNWANTED or sub.state == _UNASKED):
                await self._answer()

    def on(self, filter, handler=None, qos=0):  # noqa: A002  (the specification's word)
        """As on() of client.MQTTClient; the handler may be a coroutine function, too.

        It runs as a task, for one message at a time, and its message is its own. Meanwhile nothing is read
        when another comes for it, see messages().
        """
        if handler is None:
            return lambda function: self.on(filter, function, qos)
        sub = self._add(filter, qos)
        others = [t for t in self.takers if t.sub is not sub or not t.handler]
        self.takers = [Messages(self, sub, 0, "", handler)] + others  # ahead: they may say later()
        return handler

    def messages(self, filter, qos=0, size=4, full="wait"):  # noqa: A002
        """Subscribe, and queue what comes from now on: `async for msg in mqtt.messages("a/#"):`

        At most `size` messages wait, each a copy. When they do, nothing is read (`full`: "wait"), or the
        newest or the oldest is let go and counted in `dropped` ("drop_newest", "drop_oldest"). With "wait",
        while the loop itself waits for the broker, as in publish(), up to 32 more are queued. Where the
        answer is not among them the call ends as if its time was up.
        Every loop gets every message that matches. One that is left before its task ends needs `with`:
        `with mqtt.messages("a/#") as messages:`, as asyncio does not tell of `break`.
        A message is acknowledged when it is queued. Raises ValueError, MQTTFull.
        """
        if size < 1 or full not in ("wait", "drop_newest", "drop_oldest"):
            raise ValueError("size: 1 or more, full: wait, drop_newest or drop_oldest")
        messages = Messages(self, self._add(filter, qos), size, "" if full == "wait" else full)
        self.takers = self.takers + [messages]
        return messages

    def _add(self, name, qos):
        self._io.within(0)
        return once("filters").add(self._router, name, qos, None)

    # -- progress

    async def _run(self):
        try:
            while self._pending():
                self._go()
                await self._io.sleep()
        finally:
            if self._pending():
                self.close()

    def _go(self):  # no alloc
        """One turn; who waits is told; what to wait for is said anew."""
        engine = self._engine
        try:
            self.poll()
        except Exception as e:
            self.report(e)
        sent = engine.counts[_SENT]
        idle = engine.idle()
        if self._event or self._timed or self._sent != sent or self._idle != idle:
            self._timed = False
            self._sent = sent
            self._idle = idle
            self._tell()
        ms = self.next_ms()
        if self._more or not self._pending():
            ms = 0
        elif ms < 0:
            ms = _HOUR_MS
        if self.watchdog:
            ms = min(ms, 1000)
        if self._ending:
            ms = min(ms, max(ticks_diff(self._end_at, ticks_ms()), 0))
        if engine.held and not self._blocked:
            ms = min(ms, _HELD_MS)
        if self._pollable is not None:
            self._io.watch(self._pollable, self._mask())
        elif self._stream:
            ms = min(ms, _UNPOLLED_MS)
        self._io.within(ms)

    def _turn(self):  # no alloc
        self._more = super()._turn()
        return self._more

    def _drop(self):
        self._io.drop()
        self._blocked = False
        super()._drop()

    def _tell(self):  # no alloc
        """Something happened: all who wait look again."""
        self.news.set()
        self.news.clear()

    async def _answer(self, end=None):
        """Wait until something has happened: what waits for the broker waits here. TimeoutError at `end`, or
        when the queue of the calling task is in the way.
        """
        if not self._pending():
            raise self.reason or OSError(ENOTCONN)
        if end is not None:
            left = ticks_diff(end, ticks_ms())
            if left <= 0:
                raise asyncio.TimeoutError
            self._timed = True
            self._io.within(left)
        mine = None
        for t in self.takers:
            if t.task is asyncio.current_task():
                mine = t
        if not mine:
            await self.news.wait()
            return
        mine.waits = True
        try:
            if self._blocked:
                if mine.full():
                    raise asyncio.TimeoutError
                self._io.within(0)
            await self.news.wait()
        finally:
            mine.waits = False

    def report(self, error):
        """Tell of what a function of the user's raised."""
        try:
            if self.on_error:
                self.on_error(error)
                return
        except Exception as e:
            error = e
        what = {"message": "in a handler", "exception": error}
        task = self._io.task
        if hasattr(task, "coro"):  # MicroPython prints it; CPython would enter its context, where we are
            what["future"] = task
        asyncio.get_event_loop().call_exception_handler(what)

    # -- from below

    def got_message(self, msg):  # no alloc (for plain handlers)
        """A message came: it goes to all whom it is for, or to none of them yet."""
        self._blocked = False
        takers = self.takers
        found = False
        for t in takers:
            t.hit = t.sub.matches(msg)
            if t.hit and t.full():
                self._blocked = True
                self._event = self._event or t.waits
                msg.later()
                return
        for t in takers:
            if t.hit:
                found = True
                try:
                    t.take(msg)
                except Exception as e:
                    self.report(e)
                if msg.again:
                    return
        if not found:
            self.tell(self.on_message, msg)
        self._event = True

    def keep(self, msg):
        """Have a message own its bytes, and return it: the engine gets another one."""
        engine = self._engine
        if msg is engine.message:
            msg._rx = bytes(msg._view[: msg._end])
            msg._view = memoryview(msg._rx)
            engine.message = Message(engine.rx)
        return msg

    def eased(self):  # no alloc
        """There may be room in a queue: have a turn done if that changes anything."""
        if self._blocked:
            self._io.within(0)
