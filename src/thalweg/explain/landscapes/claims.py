"""What lecture notes say of optimizers on bowls and saddles, by numbers.

Momentum on an elliptical bowl; second-order methods there and on a saddle; the rate of Nesterov's
method.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.catalogue.curvature import largest_stable_step
from thalweg.catalogue.line_searches import ExactSearch
from thalweg.catalogue.optimizers import (
    ConjugateGradients,
    GradientDescent,
    Momentum,
    Nesterov,
    Newton,
    SteepestDescent,
)
from thalweg.catalogue.optimizers.optimizer import Optimizer
from thalweg.catalogue.schedules import GrowingMomentum
from thalweg.explain.explanation import Explanation
from thalweg.explain.landscapes.functions import LANDSCAPES
from thalweg.explain.landscapes.pages import contours, outcome_words
from thalweg.explain.landscapes.races import Run, race, ways
from thalweg.explain.words import amount
from thalweg.part import part_name
from thalweg.report import parts
from thalweg.report.words import short

__all__ = ["acceleration", "momentum", "second_order"]

BOWL = LANDSCAPES["bowl"]
#: The largest eigenvalue of the Hessian of x² + 4y².
STEEPEST = 8.0
#: Worst case of Nesterov, 2004, section 2.1.2: so many coordinates, and steps.
COORDINATES, STEPS = 400, 180
FITTED = (40, 180)


def momentum() -> Explanation:
    """Momentum on x² + 4y²: who arrives after how many steps, and how large rates may be."""
    steady = [
        GradientDescent(learning_rate=0.05),
        Momentum(learning_rate=0.05, momentum=0.5),
        Momentum(learning_rate=0.05, momentum=0.9),
        Nesterov(learning_rate=0.05, momentum=0.9),
    ]
    quick = [
        GradientDescent(learning_rate=0.2),
        Nesterov(learning_rate=0.2, momentum=0.5),
        Nesterov(learning_rate=0.2, momentum=0.9),
    ]
    runs = race(BOWL, [*steady, *quick], steps=200)
    limits = [_limit(rate) for rate in (0.0, 0.5, 0.9)]
    panels = _each(runs[:4])
    sections = [
        parts.Section("Ways", (_figure("Ways", _WAYS, panels), _steps(runs))),
        parts.Section("Largest rates", (_limits(limits),)),
        parts.Section("One step of momentum", (_jumps(),)),
    ]
    data = {"steps": {run.name: run.arrived for run in runs}, "limits": limits}
    return Explanation(parts.Page("Momentum on an elliptical bowl", tuple(sections)), data)


_WAYS = (
    "x² + 4y² from (4, 1). Its curvatures differ by a factor of four only: a little momentum "
    "helps, much of it circles the minimum and takes longer than none."
)


def _each(runs: Sequence[Run]) -> list[parts.ContourPanel]:
    """A bowl for each run."""
    return [contours(BOWL, [run], title=run.name, series=place) for place, run in enumerate(runs)]


def _figure(title: str, caption: str, panels: Sequence[parts.Panel]) -> parts.Figure:
    return parts.Figure(title, caption, tuple(panels), 2)


def _steps(runs: Sequence[Run]) -> parts.Table:
    rows = []
    for run in runs:
        rule: Any = run.optimizer
        momentum = short(getattr(rule, "momentum", 0.0))
        rows.append((part_name(rule), short(rule.learning_rate), momentum, outcome_words(run)))
    columns = ("rule", "η", "β", "")
    return parts.Table(columns, tuple(rows), "lrrl", "Whether f comes to at most 10⁻⁶, and when.")


def _limit(beta: float) -> dict[str, Any]:
    """Largest stable rates with a momentum, and what happens a hundredth below and above them."""
    with jax.enable_x64(True):
        heavy = float(largest_stable_step(STEEPEST, beta))
    ahead = 2 * (1 + beta) / (STEEPEST * (1 + 2 * beta))
    found: dict[str, Any] = {"momentum": beta, "heavy_ball": heavy, "nesterov": ahead}
    for name, rule, rate in (("heavy_ball", Momentum, heavy), ("nesterov", Nesterov, ahead)):
        both = [rule(learning_rate=share * rate, momentum=beta) for share in (0.99, 1.01)]
        found[f"{name}_outcomes"] = [run.outcome for run in race(BOWL, both, steps=5000)]
    return found


def _limits(limits: Sequence[dict[str, Any]]) -> parts.Table:
    rows = tuple(
        (f"{own['momentum']:g}", title, short(own[name], 4), *own[f"{name}_outcomes"])
        for own in limits
        for name, title in (
            ("heavy_ball", "momentum: 2 (1 + β) / λ"),
            ("nesterov", "Nesterov: 2 (1 + β) / (λ (1 + 2β))"),
        )
    )
    caption = (
        f"The largest stable learning rate by the largest curvature, λ = {STEEPEST:g}, and what "
        "became of runs 1 % below and above it. With momentum Nesterov's method needs a smaller "
        "rate than the other."
    )
    columns = ("β", "rule", "largest rate", "1 % below", "1 % above")
    return parts.Table(columns, rows, "rlrll", caption)


def _jumps() -> parts.Figure:
    """One step as two arrows: on with the velocity, then down the gradient there or here."""
    rate, beta = 0.05, 0.9
    (run,) = race(BOWL, [Momentum(learning_rate=rate, momentum=beta)], steps=4)
    before, at = run.points[2], run.points[3]
    ahead = at + beta * (at - before)
    ends = [ahead - rate * np.array([2.0, 8.0]) * point for point in (at, ahead)]
    places = np.array([at, ahead, *ends])
    low, high = (places.min(0) - 0.3).tolist(), (places.max(0) + 0.3).tolist()
    near = replace(BOWL, window=tuple(zip(low, high, strict=True)))

    def panel(title: str, end: np.ndarray) -> parts.ContourPanel:
        pairs = [
            ("velocity jump, β v", at, ahead, 0),
            ("gradient jump, −η g", ahead, end, 1),
            ("step", at, end, 2),
        ]
        arrows = tuple(
            parts.Arrow(name, (float(a[0]), float(a[1])), (float(b[0]), float(b[1])), series)
            for name, a, b, series in pairs
        )
        before = parts.Mark(float(at[0]), float(at[1]), "point", "before")
        return replace(contours(near, title=title), arrows=arrows, marks=(before,))

    caption = (
        f"The fourth step with η = {rate} and β = {beta}: the sum of a jump with the velocity and "
        "one down the gradient. Momentum takes the gradient where it stands, Nesterov's method "
        "where the velocity leads."
    )
    panels = tuple(map(panel, ("Momentum", "Nesterov"), ends))
    return parts.Figure("One step of momentum", caption, panels, 2)


# ------------------------------------------------------------------------------------ second order


def second_order() -> Explanation:
    """Newton's method, conjugate gradients and steepest descent on a bowl, and on a saddle."""
    rules: list[Optimizer] = [
        Newton(),
        Newton(damping=1.0),
        ConjugateGradients(),
        SteepestDescent(search=ExactSearch(trials=60)),
    ]
    on_bowl = race(BOWL, rules, steps=30)
    on_saddle = race(
        LANDSCAPES["saddle"],
        [Newton(), Newton(damping=3.0), GradientDescent(learning_rate=0.1)],
        (2.0, 0.5),
        60,
    )
    panels = _each(on_bowl)
    rows = tuple(
        (
            repr(run.optimizer),
            *(amount(run.points[step]) for step in (1, 2)),
            "–" if run.arrived is None else str(run.arrived),
        )
        for run in on_bowl
    )
    columns = ("optimizer", "after step 1", "after step 2", "steps to 10⁻⁶")
    table = parts.Table(columns, rows, "lrrr", "From (4, 1).")
    saddle = contours(LANDSCAPES["saddle"], on_saddle)
    sections = (
        parts.Section("On a bowl", (_figure("On a bowl", _BOWL, panels), table)),
        parts.Section("On a saddle", (parts.Figure("On a saddle", _SADDLE, (saddle,)),)),
    )
    data = {
        "bowl": {
            repr(run.optimizer): {"arrived": run.arrived, "points": run.points[:4].tolist()}
            for run in on_bowl
        },
        "saddle": {
            repr(run.optimizer): {"outcome": run.outcome, "rests_at": run.rests_at}
            for run in on_saddle
        },
    }
    return Explanation(parts.Page("Second-order methods on a bowl and a saddle", sections), data)


