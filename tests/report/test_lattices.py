"""Searches as pictures: panels say what was tried, and drawings are whole and say it too."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from tests.report.test_drawings import WIDTHS, check_panel

from thalweg.report.colours import Theme
from thalweg.report.figure import draw
from thalweg.report.lattices import PRUNED, lattice, lattice_lines

WORDS = ("a", "b", "c", "d", "e", "f", "g", "h")


@dataclass(frozen=True)
class Tried:
    path: tuple[int, ...]
    total: float
    kept: bool = False


@dataclass(frozen=True)
class Record:
    steps: tuple[tuple[Tried, ...], ...]
    best: tuple[int, ...]


SEARCH = Record(
    (
        (Tried((0,), -1.0, True), Tried((1,), -2.0, True), Tried((2,), -3.0)),
        (
            Tried((1, 0), -2.5, True),
            Tried((0, 0), -4.0, True),
            Tried((1, 1), -5.0),
            Tried((0, 1), -4.5),
        ),
        (Tried((1, 0, 2), -3.0, True), Tried((0, 0, 1), -6.0, True)),
    ),
    (1, 0, 2),
)


DRAWN = """\
  step 1       step 2       step 3
  ● b −2.00 ┬─ ● a −2.50 ── ● c −3.00
            └─ · b −5.00
  ○ a −1.00 ┬─ ○ a −4.00 ── ○ b −6.00
            └─ · b −4.50
  · c −3.00
  ● written   ○ kept   · pruned"""


def test_the_way_to_what_was_found_is_in_the_first_row() -> None:
    panel = lattice(SEARCH, WORDS, "two beams")
    assert "\n".join(lattice_lines(panel)) == DRAWN


def test_of_many_that_are_pruned_the_best_are_shown() -> None:
    step = tuple(Tried((n,), -1.0 - n, n == 0) for n in range(8))
    panel = lattice(Record((step,), (0,)), WORDS)
    assert [node.word for node in panel.steps[0]] == list(WORDS[: 1 + PRUNED])
    assert panel.left_out == (7 - PRUNED,)
    assert f"step 1, {7 - PRUNED} more pruned" in lattice_lines(panel)[0]


def test_a_sequence_that_was_tried_twice_is_one_and_kept_if_either_is() -> None:
    twice = (Tried((0,), -1.0, True), Tried((0,), -1.0), Tried((1,), -2.0))
    (nodes,) = lattice(Record((twice,), (0,)), WORDS).steps
    assert [(node.word, node.kept, node.won) for node in nodes] == [
        ("a", True, True),
        ("b", False, False),
    ]


@pytest.mark.parametrize("width", WIDTHS)
def test_drawings_are_whole(width: int) -> None:
    words = ("a", "a word that is longer than others", "<&>", *WORDS[3:])
    check_panel(lattice(SEARCH, words, "two beams"), width)


def test_what_was_written_is_heaviest() -> None:
    body = draw(lattice(SEARCH, WORDS), 620, Theme("light")).body
    edges = re.findall(r'<path [^>]*stroke-width="([\d.]+)"', body)
    assert sorted(edges) == ["1.3"] * 6 + ["2.6"] * 3
    assert body.count('font-weight="700"') == 2 * 3
