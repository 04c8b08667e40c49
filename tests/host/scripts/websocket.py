# The scenarios of traffic.py and alone.py over WebSocket, and some of its own.
# Rule: the url is ws://host:port or wss://host:port/file, where the file holds the authority's certificate.
import alone
import traffic

from umqtt_full.net import TCP
from umqtt_full.ws import WebSocket


def server(url):
    scheme, _, rest = url.partition("://")
    where, _, ca = rest.partition("/")
    host, port = where.split(":")
    if scheme == "ws":
        return WebSocket(TCP(host, int(port)), where)
    from umqtt_full.tls import TLS

    return WebSocket(TLS(host, int(port), ca="/" + ca), where)


def over(s):
    """Have the clients of a side speak WebSocket, each with a server of its own."""
    url, make = s.url, s.client

    def client(suffix="", **options):
        s.url = server(url)
        return make(suffix, **options)

    s.client = client


def sends(s):
    over(s)
    traffic.sends(s)


def receives(s):
    over(s)
    traffic.receives(s)


def comes_back(s):
    over(s)
    traffic.comes_back(s)


def every_qos_both_ways(s):
    over(s)
    alone.every_qos_both_ways(s)


def payload(n):
    return bytes([i * 7 + (i >> 8) + n & 255 for i in range(n)])


def every_length_both_ways(s):
    """Payloads of 0 to 5000 bytes come back as they went."""
    over(s)
    c = s.client(rx=5100, slots=4, slot_size=5100)
    lengths = [n for n in range(5001) if n < s.each or n % s.step == 0]
    at = [0]

    def handler(msg):
        n = lengths[at[0]]
        if msg.payload != payload(n):
            raise AssertionError("not the payload of %d bytes" % n)
        at[0] += 1

    c.on(s.topic("echo"), handler, 2)
    c.connect()
    topic = s.topic("echo").encode()
    for i in range(len(lengths)):
        s.wait(lambda i=i: c.room() and i - at[0] < 8)
        c.publish(topic, payload(lengths[i]), s.qos)
    s.wait(lambda: at[0] == len(lengths))
    assert c.disconnect()


def a_wait_does_not_spin(s):
    """Each wait for the answer to the upgrade sleeps until it comes, or something is due."""
    over(s)
    c = s.client()
    turns = [0]

    def turn():
        turns[0] += 1

    c.watchdog = turn
    c.connect()
    assert turns[0] < 60, turns
    assert c.disconnect()
