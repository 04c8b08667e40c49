"""The applications for boards as a board has them: all files in one folder, real MicroPython, a real broker.

Rule: only `network`, `machine` and `esp32` are simulated (board/). What is tested by a turned clock is in
same/test_wifi.py, test_sensor.py and their neighbours; here everything is together, and real but for the air.
"""
import hashlib
import importlib.util
import json
import os
import re
import shutil
import socket

import env
import mp
import profiles
import pytest
from far import Far
from process import Process, clean_env

PORTS = mp.ROOT / "ports"
BOARD = mp.ROOT / "tests/host/board"
SCRIPT = mp.ROOT / "tests/host/scripts/board_app.py"
NETWORK = {"wifi": [{"ssid": "home", "password": "secret"}], "hostname": "attic", "country": "GB"}
APPLICATIONS = {"esp32": "sensor", "rp2": "bulb"}

needs_micropython = pytest.mark.skipif(bool(mp.unavailable()), reason=str(mp.unavailable()))


def files_of(port):
    """What goes to the root of a board's file system."""
    return [f for folder in (PORTS, PORTS / port) for f in sorted(folder.glob("*.py")) if f.name != "manifest.py"]


@pytest.fixture
def install(tmp_path):
    """Put an application and its settings into a folder as onto a board; returns what runs it."""

    def put(port, config):
        for file in files_of(port):
            shutil.copy(file, tmp_path)
        (tmp_path / "config.json").write_text(json.dumps(config))
        paths = mp.import_path(tmp_path, mp.mpy_folder(), BOARD)
        command = env.find_micropython(), "-X", "heapsize=256k", SCRIPT, port
        return lambda: Process(*command, env=clean_env(MICROPYPATH=paths), cwd=tmp_path)

    return put


@pytest.fixture
def far(keeper):
    with Far(keeper.port) as far:
        yield far


@needs_micropython
def test_a_sensor_with_wifi_reads_and_is_found_by_home_assistant(install, keeper, far, uid):
    far.subscribe(f"{uid}/#", 1)
    far.subscribe(f"ha-{uid}/#", 1)
    sensor = {"topic": uid, "period_s": 0.2, "batch": 1, "home_assistant": f"ha-{uid}"}
    config = {"broker": keeper.url, "client_id": uid, "network": NETWORK, "sensor": sensor}
    with install("esp32", config)() as board:
        board.expect("wifi     up, 10.0.0.7")
        board.expect("link     up, session new")
        far.wait(f"{uid}/reading", 3)
        far.wait(f"ha-{uid}/sensor/{uid}/celsius/config", 1)
    readings = [json.loads(text) for text in far.payloads(f"{uid}/reading")]
    assert [r["n"] for r in readings[:3]] == [1, 2, 3] and readings[0]["celsius"] == 22.1
    assert far.payloads(f"{uid}/status")[0] == "online"
    far.wait(f"{uid}/status", 2)  # it was killed: the will
    assert far.payloads(f"{uid}/status")[1] == "offline"


@needs_micropython
def test_a_sleeping_sensor_sends_a_reading_at_each_wake(install, keeper, far, uid):
    far.subscribe(f"{uid}/#", 1)
    sensor = {"topic": uid, "sleep": "deep", "period_s": 600}
    wake = install("esp32", {"broker": keeper.url, "client_id": uid, "network": NETWORK, "sensor": sensor})
    for number in range(1, 4):
        with wake() as board:
            board.expect("link     up, session " + ("new" if number == 1 else "kept"))
            assert board.expect("hardware").endswith("deepsleep 600000")
            board.finish()
        far.wait(f"{uid}/reading", number)
    assert len(far.payloads(f"{uid}/reading")) == 3


