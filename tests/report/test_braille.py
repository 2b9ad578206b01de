"""Curves in a terminal, dot by dot."""

from __future__ import annotations

import math

import pytest

from thalweg.report.braille import DOTS, curve_rows, side_by_side
from thalweg.report.parts import Axis, Line, LinePanel


def panel(x, y, low=0.0, high=1.0, title="f", label=""):
    return LinePanel(title, Axis(label), Axis(low=low, high=high), (Line("f", x, y),))


def dots(rows):
    """Places of all dots, (column, row) from the upper left."""
    found = set()
    for index, row in enumerate(row.partition("│")[2] for row in rows if "│" in row):
        for place, character in enumerate(row):
            pattern = ord(character) - 0x2800 if character != " " else 0
            found |= {
                (2 * place + c, 4 * index + r)
                for r in range(4)
                for c in range(2)
                if pattern & DOTS[r][c]
            }
    return found


def test_a_line_is_a_diagonal_of_dots():
    # Four columns of two dots beside "1 │", two rows of four: eight by eight.
    rows = curve_rows(panel((0, 1), (0, 1)), width=7, height=2)
    assert dots(rows) == {(i, 7 - i) for i in range(8)}
    assert rows == ["   f", "1 │  ⡠⠊", "0 │⡠⠊", "  └────", "   0  1"]


def test_a_jump_is_joined_and_a_gap_is_not():
    steep = curve_rows(panel((0, 0.5, 0.5, 1), (0, 0, 1, 1)), width=7, height=2)
    assert {row for column, row in dots(steep)} == set(range(8))
    gap = curve_rows(panel((0, 0.4, 0.5, 0.6, 1), (0, 0, math.nan, 1, 1)), width=7, height=2)
    assert {row for column, row in dots(gap)} == {0, 7}


def test_zero_is_dotted_where_it_lies_inside():
    rows = curve_rows(panel((0, 1), (1, 1), low=-1), width=42, height=4)
    below = {place for place in dots(rows) if place[1] > 0}
    assert below == {(column, 8) for column in range(0, 76, 4)} or below == {
        (column, 7) for column in range(0, 76, 4)
    }


@pytest.mark.parametrize("width", [20, 38, 60])
def test_rows_keep_their_width(width):
    rows = curve_rows(panel((-5, 5), (-1e-3, 12345), None, None, label="z"), width)
    assert max(map(len, rows)) <= width
    assert len(rows) == 8 + 4
    assert "−5" in rows[-2]
    assert rows[-1].strip() == "z"


def test_blocks_stand_side_by_side_where_there_is_room():
    blocks = [["a", "bb"], ["ccc", "d"]]
    assert side_by_side(blocks, 7) == ["a   ccc", "bb  d"]
    assert side_by_side(blocks, 6) == ["a", "bb", "ccc", "d"]
