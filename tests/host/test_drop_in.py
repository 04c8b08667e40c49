"""Programs for umqtt.simple and umqtt.robust run with ours in their place, also where umqtt would break.

Rule: the programs are those of scripts/drop_in_*.py, each in a process of its own, on CPython and MicroPython;
here are the broker, the bad link and the other client.
"""
import inspect
import sys

import brokers
import certificates
import env
import mp
import near
import pytest
from far import Far, wait_until
from process import Process, clean_env
from proxy import DOWN, UP, Fault, Proxy

CONNACK, SUBACK = 4, 5  # bytes


@pytest.fixture
def start(kind):
    """`with start("simple", "publishes", port, name) as program:`"""

    def start(file, *words):
        script = near.SCRIPTS / f"drop_in_{file}.py"
        if kind == "micropython":
            return mp.MicroPython(script, *words, heapsize="1m")
        env = clean_env(PYTHONPATH=str(mp.ROOT), PYTHONUNBUFFERED="1")
        return Process(sys.executable, script, *words, env=env)

    return start


@pytest.fixture
def run(start):
    """Run a program that needs nobody else."""

    def run(*words):
        with start(*words) as program:
            finish(program)

    return run


@pytest.fixture
def proxy(mosquitto):
    with Proxy(mosquitto.port) as proxy:
        yield proxy


@pytest.fixture
def own(mosquitto):
    """A broker that may be stopped; it keeps sessions over that."""
    with brokers.Mosquitto(persistence=True) as own:
        yield own


def finish(program):
    assert program.finish() == 0 and program.lines[-1] == "ok", program.output


# -- umqtt.simple


def test_a_sensor_publishes(start, mosquitto, uid):
    with Far(mosquitto.port) as far, start("simple", "publishes", mosquitto.port, uid) as program:
        far.subscribe(f"{uid}/kept", 1)
        finish(program)
        far.wait(f"{uid}/kept", 2)
        assert far.payloads(f"{uid}/kept") == ["1", "2"]
        far.publish(f"{uid}/kept", "", 0)


def test_what_a_sensor_publishes_arrives_as_it_was_given(start, mosquitto, uid):
    with Far(mosquitto.port) as far:
        got = []
        far._client.on_message = lambda c, data, msg: got.append((msg.topic, msg.payload, msg.qos))
        far.subscribe(f"{uid}/#", 1)
        with start("simple", "publishes", mosquitto.port, uid) as program:
            finish(program)
        wait_until(lambda: len(got) >= 6)
    names = [(topic.removeprefix(uid), payload, qos) for topic, payload, qos in got]
    assert names == [("/str", b"21.5", 0), ("/bytes", b"\x00\xff", 1), ("/view", b"view", 1), ("/empty", b"", 0),
                     ("/kept", b"1", 0), ("/kept", b"2", 1)]


def test_a_lamp_receives_one_message_a_call(start, mosquitto, uid):
    with Far(mosquitto.port) as far, start("simple", "receives", mosquitto.port, uid) as program:
        program.expect("ready")
        for payload, qos in (("0", 0), ("1", 1), ("", 0), (b"\x00\xff", 1), ("last", 1)):
            far.publish(f"{uid}/in", payload, qos)
        finish(program)


def test_a_session_is_kept(start, mosquitto, uid):
    with Far(mosquitto.port) as far, start("simple", "keeps_its_session", mosquitto.port, uid) as program:
        program.expect("away")
        far.publish_all(f"{uid}/in", ["0", "1", "2"], 1)
        program.send("\n")
        finish(program)


def test_the_will_is_published_when_the_socket_is_closed(start, mosquitto, uid):
    with Far(mosquitto.port) as far:
        far.subscribe(f"{uid}/will", 1)
        with start("simple", "leaves_a_will", mosquitto.port, uid) as program:
            finish(program)
        far.wait(f"{uid}/will", 1)
        assert far.payloads(f"{uid}/will") == ["gone"]


UNCHANGED = ("pings", "polls_its_socket", "sets_its_socket", "moves_much", "answers_in_its_callback",
             "raises_in_its_callback")
