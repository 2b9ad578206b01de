"""A heatmap of a numeric factor against the compared one: where each level is good, and how wide.

The cell of a level and a value is the median over seeds. Where other numbers were tried as well, it
is the best of their medians, since that is what a level can do at this value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from thalweg.record.tables import Run
from thalweg.report.groups import View, factor_named, factors_but, level_of, varied
from thalweg.report.parts import Figure, HeatCell, HeatPanel, Section
from thalweg.report.words import short

__all__ = ["heatmap"]

MOST_ROWS = 30
MOST_COLUMNS = 12


def heatmap(view: View) -> Section | None:
    """The heatmap of the first numeric factor that varies, the learning rate if it does."""
    if not view.metric:
        return None
    runs = [run for run in view.main() if run.outcome in ("finished", "diverged", "stopped")]
    if view.comparison and view.comparison.tuned:
        # Reported runs have other seeds, and are not measured on validation data.
        runs = [run for run in runs if run.phase == "tune"] or runs
    numeric = _numeric_factor(runs, view.comparison.factor if view.comparison else "")
    if numeric is None:
        return None
    rows = _rows(view, runs, numeric)
    if not rows:
        return None
    figure = _figure(view, rows, numeric)
    return Section(figure.title, (figure,))


def _numeric_factor(runs: Sequence[Run], compared: str) -> str | None:
    """The last word of its path, the learning rate first; at least three of its values ran."""
    values: dict[str, set[float]] = {}
    for run in runs:
        for path, value in run.factors.items():
            name = path.rpartition(".")[2]
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if number and name != "seed" and compared not in (path, name):
                values.setdefault(name, set()).add(float(value))
    varied = [name for name, held in values.items() if len(held) >= 3]
    return min(varied, key=lambda name: name != "learning_rate", default=None)


def _rows(view: View, runs: Sequence[Run], numeric: str) -> dict[str, list[Run]]:
    """Runs by the name of their row: levels best first, other names in the order of the plan."""
    rows: dict[str, list[Run]] = (
        {group.name: [] for group in view.groups} if view.comparison else {}
    )
    for run in runs:
        if factor_named(run, numeric) is None:
            continue
        comparison = view.comparison
        name = level_of(run, comparison) if comparison else factors_but(run, (numeric, "seed"))
        rows.setdefault(name or "all runs", []).append(run)
    filled = {name: held for name, held in rows.items() if held}
    return dict(list(filled.items())[:MOST_ROWS])


def _figure(view: View, rows: dict[str, list[Run]], numeric: str) -> Figure:
    metric = _selection_metric(view, rows)
    values = sorted({_number(run, numeric) for runs in rows.values() for run in runs})
    columns = _columns(values)
    cells = {
        name: [
            _cell(view, metric, [r for r in runs if _number(r, numeric) in column], numeric)
            for column in columns
        ]
        for name, runs in rows.items()
    }
    outlined = tuple(_with_best(view, row) for row in cells.values())
    words = numeric.replace("_", " ")
    finite = [c.value for row in outlined for c in row if c and math.isfinite(c.value)]
    log = bool(finite) and min(finite) > 0 and max(finite) / min(finite) > 30
    names = {
        path.rpartition(".")[2] for path in varied([r for runs in rows.values() for r in runs])
    }
    others = sorted(names - {numeric, view.comparison.factor if view.comparison else ""})
    tuned = [name for name in others if view.comparison and name in view.comparison.tuned]
    factors = [view.comparison.factor] if view.comparison else others
    compared = " and ".join(factors).replace("_", " ")
    title = f"{words.capitalize()} by {compared}" if compared else words.capitalize()
    caption = (
        f"Median {metric} over seeds, brighter is better; the best of each row is outlined. A wide "
        f"bright stretch forgives a badly chosen {words}."
    )
    if tuned:
        caption += f" Each cell is the best over {', '.join(tuned)}."
    if any(cell and cell.diverged for row in outlined for cell in row):
        caption += " ✕ counts runs that diverged."
    panel = HeatPanel(
        "",
        tuple(cells),
        tuple(_column_name(column) for column in columns),
        outlined,
        compared,
        words,
        f"median {metric}",
        view.higher_is_better,
        "log" if log else "linear",
    )
    return Figure(title, caption, (panel,))


def _selection_metric(view: View, rows: dict[str, list[Run]]) -> str:
    """The metric on validation data where it was measured: tuning may look at no other."""
    twin = f"validation.{view.measure}"
    measured = any(twin in run.finals for runs in rows.values() for run in runs)
    return twin if measured and view.comparison else view.metric


def _number(run: Run, numeric: str) -> float:
    value = factor_named(run, numeric)
    return float(value) if isinstance(value, int | float) else math.nan


def _columns(values: list[float]) -> list[set[float]]:
    """One value each, or neighbouring values together where there are too many."""
    if len(values) <= MOST_COLUMNS:
        return [{value} for value in values]
    log = values[0] > 0 and values[-1] / values[0] > 30
    places = np.log(values) if log else np.array(values)
    edges = np.linspace(places[0], places[-1], MOST_COLUMNS + 1)[1:-1]
    bins = np.searchsorted(edges, places, side="right")
    columns = [
        {v for v, b in zip(values, bins, strict=True) if b == i} for i in range(MOST_COLUMNS)
    ]
    return [column for column in columns if column]


def _column_name(column: set[float]) -> str:
    low, high = min(column), max(column)
    if low == high:
        return short(low)
    return f"≈ {short(math.sqrt(low * high) if low > 0 else (low + high) / 2, 1)}"


def _cell(view: View, metric: str, runs: Sequence[Run], numeric: str) -> HeatCell | None:
    """The best median over the other tuned numbers; a run without a value is the worst."""
    held: dict[str, list[Run]] = {}
    for run in runs:
        held.setdefault(factors_but(run, ("seed",)), []).append(run)
    cells = []
    for same in held.values():
        values = [run.finals.get(metric, math.nan) for run in same]
        ordered = sorted(value if math.isfinite(value) else view.worst for value in values)
        middle = (ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2])
        diverged = sum(run.outcome == "diverged" for run in same)
        cells.append(HeatCell(sum(middle) / 2, len(same), diverged))
    sign = 1 if view.higher_is_better else -1
    return max(cells, key=lambda cell: sign * cell.value, default=None)


def _with_best(view: View, row: Sequence[HeatCell | None]) -> tuple[HeatCell | None, ...]:
    finite = [cell.value for cell in row if cell and math.isfinite(cell.value)]
    if len(set(finite)) == 1 < len(row):
        return tuple(row)  # all alike: none is the best
    best = (max if view.higher_is_better else min)(finite, default=math.nan)
    return tuple(
        cell and HeatCell(cell.value, cell.runs, cell.diverged, cell.value == best) for cell in row
    )
