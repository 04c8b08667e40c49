# The asyncio face without a network: what each call waits for, and what is left when it is cancelled.
# Rule: the broker's side is written out as bytes; nothing waits for time but to see that nothing happens.
import asyncio

from fake import CONNACK, Stream, publish_packet
from loops import Begun, cancelled, connected, puback, rest, run, say

from umqtt_full import MQTTError, MQTTFull, aio

REFUSED = b"\x20\x02\x00\x05"
DISCONNECT = b"\xe0\x00"


# -- publish


def test_publish_returns_at_the_ack():
    async def play(mqtt, stream):
        for qos, answers in ((1, (b"\x40\x02\x00\x01",)), (2, (b"\x50\x02\x00\x02", b"\x70\x02\x00\x02"))):
            begun = Begun(mqtt.publish("t", b"x", qos))
            await rest(mqtt)
            assert stream.sent() == publish_packet(b"t", b"x", qos, qos)
            for answer in answers:
                assert not begun.done
                await say(mqtt, stream, answer)
            assert begun.result is True

    run(connected(play))


def test_publish_at_qos_0_returns_when_it_is_written():
    async def play(mqtt, stream):
        assert await mqtt.publish("t", b"x") is True
        stream.most_out = 0
        first, second = Begun(mqtt.publish("t", b"1")), Begun(mqtt.publish("t", b"2"))
        await rest(mqtt)
        assert not first.done and not second.done
        stream.most_out = 5
        await rest(mqtt)
        assert first.result is second.result is True and mqtt.room() == 4

    run(connected(play))


def test_disconnect_closes_also_where_memory_runs_out():
    def full(name):
        raise MemoryError

    async def play(mqtt, stream):
        once, aio.once = aio.once, full
        try:
            begun = Begun(mqtt.disconnect())
            await rest(mqtt)
        finally:
            aio.once = once
        assert isinstance(begun.error, MemoryError) and mqtt.state == "offline" and stream.closed == 1

    run(connected(play))


def test_what_a_turn_has_written_is_told_in_that_turn():
    async def play(mqtt, stream):
        stream.most_out = 0
        other = Begun(mqtt.publish("t", b"1", 1))  # its PUBACK does not come
        begun = Begun(mqtt.publish("t", b"0"))
        await rest(mqtt)
        stream.most_out = 4096
        mqtt._go()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert begun.result is True and not other.done
        mqtt.close()

    run(connected(play))


def test_a_write_that_blocks_is_followed_by_a_turn():
    async def play(mqtt, stream):
        await rest(mqtt)
        asked = []
        within = mqtt._io.within
        mqtt._io.within = lambda ms: (asked.append(ms), within(ms))
        assert await mqtt.publish("t", b"0") and not asked
        stream.most_out = 0
        begun = Begun(mqtt.publish("t", b"1"))
        await asyncio.sleep(0)
        assert 0 in asked and not begun.done
        mqtt.close()

    run(connected(play))


def test_a_slot_that_is_free_and_taken_again_in_one_turn_ends_the_wait_for_it():
    async def play(mqtt, stream):
        stream.most_out = 0
        begun = Begun(mqtt.publish("t", b"1"))
        await rest(mqtt)
        stream.most_out = 99
        mqtt._flush()
        stream.most_out = 0
        again = Begun(mqtt.publish("t", b"2"))
        await rest(mqtt)
        assert begun.result is True and not again.done

    run(connected(play, slots=1))


def test_many_publish_at_once_through_few_slots():
    async def play(mqtt, stream):
        begun = [Begun(mqtt.publish("t", b"%d" % i, 1)) for i in range(50)]
        for i in range(1, 51):
            await rest(mqtt, 2)
            await say(mqtt, stream, puback(i))
        assert all(b.result is True for b in begun), [b.error for b in begun]
        assert mqtt.counters["sent"] == 50 and mqtt.room() == 4

    run(connected(play))


def test_a_timeout_tells_whether_the_message_was_accepted():
    async def play(mqtt, stream):
        first = Begun(mqtt.publish("t", b"1", 1, timeout_ms=20))
        second = Begun(mqtt.publish("t", b"2", 1, timeout_ms=20))
        await asyncio.sleep(0.05)
        assert isinstance(first.error, asyncio.TimeoutError), first.error
        assert isinstance(second.error, MQTTFull), second.error
        assert mqtt.room() == 0
        await say(mqtt, stream, puback(1))
        assert mqtt.room() == 1 and mqtt.counters["sent"] == 1

    run(connected(play, slots=1))


def test_cancelled_while_it_waits_for_a_slot_it_was_not_accepted():
    async def play(mqtt, stream):
        first, second = Begun(mqtt.publish("t", b"1", 1)), Begun(mqtt.publish("t", b"2", 1))
        await cancelled(mqtt, second)
        await say(mqtt, stream, puback(1))
        assert first.result and mqtt.room() == 1 and mqtt.counters["sent"] == 1

    run(connected(play, slots=1))


def test_cancelled_while_it_waits_for_the_ack_it_stays_accepted():
    async def play(mqtt, stream):
        await cancelled(mqtt, Begun(mqtt.publish("t", b"1", 1)))
        assert mqtt.room() == 3
        await say(mqtt, stream, puback(1))
        assert mqtt.room() == 4

    run(connected(play))


def test_what_is_given_up_returns_false():
    async def play(mqtt, stream):
        mqtt.retry_min_ms = mqtt.retry_max_ms = 1 << 20
        first = Begun(mqtt.publish("t", b"1", 1))
        await rest(mqtt)
        stream.ended = True
        await rest(mqtt)
        assert await mqtt.publish("t", b"0") is False
        second = Begun(mqtt.publish("t", b"2", 1))
        third = Begun(mqtt.publish("t", b"3", 1))
        await rest(mqtt)
        assert not first.done and second.result is False and not third.done and mqtt.room() == 0

    run(connected(play, slots=2, full="drop_oldest"))


