"""The demo, run as a user runs it.

Rule: we look only at what it prints, at its exit code and at the processes it leaves: none.
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("iotcore", reason="the broker of the demo is not installed")

DEMO = Path(__file__).resolve().parents[2] / "tools/demo.py"


def start(*options, **more):
    # no terminal, and an environment variable by which its processes can be told from all others
    mark = f"{os.getpid()}-{time.monotonic_ns()}"
    environ = {**os.environ, "UMQTT_DEMO_TEST": mark, **more}
    command = [sys.executable, "-u", str(DEMO), *options]
    pipe = subprocess.PIPE
    demo = subprocess.Popen(command, stdout=pipe, stderr=subprocess.STDOUT, text=True, env=environ)
    return demo, f"UMQTT_DEMO_TEST={mark}".encode()


def left_over(mark):
    """The living processes that came from this demo."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append((folder / "cmdline").read_bytes()[:80])
        except OSError:
            pass
    return found


def read_until(demo, word, seconds=60):
    """The lines up to the first one that has the word."""
    lines, end = [], time.monotonic() + seconds
    for line in demo.stdout:
        lines.append(line)
        if word in line:
            return lines
        assert time.monotonic() < end, "".join(lines)
    raise AssertionError(f"the demo ended without {word!r}:\n" + "".join(lines))


@pytest.fixture(scope="module")
def played():
    """One whole performance."""
    demo, mark = start("--seconds", "6")
    text, _ = demo.communicate(timeout=90)
    return demo.returncode, text, left_over(mark)


def test_nothing_was_lost(played):
    code, text, _ = played
    assert code == 0, text
    assert "VERDICT: nothing was lost" in text
    measured = int(re.search(r"sensor +count +(\d+) readings", text)[1])
    obeyed = int(re.search(r"bulb +count +(\d+) of them obeyed exactly once", text)[1])
    assert measured == obeyed > 8
    done, presses = re.search(r"(\d+) of (\d+) presses", text).groups()
    assert done == presses != "0"


def test_the_broker_was_restarted_while_both_were_at_work(played):
    text = played[1]
    assert "broker  count     1 times killed and started again" in text
    for who in ("sensor", "bulb"):
        assert len(re.findall(who + r" +link +up", text)) == 2, text
        assert re.search(who + r" +link +down: ", text), text
    assert "waits in the outbox" in text


def test_the_heaps_stay_flat(played):
    text = played[1]
    if "run on CPython" in text:
        pytest.skip("no MicroPython here")
    for who in ("sensor", "bulb"):
        used = [int(n) for n in re.findall(who + r" +heap +(\d+) bytes used, ", text)]
        assert len(used) >= 3, text
        assert max(used[1:]) - used[0] <= 1024, used


def test_it_prints_no_colours_without_a_terminal(played):
    assert "\033" not in played[1]


def test_it_leaves_no_process(played):
    assert played[2] == []


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_stopped_in_the_middle_it_leaves_no_process(number, code):
    demo, mark = start()
    read_until(demo, "obey")
    assert len(left_over(mark)) > 3
    demo.send_signal(number)
    demo.communicate(timeout=20)
    assert demo.returncode == code
    assert left_over(mark) == []


def test_killed_outright_its_processes_end_by_themselves(tmp_path):
    demo, mark = start(TMPDIR=str(tmp_path))  # its folder is left over, of course
    read_until(demo, "obey")
    demo.kill()
    demo.communicate(timeout=20)
    end = time.monotonic() + 20
    while left_over(mark) and time.monotonic() < end:
        time.sleep(0.1)
    assert left_over(mark) == []


def test_ctrl_c_ends_forever_with_the_verdict():
    demo, mark = start("--forever")
    read_until(demo, "obey      reading")
    demo.send_signal(signal.SIGINT)
    text, _ = demo.communicate(timeout=30)
    assert demo.returncode == 0, text
    assert "VERDICT: nothing was lost" in text
    assert left_over(mark) == []
