"""What ``run``, ``plan``, ``compare``, ``report`` and ``export`` do."""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click

from thalweg.cli import output
from thalweg.cli.adjust import keyboard
from thalweg.cli.estimate import estimated_seconds
from thalweg.cli.overview import Overview, plan_overview, plan_page
from thalweg.cli.progress import Tally, followed
from thalweg.cli.request import Request
from thalweg.engine.train import Train, train
from thalweg.errors import SpecError
from thalweg.laboratory import FINAL, Laboratory, Plan
from thalweg.record.store import Record
from thalweg.record.tables import Experiment
from thalweg.report import accounts, figure_png, figure_svg, to_html, to_markdown, to_text
from thalweg.report.averages import averaged
from thalweg.report.contexts import across_contexts
from thalweg.report.contrasts import pairs
from thalweg.report.findings import ranking, verdict
from thalweg.report.groups import view
from thalweg.report.parts import Figure, Page, Section
from thalweg.report.words import count, duration
from thalweg.statistics.comparison import Comparison
from thalweg.statistics.ensembles import Ensembles

__all__ = ["compare", "export", "plan", "report", "run"]

# A plan of more runs than this is not started, and not even made, without being asked for twice.
MANY = 10_000


# --------------------------------------------------------------------------------------------- run


def run(
    request: Request,
    *,
    on: str | None,
    profile: bool,
    report: Path | None,
    yes: bool,
    json: bool,
    **given: Any,
) -> None:
    """Train, then print the verdict.

    Args:
        on: where, and ``given``, what for each task there: fields of ``cluster.Place``.
    """
    if profile and on is not None:
        raise SpecError("--profile measures programs on this machine; leave --on out")
    laboratory = request.laboratory()
    _agree(laboratory.size(), yes)
    # Before anything is planned: a cluster is started by forking, which JAX must not be in use for.
    with _trainer(on, **given) as trainer:
        if trainer is None:
            if not json:
                output.note("the first process has ended training; the record is there")
            return
        planned = laboratory.plan()
        tally = Tally(planned, laboratory.metric, laboratory.higher_is_better)
        if not json:
            for note in planned.notes:
                output.note(note)
            output.note(_beginning(planned))
        begin = time.monotonic()
        _train(laboratory, tally, partial(train, profile=True) if profile else trainer)
        seconds = time.monotonic() - begin
    found = _found(laboratory)
    if not json:
        new = len(tally.outcomes) - tally.recorded
        waited = f", of which {duration(tally.waited)} for data" if tally.waited else ""
        trained = f"trained {count(new, 'run')} in {duration(seconds)}{waited}; " if new else ""
        output.note(f"{trained}the record is {request.project}")
        output.say(f"\n{_text(found, *(accounts.profile,) * profile)}")
    if report is not None:
        with output.writing(report):
            laboratory.report(report)
    if json:
        output.emit(_outcome(laboratory, found, planned.notes, report))
    elif report is not None:
        output.say(f"\nThe report is {report}")


def _beginning(plan: Plan) -> str:
    """What is about to be trained."""
    waiting = plan.runs - plan.recorded
    if not waiting:
        return f"nothing to train: {count(plan.runs, 'run')} recorded already"
    already = f"; {plan.recorded:,} more are recorded already" if plan.recorded else ""
    if plan.reporting and plan.recorded < len(plan.trials):
        tuning = len(plan.trials) - plan.recorded
        return (
            f"training {count(waiting, 'run')}: {tuning:,} to tune, "
            f"then about {plan.reporting:,} to report{already}"
        )
    return f"training {count(waiting, 'run')}{already}"


def _agree(runs: int, yes: bool) -> None:
    """Ask before very many runs; where nobody can answer, refuse."""
    if runs <= MANY or yes:
        return
    if not output.interactive():
        raise SpecError(
            f"this plan has {runs:,} runs, more than {MANY:,}; add --yes to start it all the same"
        )
    if not click.confirm(f"This plan has {runs:,} runs. Start it?", err=True):
        raise click.exceptions.Exit(1)


def _trainer(on: str | None, **given: Any) -> AbstractContextManager[Train | None]:
    """What trains runs: this process, or a cluster for as long as it is entered."""
    given = {name: value for name, value in given.items() if value is not None}
    if on is None:
        if given.keys() & {"processes", "process"}:
            raise SpecError("--processes and --process need --on processes:HOST:PORT")
        if given:
            needing = " and ".join(f"--{name}" for name in given)
            raise SpecError(
                f"{needing} {'needs' if len(given) == 1 else 'need'} --on PLACE: this machine "
                "trains on all its cores and GPUs"
            )
        return nullcontext(train)
    from thalweg.cluster import Place, connected

    return connected(Place(on, **given))


def _train(laboratory: Laboratory, tally: Tally, trainer: Train) -> None:
    """Train to the end, or until interrupted."""
    try:
        with (
            closing(laboratory.run(trainer)) as training,
            followed(tally) as add,
            keyboard(laboratory.project, tally.adjustable) as listen,
        ):
            for progress in training:
                add(progress)
                listen()
    except KeyboardInterrupt:
        print(
            f"\ninterrupted with {len(tally.outcomes):,} of {count(tally.total, 'run')} done; "
            "run the same command again to go on from here",
            file=sys.stderr,
        )
        raise click.exceptions.Exit(130) from None


