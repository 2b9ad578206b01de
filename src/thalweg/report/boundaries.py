"""Panels of decision boundaries: the class probabilities over a plane, and the points in it."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

from thalweg.report.colours import SERIES, Theme
from thalweg.report.frame import Box, horizontal_axis, title, vertical_axis
from thalweg.report.parts import Axis, BoundaryPanel
from thalweg.report.scales import scale_of
from thalweg.report.svg import Drawing, dots, element, text_width

__all__ = ["draw_boundary", "png"]

# More points than this say nothing more in a small panel and make the page heavy.
MOST_POINTS = 500


def draw_boundary(panel: BoundaryPanel, width: float, theme: Theme) -> Drawing:
    """A panel of a decision boundary, ``width`` pixels wide."""
    heading, top = title(panel.title, width, theme, note=panel.note)
    top += 4
    x0, x1, y0, y1 = map(float, panel.extent)
    # The image may be a little wider than high, never so flat or steep that it misleads.
    ratio = min(max(abs((y1 - y0) / ((x1 - x0) or 1.0)), 0.55), 1.0)
    ticks_width = max(text_width(name, 11.5) for name in ("−0.5", f"{y0:.1f}", f"{y1:.1f}")) + 11
    height = ratio * (width - ticks_width - 12)
    y = scale_of(Axis(low=y0, high=y1), (), top + height, top)
    ticks = y.ticks(max(2, int(height / 44)))
    left = max((text_width(name, 11.5) for _, name in ticks), default=0.0) + 11
    box = Box(left, top, width - 12, top + height)
    x = scale_of(Axis(low=x0, high=x1), (), box.left, box.right)
    axis, below = horizontal_axis(x, box, width, theme)
    body = [
        heading,
        vertical_axis(y, box, ticks, theme, grid=False),
        box.clipped(_image(panel, box, theme) + _points(panel, x, y, theme)),
        axis,
    ]
    return Drawing(width, box.bottom + below + 2, "".join(body), box.edges)


def png(pixels: np.ndarray) -> bytes:
    """A PNG file of uint8 [height, width, 4] pixels (red, green, blue, opacity)."""
    height, width, _ = pixels.shape
    rows = np.concatenate(
        [np.zeros((height, 1), np.uint8), pixels.reshape(height, 4 * width)], axis=1
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows.tobytes(), 9))
        + chunk(b"IEND", b"")
    )


def _image(panel: BoundaryPanel, box: Box, theme: Theme) -> str:
    """The likeliest class by colour, its probability by opacity: the boundary is the clear line."""
    probabilities = panel.grid.astype(float) / 255
    best, classes = probabilities.argmax(-1), max(probabilities.shape[-1], 2)
    certainty = (probabilities.max(-1) - 1 / classes) / (1 - 1 / classes)
    pixels = np.zeros((*best.shape, 4), np.uint8)
    pixels[..., :3] = _colours(theme)[best % SERIES]
    pixels[..., 3] = np.clip(40 + 120 * certainty, 0, 160)
    data = base64.b64encode(png(pixels[::-1])).decode()
    # Grid points are the centres of pixels, so the image reaches half a pixel beyond the extent.
    rows, columns = best.shape
    across = (box.right - box.left) / max(columns - 1, 1)
    down = (box.bottom - box.top) / max(rows - 1, 1)
    return element(
        "image",
        href=f"data:image/png;base64,{data}",
        x=box.left - across / 2,
        y=box.top - down / 2,
        width=box.right - box.left + across,
        height=box.bottom - box.top + down,
        preserveAspectRatio="none",
    )


def _colours(theme: Theme) -> np.ndarray:
    # The image is translucent, so the colours of the light theme do on both.
    concrete = Theme("light") if theme.name == "page" else theme
    names = [concrete.series(index).lstrip("#") for index in range(SERIES)]
    return np.array([[int(name[i : i + 2], 16) for i in (0, 2, 4)] for name in names], np.uint8)


def _points(panel: BoundaryPanel, x, y, theme: Theme) -> str:
    every = max(1, -(-len(panel.points) // MOST_POINTS))
    points, labels, seen = panel.points[::every], panel.labels[::every], panel.seen[::every]
    finite = np.isfinite(points).all(axis=1)
    parts = []
    for label in np.unique(labels):
        for was_seen in (True, False):
            chosen = points[(labels == label) & (seen == was_seen) & finite]
            if not len(chosen):
                continue
            marks = dots((x(float(a)), y(float(b))) for a, b in chosen)
            shape = {"d": marks, "fill": "none", "stroke_linecap": "round"}
            colour = theme.series(int(label))
            parts += [
                element("path", **shape, stroke=theme("paper"), stroke_width=6),
                element("path", **shape, stroke=colour, stroke_width=4.4),
            ]
            if not was_seen:
                parts.append(element("path", **shape, stroke=theme("paper"), stroke_width=2))
    return "".join(parts)
