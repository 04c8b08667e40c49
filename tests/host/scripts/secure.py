# A link by TLS: what connects, what fails and how that is called, and what passes through it.
# Rule: as in alone.py, but the url is "folder port ...": the certificates, and the ports that are meant.
import gc
import os
import sys
import time

from umqtt_full import MQTTClient, tlserror
from umqtt_full.tls import TLS
from umqtt_full.tlserror import TLSError

MICROPYTHON = sys.implementation.name == "micropython"


class Place:
    """The url's folder and ports. `server()` is by default the first, and trusts our authority."""

    def __init__(self, s):
        words = s.url.split()
        self.folder = words[0] + "/"
        self.ports = [int(word) for word in words[1:]]

    def read(self, name):
        with open(self.folder + name, "rb") as file:
            return file.read()

    def server(self, at=0, host="localhost", **options):
        if "ca" not in options and "context" not in options:
            options["ca"] = self.folder + "ca.crt"
        return TLS(host, self.ports[at], **options)

    def pair(self, name, end=""):
        return {"cert": self.folder + name + ".crt" + end, "key": self.folder + name + ".key" + end}


class Narrow(TLS):
    """A server to which little can be under way, so that writes block."""

    def open(self):
        stream = super().open()
        self._socket.setsockopt(1, 7, 2048)  # SO_SNDBUF on Linux
        return stream


class Turns(MQTTClient):
    """A client that counts how often it looked for something to do."""

    turns = 0

    def _turn(self):
        self.turns += 1
        return super()._turn()


def connects(s, server):
    c = MQTTClient(server, s.name)
    s.clients.append(c)
    c.connect(5000)
    assert c.disconnect()


# -- what connects


def any_kind_of_certificate(s):
    p = Place(s)
    for name in ("ca.crt", "ca.crt.der"):
        for ca in (p.folder + name, p.read(name)):
            server = p.server(ca=ca)
            connects(s, server)
            assert server.verified is True
    two = p.read("other.crt") + p.read("ca.crt")
    connects(s, p.server(ca=two))
    connects(s, p.server(host="127.0.0.1"))
    connects(s, p.server(host="127.0.0.1", server_name="localhost"))


def a_client_certificate(s):
    p = Place(s)
    for end in ("", ".der"):
        files = p.pair("client", end)
        connects(s, p.server(**files))
        connects(s, p.server(cert=p.read("client.crt" + end), key=p.read("client.key" + end)))
    chain = p.read("client.crt")
    connects(s, p.server(cert=chain, key=p.read("client.key")))


def no_verification_that_is_asked_for(s):
    p = Place(s)
    for ca in (None, p.folder + "other.crt"):
        server = p.server(ca=ca, insecure_no_verification=True)
        connects(s, server)
        assert server.verified is False


def a_context_of_the_user(s):
    p = Place(s)
    if MICROPYTHON:
        import tls

        context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(p.read("ca.crt.der"))
    else:
        import ssl

        context = ssl.create_default_context(cafile=p.folder + "ca.crt")
    server = p.server(context=context)
    connects(s, server)
    assert server.verified is True


def a_key_both_have(s):
    p = Place(s)
    psk = b"board", b"\x01\x02\x03\x04\x05\x06\x07\x08"
    if MICROPYTHON:
        server = p.server(ca=None, psk=psk)
        connects(s, server)
        assert p_fails(s, p.server(ca=None, psk=(b"board", b"12345678"))) == "pre-shared key refused"
        assert p_fails(s, p.server()) == "no common cipher"
    else:
        try:
            p.server(ca=None, psk=psk)
        except ValueError as e:
            assert str(e) == "psk: this port has none"
        else:
            raise AssertionError("no ValueError")


# -- what fails


def p_fails(s, server, on_error=None):
    """Connect; the name of the TLSError that comes of it, from connect() and from on_error."""
    c = MQTTClient(server, s.name)
    s.clients.append(c)
    seen = []
    c.on_error = seen.append
    try:
        c.connect(5000)
    except TLSError as e:
        assert seen == [e] and c.reason is e and e.raw and str(e).startswith(e.name + " ("), seen
        return e.name
    raise AssertionError("no TLSError")


class Boot:
    """The time of a board whose clock was not set."""

    @staticmethod
    def gmtime():
        return (2021, 1, 1)


def failures(s):
    """Say "case: name" for each; the ports: good, mutual, expired, future, elsewhere, no TLS."""
    p = Place(s)
    cases = (
        ("another authority", p.server(ca=p.folder + "other.crt")),
        ("another name asked for", p.server(server_name="other.example")),
        ("another address asked for", p.server(server_name="127.0.0.2")),
        ("no client certificate", p.server(1)),
        ("client certificate of another authority", p.server(1, **p.pair("other"))),
        ("expired", p.server(2)),
        ("not yet valid", p.server(3)),
        ("of another host", p.server(4)),
        ("no TLS at all", p.server(5)),
    )
    for case, server in cases:
        s.say("%s: %s" % (case, p_fails(s, server)))
    tlserror.time = Boot
    s.say("clock at 2021: %s" % p_fails(s, p.server(3)))
    tlserror.time = time


def what_can_not_work(s):
    p = Place(s)
    pair = p.pair("client")
    wrong = [{"cert": pair["cert"]}, {"key": pair["key"]}, {"ca": b"nonsense"}]
    wrong.append({"cert": p.read("client.crt"), "key": b"nonsense"})
    if MICROPYTHON:
        wrong.append({"ca": None})
    for options in wrong:
        try:
            p.server(**options)
        except ValueError as e:
            assert str(e), options
        else:
            raise AssertionError(str(options))
    try:
        p.server(ca=p.folder + "none")
    except OSError:
        pass
    else:
        raise AssertionError("no such file")


