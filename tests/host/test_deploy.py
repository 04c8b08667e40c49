"""tools/deploy.py on a virtual board: one command from an empty flash to the first reading at the broker.

Rule: deploy runs as its user runs it, as a program; what is on the board is looked up in the board's own flash.
"""
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import threading
import types

import compact
import deploy
import device
import env
import install
import profiles
import pytest
import virtual
from device import Board, BoardError
from process import clean_env

pytestmark = pytest.mark.skipif(bool(virtual.unavailable()), reason=str(virtual.unavailable()))
pytest.importorskip("mpremote", reason="mpremote is not installed")

# An application of a few lines: it says what the real ones say, and is quick to install.
MAIN = "import app\napp.run()\n"
APP = """
import json
from umqtt_full import MQTTClient
GENERATION = 1
def run():
    config = json.load(open("config.json"))
    if "topic" not in config["sensor"]:
        raise SystemExit(print("config   config.json: sensor.topic: is missing"))
    mqtt = MQTTClient(config["broker"])
    mqtt.on_connect = lambda present: print("link     up, session new")
    mqtt.start()
    while True:
        mqtt.poll(20)
        if mqtt.connected and mqtt.room():
            mqtt.publish(config["sensor"]["topic"] + "/reading", b"%d" % GENERATION, 1)
"""


