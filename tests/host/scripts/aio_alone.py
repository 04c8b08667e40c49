# What only asyncio can do: many tasks at once, slow loops, tasks that are cancelled; also over TLS and WebSocket.
# Rule: one coroutine function for each sentence of test_aio.py, run() by a function of a Side.
import asyncio
import gc

from umqtt_full import MQTTFull, aio
from umqtt_full.stream import Streams

LIMIT_S = 20


def client(s, suffix="", **options):
    c = aio.MQTTClient(s.url, s.name + suffix, **options)
    c.retry_min_ms = c.retry_max_ms = 20
    return c


def run(coroutine):
    async def limited():
        await asyncio.wait_for(coroutine, LIMIT_S)

    asyncio.run(limited())


async def collect(messages, count, got):
    async for msg in messages:
        got.append(bytes(msg.payload))
        if len(got) == count:
            return


async def until(condition):
    while not condition():
        await asyncio.sleep(0.005)


async def _50_tasks(s):
    async with client(s, "-c") as c, client(s, "-o", qos2_ids=64) as other:
        got, done = [], []
        reader = asyncio.create_task(collect(other.messages(s.topic("q"), 2), 50, got))
        await until(lambda: other._router.settled())

        async def publish(i):
            done.append(await c.publish(s.topic("q"), b"%d" % i, 2))

        tasks = [asyncio.create_task(publish(i)) for i in range(50)]
        for task in tasks:
            await task
        await reader
        assert done == [True] * 50 and c.room() == 4
        assert sorted(got, key=int) == [b"%d" % i for i in range(50)], got


def fifty_tasks_publish_at_once(s):
    run(_50_tasks(s))


async def _slow_consumer(s):
    async with client(s, "-c") as c, client(s, "-o", slots=20) as other:
        messages = c.messages(s.topic("q"), 1, size=4)
        await until(lambda: c._router.settled())

        async def publish(first):
            for i in range(first, s.count, 20):
                await other.publish(s.topic("q"), b"%d" % i, 1)

        publishers = [asyncio.create_task(publish(i)) for i in range(20)]
        got, longest, accepted, heaps = set(), 0, 0, []
        async for msg in messages:
            got.add(int(bytes(msg.payload)))
            longest = max(longest, len(messages._queue))
            if len(got) % 10 == 0:
                await asyncio.sleep(0.001)
            if len(got) % 25 == 0:
                accepted += 1
                try:
                    await c.publish(s.topic("echo"), msg.payload, 1)
                except asyncio.TimeoutError:
                    pass  # its ack is too far behind: it was accepted
                except MQTTFull:
                    accepted -= 1
            if len(got) % 200 == 150 and hasattr(gc, "mem_alloc"):
                gc.collect()
                heaps.append(gc.mem_alloc())
            if len(got) == s.count:
                break
        for publisher in publishers:
            await publisher
        assert await c.drain(5000) and c.counters["sent"] == accepted > 0
        assert c.counters["received"] == s.count and messages.dropped == 0
        assert longest <= 4 + 32, longest
        assert not heaps or max(heaps) - min(heaps) < 12000, heaps  # what is under way at that moment
        messages.close()


def a_slow_loop_loses_nothing(s):
    run(_slow_consumer(s))


async def _not_now(s):
    async with client(s) as c:
        got = []

        def handler(msg):
            got.append(bytes(msg.payload))
            if len(got) < 4:
                msg.later()

        c.on(s.topic("q"), handler, 1)
        await c.drain()
        await c.publish(s.topic("q"), b"1", 1)
        await c.publish(s.topic("q"), b"2", 1)
        await until(lambda: len(got) == 5)
        assert got == [b"1"] * 4 + [b"2"], got


def a_handler_may_say_not_now(s):
    run(_not_now(s))


async def _idle(s):
    turns = []

    class Client(aio.MQTTClient):
        def _go(self):
            turns.append(1)
            super()._go()

    async with Client(s.url, s.name) as c:
        with c.messages(s.topic("q"), size=1) as messages:
            await c.drain()
            for _ in range(2):
                await asyncio.sleep(0.1)
                turns.clear()
                await asyncio.sleep(0.3)
                assert not turns, len(turns)
                for _ in range(3):  # then the queue is full, and a message is held
                    await c.publish(s.topic("q"), b"")
            assert c._blocked and len(messages._queue) == 1


