"""Run the tests of same/ on MicroPython too: the unix port (64-bit), and the WebAssembly port, new and old.

Rule: one process per file and interpreter runs the file's functions; each function is a test of its own here,
test_x[micropython], test_x[micropython-32bit] and so on, beside CPython's plain test_x.

A file may say, at module level, with literal values:
    CPYTHON_ONLY = ("test_a",)     MICROPYTHON_ONLY = ("test_b",)     LONG = ("test_c",)  # only with --long
    HEAPSIZE = "64k"  # instead of 512k; on 32 bits it is where the heap begins, it can grow
"""
import ast
import re
import shutil
from pathlib import Path

import env
import mp
import pytest
from process import Process, clean_env

HERE = Path(__file__).resolve().parent
MODULES = HERE / "node/modules"
SILENCE = 120  # s: a test that says nothing for so long is stuck


# Each runs tests that lie in `folders`, by the run.py in the first, with umqtt_full as it is in the folder
# `package`.
class Unix:
    name = "micropython"

    unavailable = staticmethod(mp.unavailable)

    @staticmethod
    def command(folders, heapsize, package=mp.ROOT):
        return [env.find_micropython(), "-X", f"heapsize={heapsize}", folders[0] / "run.py"]

    @staticmethod
    def environment(folders, package=mp.ROOT):
        return clean_env(MICROPYPATH=mp.import_path(package, *folders, mp.ROOT))


class Wasm:
    """The port for browsers; `package`: of npm."""

    def __init__(self, name, package):
        self.name = name
        self.port = env.NODE / "node_modules" / package / "micropython.mjs"

    def unavailable(self):
        if not shutil.which("node"):
            return "32-bit MicroPython: node is not installed"
        return None if self.port.is_file() else "32-bit MicroPython: its npm package is not installed"

    def program(self, heapsize):
        """The words that a command begins with; see mp32.mjs."""
        return ["node", "--no-liftoff", env.NODE / "mp32.mjs", "-p", self.port, "-X", f"heapsize={heapsize}"]

    def command(self, folders, heapsize, package=mp.ROOT):
        packages = {"umqtt_full": package / "umqtt_full", "ports": mp.ROOT / "ports", "board": HERE / "board"}
        copies = [word for name, source in packages.items() for word in ("-d", f"{source}={name}")]
        for source in (MODULES, *folders):
            copies += ["-d", f"{source}=."]
        return [*self.program(heapsize), *copies, folders[0] / "run.py"]

    @staticmethod
    def environment(folders, package=mp.ROOT):
        return clean_env()


UNIX = Unix()
WASM = Wasm("micropython-32bit", "@micropython/micropython-webassembly-pyscript")
OLDEST = Wasm("micropython-1.26-32bit", "micropython-1.26")  # that the README says will do
INTERPRETERS = (UNIX, WASM, OLDEST)


class SameFile(pytest.File):
    """The tests of one file, once for each MicroPython."""

    def collect(self):
        said, lines = read(self.path)
        for interpreter in INTERPRETERS:
            run = Run(self.path, interpreter, said.get("HEAPSIZE", "512k"))
            for test, line in lines.items():
                if test not in said.get("CPYTHON_ONLY", ()):
                    name = f"{test}[{interpreter.name}]"
                    item = SameTest.from_parent(self, name=name, run=run, test=test, line=line)
                    if test in said.get("LONG", ()):
                        item.add_marker(pytest.mark.long)
                    yield item


class SameTest(pytest.Item):
    def __init__(self, *, run, test, line, **kw):
        super().__init__(**kw)
        self.run, self.test, self.line = run, test, line

    def runtest(self):
        why = self.run.interpreter.unavailable()
        if why:
            pytest.skip(why)
        chosen = [i.test for i in self.session.items if isinstance(i, SameTest) and i.run is self.run]
        verdict, output = self.run.result(self.test, chosen)
        if verdict == "SKIP":
            pytest.skip(output.strip())
        if verdict != "ok":
            raise Failure(output)
        print(output)

    def repr_failure(self, excinfo):
        if isinstance(excinfo.value, Failure):
            return with_source(str(excinfo.value), self.path)
        return super().repr_failure(excinfo)

    def reportinfo(self):
        return self.path, self.line - 1, self.name


class Failure(Exception):
    """The output of a test that did not end with ok."""


class Run:
    """One process that runs the tests of one file; started when the first result is wanted."""

    def __init__(self, path, interpreter, heapsize):
        self.path, self.interpreter, self.heapsize = path, interpreter, heapsize
        self._results = None

    def result(self, test, chosen):
        """Return (verdict, output) of one test; chosen are all the tests that the process has to run."""
        if self._results is None:
            folders = mp.SAME, self.path.parent
            command = self.interpreter.command(folders, self.heapsize)
            environment = self.interpreter.environment(folders)
            process = Process(*command, self.path.stem, *chosen, env=environment)
            try:
                self._results, self._rest = listen(process)
            finally:
                process.kill()
        return self._results.get(test) or ("FAIL", self._rest)


def listen(process):
    """Read what run.py prints: ({test: (verdict, output)}, what to say of a test that has no verdict)."""
    results, name, output, stuck = {}, None, [], False
    while True:
        try:
            line = process.next_line(SILENCE)
        except TimeoutError:
            stuck, line = True, None
        if line is None:
            break
        mark = re.match(r"==> (begin|ok|SKIP|FAIL|end) (\w+)$", line)
        if not mark:
            output.append(line)
        elif mark[1] == "begin":
            name, output = mark[2], []
        else:
            results[mark[2]] = (mark[1], "\n".join(output))
            name, output = None, []
    why = f"no output for {SILENCE} s" if stuck else f"the process ended with exit code {process.finish()}"
    rest = why + (f" in {name}" if name else " before this test")
    return results, rest + "\n" + "\n".join(output)


def read(path):
    """Return what a file says at module level, and its tests with their lines, without importing it."""
    said, lines = {}, {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            lines[node.name] = node.lineno
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            if node.targets[0].id in ("CPYTHON_ONLY", "MICROPYTHON_ONLY", "LONG", "HEAPSIZE"):
                said[node.targets[0].id] = ast.literal_eval(node.value)
    return said, lines


def with_source(output, path):
    """Add to a traceback the lines of the test file: MicroPython does not print them."""
    source = path.read_text(encoding="utf-8").splitlines()

    def add(found):
        return f"{found[0]}\n    {source[int(found[1]) - 1].strip()}"

    return re.sub(rf'  File "[^"]*{re.escape(path.name)}", line (\d+), in .*', add, output)


def pytest_collect_file(file_path, parent):
    if file_path.parent.name == "same" and re.fullmatch(r"test_\w+\.py", file_path.name):
        return SameFile.from_parent(parent, path=file_path)


def pytest_pycollect_makeitem(collector, name, obj):
    """On CPython: leave out what is for MicroPython only, and mark the long ones."""
    module = getattr(collector, "obj", None)
    if name in getattr(module, "MICROPYTHON_ONLY", ()):
        return []
    if name in getattr(module, "LONG", ()):
        obj.pytestmark = [pytest.mark.long]
