"""mip: each profile's list names just its files, and both mips install it: mpremote's and a board's own.

Rule: the tables of files are tools/profiles.py's; a list that differs from them is written anew by
`python3 tools/profiles.py --write`.
"""
import functools
import http.server
import json
import subprocess
import sys
import threading

import env
import mp
import profiles
import pytest
import virtual
from process import clean_env

PROGRAM = "import sys; sys.path[:] = [{0!r}]; from umqtt_full import MQTTClient; MQTTClient('mqtt://127.0.0.1')"


def installed(folder):
    """The names of the modules in a folder's umqtt_full, each the same as ours."""
    for file in (folder / "umqtt_full").iterdir():
        assert file.read_bytes() == (profiles.PACKAGE / file.name).read_bytes()
    return sorted(file.stem for file in (folder / "umqtt_full").iterdir())


@pytest.mark.parametrize("profile", profiles.NAMES)
def test_the_list_of_a_profile_is_what_the_table_says(profile):
    text = profiles.package_file(profile).read_text()
    assert text == profiles.package_text(profile, profiles.version())
    package = json.loads(text)
    folder = profiles.package_file(profile).parent
    assert [target for target, _ in package["urls"]] == [f"umqtt_full/{m}.py" for m in profiles.modules(profile)]
    assert all((folder / source).is_file() for _, source in package["urls"])


def test_each_profile_holds_the_smaller_one_and_full_holds_all_that_a_board_can_use():
    minimal, standard, full = (set(profiles.modules(name)) for name in profiles.NAMES)
    assert minimal < standard < full
    there = {file.stem for file in profiles.PACKAGE.glob("*.py")}
    assert there - full == there & set(profiles.NEVER)


@pytest.mark.skipif(bool(virtual.unavailable()), reason=str(virtual.unavailable()))
@pytest.mark.parametrize("profile", ("minimal",))
def test_mpremote_installs_a_profile_on_a_board_which_then_imports_it(profile, tmp_path):
    pytest.importorskip("mpremote", reason="mpremote is not installed")
    with virtual.VirtualBoard(tmp_path) as board:
        mpremote = [sys.executable, "-m", "mpremote", "connect", board.device]
        for words in (["mip", "install", str(profiles.package_file(profile))],
                      ["exec", "from umqtt_full import MQTTClient; MQTTClient('mqtt://127.0.0.1')"]):
            subprocess.run([*mpremote, *words], env=clean_env(), check=True, timeout=40)
    assert installed(tmp_path / "lib") == profiles.modules(profile)


@pytest.fixture
def site():
    """The project as a web site on this machine; its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *words):
            pass

    handler = functools.partial(Quiet, directory=env.ROOT)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.skipif(bool(mp.unavailable()), reason=str(mp.unavailable()))
@pytest.mark.parametrize("profile", ("standard", "full"))
def test_a_board_installs_a_profile_with_its_own_mip(profile, site, tmp_path):
    url = f"{site}/{profiles.package_file(profile).relative_to(env.ROOT)}"
    url = url.removesuffix("/package.json")  # what a user gives: the folder
    program = f"import mip; mip.install({url!r}, target={str(tmp_path)!r})"
    for words in (program, PROGRAM.format(str(tmp_path))):
        done = subprocess.run([env.find_micropython(), "-c", words], env=clean_env(), timeout=40)
        assert done.returncode == 0
    assert installed(tmp_path) == profiles.modules(profile)
