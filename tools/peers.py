"""The clients that umqtt_full is compared with: fetched from PyPI into build/peers, each at one version.

Rule: what can not be fetched is said in one line and left out; nothing of it goes into the project.
"""
import os
import shutil
import subprocess
import sys

import env

FOLDER = env.ROOT / "build/peers"

# name: (distribution, version, also needed, what must be there)
PEERS = {
    "umqtt.simple": ("micropython-umqtt.simple", "1.3.4", (), "umqtt/simple.py"),
    "umqtt.simple2": ("micropython-umqtt.simple2", "2.2.0", (), "umqtt/simple2.py"),
    "chumicro-mqtt": ("chumicro-mqtt", "0.30.3", ("chumicro-config==0.7.7", "chumicro-sockets==0.21.3",
                                                 "chumicro-timing==0.8.4", "chumicro-compat==0.3.5"),
                      "chumicro_mqtt/client.py"),
    "aiomqttc": ("aiomqttc", "1.0.7", (), "aiomqttc.py"),
}


def title(name):
    return f"{name} {PEERS[name][1]}"


def get(name, missing):
    """The folder that holds a peer's modules, or None after a line in `missing`."""
    distribution, version, more, holds = PEERS[name]
    folder = FOLDER / f"{name}-{version}"
    if not (folder / holds).is_file():
        shutil.rmtree(folder, ignore_errors=True)
        why = [fetch(wanted, folder) for wanted in (f"{distribution}=={version}", *more)]
        if not (folder / holds).is_file():
            missing.append(f"{title(name)}: not fetched: {' '.join(filter(None, why))[-200:]}")
            shutil.rmtree(folder, ignore_errors=True)
            return None
    return folder


def fetch(wanted, folder):
    """Have pip fetch a distribution, and unpack it; return what pip complained of.

    Some were made for MicroPython and have no setup.py, so that pip unpacks them and then gives up: what it
    has unpacked is what is wanted.
    """
    work = FOLDER / "tmp"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    command = [env.VENV / "bin/python", "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-clean",
               "--no-deps", "-d", work, wanted]
    done = subprocess.run(list(map(str, command)), env={**os.environ, "TMPDIR": str(work)}, capture_output=True,
                          text=True)
    for wheel in work.glob("*.whl"):
        shutil.unpack_archive(wheel, folder, "zip")
    for info in work.glob("pip-download-*/*/PKG-INFO"):
        shutil.copytree(info.parent, folder, dirs_exist_ok=True)
    for info in work.glob("pip-download-*/*/*.egg-info"):
        shutil.copytree(info.parent, folder, dirs_exist_ok=True)
    shutil.rmtree(work)
    return done.stderr.strip()


def compile_tree(source, target):
    """Compile each .py of a folder to .mpy, at the same place of another."""
    for file in source.rglob("*.py"):
        compile_file(file, target / file.relative_to(source).with_suffix(".mpy"))


def compile_file(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([env.find_mpy_cross(), "-O3", "-o", target, source], check=True)


if __name__ == "__main__":
    env.ensure()
    missing = []
    for peer in PEERS:
        print(peer, get(peer, missing))
    print(*missing, sep="\n", file=sys.stderr)
