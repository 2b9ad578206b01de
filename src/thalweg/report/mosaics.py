"""Pictures that runs leave behind: samples they made, or what they restored of examples."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import numpy as np

from thalweg.report.boundaries import png
from thalweg.report.colours import Theme
from thalweg.report.decisions import typical_first
from thalweg.report.frame import title
from thalweg.report.groups import Curves, Group, View
from thalweg.report.parts import Figure, PicturePanel, Section
from thalweg.report.svg import Drawing, element

__all__ = ["draw_pictures", "pictures"]

MOST_PANELS = 6
COLUMNS, ROWS = 8, 8


def pictures(view: View, curves: Curves) -> Section | None:
    """One panel per group: the pictures of the run nearest its median of those that left some."""
    panels = [panel for group in view.groups if (panel := _panel(view, group, curves)) is not None]
    if not panels:
        return None
    restored = any(panel.alternates for panel in panels)
    caption = (
        "Examples that were not trained on, where there are any, and below each what the run made "
        "of it."
        if restored
        else "What generators make of random codes."
    )
    figure = Figure("Pictures", caption, tuple(panels[:MOST_PANELS]), 3)
    return Section("Pictures", (figure,))


def _panel(view: View, group: Group, curves: Curves) -> PicturePanel | None:
    for run in typical_first(view, group):
        arrays = curves.arrays(run.id)
        if "pictures_made" in arrays:
            given = "pictures_given" in arrays
            return PicturePanel(group.name, _mosaic(arrays), given, f"seed {run.seed}")
    return None


def _mosaic(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Pictures side by side, originals above what was made of them: uint8 [height, width, 3]."""
    made = np.asarray(arrays["pictures_made"], np.uint8)
    if "pictures_given" in arrays:
        given = np.asarray(arrays["pictures_given"], np.uint8)
        rows = [
            part[begin : begin + COLUMNS]
            for begin in range(0, min(len(made), COLUMNS * ROWS // 2), COLUMNS)
            for part in (given, made)
        ]
    else:
        count = min(len(made), COLUMNS * ROWS)
        rows = [made[begin : begin + COLUMNS] for begin in range(0, count, COLUMNS)]
    height, width = made.shape[1] + 1, made.shape[2] + 1
    mosaic = np.full((len(rows) * height, COLUMNS * width, 3), 255, np.uint8)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            top, left = i * height, j * width
            mosaic[top : top + height - 1, left : left + width - 1] = picture
    return mosaic


def draw_pictures(panel: PicturePanel, width: float, theme: Theme) -> Drawing:
    """A panel of pictures, ``width`` pixels wide."""
    heading, top = title(panel.title, width, theme, note=panel.note)
    rows, columns, _ = panel.pixels.shape
    height = width * rows / columns
    opaque = np.full((rows, columns, 1), 255, np.uint8)
    data = base64.b64encode(png(np.concatenate([panel.pixels, opaque], axis=-1))).decode()
    image = element(
        "image",
        href=f"data:image/png;base64,{data}",
        x=0,
        y=top,
        width=width,
        height=height,
        style="image-rendering:pixelated",
    )
    return Drawing(width, top + height + 2, heading + image)
