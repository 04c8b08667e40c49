"""A broker that does as the test says: the bytes it sends, and when it closes, are the test's.

Rule: a real socket on loopback, but no thread: whoever waits for the client's bytes lets it poll meanwhile,
so each step happens in the order in which it is written. Bytes are given and shown as hex.
"""
import socket
import struct
import time

import umqtt_full

ACCEPTED = "20020000"
PRESENT = "20020100"
SECONDS = 10


class Hostile:
    """`with Hostile(clean=False) as broker:`, broker.c is its client, which wants to connect for ever.

    `reasons`: codes (or OSError) by which its links ended; `got`, `oversize`, `published`, `granted`: what it
    told its user.
    """

    def __init__(self, client_id="c", started=True, **options):
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)  # so that a test can fill it
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(4)
        self._listener.setblocking(False)
        self.peer = None
        self.reasons, self.got, self.oversize, self.published, self.granted = [], [], [], [], []
        url = f"mqtt://127.0.0.1:{self._listener.getsockname()[1]}"
        self.c = c = umqtt_full.MQTTClient(url, client_id, **{"keepalive": 0, **options})
        c.retry_min_ms = c.retry_max_ms = 1
        c.stable_ms = 0
        c.on_disconnect = c.on_error = lambda reason: self.reasons.append(getattr(reason, "code", reason))
        c.on_message = lambda msg: self.got.append((msg.topic, bytes(msg.payload)))
        c.on_oversize = lambda msg: self.oversize.append((msg.topic, len(msg)))
        c.on_publish = self.published.append
        c.on_subscribe = lambda name, granted: self.granted.append((name, granted))
        if started:
            c.start()

    def until(self, condition, what="what was awaited"):
        """Let the client poll until it is so."""
        end = time.monotonic() + SECONDS
        while not condition():
            self.c.poll(1)
            assert time.monotonic() < end, f"no {what}; {self.c.state}, ended by {self.reasons}"

    def rest(self, seconds=0.02):
        """Let the client poll for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.c.poll(1)

    def accept(self, *answer):
        """Take the client's next link, read CONNECT, send the answer; return the peer."""
        accepted = []
        if self.peer:
            self.peer.end()

        def try_accept():
            try:
                accepted.append(self._listener.accept()[0])
            except BlockingIOError:
                pass
            return accepted

        self.until(try_accept, "link")
        self.peer = Peer(self, accepted[0])
        self.peer.connect = self.peer.expect("10")
        self.peer.send(*answer)
        return self.peer

    def up(self, answer=ACCEPTED):
        """Take the next link and see it come up."""
        peer = self.accept(answer)
        self.until(lambda: self.c.connected, "connection")
        return peer

    def ended(self, code):
        """The link must end, by this code."""
        self.until(lambda: self.reasons, "end of the link")
        reason = self.reasons.pop()
        name = reason if isinstance(reason, OSError) or reason is None else hex(reason)
        assert reason == code, f"ended by {name}, not {code:#x}"

    def alive(self):
        """The link must be as good as ever."""
        self.peer.send("32060001 61 7777 78")
        assert self.peer.packet() == "40027777"
        assert self.c.connected and not self.reasons
        assert self.got.pop() == ("a", b"x")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.c.close()
        if self.peer:
            self.peer.end()
        self._listener.close()


class Peer:
    """The broker's end of one link."""

    def __init__(self, broker, sock):
        self._broker = broker
        self._sock = sock
        self._data = b""
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, *texts):
        """Send bytes, all in one segment."""
        data = b"".join(text if isinstance(text, bytes) else bytes.fromhex(text) for text in texts)
        while data:
            try:
                data = data[self._sock.send(data):]
            except BlockingIOError:
                self._broker.c.poll(1)

    def packet(self):
        """Wait for the client's next packet and return it."""
        self._broker.until(self._whole, "packet")
        n = self._whole()
        packet, self._data = self._data[:n], self._data[n:]
        return packet.hex()

    def expect(self, *starts):
        """The next packets must begin so; return the last."""
        for start in starts:
            packet = self.packet()
            assert packet.startswith(start.replace(" ", "")), f"{packet}, not {start}"
        return packet

    def silent(self, seconds=0.02):
        """The client must send nothing for a while."""
        self._broker.rest(seconds)
        assert not self._whole(), self.packet()

    def end(self, reset=False):
        """Close this end."""
        if reset:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def _whole(self):
        """The length of the first packet if all of it is here, else 0."""
        try:
            self._data += self._sock.recv(65536)
        except (BlockingIOError, ConnectionResetError):
            pass
        except OSError:
            return 0
        n = shift = 0
        for at in range(1, min(5, len(self._data))):
            n |= (self._data[at] & 127) << shift
            shift += 7
            if self._data[at] < 128:
                return at + 1 + n if len(self._data) > at + n else 0
        return 0
