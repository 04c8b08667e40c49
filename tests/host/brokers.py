"""Real brokers on 127.0.0.1, all with one face: start, stop, kill, restart.

Rule: a broker is up when it has answered a CONNECT; its port is chosen once and kept over restarts; it dies
with the tests. What a broker cannot do is said in its class, so a test can ask instead of naming brokers.
"""
import atexit
import importlib.util
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from process import Process, clean_env

CONNECT = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04ping"
START_S = 30
NODE_MODULES = Path(__file__).resolve().parent / "node/node_modules"


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def free_port():
    """A free loopback port below those that the system gives to clients, so none of them can take it."""
    chance = random.SystemRandom()
    return next(port for port in iter(lambda: chance.randrange(20000, 32000), None) if is_free(port))


def answers(port):
    """True when something on that port answers a CONNECT with a CONNACK."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as link:
            link.sendall(CONNECT)
            return link.recv(4)[:1] == b"\x20"
    except OSError:
        return False


class Broker:
    """What all brokers share. A subclass says its command, and what it can do."""

    name = ""
    host = "127.0.0.1"
    keeps_sessions = True  # over a reconnect of the client
    keeps_sessions_over_restart = False
    has_mqtt31 = True
    has_mqtt5 = False
    drops_silent_clients = True  # after 1.5 times their keepalive
    queues_qos2_once = True  # what it queued for an absent client is not sent again once it is done
    takes_over = True  # a second client of the same id ends the first
    lowers_qos = True  # a message keeps a QoS lower than its subscription's; else it is delivered with that
    max_payload = 1 << 20  # a payload of at least this size passes

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix=f"umqtt-{self.name}-"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self.port = free_port()
        self._process = None

    @property
    def url(self):
        return f"mqtt://{self.host}:{self.port}"

    @property
    def output(self):
        return self._process.output if self._process else ""

    def running(self):
        return self._process is not None and self._process.running()

    def start(self):
        """Return when the broker answers. Where its port is taken, the first start takes another."""
        first = self._process is None
        for attempt in range(3):
            if first and (attempt or not is_free(self.port)):
                self.port = free_port()
            self._process = Process(*self.command(), env=clean_env(), cwd=self.folder)
            deadline = time.monotonic() + START_S
            while time.monotonic() < deadline and self._process.running():
                if answers(self.port) and self._process.running():
                    return self
                time.sleep(0.05)
            self._process.kill()
            time.sleep(0.5)
        raise RuntimeError(f"{self.name} did not start:\n{self.output}")

    def stop(self):
        """End it as its operator would."""
        if self._process:
            self._process.terminate()

    def kill(self):
        """End it as a power failure would."""
        if self._process:
            self._process.kill()

    def restart(self):
        self.stop()
        return self.start()

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()
        print(f"--- {self.name} on port {self.port}\n{self.output[-4000:]}\n---")


class IotCore(Broker):
    """rumqttd. It closes the link at a filter that begins with $."""

    name = "iotcore"
    has_mqtt31 = False
    lowers_qos = False

    @staticmethod
    def available():
        return None if importlib.util.find_spec("iotcore") else "iotcore is not installed"

    def command(self):
        options = f"port={self.port}, listen='127.0.0.1', max_payload_size={4 << 20}"
        quiet = "import logging; logging.getLogger('rumqttd').setLevel(60)"  # it calls every packet an error
        program = f"{quiet}; from iotcore import Broker; Broker({options}).run_forever()"
        return sys.executable, "-c", program


class Mosquitto(Broker):
    """With persistence=True sessions live through a kill; with user and password nobody else gets in."""

    name = "mosquitto"
    has_mqtt5 = True

    def __init__(self, persistence=False, user=None, password=None, settings=""):
        super().__init__()
        self.persistence, self.user, self.password, self.settings = persistence, user, password, settings
        self.keeps_sessions_over_restart = persistence

    @staticmethod
    def _program(name):
        return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")

    @classmethod
    def available(cls):
        return None if cls._program("mosquitto") else "mosquitto is not installed"

    def command(self):
        lines = [f"listener {self.port} 127.0.0.1", "max_queued_messages 0", "max_inflight_messages 20"]
        lines.append(f"allow_anonymous {'false' if self.user else 'true'}")
        if os.getuid() == 0:
            lines.append("user root")  # else it becomes another user, who may not read the folder
        if self.user:
            lines.append(f"password_file {self._passwords()}")
        if self.persistence:
            lines += ["persistence true", f"persistence_location {self.folder}/", "autosave_interval 1"]
            lines.append("autosave_on_changes true")
        config = self.folder / "mosquitto.conf"
        config.write_text("\n".join([*lines, self.settings, ""]))
        return self._program("mosquitto"), "-c", config

    def _passwords(self):
        file = self.folder / "passwords"
        command = [self._program("mosquitto_passwd"), "-b", "-c", file, self.user, self.password]
        subprocess.run(command, check=True, capture_output=True)
        return file


def dynamic_security():
    """The path of mosquitto's plugin that can refuse a SUBSCRIBE, or None."""
    return next(Path("/usr").glob("lib*/**/mosquitto_dynamic_security.so"), None)


def tls_listener(port, folder, name, *more):
    """Lines for Mosquitto's `settings`: a port with TLS and the certificate `name` of certificates.py."""
    files = f"cafile {folder}/ca.crt", f"certfile {folder}/{name}.crt", f"keyfile {folder}/{name}.key"
    return "\n".join([f"listener {port} 127.0.0.1", *files, *more, ""])


class Aedes(Broker):
    """For Node, by its command line. It keeps everything in memory."""

    name = "aedes"
    queues_qos2_once = False

    @staticmethod
    def available():
        if not shutil.which("node"):
            return "aedes: node is not installed"
        return None if (NODE_MODULES / "aedes-cli").is_dir() else "aedes is not installed (npm)"

    def command(self):
        program = NODE_MODULES / "aedes-cli/bin/aedes"
        return "node", program, "--host", "127.0.0.1", "--port", self.port, "--no-pretty"


class Amqtt(Broker):
    """In Python. It forgets the session of a client without a user name."""

    name = "amqtt"
    keeps_sessions = False
    has_mqtt31 = False
    takes_over = False
    drops_silent_clients = False
    lowers_qos = False

    @staticmethod
    def available():
        return None if importlib.util.find_spec("amqtt") else "amqtt is not installed"

    def command(self):
        config = {
            "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{self.port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
        file = self.folder / "amqtt.json"  # JSON is YAML
        file.write_text(json.dumps(config))
        return sys.executable, "-m", "amqtt.scripts.broker_script", "-c", file


ALL = (IotCore, Mosquitto, Aedes, Amqtt)
