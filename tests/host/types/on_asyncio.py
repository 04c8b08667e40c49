"""The types of the asyncio client."""
import asyncio
from typing import assert_type

from umqtt_full import aio
from umqtt_full.message import Message
from umqtt_full.stream import Streams


async def main() -> None:
    async with aio.MQTTClient("mqtts://broker.local", ca="ca.der", slots=2) as mqtt:
        assert_type(await mqtt.publish("a", b"b", qos=2, timeout_ms=1000), bool)
        assert_type(await mqtt.subscribe("a/b", 1), int)
        assert_type(await mqtt.subscribe(["a/b", ("c", 2)]), list[int])
        await mqtt.unsubscribe(["a/b"])
        assert_type(await mqtt.drain(), bool)
        with mqtt.messages("a/#", qos=1, size=8, full="drop_oldest") as messages:
            async for msg in messages:
                assert_type(msg, Message)
                break
            print(messages.dropped)
        async for msg in mqtt.messages("b"):
            print(msg.topic)
        assert_type(await mqtt.disconnect(1000), bool)


async def by_hand(mqtt: aio.MQTTClient) -> None:
    @mqtt.on("bulb/set", qos=1)
    async def set_lamp(msg: Message) -> None:
        await asyncio.sleep(len(msg))

    @mqtt.on("bulb/get")
    def get_lamp(msg: Message) -> None:
        pass

    await set_lamp(Message())
    get_lamp(Message())
    streams = Streams(mqtt)
    streams.on("log", Streams.skip)
    mqtt.on_connect = print
    task = mqtt.start()
    assert_type(await mqtt.connected(), bool)
    task.cancel()
    mqtt.close()


asyncio.run(main())
