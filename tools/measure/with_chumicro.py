# chumicro-mqtt as bench.py measures it: QoS 0 and 1, `window` messages under way.
# Rule: see with_full.py. Between two handle() it sleeps until the socket is ready for what the client wants.
import select
import socket
from time import ticks_diff, ticks_ms, ticks_us

from chumicro_mqtt.client import MQTTClient, ProtocolState
from chumicro_sockets._adapters.mp import _MpSocketWrapper

TOPIC = "bench/topic"


class Loop:
    def __init__(self, url, size):
        host, port = url[7:].split(":")
        sock = socket.socket()
        sock.connect(socket.getaddrinfo(host, int(port))[0][-1])
        sock.setblocking(False)
        self.client = MQTTClient(_MpSocketWrapper(sock), client_id="bench", rx_buffer_size=size + 64)
        self._sock = sock
        self._poller = select.poll()
        self._poller.register(sock, select.POLLIN)
        self.client.connect()
        while self.client.state != ProtocolState.CONNECTED:
            self.turn()

    def turn(self):
        self.client.handle(ticks_ms())
        wanted = self.client.io_interest(ticks_ms())
        mask = (select.POLLIN if wanted & 1 else 0) | (select.POLLOUT if wanted & 2 else 0)
        self._poller.modify(self._sock, mask)
        for _ in self._poller.ipoll(1000):
            pass
        self.client.handle(ticks_ms())


def publish(url, qos, payload, count, window):
    loop = Loop(url, len(payload))
    client = loop.client
    done = 0

    def on_publish(topic, payload):
        nonlocal done
        done += 1

    begin = ticks_us()
    for i in range(count):
        client.publish(TOPIC, payload, qos=qos, on_publish=on_publish)
        if not qos:
            client.handle(ticks_ms())
        while qos and i + 1 - done >= window:
            loop.turn()
    while done < count:
        loop.turn()
    took = ticks_diff(ticks_us(), begin)
    client.disconnect()
    return took


def receive(url, qos, size, bursts):
    loop = Loop(url, size)
    seen = granted = 0

    def on_message(topic, payload):
        nonlocal seen
        if len(payload) == size:
            seen += 1

    def on_subscribe(topic, qos):
        nonlocal granted
        granted = 1

    loop.client.on_message = on_message
    loop.client.subscribe(TOPIC, qos, on_subscribe=on_subscribe)
    while not granted:
        loop.turn()
    for end in bursts:
        while seen < end:
            loop.turn()
    loop.client.disconnect()
