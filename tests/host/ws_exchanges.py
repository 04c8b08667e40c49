# The exchanges of exchanges.py over WebSocket. Runs on CPython, and as a program on MicroPython.
# Rule: as there; only the client is another.
import sys

import exchanges

import umqtt_full
from umqtt_full.net import TCP
from umqtt_full.ws import WebSocket


def client(port, client_id):
    """A client that keeps its session and comes back at once."""
    server = WebSocket(TCP("127.0.0.1", port), "localhost")
    c = umqtt_full.MQTTClient(server, client_id, keepalive=0, clean=False, rx=64, slot_size=64, slots=4)
    c.retry_min_ms = 1
    c.retry_max_ms = 4
    return c


if __name__ == "__main__":
    exchanges.client = client
    exchanges.main(int(sys.argv[1]))