def it_does_nothing_when_idle_or_held_up(s):
    run(_idle(s))


async def _limit(s):
    c = client(s, keepalive=0)
    c.start()
    await c.connected()
    task = asyncio.create_task(c.publish(s.topic("q"), b"", 1))
    await asyncio.sleep(0)
    assert await c.disconnect(100) is False and c.state == "offline" and c.room() == 3
    try:
        await task
    except OSError:
        return
    raise AssertionError("no OSError")


def disconnect_has_a_limit(s):
    run(_limit(s))


async def _wills(s):
    async with client(s, "-w") as watcher:
        got = []
        watcher.on(s.topic("#"), lambda msg: got.append(bytes(msg.payload)), 1)
        await watcher.drain()
        for end in ("cancel", "raise", "leave", "close"):
            c = client(s, "-c")
            c.will(s.topic("will"), end, 1)
            if end == "cancel":
                task = c.start()
                await c.connected()
                task.cancel()
            elif end == "close":
                c.start()
                await c.connected()
                c.close()
            else:
                try:
                    async with c:
                        if end == "raise":
                            raise KeyError
                except KeyError:
                    pass
            if end != "leave":
                await until(lambda end=end: got and got[-1] == end.encode())
            assert c.state == "offline"
        assert got == [b"cancel", b"raise", b"close"], got


def what_is_cancelled_leaves_a_will(s):
    run(_wills(s))


async def _large(s):
    async with client(s) as c:
        streams = Streams(c)
        got = [0]

        def take(stream):
            n = stream.readinto(block)
            while n:
                got[0] += n
                n = stream.readinto(block)

        def source(offset, buf):
            return len(buf)

        block = bytearray(1000)
        streams.on(s.topic("q"), take, 1)
        await c.drain()
        for qos in range(2):
            streams.publish(s.topic("q"), source, s.size, qos)
            assert await c.drain()
            await until(lambda qos=qos: got[0] == s.size * (qos + 1))


def a_large_payload_goes_both_ways(s):
    run(_large(s))


async def _restart(s):
    async with client(s, "-c", clean=False) as c:
        got, asked = [], []
        c.on_subscribe = lambda name, granted: asked.append(name)
        c.on(s.topic("q"), lambda msg: got.append(bytes(msg.payload)), 2)
        await c.drain()
        assert await c.publish(s.topic("q"), b"before", 2)
        s.say("stop")
        await until(lambda: c.state != "connected")
        tasks = [asyncio.create_task(c.publish(s.topic("q"), b"%d" % i, 1 + i % 2)) for i in range(6)]
        await until(lambda: c.room() == 0)
        s.say("start")
        for task in tasks:
            assert await task is True
        await until(lambda: len(got) == 7)
        assert got[0] == b"before" and sorted(got[1:]) == [b"%d" % i for i in range(6)], got
        assert len(asked) == 2, asked


def a_restarted_broker_gets_all_and_is_subscribed_again(s):
    run(_restart(s))


async def _secure(s, url, **options):
    async with aio.MQTTClient(url, s.name, rx=2048, slot_size=2048, **options) as c:
        payload = bytes(range(256)) * 7
        got = []

        @c.on(s.topic("in"), qos=2)
        async def echo(msg):
            assert await c.publish(s.topic("out"), msg.payload, 1)

        messages = c.messages(s.topic("out"), 1)
        await c.drain()
        reader = asyncio.create_task(collect(messages, 20, got))
        for i in range(20):
            await c.publish(s.topic("in"), payload[i:], 2)
        await reader
        assert got == [payload[i:] for i in range(20)]


def it_does_the_same_over_tls(s):
    run(_secure(s, s.hear(), ca=s.hear()))


def it_does_the_same_over_websocket(s):
    run(_secure(s, s.hear()))
