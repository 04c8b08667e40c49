"""python -m umqtt_full and micropython -m umqtt_full against mosquitto_pub, mosquitto_sub and MQTT.js's CLI.

Rule: each is a program in a pipe, as in a shell: looked at are its output, its exit code, and what others get.
Messages are retained, or wait in a kept session, so that no test depends on who is there first.
"""
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading

import brokers
import certificates
import env
import far
import large
import mp
import pytest
from process import CHILD, Process, clean_env
from proxy import DOWN, Fault, Proxy

MQTTJS = brokers.NODE_MODULES / "mqtt/build/bin/mqtt.js"
BYTES = bytes(range(256)) * 3
BIG = large.payload(3_000_000)


# -- programs


class Mosquittos:
    name = "mosquitto_pub and mosquitto_sub"

    @staticmethod
    def unavailable():
        there = shutil.which("mosquitto_pub") and shutil.which("mosquitto_sub")
        return None if there else "mosquitto_pub and mosquitto_sub are not installed"

    @staticmethod
    def command(verb, port, *words):
        return [f"mosquitto_{verb}", "-p", port, *words]


class MqttJs:
    name = "MQTT.js"

    @staticmethod
    def unavailable():
        if not shutil.which("node"):
            return "MQTT.js: node is not installed"
        return None if MQTTJS.exists() else "MQTT.js is not installed (npm)"

    @staticmethod
    def command(verb, port, *words):
        return ["node", MQTTJS, verb, "-h", "127.0.0.1", "-p", port, *words]


THEIRS = Mosquittos, MqttJs


class Pipe(subprocess.Popen):
    def __init__(self, command, env):
        end = subprocess.PIPE
        begin = [sys.executable, "-I", "-S", CHILD]  # it dies with the tests
        super().__init__(texts([*begin, *command]), env=env, stdin=end, stdout=end, stderr=end)

    def __exit__(self, *exc):
        self.kill()
        super().__exit__(*exc)


class Ours:
    """Our command line on one interpreter; MicroPython has a heap of 256 KB."""

    def __init__(self, kind):
        self.kind = kind
        if kind == "cpython":
            self._begin = [sys.executable, "-m", "umqtt_full"]
            self.env = {**os.environ, "PYTHONPATH": str(mp.ROOT)}
        else:
            self._begin = [env.find_micropython(), "-X", "heapsize=256k", "-m", "umqtt_full"]
            self.env = clean_env(MICROPYPATH=mp.import_path(mp.ROOT))

    def command(self, verb, port, *words):
        return [*self._begin, verb, *(["-p", port] if port else []), *words]

    def start(self, *words, **more):
        return Process(*self.command(*words), env={**self.env, **more})

    def pipe(self, *words):
        """A process whose three ends are ours, as they are; killed at the end of the `with`."""
        return Pipe(self.command(*words), self.env)

    def run(self, *words, code=0, **more):
        """Run to the end: (stdout, stderr)."""
        return run(self.command(*words), code, env={**self.env, **more.pop("env", {})}, **more)


def texts(command):
    return [part if isinstance(part, bytes) else str(part) for part in command]


def run(command, code=0, **more):
    done = subprocess.run(texts(command), capture_output=True, timeout=40, **more)
    assert done.returncode == code, f"exit code {done.returncode} of {command}\n{done.stdout}\n{done.stderr}"
    return done.stdout, done.stderr.decode()


def mosquitto_pub(port, *words, **more):
    run(Mosquittos.command("pub", port, *words), **more)


def mosquitto_sub(port, *words, code=0):
    return run(Mosquittos.command("sub", port, *words), code)[0]


def sha(data):
    return hashlib.sha256(data).hexdigest()


# -- fixtures


@pytest.fixture
def ours(kind):
    return Ours(kind)


