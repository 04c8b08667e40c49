"""Put the library, the application and your settings on a board, and see its first message arrive at the broker.

    python3 tools/deploy.py --config config.json        # the board that is plugged in
    python3 tools/deploy.py --dry-run                   # say what would be done

Rule: only what differs is copied; nothing that is half installed ever runs; a run that fails says what to do.
"""
import argparse
import contextlib
import getpass
import json
import sys
import time
from pathlib import Path

import env
import mpy
import profiles
from device import Board, BoardError, find, need
from install import LIBRARY, Plan

sys.path.insert(0, str(env.ROOT))
from umqtt_full import MQTTClient, MQTTError  # noqa: E402
from umqtt_full.url import parse  # noqa: E402

CONFIG = "/config.json"
PLATFORMS = {"esp32": "esp32", "rp2": "rp2"}
SIMULATED = env.ROOT / "tools/simboard.py"  # in place of board.py where there is no hardware
WAIT_S = 60
CONNECT_MS = 5000


class Failed(Exception):
    """What could not be done, in words for the one who asked for it."""


# -- what the board is to have


def files_of(profile, reads, readable=False):
    """{path on the board: bytes} of the library, compiled for what a board reads; as text where it reads none.

    What is compiled is compact, or with `readable` one file for each source, with its names.
    """
    if reads:
        files = mpy.files_of(profile, mpy.architecture_of(reads), readable)
    else:
        files = {source.name: source.read_bytes() for source in profiles.sources(profile)}
    return {f"{LIBRARY}/{name}": data for name, data in files.items()}


def application(folder, reads, platform):
    """The same for an application: the files of its folder and, for ours, those that all boards share."""
    sources = sorted(folder.glob("*.py"))
    if folder.parent == env.ROOT / "ports":
        sources += sorted(folder.parent.glob("*.py"))
    if platform not in PLATFORMS:
        sources = [SIMULATED if source.name == "board.py" else source for source in sources]
    files = {}
    for source in sources:
        name = "board.py" if source == SIMULATED else source.name
        if name == "manifest.py":
            continue
        if reads and name not in ("main.py", "boot.py"):
            files[f"/{Path(name).stem}.mpy"] = mpy.compile_file(source, name)
        else:
            files[f"/{name}"] = source.read_bytes()
    if "/main.py" not in files:
        raise Failed(f"{folder}: no main.py in it")
    return files


def settings(file):
    """The settings of a file, and {path: bytes} of it and the files that it names."""
    try:
        data = file.read_bytes()
        config = json.loads(data)
    except OSError as e:
        raise Failed(f"{file}: {e.strerror}")
    except ValueError as e:
        raise Failed(f"{file}: not JSON: {e}")
    files = {CONFIG: data}
    for url in brokers(config, file):
        try:
            parse(url)
        except ValueError as e:
            raise Failed(f"{file}: broker: {e}")
    for value in tls(config).values():
        if isinstance(value, str) and value.endswith((".der", ".pem", ".crt", ".key")):
            try:
                files[f"/{value}"] = (file.parent / value).read_bytes()
            except OSError as e:
                raise Failed(f"{file}: tls: {value}: {e.strerror}")
    return config, files


def brokers(config, where):
    """The URLs of the brokers."""
    urls = config.get("broker") if isinstance(config, dict) else None
    urls = [urls] if isinstance(urls, str) else urls
    if not (urls and isinstance(urls, list) and all(isinstance(url, str) for url in urls)):
        raise Failed(f"{where}: broker: must be a URL such as mqtt://192.168.1.10, or a list of them")
    return urls


def topics(config):
    """The filter of what the application tells: a sensor's readings, or all below the topic of the settings."""
    for name, part in config.items():
        if isinstance(part, dict) and isinstance(part.get("topic"), str):
            return part["topic"] + ("/reading" if name == "sensor" else "/#")
    return "#"


def tls(config):
    value = config.get("tls")
    return value if isinstance(value, dict) else {}


def ask(file, platform):
    """Ask for the settings, and write them to a file."""
    if not sys.stdin.isatty():
        raise Failed("no settings: give --config FILE; ports/*/config.example.json shows what stands in it")
    config = {}
    if platform in PLATFORMS:
        name = input("Wi-Fi network (empty: none to manage): ").strip()
        if name:
            config["network"] = {"wifi": [{"ssid": name, "password": getpass.getpass("its password: ")}]}
    config["broker"] = input("broker, such as mqtt://user:password@192.168.1.10: ").strip()
    part = "bulb" if platform == "rp2" else "sensor"
    config[part] = {"topic": input(f"topic of this {part}, such as house/attic: ").strip()}
    file.touch(mode=0o600)
    file.write_text(json.dumps(config, indent=2) + "\n")
    print(f"written to {file}; deploy it again with --config {file}")


# -- what is shown


class Bar:
    """How much has been copied, on a terminal; elsewhere nothing but the end."""

    def __init__(self, total):
        self._total, self._done = total, 0

    def __call__(self, n):
        self._done += n
        if sys.stdout.isatty():
            full = 40 * self._done // self._total
            end = "\n" if self._done == self._total else ""
            print(f"\r  {'#' * full:40} {self._done} of {self._total} bytes", end=end, flush=True)