_BOWL = (
    "x² + 4y² is its own quadratic model: Newton's method is there in one step, conjugate "
    "gradients in as many as there are coordinates. Steepest descent, exact along each line, "
    "zigzags."
)
_SADDLE = (
    "x² − y² from (2, 0.5). Newton's method goes to where the gradient is zero, and that is the "
    "saddle; damped beyond the negative curvature it goes down, as gradient descent does."
)

# ------------------------------------------------------------------------------------ acceleration


def acceleration() -> Explanation:
    """How fast Nesterov's method is: on the worst smooth convex function, by how momentum grows."""
    rules: dict[str, Optimizer] = {
        "gradient descent": GradientDescent(learning_rate=1.0),
        "momentum 0.9": Momentum(learning_rate=1.0, momentum=0.9),
        "Nesterov, 0.9": Nesterov(learning_rate=1.0, momentum=0.9),
        "Nesterov, (t − 1)/(t + 2)": Nesterov(learning_rate=1.0, momentum=GrowingMomentum()),
    }
    heights = {name: _heights(rule) for name, rule in rules.items()}
    slopes = {name: _slope(own) for name, own in heights.items()}
    lines = tuple(
        parts.Line(
            name,
            tuple(map(float, range(1, STEPS + 1))),
            tuple(own[1:].tolist()),
            series=number,
            note=f"slope {short(slopes[name], 3)}",
        )
        for number, (name, own) in enumerate(heights.items())
    )
    panel = parts.LinePanel(
        "", parts.Axis("step", "log"), parts.Axis("f above its minimum", "log"), lines
    )
    caption = (
        f"The convex quadratic of {COORDINATES} coordinates that is hardest for methods that use "
        "gradients, with the learning rate 1/L. The bounds O(1/t) of gradient descent and O(1/t²) "
        f"of Nesterov's method would be slopes of −1 and −2; over steps {FITTED[0]} to "
        f"{FITTED[1]} heights are below them and fall about half as steeply. What doubles the "
        "slope is the momentum that grows, not the gradient that is taken ahead: with a constant "
        "0.9 Nesterov's method is no faster than momentum."
    )
    rows = tuple((name, short(slope, 3)) for name, slope in slopes.items())
    table = parts.Table(("method", "slope"), rows, "lr")
    figure = parts.Figure("Height over steps", caption, (panel,))
    page = parts.Page(
        "The rate of Nesterov's method", (parts.Section("Height over steps", (figure, table)),)
    )
    ends = {name: float(own[-1]) for name, own in heights.items()}
    return Explanation(page, {"slopes": slopes, "heights": ends})


def _worst(x: jax.Array) -> jax.Array:
    """(½ (x₁² + Σ (xᵢ − xᵢ₊₁)² + xₙ²) − x₁) / 4: its curvature is at most L = 1."""
    ends = x[0] ** 2 + jnp.sum(jnp.diff(x) ** 2) + x[-1] ** 2
    return (ends / 2 - x[0]) / 4


def _heights(rule: Optimizer) -> np.ndarray:
    """Height above the minimum before the first step and after each."""
    lowest = (1 / (COORDINATES + 1) - 1) / 8
    _, values = ways(_worst, [rule], np.zeros(COORDINATES), STEPS)
    return values[0] - lowest


def _slope(heights: np.ndarray) -> float:
    steps = np.arange(FITTED[0], FITTED[1] + 1)
    return float(np.polyfit(np.log(steps), np.log(heights[steps]), 1)[0])
