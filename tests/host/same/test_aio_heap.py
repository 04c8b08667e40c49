# What the asyncio face takes of the heap, for each call and each message, and that it takes nothing when idle.
# Rule: 50 runs without the collector, per run; each budget is what was measured and one block more.
# The scheduler of the port for browsers takes heap of its own, so there a turn is done under a locked heap.
import asyncio
import gc
import sys

from fake import Stream, locked, publish_packet
from loops import connected, run

MICROPYTHON_ONLY = (
    "test_publish_takes_what_the_table_says",
    "test_receiving_takes_what_the_table_says",
    "test_a_turn_takes_no_heap",
    "test_an_idle_client_takes_no_heap",
    "test_50_publishers_leave_the_heap_as_it_was",
)

RUNS = 50
LARGE = sys.maxsize > 1 << 32  # 64 bits
MORE = 160 if sys.implementation.version[:2] < (1, 27) else 0  # bytes, of the scheduler of MicroPython before 1.27


class Broker(Stream):
    """Acknowledges each PUBLISH as it is written."""

    mqtt = None

    def __init__(self):
        super().__init__()
        self._ack = bytearray(4)
        self._ack[1] = 2

    def write(self, buf, off, n):  # no alloc
        head = buf[off]
        ack = self._ack
        if head & 0xF6 == 0x32:
            ack[0] = 0x40
        elif head & 0xF6 == 0x34:
            ack[0] = 0x50
        elif head == 0x62:
            ack[0] = 0x70
        else:
            ack[0] = 0
        if ack[0]:
            at = off + 2 if head == 0x62 else off + 4 + buf[off + 3]
            ack[2] = buf[at]
            ack[3] = buf[at + 1]
            self.feed(ack)
        if self.mqtt:
            self.mqtt._io.within(0)
        return n


async def cost(once, *args):
    """Bytes that a run of the coroutine function takes."""
    for _ in range(3):
        await once(*args)
    gc.collect()
    gc.disable()
    try:
        before = gc.mem_alloc()
        for _ in range(RUNS):
            await once(*args)
        after = gc.mem_alloc()
    finally:
        gc.enable()
    return (after - before) // RUNS


def check(name, measured, budget):
    print(name, measured, "bytes")
    budget += MORE
    assert measured <= budget, "%s: %d bytes, at most %d" % (name, measured, budget)


def test_publish_takes_what_the_table_says():
    async def play(mqtt, stream):
        stream.mqtt = mqtt
        for qos, budget in enumerate(((144, 288), (368, 640), (544, 928))):
            check("publish at QoS %d" % qos, await cost(mqtt.publish, b"a/b", b"21.5", qos), budget[LARGE])

    run(connected(play, stream=Broker()))


def test_receiving_takes_what_the_table_says():
    packet = publish_packet(b"bulb/1/set", b"on", 1, 7)

    async def play(mqtt, stream):
        stream.mqtt = mqtt

        async def handled(data):
            stream.feed(data)
            mqtt._io.within(0)
            await asyncio.sleep_ms(0)
            await asyncio.sleep_ms(0)
            assert not stream.left()

        async def queued():
            stream.feed(packet)
            assert (await messages.__anext__()).qos == 1

        async def handler(msg):
            pass

        own = await cost(handled, b"")
        mqtt.on(b"bulb/1/set", handler, None)
        check("a coroutine handler", await cost(handled, packet) - own, (480, 864)[LARGE])
        mqtt.takers = []
        messages = mqtt.messages(b"bulb/1/set")
        check("messages()", await cost(queued), (448, 800)[LARGE])

    run(connected(play, stream=Broker()))


def test_a_turn_takes_no_heap():
    packet = publish_packet(b"bulb/1/set", b"on", 1, 7)

    async def play(mqtt, stream):
        async def wait():
            async for _ in mqtt.messages("a", qos=None):
                pass

        def turn():
            stream.feed(packet)
            mqtt._go()
            mqtt._go()
            mqtt._io.within(0)

        task = asyncio.create_task(wait())
        mqtt.on(b"bulb/1/set", len, None)
        await asyncio.sleep_ms(0)
        locked(turn)
        assert not stream.left()
        task.cancel()

    run(connected(play))


def test_an_idle_client_takes_no_heap():
    async def play(mqtt, stream):
        if not hasattr(asyncio, "run"):
            return

        async def idle():
            await asyncio.sleep_ms(20)

        mine = await cost(idle)
        mqtt.close()
        check("20 ms of idle", mine - await cost(idle), 0)

    run(connected(play, stream=Broker()))


def test_50_publishers_leave_the_heap_as_it_was():
    async def play(mqtt, stream):
        if not hasattr(asyncio, "run"):
            return
        stream.mqtt = mqtt

        async def all_at_once():
            left = [50]

            async def one():
                await mqtt.publish(b"a/b", b"21.5", 1)
                left[0] -= 1

            for _ in range(50):
                asyncio.create_task(one())
            while left[0]:
                await asyncio.sleep_ms(0)
            gc.collect()
            return gc.mem_alloc()

        await all_at_once()
        before = await all_at_once()
        assert await all_at_once() <= before + 64

    run(connected(play, stream=Broker()))
