"""What umqtt_full takes of the heap, measured in MicroPython itself.

Rule: each figure is a difference within one process, garbage collected before and after it. A process runs in the
folder of what it imports, as MicroPython looks there first.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import env
import peers
import profiles

HOST = env.ROOT / "tests/host"
sys.path[:0] = [str(HOST), str(env.ROOT)]
import brokers  # noqa: E402
import interpreters  # noqa: E402
import mp  # noqa: E402
from process import clean_env  # noqa: E402

MEASURE = env.ROOT / "tools/measure"
PACKAGE = "umqtt_full"
BUILT_IN = "array asyncio binascii errno gc hashlib micropython os random select socket struct sys time".split()

# A client of each of these sizes is measured: rx, slots, slot_size
SIZES = ((256, 4, 256), (128, 1, 128), (1024, 4, 256), (256, 20, 256), (256, 4, 1024))

# What every program does; what making a client loads stays
USE = f"import {PACKAGE}; {PACKAGE}.MQTTClient('mqtt://127.0.0.1', 'attic')"

# What the operations do: of fake.py, `n` runs each
OPERATIONS = """
import fake
client, stream = fake.connected_client()
client.on(b"a/b", lambda msg: None, qos=None)
ack = bytearray(4)
def say(head, packet_id):
    ack[0] = head
    ack[1] = 2
    ack[2] = packet_id >> 8
    ack[3] = packet_id & 255
    stream.feed(ack)
    client.poll()
def publish(qos):
    packet_id = client.publish(b"a/b", b"21.5", qos)
    client.poll()
    if qos == 2:
        say(0x50, packet_id)
    if qos:
        say(0x40 if qos == 1 else 0x70, packet_id)
    stream.forget()
packets = [fake.publish_packet(b"a/b", b"21.5", qos, 7) for qos in range(3)]
def receive(qos):
    stream.feed(packets[qos])
    client.poll()
    if qos == 2:
        say(0x62, 7)
    stream.forget()
def idle(_):
    client.poll(10)
def taken(function, qos):
    function(qos)
    before = gc.mem_alloc()
    for _ in range(100):
        function(qos)
    return gc.mem_alloc() - before
"""


class Unix:
    """The 64-bit port."""

    bits = 64
    lacks = ()
    forms = ("mpy", "py", "rom")
    unavailable = staticmethod(mp.unavailable)

    @staticmethod
    def command(folder, steps):
        return [env.find_micropython(), "-X", "heapsize=1m", "-c", "\n".join(steps)]

    @staticmethod
    def environment(folder):
        return clean_env(MICROPYPATH=mp.import_path(folder, mp.SAME))


class Wasm:
    """The 32-bit port."""

    bits = 32
    lacks = ("import sys; sys.modules['tls'] = sys",)  # so that tls.py can be imported, not used
    forms = ("mpy", "py")  # it has no ROMFS
    unavailable = interpreters.WASM.unavailable

    @staticmethod
    def command(folder, steps):
        copies = [f"{folder}/{PACKAGE}={PACKAGE}", f"{interpreters.MODULES}=.", f"{mp.SAME}=."]
        program = ["node", "--no-liftoff", MEASURE / "steps32.mjs", interpreters.WASM.port]
        return [*program, json.dumps(steps), *copies]

    @staticmethod
    def environment(folder):
        return clean_env()


PORTS = (Wasm, Unix)
MARK = "gc.collect()", "gc.collect()", "print(gc.mem_alloc())"


def run(port, folder, steps):
    """The lines that the steps print, on a port, with the package of a folder."""
    begin = ["import " + name for name in BUILT_IN]
    begin += port.lacks
    command = [str(part) for part in port.command(folder, begin + list(steps))]
    done = subprocess.run(command, env=port.environment(folder), cwd=folder, capture_output=True, text=True,
                          timeout=60)
    if done.returncode:
        raise RuntimeError(f"{port.bits} bits: {(done.stderr or done.stdout)[-2000:]}")
    return done.stdout.splitlines()


def heap_of(port, folder, *steps, before=()):
    """Heap that each of some steps leaves taken, in order, and what the last line says."""
    code = [*before, *MARK]
    for step in steps:
        code += [step, *MARK]
    code.append("print(' '.join(sorted(m for m in sys.modules if m.startswith('umqtt_full'))))")
    *numbers, modules = run(port, folder, code)
    numbers = list(map(int, numbers))
    return [after - before for before, after in zip(numbers, numbers[1:])], modules.split()


# -- imports


def imports(ports, folders):
    """For each profile, and each module that is not in the least one: heap of its import, and what it loads.

    `folders`: {"mpy": where the package lies compiled, "rom": where its image lies, ..}.
    """
    found = {"profiles": {name: profile(ports, folders, name) for name in profiles.NAMES}, "modules": {}}
    least = profiles.modules("minimal")
    for name in profiles.modules("full"):
        if name not in least:
            one, loaded = _taken(ports, folders, [name])
            row = found["modules"][name] = {key: sum(heaps[1:]) for key, heaps in one.items()}
            row["loads"] = [module for module in files(loaded) if module not in least]
    return found


def profile(ports, folders, name):
    """The same for one profile."""
    least = profiles.modules("minimal")
    one, loaded = _taken(ports, folders, [module for module in profiles.modules(name) if module not in least])
    return {**{key: sum(heaps) for key, heaps in one.items()}, "loads": files(loaded)}


def _taken(ports, folders, names):
    """{"heap32_mpy": what the package took, and each of some modules, ..}, and what was loaded at last."""
    one = {}
    steps = [USE, *(f"import {PACKAGE}.{name}" for name in names)]
    for port in ports:
        for form in filter(folders.get, port.forms):
            mount = [mp.MOUNT] if form == "rom" else []
            one[f"heap{port.bits}_{form}"], loaded = heap_of(port, folders[form], *steps, before=mount)
    return one, loaded


def files(modules):
    """The files of some modules, as sys.modules names them."""
    return [name.partition(".")[2] or "__init__" for name in modules]


# -- clients


def buffers(bits, rx, slots, slot_size):
    """Bytes of a client that depend on its sizes."""
    return rx + slots * (slot_size + words(bits))


def words(bits):
    """Bytes of a slot's places in the six tables of the outbox."""
    return 6 * bits // 8


