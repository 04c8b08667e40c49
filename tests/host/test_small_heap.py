"""A heap of 64 KiB on a 64-bit machine, where every object is twice as large as on a board.

Rule: the numbers are printed and recorded as properties of the test; a floor keeps them from shrinking unseen.
"""

import mp
import near
import pytest

FLOOR = 20_000  # bytes of 64 KiB that must be left beside the library, its client and this test

# Without the threshold, what the import leaves behind is collected only when the heap is full, and by then
# the modules lie all over it.
PROGRAM = """
import gc
gc.threshold(2048)
import small_heap
small_heap.{what}("{url}", "{name}", {count})
print("ok")
"""


@pytest.fixture
def run(mosquitto, uid, record_property, tmp_path):
    """Run scripts/small_heap.py from .mpy with 64 KiB; return the numbers that it tells."""
    if mp.unavailable():
        pytest.skip(mp.unavailable())

    def run(what, count):
        mp.compile_script(near.SCRIPTS / "small_heap.py", tmp_path)
        script = tmp_path / "main.py"
        script.write_text(PROGRAM.format(what=what, url=mosquitto.url, name=uid, count=count))
        with mp.MicroPython(script, heapsize="64k", mpy=True, paths=[tmp_path]) as board:
            assert board.finish() == 0 and board.lines[-1] == "ok", board.output
        told = dict(line.split() for line in board.lines[:-1])
        for word, number in told.items():
            record_property(word, number)
            print(f"{word}: {number} bytes")
        return {word: int(number) for word, number in told.items()}

    return run


def test_fifty_messages_both_ways_leave_room_for_the_program(run):
    assert run("uses", 50)["free"] >= FLOOR


def test_what_is_loaded_for_a_moment_can_be_loaded_when_there_is_memory_again():
    if mp.unavailable():
        pytest.skip(mp.unavailable())
    with mp.MicroPython(near.SCRIPTS / "scarce.py", heapsize="56k", mpy=True) as board:
        assert board.finish() == 0 and board.lines[-1] == "ok", board.output
    failed = dict(line.split() for line in board.lines[:-1])
    assert len(failed) == 5 and all(int(times) > 5 for times in failed.values()), failed


def test_two_thousand_messages_take_no_byte_of_the_heap(run):
    assert run("locked", 2000).items() >= {"more-0": 0, "more-1": 0, "more-2": 0}.items()
