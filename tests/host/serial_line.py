"""A serial line on a PC: a pty whose far side is carried to a broker byte for byte, as a modem or ser2net does.

Rule: one thread; a line has no begin and no end, so the link to the broker is made at the first byte that comes
up, and made again at the next one after the broker closed it.
"""
import os
import pty
import select
import socket
import termios
import threading
import time
import tty

UP, DOWN = 0, 1  # towards the broker, towards the client
TICK = 0.02  # s: how soon it sees what another thread told it


class SerialLine:
    """`with SerialLine(broker.port, baud=115200, chunk=16) as line:` and let the client open line.path.

    `baud`: ten bits a byte, both ways at once; 0 is without a limit. `chunk`: bytes carried at a time, as a
    UART's FIFO does. `links`: how many there were to the broker. `counts`: bytes carried up and down.
    """

    def __init__(self, port, baud=0, chunk=4096):
        self._port, self._baud, self._chunk = port, baud, chunk
        self._line, self._client_side = pty.openpty()  # both stay open: a wire has no end
        tty.setraw(self._client_side)
        settings = termios.tcgetattr(self._client_side)
        settings[6][termios.VMIN] = settings[6][termios.VTIME] = 0  # a read gives what is there, maybe nothing
        termios.tcsetattr(self._client_side, termios.TCSANOW, settings)
        os.set_blocking(self._line, False)
        self.path = os.ttyname(self._client_side)
        self.links = 0
        self.counts = [0, 0]
        self._broker = None
        self._plugged, self._ending = True, False
        self._forget()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def unplug(self):
        """What either side says from now on is lost, and the link to the broker ends without DISCONNECT."""
        self._plugged = False

    def plug(self):
        self._plugged = True

    def _forget(self):
        """The link to the broker is over, with all that is on its way."""
        if self._broker:
            self._broker.close()
        self._broker = None
        self._pending = [b"", b""]
        self._not_before = [0, 0]

    def _run(self):
        while not self._ending:
            if not self._plugged:
                self._forget()
            ends = [self._line] + [self._broker] * bool(self._broker)
            now = time.monotonic()
            reads = [end for way, end in enumerate(ends) if not self._pending[way]]
            writes = [ends[1 - way] for way in (UP, DOWN) if self._pending[way] and self._not_before[way] <= now]
            later = [at - now for at in self._not_before if at > now]
            readable, writable, _ = select.select(reads, writes, [], min([TICK, *later]))
            try:
                self._carry(readable, writable, time.monotonic())
            except BlockingIOError:
                pass
            except OSError:
                self._forget()

    def _carry(self, readable, writable, now):
        if self._line in writable:
            self._write(DOWN, now)
        if self._broker in writable:
            self._write(UP, now)
        if self._broker in readable:
            self._pending[DOWN] = self._broker.recv(self._chunk)
            if not self._pending[DOWN]:
                self._forget()
        if self._line in readable:
            data = os.read(self._line, self._chunk)
            if self._plugged:
                self._pending[UP] = data
                if not self._broker:
                    self._connect()

    def _connect(self):
        self._broker = socket.create_connection(("127.0.0.1", self._port), timeout=10)
        self._broker.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._broker.setblocking(False)
        self.links += 1

    def _write(self, way, now):
        data = self._pending[way]
        n = self._broker.send(data) if way == UP else os.write(self._line, data)
        self._pending[way] = data[n:]
        self.counts[way] += n
        if self._baud:
            self._not_before[way] = now + n * 10 / self._baud

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._ending = True
        self._thread.join(15)
        self._forget()
        os.close(self._line)
        os.close(self._client_side)
