"""A plan for the reader, as a page and as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from thalweg.catalogue.curvature.dense import bytes_in_words
from thalweg.catalogue.networks.summary import LayerSummary, Summary
from thalweg.cli.output import roughly
from thalweg.engine.plan import Group, summary_of
from thalweg.laboratory import Laboratory, Plan
from thalweg.part import declarations, is_part, part_name
from thalweg.report.parts import Facts, Page, Paragraph, Part, Section, Table
from thalweg.spec.expand import label
from thalweg.spec.families import names_within

__all__ = ["Overview", "ProgramOverview", "differing", "plan_overview", "plan_page"]

MOST_PROGRAMS = 30


@dataclass(frozen=True)
class ProgramOverview:
    """One program of a plan: its runs, what they share, and the choices that set it apart.

    Args:
        layers: of the network, one after the other; None where they were not asked for.
    """

    runs: int
    steps: int
    batch_size: int
    parameters: int
    choices: Mapping[str, str]
    layers: tuple[LayerSummary, ...] | None = None


@dataclass(frozen=True)
class Overview:
    """A plan as ``thalweg plan --json`` prints it.

    Args:
        counted_only: the plan is so large that it was not made: what follows ``runs`` is None.
        runs: all; where counted only, an upper bound without the reporting phase after tuning.
        recorded: runs that need not be trained; of those to report, once tuning has ended.
        adjusted: runs of the first phase that are recorded and were adjusted by hand.
        steps: run-steps of the first phase.
        varied: paths that take several values; differ_in: those that need several programs.
        seconds: that the rest will take, roughly.
        notes: what was inferred from the data.
    """

    question: str
    counted_only: bool
    runs: int
    runs_to_tune: int | None = None
    runs_to_report: int | None = None
    recorded: int | None = None
    adjusted: int | None = None
    configurations: int | None = None
    duplicates: int | None = None
    seeds: Mapping[str, int] | None = None
    steps: int | None = None
    varied: tuple[str, ...] | None = None
    differ_in: tuple[str, ...] | None = None
    programs: tuple[ProgramOverview, ...] | None = None
    memory_bytes: int | None = None
    seconds: float | None = None
    notes: tuple[str, ...] | None = None


def differing(groups: tuple[Group, ...]) -> dict[str, tuple[str, ...]]:
    """Why runs need several programs: by path, the choice of each program, where they differ."""
    found = [dict(_choices(group.jobs[0].recipe, "")) for group in groups]
    paths = dict.fromkeys(path for choices in found for path in choices)
    chosen: dict[str, tuple[str, ...]] = {}
    for path in paths:
        # Where the parts differ, it goes without saying that their fields do.
        if not any(path.startswith(f"{above}.") for above in chosen):
            values = tuple(choices.get(path, "–") for choices in found)
            if len(set(values)) > 1:
                chosen[path] = values
    return chosen


def _choices(part: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every choice in a tree of parts by its path, the parts themselves included."""
    for name, declared in declarations(type(part)).items():
        held, at = getattr(part, name), f"{path}.{name}" if path else name
        if isinstance(held, tuple) and any(map(is_part, held)):
            yield at, " + ".join(map(part_name, held))
            for own, item in zip(names_within(held), held, strict=True):
                yield from _choices(item, f"{at}.{own}")
        elif is_part(held):
            yield at, part_name(held)
            yield from _choices(held, at)
        elif declared.kind == "choice" or held is None:
            yield at, label(held)


