"""What it took and how to do it again: outcomes, budget, environment and specification."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from thalweg.record.tables import Run
from thalweg.report.groups import View, level_of
from thalweg.report.parts import Code, Facts, Paragraph, Section, Table
from thalweg.report.words import count, duration, short
from thalweg.statistics.intervals import wilson

__all__ = ["adjusted", "budget", "environment", "outcomes", "profile", "reproduction"]

MOST_ROWS = 40


def outcomes(view: View) -> Section | None:
    """How runs ended, by level and in all, with an interval on the share that diverged."""
    runs = view.experiment.runs
    if not runs:
        return None
    held = {group.name: list(group.runs) for group in view.groups}
    if view.comparison:
        held = {name: [] for name in held}
        for run in runs:
            held.setdefault(level_of(run, view.comparison), []).append(run)
    alpha = view.comparison.alpha if view.comparison else 0.05
    rows = [_outcome_row(name, some, alpha) for name, some in list(held.items())[:MOST_ROWS]]
    if len(held) > 1:
        rows.append(_outcome_row("all", runs, alpha))
    unfinished = any(run.outcome in ("waiting", "training") for run in runs)
    columns = ["", "runs", "finished", "diverged", "stopped early"]
    columns += ["not finished"] * unfinished + [f"share diverged [{100 * (1 - alpha):g}\xa0%]"]
    kept = [row if unfinished else (*row[:5], row[6]) for row in rows]
    alignment = "l" + "r" * (len(columns) - 1)
    what = "tuning and reported runs" if view.comparison and view.comparison.tuned else "all runs"
    caption = f"How {what} ended. Diverged runs count in every result above."
    parts = [Table(tuple(columns), tuple(kept), alignment, caption)]
    if len(held) > MOST_ROWS:
        rest = len(held) - MOST_ROWS
        return Section("Outcomes", (*parts, Paragraph(f"{rest} more left out.", "note")))
    return Section("Outcomes", tuple(parts))


def _outcome_row(name: str, runs: Sequence[Run], alpha: float) -> tuple[str, ...]:
    counts = {
        kind: sum(run.outcome == kind for run in runs)
        for kind in ("finished", "diverged", "stopped", "waiting", "training")
    }
    ended = counts["finished"] + counts["diverged"] + counts["stopped"]
    share = wilson(counts["diverged"], ended, 1 - alpha)
    words = f"{share.estimate:.0%} [{share.low:.0%}, {share.high:.0%}]" if ended else "–"
    return (
        name,
        f"{len(runs):,}",
        f"{counts['finished']:,}",
        f"{counts['diverged']:,}",
        f"{counts['stopped']:,}",
        f"{counts['waiting'] + counts['training']:,}",
        words,
    )


def adjusted(view: View) -> Section | None:
    """What was changed by hand while runs trained: without it their specs do not say all."""
    made = [(run, one) for run in view.experiment.runs for one in run.adjustments]
    if not made:
        return None
    runs = len({run.id for run, _ in made})
    text = (
        f"{count(runs, 'run')} of {len(view.experiment.runs):,} "
        f"{'was' if runs == 1 else 'were'} adjusted by hand. The same is done again by "
        'Piecewise(per = "step") with these steps and factors in the place of Manual.'
    )
    rows = tuple(
        (run.id[:12], one.name, f"{one.step:,}", short(one.factor, 6), one.origin, one.time)
        for run, one in made[:MOST_ROWS]
    )
    columns = ("run", "number", "from step", "initial value times", "asked by", "at")
    parts: list[Any] = [Paragraph(text, "warning"), Table(columns, rows, "llrrll")]
    if len(made) > MOST_ROWS:
        parts.append(Paragraph(f"{len(made) - MOST_ROWS} more left out.", "note"))
    return Section("Adjusted by hand", tuple(parts))


def budget(view: View) -> Section | None:
    """Runs, steps and time spent: in all, on compilation, and by level."""
    experiment = view.experiment
    if not experiment.runs:
        return None
    facts = [
        ("runs", f"{len(experiment.runs):,}"),
        ("training steps", f"{sum(run.step for run in experiment.runs):,}"),
        ("training", duration(sum(run.train_seconds for run in experiment.runs))),
    ]
    if experiment.programs:
        seconds = sum(program.compile_seconds for program in experiment.programs)
        text = f"{duration(seconds)} for {count(len(experiment.programs), 'program')}"
        facts.append(("compilation", text))
    parts: list[Any] = [Facts(tuple(facts))]
    context = view.context
    if context is not None and any(level.budget for level in context.levels):
        columns = ("level", "configurations", "tuning runs", "reported runs", "steps", "time")
        rows = tuple(
            (
                level.level,
                f"{level.configurations:,}",
                *(f"{level.budget.get(p, {}).get('runs', 0):,.0f}" for p in ("tune", "report")),
                f"{_total(level.budget, 'steps'):,.0f}",
                duration(_total(level.budget, "seconds")),
            )
            for level in context.levels[:MOST_ROWS]
        )
        caption = "What each level was given"
        caption += f" at {context.label}." if context.label else "."
        parts.append(Table(columns, rows, "lrrrrr", caption))
    return Section("Budget", tuple(parts))


def profile(view: View) -> Section | None:
    """What programs spent their time on, where somebody asked."""
    found = [
        (program.description, program.description["profile"])
        for program in view.experiment.programs
        if "profile" in program.description
    ]
    if not found:
        return None
    kinds = list(dict.fromkeys(kind for _, held in found for kind in held["shares"]))
    rows = tuple(
        (
            f"{program['optimizer']}, {program['parameters']:,} parameters, "
            f"batch {program['batch_size']}",
            short(1e3 * held["seconds"]),
            "–" if held["flops"] is None else short(held["flops"] / 1e9),
            "–" if held["flops"] is None else f"{held['flops'] / held['peak']:.0%}",
            *(f"{held['shares'].get(kind, 0):.0%}" for kind in kinds),
        )
        for program, held in found[:MOST_ROWS]
    )
    columns = ("program", "ms a run-step", "GFLOP/s", "of the peak", *kinds)
    reached = max(held["peak"] for _, held in found)
    caption = (
        f"One call of each program, timed and then watched. The peak, {short(reached / 1e9)} "
        "GFLOP/s, is what products of large matrices reached here. GFLOP/s count the products of a "
        "step; the shares are of the time of all devices, and waiting is for the host, for one "
        "another and between operations."
    )
    return Section(
        "Where time goes", (Table(columns, rows, "l" + "r" * (len(columns) - 1), caption),)
    )


def _total(spent: Mapping[str, Mapping[str, float]], what: str) -> float:
    return sum(spent.get(phase, {}).get(what, 0.0) for phase in ("tune", "report"))


def environment(view: View) -> Section | None:
    """What it ran on."""
    held = {name: v for name, v in view.experiment.environment.items() if name != "source"}
    items = tuple(_flat(held))
    return Section("Environment", (Facts(items),)) if items else None


def _flat(held: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in held.items():
        words = f"{prefix}{str(name).replace('_', ' ')}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{words}: ")
        elif isinstance(value, list | tuple):
            yield words, ", ".join(map(str, value))
        else:
            yield words, str(value)


def reproduction(view: View, source: str) -> Section:
    """The specification that gives these results again."""
    by_hand = any(run.adjustments for run in view.experiment.runs)
    but = " but those adjusted by hand" if by_hand else ""
    text = Paragraph(
        f"Running this specification again repeats every run above{but}, seeds included."
    )
    source = source or str(view.experiment.environment.get("source", ""))
    if source:
        return Section("Reproduce it", (text, Code(source.strip("\n"), "toml")), folded=True)
    spec = json.dumps(view.experiment.spec, indent=2, ensure_ascii=False, default=str)
    return Section("Reproduce it", (text, Code(spec, "json")), folded=True)
