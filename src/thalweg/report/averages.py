"""What averaging the predictions of several runs gained, beside the ranking of single runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from thalweg.report.groups import View
from thalweg.report.parts import Paragraph, Part, Section, Table
from thalweg.report.words import count, decimals, interval
from thalweg.statistics.ensembles import EnsembleLevel, Ensembles

__all__ = ["averaged"]

MOST_ROWS = 40


def averaged(view: View, ensembles: Ensembles | None) -> Section | None:
    """Single runs, ensembles and the gain of every level, metric by metric."""
    if ensembles is None:
        return None
    if not ensembles.levels:
        text = "No ensemble is complete yet."
        return Section("Ensembles", (Paragraph(text, "note"),))
    shown = ensembles.levels[:MOST_ROWS]
    parts: list[Part] = [Paragraph(_computed(ensembles))]
    parts += (_table(view, ensembles, shown, metric) for metric in _metrics(view, shown))
    if len(ensembles.levels) > len(shown):
        rest = len(ensembles.levels) - len(shown)
        parts.append(Paragraph(f"The {rest} levels after these are left out.", "note"))
    parts += _warnings(ensembles)
    return Section("Ensembles", tuple(parts))


def _computed(ensembles: Ensembles) -> str:
    """How the numbers come about."""
    size = ensembles.size
    text = (
        f"Predictions on the test rows averaged over {size} runs that differ in nothing but their "
        f"seed (0 to {size - 1}, {size} to {2 * size - 1}, and so on), and judged as one. The gain "
        "is how much better an ensemble is than its own members are on average; intervals cover "
        f"{100 * (1 - ensembles.alpha):g}\xa0% and are over ensembles."
    )
    if ensembles.shared_split:
        text += (
            " The members of one ensemble share the split of the first of them, so that none was "
            "trained on rows that another is tested on."
        )
    return text


def _metrics(view: View, levels: Sequence[EnsembleLevel]) -> list[str]:
    """All metrics there are, the one that is compared first."""
    names = dict.fromkeys(gain.metric for level in levels for gain in level.gains)
    return sorted(names, key=lambda name: name != view.metric)


def _table(view: View, ensembles: Ensembles, levels: Sequence[EnsembleLevel], metric: str) -> Table:
    found = [(level, g) for level in levels for g in level.gains if g.metric == metric]
    places = decimals((m.high - m.low) / 2 for _, g in found for m in (g.members, g.ensembles))
    finer = decimals((g.gain.high - g.gain.low) / 2 for _, g in found)
    many = len({level.context for level in levels}) > 1
    factor = view.comparison.factor if view.comparison else ""
    columns = [factor, "single runs", f"ensembles of {ensembles.size}", "gain", "ensembles"]
    rows = [
        [
            level.level,
            interval(g.members.estimate, g.members.low, g.members.high, places),
            interval(g.ensembles.estimate, g.ensembles.low, g.ensembles.high, places),
            interval(g.gain.estimate, g.gain.low, g.gain.high, finer),
            str(len(level.seeds)),
        ]
        for level, g in found
    ]
    alignment = "lrrrr"
    if many:
        columns.insert(0, "context")
        rows = [[level.context, *row] for (level, _), row in zip(found, rows, strict=True)]
        alignment = f"l{alignment}"
    direction = "higher" if found[0][1].higher_is_better else "lower"
    caption = f"{metric} ({direction} is better)"
    return Table(tuple(columns), tuple(map(tuple, rows)), alignment, caption)


def _warnings(ensembles: Ensembles) -> Iterator[Paragraph]:
    for level in ensembles.levels:
        if level.diverged:
            where = f"{level.level} at {level.context}" if level.context else level.level
            members = count(level.diverged, "member")
            text = f"{where}: {members} diverged, and spoke as before that."
            yield Paragraph(text, "warning")
