"""32-bit MicroPython with a real broker, in a heap of 64 KiB: objects are as large as on an ESP32 or a Pico.

Rule: the WebAssembly port collects garbage only where a turn of the script ends, and takes more memory where its
heap is full: so each test asserts that the heap has not grown at the end. The library is as boards get it. This
port has no TLS; its socket module and half of binascii are in Python, and take heap here that they do not take on
a board.
"""
import tempfile
from pathlib import Path

import env
import interpreters
import large
import mp
import near
import pytest
from large import MIB, TAIL, arrived, cut_twice, payload, sha_of
from process import Process, clean_env
from proxy import DOWN, UP, Proxy

WHOLE, CUT, PART = 8 * MIB + TAIL, 2 * MIB + TAIL, MIB + TAIL
REASON = 512  # bytes: what the first cuts leave behind, such as the last error; no more, however many there are
# What goes before, what to import, and the server
URANDOM = "import os, random\nos.urandom = lambda n: bytes(random.getrandbits(8) for _ in range(n))"  # it lacks it
OVER = {
    "tcp": ("", (), "'mqtt://127.0.0.1:{port}'"),
    "ws": (URANDOM, ("ws",), "umqtt_full.ws.WebSocket(umqtt_full.net.TCP('127.0.0.1', {port}), '127.0.0.1')"),
}
PROGRAM = """
import gc

gc.threshold(2048)
{before}

def size():
    return gc.mem_alloc() + gc.mem_free()

def script():
    began = size()
    for name in {modules}:
        __import__(name)
        yield
    import umqtt_full, {script}
    yield from {script}.turns({server}, {arguments})
    print("grown", size() - began)

turns = script()

def turn():
    return next(turns, 0) is None
"""


class Board(large.Board):
    """One of scripts/ in a 32-bit MicroPython process; `over`: a name in OVER."""

    def __init__(self, script, over, port, *arguments, heapsize="64k"):
        why = interpreters.WASM.unavailable() or (None if env.find_mpy_cross() else "mpy-cross: not found")
        if why:
            pytest.skip(why)
        self.folder = Path(tempfile.mkdtemp(prefix="umqtt-32-"))
        scripts = [near.SCRIPTS / f"{name}.py" for name in (script, "large_notes")]
        for source in (*scripts, env.NODE / "tcp/socket.py"):
            mp.compile_script(source, self.folder)
        before, more, server = OVER[over]
        modules = ["umqtt_full.net", "umqtt_full", *(f"umqtt_full.{name}" for name in more), script]
        main = self.folder / "main.py"
        program = PROGRAM.format(before=before, modules=modules, script=script, server=server.format(port=port),
                                 arguments=", ".join(map(repr, arguments)))
        main.write_text(mp.translated(program))
        copies = ("-d", f"{mp.compact_folder()}/umqtt_full=umqtt_full", "-d", f"{self.folder}=.")
        Process.__init__(self, *interpreters.WASM.program(heapsize), *copies, main, env=clean_env())

    def fitted(self):
        return self.told("grown") == [0] and self.finish() == 0


@pytest.fixture(scope="module", params=OVER)
def over(request, tmp_path_factory):
    with large.over(request.param, tmp_path_factory.mktemp(request.param)) as over:
        yield over


@pytest.fixture
def look(over, record_property):
    """Read what a board tells of one payload: that it is right, and how often it was begun."""

    def look(board, what, size):
        begun, ms, _, heap = board.look(size, REASON)
        record_property(f"{over.name}, {what}", heap)
        print(f"{over.name}, {what}: heap {heap} bytes, {size / MIB / ms * 1000:.1f} MiB/s")
        return begun

    return look


@pytest.fixture
def size(over, request):
    """How large a payload is that goes `up` or comes down, and may be `cut`: smaller where it takes long."""

    def size(up=False, cut=False):
        if request.config.option.long:
            return WHOLE
        slow = up and over.name == "ws"  # without native code the frames are masked byte by byte in Python
        return PART if slow else CUT if cut else WHOLE

    return size


def test_fifty_messages_each_way_at_qos_1_and_2_take_no_byte_of_the_heap(over, uid, record_property):
    with Board("thirty_two_bits", over.name, over.port, uid, 50) as board:
        for word in ("imported", "connected", "exchanged"):
            (taken,) = board.told(word)
            record_property(f"{over.name}, {word}", taken)
            print(f"{over.name}, {word}: {taken} bytes")
        assert board.told("more") == [0] and board.fitted()


def test_a_large_payload_goes_out_at_each_qos(over, uid, look, size):
    size = size(up=True)
    with over.far_end(uid) as far, Board("large_up", over.name, over.port, uid, size, "012") as board:
        far.subscribe(f"{uid}/up/#", 2)
        for qos in "012":
            assert look(board, f"up, QoS {qos}", size) == 1
        assert arrived(far, 3) == [(qos, sha_of(size)) for qos in "012"] and board.fitted()


def test_a_large_payload_comes_in_at_each_qos(over, uid, look, size):
    size = size()
    with over.far_end(uid) as far, Board("large_down", over.name, over.port, uid, 3) as board:
        board.expect("subscribed")
        for qos in (0, 1, 2):
            far.publish(f"{uid}/down", [payload(size)], qos)
            assert look(board, f"down, QoS {qos}", size) == 1
        assert board.fitted()


@pytest.mark.parametrize("qos", [1, 2])
def test_what_goes_out_begins_again_behind_each_cut(qos, over, uid, look, size):
    size = size(up=True, cut=True)
    with Proxy(over.port) as proxy, over.far_end(uid) as far:
        far.subscribe(f"{uid}/up/#", 2)
        proxy.next(*cut_twice(UP, size))
        with Board("large_up", over.name, proxy.port, uid, size, str(qos)) as board:
            assert look(board, f"up, cut twice, QoS {qos}", size) == 3
            assert proxy.fired() and board.fitted()
        assert arrived(far, 1) == [(str(qos), sha_of(size))]


@pytest.mark.parametrize("qos", [1, 2])
def test_what_comes_in_begins_again_behind_each_cut(qos, over, uid, look, size):
    size = size(cut=True)
    with Proxy(over.port) as proxy, over.far_end(uid) as far:
        proxy.next(*cut_twice(DOWN, size))
        with Board("large_down", over.name, proxy.port, uid, 1) as board:
            board.expect("subscribed")
            far.publish(f"{uid}/down", [payload(size)], qos)
            assert look(board, f"down, cut twice, QoS {qos}", size) == 3
            assert proxy.fired() and board.fitted()


def test_a_heap_that_was_too_small_is_told(mosquitto, uid):
    with Board("thirty_two_bits", "tcp", mosquitto.port, uid, 1, heapsize="32k") as board:
        assert board.told("grown")[0] > 0 and board.finish() == 0
