"""The simulated storm: its verdict on the back-off, its repeatability, its table and its chart.

Rule: a small fleet stands for the large one; nothing in the project is written.
"""
import json
import xml.etree.ElementTree as ET

import pytest
import storm

SMALL = ("--devices", "5000", "--rate", "50")


@pytest.fixture(scope="module")
def storms():
    return storm.simulate(storm.options(SMALL))


def test_the_random_back_off_spares_the_broker(storms):
    jitter, fixed, doubled = storms
    assert jitter.peaks()[1] < fixed.peaks()[1] / 3
    assert jitter.peaks()[1] < doubled.peaks()[1] / 3
    assert sum(jitter.attempts) < sum(fixed.attempts) / 5
    assert jitter.attempts[fixed.back_s(0.5)] < fixed.attempts[fixed.back_s(0.5)] / 10


def test_it_brings_everybody_back_soon(storms):
    jitter, fixed, doubled = storms
    assert jitter.back_s(1) < 2 * fixed.back_s(1) < doubled.back_s(1)
    assert fixed.back_s(1) == 5 + 5000 / 50  # no second is lost, as there is always somebody at the door


def test_the_broker_accepts_no_more_than_it_can(storms):
    for each in storms:
        assert sum(each.accepted) == 5000 and max(each.accepted) == 50
        assert not sum(each.accepted[:5])
        assert all(a <= n for a, n in zip(each.accepted, each.attempts))


def test_who_is_not_back_in_time_is_said(monkeypatch):
    monkeypatch.setattr(storm, "LIMIT", 100)
    doubled = storm.simulate(storm.options(SMALL))[2]
    assert doubled.row()[-2:] == ("not within 100 s", "not within 100 s")
    assert len(doubled.attempts) <= 100 and doubled.as_json()["s_all"] is None


def test_the_same_seed_gives_the_same(storms):
    again, other = (storm.simulate(storm.options([*SMALL, "--seed", seed])) for seed in ("1", "2"))
    assert [each.as_json() for each in again] == [each.as_json() for each in storms]
    assert other[0].attempts != storms[0].attempts
    assert other[1].attempts == storms[1].attempts  # nothing random in it


def test_a_broker_that_is_never_away():
    each = storm.simulate(storm.options([*SMALL, "--away", "0"]))[0]
    assert each.peaks()[0] == 0 and each.accepted[0] == 50


def test_the_chart_is_xml_small_and_for_both_themes(storms):
    text = storm.Chart(storms).svg()
    words = " ".join(ET.fromstring(text).itertext())
    for each in ("umqtt_full", "always 1 s", "doubled, not random", "attempts per second", "seconds since"):
        assert each in words
    assert len(text) < 30000 and "prefers-color-scheme:dark" in text


@pytest.mark.parametrize("more", [("--devices", "1"), ("--devices", "9", "--away", "0"), ("--rate", "6000")])
def test_the_chart_of_an_odd_fleet_is_xml_too(more):
    ET.fromstring(storm.Chart(storm.simulate(storm.options([*SMALL, *more]))).svg())


def test_the_table_goes_between_the_markers_and_nowhere_else(storms):
    old = f"before\n{storm.BEGIN}\nold\n{storm.END}\nafter\n"
    new = storm.put(old, storm.table(storms))
    assert new == old.replace("old", storm.table(storms))
    assert storm.put(new, storm.table(storms)) == new


@pytest.mark.parametrize("text", [
    "", storm.BEGIN, storm.END, f"{storm.END}\n{storm.BEGIN}\n", f"{storm.BEGIN} {storm.END}\n",
    f"{storm.BEGIN}\n{storm.END}\n{storm.BEGIN}\n{storm.END}\n",
])
def test_without_both_markers_nothing_is_written(text, tmp_path, monkeypatch, capsys):
    with pytest.raises(ValueError):
        storm.put(text, "table")
    readme = tmp_path / "README.md"
    readme.write_text(text)
    monkeypatch.setattr(storm, "README", readme)
    assert storm.main(["--devices", "9", "--svg", str(tmp_path / "storm.svg"), "--write"]) == 1
    assert readme.read_text() == text and storm.BEGIN in capsys.readouterr().err


def test_the_program_writes_what_it_is_asked_for(tmp_path, monkeypatch, capsys):
    readme, svg, numbers = tmp_path / "README.md", tmp_path / "storm.svg", tmp_path / "storm.json"
    readme.write_text(f"{storm.BEGIN}\n{storm.END}\n")
    monkeypatch.setattr(storm, "README", readme)
    assert storm.main([*SMALL, "--svg", str(svg), "--json", str(numbers), "--write"]) == 0
    assert readme.read_text() == f"{storm.BEGIN}\n{capsys.readouterr().out}{storm.END}\n"
    ET.parse(svg)
    told = json.loads(numbers.read_text())
    assert told["devices"] == 5000 and [each["s_all"] for each in told["storms"]][1] == 105


def test_the_readme_has_the_table_of_this_tool(storms):
    def frame(table):
        """Its headings, and the first cell of each row with how many there are."""
        head, line, *rows = table.splitlines()
        return head, line, [(row.split("|")[1], row.count("|")) for row in rows]

    lines = storm.README.read_text().splitlines()
    there = lines[lines.index(storm.BEGIN) + 1 : lines.index(storm.END)]
    assert frame("\n".join(there)) == frame(storm.table(storms))


def test_the_chart_in_the_tree_is_well_formed():
    ET.parse(storm.env.ROOT / "tools/storm.svg")
