"""The types of handlers and messages."""
from typing import Literal, assert_type

from umqtt_full import MQTTClient
from umqtt_full.message import Message

mqtt = MQTTClient("mqtt://broker.local", clean=False)
buffer = bytearray(8)


@mqtt.on("bulb/+/set", qos=2)
def set_lamp(msg: Message) -> bool:
    assert_type(msg.topic, str)
    assert_type(bytes(msg.payload), bytes)
    assert_type(msg.qos, Literal[0, 1, 2])
    mqtt.publish("copy/" + msg.topic, msg.payload, msg.qos, msg.retain or msg.dup)
    assert_type(msg.payload_int(), int | None)
    assert_type(msg.payload_int(0), int)
    assert_type(msg.copy_payload(buffer) + len(msg), int)
    msg.later()
    return msg.topic_is(b"bulb/1/set") and msg.payload_is("on")


assert_type(set_lamp(Message()), bool)  # a decorated function stays what it is


class Lamp:
    def take(self, msg: Message) -> None:
        pass


mqtt.on(b"a/b", Lamp().take, 1)
mqtt.on("no/subscribe", print, qos=None)
mqtt.on_message = mqtt.on_oversize = Lamp().take
mqtt.subscribe("a")
mqtt.subscribe(["a", b"b"], 1)
wanted = [("a", 1), ("b", 0)]
mqtt.subscribe(wanted)
mqtt.subscribe([("a", 2), "b"])
mqtt.unsubscribe("a")
mqtt.unsubscribe(["a", b"b"])
mqtt.start()
while mqtt.poll(1000):
    pass