@pytest.fixture(params=THEIRS, ids=lambda part: part.name.split()[0])
def theirs(request):
    if request.param.unavailable():
        pytest.skip(request.param.unavailable())
    return request.param


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    if certificates.unavailable():
        pytest.skip(certificates.unavailable())
    folder = tmp_path_factory.mktemp("certificates")
    certificates.Authority(folder).issue("good", "localhost", "127.0.0.1")
    certificates.Authority(folder, "other")
    return folder


@pytest.fixture(scope="module")
def broker():
    for part in (brokers.Mosquitto.available(), Mosquittos.unavailable()):
        if part:
            pytest.skip(part)
    with brokers.Mosquitto(settings="set_tcp_nodelay true") as broker:
        yield broker


@pytest.fixture(scope="module")
def port(broker):
    return broker.port


@pytest.fixture(scope="module")
def tls(broker, folder):
    """The port of a Mosquitto with TLS."""
    port = brokers.free_port()
    with brokers.Mosquitto(settings=brokers.tls_listener(port, folder, "good")):
        yield port


# -- one message


def test_what_ours_publishes_theirs_prints(ours, theirs, port, uid):
    ours.run("pub", port, "-t", f"{uid}/lamp", "-m", "it is \u00e9teint", "-r", "-q", 2)
    with Process(*theirs.command("sub", port, "-t", f"{uid}/+", "-v"), env=clean_env()) as sub:
        assert sub.expect("it is").split(" ", 1) == [f"{uid}/lamp", "it is \u00e9teint"]


def test_what_theirs_publishes_ours_prints(ours, theirs, port, uid):
    run(theirs.command("pub", port, "-t", f"{uid}/lamp", "-m", "it is \u00e9teint", "-r", "-q", "1"))
    out, _ = ours.run("sub", port, "-t", f"{uid}/+", "-v", "-C", 1, "-q", 1)
    assert out.decode() == f"{uid}/lamp it is \u00e9teint\n"


def test_bytes_stay_what_they_are(ours, port, uid):
    mosquitto_pub(port, "-t", uid, "-s", "-r", input=BYTES)
    assert ours.run("sub", port, "-t", uid, "-N", "-C", 1)[0] == BYTES
    ours.run("pub", port, "-t", uid, "-s", "-r", input=BYTES[::-1])
    assert mosquitto_sub(port, "-t", uid, "-N", "-C", "1") == BYTES[::-1]
    if ours.kind == "cpython":  # the wheel of MicroPython takes no such argument
        ours.run("pub", port, "-t", uid, "-m", b"\xff\xfe", "-r")
        assert mosquitto_sub(port, "-t", uid, "-N", "-C", "1") == b"\xff\xfe"


def test_an_empty_payload_is_shown_and_takes_away_what_was_retained(ours, port, uid):
    with ours.pipe("sub", port, "-t", uid, "-v", "-C", 2) as sub:
        ours.run("pub", port, "-t", uid, "-m", "here", "-r")
        assert sub.stdout.readline() == f"{uid} here\n".encode()
        ours.run("pub", port, "-t", uid, "-n", "-r")
        assert sub.stdout.readline() == f"{uid} (null)\n".encode()
        assert sub.wait(20) == 0
    mosquitto_sub(port, "-t", uid, "-W", "1", code=27)


def test_three_megabytes_go_both_ways(ours, port, uid, tmp_path):
    file = tmp_path / "big"
    file.write_bytes(BIG)
    ours.run("pub", port, "-t", uid, "-f", file, "-r", "-q", 2)
    assert sha(mosquitto_sub(port, "-t", uid, "-N", "-C", "1")) == sha(BIG)
    assert sha(ours.run("sub", port, "-t", uid, "-N", "-C", 1, "-q", 2)[0]) == sha(BIG)
    mosquitto_pub(port, "-t", uid, "-n", "-r")


def test_what_a_cut_interrupts_is_not_printed_twice(ours, port, uid):
    waiting(port, uid)
    mosquitto_pub(port, "-t", uid, "-s", "-q", "1", input=BIG)
    with Proxy(port) as proxy:
        proxy.next(Fault("fin", DOWN, 1_000_000))
        out, said = ours.run("sub", proxy.port, "-t", uid, "-q", 1, "-c", "-i", uid, "-N", "-C", 1)
        assert len(proxy.connections) == 2
    assert sha(out) == sha(BIG), said


