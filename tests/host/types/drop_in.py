"""The types of the drop-ins: programs for umqtt.simple and umqtt.robust."""
import ssl
from typing import assert_type

from umqtt_full import robust
from umqtt_full.simple import MQTTClient, MQTTException


def callback(topic: bytes, msg: bytes) -> None:
    print(topic.decode(), msg)


class Larger(MQTTClient):
    SLOT_SIZE = 1024


class Patient(robust.MQTTClient):
    DELAY = 0.5
    DEBUG = True

    def delay(self, i: int) -> None:
        pass


client = Larger(b"me", "broker.local", user="u", password=b"p", keepalive=60)
client.set_callback(callback)
client.set_last_will("state", b"off", retain=True)
try:
    assert_type(client.connect(clean_session=False, timeout=2.5), int)
except MQTTException as e:
    print(e.args[0])
client.subscribe(b"a/#", qos=1)
client.publish("a", b"b", True, 1)
assert_type(client.wait_msg(), int | None)
assert_type(client.check_msg(), int | None)
client.ping()
client.unsubscribe("a/#")
client.disconnect()

secure = Patient("me", "broker.local", 8883, ssl=True, ssl_params={"server_hostname": "broker.local"})
assert_type(secure.reconnect(), int)
secure.check_msg(attempts=3)
MQTTClient("me", "broker.local", ssl=ssl.create_default_context())
