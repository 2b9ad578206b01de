"""Moving pictures: trails that grow, in files that others can read."""

from __future__ import annotations

import io
import sys
from dataclasses import replace

import numpy as np
import pytest

from thalweg.errors import MissingExtra
from thalweg.report import figure_gif, moves
from thalweg.report.parts import Axis, ContourPanel, Figure, Trail

x, y = np.meshgrid(np.linspace(-2, 2, 21), np.linspace(-1, 1, 21))
WAY = Trail("adam", np.array([[-1.5, 0.5], [-1.0, 0.25], [-0.5, 0.1], [0.0, 0.0]]), series=1)
PANEL = ContourPanel(
    "", Axis("x"), Axis("y"), x**2 + 4 * y**2, (-2, 2, -1, 1), (0.5, 2.0), (WAY,), seconds=2.0
)
FIGURE = Figure("A race", "What is seen.", (PANEL,))
ORANGE = (213, 94, 0)


def test_trails_grow_from_picture_to_picture() -> None:
    pytest.importorskip("cairosvg", reason="the optional drawing library is not installed")
    images = pytest.importorskip("PIL.Image")
    opened = images.open(io.BytesIO(figure_gif(FIGURE, width=320)))
    assert opened.format == "GIF"
    assert opened.n_frames == len(WAY.points)
    coloured = []
    for number in range(opened.n_frames):
        opened.seek(number)
        pixels = np.asarray(opened.convert("RGB")).reshape(-1, 3)
        coloured.append(int((np.abs(pixels - np.array(ORANGE)).max(axis=1) < 30).sum()))
    assert coloured == sorted(coloured)
    assert coloured[-1] > 2 * coloured[0] > 0
    assert opened.info["loop"] == 0  # again and again


def test_what_does_not_move_has_no_moving_picture() -> None:
    still = replace(FIGURE, panels=(replace(PANEL, seconds=0.0),))
    assert not moves(still)
    with pytest.raises(ValueError, match="nothing moves in 'A race'"):
        figure_gif(still)


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(MissingExtra, match="Pillow"):
        figure_gif(FIGURE)