BETTER = "has_no_password", "uses_up_its_ids", "answers_itself_for_ever", "is_not_there"


@pytest.mark.parametrize("program", UNCHANGED)
def test_a_program_for_umqtt_simple_runs_unchanged(run, mosquitto, uid, program):
    run("simple", program, mosquitto.port, uid)


def test_a_refusal_is_an_mqttexception_with_the_return_code(run, mosquitto, uid):
    with brokers.Mosquitto(user="ann", password="secret") as own:
        run("simple", "is_refused", own.port, uid)
        run("robust", "is_refused", own.port, uid)


def test_a_link_that_ends_is_oserror_minus_one(start, proxy, uid):
    proxy.next(Fault("fin", DOWN, CONNACK))
    with start("simple", "loses_its_link", proxy.port, uid) as program:
        finish(program)


def test_a_connect_can_be_limited_in_time(run, proxy, uid):
    proxy.next(Fault("silent", UP, 1))
    run("simple", "times_out", proxy.port, uid)


# -- where umqtt breaks


def test_qos_2_goes_both_ways(start, mosquitto, uid):
    with Far(mosquitto.port) as far, start("better", "takes_qos_2", mosquitto.port, uid) as program:
        far.subscribe(f"{uid}/will", 2)
        program.expect("ready")
        far.publish_all(f"{uid}/in", [str(i) for i in range(10)], 2)
        finish(program)
        far.wait(f"{uid}/will", 1)


@pytest.mark.parametrize("program", BETTER)
def test_a_program_that_breaks_with_umqtt_does_not_with_ours(run, mosquitto, uid, program):
    run("better", program, mosquitto.port, uid)


def test_a_late_puback_does_no_harm(start, proxy, uid):
    with start("better", "is_acknowledged_late", proxy.port, uid) as program:
        program.expect("stall")
        link, = proxy.connections
        link._not_before[DOWN] = 1e9
        link.fault.pause = 0
        program.send("\n")
        program.expect("late")
        link._not_before[DOWN] = 0
        proxy._ring()
        finish(program)


def test_check_msg_does_not_wait_in_the_middle_of_a_message(start, proxy, uid):
    proxy.next(Fault("stall", DOWN, CONNACK + SUBACK + 500, seconds=3600))
    with Far(proxy.target) as far, start("better", "meets_half_a_message", proxy.port, uid) as program:
        program.expect("ready")
        far.publish(uid, "x" * 1000, 0)
        wait_until(proxy.fired)
        program.send("\n")
        program.expect("more")
        proxy.connections[0]._not_before[DOWN] = 0
        proxy._ring()
        finish(program)


def test_a_message_that_is_cut_comes_whole_and_once(start, proxy, uid):
    proxy.next(Fault("fin", DOWN, CONNACK + SUBACK + 500))
    with Far(proxy.target) as far, start("better", "is_cut_in_a_message", proxy.port, uid) as program:
        program.expect("ready")
        far.publish(uid, "x" * 1000, 2)
        finish(program)


def test_who_only_publishes_hears_of_the_end(start, proxy, uid):
    proxy.next(Fault("fin", DOWN, CONNACK))
    with start("better", "is_told_of_the_end", proxy.port, uid) as program:
        program.expect("ready")
        program.send("\n")
        finish(program)


# -- umqtt.robust


def test_a_kept_session_goes_on_over_a_restart_of_the_broker(start, own, uid):
    with start("robust", "listens_faithful", own.port, uid) as program:
        program.expect("ready")
        for payload in ("1", "2"):
            with Far(own.port) as far:
                far.publish(uid, payload, 1)
            program.expect(f"got {payload}")
            if payload == "1":
                own.stop()
                own.start()
        finish(program)


def test_a_subclass_that_subscribes_again_goes_on_too(start, proxy, uid):
    with Far(proxy.target) as far, start("robust", "resubscribes_faithful", proxy.port, uid) as program:
        program.expect("ready")
        far.publish(uid, "1", 1)
        program.expect("got 1")
        proxy.next()
        wait_until(lambda: proxy.connections and proxy.connections[0].counts[DOWN] >= CONNACK + SUBACK)
        far.publish(uid, "2", 1)
        program.expect("got 2")
        finish(program)


