"""Each broker of the tests starts, ends and comes back as its class says; MicroPython runs as mp.py says."""
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import brokers
import mp
import pytest
from process import Process, clean_env

HOST = Path(__file__).resolve().parent


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def own(_broker_class):
    """A broker of this test alone, not yet started."""
    if _broker_class.available():
        pytest.skip(_broker_class.available())
    broker = _broker_class()
    yield broker
    broker.stop()


def test_a_broker_answers_on_loopback(broker):
    assert brokers.answers(broker.port) and broker.running()
    assert broker.url == f"mqtt://127.0.0.1:{broker.port}"


def test_a_broker_keeps_its_port_when_stopped_killed_and_restarted(own):
    own.start()
    port = own.port
    for end in (own.stop, own.kill):
        end()
        assert not own.running() and not is_open(port)
        own.start()
        assert own.port == port and brokers.answers(port)
    assert own.restart().port == port and brokers.answers(port)


def test_a_broker_whose_port_is_taken_finds_another(own):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", own.port))
        taken.listen()
        own.start()
        assert own.port != taken.getsockname()[1] and brokers.answers(own.port)


def connack(broker, name, clean, user=None, password=None):
    """Connect by hand, subscribe to s/#, go away without a word; return the CONNACK."""
    fields = [name, user, password] if user else [name]
    flags = (2 if clean else 0) | (0xC0 if user else 0)
    body = b"\x00\x04MQTT\x04" + bytes([flags]) + b"\x00\x3c"
    body += b"".join(b"\x00" + bytes([len(field)]) + field for field in fields)
    with socket.create_connection(("127.0.0.1", broker.port), timeout=10) as link:
        link.sendall(b"\x10" + bytes([len(body)]) + body)
        answer = link.recv(4)
        if answer[3] == 0:
            link.sendall(b"\x82\x08\x00\x01\x00\x03s/#\x01")
            link.recv(5)
            link.sendall(b"\xe0\x00")
    return answer


def present(broker, name):
    """True when the broker remembers the session of the client (after what it has to do, within a second)."""
    time.sleep(0.3)
    return connack(broker, name, clean=False) == b"\x20\x02\x01\x00"


def test_a_broker_keeps_sessions_where_its_class_says_so(broker, uid):
    name = uid.encode()
    assert connack(broker, name, clean=False) == b"\x20\x02\x00\x00"
    if broker.keeps_sessions:  # one that does not may still have it for a moment
        assert present(broker, name)


@pytest.mark.parametrize("persistence", [True, False])
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_mosquitto_keeps_sessions_over_a_restart_when_told(persistence, end, mosquitto):
    with brokers.Mosquitto(persistence=persistence) as own:
        connack(own, b"kept", clean=False)
        time.sleep(0.3)
        getattr(own, end)()
        own.start()
        assert present(own, b"kept") == own.keeps_sessions_over_restart == persistence


def test_mosquitto_with_a_password_lets_in_only_who_knows_it(mosquitto):
    with brokers.Mosquitto(user="ann", password="secret") as own:
        assert connack(own, b"a", True, b"ann", b"secret")[3] == 0
        assert connack(own, b"b", True, b"ann", b"wrong")[3] == 5
        assert connack(own, b"c", True)[3] == 5


def test_brokers_die_with_the_test_run(_broker_class, tmp_path):
    if _broker_class.available() or sys.platform != "linux":
        pytest.skip(_broker_class.available() or "only Linux can tie a process to its parent")
    program = (f"import brokers, time; b = brokers.{_broker_class.__name__}().start()\n"
               "print('port', b.port, flush=True); time.sleep(60)")
    path = os.pathsep.join((str(HOST), str(mp.ROOT / "tools")))
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True,
                          env=clean_env(PYTHONPATH=path, TMPDIR=str(tmp_path))) as runner:
        port = int(runner.stdout.readline().split()[1])
        assert is_open(port)
        os.kill(runner.pid, signal.SIGKILL)
        wait_until(lambda: not is_open(port))


@pytest.fixture
def script(tmp_path):
    """Write a program and return its path; skipped where there is no MicroPython."""
    if mp.unavailable():
        pytest.skip(mp.unavailable())

    def write(text):
        (tmp_path / "script.py").write_text(text)
        return tmp_path / "script.py"

    return write


def test_lines_of_micropython_can_be_read_as_they_come(script):
    program = "import sys, gc\nprint('args', sys.argv[1:])\nprint(gc.mem_alloc() + gc.mem_free() < 65536)\n" \
              "print('got', input())\nsys.exit(3)"
    with mp.MicroPython(script(program), "one", "2", heapsize="64k") as board:
        assert board.expect("args") == "args ['one', '2']"
        board.expect("True")
        board.send("hello\n")
        board.expect("got hello")
        assert board.finish() == 3
        with pytest.raises(AssertionError, match="ended without 'more'"):
            board.expect("more")
    assert board.lines[0].startswith("args")


def test_micropython_can_import_asyncio_and_is_killed_at_the_end(script):
    program = "import asyncio\nasync def f():\n  print('ready')\n  await asyncio.sleep(60)\nasyncio.run(f())"
    with mp.MicroPython(script(program)) as board:
        board.expect("ready")
        with pytest.raises(TimeoutError, match="no 'never' within 0.2 s"):
            board.expect("never", timeout=0.2)
        assert board.running()
    assert not board.running()


def test_the_package_can_be_compiled_for_a_board(script, tmp_path):
    (tmp_path / "source").mkdir()
    files = {"__init__": "from .part import who", "part": "def who(): return __file__", "_cpython": ""}
    for name, text in files.items():
        (tmp_path / "source" / f"{name}.py").write_text(text)
    mp.compile_package(tmp_path / "source", tmp_path / "compiled")
    assert sorted(file.name for file in (tmp_path / "compiled").iterdir()) == ["__init__.mpy", "part.mpy"]
    with mp.MicroPython(script("import compiled\nprint(compiled.who())"), paths=[tmp_path]) as board:
        board.expect("compiled/part.mpy")


def test_the_coverage_of_a_process_does_not_leak_into_a_program_of_another_kind():
    with Process(sys.executable, "-c", "import os; print(sorted(os.environ))", env=clean_env()) as process:
        assert "COVERAGE" not in process.expect("PATH")
