"""The README's programs and commands, run as they stand against a broker; its names, options and links are there.

Rule: only the broker's address is changed. What a program leaves to the reader is in scripts/readme_programs.py;
the broker's other client is here. What only a board can run is not marked python or sh.
"""
import os
import re
import shlex
import shutil
import subprocess
import sys

import brokers
import certificates
import env
import mp
import near
import paho.mqtt.publish as paho
import pytest
from far import Far, wait_until
from process import CHILD, clean_env

from umqtt_full import MQTTClient

README = (env.ROOT / "README.md").read_text()
PARTS = re.findall(r"^##+ (.*?)\n(.*?)(?=^##+ |\Z)", README, re.S | re.M)


def blocks(language):
    """{heading: code} of all the blocks in this language; there is one under a heading."""
    block = rf"```{language}\n(.*?)```"
    found = [(heading, code) for heading, text in PARTS for code in re.findall(block, text, re.S)]
    assert len(dict(found)) == len(found) == README.count(f"```{language}\n")
    return dict(found)


PROGRAMS = blocks("python")
COMMANDS = [line for code in blocks("sh").values() for line in code.splitlines()]
PHOTO = "0123456789abcdef" * 640


class Servers:
    """A mosquitto of its own; here() has the README's servers be its ports."""

    def __init__(self, folder):
        self.tls, self.ws = brokers.free_port(), brokers.free_port()
        web = f"listener {self.ws} 127.0.0.1\nprotocol websockets\n"
        self.broker = brokers.Mosquitto(settings=web + brokers.tls_listener(self.tls, folder, "good"))

    def here(self, text):
        tls = rf"mqtts://\g<1>127.0.0.1:{self.tls}"
        text = text.replace("mqtt://broker.local", self.broker.url)
        text = text.replace("-h broker.local", f"-h 127.0.0.1 -p {self.broker.port}")
        text = text.replace("ws://broker.local:8080", f"ws://127.0.0.1:{self.ws}")
        text = re.sub(r"mqtts://(ann@)?(broker\.local|cloud\.example)", tls, text)
        assert "broker.local" not in text
        return text


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    why = certificates.unavailable() or brokers.Mosquitto.available()
    if why:
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("certificates")
    certificates.Authority(folder).issue("good", "127.0.0.1")
    return folder