def test_a_subclass_whose_connect_publishes_says_so_at_each_link(start, proxy, uid):
    with Far(proxy.target) as far, start("robust", "says_that_it_is_there_faithful", proxy.port, uid) as program:
        program.expect("ready")
        far.subscribe(f"{uid}/#", 1)
        far.wait(f"{uid}/state", 1)
        proxy.refuse()
        wait_until(lambda: "off" in far.payloads(f"{uid}/state"))
        program.send("again\n")
        proxy.accept()
        far.wait(f"{uid}/more", 1)
        finish(program)
        wait_until(lambda: far.payloads(f"{uid}/state")[-1] == "off")
        assert far.payloads(f"{uid}/state")[:3] == ["on", "off", "on"]
        far.publish(f"{uid}/state", "", 0)


def test_debug_tells_what_goes_wrong(start, proxy, uid):
    with start("robust", "tells_what_it_does_faithful", proxy.port, uid) as program:
        program.expect("cut")
        proxy.refuse()
        program.expect("mqtt: OSError(")
        program.expect("mqtt reconnect: ")
        proxy.accept()
        program.expect("checked")
        finish(program)


def test_a_message_is_at_the_broker_once_it_is_back(start, own, uid):
    with Far(own.port, f"{uid}-far") as far, start("robust", "publishes", own.port, uid) as program:
        for qos in (0, 1, 2):
            program.send(f"{qos} {qos}\n")
            program.expect(f"published {qos}")
            own.kill()
            program.send(f"{qos} {qos}-away\n")
            own.start()
            program.expect(f"published {qos}-away")
        wait_until(far._client.is_connected)
        far.subscribe(uid, 2)
        program.send("2 end\n")
        far.wait(uid, 1)
        program.send("0 none\n")
        finish(program)


@pytest.mark.parametrize("qos", (1, 2))
def test_a_message_arrives_over_a_cut_at_each_byte(start, proxy, uid, qos):
    with Far(proxy.target) as far, start("robust", "publishes", proxy.port, uid) as program:
        far.subscribe(uid, 2)
        cuts = [(UP, at) for at in range(1, 4 * qos + len(uid) + 14)]
        cuts += [(DOWN, at) for at in range(1, 4 * qos + 4)]
        for i, (way, at) in enumerate(cuts):
            program.send(f"{qos} {i}\n")
            program.expect(f"published {i}")
            link = proxy.connections[-1]
            link.fault, link.fired = Fault("rst", way, link.counts[way] + at), False
        program.send(f"{qos} end\n")
        far.wait(uid, len(cuts) + 1)
        got = [payload for payload in far.payloads(uid) if payload != "end"]
        print(len(proxy.connections), "links")
        assert sorted(set(map(int, got))) == list(range(len(cuts)))
        if qos == 2:  # once, from where there is a session that is kept
            assert got.index("2") == len(got) - len(cuts) + 2, got
        program.send("0 none\n")
        finish(program)


def test_subscriptions_come_back_and_calls_go_on(start, proxy, uid):
    with start("robust", "comes_back", proxy.port, uid) as program:
        for word in ("ready", "again", "again"):
            program.expect(word)
            proxy.refuse()
            wait_until(lambda: not proxy.open_links())
            program.send("\n")
            program.expect("log True")
            proxy.accept()
        finish(program)


# -- TLS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    if certificates.unavailable():
        pytest.skip(certificates.unavailable())
    folder = tmp_path_factory.mktemp("certificates")
    authority = certificates.Authority(folder)
    certificates.Authority(folder, "other")
    authority.issue("good", "127.0.0.1")
    authority.issue("client")
    return folder


@pytest.fixture(scope="module")
def secure(folder):
    """A Mosquitto with a port for TLS, and one that wants a certificate of ours."""
    if brokers.Mosquitto.available():
        pytest.skip(brokers.Mosquitto.available())
    ports = brokers.free_port(), brokers.free_port()
    lines = brokers.tls_listener(ports[0], folder, "good", "allow_anonymous true")
    more = "require_certificate true", "allow_anonymous true"
    with brokers.Mosquitto(settings=lines + brokers.tls_listener(ports[1], folder, "good", *more)) as broker:
        broker.tls = {"mutual": ports[1]}
        broker.plain = ports[0]
        yield broker


