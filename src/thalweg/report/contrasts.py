"""How levels differ beyond their ranking: every pair, time to target, tuning."""

from __future__ import annotations

import math

from thalweg.report.groups import View
from thalweg.report.parts import (
    VERDICTS,
    Axis,
    Figure,
    Line,
    LinePanel,
    Paragraph,
    Part,
    Section,
    Table,
)
from thalweg.report.words import count, decimals, fixed, interval, p_value
from thalweg.statistics.comparison import Pair

__all__ = ["pairs", "time_to_target", "tuning"]

MOST_ROWS = 40
MOST_CURVES = 8
MOST_BANDS = 3  # these bands are wide: more of them hide one another


def time_to_target(view: View) -> Section | None:
    """How soon runs met the target: the share not yet there, and median times."""
    context = view.context
    if context is None or not context.survival:
        return None
    shown = context.survival[:MOST_CURVES]
    ranks = {group.name: group.rank for group in view.groups}
    horizon = float(max(run.steps for run in view.experiment.runs))
    lines = tuple(
        Line(
            each.level,
            (0.0, *each.steps, horizon),
            (1.0, *each.share, (1.0, *each.share)[-1]),
            series=ranks.get(each.level, 0),
            stairs=True,
            note=f"{each.reached} of {each.runs}",
        )
        for each in shown
    )
    axis = Axis("share of runs not yet at the target", low=0.0, high=1.0)
    panel = LinePanel("", Axis("steps", whole=True), axis, lines)
    caption = (
        "Kaplan–Meier estimate: a curve that falls early reaches the target soon; one that stays "
        "up has runs that never met it. Beside each name, how many of its runs met it."
    )
    rows = tuple(
        (
            each.level,
            f"{each.reached} of {each.runs}",
            interval(each.median.estimate, each.median.low, each.median.high, 0),
        )
        for each in context.survival[:MOST_ROWS]
    )
    columns = (view.comparison.factor if view.comparison else "", "met the target", "median steps")
    table = Table(columns, rows, "lrr")
    parts: list[Part] = [Figure("Time to target", caption, (panel,)), table]
    if math.isfinite(context.log_rank_p):
        text = f"Log-rank test that all take equally long: p = {p_value(context.log_rank_p)}."
        parts.append(Paragraph(text.replace("= <", "<"), "note"))
    return Section("Time to target", tuple(parts))


def tuning(view: View) -> Section | None:
    """What tuning was worth: the best of k configurations against k."""
    context = view.context
    if context is None or not any(len(curve.tried) > 1 for curve in context.tuning):
        return None
    ranks = {group.name: group.rank for group in view.groups}
    shown = sorted(context.tuning, key=lambda each: ranks.get(each.level, 10**6))[:MOST_CURVES]
    banded = len(shown) <= MOST_BANDS
    lines = tuple(
        Line(
            each.level,
            tuple(map(float, each.tried)),
            each.best,
            each.low if banded else (),
            each.high if banded else (),
            series=ranks.get(each.level, 0),
        )
        for each in shown
    )
    panel = LinePanel(
        "",
        Axis("configurations tried", whole=True),
        Axis(f"best validation {view.measure}"),
        lines,
        "band",
    )
    caption = (
        "Best of k configurations drawn at random from those tried. A curve that is flat from the "
        "start needs little tuning; one still rising at the end deserves more."
    )
    return Section("Tuning", (Figure("What tuning is worth", caption, (panel,)),))


def pairs(view: View) -> Section | None:
    """Every pair of levels that was judged, with its verdict, best level first."""
    context, comparison = view.context, view.comparison
    if context is None or comparison is None or not context.pairs:
        return None
    order = {level.level: rank for rank, level in enumerate(context.levels)}
    last = len(order)
    ordered = sorted(
        context.pairs, key=lambda p: (order.get(p.first, last), order.get(p.second, last))
    )
    shown = ordered[:MOST_ROWS]
    places = decimals((pair.difference.high - pair.difference.low) / 2 for pair in shown)
    columns = ("first", "second", "difference", "p (Holm)", "P(first better)", "seeds", "verdict")
    rows = tuple(_pair_row(pair, places) for pair in shown)
    caption = (
        f"Paired differences in {comparison.metric}, positive in favour of the first; p corrected "
        f"for {count(len(context.pairs), 'pair')}."
    )
    parts: list[Part] = [Table(columns, rows, "llrrrrl", caption)]
    if len(ordered) > len(shown):
        rest = len(ordered) - len(shown)
        parts.append(Paragraph(f"{count(rest, 'more pair')} among lower ranks left out.", "note"))
    return Section(
        f"Against {comparison.baseline}" if comparison.baseline else "Every pair", tuple(parts)
    )


def _pair_row(pair: Pair, places: int) -> tuple[str, ...]:
    more = ""
    if pair.verdict in ("undecided", "none") and pair.more_seeds:
        more = f", about {count(pair.more_seeds, 'more seed')}"
    return (
        pair.first,
        pair.second,
        interval(pair.difference.estimate, pair.difference.low, pair.difference.high, places),
        p_value(pair.p_holm),
        fixed(pair.superiority.estimate, 2),
        str(pair.seeds),
        VERDICTS[pair.verdict].lower() + more,
    )
