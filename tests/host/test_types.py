"""The type stubs say what the code does, and editors and checkers find a wrong use with them.

Rule: in types/ each line that ends in "# wrong" is reported by mypy and by pyright, and no other line is.
"""
import ast
import importlib.metadata
import importlib.util
import inspect
import json
import os
import shutil
import subprocess
import sys
import zipfile

import mp
import pytest

from umqtt_full import MQTTError, aio, client, message, net, robust, simple, store, stream, tls, tlserror, ws

STUBS = mp.ROOT / "tools/stubs"
USES = mp.ROOT / "tests/host/types"
PYTHON = "3.11"  # whose `typing` has assert_type; the stubs need none of it
WRONG = "# wrong"


def needs(module):
    return pytest.mark.skipif(not importlib.util.find_spec(module), reason=f"{module} is not installed")


def run(tmp_path, *command, stubs=STUBS):
    """What a checker prints; the stubs are all that it sees of the package."""
    env = {**os.environ, "MYPYPATH": str(stubs), "PYTHONPATH": str(mp.ROOT)}
    done = subprocess.run([sys.executable, "-m", *command], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == (1 if done.stdout else 0), done.stderr  # 1: something was found
    return done.stdout


def judge(said, reported):
    """Fail unless the lines that are reported are those that are marked."""
    print(*said, sep="\n")
    marked = set()
    for file in USES.glob("*.py"):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if line.endswith(WRONG):
                marked.add((file.name, number))
    assert marked
    assert {"not reported": marked - reported, "not wrong": reported - marked} == {
        "not reported": set(), "not wrong": set()}


@needs("mypy")
def test_mypy_reports_each_wrong_use_and_nothing_else(tmp_path):
    options = ["--strict", "--no-site-packages", "--python-version", PYTHON, "--no-pretty", "--no-error-summary"]
    files = [*sorted(USES.glob("*.py")), *sorted(STUBS.glob("*/*.pyi"))]
    said = run(tmp_path, "mypy", *options, *files).splitlines()
    errors = [line.split(":", 2) for line in said if " error: " in line]
    judge(said, {(os.path.basename(file), int(number)) for file, number, _ in errors})


@needs("basedpyright")
def test_pyright_reports_each_wrong_use_and_nothing_else(tmp_path):
    shutil.copytree(USES, tmp_path / "uses")
    shutil.copytree(STUBS, tmp_path / "typings")
    settings = {"include": ["uses", "typings"], "extraPaths": [str(mp.ROOT)], "pythonVersion": PYTHON,
                "typeCheckingMode": "strict"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    said = json.loads(run(tmp_path, "basedpyright", "--outputjson"))["generalDiagnostics"]
    judge(said, {(os.path.basename(one["file"]), one["range"]["start"]["line"] + 1) for one in said})


def compare(tmp_path, stubs=STUBS):
    """What stubtest says of the differences to the code, a line each."""
    options = ["--concise", "--allowlist", STUBS / "allowed.txt"]
    return run(tmp_path, "mypy.stubtest", *options, "umqtt_full", stubs=stubs).splitlines()


@needs("mypy")
def test_the_stubs_have_each_name_argument_and_default_of_the_code(tmp_path):
    assert compare(tmp_path) == []


@needs("mypy")
def test_each_kind_of_difference_to_the_code_is_found(tmp_path):
    copy = tmp_path / "typings"
    shutil.copytree(STUBS, copy)
    for file, right, wrong in (
        ("client.pyi", "def poll(self, timeout_ms: int = 0)", "def poll(self, timeout_ms: int = 1)"),
        ("client.pyi", "    def drain(self", "    def drained(self"),
        ("aio.pyi", "size: int = 4,", "length: int = 4,"),
        ("store.pyi", "class FileStore", "class DiskStore"),
        ("stream.pyi", "block: int = 256\n", "block: int = 256, more: int = 0\n"),
    ):
        text = (copy / "umqtt_full" / file).read_text()
        assert right in text
        (copy / "umqtt_full" / file).write_text(text.replace(right, wrong))
    said = compare(tmp_path, copy)
    for name in ("client.MQTTClient.poll", "client.MQTTClient.drain", "client.MQTTClient.drained",
                 "aio.MQTTClient.messages", "store.FileStore", "store.DiskStore", "stream.to_file"):
        assert any(line.startswith(f"umqtt_full.{name} ") for line in said), (name, said)


def things():
    """One of each class whose stub tells of variables: stubtest sees no variable of an instance."""
    mqtt = client.MQTTClient("mqtt://localhost")
    tcp = net.TCP("localhost", 1883)
    return {
        "aio.Messages": aio.Messages(None, None, 1, ""),
        "client.Face": mqtt,
        "errors.MQTTError": MQTTError(0x80),
        "link.Link": mqtt,
        "message.Message": message.Message(bytearray(16)),
        "net.TCP": tcp,
        "robust.MQTTClient": robust.MQTTClient("me", "localhost"),
        "simple.MQTTClient": simple.MQTTClient("me", "localhost"),
        "store.Store": store.MemoryStore(64, bytes, print),
        "stream.Streams": stream.Streams(mqtt),
        "tls.TLS": tls.TLS("localhost", insecure_no_verification=True),
        "tlserror.TLSError": tlserror.TLSError("clock not set", ""),
        "ws.WebSocket": ws.WebSocket(tcp, "localhost"),
        "ws.WebSocketError": ws.WebSocketError("HTTP 404", 404),
    }


def classes():
    """Each class of the stubs that tells of variables, with the nodes of its body."""
    found = {}
    for file in STUBS.glob("*/*.pyi"):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef) and any(isinstance(part, ast.AnnAssign) for part in node.body):
                found[f"{file.stem}.{node.name}"] = node.body
    return found


def test_each_variable_of_the_stubs_is_there():
    made = things()
    stubs = classes()
    assert stubs.keys() == made.keys()
    for name, body in stubs.items():
        variables = [part.target.id for part in body if isinstance(part, ast.AnnAssign)]
        assert [each for each in variables if not hasattr(made[name], each)] == [], name


def test_what_both_clients_have_in_common_is_there():
    # a base class of the stubs only, which stubtest can not compare
    functions = {part.name: part for part in classes()["client.Face"] if isinstance(part, ast.FunctionDef)}
    for mqtt in (client.MQTTClient("mqtt://localhost"), aio.MQTTClient("mqtt://localhost")):
        assert [name for name in functions if not hasattr(mqtt, name)] == []
    options = list(inspect.signature(tls.TLS).parameters)[2:]  # behind host and port
    assert [argument.arg for argument in functions["__init__"].args.kwonlyargs] == options


def builds():
    """Is there a setuptools that knows of packages of stubs?"""
    try:
        return int(importlib.metadata.version("setuptools").partition(".")[0]) >= 69
    except importlib.metadata.PackageNotFoundError:
        return False


@pytest.mark.skipif(not builds(), reason="setuptools 69 or later is not installed")
def test_the_wheel_holds_the_stubs_as_a_package_of_their_own(tmp_path):
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(mp.ROOT / name, tmp_path)
    for name in ("umqtt_full", "tools/stubs"):
        shutil.copytree(mp.ROOT / name, tmp_path / name)
    build = "from setuptools import build_meta; build_meta.build_wheel('.')"
    subprocess.run([sys.executable, "-c", build], cwd=tmp_path, capture_output=True, check=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        there = {name for name in wheel.namelist() if name.endswith(".pyi")}
    assert there == {f"umqtt_full-stubs/{file.name}" for file in STUBS.glob("umqtt_full/*.pyi")}
