"""The link by TLS: good certificates connect, bad ones fail by name, and what passes is what was sent.

Rule: our end is scripts/secure.py, on CPython and on MicroPython; the certificates are made for this run.
"""
import queue
import socket
import ssl
import threading

import brokers
import certificates
import farend
import mp
import near
import pytest
from proxy import DOWN, UP, Fault, Proxy

LISTENERS = "good", "mutual", "expired", "future", "elsewhere"
NAMES = {
    "another authority": "unknown CA",
    "another name asked for": "wrong host name",
    "another address asked for": "wrong host name",
    "no client certificate": "broker wants a client certificate",
    "client certificate of another authority": "client certificate refused",
    "expired": "certificate expired",
    "not yet valid": "certificate not yet valid",
    "of another host": "wrong host name",
    "no TLS at all": "not a TLS port",
    "clock at 2021": "clock not set",
}
PATTERN = bytes(range(251)) * 21


def payload(i):
    return PATTERN[i % 251 : i % 251 + i * 1237 % 5001]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    if certificates.unavailable():
        pytest.skip(certificates.unavailable())
    folder = tmp_path_factory.mktemp("certificates")
    authority = certificates.Authority(folder)
    certificates.Authority(folder, "other")
    here = "localhost", "127.0.0.1"
    authority.issue("good", *here)
    authority.issue("expired", *here, begin=-2, end=-1)
    authority.issue("future", *here, begin=1, end=2)
    authority.issue("elsewhere", "elsewhere.example")
    authority.issue("client")
    (folder / "psk").write_text("board:0102030405060708\n")
    return folder


@pytest.fixture(scope="module")
def broker(folder):
    """A Mosquitto with a port for each certificate; .tls is their ports by name."""
    if brokers.Mosquitto.available():
        pytest.skip(brokers.Mosquitto.available())
    ports = {name: brokers.free_port() for name in (*LISTENERS, "psk")}
    lines = ["set_tcp_nodelay true\n"]
    lines += [brokers.tls_listener(ports[name], folder, name) for name in LISTENERS if name != "mutual"]
    lines.append(brokers.tls_listener(ports["mutual"], folder, "good", "require_certificate true"))
    lines.append(f"listener {ports['psk']} 127.0.0.1\npsk_hint any\npsk_file {folder}/psk\n")
    with brokers.Mosquitto(settings="".join(lines)) as broker:
        broker.tls = {**ports, "plain": broker.port}
        yield broker


@pytest.fixture
def begin(kind, folder, uid):
    """begin("scenario", port, ..., option=integer): our end."""

    def begin(scenario, *ports, **options):
        where = " ".join(map(str, (folder, *ports)))
        return near.begin(kind, "secure", scenario, where, uid, **options)

    begin.kind = kind
    return begin


def finish(side):
    with side:
        side.finish()


def test_a_certificate_or_its_file_is_taken_as_der_or_pem_and_is_verified(begin, broker):
    finish(begin("any_kind_of_certificate", broker.tls["good"]))


def test_a_client_certificate_is_shown_where_the_broker_wants_one(begin, broker):
    finish(begin("a_client_certificate", broker.tls["mutual"]))


def test_without_verification_it_connects_and_says_so(begin, broker):
    finish(begin("no_verification_that_is_asked_for", broker.tls["elsewhere"]))


def test_a_ready_context_is_used_as_it_is(begin, broker):
    finish(begin("a_context_of_the_user", broker.tls["good"]))


def test_a_pre_shared_key_is_used_where_the_port_can_do_it(begin, broker):
    finish(begin("a_key_both_have", broker.tls["psk"]))


def test_what_can_not_work_is_a_value_error_and_not_a_failed_link(begin):
    finish(begin("what_can_not_work", 1))


def test_too_little_memory_is_said_with_how_much_is_needed_and_other_errors_stay_what_they_are(begin, broker):
    finish(begin("no_memory", broker.tls["good"]))


@pytest.mark.parametrize("case", NAMES)
def test_each_failure_has_a_name(case, begin, told):
    assert told(begin)[case] == NAMES[case]


@pytest.fixture(scope="module")
def told(broker):
    """told(begin): what each case is called on this interpreter. They are all played once."""
    known = {}

    def told(begin):
        if begin.kind not in known:
            ports = [broker.tls[name] for name in (*LISTENERS, "plain")]
            with begin("failures", *ports) as side:
                lines = [side.expect(f"{case}: ").split(": ", 1) for case in NAMES]
                side.finish()
            known[begin.kind] = dict(lines)
            print(known)
        return known[begin.kind]

    return told


def test_messages_of_all_sizes_go_out_over_a_crawling_link(begin, broker, uid):
    up(begin, broker, uid, 1000)