def show(plan):
    for path in plan.changed:
        print(f"  {'new' if path in plan.new else 'changed'}  {path}  {len(plan.wanted[path])} bytes")
    for path in plan.gone:
        print(f"  gone  {path}")
    if not (plan.changed or plan.gone):
        print("  everything is there already: nothing to copy")


# -- what follows the copying


class Watcher:
    """A subscriber at the board's broker. `message`: (topic, payload) of the first live one, or None."""

    def __init__(self, config, topic, folder):
        files = {k: str(folder / v) if k in ("ca", "cert", "key") else v for k, v in tls(config).items()}
        self._client = MQTTClient(brokers(config, CONFIG), keepalive=30, rx=4096, **files)
        self._client.on_message = self._heard
        self._client.subscribe(topic)
        self.message = None
        self._client.connect(CONNECT_MS)

    def _heard(self, msg):
        if not (msg.retain or self.message):
            self.message = msg.topic, bytes(msg.payload)

    def poll(self):
        self._client.poll(20)

    def close(self):
        self._client.close()


def follow(board, watcher, seconds):
    """Show what the board says until its first message arrives; without a watcher until it says that it is up."""
    end, said = time.monotonic() + seconds, b""
    while time.monotonic() < end:
        said += board.read(0.05)
        *lines, said = said.split(b"\n")
        for line in lines:
            words = line.decode(errors="replace").rstrip()
            if words:
                print("  |", words, flush=True)
            if words.split(" ")[0] in ("config", "error", "Traceback"):
                raise Failed(f"the application does not run: {words}")
            if not watcher and words.split()[:2] == ["link", "up,"]:
                return "the board is connected to its broker"
        if watcher:
            watcher.poll()
            if watcher.message:
                topic, payload = watcher.message
                return f"first message: {topic} {payload.decode(errors='replace')}"
    return None


def watch(config, chosen, folder):
    try:
        return Watcher(config, chosen.topic or topics(config), folder)
    except (OSError, MQTTError) as e:
        print(f"the broker can not be watched from here ({e}): what the board says must do")
        return None


def deploy(chosen):
    """All of it; the text that says how it ended. Whatever fails, the board runs what it has."""
    with Board(find(chosen.device)) as board:
        print(f"{board.device}: {board.machine}, {board.firmware}")
        try:
            return bring(board, chosen)
        finally:
            with contextlib.suppress(BoardError):
                board.start()


WATCHED = """
import json, os
try:
    print(bool(json.load(open("/config.json")).get("watchdog_ms")) and "main.py" in os.listdir("/"))
except (OSError, ValueError, AttributeError):
    print(False)
"""


def bring(board, chosen):
    if not chosen.config.exists():
        ask(chosen.config, board.platform)
    config, wanted = settings(chosen.config)
    source = chosen.application or env.ROOT / "ports" / PLATFORMS.get(board.platform, "esp32")
    wanted.update(files_of(chosen.profile, board.mpy, chosen.readable))
    wanted.update(application(source, board.mpy, board.platform))
    plan = Plan(board, wanted)
    show(plan)
    plan.check_room()
    if chosen.dry_run:
        return "nothing was changed"
    if board.exec(WATCHED).strip() == "True":  # else it would reset the board amid the copying
        board.end_watchdog()
    watcher = watch(config, chosen, chosen.config.parent) if chosen.wait else None
    try:
        plan.install(Bar(plan.bytes))
        return run(board, plan, watcher, chosen.wait)
    finally:
        if watcher:
            watcher.close()


def run(board, plan, watcher, seconds):
    """Start what was installed, and see whether it works; what does not is taken back."""
    if not seconds:
        plan.keep()
        return "installed and started"
    board.start()
    try:
        good = follow(board, watcher, seconds)
    except Failed as e:
        board.stop()
        plan.undo()
        raise Failed(f"{e}\nall is as it was before")
    if plan.replaced:
        board.stop()
        plan.keep()
    if not good:
        raise Failed(f"installed, but nothing arrived within {seconds} s: look at what the board says above")
    return good


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", help="serial port or socket://host:port; default: the one board there is")
    parser.add_argument("--profile", choices=profiles.NAMES, default="standard", help="how much of the library")
    parser.add_argument("--config", type=Path, default=Path("config.json"), help="asked for where missing")
    parser.add_argument("--application", type=Path, help="a folder with main.py; default: one of ports/")
    parser.add_argument("--topic", help="a filter for the first message; default: the topic of the settings")
    parser.add_argument("--wait", type=int, default=WAIT_S, help="seconds for the first message; 0: do not wait")
    parser.add_argument("--readable", action="store_true", help="names in tracebacks; takes more flash and heap")
    parser.add_argument("--dry-run", action="store_true", help="say what would be copied")
    chosen = parser.parse_args(arguments)
    need("mpremote")
    try:
        print(deploy(chosen))
    except (BoardError, mpy.CompileError, Failed) as e:
        print(f"deploy: {e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
