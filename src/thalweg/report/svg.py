"""SVG as text: elements, numbers, and how wide a text will be.

A browser lays text out in whatever font it has, so widths here are those of DejaVu Sans, the widest
of the usual interface fonts: what fits by this estimate fits in the others.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape

__all__ = ["Drawing", "dots", "element", "group", "path", "text", "text_width", "wrap"]

FONT = "'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"

_WIDTHS = {
    character: width
    for width, characters in (
        (0.29, "'ijl"),
        (0.32, "IJ ,.·"),
        (0.36, "/:;\\|f-"),
        (0.41, "()[]t!r⁰¹²³⁴⁵⁶⁷⁸⁹"),
        (0.55, '"*_`–?⁻szcL'),
        (0.60, "Fkvxy"),
        (0.64, "PTYaoeEShdbgnpqu$0123456789{}"),
        (0.70, "KAVBRXZC"),
        (0.79, "UHNDGOQ&"),
        (0.84, "w#+<=>^~−×±≥≤∞→"),
        (1.00, "M%m@W—…"),
    )
    for character in characters
}


@dataclass(frozen=True)
class Drawing:
    """A rectangle of SVG: its size in pixels and the elements in it."""

    width: float
    height: float
    body: str
    # The rectangle of the data and the limits of the axes, for a pointer that reads values off.
    box: tuple[float, float, float, float] | None = None
    x: tuple[str, float, float] | None = None
    y: tuple[str, float, float] | None = None


def element(name: str, content: str = "", **attributes: object) -> str:
    """An element; underscores in attribute names stand for hyphens, None leaves one out."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{given}>{content}</{name}>" if content else f"<{name}{given}/>"


def group(content: Iterable[str], **attributes: object) -> str:
    """Elements that belong together."""
    return element("g", "".join(content), **attributes)


def text(
    x: float,
    y: float,
    content: str,
    *,
    size: float = 12,
    anchor: str = "start",
    **attributes: object,
) -> str:
    """A line of text with its baseline at ``y``."""
    return element(
        "text",
        escape(content),
        x=x,
        y=y,
        font_size=size,
        text_anchor=None if anchor == "start" else anchor,
        **attributes,
    )


def path(
    points: Iterable[tuple[float, float]], *, stairs: bool = False, closed: bool = False
) -> str:
    """The ``d`` of a line through points; a point that is NaN interrupts it."""
    parts: list[str] = []
    drawing = False
    for x, y in points:
        if math.isnan(x) or math.isnan(y):
            drawing = False
            continue
        if drawing and stairs:
            parts.append(f"H{_value(x)}V{_value(y)}")
        else:
            parts.append(f"{'L' if drawing else 'M'}{_value(x)} {_value(y)}")
        drawing = True
    return "".join(parts) + ("Z" if closed and parts else "")


def dots(points: Iterable[tuple[float, float]]) -> str:
    """The ``d`` of points without length, which round line ends make visible."""
    return "".join(f"M{_value(x)} {_value(y)}h0" for x, y in points)


def text_width(content: str, size: float = 12, *, bold: bool = False) -> float:
    """An upper estimate of the width of a text in pixels."""
    width = sum(_WIDTHS.get(c) or _other(c) for c in content)
    return width * size * (1.1 if bold else 1.0)


def wrap(content: str, width: float, size: float = 12, *, bold: bool = False) -> list[str]:
    """Lines no wider than ``width``, broken at spaces; a wider word after ``_`` or the like."""
    lines = [""]
    for word in content.split():
        candidate = f"{lines[-1]} {word}".strip()
        if text_width(candidate, size, bold=bold) <= width:
            lines[-1] = candidate
            continue
        if lines[-1]:
            lines.append("")
        for piece in _pieces(word, width, size, bold):
            if lines[-1] and text_width(lines[-1] + piece, size, bold=bold) > width:
                lines.append("")
            lines[-1] += piece
    return lines


def _pieces(word: str, width: float, size: float, bold: bool) -> Iterator[str]:
    """Where a word may be broken: after marks that join words, or anywhere if need be."""
    for piece in re.findall(r"[^_\-/=]*[_\-/=]+|[^_\-/=]+", word):
        if text_width(piece, size, bold=bold) <= width:
            yield piece
        else:
            yield from piece


def _other(character: str) -> float:
    if unicodedata.combining(character):
        return 0.0
    return 1.05 if unicodedata.east_asian_width(character) in "WF" else 0.84


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return escape(str(value))
