"""A bad link: a proxy between a client and a broker that does, after an exact byte, what links do.

Rule: one thread and plain sockets; what is wrong with the k-th connection is said before it is made, and a
connection of which nothing was said is a good link. The proxy keeps its port.
"""
import select
import socket
import struct
import threading
import time

UP, DOWN = 0, 1  # towards the broker, towards the client
RESET = struct.pack("ii", 1, 0)  # SO_LINGER that makes close() send RST


class Fault:
    """When `way` has carried `at` bytes, `what` happens; `piece` and `pause` hold for the whole connection.

    `what`: "fin" or "rst" cut both sides, "silent" swallows all that comes from either side and says nothing,
    "stall" holds that way up for `seconds`. `piece`: bytes forwarded at a time, `pause`: seconds before each.
    """

    def __init__(self, what=None, way=UP, at=0, seconds=0, piece=65536, pause=0):
        self.what, self.way, self.at, self.seconds = what, way, at, seconds
        self.piece, self.pause = piece, pause

    def __repr__(self):
        return f"{self.what} after {self.at} bytes {('up', 'down')[self.way]}"


class Connection:
    """A link through the proxy. `counts`: bytes forwarded up and down. `fired`: its fault has happened."""

    def __init__(self, client, target, fault):
        self.fault = fault
        self.fired = fault.what is None
        self.closed = False
        self.counts = [0, 0]
        broker = socket.create_connection(("127.0.0.1", target), timeout=10)
        self.ends = [client, broker]  # ends[UP] is where comes what goes up
        self._pending = [b"", b""]
        self._not_before = [0, 0]
        self._over = [False, False]  # this end sends no more
        self._swallow = False
        for end in self.ends:
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._fire(fault.way)

    def wants(self, now):
        """Sockets to read, sockets to write, and when time alone will change that (or None)."""
        reads, writes, at = [], [], None
        for way in (UP, DOWN):
            if self._over[way]:
                continue
            if not self._pending[way]:
                reads.append(self.ends[way])
            elif self._not_before[way] <= now:
                writes.append(self.ends[1 - way])
            else:
                at = min(at or self._not_before[way], self._not_before[way])
        return reads, writes, at

    def step(self, readable, writable, now):
        try:
            for way in (UP, DOWN):
                if not self.closed and not self._over[way] and self.ends[way] in readable:
                    self._read(way, now)
            for way in (UP, DOWN):
                if not self.closed and self._pending[way] and self.ends[1 - way] in writable:
                    self._write(way, now)
        except BlockingIOError:
            pass
        except OSError:
            self.close()

    def _read(self, way, now):
        data = self.ends[way].recv(65536)
        if not data:
            self._over[way] = True
            if not self._swallow:
                self.ends[1 - way].shutdown(socket.SHUT_WR)
            if all(self._over):
                self.close()
        elif not self._swallow:
            self._pending[way] = data
            self._not_before[way] = max(self._not_before[way], now + self.fault.pause)

    def _write(self, way, now):
        n = min(self.fault.piece, len(self._pending[way]))
        if not self.fired and self.fault.way == way:
            n = min(n, self.fault.at - self.counts[way])
        n = self.ends[1 - way].send(self._pending[way][:n])
        self.counts[way] += n
        self._pending[way] = self._pending[way][n:]
        self._not_before[way] = now + self.fault.pause
        self._fire(way)

    def _fire(self, way):
        fault = self.fault
        if self.fired or fault.way != way or self.counts[way] < fault.at:
            return
        self.fired = True
        if fault.what == "stall":
            self._not_before[way] = time.monotonic() + fault.seconds
            return
        self.fall_silent()
        if fault.what == "rst":
            for end in self.ends:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.close()
        elif fault.what == "fin":
            for end in self.ends:
                end.shutdown(socket.SHUT_WR)

    def fall_silent(self):
        """From now on swallow all that comes."""
        self._swallow = True
        self._pending = [b"", b""]

    def close(self):
        self.closed = True
        for end in self.ends:
            end.close()


class Proxy:
    """`with Proxy(broker.port) as proxy:` and let the client connect to proxy.url.

    `connections`: all links so far, the oldest first.
    """

    def __init__(self, target):
        self.target = target
        self.connections = []
        self._faults = []
        self._lock = threading.Lock()
        self._listener = self._listen(0)
        self.port = self._listener.getsockname()[1]
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self._ending = False
        self._bell, self._button = socket.socketpair()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def next(self, *faults):
        """Say what is wrong with the next connections, and forget those that were."""
        with self._lock:
            for connection in self.connections:
                connection.close()
            self.connections = []
            self._faults = list(faults)
        self._ring()

    def fired(self):
        """Has everything happened that was said to next()?"""
        return not self._faults and all(connection.fired for connection in self.connections)

    def refuse(self):
        """Refuse connections until accept(), and cut those that there are."""
        with self._lock:
            self._listener.close()
            self._listener = None
        self.next()

    def accept(self):
        with self._lock:
            self._listener = self._listen(self.port)
        self._ring()

    def open_links(self):
        return sum(not connection.closed for connection in self.connections)

    def _listen(self, port):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(16)
        listener.setblocking(False)
        return listener

    def _ring(self):
        self._button.send(b"!")

    def _run(self):
        while not self._ending:
            now = time.monotonic()
            with self._lock:
                live = [connection for connection in self.connections if not connection.closed]
                reads, writes, at = [self._bell], [], None
                for connection in live:
                    r, w, t = connection.wants(now)
                    reads += r
                    writes += w
                    at = min(at or t, t) if t else at
                if self._listener:
                    reads.append(self._listener)
            try:
                readable, writable, _ = select.select(reads, writes, [], at and max(0, at - time.monotonic()))
            except (OSError, ValueError):
                continue  # closed meanwhile by another thread
            with self._lock:
                self._act(live, readable, writable)

    def _act(self, live, readable, writable):
        if self._bell in readable:
            self._bell.recv(64)
        if self._listener in readable:
            try:
                client, _ = self._listener.accept()
            except BlockingIOError:
                return
            fault = self._faults.pop(0) if self._faults else Fault()
            self.connections.append(Connection(client, self.target, fault))
        for connection in live:
            if not connection.closed:
                connection.step(readable, writable, time.monotonic())

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._ending = True
        self._ring()
        self._thread.join(5)
        for end in (self._listener, self._bell, self._button, *self.connections):
            if end:
                end.close()
