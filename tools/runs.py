"""The runs that bench.py counts: programs of measure/ on MicroPython, against a broker on loopback.

Rule: each client is compiled into a folder of its own; what a run says is one line "us N" (see measure/run.py).
"""
import collections
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

import env
import peers

sys.path[:0] = [str(env.ROOT / "tests/host"), str(env.ROOT)]
import mp  # noqa: E402
from process import clean_env  # noqa: E402

MEASURE = env.ROOT / "tools/measure"
TOPIC = b"bench/topic"
PEERS = {"simple": "umqtt.simple", "simple2": "umqtt.simple2", "chumicro": "chumicro-mqtt", "aiomqttc": "aiomqttc"}
HOST_CLIENTS = ("paho", "mqttjs")


def title(client):
    """What a client is called in a table."""
    known = {"full": "umqtt_full", "raw": "raw sockets", "paho": "paho-mqtt (CPython)", "mqttjs": "MQTT.js (Node)"}
    return known.get(client) or peers.title(PEERS[client])


class Sender:
    """Publishes to the broker what is to be received."""

    def __init__(self, port):
        self._link = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._in = self._link.makefile("rb")
        self._link.sendall(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04send")
        self._in.read(4)

    def send(self, qos, size, count):
        """Return when the broker has `count` messages."""
        body = b"\x00\x0b" + TOPIC + (b"\x00\x01" if qos else b"") + bytes(size)
        n = len(body)
        length = bytes([n]) if n < 128 else bytes([n & 127 | 128, n >> 7])
        packet = bytes([0x30 | qos << 1]) + length + body
        for _ in range(count):
            self._link.sendall(packet)
            if qos:
                self._in.read(4)
            if qos == 2:
                self._link.sendall(b"\x62\x02\x00\x01")
                self._in.read(4)
        self._link.sendall(b"\xc0\x00")  # PINGREQ: what is before it was taken
        self._in.read(2)

    def close(self):
        self._link.close()


class Delay:
    """A link to 127.0.0.1:target on which each byte takes `seconds` each way, however many are under way.

    TCP's own acknowledgements are not delayed: of what Nagle's algorithm costs over such a link it shows nothing.
    """

    def __init__(self, target, seconds):
        self._target, self._seconds = target, seconds
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"mqtt://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            broker = socket.create_connection(("127.0.0.1", self._target))
            for end in client, broker:
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for ends in (client, broker), (broker, client):
                queue = collections.deque()
                news = threading.Semaphore(0)
                threading.Thread(target=self._read, args=(ends[0], queue, news), daemon=True).start()
                threading.Thread(target=self._write, args=(ends[1], queue, news), daemon=True).start()

    def _read(self, end, queue, news):
        data = True
        while data:
            try:
                data = end.recv(65536)
                if hasattr(socket, "TCP_QUICKACK"):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            except OSError:
                data = b""
            queue.append((time.monotonic() + self._seconds, data))
            news.release()

    def _write(self, end, queue, news):
        data = True
        while data:
            news.acquire()
            at, data = queue.popleft()
            time.sleep(max(0, at - time.monotonic()))
            try:
                end.sendall(data) if data else end.shutdown(socket.SHUT_WR)
            except OSError:
                return

    def close(self):
        self._listener.close()


class Runs:
    """Runs programs of measure/ against the broker, which is running. `missing`: what can not be, and why."""

    def __init__(self, broker, folder, clients):
        self.broker, self._folder = broker, folder
        self.missing = []
        self.clients = [client for client in clients if self._prepare(client)]

    def _prepare(self, client):
        target = self._folder / client
        if client in HOST_CLIENTS:
            return self._has_host_client(client)
        if client == "full":
            shutil.copytree(mp.compact_folder(), target)
        elif client != "raw":
            source = peers.get(PEERS[client], self.missing)
            if not source:
                return False
            peers.compile_tree(source, target)
        for name in ("run", f"with_{client}"):
            peers.compile_file(MEASURE / f"{name}.py", target / f"{name}.mpy")
        return True

    def _has_host_client(self, client):
        there = shutil.which("node") and (env.NODE / "node_modules/mqtt").is_dir() if client == "mqttjs" else True
        if not there:
            self.missing.append(f"{title(client)}: not installed")
        return there

    def run(self, client, way, qos=0, size=64, count=100, n=1, url=None, under=(), heapsize="256k", more=()):
        """Run one measurement: (its lines, what it printed to stderr). `under`: a command to run it under.

        `n`: the window or the burst of measure/with_full.py. `more`: words for measure/run.py.
        """
        words = [way, url or self.broker.url, qos, size, count, n, *more]
        folder = self._folder / client
        if client == "mqttjs":
            command = ["node", MEASURE / "with_mqttjs.mjs", env.NODE / "node_modules/mqtt/build/index.js", *words]
            folder = self._folder
        elif client == "paho":
            command = [env.VENV / "bin/python", "-u", MEASURE / "run.py", "with_paho", *words]
            folder = self._folder
        else:
            command = direct() if under else [env.find_micropython()]
            command += ["-X", f"heapsize={heapsize}", "-m", "run", f"with_{client}", *words]
        path = clean_env(MICROPYPATH=mp.import_path(folder))
        sender = Sender(self.broker.port) if way in ("receive", "heap") else None
        lines = []
        with tempfile.TemporaryFile("w+") as errors, subprocess.Popen(
            list(map(str, [*under, *command])), env=path, cwd=folder, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=errors, text=True) as process:
            for line in process.stdout:
                lines.append(line.strip())
                if line.startswith("us "):
                    break
                if sender:
                    sender.send(qos, size, n)
                process.stdin.write("\n")
                process.stdin.flush()
            try:
                process.wait(60)
            finally:
                process.kill()
            errors.seek(0)
            said = errors.read()
        if sender:
            sender.close()
        if process.returncode or not lines or not re.fullmatch(r"us \d+", lines[-1]):
            raise RuntimeError(f"{client} {words}: {lines[-1:]} {said[-2000:]}")
        return lines, said

    def rate(self, *args, **kw):
        """Messages a second."""
        lines, _ = self.run(*args, **kw)
        return kw["count"] * 1e6 / int(lines[-1].split()[1])

    def instructions(self, client, way, qos, few, many):
        """Instructions a message: what callgrind counts in a run of `many` less one of `few`."""
        under = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        counts = []
        for count in (few, many):
            n, count = burst(way, qos, 1, count)
            _, said = self.run(client, way, qos, count=count, n=n, under=under, heapsize="16m", more=["never"])
            counts.append((count, int(re.search(r"Collected : (\d+)", said)[1])))
        (n1, first), (n2, second) = counts
        return round((second - first) / (n2 - n1))


BURST = 16  # of QoS 2: of more, mosquitto has more than 32 under way, as it counts only those without PUBREC


def burst(way, qos, n, count):
    """How many messages wait at the broker at a time, and the next count that is a multiple of it."""
    if way != "receive":
        return n, count
    n = BURST if qos == 2 else count
    return n, -(-count // n) * n


def direct():
    """The command of MicroPython without the shell script around it, as valgrind needs it."""
    path = env.find_micropython()
    text = path.read_bytes()
    if not text.startswith(b"#!/bin/sh"):
        return [path]
    program, code = re.search(r'exec "(.*?)" -I -S -c \'(.*?)\'', text.decode(), re.S).groups()
    return [program, "-I", "-S", "-c", code]