@needs_micropython
def test_a_bulb_with_wifi_obeys(install, keeper, far, uid):
    far.subscribe(f"{uid}/#", 1)
    config = {"broker": keeper.url, "client_id": uid, "network": NETWORK, "watchdog_ms": 8000}
    start = install("rp2", {**config, "bulb": {"topic": uid}})
    with start() as board:
        board.expect("link     up")
        far.wait(f"{uid}/state", 1)
        far.publish(f"{uid}/set", '{"state": "ON", "brightness": 40, "effect": "blink"}', 2)
        board.expect("on 40% white")
        far.wait(f"{uid}/state", 2)
        state = json.loads(far.payloads(f"{uid}/state")[1])
        assert (state["state"], state["brightness"], state["effect"]) == ("ON", 40, "blink")


@needs_micropython
def test_an_image_over_the_air_arrives_and_restarts_the_board(install, keeper, far, uid, tmp_path):
    far.subscribe(f"{uid}/ota", 1)
    sensor = {"topic": uid, "ota": "new.bin"}
    image = bytes(range(256)) * 200
    digest = hashlib.sha256(image).hexdigest()
    config = {"broker": keeper.url, "client_id": uid, "network": NETWORK, "sensor": sensor}
    with install("esp32", config)() as board:
        board.expect("link     up")
        far.publish(f"{uid}/ota/{digest[::-1]}", image, 1)
        board.expect("ota      refused: wrong hash")
        assert not (tmp_path / "new.bin").exists()
        far.publish(f"{uid}/ota/{digest}", image, 1)
        board.expect("ota      applied " + digest)
        assert board.expect("hardware").endswith("reset")
    far.wait(f"{uid}/ota", 2)
    assert (tmp_path / "new.bin").read_bytes() == image


@needs_micropython
@pytest.mark.parametrize("port", APPLICATIONS)
def test_wrong_settings_are_one_line_on_the_console(install, port, tmp_path):
    start = install(port, {"broker": "mqtt://127.0.0.1", "topic": "x"})
    with start() as board:
        line = board.expect("config")
    assert line == f"config   config.json: {APPLICATIONS[port]}.topic: is missing"


@pytest.mark.parametrize("port", APPLICATIONS)
def test_the_example_has_only_keys_that_the_readme_explains(port):
    config = json.loads((PORTS / port / "config.example.json").read_text())
    tables = (PORTS / "esp32/README.md").read_text() + (PORTS / port / "README.md").read_text()

    def keys(values):
        for key, value in values.items():
            yield key
            if isinstance(value, dict):
                yield from keys(value)

    assert not [key for key in keys(config) if f"`{key}`" not in tables]


def test_each_key_that_is_asked_for_is_in_a_readme():
    tables = "".join((PORTS / port / "README.md").read_text() for port in APPLICATIONS)
    asked = set()
    for port in APPLICATIONS:
        for file in files_of(port):
            asked |= set(re.findall(r'\.take\(\s*"(\w+)"', file.read_text()))
    assert len(asked) > 25
    assert not [key for key in asked if f"`{key}`" not in tables and f'"{key}"' not in tables]


NTP = """
import sys, time
from ntp import Ntp
n = Ntp("127.0.0.1", lambda tm: print("set", *tm[:6]), int(sys.argv[1]))
n._next_s = 0  # this clock is right already, which a board's is not
while not n.synced:
    n.step()
    time.sleep_ms(1)
"""


@needs_micropython
def test_the_time_comes_over_a_real_socket(tmp_path):
    (tmp_path / "ask.py").write_text(NTP)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(20)
        path = mp.import_path(mp.ROOT, PORTS)
        command = env.find_micropython(), tmp_path / "ask.py", server.getsockname()[1]
        with Process(*command, env=clean_env(MICROPYPATH=path)) as board:
            question, address = server.recvfrom(100)
            assert len(question) == 48
            seconds = (1800000000 + 2208988800).to_bytes(4, "big")
            server.sendto(b"\x24\x01" + bytes(22) + question[40:48] + bytes(8) + seconds + bytes(4), address)
            board.expect("set 2027 1 15 8 0 0")


