"""Functions of one argument and their derivatives, side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Protocol

from thalweg.report.parts import Axis, Figure, Line, LinePanel, Paragraph, Part, Section
from thalweg.report.words import count

__all__ = ["FunctionCurve", "activations", "function_panels"]

MOST_FUNCTIONS = 8

Values = tuple[float, ...]


class FunctionCurve(Protocol):
    """Points of a function: arguments, values and derivatives, all as long."""

    @property
    def z(self) -> Values: ...
    @property
    def values(self) -> Values: ...
    @property
    def derivatives(self) -> Values: ...


def activations(curves: Mapping[str, FunctionCurve]) -> Section | None:
    """The activations of the networks, drawn together.

    Args:
        curves: those of single units, by name.
    """
    if not curves:
        return None
    shown = dict(list(curves.items())[:MOST_FUNCTIONS])
    caption = "Functions between linear maps, and the derivatives that gradients pass through."
    parts: list[Part] = [Figure("Activations", caption, function_panels(shown), columns=2)]
    if len(curves) > len(shown):
        rest = count(len(curves) - len(shown), "more")
        parts.append(Paragraph(f"There are {rest}: `thalweg show` draws each.", "note"))
    return Section("Activations", tuple(parts), folded=True)


def function_panels(curves: Mapping[str, FunctionCurve]) -> tuple[LinePanel, LinePanel]:
    """One panel with functions, and one with their derivatives."""
    return (
        _panel("f(z)", curves, lambda curve: curve.values),
        _panel("f′(z)", curves, lambda curve: curve.derivatives),
    )


def _panel(
    title: str, curves: Mapping[str, FunctionCurve], of: Callable[[FunctionCurve], Values]
) -> LinePanel:
    lines = tuple(
        Line(name, curve.z, of(curve), series=series)
        for series, (name, curve) in enumerate(curves.items())
    )
    finite = [value for line in lines for value in line.y if math.isfinite(value)]
    air = 0.05 * (max(finite) - min(finite)) or 0.5  # plateaus must not lie upon the frame
    return LinePanel(title, Axis("z"), Axis(low=min(finite) - air, high=max(finite) + air), lines)
