# A client of aio.py over a stream of fake.py, in a loop of its own, and tasks whose end is kept.
# Rule: nothing here waits for time: rest() has everything done that can be.
import asyncio

from fake import CONNACK, Stream

from umqtt_full import aio


def run(coroutine):
    """Run to the end in a loop of its own; the port for browsers has no asyncio.run()."""
    if hasattr(asyncio, "core"):
        asyncio.new_event_loop()
    if hasattr(asyncio, "run"):
        return asyncio.run(coroutine)
    task = asyncio.create_task(coroutine)
    while not task.done():
        asyncio.core._run_iter()
    asyncio.core.js.clearTimeout(asyncio.core.asyncio_timer)  # else Node waits for what is left
    if not isinstance(task.data, StopIteration):
        raise task.data


async def connected(function, stream=None, **kw):
    """Run function(client, stream) when the client is connected."""
    stream = stream or Stream()
    stream.feed(CONNACK)
    mqtt = aio.MQTTClient(lambda: stream, "me", keepalive=0, **kw)
    mqtt.start()
    await mqtt.connected()
    stream.forget()
    await function(mqtt, stream)


async def rest(mqtt, times=8):
    """Let all that can go on go on."""
    while times:
        times -= 1
        mqtt._io.within(0)
        await asyncio.sleep(0)


async def say(mqtt, stream, *packets):
    """The broker says this; what the client answers is returned."""
    for packet in packets:
        stream.feed(packet)
    await rest(mqtt)
    return stream.sent()


class Begun:
    """A task, and what it came to: `result`, or `error`."""

    def __init__(self, coroutine):
        self.done = False
        self.result = self.error = None
        self.task = asyncio.create_task(self._run(coroutine))

    async def _run(self, coroutine):
        try:
            self.result = await coroutine
        except (Exception, asyncio.CancelledError) as e:
            self.error = e
        self.done = True


def puback(packet_id):
    return bytes([0x40, 2, 0, packet_id])


async def cancelled(mqtt, begun):
    await rest(mqtt)
    assert not begun.done, begun.error
    begun.task.cancel()
    await rest(mqtt)
    assert isinstance(begun.error, asyncio.CancelledError), begun.error