@pytest.fixture
def place(tmp_path, mosquitto, uid):
    """Folders for the application and the flash, and settings for this broker."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app/main.py").write_text(MAIN)
    (tmp_path / "app/app.py").write_text(APP)
    (tmp_path / "flash").mkdir()
    settings = {"broker": mosquitto.url, "sensor": {"topic": f"{uid}/attic"}}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    return tmp_path


def run(place, board, *arguments, own=True):
    """Deploy; return (exit code, all that it printed)."""
    command = [sys.executable, env.ROOT / "tools/deploy.py", "--device", board.device, "--wait", "20"]
    command += ["--config", place / "config.json", "--profile", "minimal", *arguments]
    command += ["--application", place / "app"] if own else []
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=clean_env(), text=True, timeout=50)
    print(done.stdout)
    return done.returncode, done.stdout


def files(place):
    """{path: contents} of the flash."""
    flash = place / "flash"
    return {str(file.relative_to(flash)): file.read_bytes() for file in flash.rglob("*") if file.is_file()}


def test_one_command_brings_the_sensor_to_an_empty_board_until_its_first_reading_is_at_the_broker(place, uid):
    settings = json.loads((place / "config.json").read_text())
    settings["sensor"]["period_s"] = 0.2
    (place / "config.json").write_text(json.dumps(settings))
    with virtual.VirtualBoard(place / "flash") as board:
        code, said = run(place, board, "--profile", "standard", own=False)
        assert code == 0 and f"first message: {uid}/attic/reading" in said
        there = files(place)
        code, said = run(place, board, "--profile", "standard", own=False)
        assert code == 0 and "nothing to copy" in said and f"first message: {uid}/attic/reading" in said
    assert {"main.py", "config.json", "sensor.mpy", "board.mpy", "lib/umqtt_full/client.mpy"} <= set(there)
    assert "lib/umqtt_full/ws.mpy" not in there and files(place) == there
    assert there["config.json"] == (place / "config.json").read_bytes()


def test_only_what_differs_is_copied_and_what_would_be_in_the_way_is_removed(place):
    with virtual.VirtualBoard(place / "flash") as board:
        assert run(place, board)[0] == 0
        (place / "app/app.py").write_text(APP.replace("GENERATION = 1", "GENERATION = 2"))
        for stale in ("lib/umqtt_full/wire.py", "lib/umqtt_full/store.mpy", "umqtt_full/__init__.py", "app.py"):
            (place / "flash" / stale).parent.mkdir(exist_ok=True)
            (place / "flash" / stale).write_text("raise ValueError('this is old')")
        (place / "flash/mine.py").write_text("# the user's own")
        code, said = run(place, board)
    assert code == 0 and said.rstrip().endswith("reading 2")
    lines = sorted(line.split()[:2] for line in said.splitlines() if line.startswith("  ") and "|" not in line)
    assert lines == [["changed", "/app.mpy"], ["gone", "/app.py"], ["gone", "/lib/umqtt_full/store.mpy"],
                     ["gone", "/lib/umqtt_full/wire.py"], ["gone", "/umqtt_full"]]
    library = {f"lib/umqtt_full/{file[:-3]}.mpy" for file in compact.sources("minimal")}
    assert set(files(place)) == library | {"main.py", "app.mpy", "config.json", "mine.py"}
    assert not (place / "flash/umqtt_full").exists()


def test_the_readable_build_gives_way_to_the_compact_one_and_comes_back(place):
    """No file of the other one is left, and both run."""
    with virtual.VirtualBoard(place / "flash") as board:
        for words, modules in ((["--readable"], profiles.modules("minimal")), ([], None),
                               (["--readable"], profiles.modules("minimal"))):
            assert run(place, board, *words)[0] == 0
            modules = modules or [file[:-3] for file in compact.sources("minimal")]
            there = {path for path in files(place) if path.startswith("lib/")}
            assert there == {f"lib/umqtt_full/{module}.mpy" for module in modules}


def test_a_board_that_reads_no_mpy_gets_the_sources():
    library = deploy.files_of("minimal", 0)
    assert library == {f"{install.LIBRARY}/{file.name}": file.read_bytes() for file in profiles.sources("minimal")}


def test_a_watchdog_that_the_old_application_has_started_is_ended_before_the_copying(place):
    settings = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps({**settings, "watchdog_ms": 8000}))
    boot = "import machine, os\nwith open('/starts', 'a') as f:\n" \
           " print(machine.reset_cause(), 'main.py' in os.listdir('/'), file=f)"
    with virtual.VirtualBoard(place / "flash") as board:
        assert run(place, board)[0] == 0
        (place / "flash/boot.py").write_text(boot)
        (place / "app/app.py").write_text(APP.replace("GENERATION = 1", "GENERATION = 2"))
        code, said = run(place, board)
    assert code == 0 and said.rstrip().endswith("reading 2")
    starts = (place / "flash/starts").read_text().splitlines()
    assert virtual.HARD in board.causes  # (boot.py may be interrupted there, and run again)
    assert any(start.endswith("False") for start in starts) and starts[-1] == f"{virtual.SOFT} True"


def test_a_dry_run_says_what_it_would_do_and_changes_nothing(place):
    with virtual.VirtualBoard(place / "flash") as board:
        code, said = run(place, board, "--dry-run")
    assert code == 0 and "new  /main.py" in said and "nothing was changed" in said
    assert files(place) == {}


@pytest.mark.parametrize("text, said", [
    ("{", "config.json: not JSON"),
    ("{}", "broker: must be a URL"),
    ('{"broker": "mqtt://"}', "broker: url: host"),
    ('{"broker": "mqtts://127.0.0.1", "tls": {"ca": "ca.der"}}', "tls: ca.der: No such file"),
])
def test_settings_that_can_not_be_right_are_refused_before_anything_is_copied(place, text, said):
    (place / "config.json").write_text(text)
    with virtual.VirtualBoard(place / "flash") as board:
        code, words = run(place, board)
    assert code == 1 and said in words and "Traceback" not in words
    assert files(place) == {}


def test_settings_that_the_application_refuses_are_taken_back_and_the_old_ones_run_on(place, mosquitto):
    with virtual.VirtualBoard(place / "flash") as board:
        assert run(place, board)[0] == 0
        before = files(place)
        (place / "config.json").write_text(json.dumps({"broker": mosquitto.url, "sensor": {}}))
        code, said = run(place, board)
        assert code == 1 and "sensor.topic: is missing" in said and "all is as it was before" in said
        assert files(place) == before


def test_without_a_board_or_settings_it_says_so(place):
    class Nowhere:
        device = str(place / "nowhere")

    assert "does it exist" in run(place, Nowhere)[1]
    (place / "config.json").unlink()
    with virtual.VirtualBoard(place / "flash") as board:
        code, said = run(place, board)
    assert code == 1 and "give --config FILE" in said and "Traceback" not in said


def test_which_board_is_meant_is_asked_where_there_is_none_or_several(monkeypatch):
    def port(name, vid):
        return types.SimpleNamespace(device=name, vid=vid, manufacturer="M", product="P")

    ports = [port("/dev/ttyS0", None)]  # not on USB
    monkeypatch.setattr(device.serial.tools.list_ports, "comports", lambda: ports)
    with pytest.raises(BoardError, match="no board found"):
        device.find()
    ports.append(port("/dev/ttyUSB0", 1))
    assert device.find() == "/dev/ttyUSB0" and device.find("socket://x:1") == "socket://x:1"
    ports.append(port("/dev/ttyUSB1", 1))
    with pytest.raises(BoardError, match="(?s)choose one with --device.*ttyUSB0.*ttyUSB1"):
        device.find()


def test_a_firmware_that_is_too_old_is_refused_and_the_version_it_needs_is_named(place, monkeypatch, capsys):
    monkeypatch.setattr(device, "OLDEST", (9, 1))
    with virtual.VirtualBoard(place / "flash") as board:
        assert deploy.main(["--device", board.device, "--config", str(place / "config.json")]) == 1
    assert "MicroPython 9.1 or later is needed" in capsys.readouterr().err
    assert files(place) == {}


def test_what_does_not_answer_is_not_micropython(monkeypatch, tmp_path):
    monkeypatch.setattr(device, "STOP_S", 0.05)
    near, far = os.openpty()
    (tmp_path / "tty").symlink_to(os.ttyname(far))
    with pytest.raises(BoardError, match="does not answer as MicroPython"):
        Board(str(tmp_path / "tty"))
    os.close(near)
    os.close(far)


def test_a_board_behind_a_socket_is_a_board(place):
    with virtual.VirtualBoard(place / "flash") as board, socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=bridge, args=(server, board.device), daemon=True).start()
        with Board(f"socket://127.0.0.1:{server.getsockname()[1]}") as line:
            line.write("/file", bytes(range(256)) * 20)
            assert line.exec("print(1)") == "1\r\n" or line.exec("print(1)") == "1\n"
    assert files(place) == {"file": bytes(range(256)) * 20}


def bridge(server, name):
    """Carry one connection's bytes to a serial port and back."""
    link, _ = server.accept()
    line = os.open(name, os.O_RDWR | os.O_NOCTTY)
    with link:
        while True:
            for end in select.select([link, line], [], [])[0]:
                data = link.recv(4096) if end == link else os.read(line, 4096)
                if not data:
                    return os.close(line)
                link.sendall(data) if end == line else os.write(line, data)


