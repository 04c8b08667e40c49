"""WebSocket against real brokers, through bad links, and against another implementation of RFC 6455.

Rule: our client speaks WebSocket, the far end whatever it likes; counted, byte for byte, each once and in order.
"""
import itertools
import select
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import brokers
import exchanges
import farend
import mp
import near
import pytest
import test_cut_links as cut_links
import ws_exchanges
from far import Far
from proxy import DOWN, UP, Fault, Proxy
from test_far_ends import COUNT, EXCHANGES, go_and_come_back

from umqtt_full.net import TCP
from umqtt_full.ws import WebSocket

PARTS = 8

RUMQTTD = """
id = 0
[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10
[v4.1]
name = "v4"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1
{limits}
[ws.1]
name = "ws"
listen = "127.0.0.1:{ws_port}"
next_connection_delay_ms = 1
{limits}
"""
LIMITS = """    [{0}.connections]
    connection_timeout_ms = 60000
    max_payload_size = 4194304
    max_inflight_count = 1000
    dynamic_filters = true"""


class Mosquitto(brokers.Mosquitto):
    """Its `ws_port` speaks WebSocket."""

    def __init__(self, more=""):
        self.ws_port = brokers.free_port()
        listener = f"listener {self.ws_port} 127.0.0.1\nprotocol websockets"
        super().__init__(settings=f"set_tcp_nodelay true\n{listener}\n{more}")


class Aedes(brokers.Aedes):
    def __init__(self):
        super().__init__()
        self.ws_port = brokers.free_port()

    def command(self):
        return *super().command(), "--protos", "tcp", "ws", "--ws-port", self.ws_port


class IotCore(brokers.IotCore):
    def __init__(self):
        super().__init__()
        self.ws_port = brokers.free_port()

    def command(self):
        config = self.folder / "rumqttd.toml"
        v4, ws = (LIMITS.format(name) for name in ("v4.1", "ws.1"))
        text = RUMQTTD.replace("{limits}", v4, 1).replace("{limits}", ws, 1)
        config.write_text(text.format(port=self.port, ws_port=self.ws_port))
        python, _, program = super().command()
        imports = program[: program.index("Broker(")]
        return python, "-c", f"{imports}Broker(config_path={str(config)!r}).run_forever()"


@pytest.fixture(scope="module", params=[Mosquitto, Aedes, IotCore], ids=lambda broker: broker.name)
def broker(request):
    if request.param.available():
        pytest.skip(request.param.available())
    with request.param() as running:
        deadline = time.monotonic() + 10
        while brokers.is_free(running.ws_port):
            assert time.monotonic() < deadline, running.output
            time.sleep(0.05)
        yield running


@pytest.fixture(scope="module")
def mosquitto():
    if Mosquitto.available():
        pytest.skip(Mosquitto.available())
    with Mosquitto() as running:
        yield running


def ws_url(broker):
    return f"ws://127.0.0.1:{broker.ws_port}"


def begin(kind, scenario, broker, uid, **options):
    return near.begin(kind, "websocket", scenario, ws_url(broker), uid, **options)


# -- brokers


def test_every_qos_goes_both_ways(kind, broker, uid):
    with begin(kind, "every_qos_both_ways", broker, uid) as side:
        side.finish()


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("scenario", EXCHANGES)
def test_a_thousand_messages_pass_in_order_between_us_and_paho(scenario, kind, qos, broker, uid):
    with farend.Paho(broker, uid + "-far") as far, \
            begin(kind, scenario, broker, uid, count=COUNT, qos=qos) as side:
        EXCHANGES[scenario](side, far, uid, qos)


@pytest.mark.parametrize("scenario", EXCHANGES)
def test_a_thousand_messages_pass_between_us_and_mqttjs_over_websocket(scenario, kind, mosquitto, uid):
    if farend.MqttJs.unavailable():
        pytest.skip(farend.MqttJs.unavailable())
    address = SimpleNamespace(url=ws_url(mosquitto))
    with farend.MqttJs(address, uid + "-far") as far, \
            begin(kind, scenario, mosquitto, uid, count=COUNT, qos=1) as side:
        EXCHANGES[scenario](side, far, uid, 1)


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_payloads_of_every_length_come_back_byte_for_byte(kind, qos, broker, uid):
    with begin(kind, "every_length_both_ways", broker, uid, qos=qos, each=200, step=100) as side:
        side.finish()


def test_it_comes_back_when_the_broker_does(kind, uid):
    if Mosquitto.available():
        pytest.skip(Mosquitto.available())
    with Mosquitto() as own, begin(kind, "comes_back", own, uid) as side:
        go_and_come_back(own, side)


