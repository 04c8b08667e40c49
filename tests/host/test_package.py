"""What is copied to a board: package.json lists it, and nothing else."""
import json

import mp


def listed():
    package = json.loads((mp.ROOT / "package.json").read_text())
    assert all(target == source for target, source in package["urls"])
    return sorted(source for _, source in package["urls"])


def test_mip_installs_every_file_of_the_package_except_what_is_for_a_pc():
    there = sorted(f"umqtt_full/{file.name}" for file in (mp.ROOT / "umqtt_full").glob("*.py"))
    there.remove("umqtt_full/_cpython.py")
    there.remove("umqtt_full/__main__.py")
    assert listed() == there
