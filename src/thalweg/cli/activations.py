"""What ``show`` says of an activation beyond its card: computed properties, and its curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from thalweg.catalogue.activations.properties import (
    FLAT,
    Curve,
    Properties,
    cost_of,
    curve_of,
    is_elementwise,
    properties_of,
)
from thalweg.cli import output
from thalweg.errors import SpecError
from thalweg.report import figure_svg
from thalweg.report.braille import curve_rows, side_by_side
from thalweg.report.functions import function_panels
from thalweg.report.parts import Figure
from thalweg.report.words import short

__all__ = ["COLUMNS", "Study", "study"]


# What a table of activations says of each.
COLUMNS = ("part", "range", "saturates", "kinks", "derivative", "can die", "gain", "gradients")


@dataclass(frozen=True)
class Study:
    """What was computed of an activation; properties and curve are of single units only."""

    name: str
    activation: Any
    properties: Properties | None
    curve: Curve | None
    cost: float | None

    def data(self) -> dict[str, Any]:
        """As it is printed in JSON, beside the card."""
        curve = self.curve._asdict() if self.curve else None
        return {"properties": self.properties, "curve": curve, "cost": self.cost}

    def text(self, width: int) -> str:
        """Properties in words, and function and derivative drawn with characters."""
        words = _words(self.properties) if self.properties else [("units", "looked at together")]
        if self.cost is not None:
            words.append(("cost", f"{short(self.cost, 2)} times a relu, value and gradient"))
        listed = output.entries(words, width - 2)
        lines = ["", "Properties", *(f"  {line}" for line in listed.splitlines())]
        if self.curve:
            panels = function_panels({self.name: self.curve})
            room = width if width < 60 else (width - 2) // 2
            lines += ["", *side_by_side([curve_rows(panel, room) for panel in panels], width)]
        return "\n".join(lines)

    def row(self) -> tuple[str, ...]:
        """The properties in short, under ``COLUMNS`` but the first."""
        found = self.properties
        assert found is not None
        sides = {"below": found.saturates_below, "above": found.saturates_above}
        return (
            _between(found.range),
            " and ".join(side for side, is_flat in sides.items() if is_flat) or "no",
            _listed(found.kinks) or "none",
            _between(found.derivative_range),
            _yes(found.can_die),
            "none" if found.gain is None else short(found.gain, 4),
            "none" if found.gradient_factor is None else short(found.gradient_factor),
        )

    def drawing(self) -> str:
        """Function and derivative as SVG.

        Raises:
            SpecError: it couples units.
        """
        if self.curve is None:
            raise SpecError(f"{self.name} looks at several units together and has no curve to draw")
        caption = f"Function and derivative, as computed from {self.activation!r}."
        return figure_svg(
            Figure(self.name, caption, function_panels({self.name: self.curve}), columns=2)
        )


def study(name: str, activation: Any, *, cost: bool) -> Study:
    """Compute what can be computed of an activation.

    Args:
        name: its name in spec files.
        activation: the activation.
        cost: whether to measure what it costs.
    """
    alone = is_elementwise(activation)
    return Study(
        name,
        activation,
        properties_of(activation) if alone else None,
        curve_of(activation) if alone else None,
        cost_of(activation) if cost else None,
    )


# ------------------------------------------------------------------------------------------- words


def _words(found: Properties) -> list[tuple[str, str]]:
    words = [
        ("range", _between(found.range)),
        ("zero-centred", f"{_yes(found.zero_centred)} (mean {short(found.mean)})"),
        ("saturates", _saturation(found)),
        ("differentiable", f"but at {_listed(found.kinks)}" if found.kinks else "everywhere"),
        ("identity near 0", _yes(found.identity_near_zero)),
        ("derivative", _between(found.derivative_range)),
    ]
    if not found.trainable:
        return [*words, ("trainable", "no: no gradient passes")]
    words.append(("can die", _yes(found.can_die)))
    if found.gain is not None and found.gradient_factor is not None:
        words += [
            ("gain", f"{short(found.gain, 4)} keeps the variance of a standard normal"),
            ("gradients", _depth(found.gradient_factor)),
        ]
    return words


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _between(bounds: tuple[float, float]) -> str:
    # What is nearly zero would be zero, were the function known on the whole line.
    low, high = (0.0 if abs(bound) < 1e-6 else bound for bound in bounds)
    return f"{short(low, 4)} to {short(high, 4)}"


def _listed(places: tuple[float, ...]) -> str:
    return ", ".join(short(place) for place in places)


def _saturation(found: Properties) -> str:
    if not found.trainable:
        return "everywhere"
    if not (found.saturates_below or found.saturates_above):
        return "nowhere"
    both = found.saturates_below and found.saturates_above
    side = "on both sides" if both else "below" if found.saturates_below else "above"
    places = (("below", found.flat_below), ("above", found.flat_above))
    ends = [f"{name} {short(z)}" for name, z in places if z is not None]
    return f"{side} (slope under {FLAT} {' and '.join(ends)})" if ends else side


def _depth(factor: float) -> str:
    kept = f"a layer of this gain passes on {short(factor)} of their variance"
    if abs(factor - 1) < 0.005:
        return f"{kept}: kept at any depth"
    return f"{kept}: they {'vanish' if factor < 1 else 'explode'} with depth"
