"""The types of WebSocket and of URLs."""
from typing import assert_type

from umqtt_full import MQTTClient, url
from umqtt_full.net import TCP
from umqtt_full.tls import TLS
from umqtt_full.ws import WebSocket, WebSocketError


def sign(path: str, headers: dict[str, str]) -> tuple[str, dict[str, str]]:
    return path + "?signature=1", {**headers, "Date": "now"}


secure = TLS("broker.local", 443)
server = WebSocket(secure, "broker.local", "/mqtt", {"Authorization": "Bearer 1"}, sign, buffer=512)
mqtt = MQTTClient([server, WebSocket(TCP("broker.local", 80), "broker.local"), "ws://broker.local/mqtt"])
assert_type(server.verified, bool | None)
assert_type(url.parse("wss://broker.local/mqtt")[5], int)
try:
    mqtt.connect()
except WebSocketError as e:
    print(e.name, e.code, e.status + 1)