# -- lines, counts, sessions


def waiting(port, uid):
    """A session for topic uid, in which messages gather; read them with gathered()."""
    mosquitto_sub(port, "-t", uid, "-q", "2", "-c", "-i", uid, "-E")


def gathered(port, uid, count, *more):
    return mosquitto_sub(port, "-t", uid, "-q", "2", "-c", "-i", uid, "-C", count, *more)


@pytest.mark.parametrize("qos", (1, 2))
def test_each_line_of_stdin_is_a_message(ours, port, uid, qos):
    waiting(port, uid)
    lines = [b"%d" % i for i in range(300)] + [b"", b"x" * 5000, b"\xff", b"the last has no end"]
    ours.run("pub", port, "-t", uid, "-l", "-q", qos, input=b"\n".join(lines))
    got = gathered(port, uid, len(lines), "-v").split(b"\n")
    assert got == [f"{uid} ".encode() + (line or b"(null)") for line in lines] + [b""]


def test_lines_go_through_a_pipe_at_qos_0(ours, port, uid):
    lines = b"".join(b"%d\n" % i for i in range(2000))
    mosquitto_pub(port, "-t", uid, "-m", "ready", "-r")
    with ours.pipe("sub", port, "-t", uid, "-C", 2001) as sub:
        assert sub.stdout.readline() == b"ready\n"
        ours.run("pub", port, "-t", uid, "-l", input=lines)
        assert sub.stdout.read() == lines


def test_no_line_is_lost_over_an_outage(ours, port, uid):
    waiting(port, uid)
    with Proxy(port) as proxy, ours.pipe("pub", proxy.port, "-t", uid, "-l", "-q", 1) as pub:
        pub.stdin.write(b"".join(b"%d\n" % i for i in range(10)))
        pub.stdin.flush()
        far.wait_until(lambda: proxy.connections and proxy.connections[0].counts[1] > 4)
        proxy.next(Fault("rst", DOWN, 50))
        pub.stdin.write(b"".join(b"%d\n" % i for i in range(10, 400)))
        pub.stdin.close()
        assert pub.wait(30) == 0
        assert b"connected again" in pub.stderr.read()
    mosquitto_pub(port, "-t", uid, "-m", "end", "-q", "1")
    with Process(*Mosquittos.command("sub", port, "-t", uid, "-q", 1, "-c", "-i", uid), env=clean_env()) as sub:
        sub.expect("end")
        assert sorted(map(int, set(sub.lines[:-1]))) == list(range(400))


def test_a_kept_session_has_what_came_meanwhile_also_for_another_filter(ours, port, uid):
    session = "-c", "-i", uid, "-q", 1
    mosquitto_pub(port, "-t", f"{uid}/a", "-m", "retained", "-r")
    ours.run("sub", port, "-t", f"{uid}/a", "-C", 1, *session)
    for i in range(4):
        mosquitto_pub(port, "-t", f"{uid}/a", "-m", str(i), "-q", "1")
    out, _ = ours.run("sub", port, "-t", f"{uid}/b", "-C", 2, "-v", *session)
    assert out == f"{uid}/a 0\n{uid}/a 1\n".encode()
    out, _ = ours.run("sub", port, "-t", f"{uid}/b", "-C", 2, *session)
    assert out == b"2\n3\n"


def test_several_filters_and_the_topic_of_a_url(ours, port, uid):
    for name in "abc":
        mosquitto_pub(port, "-t", f"{uid}/{name}", "-m", name, "-r")
    words = "-t", f"{uid}/a", "-t", f"{uid}/b", "-C", 3
    out, _ = ours.run("sub", None, "-L", f"mqtt://127.0.0.1:{port}/{uid}/c", *words)
    assert sorted(out.split()) == [b"a", b"b", b"c"]


# -- the end


