"""Wrong uses: a line that says so must be reported, and no other line."""
import socket

from umqtt_full import MQTTClient, MQTTError, aio, simple
from umqtt_full.message import Message
from umqtt_full.net import TCP
from umqtt_full.store import FileStore, MemoryStore
from umqtt_full.stream import Streams
from umqtt_full.tls import TLS
from umqtt_full.ws import WebSocket


class Half:
    """No stream: its write() takes no offset."""

    def readinto(self, buf: bytearray, n: int) -> int | None:
        return None

    def write(self, buf: bytes) -> int | None:
        return None

    def close(self) -> None:
        pass


def without_message() -> None:
    pass


def of_text(text: str) -> None:
    pass


def handle(msg: Message) -> None:
    msg.topic = "other"  # wrong
    print(msg.payload + b"text")  # wrong
    msg.payload_is(1)  # wrong
    msg.copy_payload(b"bytes")  # wrong
    print(msg.payload_int() + 1)  # wrong
    msg.topics()  # wrong


MQTTClient()  # wrong
MQTTClient(1883)  # wrong
MQTTClient("mqtt://broker.local", full="drop")  # wrong
MQTTClient("mqtt://broker.local", level=5)  # wrong
MQTTClient("mqtt://broker.local", keepalive="60")  # wrong
MQTTClient("mqtts://broker.local", verify=False)  # wrong
MQTTClient("mqtts://broker.local", psk=b"key")  # wrong
MQTTClient("mqtts://broker.local", context=True)  # wrong
MQTTClient("mqtt://broker.local", store="mqtt.log")  # wrong
MQTTClient(Half)  # wrong
MQTTClient(socket.socket)  # wrong
MQTTClient(TCP)  # wrong
mqtt = MQTTClient("mqtt://broker.local")
mqtt.publish("a")  # wrong
mqtt.publish("a", 21.5)  # wrong
mqtt.publish(memoryview(b"a"), b"")  # wrong
mqtt.publish("a", b"", qos=3)  # wrong
mqtt.publish("a", b"", 0, "yes")  # wrong
mqtt.will("a")  # wrong
mqtt.drain()  # wrong
mqtt.connected = True  # wrong
mqtt.counters()  # wrong
mqtt.is_connected()  # wrong
mqtt.on("a", without_message)  # wrong
mqtt.on("a", of_text)  # wrong
mqtt.subscribe(("a", 1))  # wrong
mqtt.subscribe(["a", 1])  # wrong
mqtt.unsubscribe([("a", 1)])  # wrong
mqtt.on_connect = without_message  # wrong
mqtt.on_reconnect = handle  # wrong
mqtt.on_message = of_text  # wrong
mqtt.trace(print, 1)  # wrong
print(MQTTError(1).words)  # wrong
print(mqtt.state == "conected")  # wrong


@mqtt.on("a", qos=4)  # wrong
def on_a(msg: Message) -> None:
    pass


TCP("broker.local")  # wrong
TLS("broker.local", psk="key")  # wrong
WebSocket("ws://broker.local", "broker.local")  # wrong
FileStore()  # wrong
MemoryStore(2048, bytearray(2048), of_text)  # wrong
streams = Streams(mqtt)
streams.on("a", handle)  # wrong
streams.publish("a", b"bytes", 5)  # wrong
streams.remaining = 0  # wrong
drop_in = simple.MQTTClient("me")  # wrong
simple.MQTTClient("me", "broker.local").set_callback(handle)  # wrong


async def on_asyncio(client: aio.MQTTClient) -> None:
    if await client.publish("a", b"", timeout_ms="1") == 7:  # wrong
        client.poll()  # wrong
    for _ in client.messages("a"):  # wrong
        pass
    client.messages("a", full="refuse")  # wrong
