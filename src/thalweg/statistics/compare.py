"""From runs to verdicts: the one function that answers an experiment's question.

``compare`` checks the runs, splits them by context, and has each context judged: configurations
are chosen on tuning runs (``tuning``), levels summarised on report runs (``intervals``), compared
in pairs (``paired``) and put into words (``verdict``). Below it stand, in this order, the checks,
one context, one level, and what the reader is warned of.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from thalweg.errors import SpecError
from thalweg.statistics.comparison import (
    Comparison,
    Context,
    LevelSummary,
    Observation,
    Pair,
    Question,
    Survival,
    TuningCurve,
)
from thalweg.statistics.intervals import interquartile_mean, mean_intervals, wilson
from thalweg.statistics.paired import oriented, pairs, smallest_p
from thalweg.statistics.survival import log_rank, survival, times_to_target
from thalweg.statistics.tuning import Choice, choose, tuning_curve
from thalweg.statistics.verdict import VERDICTS_FROM, context_verdict, overall_verdict

__all__ = ["compare"]


def compare(
    observations: Sequence[Observation],
    *,
    factor: str,
    metric: str,
    higher_is_better: bool,
    margin: float = 0.0,
    alpha: float = 0.05,
    tuned: Sequence[str] = (),
    context_order: Sequence[str] | None = None,
    target: float | None = None,
    baseline: str | None = None,
    resamples: int = 9999,
    seed: int = 0,
) -> Comparison:
    """Say which level of the compared factor is better, where, and how surely.

    Args:
        observations: all runs. If nothing is tuned, their configurations are not looked at.
        factor: the compared factor.
        metric: the reported metric: ``test.accuracy``.
        higher_is_better: direction of the metric, on test and on validation data.
        margin: differences up to this size do not matter, in units of the metric.
        alpha: family-wise error rate in each context; intervals cover 1 - alpha.
        tuned: names of the tuned numbers; empty if nothing is tuned.
        context_order: labels of the contexts, the main one first; by default in order of
            appearance. Labels without runs are left out.
        target: value of the metric that ``target_step`` refers to; None for no time to target.
        baseline: the level that every other is held against; None to judge every pair.
        resamples: bootstrap resamples, and random sign patterns above 26 seeds.
        seed: seed of all resampling.

    Returns:
        The comparison, one context for each combination of the fixed factors.

    Raises:
        SpecError: where a setting or the set of runs allows no answer.
    """
    question = Question(
        metric, higher_is_better, margin, alpha, tuple(tuned), target, resamples, seed, baseline
    )
    _check(observations, question)
    present = dict.fromkeys(run.context for run in observations)
    order = [label for label in dict.fromkeys(context_order or ()) if label in present]
    order += [label for label in present if label not in order]
    levels = list(dict.fromkeys(run.level for run in observations))
    choices = choose(observations, higher_is_better=higher_is_better) if tuned else {}
    groups: dict[tuple[str, str], list[Observation]] = {}
    for run in observations:
        groups.setdefault((run.context, run.level), []).append(run)
    contexts = []
    for label in order:
        entries = [
            _entry(level, groups[label, level], choices.get((label, level)), question)
            for level in levels
            if (label, level) in groups
        ]
        missing = [level for level in levels if (label, level) not in groups]
        contexts.append(_context(label, entries, missing, question))
    return Comparison(
        factor=factor,
        metric=metric,
        higher_is_better=higher_is_better,
        margin=margin,
        alpha=alpha,
        tuned=question.tuned,
        contexts=tuple(contexts),
        verdict=overall_verdict(contexts, baseline),
        budget=_budget(observations),
        baseline=baseline,
    )


def _check(observations: Sequence[Observation], question: Question) -> None:
    """Refuse, with all reasons at once, what allows no answer."""
    problems = []
    if not 0 <= question.margin < math.inf:
        problems.append(
            f"compare.margin must be a finite number of at least 0, got {question.margin}"
        )
    if not 0 < question.alpha < 0.5:
        problems.append(f"compare.alpha must be above 0 and below 0.5, got {question.alpha}")
    if question.resamples < 100:
        problems.append(f"compare.resamples must be at least 100, got {question.resamples}")
    if not any(run.phase == "report" for run in observations):
        problems.append("a comparison needs report runs, got none; run the experiment first")
    levels = dict.fromkeys(run.level for run in observations)
    if question.baseline is not None and question.baseline not in levels:
        problems.append(
            f"compare.baseline must be one of {', '.join(levels)}, got {question.baseline}"
        )
    phases = ("tune", "report") if question.tuned else ("report",)
    places = Counter(
        (run.phase, run.context, run.level, run.configuration if question.tuned else "", run.seed)
        for run in observations
        if run.phase in phases
    )
    for (phase, context, level, configuration, seed), count in places.items():
        if count > 1:
            place = ", ".join(filter(None, (context, level, configuration)))
            problems.append(
                f"{place} must have one {phase} run for seed {seed}, got {count}; a factor that "
                "varies must be compared, tuned or fixed"
            )
            break
    if question.tuned:
        seeds = {
            phase: {run.seed for run in observations if run.phase == phase} for phase in phases
        }
        both = sorted(seeds["tune"] & seeds["report"])
        if both:
            problems.append(
                "compare.seeds.report must be disjoint from compare.seeds.tune, got "
                f"{', '.join(map(str, both))} in both; report on seeds that chose nothing"
            )
    if problems:
        raise SpecError(*problems)


@dataclass(frozen=True)
class _Entry:
    """One level in one context: all its runs, those it is judged by, and what they amount to."""

    level: str
    runs: Sequence[Observation]
    reported: Sequence[Observation]
    choice: Choice | None
    summary: LevelSummary


def _context(
    label: str, entries: Sequence[_Entry], missing: Sequence[str], question: Question
) -> Context:
    """Judge one combination of the fixed factors; ``missing`` levels have no runs in it."""
    entries = sorted(entries, key=lambda entry: _merit(entry, question), reverse=True)
    levels = tuple(entry.summary for entry in entries)
    found = pairs(levels, question)
    curves, log_rank_p = _times(entries, question)
    budgets = _unequal_budgets(entries, question)
    warnings = [f"{level} has no runs here" for level in missing]
    warnings += _seed_warnings(levels, found, question)
    if question.tuned:
        warnings += _tuning_warnings(entries)
    if budgets:
        warnings.append(budgets)
    return Context(
        label=label,
        levels=levels,
        pairs=found,
        verdict=context_verdict(levels, found, question, budgets),
        survival=curves,
        log_rank_p=log_rank_p,
        tuning=_tuning_curves(entries, question),
        warnings=tuple(warnings),
    )


def _entry(
    level: str, runs: Sequence[Observation], choice: Choice | None, question: Question
) -> _Entry:
    """Pick the runs by which a level is judged, in order of their seeds, and summarise them."""
    reported = sorted((run for run in runs if run.phase == "report"), key=lambda run: run.seed)
    configuration = ""
    if choice:
        configuration = choice.configuration
        reported = [run for run in reported if run.configuration == configuration]
    elif question.tuned:
        configurations = {run.configuration for run in reported}
        if len(configurations) > 1:
            raise SpecError(
                f"{level} must have tune runs to choose among its {len(configurations)} "
                "configurations, got none; report runs may not choose"
            )
        (configuration,) = configurations
    values = np.array([run.value for run in reported], dtype=float)
    merits = oriented(values, question.higher_is_better)
    sign = 1.0 if question.higher_is_better else -1.0
    failed = sum(run.failed for run in reported)
    confidence = 1 - question.alpha
    (mean,) = mean_intervals([values], confidence, resamples=question.resamples, seed=question.seed)
    summary = LevelSummary(
        level=level,
        configuration=configuration,
        values=tuple(values.tolist()),
        seeds=tuple(run.seed for run in reported),
        mean=mean,
        median=sign * float(np.median(merits)) if len(merits) else math.nan,
        interquartile_mean=sign * interquartile_mean(merits),
        worst=sign * float(merits.min()) if len(merits) else math.nan,
        failures=wilson(failed, len(values), confidence),
        failed=failed,
        configurations=len(choice.scores) if choice else 1,
        budget=_budget(runs),
        at_edge=choice.at_edge if choice else (),
    )
    return _Entry(level, runs, reported, choice, summary)


def _merit(entry: _Entry, question: Question) -> tuple[float, float, float]:
    """What levels are sorted by: the mean; where it does not exist, how many values do."""
    merits = oriented(entry.summary.values, question.higher_is_better)
    if len(merits) == 0:
        return (-1.0, 0.0, 0.0)
    return (float(np.isfinite(merits).mean()), float(merits.mean()), float(np.median(merits)))


def _budget(runs: Sequence[Observation]) -> dict[str, dict[str, float]]:
    """Runs, steps and device seconds of each phase and in total; a named run counts once."""
    named = {run.run: run for run in runs if run.run}
    spent: dict[str, dict[str, float]] = {
        phase: {"runs": 0, "steps": 0, "seconds": 0.0} for phase in ("tune", "report", "total")
    }
    for run in [*named.values(), *(run for run in runs if not run.run)]:
        for phase in (run.phase, "total"):
            spent[phase]["runs"] += 1
            spent[phase]["steps"] += run.steps
            spent[phase]["seconds"] += run.seconds
    return spent


def _times(entries: Sequence[_Entry], question: Question) -> tuple[tuple[Survival, ...], float]:
    """Time to target of each level, and the log-rank p value; empty where no target was given."""
    if question.target is None:
        return (), math.nan
    longest = max((run.steps for entry in entries for run in entry.reported), default=0)
    times = [times_to_target(entry.reported, longest) for entry in entries]
    curves = tuple(
        survival(entry.level, steps, met, 1 - question.alpha)
        for entry, (steps, met) in zip(entries, times, strict=True)
    )
    return curves, log_rank(times)


def _tuning_curves(entries: Sequence[_Entry], question: Question) -> tuple[TuningCurve, ...]:
    """Curves of all levels; a diverged configuration counts as the worst score of the context."""
    scores = {entry.level: list(entry.choice.scores.values()) for entry in entries if entry.choice}
    sound = [score for each in scores.values() for score in each if math.isfinite(score)]
    if not sound:
        return ()
    return tuple(
        tuning_curve(
            level,
            each,
            higher_is_better=question.higher_is_better,
            worst=min(sound) if question.higher_is_better else max(sound),
            confidence=1 - question.alpha,
        )
        for level, each in scores.items()
    )


def _unequal_budgets(entries: Sequence[_Entry], question: Question) -> str:
    """A clause on unequal tuning runs or training steps; empty where they are equal."""
    clauses = []
    if question.tuned:
        runs = {entry.level: int(entry.summary.budget["tune"]["runs"]) for entry in entries}
        if len(set(runs.values())) > 1:
            each = ", ".join(f"{level} {count}" for level, count in runs.items())
            clauses.append(f"tuning budgets are unequal (runs: {each})")
    # Diverged and early stopped runs are shorter than what their level was granted.
    granted = {
        entry.level: max((run.steps for run in entry.reported), default=0) for entry in entries
    }
    steps = {level: count for level, count in granted.items() if count}
    if steps and max(steps.values()) > 1.01 * min(steps.values()):
        each = ", ".join(f"{level} {count}" for level, count in steps.items())
        clauses.append(f"training budgets are unequal (steps of the longest run: {each})")
    return "; ".join(clauses)


def _seed_warnings(
    levels: Sequence[LevelSummary], found: Sequence[Pair], question: Question
) -> Iterable[str]:
    """Missing seeds, and too few of them to tell so many levels apart."""
    all_seeds = {seed for level in levels for seed in level.seeds}
    for level in levels:
        missing = sorted(all_seeds - set(level.seeds))
        if not level.seeds:
            which = f" {level.configuration}" if level.configuration else ""
            yield f"{level.level} has no report runs of its configuration{which}"
        elif missing:
            seeds = _named_seeds(missing)
            yield f"{level.level} lacks {seeds}: it is compared on shared seeds only"
    family = sum(not math.isnan(pair.p) for pair in found)
    most = max((pair.seeds for pair in found), default=0)
    lowest = family * smallest_p(most, question.resamples)
    if most >= VERDICTS_FROM and lowest > question.alpha:
        yield (
            f"with {most} seeds the smallest p value, corrected for {family} comparisons, is "
            f"{lowest:.2g}: no level can be called better with so few"
        )


def _tuning_warnings(entries: Sequence[_Entry]) -> Iterable[str]:
    """What may be wrong with the choice of configurations."""
    for entry in entries:
        level, choice, summary = entry.level, entry.choice, entry.summary
        if choice is None:
            yield f"{level} was not tuned"
            continue
        if not any(map(math.isfinite, choice.scores.values())):
            yield f"every configuration of {level} diverged in tuning"
        if choice.at_edge:
            yield (
                f"{level} is best at the edge of the range tried for {', '.join(choice.at_edge)} "
                f"({choice.configuration}): a wider range may do better"
            )
        if len(set(choice.seeds.values())) > 1:
            yield f"configurations of {level} were tuned on different seeds"
        unused = int(summary.budget["report"]["runs"]) - len(entry.reported)
        if unused and entry.reported:
            yield f"{level} has {unused} report runs of configurations not chosen, left out"


def _named_seeds(seeds: Sequence[int], most: int = 5) -> str:
    """A short list of seeds: "seeds 1, 2, 3, 4, 5 and 7 more"."""
    shown = ", ".join(map(str, seeds[:most]))
    rest = f" and {len(seeds) - most} more" if len(seeds) > most else ""
    return f"seed{'s' * (len(seeds) > 1)} {shown}{rest}"
