"""What panels share: a title, a rectangle for the data, and axes about it."""

from __future__ import annotations

from dataclasses import dataclass

from thalweg.report.colours import Theme
from thalweg.report.scales import Scale
from thalweg.report.svg import element, text, text_width, wrap

__all__ = ["Box", "cross", "horizontal_axis", "spread", "title", "vertical_axis"]

TITLE = 13
LABEL = 11.5
LINE = 17
AIR = 2.0


@dataclass(frozen=True)
class Box:
    """The rectangle of the data, in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def edges(self) -> tuple[float, float, float, float]:
        return self.left, self.top, self.right, self.bottom

    def clipped(self, content: str) -> str:
        """Content of which only the part within the box, and a line's width about it, is seen."""
        left, top = self.left - AIR, self.top - AIR
        width, height = self.right + AIR - left, self.bottom + AIR - top
        # A nested svg clips without an id, which could clash with those of other drawings.
        return element(
            "svg",
            content,
            x=left,
            y=top,
            width=width,
            height=height,
            viewBox=f"{left:.1f} {top:.1f} {width:.1f} {height:.1f}",
            overflow="hidden",
        )


def title(content: str, width: float, theme: Theme, *, note: str = "") -> tuple[str, float]:
    """The heading of a panel, in as many lines as it needs, and the height it takes."""
    parts, y = [], 0.0
    for line in wrap(content, width, TITLE, bold=True) if content else ():
        y += LINE
        parts.append(
            text(0, y - 4, line, size=TITLE, font_weight=600, fill=theme("ink")),
        )
    for line in wrap(note, width, LABEL) if note else ():
        y += LINE - 1
        parts.append(text(0, y - 4, line, size=LABEL, fill=theme("muted")))
    return "".join(parts), y + (6 if y else 0)


def horizontal_axis(
    scale: Scale, box: Box, width: float, theme: Theme, *, label: str = "", grid: bool = False
) -> tuple[str, float]:
    """Ticks, their names and a label under the box, and the height they take."""
    parts = []
    last = -1.0
    for value, name in scale.ticks(max(2, int((box.right - box.left) / 75))):
        x, half = scale(value), text_width(name, LABEL) / 2
        if grid:
            parts.append(_rule(x, box.top, x, box.bottom, theme("faint")))
        parts.append(_rule(x, box.bottom, x, box.bottom + 4, theme("axis")))
        # A name that would leave the drawing or touch its neighbour is left out.
        if x - half < max(last + 8, 0) or x + half > width:
            continue
        last = x + half
        parts.append(
            text(x, box.bottom + 17, name, size=LABEL, anchor="middle", fill=theme("muted"))
        )
    parts.append(_rule(box.left, box.bottom, box.right, box.bottom, theme("axis")))
    height = 22.0
    for line in wrap(label, width, LABEL) if label else ():
        centre = _within((box.left + box.right) / 2, text_width(line, LABEL) / 2, width)
        parts.append(
            text(
                centre,
                box.bottom + height + 11,
                line,
                size=LABEL,
                anchor="middle",
                fill=theme("muted"),
            )
        )
        height += 16
    return "".join(parts), height


def vertical_axis(
    scale: Scale, box: Box, ticks: list[tuple[float, str]], theme: Theme, *, grid: bool = True
) -> str:
    """Gridlines across the box and names of ticks to its left."""
    parts = []
    for value, name in ticks:
        y = scale(value)
        if grid:
            parts.append(_rule(box.left, y, box.right, y, theme("faint")))
        parts.append(text(box.left - 7, y + 4, name, size=LABEL, anchor="end", fill=theme("muted")))
    return "".join(parts)


def cross(x: float, y: float, colour: str, size: float = 3.5) -> str:
    """The mark of a run that diverged."""
    side = 2 * size
    return element(
        "path",
        d=f"M{x - size:.1f} {y - size:.1f}l{side} {side}m0 {-side}l{-side} {side}",
        stroke=colour,
        stroke_width=1.8,
        fill="none",
        stroke_linecap="round",
    )


def spread(pixels: list[float], gap: float, reach: int) -> list[float]:
    """Offsets that keep dots at these pixels from hiding one another: 0, +gap, −gap, +2 gap, …

    Args:
        pixels: places along the axis.
        gap: width of a dot.
        reach: how many dots may lie on either side before they are let overlap.
    """
    order = [0.0]
    for step in range(1, reach + 1):
        order += [step * gap, -step * gap]
    ends = dict.fromkeys(order, float("-inf"))
    offsets = [0.0] * len(pixels)
    for index in sorted(range(len(pixels)), key=pixels.__getitem__):
        x = pixels[index]
        free = [offset for offset in order if x - ends[offset] >= gap]
        offsets[index] = free[0] if free else order[index % len(order)]
        ends[offsets[index]] = x
    return offsets


def _rule(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return element("path", d=f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}", stroke=colour, fill="none")


def _within(centre: float, half: float, width: float) -> float:
    """The centre nearest to the wished one at which a text stays inside the drawing."""
    return max(half, min(centre, width - half))