def plan_page(laboratory: Laboratory, plan: Plan, seconds: float, layers: bool) -> Page:
    """What would run; with ``layers``, also what the networks are made of."""
    compare = laboratory.experiment.compare
    tuned = compare is not None and bool(compare.tune)
    duplicates = f" ({plan.duplicates:,} duplicates removed)" if plan.duplicates else ""
    varied = f"vary in {', '.join(plan.varied)}" if plan.varied else "nothing varies"
    report = compare.seeds.report if compare else laboratory.experiment.seeds
    seeds = f"{report:,}"
    runs = f"{plan.runs:,}"
    if tuned and compare is not None:
        seeds = f"{compare.seeds.tune:,} to tune, then {report:,} fresh ones to report"
        runs = f"{len(plan.trials):,} to tune, then about {plan.reporting:,} to report"
    facts = Facts(
        (
            ("configurations", f"{plan.points:,}{duplicates}; {varied}"),
            ("seeds", seeds),
            ("runs", runs),
            ("recorded", f"{plan.recorded:,} of {plan.runs:,}{_by_hand(plan)}"),
            ("programs", f"{len(plan.groups):,}{' to tune' if tuned else ''}"),
            ("memory", f"about {bytes_in_words(plan.memory)}"),
            ("time", f"about {roughly(seconds)}" if seconds else "none: all is recorded"),
        )
    )
    sections = [Section("Plan", (facts,)), Section("Programs", _programs(plan))]
    if layers:
        tables = dict.fromkeys(summary_of(group.jobs[0]) for group in plan.groups)
        sections.append(Section("Layers", tuple(p for t in tables for p in _layers(t))))
    if plan.notes:
        inferred = tuple(Paragraph(note) for note in plan.notes)
        sections.append(Section("Inferred", inferred))
    return Page(laboratory.experiment.question or "Training runs", tuple(sections))


def _by_hand(plan: Plan) -> str:
    return f", {plan.adjusted:,} of them adjusted by hand" if plan.adjusted else ""


def _programs(plan: Plan) -> tuple[Part, ...]:
    reasons = differing(plan.groups)
    columns = ("", "runs", "steps", "parameters", *(path.rpartition(".")[2] for path in reasons))
    rows = tuple(
        (
            str(number + 1),
            f"{len(group.jobs):,}",
            f"{group.shape.steps:,}",
            f"{group.parameters:,}",
            *(values[number] for values in reasons.values()),
        )
        for number, group in enumerate(plan.groups[:MOST_PROGRAMS])
    )
    text = "All runs share one program: they differ in numbers only."
    if len(plan.groups) > 1:
        # Shapes of data are the one reason that is no choice of a part.
        why = ", ".join(reasons) or "the shape of the data"
        text = f"Runs that differ in numbers only share a program; these differ in {why}."
    parts: list[Part] = [Paragraph(text), Table(columns, rows, "lrrr" + "l" * len(reasons))]
    if len(plan.groups) > MOST_PROGRAMS:
        parts.append(Paragraph(f"{len(plan.groups) - MOST_PROGRAMS:,} more are left out."))
    return tuple(parts)


def _layers(summary: Summary) -> tuple[Part, ...]:
    """The table of one network."""
    columns = ("layer", "kind", "output", "parameters", "neurons", "multiply-adds")
    rows = tuple(
        (
            row.name,
            row.kind,
            " × ".join(map(str, row.output)),
            f"{row.parameters:,}",
            f"{row.neurons:,}",
            f"{row.multiply_adds:,}",
        )
        for row in summary.layers
    )
    text = (
        f"Inputs {' × '.join(map(str, summary.input))}; {summary.parameters:,} parameters, "
        f"{summary.multiply_adds:,} multiply-adds per example."
    )
    return Paragraph(text), Table(columns, rows, "lllrrr")


def plan_overview(laboratory: Laboratory, plan: Plan, seconds: float, layers: bool) -> Overview:
    """The same as data."""
    compare = laboratory.experiment.compare
    tuning = compare.seeds.tune if compare is not None and compare.tune else 0
    reasons = differing(plan.groups)
    return Overview(
        question=laboratory.experiment.question,
        counted_only=False,
        runs=plan.runs,
        runs_to_tune=len(plan.trials) if tuning else 0,
        runs_to_report=plan.reporting if tuning else len(plan.trials),
        recorded=plan.recorded,
        adjusted=plan.adjusted,
        configurations=plan.points,
        duplicates=plan.duplicates,
        seeds={
            "tune": tuning,
            "report": compare.seeds.report if compare else laboratory.experiment.seeds,
        },
        steps=plan.steps,
        varied=plan.varied,
        differ_in=tuple(reasons),
        programs=tuple(
            ProgramOverview(
                runs=len(group.jobs),
                steps=group.shape.steps,
                batch_size=group.shape.batch_size,
                parameters=group.parameters,
                choices={path: values[number] for path, values in reasons.items()},
                layers=summary_of(group.jobs[0]).layers if layers else None,
            )
            for number, group in enumerate(plan.groups)
        ),
        memory_bytes=plan.memory,
        seconds=seconds,
        notes=plan.notes,
    )