# Manifests


class Manifest:
    """What MicroPython's tools/manifestfile.py does with the functions that ours call."""

    def __init__(self, port_folder):
        self.port_folder = port_folder
        self.files = {}  # on the board: (here, opt)

    def include(self, path, **options):
        path = os.path.abspath(path.replace("$(PORT_DIR)", str(self.port_folder)))
        before = os.getcwd()
        os.chdir(os.path.dirname(path))
        try:
            given = Options(options)
            names = {"package": self.package, "module": self.module, "include": self.include, "options": given}
            with open(path) as file:
                exec(compile(file.read(), path, "exec"), names)
        finally:
            os.chdir(before)

    def package(self, name, files, base_path, opt):
        for file in files:
            self.add(f"{name}/{file}", base_path, opt)

    def module(self, path, base_path=".", opt=None):
        self.add(path, base_path, opt)

    def add(self, path, base_path, opt):
        here = os.path.abspath(os.path.join(base_path, path))
        assert os.path.isfile(here) and path not in self.files
        self.files[path] = here, opt


class Options:
    def __init__(self, given):
        self.__dict__.update(given)

    def defaults(self, **values):
        for name, value in values.items():
            self.__dict__.setdefault(name, value)


@pytest.fixture
def frozen(tmp_path):
    """frozen(port, profile): the files of a manifest."""
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards/manifest.py").write_text("")

    def read(port, **options):
        manifest = Manifest(tmp_path)
        manifest.include(str(PORTS / port / "manifest.py"), **options)
        return manifest.files

    return read


@pytest.mark.parametrize("port", APPLICATIONS)
def test_each_profile_freezes_what_it_says(frozen, port):
    minimal, standard, full = (set(frozen(port, profile=p)) for p in ("minimal", "standard", "full"))
    assert minimal < standard < full and set(frozen(port)) == standard
    library = {f"umqtt_full/{f.name}" for f in profiles.sources("full")}
    assert full == library | {f.name for f in files_of(port)}
    assert {"umqtt_full/tls.py", "umqtt_full/store.py"} <= standard - minimal
    assert "umqtt_full/ws.py" in full - standard
    assert all(opt == 3 for _, opt in frozen(port, profile="full").values())
    with pytest.raises(ValueError, match="minimal, standard, full"):
        frozen(port, profile="all")


@needs_micropython
@pytest.mark.parametrize("profile", ("minimal", "standard"))
def test_a_profile_is_enough_to_connect(frozen, profile, tmp_path, mosquitto):
    for name, (here, _) in frozen("esp32", profile=profile).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(here, tmp_path / name)
    more = "import umqtt_full.tls, umqtt_full.store, umqtt_full.stream" if profile == "standard" else "pass"
    program = f"""
from umqtt_full import MQTTClient
{more}
c = MQTTClient("{mosquitto.url}", "{profile}")
c.connect()
c.publish(b"t", b"x", 1)
print("sent", c.disconnect())
"""
    (tmp_path / "try.py").write_text(program)
    paths = mp.import_path(tmp_path)
    command = env.find_micropython(), "-X", "heapsize=256k", tmp_path / "try.py"
    with Process(*command, env=clean_env(MICROPYPATH=paths)) as board:
        board.expect("sent True")


def test_ports_import_only_what_is_on_the_board():
    known = {"umqtt_full", "micropython", "network", "machine", "esp32", "array", "binascii", "errno", "hashlib"}
    known |= {"json", "os", "random", "socket", "sys", "time"}
    for port in APPLICATIONS:
        ours = {f.stem for f in files_of(port)}
        for file in files_of(port):
            names = re.findall(r"^\s*(?:from|import) (\w+)", file.read_text(), re.M)
            assert set(names) <= known | ours, file
    assert importlib.util.find_spec("network") is None  # nothing of the simulation leaks into this process
