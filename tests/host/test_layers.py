"""The check of the imports sees each kind of fault, and finds none in a good tree."""
import layers
import pytest

GOOD = {
    "__init__": "from .client import Client\nfrom . import _cpython\n",
    "_cpython": "import time\n",
    "errors": "class MQTTError(Exception):\n    pass\n",
    "wire": "from .errors import MQTTError\nimport struct\n",
    "v4": "from . import wire\n",
    "engine": "from . import inflight\nfrom .wire import u16\n",
    "inflight": "import time\n",
    "net": "import socket\nfrom . import _cpython\n",
    "link": "from .net import connect\n",
    "client": "from .engine import Engine\nfrom .link import Link\n",
    "__main__": "from umqtt_full import Client\n",
}


def faults(tmp_path, **changed):
    package = tmp_path / "umqtt_full"
    package.mkdir()
    for name, text in {**GOOD, **changed}.items():
        (package / f"{name}.py").write_text(text)
    return layers.check(tmp_path)


def test_a_good_tree_has_no_fault(tmp_path):
    assert faults(tmp_path) == []


BAD = [
    ("wire", "from .engine import Engine", "wire (layer 0) imports engine (layer 2), upwards"),
    ("wire", "from . import engine", "wire (layer 0) imports engine (layer 2), upwards"),
    ("wire", "import umqtt_full.engine", "wire (layer 0) imports engine (layer 2), upwards"),
    ("wire", "from umqtt_full import engine", "wire (layer 0) imports engine (layer 2), upwards"),
    ("wire", "from umqtt_full.engine import Engine", "wire (layer 0) imports engine (layer 2), upwards"),
    ("engine", "def f():\n    from . import net", "engine (layer 2) imports net (layer 3), upwards"),
    ("engine", "import socket", "the protocol sees no system"),
    ("v4", "import asyncio.events", "the protocol sees no system"),
    ("wire", "from os import urandom", "the protocol sees no system"),
    ("engine", "import ssl, select", "the protocol sees no system"),
    ("link", "import network", "only ports/ may"),
    ("net", "from machine import Pin", "only ports/ may"),
    ("client", "import esp32", "only ports/ may"),
    ("__init__", "import rp2", "only ports/ may"),
    ("__init__", "from .engine import Engine", "__init__ may not import engine"),
    ("link", "from . import _cpython", "only __init__ and net and tls and aio may import _cpython"),
    ("_cpython", "from . import net", "it is below all"),
    ("client", "from umqtt_full import MQTTError", "client imports the package itself"),
    ("client", "from . import magic", "client imports the package itself"),
    ("client", "from .magic import f", "client imports magic, which has no layer"),
    ("magic", "", "magic has no layer"),
    ("inflight", "from . import engine", "in a circle: engine -> inflight -> engine"),
    ("link", "assert 1", "assert: it is gone"),
    ("link", "try:\n    pass\nexcept:\n    pass", "bare except"),
]


@pytest.mark.parametrize("name, text, said", BAD)
def test_a_fault_is_found_and_only_it(tmp_path, name, text, said):
    found = faults(tmp_path, **{name: text + "\n"})
    assert found and all(said in line for line in found), found
    if "circle" not in said:
        assert len(found) == 1 or "," in text
        assert all(line.startswith(f"umqtt_full/{name}.py:") for line in found)


def test_each_fault_has_its_line_and_makes_the_exit_code_one(tmp_path, capsys):
    assert faults(tmp_path, wire="import struct\nimport os\n")
    assert layers.main(tmp_path) == 1
    assert capsys.readouterr().out.startswith("umqtt_full/wire.py:2: ")


def test_this_project_has_no_fault():
    assert layers.check(layers.ROOT) == []
