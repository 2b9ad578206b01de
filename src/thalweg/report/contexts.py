"""Whether the answer holds elsewhere: every level in every context, against the best there.

Where the question names a baseline, every level is held against that instead.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from thalweg.report.groups import View
from thalweg.report.parts import Figure, HeatCell, HeatPanel, Paragraph, Part, Section, Table
from thalweg.report.words import count, decimals, fixed, interval
from thalweg.statistics.comparison import Comparison, Context, LevelSummary, Pair

__all__ = ["across_contexts"]

MOST_ROWS = 40
MOST_COLUMNS = 12
MOST_NAMED = 5

# How a level stands to the best, or to the baseline, which it can also beat: a mark before the
# difference, and how strongly the level is coloured.
_MARKS = {"best": "", "tied": "=\xa0", "undecided": "?\xa0", "none": "?\xa0", "worse": ""}
_STRENGTHS = {"best": 0.9, "tied": 0.45, "undecided": 0.18, "none": 0.18, "worse": 0.0}
_WORDS = {
    "worse": "better than",
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
    base = comparison.baseline
    held = _held(contexts, base)
    columns = list(held)[:MOST_COLUMNS]
    parts: list[Part] = []
    if not base and any(pair.verdict != "none" for each in contexts for pair in each.pairs):
        parts.append(Paragraph(_holds(held, len(contexts))))
    parts.append(_matrix(comparison, shown, columns))
    if not base:
        parts.append(_best_of_each(comparison, shown))
    left_out = []
    if len(held) > len(columns):
        left_out.append(f"the {len(held) - len(columns)} levels that hold up least")
    if len(contexts) > len(shown):
        left_out.append(f"the last {count(len(contexts) - len(shown), 'context')}")
    if left_out:
        parts.append(Paragraph(f"Left out: {' and '.join(left_out)}.", "note"))
    return Section("In every context", tuple(parts))


def _standing(context: Context, baseline: str | None) -> dict[str, tuple[str, Pair | None]]:
    """By level, how it stands to the baseline or else the best, and the pair that says so."""
    reference = baseline or context.levels[0].level
    itself = "tied" if baseline else "best"
    found: dict[str, tuple[str, Pair | None]] = {reference: (itself, None)}
    for pair in context.pairs:
        if reference in (pair.first, pair.second):
            other = pair.second if pair.first == reference else pair.first
            decided = "best" if baseline and pair.first == other else "worse"
            found[other] = decided if pair.verdict == "better" else pair.verdict, pair
    return found


def _held(contexts: Sequence[Context], baseline: str | None) -> dict[str, int]:
    """In how many contexts a level is not shown to be worse than the best, most of them first.

    Or than the baseline.
    """
    held = {level.level: 0 for context in contexts for level in context.levels}
    for context in contexts:
        for level, (verdict, _) in _standing(context, baseline).items():
            held[level] += verdict != "worse"
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
    reference, ahead = (
        comparison.baseline or "the best",
        "better" if comparison.baseline else "best",
    )
    keys = ((ahead, 0.9), (f"= tied with {reference}", 0.45), ("? undecided", 0.18), ("worse", 0.0))
    cells = []
    for context in contexts:
        levels = {level.level: level for level in context.levels}
        stand = _standing(context, comparison.baseline)
        cells.append(
            tuple(
                _cell(levels[name], *stand.get(name, ("none", None)), places, sign)
                if name in levels
                else None
                for name in columns
            )
        )
    caption = (
        f"Mean {comparison.metric} in each context (rows), with how far that is from "
        f"{comparison.baseline or 'the best of the row'}. = tied with {reference}, ? undecided or "
        f"too few seeds; without a mark it is {'better or ' * bool(comparison.baseline)}worse."
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
        keys=keys,
    )
    return Figure(f"{comparison.factor} by context", caption, (panel,))


def _cell(
    level: LevelSummary, verdict: str, pair: Pair | None, places: int, sign: float
) -> HeatCell:
    note = "best" if verdict == "best" else _MARKS[verdict].strip()  # where there is no difference
    if pair is not None and math.isfinite(pair.difference.estimate):
        # Differences are oriented so that positive favours the first.
        gap = sign * pair.difference.estimate * (1 if pair.second == level.level else -1)
        note = f"{_MARKS[verdict]}{'+' if gap > 0 else ''}{fixed(round(gap, places) + 0.0, places)}"
    return HeatCell(
        level.mean.estimate,
        len(level.values),
        level.failed,
        verdict == "best" and pair is None,
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
    verdict, pair = _standing(context, None).get(second, ("none", None))
    words = f"{_WORDS[verdict]} {second}"
    if pair is None or verdict != "worse":
        return words
    gap = pair.difference
    places = decimals([(gap.high - gap.low) / 2])
    return f"{words} by {interval(gap.estimate, gap.low, gap.high, places)}"