def test_a_wait_for_the_answer_does_not_spin(kind, mosquitto, uid):
    with Proxy(mosquitto.ws_port) as proxy:
        proxy.next(Fault("stall", DOWN, 0, seconds=1))
        with begin(kind, "a_wait_does_not_spin", SimpleNamespace(ws_port=proxy.port), uid) as side:
            side.finish()


def test_wss_is_websocket_around_tls(kind, uid, tmp_path):
    pytest.importorskip("umqtt_full.tls")
    certificates = pytest.importorskip("certificates")
    if Mosquitto.available():
        pytest.skip(Mosquitto.available())
    certificates.Authority(tmp_path).issue("server", "127.0.0.1", "localhost")
    tls = f"certfile {tmp_path}/server.crt\nkeyfile {tmp_path}/server.key"
    with Mosquitto(more=tls) as own:
        url = f"wss://127.0.0.1:{own.ws_port}{tmp_path}/ca.crt.der"
        for scenario, options in (
            ("every_qos_both_ways", {}),
            ("every_length_both_ways", {"qos": 1, "each": 200, "step": 100}),
        ):
            with near.begin(kind, "websocket", scenario, url, f"{uid}-{scenario}", **options) as side:
                side.finish()


# -- bad links


class Here(cut_links.Here):
    """The client runs in this process."""

    stride = 6


class There(cut_links.There):
    """The client runs on MicroPython."""

    stride = 9

    def __init__(self, port):
        here = Path(__file__).resolve().parent
        mp.MicroPython.__init__(self, here / "ws_exchanges.py", port, paths=[here])


@pytest.fixture
def side(kind):
    with mock.patch.object(exchanges, "client", ws_exchanges.client):
        yield Here if kind == "cpython" else There


def cuts(total, stride):
    """A cut after each `stride`-th byte, either way, by FIN and RST in turn."""
    whats = itertools.cycle(("fin", "rst"))
    for way in (UP, DOWN):
        for at in range(1, total[way] + 1, stride):
            yield Fault(next(whats), way, at)


def spread(mosquitto, side, uid, qos, way):
    """Do the exchange on a good link, then once for each cut: some at a time, for mosquitto takes 0.1 s to
    answer an upgrade.
    """

    def part(number, total):
        name = f"{uid}-{number}"
        with Far(mosquitto.port) as far, Proxy(mosquitto.ws_port) as proxy, side(proxy.port) as client:
            far.subscribe(f"cut/{name}/#", qos)
            runs = cut_links.Runs(client, proxy, far, name, qos)
            if total is None:
                return runs.measure_published() if way == "publish" else runs.measure_received()
            fired = 0
            for fault in list(cuts(total, side.stride))[number::PARTS]:
                getattr(runs, way)(fault)
                fired += proxy.fired()
            assert fired >= len(runs.faults) - 4, (fired, len(runs.faults))  # DISCONNECT may not be waited for
            if way == "publish":
                runs.check_published()
            return len(runs.faults)

    total = part(PARTS, None)
    with ThreadPoolExecutor(PARTS) as pool:
        counts = list(pool.map(part, range(PARTS), itertools.repeat(total)))
    print(sum(counts), "exchanges of", total, "bytes up and down")


@pytest.mark.parametrize("qos", (1, 2))
def test_what_is_published_arrives_over_a_cut_at_any_byte(mosquitto, side, uid, qos):
    spread(mosquitto, side, uid, qos, "publish")


@pytest.mark.parametrize("qos", (1, 2))
def test_what_is_received_comes_over_a_cut_at_any_byte(mosquitto, side, uid, qos):
    spread(mosquitto, side, uid, qos, "receive")


def test_a_link_that_carries_one_byte_at_a_time_loses_nothing(mosquitto, side, uid):
    with Far(mosquitto.port) as far, Proxy(mosquitto.ws_port) as proxy, side(proxy.port) as client:
        far.subscribe(f"cut/{uid}/#", 2)
        runs = cut_links.Runs(client, proxy, far, uid, 2)
        for way in (UP, DOWN):
            runs.publish(Fault(way=way, piece=1))
            runs.receive(Fault(way=way, piece=1))


# -- another implementation at the other end


