"""The power is cut at every operation of a flash; then the board boots, and nothing that was promised is missing.

Rule: scripts/power_cut.py does it on MicroPython with its own littlefs and FAT, on a block device in RAM, against
a broker that is a model in the same process (same/keeper.py). Each test says what holds after any cut:

- A message for which publish() had returned arrives; at QoS 2 once, at QoS 1 at least once; first arrivals are in
  order. One whose publish() was cut may arrive or not, at QoS 2 never twice.
- An inbound message of QoS 2 reaches its handler, in order, once. Only where the cut came after the handler and
  before its id was noted does it come once more: one message for each cut at the most.
- The client id stays, nothing is reported, and no id or slot is left over.

littlefs keeps all this also where the operation is torn. FAT keeps it where the medium writes a sector whole or
in part, as a card does; where a block is erased to be written anew, as on bare flash, the cut may take the whole
directory with it, and all that is promised is that the client works on.
"""
import mp
import near
import pytest

pytestmark = pytest.mark.skipif(bool(mp.unavailable()), reason=str(mp.unavailable()))


def run(*words, **options):
    """Run the script; return the numbers that it tells."""
    words += tuple(f"{key}={value}" for key, value in options.items())
    with mp.MicroPython(near.SCRIPTS / "power_cut.py", *words, heapsize="4m") as board:
        assert board.finish(230) == 0 and board.lines[-1] == "ok", board.output
        return {line.split()[0]: float(line.split()[1]) for line in board.lines[:-1]}, board.output


def cut_everywhere(filesystem, least, **options):
    told, output = run("cuts", filesystem, **options)
    assert told["failed"] == 0, output
    assert told["operations"] >= least and told["runs"] >= told["operations"]


@pytest.mark.parametrize("arrive", (0, 1), ids=("unsent", "sent"))  # what was written when the cut came
@pytest.mark.parametrize("torn", (0, 1, 2), ids=("whole", "half", "half-and-erased"))
@pytest.mark.parametrize("size", (256, 512, 4096))
def test_littlefs_loses_nothing_at_any_cut(size, torn, arrive):
    cut_everywhere("littlefs", 100, torn=torn, arrive=arrive, size=size)


@pytest.mark.parametrize("others", (0, 13, 15), ids=("first", "last", "two-sectors"))  # where in the directory
@pytest.mark.parametrize("arrive", (0, 1), ids=("unsent", "sent"))
@pytest.mark.parametrize("torn", (0, 1), ids=("whole", "half"))
def test_fat_loses_nothing_at_any_cut_where_a_sector_is_not_erased(torn, arrive, others):
    cut_everywhere("fat", 70, torn=torn, arrive=arrive, others=others)


@pytest.mark.parametrize("others", (0, 13), ids=("first", "last"))
def test_on_fat_with_erased_sectors_the_client_works_on(others):
    cut_everywhere("fat", 70, torn=2, arrive=1, others=others, keeps=0)


@pytest.mark.parametrize("filesystem, options", (("littlefs", {"torn": 2}), ("fat", {"torn": 1, "others": 15})))
def test_a_second_cut_in_the_boot_after_the_first_loses_nothing(filesystem, options):
    cut_everywhere(filesystem, 70, arrive=1, again=8, **options)


@pytest.mark.long
@pytest.mark.limit(240)
@pytest.mark.parametrize("torn", (0, 1))
@pytest.mark.parametrize("filesystem", ("littlefs", "fat"))
def test_every_pair_of_cuts_loses_nothing(filesystem, torn):
    cut_everywhere(filesystem, 70, torn=torn, arrive=1, again=1)


# What one message of 32 bytes does to a littlefs of 4096-byte blocks, with the default bound: measured, and a
# tenth above it. Each record that is made durable is one erased block and half a log programmed anew.
BUDGET = {
    1: {"erases": 1.02, "programs": 18.2, "bytes": 2198},
    2: {"erases": 2.02, "programs": 35.7, "bytes": 4336},
}


@pytest.mark.parametrize("qos", (1, 2))
def test_a_message_wears_the_flash_no_more_than_it_did(qos, record_property):
    told, _ = run("wear", "littlefs", qos=qos)
    for word, number in told.items():
        record_property(f"{word}-qos{qos}", number)
        print(f"{word} per message of QoS {qos}: {number}")
    for word, most in BUDGET[qos].items():
        assert told[word] <= most * 1.1, word
