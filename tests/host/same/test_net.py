# Where to connect to: URLs, addresses, and a look-up that is done when it must be.
from fake import error

from umqtt_full import net
from umqtt_full.url import parse


class FakeNet:
    """Sockets that do what a test says, in place of the system's."""

    SOCK_STREAM = 1

    def __init__(self, connect_error=None, option_error=None, addresses=1):
        self.addresses = addresses
        self.looked_up = []
        self.open = 0
        self.connect_error = connect_error
        self.option_error = option_error

    def getaddrinfo(self, host, port, *_):
        self.looked_up.append(host)
        return [(2, 1, 6, "", (host, port + n)) for n in range(self.addresses)]

    def socket(self, *_):
        self.open += 1
        return self

    def setblocking(self, value):
        assert value is False

    def setsockopt(self, *_):
        if self.option_error:
            raise OSError(self.option_error, "option")

    def connect(self, address):
        self.address = address
        if self.connect_error:
            raise OSError(self.connect_error, "connect")

    def close(self):
        self.open -= 1


def with_net(fake_net, function):
    real = net.socket
    net.socket = fake_net
    try:
        return function()
    finally:
        net.socket = real


def test_a_url_gives_its_parts():
    for url, found in (
        ("mqtt://broker.local", (None, None, False, False, "broker.local", 1883, "")),
        ("tcp://10.0.0.1:1884", (None, None, False, False, "10.0.0.1", 1884, "")),
        ("mqtt://broker/", (None, None, False, False, "broker", 1883, "/")),
        ("mqtt://[::1]:1885", (None, None, False, False, "::1", 1885, "")),
        ("mqtts://[fe80::1]", (None, None, True, False, "fe80::1", 8883, "")),
        ("tls://u@h", (b"u", None, True, False, "h", 8883, "")),
        ("mqtt://u:@h", (b"u", b"", False, False, "h", 1883, "")),
        ("mqtt://u:p@h:1", (b"u", b"p", False, False, "h", 1, "")),
        ("mqtt://a%40b:p%3A%2f%C3%A4@[::1]:2", (b"a@b", b"p:/\xc3\xa4", False, False, "::1", 2, "")),
        ("mqtt://a@b:p@h", (b"a@b", b"p", False, False, "h", 1883, "")),
        ("ws://h", (None, None, False, True, "h", 80, "")),
        ("ws://h:8080/mqtt", (None, None, False, True, "h", 8080, "/mqtt")),
        ("wss://u:p@h/a/b?x=1&y=/z:@", (b"u", b"p", True, True, "h", 443, "/a/b?x=1&y=/z:@")),
    ):
        assert parse(url) == found, url


def test_a_bad_url_is_refused_by_the_part_that_is_wrong():
    for url, part in (
        ("broker.local", "scheme"),
        ("http://broker", "scheme"),
        ("mqtt:/broker", "scheme"),
        ("mqtt://", "host"),
        ("mqtt://:1883", "host"),
        ("mqtt://u:p@", "host"),
        ("ws://h?x=1", "host"),
        ("mqtt://h:", "port"),
        ("mqtt://h:0", "port"),
        ("mqtt://h:65536", "port"),
        ("mqtt://h:x", "port"),
        ("mqtt://fe80::1", "brackets"),
        ("mqtt://u%4:p@h", "user"),
        ("mqtt://u%zz@h", "user"),
        ("mqtt://u:p%@h", "user"),
        ("mqtt://h/path", "path"),
    ):
        e = error(parse, url)
        assert isinstance(e, ValueError) and part in str(e), url


def test_a_name_is_looked_up_once_and_again_after_three_failures():
    fake_net = FakeNet()
    tcp = net.TCP("broker.local", 1883)

    def act():
        tcp.open()
        tcp.open()
        assert fake_net.looked_up == ["broker.local"]
        for looked_up in (1, 1, 2, 2, 2, 3):
            tcp.failed()
            tcp.open()
            assert len(fake_net.looked_up) == looked_up

    with_net(fake_net, act)
    assert fake_net.address == ("broker.local", 1883)


def test_each_address_of_a_name_is_tried_before_it_counts_as_a_failure():
    fake_net = FakeNet(addresses=3)
    tcp = net.TCP("broker.local", 1883)

    def act():
        for failure in range(3):
            for n in range(3):
                tcp.open()
                assert fake_net.address[1] == 1883 + n and len(fake_net.looked_up) == 1
                assert tcp.failed() == (n < 2)
        tcp.open()
        assert len(fake_net.looked_up) == 2

    with_net(fake_net, act)


def test_the_address_that_worked_is_used_again():
    fake_net = FakeNet(addresses=2)
    tcp = net.TCP("broker.local", 1883)

    def act():
        tcp.open()
        assert tcp.failed()
        for _ in range(2):
            tcp.open()
            assert fake_net.address[1] == 1884

    with_net(fake_net, act)


def test_the_users_resolver_is_asked_for_names_and_never_for_addresses():
    asked = []

    def resolve(host, port):
        asked.append(host)
        return [(2, 1, 6, "", ("10.9.9.9", port))]

    def act(host):
        tcp = net.TCP(host, 1883)
        tcp.resolve = resolve
        tcp.open()

    fake_net = FakeNet()
    with_net(fake_net, lambda: act("broker.local"))
    assert fake_net.address[0] == "10.9.9.9"
    for host in ("10.0.0.1", "::1"):
        with_net(fake_net, lambda: act(host))
    assert asked == ["broker.local"]


def test_a_connect_in_progress_is_no_error_on_any_port():
    import errno

    for code in (errno.EINPROGRESS, errno.EAGAIN):
        fake_net = FakeNet(connect_error=code)
        tcp = net.TCP("h", 1)
        assert with_net(fake_net, tcp.open) is fake_net


def test_each_failure_closes_its_socket():
    fake_net = FakeNet(connect_error=103)
    tcp = net.TCP("h", 1)
    assert isinstance(with_net(fake_net, lambda: error(tcp.open)), OSError)
    assert fake_net.open == 0


def test_a_port_without_tcp_nodelay_connects_all_the_same():
    fake_net = FakeNet(option_error=92)
    assert with_net(fake_net, net.TCP("h", 1).open) is fake_net
