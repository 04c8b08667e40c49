"""The frame sees what fails: on each interpreter, in a crash, in silence, and under --all in a skip."""
import re
import subprocess
import sys
from pathlib import Path

import interpreters
import mp
import pytest
from process import Process, clean_env

HOST = Path(__file__).resolve().parent

BAD = '''
import sys
import skip

CPYTHON_ONLY = ("test_only_here",)
MICROPYTHON_ONLY = ("test_only_there",)
LONG = ("test_long",)

def test_good():
    print("unseen")

def test_wrong():
    print("seen before")
    value = 2 + 2
    assert value == 5, "two and two"

def test_error():
    raise ValueError("what went wrong")

def test_skipped():
    raise skip.SkipTest("not today")

def test_only_here():
    assert sys.implementation.name == "cpython"

def test_only_there():
    assert sys.implementation.name == "micropython"

def test_long():
    pass
'''

CRASH = '''
def test_before():
    pass

def test_crash():
    print("last words")
    import uctypes
    uctypes.bytearray_at(0, 4)[0]

def test_after():
    pass
'''


@pytest.fixture(scope="module")
def inner(tmp_path_factory):
    """Run pytest with this frame in a folder of its own; returns (exit code, output)."""
    tmp_path = tmp_path_factory.mktemp("inner")
    (tmp_path / "same").mkdir()
    (tmp_path / "conftest.py").write_text(f"import sys\nsys.path[:0] = {PATHS}\nfrom host_conftest import *")
    (tmp_path / "host_conftest.py").write_text((HOST.parent / "conftest.py").read_text())
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  long\n  limit(seconds)\n")

    def run(text, *arguments, path="same/test_inner.py"):
        (tmp_path / path).write_text(text)
        options = ["-rA", "-p", "no:cacheprovider", "--import-mode=importlib", *arguments]
        command = [sys.executable, "-m", "pytest", *options, path]
        env = clean_env(PYTHONDONTWRITEBYTECODE="1")
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=55)
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture(scope="module")
def bad(inner):
    return inner(BAD)


PATHS = [str(HOST), str(HOST / "same"), str(mp.ROOT / "tools"), str(mp.ROOT)]
here = [part for part in interpreters.INTERPRETERS if part.unavailable() is None]


def verdicts(output):
    """{test: PASSED or FAILED} of what pytest -rA says at its end."""
    return {name: verdict for verdict, name in re.findall(r"^(PASSED|FAILED) \S+?::(\S+)", output, re.M)}


@pytest.fixture(params=interpreters.INTERPRETERS, ids=lambda part: part.name)
def interpreter(request):
    if request.param.unavailable():
        pytest.skip(request.param.unavailable())
    return request.param.name


def section(output, name):
    """What pytest says of one failed test."""
    return re.search(rf"^_+ {re.escape(name)} _+\n(.*?)(?=^_+ \S+ _+$|^=)", output, re.M | re.S)[1]


def test_each_interpreter_runs_each_test_and_tells_good_from_bad(bad):
    code, output = bad
    assert code == 1
    want = {"test_good": "PASSED", "test_wrong": "FAILED", "test_error": "FAILED", "test_only_here": "PASSED"}
    for part in here:
        want.update({f"test_{name}[{part.name}]": verdict for name, verdict in (
            ("good", "PASSED"), ("wrong", "FAILED"), ("error", "FAILED"), ("only_there", "PASSED"))})
    assert verdicts(output) == want
    assert output.count("not today") >= 1 and f"{1 + len(interpreters.INTERPRETERS)} deselected" in output


def test_a_failure_on_micropython_shows_its_traceback_its_source_and_its_output(bad, interpreter):
    _, output = bad
    wrong = section(output, f"test_wrong[{interpreter}]")
    assert "seen before" in wrong and "AssertionError: two and two" in wrong
    assert 'assert value == 5, "two and two"' in wrong and "what went wrong" not in wrong
    assert "ValueError: what went wrong" in section(output, f"test_error[{interpreter}]")


def test_one_test_on_one_interpreter_can_be_chosen(inner, interpreter):
    code, output = inner(BAD, "-k", f"test_good and {interpreter}]")
    assert verdicts(output) == {f"test_good[{interpreter}]": "PASSED"} and code == 0


def test_a_crash_in_the_middle_fails_that_test_and_those_behind_it(inner):
    if mp.unavailable():
        pytest.skip(mp.unavailable())
    _, output = inner(CRASH, "-k", "micropython]")
    assert verdicts(output) == {"test_before[micropython]": "PASSED", "test_crash[micropython]": "FAILED",
                                "test_after[micropython]": "FAILED"}
    crash = section(output, "test_crash[micropython]")
    assert "last words" in crash and "exit code -11 in test_crash" in crash


def test_a_file_that_cannot_be_imported_fails_all_its_tests_with_the_reason(inner, interpreter):
    text = "import sys\nif sys.implementation.name == 'micropython':\n    import nothing_of_that_name\n" \
           "def test_x():\n    pass\n"
    code, output = inner(text)
    assert code == 1 and verdicts(output)[f"test_x[{interpreter}]"] == "FAILED"
    assert "nothing_of_that_name" in section(output, f"test_x[{interpreter}]")


def test_what_leaves_python_early_is_a_failure(inner, interpreter):
    text = "import sys\ndef test_leaves():\n    sys.exit(0)\n"
    _, output = inner(text)
    assert verdicts(output)[f"test_leaves[{interpreter}]"] == "FAILED"


def test_a_test_that_is_silent_for_too_long_is_ended(monkeypatch):
    monkeypatch.setattr(interpreters, "SILENCE", 0.5)
    program = "import time; print('==> begin test_x', flush=True); print('well', flush=True); time.sleep(60)"
    with Process(sys.executable, "-c", program) as process:
        results, rest = interpreters.listen(process)
    assert results == {} and "no output for 0.5 s" in rest and "in test_x" in rest and "well" in rest


def test_each_reason_to_skip_gets_one_line(inner):
    text = "import skip\n" + "".join(f"def test_{i}():\n    raise skip.SkipTest('rain')\n" for i in range(3))
    assert inner(text)[1].count(f"skipped: rain ({3 + 3 * len(here)} tests)") == 1


def test_under_all_a_skip_is_a_failure(inner):
    text = "import skip\ndef test_skips():\n    raise skip.SkipTest('not today')\n"
    assert inner(text)[0] == 0
    code, output = inner(text, "--all")
    assert code == 1 and verdicts(output)["test_skips"] == "FAILED" and "--all forbids" in output
    for part in here:
        assert verdicts(output)[f"test_skips[{part.name}]"] == "FAILED"


def test_a_test_that_hangs_fails_and_the_run_goes_on(inner):
    tries = "    while True:\n        with contextlib.suppress(Exception):\n            time.sleep(40)\n"
    text = f"import contextlib, pytest, time\n@pytest.mark.limit(1)\ndef test_hangs():\n{tries}"
    _, output = inner(text + "def test_next():\n    pass\n", path="test_inner.py")
    assert verdicts(output) == {"test_hangs": "FAILED", "test_next": "PASSED"}
    assert "took more than 1 s" in output
