# The asyncio face without a network: what becomes of the messages that come, in loops and in handlers.
# Rule: as in test_aio.py.
import asyncio

from fake import publish_packet
from loops import Begun, cancelled, connected, puback, rest, run, say

from umqtt_full import MQTTError, MQTTFull


def test_subscribe_returns_what_was_granted():
    async def play(mqtt, stream):
        one = Begun(mqtt.subscribe("a", 2))
        await rest(mqtt)
        assert stream.sent() == b"\x82\x06\x00\x01\x00\x01a\x02" and not one.done
        await say(mqtt, stream, b"\x90\x03\x00\x01\x01")
        assert one.result == 1
        two = Begun(mqtt.subscribe([("b", 0), ("c", 1)]))
        await rest(mqtt)
        await say(mqtt, stream, b"\x90\x04\x00\x02\x00\x80")
        assert two.result == [0, 0x80]
        gone = Begun(mqtt.unsubscribe(["a", "b"]))
        assert await say(mqtt, stream) == b"\xa2\x08\x00\x03\x00\x01a\x00\x01b" and not gone.done
        await say(mqtt, stream, b"\xb0\x02\x00\x03")
        assert gone.done and gone.error is None

    run(connected(play))


async def listening(mqtt, stream, *args, **kw):
    """messages() whose SUBSCRIBE was answered."""
    messages = mqtt.messages(*args, **kw)
    await rest(mqtt)
    request = stream.sent()
    await say(mqtt, stream, b"\x90\x03" + request[2:4] + request[-1:])
    stream.forget()
    return messages


async def collect(messages, got, stop=None):
    async for msg in messages:
        got.append((msg.topic, bytes(msg.payload), msg.qos, msg.retain))
        if stop:
            await stop()


def test_messages_come_in_order_and_are_copies():
    async def play(mqtt, stream):
        messages = await listening(mqtt, stream, "a/#", 1)
        stream.feed(publish_packet(b"a/b", b"one", 1, 7, 1))
        stream.feed(publish_packet(b"a", b"22"))
        assert await say(mqtt, stream) == puback(7)
        first, second = await messages.__anext__(), await messages.__anext__()
        assert (first.topic, bytes(first.payload), first.qos, first.retain) == ("a/b", b"one", 1, True)
        assert first.payload_is(b"one") and second.payload_int() == 22 and second.topic_is(b"a")
        mqtt.close()
        await collect(messages, [])  # ends with the client

    run(connected(play))


def test_nothing_is_read_while_a_queue_is_full_and_nothing_is_lost():
    async def play(mqtt, stream):
        messages = await listening(mqtt, stream, "a", 1, size=2)
        for i in range(1, 9):
            stream.feed(publish_packet(b"a", b"%d" % i, i % 2, i))
        assert await say(mqtt, stream) == puback(1) and stream.left() == 6 + 8 + 6 + 8 + 6
        got = []
        begun = Begun(collect(messages, got))
        await rest(mqtt, 30)
        assert [g[1] for g in got] == [b"%d" % i for i in range(1, 9)] and not stream.left()
        begun.task.cancel()
        await rest(mqtt)

    run(connected(play))


def test_what_a_full_queue_lets_go_is_counted():
    async def play(mqtt, stream):
        for full, kept in (("drop_oldest", [b"3", b"4"]), ("drop_newest", [b"1", b"2"])):
            messages = await listening(mqtt, stream, "a", 1, size=2, full=full)
            for i in range(1, 5):
                stream.feed(publish_packet(b"a", b"%d" % i, 1, i))
            assert await say(mqtt, stream) == puback(1) + puback(2) + puback(3) + puback(4)
            with messages:
                for payload in kept:
                    assert (await messages.__anext__()).payload_is(payload)
                assert messages.dropped == 2

    run(connected(play))


def test_a_full_queue_does_not_give_others_the_message_twice():
    async def play(mqtt, stream):
        slow = await listening(mqtt, stream, "a", 1, size=1)
        fast = await listening(mqtt, stream, "a", 1, size=4)
        plain = []
        mqtt.on("+", lambda msg: plain.append(bytes(msg.payload)), None)
        for i in range(1, 4):
            stream.feed(publish_packet(b"a", b"%d" % i, 1, i))
        await rest(mqtt, 20)
        assert plain == [b"1"]
        for i in range(1, 4):
            assert (await slow.__anext__()).payload_is(b"%d" % i)
            await rest(mqtt)
        for i in range(1, 4):
            assert (await fast.__anext__()).payload_is(b"%d" % i)
        assert plain == [b"1", b"2", b"3"]

    run(connected(play))


