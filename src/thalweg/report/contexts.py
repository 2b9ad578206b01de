"""Whether the answer holds elsewhere: every level in every context, against the best there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from thalweg.report.groups import View
from thalweg.report.parts import Figure, HeatCell, HeatPanel, Paragraph, Part, Section, Table
from thalweg.report.words import count, decimals, fixed, interval
from thalweg.statistics.comparison import Comparison, Context, LevelSummary, Pair

__all__ = ["across_contexts", "against_best"]

MOST_ROWS = 40
MOST_COLUMNS = 12
MOST_NAMED = 5

# How a level stands to the best: a mark before its shortfall, and how strongly it is coloured.
_MARKS = {"best": "", "tied": "=\xa0", "undecided": "?\xa0", "none": "?\xa0", "better": ""}
_STRENGTHS = {"best": 0.9, "tied": 0.45, "undecided": 0.18, "none": 0.18, "better": 0.0}
_KEYS = (("best", 0.9), ("= tied with the best", 0.45), ("? undecided", 0.18), ("worse", 0.0))
_WORDS = {
    "better": "better than",
    "tied": "tied with",
    "undecided": "undecided against",
    "none": "no verdict against",
}


def across_contexts(view: View) -> Section | None:
    """Levels by contexts, and the best level of each context against the next."""
    comparison = view.comparison
    if comparison is None or len(comparison.contexts) < 2:
        return None
    contexts = [context for context in comparison.contexts if context.levels]
    shown = contexts[:MOST_ROWS]
    held = _held(contexts)
    columns = list(held)[:MOST_COLUMNS]
    parts: list[Part] = []
    if any(pair.verdict != "none" for context in contexts for pair in context.pairs):
        parts.append(Paragraph(_holds(held, len(contexts))))
    parts += [_matrix(comparison, shown, columns), _best_of_each(comparison, shown)]
    left_out = []
    if len(held) > len(columns):
        left_out.append(f"the {len(held) - len(columns)} levels that hold up least")
    if len(contexts) > len(shown):
        left_out.append(f"the last {count(len(contexts) - len(shown), 'context')}")
    if left_out:
        parts.append(Paragraph(f"Left out: {' and '.join(left_out)}.", "note"))
    return Section("In every context", tuple(parts))


def against_best(context: Context) -> dict[str, tuple[str, Pair | None]]:
    """By level, its verdict against the best (``best`` of itself) and the pair it comes from."""
    best = context.levels[0].level
    found: dict[str, tuple[str, Pair | None]] = {best: ("best", None)}
    for pair in context.pairs:
        if best in (pair.first, pair.second):
            other = pair.second if pair.first == best else pair.first
            found[other] = pair.verdict, pair
    return found


def _held(contexts: Sequence[Context]) -> dict[str, int]:
    """In how many contexts a level is not shown to be worse than the best, most of them first."""
    held = {level.level: 0 for context in contexts for level in context.levels}
    for context in contexts:
        for level, (verdict, _) in against_best(context).items():
            held[level] += verdict != "better"
    return dict(sorted(held.items(), key=lambda item: -item[1]))


def _holds(held: Mapping[str, int], contexts: int) -> str:
    (first, most), *others = list(held.items())[:MOST_NAMED]
    rest = "".join(f", {level} in {number}" for level, number in others if number)
    return (
        f"{first} is the best, or not shown to be worse than the best, in {most} of "
        f"{count(contexts, 'context')}{rest}."
    )


def _matrix(comparison: Comparison, contexts: Sequence[Context], columns: Sequence[str]) -> Figure:
    places = decimals(
        (pair.difference.high - pair.difference.low) / 2
        for context in contexts
        for pair in context.pairs
    )
    sign = -1.0 if comparison.higher_is_better else 1.0
    cells = []
    for context in contexts:
        levels = {level.level: level for level in context.levels}
        stand = against_best(context)
        cells.append(
            tuple(
                _cell(levels[name], *stand.get(name, ("none", None)), places, sign)
                if name in levels
                else None
                for name in columns
            )
        )
    caption = (
        f"Mean {comparison.metric} in each context (rows), with how far that is from the "
        "best of the row. = tied with the best, ? undecided or too few seeds; without a mark it "
        "is worse."
    )
    if any(cell and cell.diverged for row in cells for cell in row):
        caption += " ✕ counts runs that diverged."
    panel = HeatPanel(
        "",
        tuple(context.label for context in contexts),
        tuple(columns),
        tuple(cells),
        "context",
        comparison.factor.replace("_", " "),
        f"mean {comparison.metric}",
        comparison.higher_is_better,
        keys=_KEYS,
    )
    return Figure(f"{comparison.factor} by context", caption, (panel,))


def _cell(
    level: LevelSummary, verdict: str, pair: Pair | None, places: int, sign: float
) -> HeatCell:
    note = "best" if verdict == "best" else _MARKS[verdict].strip()
    if pair is not None and math.isfinite(pair.difference.estimate):
        # Differences are oriented so that positive favours the first.
        gap = sign * pair.difference.estimate * (1 if pair.second == level.level else -1)
        note = f"{_MARKS[verdict]}{'+' if gap > 0 else ''}{fixed(round(gap, places) + 0.0, places)}"
    return HeatCell(
        level.mean.estimate,
        len(level.values),
        level.failed,
        verdict == "best",
        _STRENGTHS[verdict],
        note,
    )


def _best_of_each(comparison: Comparison, contexts: Sequence[Context]) -> Table:
    means = [context.levels[0].mean for context in contexts]
    places = decimals((mean.high - mean.low) / 2 for mean in means)
    rows = tuple(
        (
            context.label,
            context.levels[0].level,
            interval(mean.estimate, mean.low, mean.high, places),
            _against_second(context),
        )
        for context, mean in zip(contexts, means, strict=True)
    )
    columns = ("context", "best", f"mean {comparison.metric}", "against the next")
    return Table(columns, rows, "llrl")


def _against_second(context: Context) -> str:
    """``tied with adam``: the best level against the next."""
    if len(context.levels) < 2:
        return "–"
    second = context.levels[1].level
    verdict, pair = against_best(context).get(second, ("none", None))
    words = f"{_WORDS[verdict]} {second}"
    if pair is None or verdict != "better":
        return words
    gap = pair.difference
    places = decimals([(gap.high - gap.low) / 2])
    return f"{words} by {interval(gap.estimate, gap.low, gap.high, places)}"