def clients(ports, folder):
    """Heap of one client of each of SIZES, with a URL and a client id given."""
    found = {}
    make = "c = umqtt_full.MQTTClient('mqtt://127.0.0.1', 'attic', rx=%d, slots=%d, slot_size=%d)"
    for port in ports:
        steps = [step for size in SIZES for step in (make % size, "c = None")]
        heaps, _ = heap_of(port, folder, *steps, before=[USE, *steps[:2]])
        rows = []
        for size, heap in zip(SIZES, heaps[::2]):
            rows.append({"rx": size[0], "slots": size[1], "slot_size": size[2], "heap": heap,
                         "base": heap - buffers(port.bits, *size)})
        found[str(port.bits)] = rows
    return found


def operations(ports, folder):
    """Heap that 100 runs of each operation take: {"64": {"publish 0": 0, ...}}."""
    found = {}
    calls = [(f"{way} {qos}", f"taken({way}, {qos})") for way in ("publish", "receive") for qos in range(3)]
    calls.append(("idle", "taken(idle, 0)"))
    for port in ports:
        steps = [OPERATIONS, "gc.disable()", *(f"print({call})" for _, call in calls)]
        lines = run(port, folder, [f"import {PACKAGE}", *steps])
        found[str(port.bits)] = {name: int(line) for (name, _), line in zip(calls, lines)}
    return found


# -- the smallest heap


class Smallest:
    """Finds the least heap in which a program of measure/ works against a broker."""

    def __init__(self, broker, folder):
        self._broker, self._folder = broker, folder

    def works(self, program, size, heap):
        command = [env.find_micropython(), "-X", f"heapsize={heap}", "-m", program, self._broker.url, size]
        path = clean_env(MICROPYPATH=mp.import_path(self._folder, mp.compact_folder()))
        try:
            done = subprocess.run(list(map(str, command)), env=path, cwd=self._folder, capture_output=True,
                                  text=True, timeout=10)
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0 and done.stdout == "ok\n"

    def find(self, program, size, low=4096, high=262144):
        """Bytes, to 128."""
        if not self.works(program, size, high):
            raise RuntimeError(f"{program} does not work with a heap of {high} bytes")
        while high - low > 128:
            middle = (low + high) // 256 * 128
            if self.works(program, size, middle):
                high = middle
            else:
                low = middle
        return high


def smallest_heaps(missing):
    """{client: {size: bytes}}; what is not there is added to `missing`."""
    found = {}
    programs = {"umqtt_full": "smallest"}
    with tempfile.TemporaryDirectory(prefix="umqtt-smallest-") as folder:
        folder = Path(folder)
        simple = peers.get("umqtt.simple", missing)
        if simple:
            peers.compile_tree(simple, folder)
            programs[peers.title("umqtt.simple")] = "smallest_simple"
        broker = brokers.Mosquitto().start()
        try:
            for name, program in programs.items():
                peers.compile_file(MEASURE / f"{program}.py", folder / f"{program}.mpy")
                search = Smallest(broker, folder)
                found[name] = {str(size): search.find(program, size) for size in (64, 1024)}
        finally:
            broker.stop()
    return found
