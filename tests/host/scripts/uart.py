# The client over a serial line: what it says through a device file, in three shapes of a stream.
# Rule: as in traffic.py; the url is the path of the device. A stream is given to the client as a board gives its
# UART: readinto() and write() that never wait, None where nothing goes.
import sys

FIFO = 5  # bytes that one write() takes: packets go out in pieces

if sys.implementation.name == "micropython":
    import io
    import select

    class Device(io.IOBase):
        """A device file with the interface of machine.UART."""

        def __init__(self, path):
            self._file = open(path, "r+b", 0)  # a FileIO: it waits, but for what is ready it needs not to
            self._poller = select.poll()
            self._poller.register(self._file, select.POLLIN | select.POLLOUT)

        def _ready(self, mask):
            for _, events in self._poller.ipoll(0):
                return events & mask
            return 0

        def any(self):
            return self._ready(select.POLLIN)

        def readinto(self, buf, n):
            return self._file.readinto(buf, n) if self.any() else None

        def write(self, buf, off, n):
            return self._file.write(buf, off, min(n, FIFO)) if self._ready(select.POLLOUT) else None

        def ioctl(self, request, mask):
            return self._ready(mask) if request == 3 else -1  # 3: which of these events are there?

        def end(self):
            self._file.close()

else:
    import os
    import select

    class Device:
        """A device file with the interface of machine.UART, and fileno(), by which CPython can poll it."""

        def __init__(self, path):
            self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)

        def fileno(self):
            return self._fd

        def any(self):
            return bool(select.select([self._fd], [], [], 0)[0])

        def readinto(self, buf, n):
            return os.readv(self._fd, [memoryview(buf)[:n]]) if self.any() else None

        def write(self, buf, off, n):
            try:
                return os.write(self._fd, memoryview(buf)[off : off + min(n, FIFO)])
            except BlockingIOError:
                return None

        def end(self):
            os.close(self._fd)


class Closing(Device):
    """One that is opened for each link, and closed."""

    def close(self):
        self.end()


class Bare:
    """Nothing but the two methods that a stream must have: it can not be polled."""

    def __init__(self, device):
        self.readinto = device.readinto
        self.write = device.write


def forget(device):
    """Let go what is left of an earlier link: a line has no begin, so it would come as an answer to CONNECT."""
    scrap = bytearray(FIFO)
    while device.any():
        device.readinto(scrap, FIFO)
    return device


def opener(path, shape):
    """A function that gives the client its stream. `shape`: 0 a new stream for each link; 1 always the same
    one, without close(), as a UART is; 2 the same, and it can not be polled."""
    if shape == 0:
        return lambda: forget(Closing(path))
    device = Device(path)
    stream = device if shape == 1 else Bare(device)

    def open_uart():
        forget(device)
        return stream

    return open_uart


def client(s, **options):
    s.url = opener(s.url, s.shape)
    return s.client(clean=False, slots=8, slot_size=64, qos2_ids=200, **options)


def listen(s, c):
    """The numbers that come to name/in, by their QoS."""
    got = [[], [], []]
    c.on(s.topic("in"), lambda msg: got[msg.qos].append(msg.payload_int()), 2)
    return got


def both_ways(s):
    """`count` numbers of each QoS to name/out/qos, while as many come to name/in."""
    c = client(s)
    got = listen(s, c)
    done = []
    c.on_publish = done.append
    c.connect()
    s.say("connected")
    s.hear()
    for i in range(3 * s.count):
        while not c.room():
            c.poll(100)
        c.publish(s.topic("out/%d" % (i % 3)), b"%d" % (i // 3), i % 3)
    s.wait(lambda: min(len(numbers) for numbers in got) >= s.count, 30000)
    assert c.drain(5000) and len(done) == 2 * s.count, len(done)
    assert got == [list(range(s.count))] * 3, got
    assert c.counters["resent"] == c.counters["stray"] == c.counters["reconnects"] == 0, c.counters
    assert c.disconnect()


def a_quiet_line(s):
    """Nothing is said for a while; then the test unplugs the line, which only keepalive can find."""
    c = client(s, keepalive=1)
    c.connect_ms = 500
    reasons = []
    c.on_disconnect = lambda reason: reasons.append(getattr(reason, "name", "asked"))
    c.start()
    s.wait(lambda: c.connected)
    before = c.counters["bytes_out"]
    s.rest(3000)
    assert c.connected and not reasons, reasons
    pings = (c.counters["bytes_out"] - before) // 2
    assert 2 <= pings <= 8, pings
    s.say("quiet")
    s.hear()
    s.wait(lambda: reasons)
    assert reasons == ["keep alive timeout"], reasons
    s.rest(600)
    assert not c.connected
    s.say("found")
    s.hear()
    s.wait(lambda: c.connected)
    assert c.session_present and c.disconnect()


def unplugged(s):
    """`count` numbers of QoS 1 and of QoS 2, each way, over a line that the test unplugs in the middle."""
    c = client(s, keepalive=1)
    c.connect_ms = 500
    got = listen(s, c)
    done = []
    c.on_publish = done.append
    c.start()
    s.wait(lambda: c.connected)
    s.say("connected")
    s.hear()
    for i in range(2 * s.count):
        s.wait(c.room, 20000)
        c.publish(s.topic("out/%d" % (i % 2 + 1)), b"%d" % (i // 2), i % 2 + 1)
    s.wait(lambda: c.room() == 8 and len(set(got[1])) == len(set(got[2])) == s.count, 40000)
    s.wait(lambda: c.connected)
    s.say("has all")
    s.hear()
    s.rest(200)
    assert len(done) == 2 * s.count, len(done)
    assert got[2] == list(range(s.count)), got[2]
    assert sorted(set(got[1])) == list(range(s.count)), got[1]
    assert c.counters["reconnects"] >= s.cuts and c.counters["resent"], c.counters
    c.disconnect()