class Peer(threading.Thread):
    """A server by wsproto: says what it is given, keeps what comes, and says what it must not."""

    def __init__(self, events, subprotocol="mqtt"):
        super().__init__(daemon=True)
        self.events, self.subprotocol = events, subprotocol
        self.got, self.pongs, self.codes, self.request, self.error = bytearray(), [], [], None, None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.stop = threading.Event()
        self.start()

    def run(self):
        try:
            with self._listener, self._listener.accept()[0] as link:
                self._talk(link)
        except Exception as e:
            self.error = e

    def _talk(self, link):
        import wsproto
        from wsproto import events

        link.settimeout(10)
        ws = wsproto.WSConnection(wsproto.ConnectionType.SERVER)
        while True:
            data = link.recv(7)
            ws.receive_data(data or None)
            for event in ws.events():
                if isinstance(event, events.Request):
                    self.request = event
                    link.sendall(ws.send(events.AcceptConnection(subprotocol=self.subprotocol)))
                    threading.Thread(target=link.sendall, args=(b"".join(map(ws.send, self.events)),)).start()
                elif isinstance(event, events.BytesMessage):
                    self.got += event.data
                elif isinstance(event, events.Pong):
                    self.pongs.append(bytes(event.payload))
                elif isinstance(event, events.CloseConnection):
                    self.codes.append(event.code)
                    if ws.state is not wsproto.connection.ConnectionState.CLOSED:
                        link.sendall(ws.send(event.response()))
                    return
                else:
                    raise AssertionError(event)
            if not data:
                return


def converse(peer, data, buffer=256, seconds=10):
    """Connect, write `data` and read to the end; return what was read."""
    stream = WebSocket(TCP("127.0.0.1", peer.port), "localhost", "/mqtt?a=b", {"X-Own": "1"}, buffer=buffer).open()
    buf, got, at = bytearray(4000), b"", 0
    deadline = time.monotonic() + seconds
    sizes = itertools.cycle((1, 125, 126, 127, 300, 4000))
    size = next(sizes)
    while time.monotonic() < deadline:
        k = stream.readinto(buf, 4000)
        if k == 0:
            break
        if k:
            got += bytes(buf[:k])
        if at < len(data):
            n = stream.write(data, at, min(size, len(data) - at))
            if n:
                at += n
                size = next(sizes)
        if not k:
            want = stream.wants(select.POLLIN | (select.POLLOUT if at < len(data) else 0))
            writes = [stream.pollable] if want & select.POLLOUT else []
            select.select([stream.pollable] if want & select.POLLIN else [], writes, [], 0.2)
    else:
        raise AssertionError(f"{len(got)} bytes came, no end")
    stream.close()
    peer.join(10)
    if peer.error:
        raise peer.error
    assert at == len(data)
    return got


def test_wsproto_as_the_server_takes_every_frame_of_ours_and_we_take_every_frame_of_its():
    events = pytest.importorskip("wsproto.events")
    lengths = (0, 1, 2, 125, 126, 127, 1000, 65535, 65536, 70000)
    said, expected = [], b""
    for n in lengths:
        payload = bytes(i * 3 + n & 255 for i in range(n))
        expected += payload
        said += [events.BytesMessage(payload), events.Ping(bytes(min(n, 125)))]
        for at in range(0, n, n // 3 + 1):
            said.append(events.BytesMessage(payload[at : at + n // 3 + 1], message_finished=False))
            said.append(events.Ping(b"%d" % at))
        said += [events.BytesMessage(b"", message_finished=True), events.Pong(b"unasked")]
        expected += payload
    said.append(events.CloseConnection(1001, "over"))
    data = bytes(i & 255 for i in range(3000))
    for buffer in (125, 256, 4000):
        peer = Peer(said)
        assert converse(peer, data, buffer) == expected
        assert peer.got == data and peer.codes == [1001]
        assert peer.pongs and set(peer.pongs) <= {event.payload for event in said if hasattr(event, "payload")}
        assert peer.request.target == "/mqtt?a=b" and peer.request.subprotocols == ["mqtt"]
        assert (b"x-own", b"1") in peer.request.extra_headers


def test_wsproto_that_ends_when_we_are_through_has_got_everything():
    pytest.importorskip("wsproto.events")
    data = bytes(i * 5 & 255 for i in range(70000))
    peer = Peer([])
    stream = WebSocket(TCP("127.0.0.1", peer.port), "localhost").open()
    at, sizes = 0, itertools.cycle((1, 125, 126, 127, 256, 300))
    deadline = time.monotonic() + 10
    while at < len(data):
        assert time.monotonic() < deadline
        n = stream.write(data, at, min(next(sizes), len(data) - at))
        at += n or 0
        if not n:
            stream.readinto(bytearray(1), 1)
    while stream.wants(0):
        stream.readinto(bytearray(1), 1)
    stream.close()
    peer.join(10)
    assert peer.error is None and peer.got == data and peer.codes == [1000]
