"""The findings in words.

``pair_sentence`` for two levels, ``context_verdict`` for all levels of a context,
``overall_verdict`` for all contexts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from thalweg.statistics.comparison import Context, Interval, LevelSummary, Pair, Question

__all__ = [
    "amount",
    "context_verdict",
    "failure_note",
    "overall_verdict",
    "pair_sentence",
    "tuning_note",
]

VERDICTS_FROM = 10  # shared seeds; below, intervals only
EXPLORATORY_BELOW = 5  # seeds; with five, no two-sided sign-flip test can reach p = 0.05
MOST_SEEDS = 1000  # numbers of further seeds above this are not worth naming


def amount(interval: Interval) -> str:
    """An estimate with its interval, to two digits of the interval's half width."""
    half_width = (interval.high - interval.low) / 2
    if not half_width > 0:
        return f"{interval.estimate:.4g}"
    return f"{_rounded(interval.estimate, half_width)} {_bounds(interval)}"


def _bounds(interval: Interval) -> str:
    half_width = (interval.high - interval.low) / 2
    return f"[{_rounded(interval.low, half_width)}, {_rounded(interval.high, half_width)}]"


def _rounded(value: float, scale: float) -> str:
    decimals = max(0, 1 - math.floor(math.log10(scale))) if scale > 0 else 4
    return f"{value:.{min(decimals, 12)}f}"


def _probability(p: float) -> str:
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.2g}"


def failure_note(level: LevelSummary) -> str:
    """How many runs of a level diverged or have no value: "gd diverged on 3 of 20 seeds"."""
    total = len(level.seeds)
    missing = sum(not math.isfinite(value) for value in level.values)
    notes = []
    if level.failed:
        notes.append(f"diverged on {level.failed} of {total} seeds")
    if missing > level.failed:
        notes.append(f"has no value on {missing} of {total} seeds")
    return f"{level.level} {' and '.join(notes)}" if notes else ""


def tuning_note(first: LevelSummary, second: LevelSummary) -> str:
    """A note where two levels were tuned with unequal numbers of runs; empty otherwise."""
    runs = [int(level.budget.get("tune", {}).get("runs", 0)) for level in (first, second)]
    return "" if runs[0] == runs[1] else f"unequal tuning, {runs[0]} runs against {runs[1]}"


def _more(pair: Pair) -> str:
    if pair.more_seeds is None:
        if pair.difference.low == pair.difference.high == 0:
            return f"equal on all {pair.seeds} seeds, which only a margin could call a tie"
        if pair.interquartile.estimate <= 0 < pair.difference.estimate:
            return "mean and interquartile mean disagree, so a few seeds make the difference"
        return "no number of seeds can be named that would decide"
    if pair.more_seeds > MOST_SEEDS:
        return f"more than {MOST_SEEDS} more seeds would be needed"
    return f"about {pair.more_seeds} more seed{'s' * (pair.more_seeds > 1)} would decide"


def pair_sentence(pair: Pair, question: Question, within: Interval, notes: str = "") -> str:
    """The verdict on one pair in words.

    Args:
        pair: the pair; its own sentence is not read.
        question: what was asked.
        within: the interval that was held against the margin.
        notes: what else the reader must know, added in brackets.
    """
    first, second, metric = pair.first, pair.second, question.metric
    details = f"{pair.seeds} seeds, {_probability(pair.p_holm)}"
    note = f"; {notes}" if notes else ""
    if pair.seeds == 0:
        return f"no verdict on {first} and {second}: they share no seeds{note}"
    if pair.verdict == "better":
        by = f"{amount(pair.difference)} {metric}"
        return f"{first} is better than {second} by {by} ({details}{note})"
    if pair.verdict == "tied":
        half_width = (within.high - within.low) / 2
        difference = _rounded(pair.difference.estimate, half_width)
        share = f"{100 * (1 - 2 * question.alpha):g} % interval"
        return (
            f"{first} and {second} are tied within {question.margin:g} {metric} (difference "
            f"{difference}, {share} {_bounds(within)}, {pair.seeds} seeds{note})"
        )
    if math.isnan(pair.difference.estimate):
        start = "undecided between" if pair.verdict == "undecided" else "no verdict on"
        if pair.seeds < EXPLORATORY_BELOW:
            start = f"exploratory, {start}"
        return (
            f"{start} {first} and {second}: their mean difference does not exist; "
            f"{_wins(pair)} ({details}{note})"
        )
    if pair.verdict == "undecided":
        margin = f", margin {question.margin:g}" if question.margin else ""
        return (
            f"undecided between {first} and {second}: difference {amount(pair.difference)} "
            f"{metric} ({details}{margin}{note}); {_more(pair)}"
        )
    if pair.seeds < EXPLORATORY_BELOW:
        plural = "s" * (pair.seeds > 1)
        return (
            f"exploratory, no verdict on {first} and {second}: difference "
            f"{pair.difference.estimate:.3g} {metric} ({pair.seeds} seed{plural}{note}); a verdict "
            f"needs at least {VERDICTS_FROM - pair.seeds} more seeds"
        )
    return (
        f"no verdict below {VERDICTS_FROM} seeds on {first} and {second}: difference "
        f"{amount(pair.difference)} {metric} ({pair.seeds} seeds{note}); {_more(pair)}"
    )


def context_verdict(
    levels: Sequence[LevelSummary], pairs: Sequence[Pair], question: Question, budgets: str = ""
) -> str:
    """The best level against the rest, or the rest against the baseline, in a few sentences.

    Args:
        levels: the levels, best first.
        pairs: all pairs of them, or those with the baseline.
        question: what was asked.
        budgets: a clause on unequal budgets; empty where they are equal.
    """
    if question.baseline is None or not pairs:
        sentences = [f"{_ranking(levels[0], pairs, question)}."]
    else:
        sentences = [f"{_against(question.baseline, pairs, question)}."]
    failures = list(filter(None, map(failure_note, levels)))
    if failures:
        sentences.append(f"{'; '.join(failures)}.")
    if budgets:
        sentences.append(f"{budgets[0].upper()}{budgets[1:]}.")
    return " ".join(sentences)