@pytest.mark.parametrize("how", ("plain", "params", "mutual", "context"))
def test_tls_as_for_umqtt(run, secure, folder, uid, kind, how):
    run("tls", how, secure.tls.get(how, secure.plain), uid, folder)


@pytest.mark.parametrize("how", ("other", "name"))
def test_tls_verifies_where_cert_reqs_says_so(start, secure, folder, uid, how):
    with start("tls", how, secure.plain, uid, folder) as program:
        finish(program)
        assert {"other": "unknown CA", "name": "wrong host name"}[how] in program.output


# -- installed in the place of umqtt


SHIM = "from umqtt_full.{0} import *\n"
PROGRAM = """
from umqtt.simple import MQTTClient, MQTTException
from umqtt.robust import MQTTClient as Robust
import umqtt.simple
print(issubclass(Robust, MQTTClient), hasattr(MQTTClient, "SLOT_SIZE"))
"""


@pytest.fixture
def board(tmp_path):
    """A folder with ours under the name umqtt, one with another umqtt as a firmware freezes it, and a program."""
    if mp.unavailable():
        pytest.skip(mp.unavailable())
    for name in ("root", "firmware"):
        (tmp_path / name / "umqtt").mkdir(parents=True)
    for name in ("simple", "robust"):
        (tmp_path / "root/umqtt" / f"{name}.py").write_text(SHIM.format(name))
        text = "class MQTTClient: pass\nclass MQTTException(Exception): pass\n"
        (tmp_path / "firmware/umqtt" / f"{name}.py").write_text(text)
    (tmp_path / "program.py").write_text(PROGRAM)
    return tmp_path


@pytest.mark.parametrize("order, ours", ((("root", "firmware"), True), (("firmware", "root"), False)))
def test_the_first_umqtt_on_sys_path_is_the_one(board, order, ours):
    command = env.find_micropython(), "-X", "heapsize=256k", board / "program.py"
    path = mp.import_path(*(board / name for name in order), mp.ROOT)
    with Process(*command, env=clean_env(MICROPYPATH=path)) as program:
        assert program.finish() == 0
        program.expect("True True" if ours else "False False")


# -- the face

SIGNATURES = {
    "MQTTClient": "(client_id, server, port=0, user=None, password=None, keepalive=0, ssl=None, ssl_params={})",
    "set_callback": "(self, f)",
    "set_last_will": "(self, topic, msg, retain=False, qos=0)",
    "connect": "(self, clean_session=True, timeout=None)",
    "disconnect": "(self)",
    "ping": "(self)",
    "publish": "(self, topic, msg, retain=False, qos=0)",
    "subscribe": "(self, topic, qos=0)",
    "unsubscribe": "(self, topic)",
    "wait_msg": "(self)",
    "check_msg": "(self)",
}
ROBUST = {"delay": "(self, i)", "log": "(self, in_reconnect, e)", "reconnect": "(self)",
          "check_msg": "(self, attempts=2)"}
ATTRIBUTES = {"client_id", "sock", "server", "port", "ssl", "ssl_params", "pid", "cb", "user", "pswd", "keepalive",
              "lw_topic", "lw_msg", "lw_qos", "lw_retain"}


def signatures(cls):
    """Of what is public in a class, and of the class itself."""
    functions = inspect.getmembers(cls, inspect.isfunction)
    found = {name: str(inspect.signature(function)) for name, function in functions if name[0] != "_"}
    return {**found, "MQTTClient": str(inspect.signature(cls))}


def test_names_arguments_and_defaults_are_those_of_umqtt():
    from umqtt_full import robust, simple

    assert signatures(simple.MQTTClient) == SIGNATURES
    assert signatures(robust.MQTTClient) == {**SIGNATURES, **ROBUST}
    assert {name for name in vars(simple.MQTTClient("id", "host")) if name[0] != "_"} == ATTRIBUTES
    assert not issubclass(simple.MQTTException, OSError)
