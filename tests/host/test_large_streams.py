"""Files as sources and as ends of a payload, what is skipped, sources that fail, and a cut at each of many bytes.

Rule: the client runs in this process. The exchange that is cut is measured once over a good link, then done
again for every so many of its bytes; QoS 1 arrives at least once, QoS 2 exactly once, whole in both.
"""
import io
import time

import large
import pytest
from far import wait_until
from farend import Paho
from large import MIB, TAIL
from proxy import DOWN, UP, Fault, Proxy

from umqtt_full import MQTTClient
from umqtt_full.stream import Streams, to_file

THIN = 97  # each so many bytes a cut
SMALL = large.payload(2000)


def poll_until(client, condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        client.poll(20)
        assert time.monotonic() < deadline, "it did not happen"


@pytest.fixture
def client_to():
    """Make clients that keep their session and come back at once."""
    clients = []

    def make(url, name):
        client = MQTTClient(url, name, rx=64, slot_size=64, clean=False)
        client.retry_min_ms, client.retry_max_ms = 5, 20
        clients.append(client)
        client.start()
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture(params=["tcp", "ws"])
def url(request, mosquitto):
    if request.param == "tcp":
        yield mosquitto.url
        return
    with large.websocket_before(mosquitto.port) as port:
        yield f"ws://127.0.0.1:{port}"


@pytest.mark.parametrize("mib", [1, pytest.param(8, marks=pytest.mark.long)])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_file_goes_out_and_comes_in_at_the_same_time(qos, mib, client_to, url, uid, tmp_path):
    data = large.payload(mib * MIB + TAIL)
    (tmp_path / "out").write_bytes(data)
    client = client_to(url, uid)
    streams = Streams(client)
    done = []

    def open_file():
        return (tmp_path / "in").open("wb")

    def is_whole(stream):
        done.append((stream.topic, (tmp_path / "in").stat().st_size))  # it was closed before

    streams.on(f"{uid}/#", to_file(open_file, is_whole, 1000), qos)
    poll_until(client, lambda: client.connected)
    with (tmp_path / "out").open("rb") as source:
        for name in ("a", "b"):
            streams.publish(f"{uid}/{name}", source, len(data), qos)
            poll_until(client, lambda: client.drain(10) and done and done[-1][0].endswith(name))  # noqa: B023
            assert (tmp_path / "in").read_bytes() == data
    assert done == [(f"{uid}/a", len(data)), (f"{uid}/b", len(data))]


def test_what_is_skipped_is_let_go_and_the_next_message_comes(client_to, mosquitto, uid):
    client = client_to(mosquitto.url, uid)
    begins, others = [], []

    def handler(stream):
        buf = bytearray(16)
        if stream.readinto(buf):
            begins.append(bytes(buf))
            stream.skip()

    Streams(client).on(f"{uid}/large", handler, 2)
    client.on(f"{uid}/small", lambda msg: others.append(bytes(msg.payload)), 2)
    poll_until(client, lambda: client.connected)
    data = large.payload(MIB)
    with Paho(mosquitto, f"{uid}-far") as far:
        for i in range(3):
            far.publish(f"{uid}/large", [data], i)
            far.publish(f"{uid}/small", [b"%d" % i], i)
    poll_until(client, lambda: len(others) == 3)
    assert begins == [data[:16]] * 3 and others == [b"0", b"1", b"2"] and client.drain(5000)


class Torn(io.BytesIO):
    """A file that can not be read behind 50,000 bytes."""

    def readinto(self, buf):
        if self.tell() > 50_000:
            raise OSError("the card was pulled out")
        return super().readinto(buf)


SOURCES = {
    "ends-early": lambda data: io.BytesIO(data[:50_000]),
    "raises": Torn,
    "never-begins": lambda data: io.BytesIO(),
    "gives-none": lambda data: lambda offset, buf: None,
}


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())
def test_a_source_that_fails_ends_the_link_and_the_next_messages_flow(source, qos, client_to, mosquitto, uid):
    data = large.payload(100_000)
    client = client_to(mosquitto.url, uid)
    downs, drops = [], []
    client.on_disconnect, client.on_drop = downs.append, drops.append
    streams = Streams(client)
    poll_until(client, lambda: client.connected)
    with Paho(mosquitto, f"{uid}-far") as far:
        far.subscribe(f"{uid}/#", 2)
        packet_id = streams.publish(f"{uid}/torn", source(data), len(data), qos)
        client.publish(f"{uid}/next", b"next", 1)
        poll_until(client, lambda: client.connected and client.drain(10))
        assert [why.name for why in downs] == ["source failed"] and drops == [packet_id]
        assert isinstance(streams.error, OSError) == (source is Torn)
        streams.publish(f"{uid}/whole", io.BytesIO(data), len(data), qos)
        assert client.drain(10_000) and client.room() == 4
        assert [message[:2] for message in far.wait(2)] == [(f"{uid}/next", b"next"), (f"{uid}/whole", data)]
    assert len(downs) == 1 and client.counters["dropped"] == 1