def test_drain_waits_for_acks_that_could_not_be_written():
    async def play(mqtt, stream):
        stream.most_out = 0
        await say(mqtt, stream, publish_packet(b"a", b"", 1, 7))
        begun = Begun(mqtt.drain())
        await rest(mqtt)
        assert not begun.done and await mqtt.drain(0) is False
        stream.most_out = 99
        await rest(mqtt)
        assert begun.result is True and stream.sent() == puback(7)

    run(connected(play))


# -- the link


def test_entering_raises_a_refusal_and_closes():
    async def play():
        stream = Stream()
        stream.feed(REFUSED)
        mqtt = aio.MQTTClient(lambda: stream, "me")
        try:
            async with mqtt:
                raise AssertionError("entered")
        except MQTTError as e:
            assert e.code == 0x87
        assert stream.closed == 1 and mqtt.state == "offline"

    run(play())


def test_leaving_sends_what_is_accepted_then_disconnects():
    async def play():
        stream = Stream()
        stream.feed(CONNACK)
        async with aio.MQTTClient(lambda: stream, "me") as mqtt:
            stream.forget()
            begun = Begun(mqtt.publish("t", b"1", 1))
            await asyncio.sleep(0)
            Begun(ack_later(mqtt, stream))
        assert begun.result and stream.closed == 1 and stream.sent().endswith(DISCONNECT)

    async def ack_later(mqtt, stream):
        await rest(mqtt)
        stream.feed(puback(1))
        await rest(mqtt)
        stream.ended = True

    run(play())


def test_an_exception_out_of_the_body_closes_without_disconnect():
    async def play():
        stream = Stream()
        stream.feed(CONNACK)
        try:
            async with aio.MQTTClient(lambda: stream, "me"):
                stream.forget()
                raise KeyError("mine")
        except KeyError:
            pass
        assert stream.closed == 1 and stream.sent() == b""

    run(play())


def test_to_cancel_the_task_of_the_client_closes_the_stream():
    async def play(mqtt, stream):
        waits = [Begun(mqtt.publish("t", b"1", 1)), Begun(mqtt.drain())]
        await rest(mqtt)
        mqtt.start().cancel()
        await rest(mqtt)
        assert stream.closed == 1 and mqtt.state == "offline"
        assert all(isinstance(w.error, OSError) for w in waits), [w.error for w in waits]
        assert mqtt.room() == 3  # what was accepted is kept

    run(connected(play))


def test_each_wait_can_be_cancelled_and_the_client_goes_on():
    async def play(mqtt, stream):
        stream.most_out = 0  # so no answer will come
        await cancelled(mqtt, Begun(mqtt.subscribe("a")))
        await cancelled(mqtt, Begun(mqtt.unsubscribe("b")))
        await cancelled(mqtt, Begun(mqtt.drain()))
        await cancelled(mqtt, Begun(mqtt.messages("c").__anext__()))
        stream.most_out = 99
        assert await say(mqtt, stream) == b"\x82\x06\x00\x01\x00\x01a\x00"
        assert await say(mqtt, stream, b"\x90\x03\x00\x01\x00") == b"\xa2\x05\x00\x02\x00\x01b"
        assert await say(mqtt, stream, b"\xb0\x02\x00\x02") == b"\x82\x06\x00\x03\x00\x01c\x00"
        assert mqtt.state == "connected"
        await cancelled(mqtt, Begun(mqtt.disconnect()))
        assert stream.closed == 1 and mqtt.state == "offline"

    run(connected(play))


def test_connected_and_entering_can_be_cancelled():
    async def play():
        stream = Stream()
        mqtt = aio.MQTTClient(lambda: stream, "me")
        mqtt.start()
        await cancelled(mqtt, Begun(mqtt.connected()))
        assert not stream.closed
        await cancelled(mqtt, Begun(mqtt.__aenter__()))
        assert stream.closed == 1

    run(play())


def test_who_waits_for_a_client_that_is_closed_or_not_started_is_told():
    async def play(mqtt, stream):
        waits = [Begun(mqtt.publish("t", b"1", 1)), Begun(mqtt.subscribe("a"))]
        await rest(mqtt)
        mqtt.close()
        await rest(mqtt)
        waits += [Begun(mqtt.connected()), Begun(mqtt.drain()), Begun(mqtt.publish("t", b"1", 2))]
        await rest(mqtt)
        assert all(isinstance(w.error, OSError) for w in waits), [w.error for w in waits]
        assert mqtt.start() is mqtt.start()
        mqtt.close()

    run(connected(play))


def test_a_link_that_ends_is_made_anew():
    streams = []

    def server():
        streams.append(Stream())
        streams[-1].feed(CONNACK)
        return streams[-1]

    async def play():
        mqtt = aio.MQTTClient(server, "me", keepalive=0)
        mqtt.retry_min_ms = mqtt.retry_max_ms = 1
        mqtt.start()
        begun = Begun(mqtt.publish("t", b"1", 1))
        for i in range(3):
            await mqtt.connected()
            await rest(mqtt)
            assert streams[i].sent().endswith(publish_packet(b"t", b"1", 1, 1)) and not begun.done
            streams[i].ended = True
            while not streams[i].closed:
                await rest(mqtt)
            assert streams[i].closed == 1
        await mqtt.connected()
        await rest(mqtt)
        await say(mqtt, streams[3], puback(1))
        assert begun.result
        mqtt.close()

    run(play())
