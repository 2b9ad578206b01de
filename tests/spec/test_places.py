"""Which line a key stands on, for every way of writing it."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from tests.spec.random_specs import experiments

from thalweg.spec.places import Path_, Places
from thalweg.spec.writing import to_toml

TEXT = '''\
# [not.a.header]
question = """
[training]
epochs = 1 \\""" "not the end"
"""
zip = [["a", 'b'], [
  "c", # ]
  "d",
]]
[data]
moons . noise = 0.1
"moons".'seed' = 2  # seed = 3

[network.mlp]
hidden = [
  [1, 2],
  [3]
]
activation = { leaky_relu = { slope = [0.1, 0.2] } }
[[optimizer]]
adam = {}

  [[ optimizer ]]
[optimizer.momentum]
learning_rate = 1979-05-27 07:32:00
[[vary]]
training.epochs = 3
empty = [[]]
quote = "\\"]"
literal = '\\'
after = { "strange key" = [[1], [2]], last = 5 }
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("question",), 2),
        (("zip",), 6),
        (("zip", 0, 1), 6),
        (("zip", 1, 0), 7),
        (("zip", 1, 1), 8),
        (("data",), 10),
        (("data", "moons"), 11),
        (("data", "moons", "noise"), 11),
        (("data", "moons", "seed"), 12),
        (("data", "moons", "samples"), 11),
        (("network", "mlp", "hidden", 0), 16),
        (("network", "mlp", "hidden", 1), 17),
        (("network", "mlp", "activation", "leaky_relu", "slope", 1), 19),
        (("optimizer", 0), 20),
        (("optimizer", 0, "adam", "beta1"), 21),
        (("optimizer", 1), 23),
        (("optimizer", 1, "momentum", "learning_rate"), 25),
        (("vary", 0, "training", "epochs"), 27),
        (("vary", 0, "empty", 0, 0), 28),
        (("vary", 0, "literal"), 30),
        (("vary", 0, "after", "strange key", 1, 0), 31),
        (("vary", 0, "after", "last"), 31),
    ],
)
def test_every_key_has_its_line(path: Path_, line: int) -> None:
    assert tomllib.loads(TEXT)
    assert Places("spec.toml", TEXT).of(path) == f"spec.toml:{line}: "


def test_what_stands_nowhere_is_in_the_file() -> None:
    assert Places("spec.toml", TEXT).of(("training", "epochs")) == "spec.toml: "
    assert Places("spec.toml", TEXT).of(()) == "spec.toml: "
    assert Places("").of(("training",)) == ""


def test_windows_line_ends_count_once() -> None:
    assert Places("s", "a = 1\r\nb = 2\r\n").of(("b",)) == "s:2: "


def test_an_override_is_the_place_of_what_it_sets() -> None:
    places = Places("s", "[optimizer]\nadam = { beta1 = 0.5 }\n[training]\nepochs = 3")
    places.override(("training", "epochs"), "override 'training.epochs=0'")
    places.override(("optimizer", "beta1"), "override 'optimizer.beta1=2'")
    assert places.of(("training", "epochs")) == "override 'training.epochs=0': "
    assert places.of(("training", "probes")) == "s:3: "
    assert places.of(("optimizer", 2, "adam", "beta1")) == "override 'optimizer.beta1=2': "
    assert places.of(("optimizer", "adam", "beta2")) == "s:2: "


def test_changes_are_the_places_of_what_they_set() -> None:
    text = "[data]\nmoons = {}\n[[vary]]\n[vary.optimizer]\nlearning_rate = 1\n\nbeta1 = 2"
    places = Places("s", text).under(("vary", 0))
    assert places.of(("optimizer", "adam", "beta1")) == "s:7: "
    assert places.of(("optimizer", "adam", "beta2")) == "s:4: "
    assert places.of(("data", "moons")) == "s:3: "
    assert Places("").under(("vary", 1)).of(("data",)) == "vary 2: "


def _paths(value: Any, path: Path_ = ()) -> list[tuple[Path_, Any]]:
    items: Any = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    return [(path, value)] + [p for key, held in items for p in _paths(held, (*path, key))]


@settings(max_examples=15, deadline=None)
@given(experiments())
def test_the_lines_of_random_files_hold_what_the_reader_finds(made: Any) -> None:
    """Cut behind the line of a key, the file still has it; cut before, it has not."""
    text = to_toml(made)
    lines, places = text.split("\n"), Places("s", text)
    for path, _ in _paths(tomllib.loads(text)):
        if path and isinstance(path[-1], str):
            line = int(places.of(path).split(":")[1])
            assert path in dict(_paths(tomllib.loads("\n".join(lines[:line]))))
            assert path not in dict(_paths(tomllib.loads("\n".join(lines[: line - 1]))))