class _Found(NamedTuple):
    """What is recorded, and what follows from it."""

    recorded: Experiment
    comparison: Comparison | None
    ensembles: Ensembles | None


def _found(laboratory: Laboratory) -> _Found:
    return _Found(laboratory.record(), laboratory.compare(), laboratory.ensembles())


def _outcome(
    laboratory: Laboratory, found: _Found, notes: tuple[str, ...], report: Path | None
) -> dict[str, Any]:
    recorded = found.recorded
    outcomes = Counter(run.outcome for run in recorded.runs)
    return {
        "experiment": recorded.id,
        "question": recorded.question,
        "project": laboratory.project,
        "notes": notes,
        "metric": laboratory.metric,
        "runs": {
            "total": len(recorded.runs),
            **{outcome: outcomes[outcome] for outcome in FINAL},
        },
        "comparison": found.comparison,
        "ensembles": found.ensembles,
        "report": report,
    }


def _text(found: _Found, *more: Callable[..., Any]) -> str:
    """Verdict, ranking and ensembles, and what other sections are asked for."""
    seen = view(found.recorded, found.comparison)
    sections = (
        verdict(seen),
        ranking(seen),
        averaged(seen, found.ensembles),
        *(make(seen) for make in more),
    )
    title = found.recorded.question or "Training runs"
    page = Page(title, tuple(s for s in sections if isinstance(s, Section)))
    return to_text(page, output.width()).rstrip("\n")


# -------------------------------------------------------------------------------------------- plan


def plan(request: Request, *, whole: bool, layers: bool, json: bool) -> None:
    """Print what would run."""
    laboratory = request.laboratory()
    runs = laboratory.size()
    if runs > MANY and not whole:
        _count_only(laboratory, runs, json)
        return
    planned = laboratory.plan()
    seconds = estimated_seconds(planned, request.project)
    if json:
        output.emit(plan_overview(laboratory, planned, seconds, layers))
    else:
        page = plan_page(laboratory, planned, seconds, layers)
        output.say(to_text(page, output.width()).rstrip("\n"))


def _count_only(laboratory: Laboratory, runs: int, json: bool) -> None:
    if json:
        output.emit(Overview(laboratory.experiment.question, counted_only=True, runs=runs))
    else:
        output.note(
            f"{runs:,} runs, more than {MANY:,}: only counted. `thalweg plan --yes` plans them "
            "all, which takes a while; `thalweg run` asks before it starts."
        )


# ------------------------------------------------------------------------------- compare and report


def compare(request: Request, *, json: bool) -> None:
    """Print the verdict on what is recorded."""
    laboratory = request.laboratory()
    if laboratory.experiment.compare is None:
        raise SpecError(
            'the spec asks for no comparison; add a [compare] table, such as factor = "optimizer"'
        )
    laboratory.plan()  # finds what is wrong with the spec before the record is asked
    found = _found(laboratory)
    if json:
        output.emit({**output.plain(found.comparison), "ensembles": found.ensembles})
    else:
        output.say(_text(found, across_contexts, pairs))


def report(
    request: Request,
    *,
    out: Path | None,
    markdown: Path | None,
    svg: Path | None,
    png: Path | None,
    json: bool,
) -> None:
    """Write the report in the forms that are asked for."""
    if not (out or markdown or svg or png):
        out = Path("report.html")
    laboratory = request.laboratory()
    page = laboratory.page()
    for path, render in ((out, to_html), (markdown, to_markdown)):
        if path is not None:
            with output.writing(path):
                path.write_text(render(page), encoding="utf-8")
    drawn: dict[str, list[Path]] = {"svg": [], "png": []}
    for name, folder in (("svg", svg), ("png", png)):
        if folder is not None:
            drawn[name] = _draw(page, folder, name)
    if json:
        identity = laboratory.record().id
        output.emit({"experiment": identity, "html": out, "markdown": markdown, **drawn})
        return
    for path in (out, markdown, *drawn["svg"], *drawn["png"]):
        if path is not None:
            output.say(str(path))


def _draw(page: Page, folder: Path, kind: str) -> list[Path]:
    """Every figure of a page as a file of its own, numbered in reading order."""
    figures = [part for s in page.sections for part in s.parts if isinstance(part, Figure)]
    paths = []
    for number, figure in enumerate(figures, 1):
        name = re.sub(r"\W+", "-", figure.title.lower()).strip("-")
        path = folder / f"{number:02}-{name}.{kind}"
        drawn = figure_svg(figure).encode() if kind == "svg" else figure_png(figure)
        with output.writing(path):
            path.write_bytes(drawn)
        paths.append(path)
    return paths


def export(request: Request, folder: Path, format: Any, *, json: bool) -> None:
    """Write what is recorded as tables."""
    from thalweg.record.export import export as write_tables

    laboratory = request.laboratory()
    recorded = laboratory.record()
    with output.writing(folder / "runs"), Record.open(request.project) as record:
        paths = write_tables(record, recorded, folder, format)
    if json:
        output.emit({"experiment": recorded.id, "files": paths})
        return
    for path in paths:
        output.say(str(path))