def no_memory(s):
    """The port has no room for the buffers, or for what the handshake needs."""
    p = Place(s)

    class Full:
        verify_mode = 2

        def wrap_socket(self, stream, **options):
            self.stream = stream
            raise self.error

    for error in (MemoryError(), OSError(12, "ENOMEM")):
        full = Full()
        full.error = error
        assert p_fails(s, p.server(context=full)) == "not enough contiguous memory"
    server = p.server()
    server.open().close()
    e = server.explain(OSError(-0x7F00, "MBEDTLS_ERR_SSL_ALLOC_FAILED"), False)
    assert e.name == "not enough contiguous memory" and "20480 bytes" in str(e), e
    others = OSError(-2), OSError(104), OSError("text"), OSError(), ValueError("mine"), MemoryError(), KeyError(1)
    for e in others:
        assert server.explain(e, False) is e
    assert server.explain(OSError(-0x7180), False).name == "TLS failed"


# -- what passes


PATTERN = bytes(range(251)) * 21


def payload(i):
    """The i-th payload: 0 to 5,000 bytes, see test_tls.py."""
    return PATTERN[i % 251 : i % 251 + i * 1237 % 5001]


def sends(s):
    p = Place(s)
    server = Narrow("localhost", p.ports[0], ca=p.folder + "ca.crt")
    c = MQTTClient(server, s.name, slots=120, slot_size=5100)
    s.clients.append(c)
    c.connect(5000)
    topic = s.topic("up").encode()
    blocked = 0
    for i in range(s.count):
        while not c.room():
            assert c.poll(1000)
        c.publish(topic, payload(i), 1)
        blocked += c._engine.busy != 0
    assert c.drain(20000) and c.counters["resent"] == 0, c.counters
    s.say("longest", c.longest_ms, "blocked", blocked)
    assert blocked > s.count // 10, blocked
    assert c.disconnect()


def receives(s):
    p = Place(s)
    c = MQTTClient(p.server(), s.name, rx=5100)
    s.clients.append(c)
    seen = [0, 0]

    def on_down(msg):
        seen[1] += not msg.payload_is(payload(seen[0]))
        seen[0] += 1

    c.on(s.topic("down"), on_down, 1)
    c.connect(5000)
    s.say("subscribed")
    while seen[0] < s.count:
        assert c.poll(10000), seen
    assert seen == [s.count, 0], seen
    s.say("longest", c.longest_ms)
    assert c.disconnect()


def takes_a_flood(s):
    """Many packets in one TLS record, then nothing more: none may wait for the next."""
    p = Place(s)
    c = MQTTClient(p.server(), s.name, keepalive=0)
    s.clients.append(c)
    seen = [0]

    def on_message(msg):
        assert msg.payload_int() == seen[0]
        seen[0] += 1

    c.on_message = on_message
    c.connect(5000)
    begin = time.ticks_ms()
    while seen[0] < s.count:
        assert c.poll(5000)
    took = time.ticks_diff(time.ticks_ms(), begin)
    s.say("took", took)
    assert took < 2000
    c.drain(1000)


# -- what stalls, and comes back


def stalls(s):
    """The peer falls silent in the handshake: the deadline ends it, without a busy wait; the next link is good."""
    p = Place(s)
    c = Turns(p.server(), s.name)
    s.clients.append(c)
    c.connect_ms = 300
    c.retry_min_ms = c.retry_max_ms = 1
    seen = []
    c.on_error = seen.append
    c.start()
    end = time.ticks_add(time.ticks_ms(), 300)
    while time.ticks_diff(end, time.ticks_ms()) > 0 and not seen:
        c.poll(1000)
    stalled = c.turns
    c.connect_ms = 5000
    s.wait(lambda: c.connected)
    assert [e.code for e in seen] == [0x101], seen
    s.say("longest", c.longest_ms, "turns", stalled)
    assert stalled < 30 and c.longest_ms < 1000, (stalled, c.longest_ms)
    assert c.disconnect()


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def comes_back(s):
    """The link is cut again and again: one context, no descriptor and no byte of the heap more."""
    p = Place(s)
    server = p.server()
    context = server._context
    c = MQTTClient(server, s.name)
    s.clients.append(c)
    c.retry_min_ms = c.retry_max_ms = 1
    ups = [0]

    def on_connect(present):
        ups[0] += 1

    c.on_connect = on_connect
    c.start()
    for i in range(s.count):
        while ups[0] == i:
            c.poll(1000)
        if i == 5:
            before = measure()
        s.say("cut")
    while ups[0] == s.count:
        c.poll(1000)
    after = measure()
    s.say("descriptors and bytes:", before, after)
    assert server._context is context
    assert abs(after[0] - before[0]) <= 2 and after[1] - before[1] < 2000, (before, after)
    c.close()


def measure():
    """Open descriptors, and bytes of the heap that are in use."""
    gc.collect()
    return descriptors(), gc.mem_alloc() if MICROPYTHON else 0


def fails_again_and_again(s):
    """A handshake that fails leaves nothing open."""
    p = Place(s)
    servers = [p.server(ca=p.folder + "other.crt"), p.server(server_name="other.example"), p.server(1)]
    before = 0
    for i in range(s.count):
        c = MQTTClient(servers[i % 3], s.name)
        try:
            c.connect(5000)
        except TLSError:
            pass
        if i == 5:
            before = descriptors()
    assert abs(descriptors() - before) <= 2, (before, descriptors())
