# The scenarios of alone.py and kept.py once more, with clients of aio.py behind the face that they know.
# Rule: each call runs asyncio until what aio.py has for it is through; nothing else of the client is replaced.
import asyncio
import sys

import alone
import kept

from umqtt_full import MQTTError, aio

if sys.implementation.name == "micropython":
    new_runner = lambda: asyncio.run  # noqa: E731
else:
    new_runner = lambda: asyncio.new_event_loop().run_until_complete  # noqa: E731


class Client(aio.MQTTClient):
    """A client of aio.py whose calls wait; in a handler they begin a task."""

    connected = property(lambda self: self.state == "connected")

    def __init__(self, *args, run=None, **kw):
        super().__init__(*args, **kw)
        self._run_until = run or new_runner()
        self._going = self._once = False
        self._errors = []
        self.on_error = self._errors.append

    def _go(self):
        self._going = True
        try:
            super()._go()
        finally:
            self._going = False

    def _do(self, call, *args):
        """Await call(*args), as a task where asyncio runs already."""
        if self._going:
            asyncio.create_task(self._quiet(call, args))
            return None

        async def do():
            return await call(*args)

        return self._run_until(do())

    async def _quiet(self, call, args):
        try:
            await call(*args)
        except (MQTTError, OSError):
            pass  # the client is closed: it was accepted all the same

    def start(self):
        base = super().start
        self._once = False

        async def do():
            base()

        self._do(do)

    def connect(self):
        self.close()
        self.start()
        self._do(super().connected)
        self._once = True
        self._wanted = self._keep = False
        return self.session_present

    def poll(self, timeout_ms=0):
        if self._going:
            return super().poll()
        self._do(self._until_news, min(timeout_ms, 50) / 1000)
        while self._errors:
            e = self._errors.pop(0)
            if not isinstance(e, (MQTTError, OSError)) or self._once and e is self.reason:
                raise e
        return self.connected

    async def _until_news(self, timeout_s):
        try:
            await asyncio.wait_for(self.news.wait(), timeout_s)
        except asyncio.TimeoutError:
            pass

    def publish(self, *args):
        asked = self.counters["dropped"]
        self._later(super().publish, args)
        assert asked == self.counters["dropped"]
        return self._engine.outbox.last_id if len(args) > 2 and args[2] else 0

    def subscribe(self, *args):
        self._later(super().subscribe, args)

    def unsubscribe(self, *args):
        self._later(super().unsubscribe, args)

    def _later(self, call, args):
        async def begin():
            asyncio.create_task(self._quiet(call, args))
            await asyncio.sleep(0)

        self._do(begin)

    def drain(self, timeout_ms):
        try:
            return self._do(super().drain, timeout_ms)
        except OSError:
            return False  # closed

    def disconnect(self):
        done = self._do(super().disconnect)
        if not self._going:
            self._do(asyncio.sleep, 0)  # so that its task ends
        return done


def over_aio(side):
    """A Side whose clients are of aio.py."""
    run = new_runner()

    def client(suffix="", **options):
        c = Client(side.url, side.name + suffix, run=run, **options)
        c.retry_min_ms, c.retry_max_ms = 20, 200
        side.clients.append(c)
        return c

    side.client = client
    return side


def __getattr__(name):
    scenario = getattr(alone, name, None) or getattr(kept, name)

    def play(side):
        scenario(over_aio(side))
        for c in side.clients:
            c.close()
            c._do(asyncio.sleep, 0)  # so that its task ends

    return play
