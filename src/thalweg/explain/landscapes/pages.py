"""Pages about landscapes: what they look like, who runs where on them, and who arrives."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.catalogue.clipping import Clipping
from thalweg.catalogue.optimizers.optimizer import Optimizer
from thalweg.explain.explanation import Explanation
from thalweg.explain.expressions import Expression
from thalweg.explain.landscapes.critical import CriticalPoint, critical_points
from thalweg.explain.landscapes.fields import downwards
from thalweg.explain.landscapes.functions import LANDSCAPES, Landscape, landscape_of
from thalweg.explain.landscapes.races import RATES, Run, race, tuned
from thalweg.explain.words import amount
from thalweg.report import parts
from thalweg.report.words import count, short

__all__ = ["contours", "heading", "landscape", "levels_of", "outcome_words", "trail"]

LEVELS = 14
#: Seconds that a race takes on a page.
SECONDS = 8.0
#: Where there are more points without slope, only minima that are known are drawn.
MOST_MARKS = 24


def landscape(
    where: str | Landscape,
    optimizers: Sequence[Optimizer],
    start: Sequence[float] | None = None,
    steps: int = 200,
    *,
    tolerance: float = 1e-6,
    clip: Clipping | None = None,
    tune: Collection[int] = (),
) -> Explanation:
    """A race of optimizers over a landscape.

    Args:
        where: a landscape, the name of one, or an expression of one or two names.
        optimizers, start, steps, tolerance, clip: as in ``race``.
        tune: places of optimizers that are given a learning rate here; see ``tuned``.

    Raises:
        SpecError: there is no such landscape, or the start does not fit it.

    Example:
        >>> from thalweg import optimizers
        >>> said = landscape("bowl", [optimizers.Momentum(learning_rate=0.05, momentum=0.5)])
        >>> said.data["runs"][0]["arrived"]
        26
    """
    ground = where if isinstance(where, Landscape) else landscape_of(where)
    chosen = [
        tuned(ground, own, start, steps, clip) if place in tune else own
        for place, own in enumerate(optimizers)
    ]
    runs = race(ground, chosen, start, steps, tolerance=tolerance, clip=clip)
    changed = [
        run.name for run, own in zip(runs, optimizers, strict=True) if run.optimizer is not own
    ]
    found = critical_points(ground)
    ends = _ends(ground, runs, tolerance, changed)
    title = f"{heading(ground)}: {count(steps, 'step')} of {', '.join(r.name for r in runs)}"
    seen = (_field(ground, runs), _from_the_side(ground, runs)) if len(ground.names) == 2 else ()
    sections = [
        parts.Section("The race", (_race(ground, runs, found), ends)),
        parts.Section("Over the steps", (_over_steps(ground, runs),)),
        parts.Section("The landscape", (*_about(ground, found), *seen)),
    ]
    page = parts.Page(title, tuple(sections))
    return Explanation(page, _data(ground, runs, found, tolerance))


def heading(ground: Landscape) -> str:
    """The name of a landscape as it stands above it."""
    if ground.name not in LANDSCAPES:
        return ground.name
    return ground.name.replace("_", " ").capitalize()


# ----------------------------------------------------------------------------------------- figures


def _race(ground: Landscape, runs: Sequence[Run], found: Sequence[CriticalPoint]) -> parts.Figure:
    if len(ground.names) == 1:
        return _on_a_line(ground, runs)
    panel = contours(ground, runs, found, seconds=SECONDS)
    caption = (
        "Lines of equal value; the lower, the stronger the shade. A ring is the start, dots are "
        "steps, a disc is the end. On a page discs run, step by step at the same time; a click "
        "stops them."
    )
    return parts.Figure("The race", caption, (panel,))


def _field(ground: Landscape, runs: Sequence[Run]) -> parts.Figure:
    panel = contours(ground, runs)
    with jax.enable_x64(True):
        slopes = jax.jit(jax.vmap(jax.grad(ground)))
        arrows = downwards(lambda places: slopes(jnp.asarray(places)), panel.extent)
    caption = "The way down from each place, the longer the steeper: as the root of the slope."
    panel = replace(panel, trails=(), marks=(), arrows=arrows)
    return parts.Figure("Downwards", caption, (panel,), 2)


def _from_the_side(ground: Landscape, runs: Sequence[Run]) -> parts.Figure:
    panel = replace(contours(ground, runs), seen_from="side", marks=())
    caption = "The same landscape and ways as hills, in pictures only."
    return parts.Figure("From the side", caption, (panel,), 2)


def contours(
    ground: Landscape,
    runs: Sequence[Run] = (),
    found: Sequence[CriticalPoint] = (),
    *,
    title: str = "",
    seconds: float = 0.0,
    points: int = 121,
    series: int = 0,
) -> parts.ContourPanel:
    """A landscape of two coordinates with runs on it.

    Args:
        ground: the landscape.
        runs: on it.
        found: points that are marked.
        title: of the panel.
        seconds: how long a turn of what moves along the runs takes; 0 for nothing.
        points: of the grid, along each coordinate.
        series: colour of the first run.
    """
    window = _window(ground, runs)
    grid = ground.grid(points, window)
    (x0, x1), (y0, y1) = window
    marks = [parts.Mark(point[0], point[1]) for point in ground.minima]
    near = 1e-3 * max(x1 - x0, y1 - y0)
    # Where there are very many, only those that matter most.
    marks += [
        parts.Mark(float(point.at[0]), float(point.at[1]), _mark(point))
        for point in found
        if len(found) <= MOST_MARKS
        and all(np.hypot(*(point.at - minimum)) > near for minimum in ground.minima)
    ]
    return parts.ContourPanel(
        title,
        parts.Axis(ground.names[0]),
        parts.Axis(ground.names[1]),
        grid,
        (x0, x1, y0, y1),
        levels_of(grid),
        tuple(trail(run, place) for place, run in enumerate(runs, series)),
        marks=tuple(marks),
        seconds=seconds,
    )


def _mark(point: CriticalPoint) -> parts.MarkKind:
    return "point" if point.kind == "flat point" else point.kind


def _window(ground: Landscape, runs: Sequence[Run]) -> tuple[tuple[float, float], ...]:
    """The window of a landscape, widened to where runs begin, and where they arrive."""
    reach = [run.points[[0]] for run in runs]
    reach += [run.points[[-1]] for run in runs if run.outcome in ("arrived", "rests")]
    window = []
    for axis, (low, high) in enumerate(ground.window):
        held = [low, high, *(float(v) for points in reach for v in points[:, axis])]
        least, most = min(held), max(held)
        air = 0.05 * (most - least)
        window.append((least - air * (least < low), most + air * (most > high)))
    return tuple(window)


def levels_of(grid: np.ndarray, number: int = LEVELS) -> tuple[float, ...]:
    """Values at which lines of a landscape are drawn: rising, of about as much area between each.

    Args:
        grid: values; those that are not finite do not count.
        number: how many, at most.
    """
    finite = np.sort(grid[np.isfinite(grid)])
    if not finite.size or finite[0] == finite[-1]:
        return ()
    # More of them where it is low, for that is where the ways end.
    shares = np.linspace(0, 1, number + 2)[1:-1] ** 1.6
    found: dict[float, None] = {}
    for value in np.quantile(finite, shares):
        found[float(f"{value:.2g}")] = None
    inside = [level for level in found if finite[0] < level < finite[-1]]
    return tuple(sorted(inside))


def trail(run: Run, series: int = 0) -> parts.Trail:
    """The way of a run, to be drawn."""
    lost = run.outcome == "diverged"
    return parts.Trail(run.name, run.points, series, lost, note=outcome_words(run))


def _on_a_line(ground: Landscape, runs: Sequence[Run]) -> parts.Figure:
    """A landscape of one coordinate, and where runs were on it."""
    (window,) = _window(ground, runs)
    at = np.linspace(*window, 401)
    curve = parts.Line(
        "f", tuple(at.tolist()), tuple(ground.grid(401, (window,)).tolist()), series=6
    )
    name = ground.names[0]
    lines = []
    for place, run in enumerate(runs):
        # Points apart from one another are drawn as dots.
        inside = run.points[:, 0]
        kept = (inside >= window[0]) & (inside <= window[1])
        x = np.repeat(inside[kept], 2)
        y = np.repeat(run.values[kept], 2)
        y[1::2] = np.nan
        lines.append(
            parts.Line(run.name, tuple(x), tuple(y), series=place, note=outcome_words(run))
        )
    caption = "The function, and a dot where each optimizer was before and after every step."
    panel = parts.LinePanel(
        "", parts.Axis(name, low=window[0], high=window[1]), parts.Axis("f"), (*lines, curve)
    )
    return parts.Figure("The race", caption, (panel,))


def _over_steps(ground: Landscape, runs: Sequence[Run]) -> parts.Figure:
    """The value, and in one coordinate also the place, over steps."""
    lowest = ground.lowest
    above = lowest is not None
    lines, places = [], []
    for series, run in enumerate(runs):
        steps = tuple(map(float, range(len(run.values))))
        # A value that is the lowest to the last bit has no place on a logarithmic axis.
        height = run.values - lowest if lowest is not None else run.values
        height = np.where(height <= 0, np.nan, height) if above else height
        lost = run.outcome in ("diverged", "falls without end")
        crosses = ((steps[-1], float("nan")),) if lost else ()
        lines.append(parts.Line(run.name, steps, tuple(height), series=series, crosses=crosses))
        places.append(parts.Line(run.name, steps, tuple(run.points[:, 0]), series=series))
    values = parts.Axis("f above its minimum", "log") if above else parts.Axis("f")
    step = parts.Axis("step", whole=True)
    panels = [parts.LinePanel("Value", step, values, tuple(lines))]
    if len(ground.names) == 1:
        low, high = _window(ground, runs)[0]
        y = parts.Axis(ground.names[0], low=low, high=high)
        panels.append(parts.LinePanel("Place", step, y, tuple(places)))
    return parts.Figure(
        "Over the steps", "Before the first step, and after each.", tuple(panels), 2
    )


# ----------------------------------------------------------------------------------------- in words


def outcome_words(run: Run) -> str:
    """What became of a run, in a few words."""
    match run.outcome:
        case "diverged" | "falls without end":
            first = f"arrived at step {run.arrived}, then " if run.arrived is not None else ""
            return f"{first}{run.outcome}, step {run.steps}"
        case "arrived":
            return f"arrived at step {run.arrived}"
        case "rests":
            return f"rests at a {run.rests_at}"
    if run.arrived is not None:
        return f"arrived at step {run.arrived}, then left"
    return f"still moving after {run.steps} steps"


def _ends(
    ground: Landscape, runs: Sequence[Run], tolerance: float, changed: Sequence[str]
) -> parts.Table:
    rows = []
    for run in runs:
        last = run.points[-1]
        rows.append(
            (
                run.name,
                _rate(run),
                amount(last if last.size > 1 else last[0]),
                short(float(run.values[-1]), 4),
                short(run.slope, 2),
                outcome_words(run),
            )
        )
    near = "no lowest value is known"
    if ground.lowest is not None:
        near = f"arrived: f is at most {short(tolerance, 2)} above its lowest value"
    caption = f"Where they end ({near})."
    if changed:
        caption += (
            f" Learning rates that were not given ({', '.join(changed)}) are, of {len(RATES)} from "
            f"{short(RATES[0])} to {short(RATES[-1])}, those with which f is lowest on average "
            "over the steps."
        )
    columns = ("", "learning rate", f"({', '.join(ground.names)}) at the end", "f", "‖∇f‖", "")
    return parts.Table(columns, tuple(rows), "lrrrrl", caption)


def _rate(run: Run) -> str:
    """The learning rate of an optimizer, or what sets it."""
    rate = getattr(run.optimizer, "learning_rate", None)
    if rate is None:
        return "–"
    return short(float(rate)) if isinstance(rate, int | float) else str(rate)


def _about(ground: Landscape, found: Sequence[CriticalPoint]) -> Iterator[parts.Part]:
    if find_spec("sympy") is None:
        yield parts.Code(ground.expression)
    else:
        yield _formula(ground)
    if ground.shows:
        yield parts.Paragraph(f"{ground.shows[:1].upper()}{ground.shows[1:]}.")
    facts = [("source", ground.source)] if ground.source else []
    if ground.minima:
        where = "; ".join(amount(np.asarray(point)) for point in ground.minima)
        facts.append(("lowest value", f"{short(float(ground.lowest or 0), 6)} at {where}"))
    facts.append(
        ("window", " × ".join(f"[{short(low)}, {short(high)}]" for low, high in ground.window))
    )
    yield parts.Facts(tuple(facts))
    if found:
        yield _critical(ground, found)


def _formula(ground: Landscape) -> parts.Formula:
    import sympy

    from thalweg.explain.symbols import formula, in_words
    from thalweg.explain.tracing import graph

    names = ", ".join(ground.names)
    own = Expression(ground.expression)
    made = formula(graph(own, *([1.0] * len(own.names)), names=own.names))
    return parts.Formula(f"f({names}) = {sympy.latex(made)}", f"f({names}) = {in_words(made)}")


def _critical(ground: Landscape, found: Sequence[CriticalPoint]) -> parts.Table:
    rows = tuple(
        (
            point.kind,
            amount(point.at if point.at.size > 1 else point.at[0]),
            short(point.value, 6),
            amount(point.eigenvalues),
            str(point.index),
        )
        for point in found[:MOST_MARKS]
    )
    more = f" {len(found) - len(rows)} others are not listed." if len(found) > len(rows) else ""
    caption = (
        "Where the gradient is zero in the window, as found by Newton's method from a grid. "
        f"The index counts directions that go down.{more}"
    )
    columns = ("", f"({', '.join(ground.names)})", "f", "eigenvalues of the Hessian", "index")
    return parts.Table(columns, rows, "lrrrr", caption)


# ----------------------------------------------------------------------------------------- as data


def _data(
    ground: Landscape, runs: Sequence[Run], found: Sequence[CriticalPoint], tolerance: float
) -> dict[str, Any]:
    return {
        "landscape": {
            "name": ground.name,
            "expression": ground.expression,
            "names": list(ground.names),
            "minima": [list(point) for point in ground.minima],
            "lowest": ground.lowest,
            "source": ground.source,
            "critical_points": [
                {
                    "at": point.at.tolist(),
                    "value": point.value,
                    "kind": point.kind,
                    "index": point.index,
                    "eigenvalues": point.eigenvalues.tolist(),
                }
                for point in found
            ],
        },
        "tolerance": tolerance,
        "runs": [
            {
                "name": run.name,
                "optimizer": repr(run.optimizer),
                "outcome": run.outcome,
                "arrived": run.arrived,
                "rests_at": run.rests_at,
                "slope": run.slope,
                "points": run.points.tolist(),
                "values": run.values.tolist(),
            }
            for run in runs
        ],
    }