def test_the_exit_code_says_what_was_wrong(ours, port, uid):
    free = brokers.free_port()
    for words, code, said in (
        (("sub", port, "-t", uid, "-W", 1), 27, "timed out"),
        (("pub", free, "-t", uid, "-m", "x"), 2, "[Errno "),
        (("sub", free, "-t", uid), 2, "[Errno "),
        (("pub", port, "-t", f"{uid}/#", "-m", "x"), 1, "topic"),
        (("pub", port, "-t", uid, "-q", "9"), 1, "-q: a number from 0 to 2, not 9"),
        (("sub", port, "-t", f"{uid}/#/x"), 1, "filter"),
        (("sub", None, "-t", uid, "--url", "http://h"), 1, "url: scheme"),
        (("sub", port, "-t", uid, "-P", "x"), 1, "password without user"),
        (("sub", port, "-t", uid, "--cafile", mp.ROOT / "README.md"), 1, "cert"),
    ):
        out, text = ours.run(*words, code=code)
        assert not out and text.startswith("umqtt_full: ") and said in text, text
        assert text.count("\n") == 1, text
    assert ours.run("--version", None)[0] == b"0.1.0\n"
    assert b"--will-retain" in ours.run("sub", None, "--help")[0]


def test_the_password_comes_from_the_environment(ours, uid):
    if brokers.Mosquitto.available():
        pytest.skip(brokers.Mosquitto.available())
    with brokers.Mosquitto(user="ann", password="secret word") as own:
        words = "pub", own.port, "-t", uid, "-m", "x", "-u", "ann"
        assert "not authorized" in ours.run(*words, code=3)[1]
        ours.run(*words, env={"MQTT_PASSWORD": "secret word"})
        url = "pub", None, "-m", "x", "-L", f"mqtt://ann:secret%20word@127.0.0.1:{own.port}/{uid}"
        for given in ((*words, "-P", "secret word"), url):
            ours.run(*given, env={"MQTT_PASSWORD": "another"})


def test_a_will_comes_of_a_kill_and_not_of_ctrl_c(ours, broker, uid):
    mosquitto_pub(broker.port, "-t", f"{uid}/on", "-m", "ready", "-r")
    will = "--will-topic", f"{uid}/will", "--will-payload", "gone", "--will-qos", 1, "--will-retain"
    words = "sub", broker.port, "-t", f"{uid}/on", "-i", uid, *will
    with ours.start(*words) as sub:
        sub.expect("ready")
        os.kill(sub.pid, signal.SIGINT)
        assert sub.finish() == 130
        assert sub.lines == ["ready"]
    far.wait_until(lambda: f"Client {uid} " in broker.output)
    assert f"Client {uid} disconnected." in broker.output
    mosquitto_sub(broker.port, "-t", f"{uid}/will", "-C", "1", "-W", "1", code=27)
    with ours.start(*words) as sub:
        sub.expect("ready")
    assert mosquitto_sub(broker.port, "-t", f"{uid}/will", "-C", "1") == b"gone\n"


def test_who_reads_one_line_and_goes_ends_it_quietly(ours, port, uid):
    mosquitto_pub(port, "-t", uid, "-m", "one", "-r")
    with ours.pipe("sub", port, "-t", uid) as sub:
        assert sub.stdout.readline() == b"one\n"
        sub.stdout.close()
        assert sub.wait(20) == 0
        assert sub.stderr.read() == b""


def test_a_full_disk_is_no_success(ours, port, uid):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    mosquitto_pub(port, "-t", uid, "-m", "one", "-r")
    with open("/dev/full", "wb") as full:
        command = texts(ours.command("sub", port, "-t", uid, "-C", 1))
        done = subprocess.run(command, env=ours.env, stdout=full, stderr=subprocess.PIPE, timeout=30)
    assert done.returncode == 1 and b"umqtt_full: stdout: " in done.stderr


# -- a broker of our own: what mosquitto does not show


