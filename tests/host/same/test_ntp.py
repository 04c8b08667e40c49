# The clock from an SNTP server that a test plays: answers, silence, lies.
import errno
import time

from boards import Board

NOW = 1800000000  # Unix time, in January 2027


class Socket:
    """A UDP socket whose other end is the test."""

    made = []

    def __init__(self, *args):
        self.sent = self.answer = None
        self.closed = False
        Socket.made.append(self)

    def setblocking(self, on):
        assert on is False

    def connect(self, address):
        pass

    def send(self, data):
        self.sent = bytes(data)

    def recv(self, n):
        if self.answer is None:
            raise OSError(errno.EAGAIN, "nothing yet")
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def close(self):
        self.closed = True


class Sockets:
    socket = Socket
    SOCK_DGRAM = 2
    error = None

    @staticmethod
    def getaddrinfo(*args):
        if Sockets.error:
            raise Sockets.error
        return [(2, 2, 0, "", ("10.0.0.1", 123))]


class Time:
    """The module time, with a clock of its own: `epoch` is the year it counts from."""

    def __init__(self, now, epoch):
        self.now = now  # by its own epoch
        self.epoch = epoch

    def time(self):
        return self.now

    def gmtime(self, seconds=None):
        offset = 946684800 if self.epoch == 2000 else 0
        tm = time.gmtime((self.now if seconds is None else seconds) + offset)
        return tuple(tm)[:8]


def answer(question, unix, stratum=2, mode=4):
    seconds = (unix + 2208988800) & 0xFFFFFFFF
    head = bytes([0x20 | mode, stratum]) + bytes(22) + question[40:48]
    return head + bytes(8) + seconds.to_bytes(4, "big") + bytes(4)


def ntp_of(b, now=0, epoch=2000):
    """(module, Ntp, what the clock was set to)."""
    module = b.load("ntp")
    Socket.made = []
    Sockets.error = None
    module.socket = Sockets
    clock = module.time = Time(now, epoch)
    module.getrandbits = lambda n: 1
    told = []

    def set_clock(tm):
        told.append(tm)
        clock.now = NOW - (946684800 if epoch == 2000 else 0)

    return module, module.Ntp("pool", set_clock), told


def test_one_question_one_answer_and_the_clock_is_set_on_either_epoch():
    for epoch in (1970, 2000):
        with Board() as b:
            module, n, told = ntp_of(b, epoch=epoch)
            assert not n.step()  # asks
            assert not n.step()  # no answer yet
            sock = Socket.made[0]
            assert len(sock.sent) == 48 and sock.sent[0] == 0x23
            sock.answer = answer(sock.sent, NOW)
            assert n.step()
            assert [tuple(t)[:6] for t in told] == [tuple(time.gmtime(NOW))[:6]]
            assert sock.closed and n.synced == 1
            assert module.unix_time(module.time.now) == NOW


def test_no_answer_is_given_up_after_two_seconds_and_asked_for_again():
    with Board() as b:
        _, n, told = ntp_of(b)
        start = b.now
        while len(Socket.made) < 4:
            assert not n.step()
            b.now += 100
            assert b.now < start + 60000
        assert all(s.closed for s in Socket.made[:3])
        assert b.now - start >= 3 * 4000  # 2 s for each, and at least as much before the next
        assert str(n.error) == "ntp: no answer" and not told


def test_what_is_no_answer_to_our_question_is_not_believed():
    with Board() as b:
        _, n, told = ntp_of(b)
        n.step()
        sock = Socket.made[0]
        right = answer(sock.sent, NOW)
        for wrong in (
            answer(bytes(48), NOW),  # another's
            answer(sock.sent, NOW, stratum=0),  # kiss of death
            answer(sock.sent, NOW, mode=3),  # a client's
            right[:40],
            b"",
        ):
            sock.answer = wrong
            n.step()
            assert not told
        sock.answer = right
        assert n.step() and told


def test_a_name_that_is_not_found_and_a_refusal_are_tried_again():
    with Board() as b:
        _, n, told = ntp_of(b)
        Sockets.error = OSError(-2, "not found")
        assert not n.step() and not n.step()
        Sockets.error = None
        b.now += 10000
        n.step()
        Socket.made[0].answer = OSError(errno.ECONNREFUSED, "refused")
        n.step()
        assert Socket.made[0].closed and not told
        b.now += 20000
        n.step()
        assert len(Socket.made) == 2


def test_it_is_asked_again_a_day_later_and_not_before():
    with Board() as b:
        module, n, told = ntp_of(b)
        n.step()
        Socket.made[0].answer = answer(Socket.made[0].sent, NOW)
        n.step()
        b.now += 5000
        module.time.now += 86399
        assert n.step() and len(Socket.made) == 1
        module.time.now += 1
        assert n.step() and len(Socket.made) == 2


def test_a_clock_that_ran_on_through_deep_sleep_is_believed():
    with Board() as b:
        _, n, told = ntp_of(b, NOW - 946684800)
        assert n.step() and not Socket.made


def test_after_2036_the_seconds_of_ntp_begin_anew():
    with Board() as b:
        _, n, told = ntp_of(b, epoch=1970)
        n.step()
        sock = Socket.made[0]
        sock.answer = answer(sock.sent, 2100000000)
        n.step()
        assert told[0][0] == 2036
