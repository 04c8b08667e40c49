"""The types of a sensor: what is set, what is asked, and what the functions of the user are given."""
from typing import Literal, assert_type

from umqtt_full import MQTTClient, MQTTError, MQTTFull, __version__
from umqtt_full.link import backoff

mqtt = MQTTClient(
    ["mqtt://user:password@one:1883", "mqtt://two"], client_id=b"attic", keepalive=30, rx=512, slots=8,
    slot_size=128, filters=2, qos2_ids=16, level=3, full="drop_oldest", queue_qos0=True,
)
mqtt.will("attic/state", "offline", qos=1, retain=True)


def connected(session_present: bool) -> None:
    assert_type(mqtt.subscribe("a", 1), None)


def ended(reason: MQTTError | OSError | None) -> None:
    if isinstance(reason, MQTTError):
        print(reason.name, assert_type(reason.code, int), hex(reason.packet))


def later(attempt: int, delay_ms: int) -> bool:
    return attempt > 3


def is_network() -> bool:
    return True


mqtt.on_connect = connected
mqtt.on_disconnect = mqtt.on_offline = ended
mqtt.on_error = lambda error: print(error.args)
mqtt.on_reconnect = later
mqtt.on_publish = mqtt.on_drop = print
mqtt.on_subscribe = lambda name, granted: print(name.upper(), granted + 1)
mqtt.on_unsubscribe = lambda name: print(name.upper())
mqtt.gate = mqtt.watchdog = is_network
mqtt.trace(lambda sent, first_byte, length: print(sent, hex(first_byte), length))
mqtt.trace(None)
mqtt.connect_ms = mqtt.retry_min_ms = mqtt.retry_max_ms = mqtt.stable_ms = 5000

assert_type(mqtt.connect(2000), bool)
mqtt.start()
while mqtt.poll():
    try:
        assert_type(mqtt.publish(b"attic/temperature", "21.5", qos=1), int)
        mqtt.publish("attic/raw", memoryview(bytearray(2)), retain=True)
    except MQTTFull:
        assert_type(mqtt.drain(1000), bool)
assert_type(mqtt.state, Literal["offline", "connecting", "connected"])
assert_type(mqtt.connected, bool)
assert_type(mqtt.verified, bool | None)
assert_type(mqtt.reason, MQTTError | OSError | None)
assert_type(mqtt.counters["sent"], int)
assert_type(mqtt.next_ms() + mqtt.room() + backoff(1, 10, 20) + mqtt.dropped + mqtt.server, int)
assert_type(mqtt.disconnect(), bool)
mqtt.close()
assert_type(__version__, str)
