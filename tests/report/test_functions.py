"""Functions and derivatives in a report."""

from __future__ import annotations

from typing import NamedTuple

from thalweg.report.functions import MOST_FUNCTIONS, activations
from thalweg.report.parts import Figure, LinePanel, Paragraph


class Points(NamedTuple):
    z: tuple[float, ...]
    values: tuple[float, ...]
    derivatives: tuple[float, ...]


SQUARE = Points((-1.0, 0.0, 2.0), (1.0, 0.0, 4.0), (-2.0, 0.0, 4.0))
CUBE = Points((-1.0, 0.0, 2.0), (-1.0, 0.0, 8.0), (3.0, 0.0, 12.0))
POLE = Points((-1.0, 0.0, 2.0), (-1.0, float("inf"), 0.5), (-1.0, float("nan"), -0.25))


def panels(curves: dict[str, Points]) -> tuple[LinePanel, LinePanel]:
    section = activations(curves)
    assert section is not None
    figure = section.parts[0]
    assert isinstance(figure, Figure)
    function, derivative = figure.panels
    assert isinstance(function, LinePanel)
    assert isinstance(derivative, LinePanel)
    return function, derivative


def test_functions_share_a_panel_and_so_do_their_derivatives() -> None:
    function, derivative = panels({"square": SQUARE, "cube": CUBE})
    assert [(line.name, line.y) for line in function.lines] == [
        ("square", SQUARE.values),
        ("cube", CUBE.values),
    ]
    assert [line.y for line in derivative.lines] == [SQUARE.derivatives, CUBE.derivatives]
    assert [line.series for line in function.lines] == [line.series for line in derivative.lines]
    assert len({line.series for line in function.lines}) == 2


def test_axes_hold_all_that_is_finite() -> None:
    function, derivative = panels({"cube": CUBE, "pole": POLE})
    for panel, low, high in ((function, -1, 8), (derivative, -1, 12)):
        assert panel.y.low is not None
        assert panel.y.high is not None
        assert panel.y.low < low < high < panel.y.high < 2 * high


def test_more_than_can_be_told_apart_are_counted() -> None:
    section = activations({f"power {n}": CUBE for n in range(MOST_FUNCTIONS + 3)})
    assert section is not None
    figure, note = section.parts
    assert isinstance(figure, Figure)
    assert isinstance(note, Paragraph)
    assert isinstance(figure.panels[0], LinePanel)
    assert len(figure.panels[0].lines) == MOST_FUNCTIONS
    assert "3 more" in note.text


def test_no_functions_no_section() -> None:
    assert activations({}) is None