async def waiting_in_its_loop(mqtt, stream, before, calls, **kw):
    """A loop that makes each call in turn; `before` more messages than its queue holds come ahead of any ack."""
    messages = await listening(mqtt, stream, "a", size=2, **kw)
    got, errors = [], []

    async def loop():
        async for msg in messages:
            got.append(bytes(msg.payload))
            if calls:
                try:
                    await calls.pop(0)()
                except Exception as e:
                    errors.append(e)

    for i in range(before):
        stream.feed(publish_packet(b"a", b"%d" % i))
    begun = Begun(loop())
    await rest(mqtt, 200)
    return begun, got, errors


def test_a_loop_that_publishes_while_its_queue_is_full_gets_its_ack():
    async def play(mqtt, stream):
        begun, got, errors = await waiting_in_its_loop(mqtt, stream, 20, [lambda: mqtt.publish("t", b"", 1)])
        assert got == [b"0"] and not stream.left()  # the ack may lie behind
        await say(mqtt, stream, puback(mqtt._engine.outbox.last_id))
        await rest(mqtt, 40)
        assert got == [b"%d" % i for i in range(20)] and not errors
        begun.task.cancel()
        await rest(mqtt)

    run(connected(play))


def test_a_loop_whose_answer_is_too_far_behind_is_told_and_goes_on():
    async def play(mqtt, stream):
        calls = [lambda: mqtt.publish("t", b"1", 1), lambda: mqtt.publish("t", b"2", 1), mqtt.drain]
        begun, got, errors = await waiting_in_its_loop(mqtt, stream, 60, calls)
        assert [type(e) for e in errors] == [asyncio.TimeoutError, MQTTFull], errors
        assert got == [b"%d" % i for i in range(60)] and not stream.left()
        assert stream.sent() == publish_packet(b"t", b"1", 1, mqtt._engine.outbox.last_id) and not mqtt.room()
        await say(mqtt, stream, puback(mqtt._engine.outbox.last_id))
        assert mqtt.room() == 1
        begun.task.cancel()
        await rest(mqtt)

    run(connected(play, slots=1))


def test_who_else_publishes_does_not_make_a_queue_longer():
    async def play(mqtt, stream):
        messages = await listening(mqtt, stream, "a", size=2)
        begun = Begun(mqtt.publish("t", b"", 1))
        for i in range(5):
            stream.feed(publish_packet(b"a", b"%d" % i))
        stream.feed(puback(2))
        await rest(mqtt)
        assert not begun.done and stream.left() == 2 * 6 + 4
        for i in range(5):
            assert (await messages.__anext__()).payload_is(b"%d" % i)
            await rest(mqtt)
        assert begun.result

    run(connected(play))


def test_a_loop_that_was_left_does_not_hold_up_the_others():
    async def play(mqtt, stream):
        with await listening(mqtt, stream, "a", size=1) as messages:
            stream.feed(publish_packet(b"a", b"1"))
            async for _ in messages:
                break
        got, never = [], asyncio.Event()
        waiting = Begun(collect(await listening(mqtt, stream, "a", size=1), []))
        await cancelled(mqtt, waiting)
        assert not mqtt.takers
        busy = Begun(collect(await listening(mqtt, stream, "a", size=1), [], never.wait))
        stream.feed(publish_packet(b"a", b"1"))
        await cancelled(mqtt, busy)
        mqtt.on("a", lambda msg: got.append(bytes(msg.payload)))
        await rest(mqtt)
        stream.feed(b"\x90\x03\x00\x04\x00")
        for i in range(4):
            stream.feed(publish_packet(b"a", b"%d" % i))
        await rest(mqtt)
        assert got == [b"0", b"1", b"2", b"3"], got

    run(connected(play))


def test_a_filter_that_is_refused_raises_one_that_is_unsubscribed_ends_the_loop():
    async def play(mqtt, stream):
        refused, ends = Begun(collect(mqtt.messages("a"), [])), Begun(collect(mqtt.messages("b"), []))
        await rest(mqtt)
        await say(mqtt, stream, b"\x90\x04\x00\x01\x80\x00")
        assert isinstance(refused.error, MQTTError) and refused.error.code == 0x80 and not ends.done
        gone = Begun(mqtt.unsubscribe("b"))
        await rest(mqtt)
        assert ends.done and ends.error is None and not gone.done

    run(connected(play))


