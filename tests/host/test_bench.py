"""The speed tool: that each part runs and says what its tables need, that its charts are well-formed.

Rule: few messages and no peers; nothing asserts a time.
"""
import json
import xml.etree.ElementTree as ET

import bench
import brokers
import mp
import peers
import plots
import pytest
import readme
import runs


@pytest.fixture
def written():
    return json.loads(bench.FIGURES.read_text())


@pytest.fixture
def micropython():
    why = mp.unavailable() or brokers.Mosquitto.available()
    if why:
        pytest.skip(why)


@pytest.mark.limit(120)
def test_a_quick_run_has_all_parts(micropython):
    figures, missing = bench.measure(bench.options(["--quick"]))
    assert json.loads(json.dumps(figures)) == figures and list(figures) == list(bench.PARTS)
    for row in figures["loopback"].values():
        assert list(row) == ["raw", "full"] and row["raw"]["ratio"] == 1 and row["full"]["per_s"] > 0
    assert list(figures["slow"]) == ["raw", "full"] and figures["idle"]["us"] > 0
    for part in ("instructions", "transports"):
        assert (figures[part] is None) == any(line.startswith(part) for line in missing)
    if figures["transports"]:
        assert tuple(figures["transports"]) == bench.TRANSPORTS
    if figures["instructions"]:
        publish = figures["instructions"]["publish 0"]
        assert publish["full"] > publish["raw"] > 0


def test_receiving_leaves_the_heap_as_it_is(micropython, mosquitto, tmp_path):
    here = runs.Runs(mosquitto, tmp_path, ["full"])
    taken = bench.heap(here, bench.options(["--quick"]))["taken"]["full"]
    assert len(taken) == 10 and len(set(taken)) == 1, taken


def test_what_can_not_be_fetched_is_said_and_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(peers, "FOLDER", tmp_path)
    monkeypatch.setattr(peers, "fetch", lambda wanted, folder: f"no network for {wanted}")
    missing = []
    assert peers.get("umqtt.simple", missing) is None
    assert missing == ["umqtt.simple 1.3.4: not fetched: no network for micropython-umqtt.simple==1.3.4"]


def test_the_readme_has_the_tables_of_this_tool(written):
    there = readme.got(readme.README.read_text(), "bench")
    assert readme.frame(there) == readme.frame(bench.tables(written)), "tools/bench.py --write"


def test_the_charts_are_xml_for_both_themes_and_those_in_the_tree(tmp_path):
    assert plots.main(tmp_path) == 0
    for name in ("heap", "memory", "speed"):
        text = (tmp_path / f"{name}.svg").read_text()
        assert "umqtt_full" in " ".join(ET.fromstring(text).itertext()) or name == "memory"
        assert len(text) < 60000 and "prefers-color-scheme:dark" in text
        assert text == (plots.FIGURES / f"{name}.svg").read_text(), "tools/plots.py"
