# aiomqttc as bench.py measures it: QoS 0 and 1, one message after another.
# Rule: see with_full.py. It waits for PUBACK in steps of 100 ms.
import asyncio
from time import ticks_diff, ticks_us

import aiomqttc

TOPIC = "bench/topic"


def quiet(*_):
    pass


aiomqttc.log = quiet


def make(url):
    host, port = url[7:].split(":")
    return aiomqttc.MQTTClient("bench", host, int(port))


def publish(url, qos, payload, count, window):
    async def main():
        client = make(url)
        await client.connect()
        begin = ticks_us()
        for _ in range(count):
            await client.publish(TOPIC, payload, qos)
        took = ticks_diff(ticks_us(), begin)
        await client.disconnect()
        return took

    return asyncio.run(main())


def receive(url, qos, size, bursts):
    async def main():
        client = make(url)
        seen = 0

        async def on_message(client, topic, payload, retain):
            nonlocal seen
            if len(payload) == size:
                seen += 1

        client.on_message = on_message
        await client.connect()
        await client.subscribe(TOPIC, qos)
        await asyncio.sleep_ms(200)
        for end in bursts:
            while seen < end:
                await asyncio.sleep_ms(0)
        await client.disconnect()

    asyncio.run(main())
