"""What was found: the verdict, and the ranking with its intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from thalweg.report.aggregate import quantile
from thalweg.report.groups import Group, View, varied
from thalweg.report.parts import (
    Axis,
    Figure,
    IntervalPanel,
    IntervalRow,
    Paragraph,
    Part,
    Section,
    Table,
    Verdict,
    VerdictKind,
)
from thalweg.report.words import count, decimals, digits, fixed, interval, short
from thalweg.statistics.comparison import Comparison, Context, LevelSummary

__all__ = ["ranking", "verdict"]

MOST_ROWS = 40


# ----------------------------------------------------------------------------------------- verdict


def verdict(view: View) -> Section:
    """The answer, what it rests on, and what the reader must know beside it."""
    comparison, context = view.comparison, view.context
    if comparison is None or context is None:
        text = _plain_summary(view)
        return Section("Summary", (Paragraph(text),))
    said = comparison.verdict.lower()
    warnings = [
        Paragraph(_sentence(text), "warning")
        for text in context.warnings
        if text.lower() not in said
    ]
    parts = (
        Verdict(_sentence(comparison.verdict), _kind(comparison)),
        Paragraph(_basis(comparison, context)),
        *warnings,
    )
    return Section("Verdict", parts)


def _kind(comparison: Comparison) -> VerdictKind:
    """The kind all contexts share; ``mixed`` where they, or their best levels, differ.

    Against a baseline, the kind all pairs share; ``partly`` where they differ.
    """
    if comparison.baseline is not None:
        judged: set[VerdictKind] = {
            pair.verdict for context in comparison.contexts for pair in context.pairs
        }
        if len(judged) == 1:
            return judged.pop()
        return "partly" if judged else "none"
    kinds: set[VerdictKind] = {_context_kind(context) for context in comparison.contexts}
    best = {context.levels[0].level for context in comparison.contexts if context.levels}
    kind = next(iter(kinds))
    return kind if len(kinds) == 1 and (len(best) <= 1 or kind != "better") else "mixed"


def _context_kind(context: Context) -> VerdictKind:
    """How the best level stands to the second."""
    best_two = {level.level for level in context.levels[:2]}
    for pair in context.pairs:
        if {pair.first, pair.second} == best_two:
            return pair.verdict
    return "none"


def _basis(comparison: Comparison, context: Context) -> str:
    direction = "higher" if comparison.higher_is_better else "lower"
    seeds = max((len(level.seeds) for level in context.levels), default=0)
    text = (
        f"{count(len(context.levels), 'level')} of {comparison.factor} compared by "
        f"{comparison.metric} ({direction} is better) on {count(seeds, 'seed')}"
    )
    if len(comparison.contexts) > 1:
        text += f" in each of {len(comparison.contexts)} contexts"
    if comparison.margin:
        text += f"; differences up to {short(comparison.margin)} do not matter"
    if comparison.tuned:
        names = ", ".join(comparison.tuned)
        text += f". Tuned for each level on validation data with other seeds: {names}"
    text += f". Intervals cover {100 * (1 - comparison.alpha):g}\xa0%."
    if len(comparison.contexts) > 1:
        text += f" What is shown of one context alone is of the first: {context.label}."
    return text


def _plain_summary(view: View) -> str:
    runs, groups = view.experiment.runs, view.groups
    if not runs or not groups:
        return "No runs yet."
    text = count(len(runs), "run")
    best, *others = groups
    if others:
        names = dict.fromkeys(path.rpartition(".")[2] for path in varied(runs))
        text += f": {count(len(groups), 'combination')} of {' and '.join(names)}"
        seeds = {len(group.runs) for group in groups}
        text += f", {count(seeds.pop(), 'seed')} each" if len(seeds) == 1 else ""
    values = best.values(view.metric, view.worst)
    if values:
        middle = _quantiles(values)[1]
        name = "Median" if len(runs) > 1 else "Reached"
        name = f"Best, {best.name}:" if others else name
        text += f". {name} {view.metric} {digits(middle) if math.isfinite(middle) else 'diverged'}"
    return f"{text}. Nothing was asked to be compared, so there is no verdict."


def _sentence(text: str) -> str:
    """A clause as a sentence, without changing a name's case: only its own first letter."""
    text = text.strip()
    return text if text.endswith((".", "?", "!")) else f"{text}."


# ----------------------------------------------------------------------------------------- ranking


def ranking(view: View) -> Section | None:
    """All levels, best first: intervals over every seed, and the numbers."""
    if view.comparison is not None and view.context is not None:
        return _compared_ranking(view.comparison, view.context)
    if not view.metric or not view.groups:
        return None
    return _plain_ranking(view) if len(view.groups) > 1 else _results(view)


