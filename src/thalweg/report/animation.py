"""Figures in which something moves, as GIF files."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from importlib import import_module
from typing import Any, Literal

from thalweg.errors import MissingExtra
from thalweg.report.figure import figure_png
from thalweg.report.parts import ContourPanel, Figure, Panel, Trail

__all__ = ["figure_gif", "moves"]

FRAMES = 80
# Milliseconds for which the last picture stays.
REST = 1500


def moves(figure: Figure) -> bool:
    """Whether something moves in a figure."""
    return any(isinstance(panel, ContourPanel) and panel.seconds for panel in figure.panels)


def figure_gif(
    figure: Figure, theme: Literal["light", "dark"] = "light", width: float = 640
) -> bytes:
    """A figure whose trails grow step by step, all at the same time, again and again.

    Args:
        figure: with a landscape in which something moves.
        theme, width: as for ``figure_svg``.

    Raises:
        ValueError: nothing moves in it.
        MissingExtra: if cairosvg or Pillow is not installed.
    """
    if not moves(figure):
        raise ValueError(f"nothing moves in {figure.title!r}")
    try:
        images: Any = import_module("PIL.Image")
    except ImportError as error:
        raise MissingExtra("GIF files need Pillow: pip install 'thalweg[plot]'") from error
    moving = [panel for panel in figure.panels if isinstance(panel, ContourPanel)]
    longest = max(len(trail.points) for panel in moving for trail in panel.trails)
    every = max(1, math.ceil(longest / FRAMES))
    steps = [*range(1, longest, every), longest]
    frames = []
    for step in steps:
        panels = tuple(_until(panel, step) for panel in figure.panels)
        image = figure_png(replace(figure, caption="", panels=panels), theme, width, scale=1)
        frames.append(images.open(io.BytesIO(image)).convert("RGB"))
    # One palette for all, so that the ground does not flicker: the colours that are there most.
    counted = sorted(frames[-1].getcolors(frames[-1].width * frames[-1].height), reverse=True)
    palette = images.new("P", (1, 1))
    palette.putpalette([channel for _, colour in counted[:256] for channel in colour])
    reduced = [frame.quantize(palette=palette, dither=images.Dither.NONE) for frame in frames]
    each = round(1000 * max(panel.seconds for panel in moving) / len(steps))
    durations = [max(each, 20)] * (len(steps) - 1) + [REST]
    held = io.BytesIO()
    reduced[0].save(
        held, "GIF", save_all=True, append_images=reduced[1:], duration=durations, loop=0
    )
    return held.getvalue()


def _until(panel: Panel, step: int) -> Panel:
    """A panel as it is after so many steps."""
    if not isinstance(panel, ContourPanel) or not panel.seconds:
        return panel
    return replace(panel, trails=tuple(_begun(trail, step) for trail in panel.trails))


def _begun(trail: Trail, step: int) -> Trail:
    done = step >= len(trail.points)
    return replace(trail, points=trail.points[:step], diverged=trail.diverged and done)