class Script:
    """A broker that takes one link and does as the test says."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(20)
        self.port = self._listener.getsockname()[1]

    def accept(self):
        """Take the link and answer CONNECT."""
        self.link = self._listener.accept()[0]
        self.link.settimeout(20)
        self.until(b"MQTT")
        self.link.sendall(b"\x20\2\0\0")

    def until(self, part):
        got = b""
        while part not in got:
            more = self.link.recv(4096)
            assert more, got
            got += more
        return got

    def subscribed(self, granted):
        packet = self.until(b"\x82")
        while len(packet) < packet[1] + 2:
            packet += self.link.recv(99)
        self.link.sendall(b"\x90\3" + packet[2:4] + granted)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.link.close()
        self._listener.close()


def test_without_a_subscription_it_ends(ours):
    with Script() as script, ours.start("sub", script.port, "-t", "a/b") as sub:
        script.accept()
        script.subscribed(b"\x80")
        sub.expect("a/b: subscription refused")
        assert sub.finish() == 3


def test_keepalive_goes_on_while_stdin_says_nothing(ours):
    with Script() as script, ours.start("pub", script.port, "-t", "a/b", "-l", "-k", 1) as pub:
        script.accept()
        script.until(b"\xc0\0")
        script.link.sendall(b"\xd0\0")
        pub.send("half a ")
        script.until(b"\xc0\0")
        script.link.sendall(b"\xd0\0")
        pub.send("line\n")
        script.until(b"\x30\x10\0\3a/bhalf a line")


def test_keepalive_goes_on_while_nobody_reads_stdout(ours):
    with Script() as script, ours.pipe("sub", script.port, "-t", "a", "-k", 1, "-C", 300) as sub:
        script.accept()
        script.subscribed(b"\0")
        flood = (b"\x30\xeb\7\0\1a" + bytes(1000)) * 300
        sender = threading.Thread(target=script.link.sendall, args=(flood,))
        sender.start()
        script.until(b"\xc0\0")
        out, _ = sub.communicate(timeout=20)
        sender.join()
        assert out == (bytes(1000) + b"\n") * 300 and sub.returncode == 0


# -- other transports


def test_tls_takes_what_the_ca_signed_and_names_what_it_did_not(ours, port, tls, folder, uid):
    words = "pub", tls, "-t", uid, "-m", "safe", "-r", "-h", "localhost"
    ours.run(*words, "--cafile", folder / "ca.crt")
    assert "unknown CA" in ours.run(*words, "--cafile", folder / "other.crt", code=2)[1]
    url = "-L", f"mqtts://localhost:{tls}/{uid}"
    assert ours.run("sub", None, *url, "--cafile", folder / "ca.crt", "-C", 1)[0] == b"safe\n"
    assert ours.run("sub", tls, "-t", uid, "--insecure", "-C", 1)[0] == b"safe\n"
    assert "not a TLS port" in ours.run("pub", port, *words[2:], "--insecure", code=2)[1]


def test_websocket_by_url(ours, port, uid):
    with large.websocket_before(port) as web:
        url = "-L", f"ws://127.0.0.1:{web}/mqtt"
        ours.run("pub", None, *url, "-t", uid, "-m", "by web", "-r", "-q", 1)
        assert ours.run("sub", None, *url, "-t", uid, "-C", 1)[0] == b"by web\n"


# -- bench


def test_bench_prints_a_line_for_each_qos(ours, port, uid):
    out, _ = ours.run("bench", port, "-n", 50, "-t", uid)
    head, *rows = out.decode().splitlines()
    assert head.split()[0] == "publish/s"
    assert [row.split()[:2] for row in rows] == [["QoS", str(qos)] for qos in range(3)]
    for row in rows:
        numbers = [float(number) for number in row.split()[2:]]
        assert len(numbers) == 5 and min(numbers) > 0 and sorted(numbers[2:]) == numbers[2:]
    out, _ = ours.run("bench", port, "-n", 5, "-q", 1, "--size", 2000)
    assert len(out.splitlines()) == 2