def test_settings_are_asked_for_once(place, monkeypatch, capsys):
    answers = ["home", "mqtt://127.0.0.1", "attic"]
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda words: answers.pop(0))
    monkeypatch.setattr(deploy.getpass, "getpass", lambda words: "secret")
    file = place / "new.json"
    deploy.ask(file, "esp32")
    network = {"wifi": [{"ssid": "home", "password": "secret"}]}
    told = {"network": network, "broker": "mqtt://127.0.0.1", "sensor": {"topic": "attic"}}
    assert json.loads(file.read_text()) == told
    assert "secret" not in capsys.readouterr().out and file.stat().st_mode & 0o077 == 0


def test_the_bar_is_for_terminals_only(monkeypatch, capsys):
    deploy.Bar(100)(50)
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    bar = deploy.Bar(100)
    bar(50)
    bar(50)
    shown = capsys.readouterr().out
    assert f"{'#' * 20:40} 50 of 100 bytes" in shown and f"{'#' * 40} 100 of 100 bytes\n" in shown


# -- a flash of 64 KiB, and a board that goes away


class Image:
    """A board's flash as a littlefs image of so many bytes, and what is in it."""

    def __init__(self, path, size=65536):
        self.path = virtual.make_image(path, size)

    def files(self):
        littlefs = pytest.importorskip("littlefs", reason="littlefs-python is not installed")
        fs = littlefs.LittleFS(block_size=4096, block_count=self.path.stat().st_size // 4096, mount=False)
        fs.context.buffer = bytearray(self.path.read_bytes())
        fs.mount()
        return {f"{folder.rstrip('/')}/{name}" for folder, _, names in fs.walk("/") for name in names}


def test_a_filesystem_without_room_is_told_before_anything_is_copied(place):
    image = Image(place / "flash.img")
    with virtual.VirtualBoard(image.path) as board:
        code, said = run(place, board, "--profile", "full")
    assert code == 1 and "no room" in said and "are free" in said
    assert image.files() == set()


def test_a_filesystem_that_becomes_full_is_left_as_it_was(place, monkeypatch, capsys):
    image = Image(place / "flash.img")
    monkeypatch.setattr(install.Plan, "check_room", lambda plan: None)
    with virtual.VirtualBoard(image.path) as board:
        words = ["--device", board.device, "--config", str(place / "config.json"), "--profile", "full"]
        assert deploy.main([*words, "--application", str(place / "app")]) == 1
    assert "filesystem is full" in capsys.readouterr().err
    assert image.files() == set()


def test_a_board_that_is_unplugged_in_the_middle_runs_what_it_ran_before(place):
    with virtual.VirtualBoard(place / "flash") as board:
        assert run(place, board)[0] == 0
        before = files(place)
        (place / "app/app.py").write_text(APP.replace("GENERATION = 1", "GENERATION = 2"))
    with virtual.VirtualBoard(place / "flash", unplug_after=16000) as board:
        code, said = run(place, board, "--profile", "full")
    assert code == 1 and "went away" in said and "Traceback" not in said
    left = {path: data for path, data in files(place).items() if install.NEW not in path}
    assert left == before and left != files(place)
    with virtual.VirtualBoard(place / "flash") as board:
        code, said = run(place, board, "--profile", "full")
    assert code == 0 and said.rstrip().endswith("reading 2")
    assert not [path for path in files(place) if ".~" in path]


CUT = """
import os as real
class os:
    left = %d
    stat = real.stat
    def rename(old, new):
        if not os.left:
            raise Exception("the power fails")
        os.left -= 1
        real.rename(old, new)
"""


@pytest.mark.parametrize("moves", range(4))
def test_a_cut_while_the_files_change_places_leaves_a_board_that_runs_nothing(place, moves):
    """The power fails in the swap: what is there is a mixture, and main.py is not in it."""
    wanted = {"/main.py": b"one", "/a.py": b"one", "/b.py": b"one"}
    with virtual.VirtualBoard(place / "flash") as board, Board(board.device) as line:
        plan = install.Plan(line, wanted)
        plan.install()
        plan.keep()
        plan = install.Plan(line, {path: b"two" for path in wanted})
        for path in plan.changed:
            line.write(path + install.NEW, b"two")
        program = install._SWAP % ((plan.changed, plan.gone),)
        with pytest.raises(BoardError, match="the power fails"):
            line.exec(program.replace("import os\n", CUT % moves, 1))
        there = files(place)
        assert ("main.py" in there) == (moves == 0)
        plan.undo()
        assert files(place) == {path[1:]: data for path, data in wanted.items()}


def test_a_profile_holds_all_that_its_modules_import(tmp_path):
    """A board with this profile imports it, and a client is made; nothing else of the library is there."""
    for profile in profiles.NAMES:
        package = tmp_path / profile / "umqtt_full"
        package.mkdir(parents=True)
        for source in profiles.sources(profile):
            shutil.copy(source, package)
        program = "".join(f"import umqtt_full.{name}\n" for name in profiles.modules(profile) if name[0] != "_")
        program += "from umqtt_full import MQTTClient\nc = MQTTClient('mqtt://127.0.0.1')\n"
        program += "c.counters\nc.trace(print)\n"  # what is imported at the first use
        if profile != "minimal":
            program += "MQTTClient('mqtts://127.0.0.1', insecure_no_verification=True)\n"
        subprocess.run([env.find_micropython(), "-c", program], cwd=tmp_path / profile, check=True,
                       env=clean_env(MICROPYPATH=f"{package.parent}:.frozen"))
