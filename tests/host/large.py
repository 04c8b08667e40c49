"""Large payloads: what they hold, the scripts that move them, and brokers behind TCP, TLS and WebSocket.

Rule: a payload's blocks of 256 bytes begin with their offset, so none can be missing, doubled or misplaced
without a trace in the SHA-256.
"""
import hashlib
import shutil
import socket
import tempfile
import threading
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

import brokers
import certificates
import mp
import near
import pytest
from farend import Paho
from proxy import Fault

MIB = 1 << 20
TAIL = 77  # no payload ends with a block
HEAP = "64k"  # of a board, though objects here are twice as large as there

# Without the threshold, what the import leaves behind is collected only when the heap is full, and by then
# the modules lie all over it.
PROGRAM = """
import gc
gc.threshold(2048)
{imports}
import {script}
{script}.run({server}, {arguments})
print("ok")
"""


@lru_cache
def payload(size):
    body = bytes(range(4, 256))
    return b"".join(at.to_bytes(4, "big") + body for at in range(0, size, 256))[:size]


def sha(data):
    return hashlib.sha256(data).hexdigest()


@lru_cache
def sha_of(size):
    return sha(payload(size))


def arrived(far, count):
    """The payloads that came to the far end, as a list of (last level of the topic, SHA-256)."""
    return [(topic[-1], sha(body)) for topic, body, _, _ in far.wait(count)]


def cut_twice(way, size):
    return Fault("rst", way, size // 2), Fault("fin", way, size * 3 // 4)


class Board(mp.MicroPython):
    """One of scripts/ in a MicroPython process, all of it from .mpy: `server` is an expression."""

    def __init__(self, script, server, *arguments, heapsize="64k", imports=""):
        if mp.unavailable():
            pytest.skip(mp.unavailable())
        self.folder = Path(tempfile.mkdtemp(prefix="umqtt-large-"))
        for name in {script, "large_notes"}:
            mp.compile_script(near.SCRIPTS / f"{name}.py", self.folder)
        words = ", ".join(map(repr, arguments))
        main = self.folder / "main.py"
        program = PROGRAM.format(script=script, server=server, arguments=words, imports=imports)
        main.write_text(mp.translated(program))
        super().__init__(main, heapsize=heapsize, mpy=True, paths=[self.folder])

    def told(self, word, timeout=60):
        """The numbers, or the text, that the next such line tells."""
        words = self.expect(word + " ", timeout).split()[1:]
        return words[0] if word == "sha" else [int(number) for number in words]

    def look(self, size, reason):
        """What it tells of one payload, which must be right: times begun, milliseconds, first and later heap.

        The heap is the same at eight places; what the first cuts leave behind may be `reason` bytes.
        """
        assert self.told("sha") == sha_of(size)
        (begun,), (took,), (first,), heap = (self.told(word) for word in ("begun", "took", "first", "heap"))
        assert heap == heap[:1] * 8, heap
        assert heap[0] - first <= (reason if begun > 1 else 0), (first, heap)
        return begun, max(took, 1), first, heap[0]

    def ended(self):
        return self.finish() == 0 and self.lines[-1] == "ok"

    def __exit__(self, *exc):
        super().__exit__(*exc)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def websocket_before(port):
    """A server that speaks WebSocket and passes on, both ways, to a broker; gives its port.

    mosquitto 2.0.11 sends no more than 40 kB/s over WebSocket by itself.
    """
    server = pytest.importorskip("websockets.sync.server", reason="websockets is not installed")
    from websockets.exceptions import ConnectionClosed

    def serve(link):
        with socket.create_connection(("127.0.0.1", port)) as broker, suppress(ConnectionClosed, OSError):

            def back():
                with suppress(ConnectionClosed, OSError):
                    while data := broker.recv(4096):
                        link.send(data)
                    link.close()

            threading.Thread(target=back, daemon=True).start()
            for data in link:
                broker.sendall(data)
            broker.shutdown(socket.SHUT_RDWR)

    with server.serve(serve, "127.0.0.1", 0, subprotocols=["mqtt"], compression=None) as listening:
        thread = threading.Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        yield listening.socket.getsockname()[1]
        listening.shutdown()
        thread.join(10)


class Over:
    """How a board gets to `broker`: by "tcp", "tls" or "ws" to `port`, or to that of a proxy before it."""

    def __init__(self, name, broker, port, server, imports=""):
        self.name, self.broker, self.port = name, broker, port
        self._server, self._imports = server, imports

    def far_end(self, name):
        return Paho(self.broker, f"{name}-far")

    def board(self, script, port, *arguments):
        server = self._server.format(port=port)
        return Board(script, server, *arguments, heapsize=HEAP, imports=self._imports)


@contextmanager
def over(name, folder):
    """A broker that is reached so; `folder` is for its files."""
    if brokers.Mosquitto.available():
        pytest.skip(brokers.Mosquitto.available())
    if name == "tls":
        if certificates.unavailable():
            pytest.skip(certificates.unavailable())
        certificates.Authority(folder).issue("server", "127.0.0.1")
        port = brokers.free_port()
        with brokers.Mosquitto(settings=brokers.tls_listener(port, folder, "server")) as broker:
            server = f"TLS('127.0.0.1', {{port}}, ca='{folder}/ca.crt.der')"
            yield Over(name, broker, port, server, "from umqtt_full.tls import TLS")
        return
    with brokers.Mosquitto() as broker:
        if name == "tcp":
            yield Over(name, broker, broker.port, "'mqtt://127.0.0.1:{port}'")
            return
        imports = "from umqtt_full.net import TCP\nfrom umqtt_full.ws import WebSocket"
        with websocket_before(broker.port) as port:
            yield Over(name, broker, port, "WebSocket(TCP('127.0.0.1', {port}), '127.0.0.1')", imports)