def cut_everywhere(run, proxy, way, uid, qos):
    """Do the same exchange again and again, each on a session of its own, cut behind another byte."""
    names = [f"{uid}-0000"]  # no cut; all are of one length, so that the exchanges are
    proxy.next()
    run(names[0], qos, 1)
    total = proxy.connections[0].counts[way] - 2 * (way == UP)  # DISCONNECT is not part of it
    for at in range(1, total, THIN if total > len(SMALL) else 1):
        names.append(f"{uid}-{at:04}")
        proxy.next(Fault("rst" if at % 2 else "fin", way, at, piece=300, pause=0.002))  # not all in one poll
        run(names[-1], qos, 2)
        assert proxy.fired(), at
    assert len(names) > 8
    return names


def is_settled(client):
    return client.connected and client.drain(1) and not client._engine.ids


@pytest.mark.parametrize("way", [UP, DOWN], ids=["up", "down"])
@pytest.mark.parametrize("qos", [1, 2])
def test_a_source_is_begun_anew_wherever_the_link_is_cut(qos, way, client_to, keeper, uid):
    def run(name, qos, links):
        client = client_to(proxy.url, name)
        streams = Streams(client, 50)
        poll_until(client, lambda: client.connected)
        streams.publish(f"{uid}/{name}", io.BytesIO(SMALL), len(SMALL), qos)
        client.publish(f"{uid}/{name}", b"behind", qos)
        poll_until(client, lambda: len(proxy.connections) >= links and is_settled(client))
        assert client.disconnect()

    with Proxy(keeper.port) as proxy, Paho(keeper, f"{uid}-far") as far:
        far.subscribe(f"{uid}/#", 2)
        names = cut_everywhere(run, proxy, way, uid, qos)
        far.publish(f"{uid}/end", [b""], 2)
        wait_until(lambda: far.received[-1][0] == f"{uid}/end")
        for name in names:
            got = [body for topic, body, _, _ in far.received if topic == f"{uid}/{name}"]
            assert set(got) == {SMALL, b"behind"} and got[-1] == b"behind", name
            assert qos == 1 or got == [SMALL, b"behind"], name


@pytest.mark.parametrize("way", [UP, DOWN], ids=["up", "down"])
@pytest.mark.parametrize("qos", [1, 2])
def test_a_handler_is_told_to_begin_anew_wherever_the_link_is_cut(qos, way, client_to, keeper, uid):
    whole = {}  # what each run got: the payloads that came to their end

    def run(name, qos, links):
        client = client_to(proxy.url, name)
        got = whole[name] = []
        begun = []

        def handler(stream):
            buf = bytearray(50)
            if not stream.offset:
                begun.append(b"")
            while n := stream.readinto(buf):
                begun[-1] += buf[:n]
            if not stream.remaining:
                got.append(begun[-1])

        Streams(client).on(f"{uid}/{name}/#", handler, qos)
        poll_until(client, lambda: client.connected)
        far.publish(f"{uid}/{name}/a", [SMALL], qos)
        far.publish(f"{uid}/{name}/b", [b"behind"], qos)
        poll_until(client, lambda: b"behind" in got and len(proxy.connections) >= links and is_settled(client))
        if links > 1:
            far.publish(f"{uid}/{name}/c", [b"end"], qos)  # what comes again comes before it
            poll_until(client, lambda: got[-1] == b"end")
            got.pop()
        assert client.disconnect()
        assert all(any(sent.startswith(part) for sent in (SMALL, b"behind", b"end")) for part in begun)

    with Proxy(keeper.port) as proxy, Paho(keeper, f"{uid}-far") as far:
        names = cut_everywhere(run, proxy, way, uid, qos)
    for name in names:
        assert set(whole[name]) == {SMALL, b"behind"} and whole[name][-1] == b"behind", name
        assert qos == 1 or whole[name] == [SMALL, b"behind"], name