def _ranking(best: LevelSummary, pairs: Sequence[Pair], question: Question) -> str:
    name = best.level
    if not pairs:
        return f"{name} reaches {amount(best.mean)} {question.metric} ({len(best.seeds)} seeds)"
    mine = [pair for pair in pairs if name in (pair.first, pair.second)]
    others = [pair.second if pair.first == name else pair.first for pair in mine]
    rivals = list(zip(others, mine, strict=True))
    better = [
        f"{other} by {amount(pair.difference)}"
        for other, pair in rivals
        if pair.verdict == "better" and pair.first == name
    ]
    tied = [other for other, pair in rivals if pair.verdict == "tied"]
    # With unshared seeds the best mean may belong to a level that loses a paired comparison.
    worse = [other for other, pair in rivals if pair.verdict == "better" and pair.second == name]
    undecided = [_undecided(other, pair) for other, pair in rivals if pair.verdict == "undecided"]
    none = [other for other, pair in rivals if pair.verdict == "none"]
    if len(none) == len(rivals):
        seeds = min(pair.seeds for pair in mine)
        start = (
            "exploratory"
            if seeds < EXPLORATORY_BELOW
            else f"no verdict below {VERDICTS_FROM} seeds"
        )
        mean = amount(best.mean)
        return f"{start} ({seeds} shared seeds): {name} has the best mean {question.metric}, {mean}"
    clauses = []
    if better:
        clauses.append(f"better than {_listed(better)} {question.metric}")
    if tied:
        clauses.append(f"tied with {_listed(tied)} within {question.margin:g} {question.metric}")
    if undecided:
        clauses.append(f"undecided against {_listed(undecided)}")
    if worse:
        clauses.append(f"worse than {_listed(worse)} on the seeds they share")
    if none:
        clauses.append(f"without verdict against {_listed(none)} (too few shared seeds)")
    if len(better) == len(rivals):
        start = f"{name} is best"
    elif len(better) + len(tied) == len(rivals):
        start = f"{name} is among the best"
    else:
        start = f"{name} has the best mean"
    return f"{start}: {', '.join(clauses)}{_family(pairs)}"


def _family(pairs: Sequence[Pair]) -> str:
    size = sum(not math.isnan(pair.p) for pair in pairs)
    return f" (p values corrected for {size} comparisons)" if size > 1 else ""


def _against(baseline: str, pairs: Sequence[Pair], question: Question) -> str:
    """How the other levels stand to the baseline."""
    rivals = [(pair.second if pair.first == baseline else pair.first, pair) for pair in pairs]
    decided = [(other, pair) for other, pair in rivals if pair.verdict == "better"]

    def by(pair: Pair) -> str:
        return f"by {amount(pair.difference)}"

    better = [f"{other} {by(pair)}" for other, pair in decided if pair.first == other]
    worse = [f"{other} {by(pair)}" for other, pair in decided if pair.second == other]
    tied = [other for other, pair in rivals if pair.verdict == "tied"]
    undecided = [_undecided(other, pair) for other, pair in rivals if pair.verdict == "undecided"]
    none = [other for other, pair in rivals if pair.verdict == "none"]
    clauses = [
        f"{words} {_listed(items)}"
        for words, items in (
            ("better:", better),
            ("worse:", worse),
            (f"tied within {question.margin:g}:", tied),
            ("undecided:", undecided),
            (f"no verdict below {VERDICTS_FROM} shared seeds:", none),
        )
        if items
    ]
    return f"against {baseline}, in {question.metric}: {'; '.join(clauses)}{_family(pairs)}"


def _wins(pair: Pair) -> str:
    return f"P({pair.first} better) = {amount(pair.superiority)}"


def _undecided(other: str, pair: Pair) -> str:
    if math.isnan(pair.difference.estimate):
        return f"{other} (no mean difference exists; {_wins(pair)})"
    if pair.more_seeds is None:
        return other
    if pair.more_seeds > MOST_SEEDS:
        return f"{other} (more than {MOST_SEEDS} more seeds needed)"
    return f"{other} (about {pair.more_seeds} more seed{'s' * (pair.more_seeds > 1)})"


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def overall_verdict(contexts: Sequence[Context], baseline: str | None = None) -> str:
    """The answer over all contexts: how often each level leads, and the first context's verdict.

    A context in which only one level ran decides nothing. With a baseline nothing is said of who
    leads, which was not asked.
    """
    contexts = [context for context in contexts if len(context.levels) > 1] or contexts[:1]
    if len(contexts) == 1:
        return contexts[0].verdict
    if baseline is not None:
        return f"In {contexts[0].label}, the first of {len(contexts)}: {contexts[0].verdict}"
    leads: Counter[str] = Counter()
    wins: Counter[str] = Counter()
    for context in contexts:
        best = context.levels[0].level
        leads[best] += 1
        mine = [pair for pair in context.pairs if best in (pair.first, pair.second)]
        wins[best] += bool(mine) and all(
            pair.verdict == "better" and pair.first == best for pair in mine
        )
    counts = [
        f"{level} in {count}" + (f" (clearly in {wins[level]})" if wins[level] else "")
        for level, count in leads.most_common()
    ]
    return (
        f"Best mean of {len(contexts)} contexts: {_listed(counts)}. "
        f"In {contexts[0].label}: {contexts[0].verdict}"
    )