def test_messages_of_all_sizes_come_in_over_a_crawling_link(begin, broker, uid):
    down(begin, broker, uid, 1000)


@pytest.mark.long
@pytest.mark.limit(600)
def test_10000_messages_go_out_over_a_crawling_link(begin, broker, uid):
    up(begin, broker, uid, 10_000)


@pytest.mark.long
@pytest.mark.limit(600)
def test_10000_messages_come_in_over_a_crawling_link(begin, broker, uid):
    down(begin, broker, uid, 10_000)


CRAWL = {"piece": 1100, "pause": 0.0002}


def up(begin, broker, uid, count):
    with farend.Paho(broker, f"{uid}-far") as far, Proxy(broker.tls["good"]) as proxy:
        far.subscribe(f"{uid}/up", 1)
        proxy.next(Fault(**CRAWL))
        with begin("sends", proxy.port, count=count) as side:
            got = far.wait(count, 500)
            print(side.expect("blocked"))
            side.finish()
        assert len(proxy.connections) == 1
    assert [message[1] for message in got] == [payload(i) for i in range(count)]


def down(begin, broker, uid, count):
    with farend.Paho(broker, f"{uid}-far") as far, Proxy(broker.tls["good"]) as proxy:
        proxy.next(Fault(**CRAWL))
        with begin("receives", proxy.port, count=count) as side:
            side.expect("subscribed")
            far.publish(f"{uid}/down", [payload(i) for i in range(count)], 1, 500)
            print(side.expect("longest", 500))
            side.finish()
        assert len(proxy.connections) == 1


def test_what_lies_in_the_tls_layer_is_read_without_a_new_event(begin, folder):
    count = 200
    flood = b"\x40\x02\x7f\xff" * 100  # acks of nothing: no event, for which poll() would return
    flood += b"".join(b"\x32\x0b\x00\x04some%c%c%03d" % (0, i + 1, i) for i in range(count))
    with Flooder(folder, flood, count) as flooder:
        finish(begin("takes_a_flood", flooder.port, count=count))


class Flooder:
    """A broker that answers CONNECT with CONNACK and, in one record, everything; then it takes the acks."""

    def __init__(self, folder, flood, count):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / "good.crt", folder / "good.key")
        self._flood, self._count = b"\x20\x02\x00\x00" + flood, count
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._ended = queue.Queue()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        try:
            with self._context.wrap_socket(self._listener.accept()[0], server_side=True) as link:
                link.settimeout(20)
                link.recv(200)
                link.sendall(self._flood)
                acks = b""
                while len(acks) < 4 * self._count:
                    acks += link.recv(4096)
                self._ended.put(acks == b"".join(b"\x40\x02\x00%c" % (i + 1) for i in range(self._count)))
        except (OSError, ValueError) as e:
            self._ended.put(e)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._listener.close()
        if not exc[0]:
            assert self._ended.get(timeout=20) is True


@pytest.mark.parametrize("way, at", ((UP, 0), (UP, 100), (DOWN, 0), (DOWN, 3), (DOWN, 130), (DOWN, 600)))
def test_a_handshake_that_stalls_ends_at_the_deadline_and_is_not_waited_for_busily(way, at, begin, broker):
    with Proxy(broker.tls["good"]) as proxy:
        proxy.next(Fault("silent", way, at))
        with begin("stalls", proxy.port) as side:
            print(side.expect("longest"))
            side.finish()
        assert len(proxy.connections) == 2


def test_a_hundred_links_leave_nothing_behind(begin, broker):
    with Proxy(broker.tls["good"]) as proxy, begin("comes_back", proxy.port, count=100) as side:
        for _ in range(100):
            side.expect("cut")
            proxy.next()
        side.finish()


def test_handshakes_that_fail_leave_nothing_open(begin, broker):
    finish(begin("fails_again_and_again", broker.tls["good"], broker.tls["mutual"], count=60))


HEAPLESS = """
import small_heap
from umqtt_full.tls import TLS
small_heap.locked(TLS("localhost", {port}, ca="{folder}/ca.crt"), "{name}", 1000)
print("ok")
"""


def test_a_thousand_messages_take_no_byte_of_the_heap(broker, folder, uid, tmp_path):
    if mp.unavailable():
        pytest.skip(mp.unavailable())
    mp.compile_script(near.SCRIPTS / "small_heap.py", tmp_path)
    script = tmp_path / "main.py"
    script.write_text(HEAPLESS.format(port=broker.tls["good"], folder=folder, name=uid))
    with mp.MicroPython(script, heapsize="128k", mpy=True, paths=[tmp_path]) as board:
        assert board.finish() == 0 and board.lines[-1] == "ok", board.output
    told = dict(line.split() for line in board.lines[:-1])
    assert [told[f"more-{qos}"] for qos in range(3)] == ["0", "0", "0"]
