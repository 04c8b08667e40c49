"""The types of large payloads, and of streams and servers of the user's own."""
from typing import assert_type

from umqtt_full import MQTTClient
from umqtt_full.net import TCP
from umqtt_full.stream import Streams, to_file


class Pipe:
    """A stream of the user's own."""

    def readinto(self, buf: bytearray, n: int) -> int | None:
        return None

    def write(self, buf: bytearray | bytes, off: int, n: int) -> int:
        return n

    def close(self) -> None:
        pass


class Uart:
    """As the stubs of MicroPython have it."""

    def any(self) -> int:
        return 0

    def readinto(self, buf: bytearray, nbytes: int = 0, /) -> int | None:
        return None

    def write(self, buf: bytes | bytearray, /) -> int | None:
        return None


class Server:
    """A server of the user's own."""

    def open(self) -> Pipe:
        return Pipe()

    def failed(self) -> None:
        pass


def line() -> Uart:
    return Uart()


def fill(offset: int, buf: bytearray | memoryview) -> int:
    return len(buf)


tcp = TCP("broker.local", 1883)
tcp.resolve = lambda host, port: [(2, 1, 6, "", (host, port))]
mqtt = MQTTClient([tcp, Pipe, Server(), "mqtt://broker.local"])
mqtt = MQTTClient(line)
streams = Streams(mqtt, block=512)
streams.on("image", to_file(lambda: open("image.bin", "wb"), done=lambda stream: print(stream.length)), qos=1)
block = bytearray(64)


@streams.on("log/+", qos=1)
def take(stream: Streams) -> None:
    n = stream.readinto(block)
    assert_type(n, int | None)
    if stream.offset == n:
        print(stream.topic.upper(), stream.length - stream.remaining, stream.message.qos)
    stream.skip()


take(streams)
with open("photo.jpg", "rb") as photo:
    assert_type(streams.publish("photo", photo, 1000, qos=2), int)
streams.publish(b"made", fill, 1000, retain=True)
print(streams.error)
