"""The types of TLS."""
import ssl
from typing import assert_type

from umqtt_full import MQTTClient
from umqtt_full.tls import TLS
from umqtt_full.tlserror import TLSError

MQTTClient("mqtts://broker.local", ca=b"...", cert="own.pem", key="own.key", server_name="broker")
MQTTClient("mqtts://broker.local", psk=(b"identity", b"key"))
MQTTClient("mqtts://broker.local", context=ssl.create_default_context())
server = TLS("broker.local", insecure_no_verification=True)
mqtt = MQTTClient(server)
assert_type(server.verified, bool)


def failed(error: Exception) -> None:
    if isinstance(error, TLSError):
        print(error.name.upper(), error.raw.upper(), error.errno)


mqtt.on_error = failed
