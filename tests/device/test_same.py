"""The tests of tests/host/same, on the board itself: one fresh interpreter for each file.

Rule: on a virtual board, whose interpreter runs them all anyway, those few that touch the port; on others all that
are about the library and not about a PC. A test for which the board has no memory is told, and is no failure.
"""
import re

import interpreters
import mp
import pytest

PORT = ("test_net", "test_no_alloc", "test_store")
FILES = sorted(file.stem for file in mp.SAME.glob("test_*.py"))
HELPERS = ("clock", "fake", "keeper", "loops", "packets", "ram", "run", "skip", "tiny")
OF_A_PC = ("test_a_client_id_is_made_where_none_is_given",)


def is_for_a_board(file):
    """A file that chooses its heap, or that simulates a board or a command line, is about a PC."""
    text = (mp.SAME / f"{file}.py").read_text()
    return not re.search(r"^HEAPSIZE|^(from|import) boards\b|__main__", text, re.MULTILINE)


def pytest_generate_tests(metafunc):
    option = metafunc.config.option
    on_hardware = option.device or option.emulate
    metafunc.parametrize("file", [*filter(is_for_a_board, FILES)] if on_hardware else PORT)


@pytest.fixture(scope="module")
def readable(place):
    """These tests look into the library: they need its own names."""
    place.board.stop()
    place.board.install(readable=True)
    yield
    place.board.stop()
    place.board.install()


@pytest.mark.limit(900)
def test_the_tests_of_a_file_pass_on_the_board(place, readable, file):
    said, tests = interpreters.read(mp.SAME / f"{file}.py")
    left_out = {*said.get("CPYTHON_ONLY", ()), *said.get("LONG", ()), *OF_A_PC}
    names = [name for name in tests if name not in left_out]
    place.board.stop()
    for module in (*HELPERS, file):
        if (mp.SAME / f"{module}.py").is_file():
            place.board.put(module)
    results = verdicts(place.board.run("run", "run", file, names, timeout=600).lines)
    for name, (verdict, output) in results.items():
        if verdict == "FAIL" and "MemoryError" in output:
            print("no room on this board:", name)
        else:
            assert verdict != "FAIL", f"{name}\n{output}"
    assert set(results) == set(names)


def verdicts(lines):
    """{test: (verdict, what it printed)}"""
    results, output = {}, []
    for line in lines:
        mark = re.match(r"==> (begin|ok|SKIP|FAIL) (\w+)$", line)
        if not mark:
            output.append(line)
        elif mark[1] == "begin":
            output = []
        else:
            results[mark[2]] = mark[1], "\n".join(output)
    return results
