"""Mosaics: where every picture lies, and that it is drawn as it is."""

from __future__ import annotations

import numpy as np

from thalweg.report import to_html
from thalweg.report.colours import Theme
from thalweg.report.mosaics import _mosaic, draw_pictures
from thalweg.report.parts import Figure, Page, PicturePanel, Section


def test_pictures_lie_row_by_row() -> None:
    made = np.arange(10, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 3, 1), np.uint8)
    mosaic = _mosaic({"pictures_made": made})
    assert mosaic.shape == (2 * 3, 8 * 4, 3)
    assert (mosaic[0:2, 4:7] == 1).all()
    assert (mosaic[3:5, 4:7] == 9).all()
    assert (mosaic[2] == 255).all()


def test_originals_lie_above_what_was_made_of_them() -> None:
    given = np.zeros((9, 2, 2, 3), np.uint8)
    given[8] = [10, 20, 30]
    mosaic = _mosaic({"pictures_made": given + 1, "pictures_given": given})
    assert mosaic.shape == (4 * 3, 8 * 3, 3)
    assert mosaic[6, 0].tolist() == [10, 20, 30]
    assert mosaic[9, 0].tolist() == [11, 21, 31]


def test_a_panel_of_pictures_keeps_their_shape() -> None:
    panel = PicturePanel("a", np.zeros((10, 40, 3), np.uint8), note="seed 0")
    drawing = draw_pictures(panel, 200, Theme("light"))
    assert "data:image/png;base64," in drawing.body
    assert 50 < drawing.height < 110
    page = Page("t", (Section("Pictures", (Figure("Pictures", "c", (panel,), 3),)),), "")
    assert "data:image/png;base64," in to_html(page)