@pytest.fixture
def servers(folder, tmp_path, monkeypatch):
    """They run, and this is the program's folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(folder / "ca.crt", "ca.crt")
    shutil.copy(folder / "ca.crt.der", "ca.der")
    with open("photo.jpg", "w") as photo:
        photo.write(PHOTO)
    servers = Servers(folder)
    with servers.broker:
        yield servers


@pytest.fixture
def port(servers):
    return servers.broker.port


@pytest.fixture
def far(port):
    with Far(port) as far:
        far.subscribe("#", 2)
        yield far


def retain(port, topic, payload):
    paho.single(topic, payload, 1, True, "127.0.0.1", port)


# -- programs: what the broker's other client does, and {topic: the payloads that it sees}


def a_sensor(far, program):
    return {"attic/temperature": ["21.5", "21.6", "21.7"]}


def switch(far, program):
    """The lamp is switched on by what is retained; switch it off."""
    program.expect("lit True")
    far.publish("bulb/desk/set", "off", 2)


def a_bulb(far, program):
    switch(far, program)
    return {"bulb/desk/set": ["on", "off"]}


def asyncio(far, program):
    switch(far, program)
    return {"attic/temperature": ["21.5"]}


def a_sensor_that_sleeps(far, program):
    return {"attic/temperature": ["0", "1", "2"]}


def a_bulb_that_tells_its_state(far, program):
    switch(far, program)
    return {"bulb/desk/state": ["on"], "bulb/desk/status": ["online", "offline"]}


def a_gateway(far, program):
    program.expect("up")
    far.publish("attic/temperature", "21.5", 1)
    far.publish("cellar/temperature", "11.5", 1)
    return {"site-7/attic/temperature": ["21.5"], "site-7/cellar/temperature": ["11.5"]}


def request_and_response(far, program):
    return {"answer/phone/1": ["red is on"], "answer/phone/2": ["blue is on"]}


def over_power_cuts_and_deep_sleep(far, program):
    return {"attic/temperature": ["21.5"] * 2}


def payloads_larger_than_memory(far, program):
    program.expect("up")
    far.publish("firmware/image", PHOTO * 2, 1)
    far.publish("log/x", "y" * 300, 1)
    return {"camera/photo": [PHOTO]}


def scenario(heading):
    return re.sub(r"\W+", "_", heading.lower())


@pytest.mark.parametrize("heading", PROGRAMS)
def test_each_program_does_what_it_says(heading, kind, servers, far, port):
    with open("program.py", "w") as file:
        file.write(servers.here(PROGRAMS[heading]))
    retain(port, "bulb/desk/set", "on")
    with near.begin(kind, "readme_programs", scenario(heading), servers.broker.url, "camera") as program:
        wanted = globals()[scenario(heading)](far, program)
        program.finish()
        wait_until(lambda: all(len(far.payloads(topic)) >= len(wanted[topic]) for topic in wanted))
        assert {topic: far.payloads(topic) for topic in wanted} == wanted
    if os.path.exists("image.bin"):
        assert open("image.bin").read() == PHOTO * 2


# -- commands


class Pipe:
    """`with Pipe(servers, line) as pipe:` a line of the shell; all of it dies with the tests."""

    def __init__(self, servers, line):
        names = {"python3": [sys.executable], "micropython": [env.find_micropython()], "tail": ["tail"]}
        paths = {"PYTHONPATH": str(mp.ROOT), "MICROPYPATH": mp.import_path(mp.ROOT), "MQTT_PASSWORD": "secret"}
        line, _, target = servers.here(line).partition(" > ")
        out = open(target, "wb") if target else subprocess.PIPE
        self.processes = []
        source = subprocess.DEVNULL
        for part in line.split(" | "):
            program, *words = shlex.split(part)
            command = [sys.executable, "-I", "-S", CHILD, *names[program], *words]
            process = subprocess.Popen(command, stdin=source, stdout=out, env=clean_env(**paths))
            self.processes.append(process)
            source = process.stdout
        self.stdout = source

    def __enter__(self):
        return self

    def finish(self):
        assert self.processes[-1].wait(40) == 0

    def __exit__(self, *exc):
        for process in self.processes:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()


def test_each_command_has_a_test_here():
    assert len(COMMANDS) == 5


def test_sub_prints_what_comes(servers, port):
    retain(port, "attic/temperature", "21.5")
    with Pipe(servers, COMMANDS[0]) as pipe:
        assert pipe.stdout.readline() == b"attic/temperature 21.5\n"


@pytest.mark.skipif(bool(mp.unavailable()), reason=str(mp.unavailable()))
def test_pub_publishes_a_file(servers, port):
    with Pipe(servers, COMMANDS[1]) as pipe:
        pipe.finish()
    with Far(port) as later:
        later.subscribe("camera/photo", 1)
        later.wait("camera/photo", 1)
        assert later.payloads("camera/photo") == [PHOTO]


def test_pub_publishes_lines_as_they_come(servers, far):
    with open("log", "w") as log:
        log.write("one\ntwo\n")
        log.flush()
        with Pipe(servers, COMMANDS[2]):
            far.wait("log", 2)
            log.write("three\n")
            log.flush()
            far.wait("log", 3)
    assert far.payloads("log") == ["one", "two", "three"]


def test_sub_writes_a_payload_into_a_file(servers, port):
    retain(port, "image", PHOTO)
    with Pipe(servers, COMMANDS[3]) as pipe:
        pipe.finish()
    assert open("image.bin").read() == PHOTO


def test_bench_measures_each_qos(servers):
    with Pipe(servers, COMMANDS[4]) as pipe:
        said = pipe.stdout.read().decode().splitlines()
        pipe.finish()
    assert [line[:6].strip() for line in said] == ["", "QoS 0", "QoS 1", "QoS 2"]


# -- names


def test_each_name_of_the_tables_is_the_clients():
    text = dict(PARTS)["Connecting"]
    cells = [cell for cell in re.findall(r"^\| (`.*?) \|", text, re.M)]
    names = [name for cell in cells for name in re.findall(r"`(\w+)", cell)]
    client = MQTTClient("mqtt://localhost")
    assert len(names) > 30 and [name for name in names if not hasattr(client, name)] == []


def test_each_tool_and_its_options_are_there():
    sources = [file.read_text() for folder in ("tools", "tests") for file in (env.ROOT / folder).rglob("*.py")]
    for file, words in re.findall(r"python3 ((?:tools|tests)/[\w/]+\.py)([^`\n]*)", README):
        assert (env.ROOT / file).is_file(), file
        for option in re.findall(r"--[\w-]+", words.partition("#")[0]):
            assert any(f'"{option}"' in source for source in sources), f"{file} {option}"


def test_each_link_leads_somewhere():
    anchors = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading, _ in PARTS]
    links = re.findall(r"\]\((.*?)\)", README)
    assert links
    for link in links:
        assert link[1:] in anchors if link.startswith("#") else (env.ROOT / link).exists(), link


def test_the_lines_are_short():
    text = re.sub(r"(<!-- (\w+):begin -->\n).*?(<!-- \2:end -->)", "", README, flags=re.S)
    assert [line for line in text.splitlines() if len(line) > 115] == []