# -- handlers


def test_a_coroutine_handler_runs_for_one_message_at_a_time():
    log = []

    async def handler(msg):
        log.append(bytes(msg.payload))
        await asyncio.sleep(0)
        log.append(msg.topic)

    async def play(mqtt, stream):
        mqtt.on("a/+", handler, None)
        for i in range(3):
            stream.feed(publish_packet(b"a/%d" % i, b"%d" % i, 1, i + 1))
        while len(log) < 6:
            await rest(mqtt)
        assert log == [b"0", "a/0", b"1", "a/1", b"2", "a/2"]
        await rest(mqtt)
        assert stream.sent() == puback(1) + puback(2) + puback(3)

    run(connected(play))


def test_a_coroutine_handler_may_wait_for_the_broker_while_more_comes_for_it():
    async def play(mqtt, stream):
        done, running = [], []

        @mqtt.on("a", qos=None)
        async def handler(msg):
            assert not running
            running.append(1)
            done.append(await mqtt.publish("t", bytes(msg.payload), 1))
            running.pop()

        for i in range(1, 4):
            stream.feed(publish_packet(b"a", b"%d" % i, 1, i))
        sent = await say(mqtt, stream)
        assert publish_packet(b"t", b"1", 1, 1) in sent and not stream.left()
        for i in range(1, 4):
            sent += await say(mqtt, stream, puback(i))
        assert done == [True] * 3 and puback(2) + puback(3) in sent, sent

    run(connected(play))


def test_what_a_handler_raises_is_told_and_the_client_goes_on():
    async def bad_task(msg):
        raise KeyError("task")

    def bad(msg):
        raise KeyError("plain")

    async def play(mqtt, stream):
        told, got = [], []
        mqtt.on_error = lambda e: told.append(e.args[0])
        mqtt.on("a", bad_task, None)
        mqtt.on("+", bad, None)
        messages = await listening(mqtt, stream, "#", 1)
        begun = Begun(collect(messages, got))
        for i in range(1, 4):
            stream.feed(publish_packet(b"a", b"", 1, i))
        await rest(mqtt, 20)
        assert sorted(told) == ["plain"] * 3 + ["task"] * 3, told
        assert len(got) == 3 and stream.sent() == puback(1) + puback(2) + puback(3)
        assert mqtt.state == "connected"

        def raises(what):
            raise KeyError("callback")

        mqtt.on_publish = raises
        assert not await say(mqtt, stream)
        sent = Begun(mqtt.publish("t", b"", 1))
        await rest(mqtt)
        await say(mqtt, stream, puback(mqtt._engine.outbox.last_id))
        assert sent.result and told[-1] == "callback"
        begun.task.cancel()
        await rest(mqtt)

    run(connected(play))


def test_without_on_error_the_loop_is_told_what_a_handler_raised():
    async def play(mqtt, stream):
        told = []
        loop = asyncio.get_event_loop()
        loop.set_exception_handler(lambda loop, context: told.append(context["exception"].args))

        def bad(msg):
            raise KeyError("plain")

        mqtt.on("a", bad, None)
        await say(mqtt, stream, publish_packet(b"a", b""))
        assert told == [("plain",)]
        mqtt.on_error = lambda e: None.x
        await say(mqtt, stream, publish_packet(b"a", b""))
        assert len(told) == 2 and mqtt.state == "connected"
        loop.set_exception_handler(None)

    run(connected(play))


def test_a_plain_handler_may_say_not_now():
    async def play(mqtt, stream):
        got = []

        def handler(msg):
            got.append(bytes(msg.payload))
            if len(got) < 3:
                msg.later()

        messages = await listening(mqtt, stream, "#")
        mqtt.on("a", handler, None)
        stream.feed(publish_packet(b"a", b"1"))
        stream.feed(publish_packet(b"a", b"2"))
        while len(got) < 4:
            await asyncio.sleep(0.005)
        assert got == [b"1", b"1", b"1", b"2"]
        assert (await messages.__anext__()).payload_is(b"1") and (await messages.__anext__()).payload_is(b"2")

    run(connected(play))


def test_a_plain_handler_may_close():
    async def play(mqtt, stream):
        mqtt.on("a", lambda msg: mqtt.close(), None)
        await say(mqtt, stream, publish_packet(b"a", b""), publish_packet(b"a", b""))
        assert stream.closed == 1 and mqtt.start() and mqtt.close() is None
        await rest(mqtt)

    run(connected(play))
