"""The virtual board is a board: to mpremote as its user calls it, and over each kind of restart.

Rule: what is asked here was read in the sources of the ports: boot.py at each start, main.py unless the raw REPL
stays, a cause for each reset, memory of the RTC that outlives all but a power cut.
"""
import contextlib
import subprocess
import sys

import pytest
import virtual
from device import Board, BoardError
from process import clean_env

pytestmark = pytest.mark.skipif(bool(virtual.unavailable()), reason=str(virtual.unavailable()))
pytest.importorskip("mpremote", reason="mpremote is not installed")
HEAR = "print('main', machine.reset_cause())"


@pytest.fixture
def flash(tmp_path):
    (tmp_path / "flash").mkdir()
    return tmp_path / "flash"


def mpremote(board, *words):
    command = [sys.executable, "-m", "mpremote", "connect", board.device, *words]
    done = subprocess.run(command, env=clean_env(), capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def until(line, text):
    """What the board says up to a text."""
    said = b""
    while text.encode() not in said:
        more = line.read(20)
        assert more, said
        said += more
    return said.decode()


def test_mpremote_copies_lists_runs_and_removes(flash, tmp_path):
    every = bytes(range(256)) * 9
    (tmp_path / "data.bin").write_bytes(every)
    with virtual.VirtualBoard(flash) as board:
        mpremote(board, "fs", "cp", str(tmp_path / "data.bin"), ":copy.bin")
        assert (flash / "copy.bin").read_bytes() == every
        assert "copy.bin" in mpremote(board, "fs", "ls")
        mpremote(board, "fs", "cp", ":copy.bin", str(tmp_path / "back.bin"))
        assert (tmp_path / "back.bin").read_bytes() == every
        assert mpremote(board, "exec", "import os; print(os.listdir('/'), os.getcwd())") == "['copy.bin'] /\n"
        mpremote(board, "fs", "rm", ":copy.bin")
        assert not list(flash.iterdir())


def test_a_folder_of_the_pc_is_mounted_and_each_byte_comes_through(flash, tmp_path):
    (tmp_path / "all.bin").write_bytes(bytes(range(256)))
    program = "print(open('/remote/all.bin', 'rb').read() == bytes(range(256)))"
    with virtual.VirtualBoard(flash) as board:
        assert "True" in mpremote(board, "mount", str(tmp_path), "exec", program).splitlines()


def test_boot_and_main_run_at_power_on_and_a_program_is_stopped_by_ctrl_c(flash):
    (flash / "boot.py").write_text("import machine\nprint('boot')")
    (flash / "main.py").write_text(f"import machine\n{HEAR}\nwhile True:\n pass")
    with virtual.VirtualBoard(flash) as board:
        line = Board(board.device)  # Ctrl-C, soft reset
        said = line.exec("import machine\nprint(machine.reset_cause(), machine.unique_id())")
        assert said.strip() == "5 b'virtual'"
        line.start()
        assert "boot" in until(line, "main 5")
        line.stop()
        line.close()


def test_each_kind_of_restart_has_its_cause_and_the_rtc_keeps_its_memory(flash):
    (flash / "main.py").write_text(f"import machine\n{HEAR}\nprint(machine.RTC().memory())")
    with virtual.VirtualBoard(flash) as board, Board(board.device) as line:
        line.exec("import machine\nmachine.RTC().memory(b'kept')")
        for order, cause in (("machine.reset()", 2), ("machine.deepsleep(10)", 4)):
            with contextlib.suppress(BoardError):  # it may be gone before it answers
                line.exec(f"import machine\n{order}", timeout=0.3)
            line.stop()
            assert line.exec("import machine\nprint(machine.RTC().memory())").strip() == "b'kept'"
            (flash / "boot.py").write_text(f"import machine\nif machine.reset_cause() != {cause}:\n {order}")
            line.start()
            until(line, f"main {cause}")
            (flash / "boot.py").unlink()
            line.stop()
    with virtual.VirtualBoard(flash) as board, Board(board.device) as line:
        assert line.exec("import machine\nprint(machine.RTC().memory())").strip() == "b''"


def test_a_program_that_ends_itself_is_started_again(flash):
    (flash / "main.py").write_text(
        "import os, sys\nprint('life', len(os.listdir('/lives')))\n"
        "open('/lives/%d' % len(os.listdir('/lives')), 'w').close()\n"
        "if len(os.listdir('/lives')) < 3:\n sys.exit()")
    (flash / "lives").mkdir()
    with virtual.VirtualBoard(flash) as board, Board(board.device) as line:
        line.exec("import os\nfor n in os.listdir('/lives'):\n os.remove('/lives/' + n)")
        line.start()
        assert "life 0" in until(line, "life 2")


def test_flash_that_is_an_image_is_full_at_its_size_and_keeps_what_was_written(tmp_path):
    image = virtual.make_image(tmp_path / "flash.img", 65536)
    with virtual.VirtualBoard(image) as board, Board(board.device) as line:
        line.write("/kept", b"k" * 5000)
        with pytest.raises(BoardError, match="filesystem is full"):
            line.write("/large", bytes(65536))
    with virtual.VirtualBoard(image) as board, Board(board.device) as line:
        said = line.exec("import os\nprint(os.listdir('/'), open('/kept').read() == 'k' * 5000)")
    assert said.strip() == "['kept'] True"


def test_the_serial_port_goes_with_the_board(flash):
    with virtual.VirtualBoard(flash) as board, Board(board.device) as line:
        board.unplug()
        with pytest.raises(BoardError, match="went away"):
            line.exec("print(1)")
    with pytest.raises(BoardError, match="does it exist"):
        Board(board.device)
