"""A session outlives its packet ids: 70,000 messages of QoS 1, of which 65,535 can have an id of their own.

Rule: every byte that reaches the far end is compared; the acks are counted and their ids looked at on our side.
"""
import socket

import near
import pytest

COUNT = 70_000


class Subscriber:
    """A plain socket that subscribes with QoS 0 and takes what comes as one stream of bytes."""

    def __init__(self, broker, name, topic):
        self._link = socket.create_connection((broker.host, broker.port), timeout=30)
        self._ask(0x10, b"\x00\x04MQTT\x04\x02\x00\x00" + self._string(name), 4)
        self._ask(0x82, b"\x00\x01" + self._string(topic) + b"\x00", 5)

    @staticmethod
    def _string(text):
        return len(text).to_bytes(2, "big") + text.encode()

    def _ask(self, head, body, answer):
        self._link.sendall(bytes([head, len(body)]) + body)
        assert len(self._link.recv(answer)) == answer

    def read(self, count):
        """Return so many bytes, or fewer if no more come."""
        got = bytearray()
        while len(got) < count and (part := self._link.recv(min(1 << 16, count - len(got)))):
            got += part
        return bytes(got)

    def is_silent(self, seconds):
        self._link.settimeout(seconds)
        with pytest.raises(TimeoutError):
            self._link.recv(1)
        return True

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._link.close()


def test_70000_messages_arrive_once_and_in_order(kind, mosquitto, uid):
    topic = f"{uid}/n"
    fields = len(topic).to_bytes(2, "big") + topic.encode()
    head = bytes([0x30, len(fields) + 5]) + fields
    want = b"".join(head + b"%05d" % i for i in range(COUNT))
    with Subscriber(mosquitto, f"{uid}-far", topic) as far, \
            near.begin(kind, "long_session", "more_messages_than_ids", mosquitto.url, uid, count=COUNT) as side:
        got = far.read(len(want))
        side.finish()
        assert got == want, f"{len(got)} of {len(want)} bytes"
        assert far.is_silent(0.2)