def _compared_ranking(comparison: Comparison, context: Context) -> Section:
    shown = context.levels[:MOST_ROWS]
    places = decimals((level.mean.high - level.mean.low) / 2 for level in shown)
    columns = ["", comparison.factor, "mean", "median", "interquartile mean", "worst", "diverged"]
    tuned = any(level.configuration for level in shown)
    rows = [
        (
            str(rank),
            level.level,
            interval(level.mean.estimate, level.mean.low, level.mean.high, places),
            fixed(level.median, places),
            fixed(level.interquartile_mean, places),
            _reached(level.worst, places),
            f"{level.failed} of {len(level.values)}" if level.failed else "0",
            *([level.configuration] if tuned else []),
        )
        for rank, level in enumerate(shown, 1)
    ]
    if tuned:
        columns.append("chosen")
    alignment = "rlrrrrrl" if tuned else "rlrrrrr"
    heading = f"Ranking at {context.label}" if context.label else "Ranking"
    parts: list[Part] = [_interval_figure(comparison, shown)]
    parts.append(Table(tuple(columns), tuple(rows), alignment, f"{comparison.metric}, best first"))
    if len(context.levels) > len(shown):
        rest = len(context.levels) - len(shown)
        parts.append(Paragraph(f"The {rest} levels after these are left out.", "note"))
    return Section(heading, tuple(parts))


def _interval_figure(comparison: Comparison, levels: Sequence[LevelSummary]) -> Figure:
    rows = tuple(
        IntervalRow(
            level.level,
            level.mean.estimate,
            level.mean.low,
            level.mean.high,
            level.values,
            level.median,
            rank,
            f"✕ {level.failed} of {len(level.values)} diverged" if level.failed else "",
        )
        for rank, level in enumerate(levels)
    )
    panel = IntervalPanel("", _value_axis(comparison.metric, rows), rows)
    cover = f"{100 * (1 - comparison.alpha):g}\xa0%"
    caption = (
        f"Mean with its {cover} interval (disc and bar) and median (stroke) over all seeds (dots)."
    )
    return Figure(f"{comparison.metric} by {comparison.factor}", caption, (panel,))


def _value_axis(metric: str, rows: Sequence[IntervalRow]) -> Axis:
    """Logarithmic where positive values span more than two decades, as losses may."""
    values = [v for row in rows for v in row.points if math.isfinite(v)]
    spans = bool(values) and min(values) > 0 and max(values) / min(values) > 100
    return Axis(metric, "log" if spans else "linear")


def _plain_ranking(view: View) -> Section:
    shown = view.groups[:MOST_ROWS]
    figure, ranges = _range_figure(view, shown)
    places = decimals((high - low) / 2 for low, _, high in ranges)
    rows = tuple(
        (
            str(group.rank + 1),
            group.name,
            _reached(middle, places),
            _range(low, high, places),
            str(len(group.runs)),
            str(group.diverged),
        )
        for group, (low, middle, high) in zip(shown, ranges, strict=True)
    )
    columns = ("", "group", f"median {view.metric}", "10–90\xa0%", "runs", "diverged")
    parts: list[Part] = [figure, Table(columns, rows, "rlrrrr")]
    if len(view.groups) > len(shown):
        rest = len(view.groups) - len(shown)
        parts.append(Paragraph(f"The {rest} groups after these are left out.", "note"))
    return Section("Ranking", tuple(parts))


def _range_figure(
    view: View, groups: Sequence[Group]
) -> tuple[Figure, list[tuple[float, float, float]]]:
    """The values of each group with their range, and the ranges."""
    values = [group.values(view.metric, view.worst) for group in groups]
    ranges = [_quantiles(each) for each in values]
    rows = tuple(
        IntervalRow(
            group.name, middle, low, high, tuple(each), series=group.rank, note=_diverged(group)
        )
        for group, each, (low, middle, high) in zip(groups, values, ranges, strict=True)
    )
    panel = IntervalPanel("", _value_axis(view.metric, rows), rows)
    caption = "Median (disc) and 10–90\xa0% range (bar) over all runs (dots)."
    return Figure(view.metric, caption, (panel,)), ranges


def _results(view: View) -> Section:
    """Everything measured at the end of runs that differ in nothing but their seed."""
    (group,) = view.groups
    names = list(dict.fromkeys(name for run in group.runs for name in run.finals))
    splits = list(dict.fromkeys(name.partition(".")[0] for name in names))
    measures = list(dict.fromkeys(name.partition(".")[2] for name in names))

    def cell(name: str) -> str:
        values = [run.finals[name] for run in group.runs if name in run.finals]
        low, middle, high = (digits(v, 4) for v in _quantiles(values))
        return f"{middle} ({low} to {high})" if len(values) > 1 else middle

    rows = tuple((m, *(cell(f"{split}.{m}") for split in splits)) for m in measures)
    over = "median and 10–90\xa0% range over seeds" if len(group.runs) > 1 else "one run"
    table = Table(("", *splits), rows, "l" + "r" * len(splits), f"At the end of training, {over}")
    figures = (_range_figure(view, view.groups)[0],) if len(group.runs) > 1 else ()
    return Section("Results", (*figures, table))


def _diverged(group: Group) -> str:
    return f"✕ {group.diverged} of {len(group.runs)} diverged" if group.diverged else ""


def _reached(value: float, places: int) -> str:
    return "diverged" if math.isinf(value) else fixed(value, places)


def _range(low: float, high: float, places: int) -> str:
    ends = [_reached(end, places) for end in (low, high)]
    return " to ".join(dict.fromkeys(ends))


def _quantiles(values: list[float]) -> tuple[float, float, float]:
    """10 %, median and 90 %; the median alone of a single value."""
    if not values:
        return math.nan, math.nan, math.nan
    column = np.array(values)[:, None]
    low, middle, high = (float(quantile(column, share)[0]) for share in (0.1, 0.5, 0.9))
    return (low, middle, high) if len(values) > 1 else (math.nan, middle, math.nan)
