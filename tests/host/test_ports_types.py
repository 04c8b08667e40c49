"""What ports/ calls on a board is there, with these arguments: mypy, and the stubs of each port's own modules.

Rule: the stubs of two ports have the same file names, so each lies in a folder of its own, fetched from PyPI once.
Only mistakes count that a board would meet: what has no type is anything, and None is not followed.
"""
import importlib.util
import os
import shutil
import subprocess
import sys

import mp
import pytest

VERSION = "1.29.0.post1"
STDLIB = "micropython-stdlib-stubs==1.29.0.post2"
PORTS = mp.ROOT / "ports"
NOISE = ("union-attr", "assignment", "var-annotated", "has-type", "no-redef")
# where the stubs are behind the port's sources: file, what is said, why we know better
KNOWN = (
    ("board.py", 'to "Partition" has incompatible type "int"', "esp32_partition.c: esp32_partition_make_new"),
    ("board.py", 'for "LAN"', "network_lan.c: get_lan"),
)

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("mypy"), reason="mypy is not installed")


def stubs(port):
    """The folder with the stubs of a port."""
    folder = mp.ROOT / f"build/stubs/{port}-{VERSION}"
    if not folder.is_dir():
        new = folder.with_name(f"{folder.name}.{os.getpid()}")
        pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps"]
        wanted = ["--target", new, f"micropython-{port}-stubs=={VERSION}", STDLIB]
        done = subprocess.run([*pip, *wanted], capture_output=True, text=True)
        if done.returncode:
            shutil.rmtree(new, ignore_errors=True)
            pytest.skip("the stubs of the ports are not here, and PyPI does not answer")
        new.rename(folder)
    return folder


def check(port, folder, ports=PORTS):
    """What mypy says of the files for a port, without what the stubs have wrong."""
    files = [f for part in (ports, ports / port) for f in sorted(part.glob("*.py")) if f.name != "manifest.py"]
    options = ["--no-error-summary", "--ignore-missing-imports", "--check-untyped-defs", "--no-site-packages"]
    options += ["--custom-typeshed-dir", folder, "--platform", "linux", "--cache-dir", folder / ".mypy_cache"]
    for code in NOISE:
        options += ["--disable-error-code", code]
    env = {**os.environ, "MYPYPATH": f"{folder}:{ports}:{ports / port}:{mp.ROOT / 'tools/stubs'}"}
    command = [sys.executable, "-m", "mypy", *options, *files]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    said = [line for line in done.stdout.splitlines() if "ports/" in line.split(":")[0]]
    assert done.stdout or not done.returncode, done.stderr
    return [line for line in said if " error: " in line and not known(line)]


def known(line):
    return any(f"/{name}:" in line and words in line for name, words, _ in KNOWN)


@pytest.mark.parametrize("port", ("esp32", "rp2"))
def test_what_is_called_on_a_board_is_there(port):
    assert check(port, stubs(port)) == []


@pytest.mark.parametrize(
    "port, file, right, wrong",
    [
        ("esp32", "wifi.py", "wlan.isconnected()", "wlan.is_connected()"),
        ("esp32", "esp32/board.py", "machine.lightsleep(ms)", "machine.light_sleep(ms)"),
        ("rp2", "rp2/board.py", "freq=1000", "frequency=1000"),
    ],
)
def test_what_is_not_there_is_found(port, file, right, wrong, tmp_path):
    copy = tmp_path / "ports"
    shutil.copytree(PORTS, copy)
    text = (copy / file).read_text()
    assert right in text
    (copy / file).write_text(text.replace(right, wrong))
    faults = check(port, stubs(port), copy)
    assert len(faults) >= 1 and all(file.rpartition("/")[2] in fault for fault in faults)
