"""Layers: behind what they are made from, near to it, and groups one behind another."""

from __future__ import annotations

import random

import pytest

from thalweg.report.layout.layers import layers_of


def test_a_node_stands_behind_all_that_it_is_made_from() -> None:
    chance = random.Random(0)
    names = [str(number) for number in range(40)]
    edges = [(str(chance.randrange(n)), str(n)) for n in range(1, 40) for _ in range(2)]
    found = layers_of(names, edges, {})
    assert all(found[source] < found[target] for source, target in edges)
    assert min(found.values()) == 0


def test_an_input_stands_next_to_its_first_reader() -> None:
    edges = [("x", "a"), ("a", "b"), ("b", "c"), ("w", "c"), ("v", "b"), ("v", "c")]
    found = layers_of(["x", "w", "v", "a", "b", "c"], edges, {})
    assert found == {"x": 0, "a": 1, "b": 2, "c": 3, "w": 2, "v": 1}


def test_circles_are_refused() -> None:
    with pytest.raises(ValueError, match="this graph does: a → b → a"):
        layers_of(["x", "a", "b"], [("x", "a"), ("a", "b"), ("b", "a")], {})
    with pytest.raises(ValueError, match="a → a"):
        layers_of(["a"], [("a", "a")], {})


def test_groups_made_from_one_another_stand_behind_one_another() -> None:
    """The second part's own chain could begin beside the first's."""
    edges = [("a", "b"), ("b", "c"), ("b", "y"), ("x", "y"), ("w", "x"), ("y", "z")]
    first, second = ("first",), ("second",)
    groups = {"a": first, "b": first, "c": first, "w": second, "x": second, "y": second}
    names = ["a", "b", "c", "w", "x", "y", "z"]
    assert layers_of(names, edges, {})["w"] < layers_of(names, edges, {})["c"]
    found = layers_of(names, edges, groups)
    last = max(found[name] for name in "abc")
    assert last < min(found[name] for name in "wxy")


def test_inner_groups_stand_behind_one_another_too() -> None:
    groups = dict.fromkeys("abc", ("all", "one")) | dict.fromkeys("xy", ("all", "other"))
    found = layers_of([*"abcxy"], [("a", "b"), ("b", "c"), ("a", "y"), ("x", "y")], groups)
    assert max(found[name] for name in "abc") < min(found[name] for name in "xy")


def test_groups_made_from_one_another_both_ways_stand_beside_one_another() -> None:
    edges = [("a", "x"), ("x", "b"), ("b", "y")]
    found = layers_of([*"abxy"], edges, {"a": ("1",), "b": ("1",), "x": ("2",), "y": ("2",)})
    assert [found[name] for name in "axby"] == [0, 1, 2, 3]
    # So also where no path of edges leads back, but the parts of a group hold it together.
    edges = [("a", "x"), ("y", "p"), ("q", "b")]
    groups = {"a": ("1",), "b": ("1",), "x": ("2",), "y": ("2",), "p": ("3",), "q": ("3",)}
    found = layers_of([*"abxypq"], edges, groups)
    assert all(found[source] < found[target] for source, target in edges)


def test_nothing_has_no_layers() -> None:
    assert layers_of([], [], {}) == {}
