"""Runs that start where others ended: which others, and what they ended with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from thalweg.catalogue.starts import FromRun
from thalweg.engine.plan import Job
from thalweg.engine.starting import check_recorded
from thalweg.errors import RecordError, SpecError
from thalweg.part import replace
from thalweg.record.store import Record
from thalweg.spec.identity import run_id, run_spec

__all__ = ["RunsBySeed", "pretrained"]

#: The ids of the runs of a spec file, by seed.
RunsBySeed = Callable[[str], Mapping[int, str]]


def pretrained(jobs: Sequence[Job], project: Path, runs_of: RunsBySeed) -> list[Job]:
    """Runs with what they start from; the ids of the others are part of their own.

    Args:
        jobs: runs of one recipe.
        project: folder of the record that has the others.
        runs_of: finds the runs of a spec file.

    Raises:
        SpecError: a spec file has no run of a seed, or layers differ.
        RecordError: another run has not ended.
    """
    if not any(isinstance(start, FromRun) for start in jobs[0].recipe.start):
        return list(jobs)
    found = [_named(job, runs_of) for job in jobs]
    with Record.open(project) as record:
        return [_with_recorded(job, record) for job in found]


def _named(job: Job, runs_of: RunsBySeed) -> Job:
    """A run that names the others by their ids."""
    starts = tuple(
        replace(start, run=_run_of_seed(start.file, job.seed, runs_of))
        if isinstance(start, FromRun) and start.file
        else start
        for start in job.recipe.start
    )
    recipe = replace(job.recipe, start=starts)
    own = run_spec(recipe, job.dataset.fingerprint, job.seed)
    spec = {**job.spec, **own}
    return dataclasses.replace(job, id=run_id(spec), spec=spec, recipe=recipe)


def _run_of_seed(file: str, seed: int, runs_of: RunsBySeed) -> str:
    runs = runs_of(file)
    if seed not in runs:
        raise SpecError(
            f"FromRun.run: {file} has no run of seed {seed}, but {_seeds(runs)}; give it as many "
            "seeds as start from it, or name one run by its id"
        )
    return runs[seed]


def _seeds(runs: Mapping[int, str]) -> str:
    return f"of seeds {min(runs)} to {max(runs)}" if len(runs) > 1 else f"of seed {min(runs)} alone"


def _with_recorded(job: Job, record: Record) -> Job:
    names = {start.run for start in job.recipe.start if isinstance(start, FromRun)}
    recorded = {}
    for name in names:
        if record.outcomes([name]).get(name) not in ("finished", "stopped"):
            raise RecordError(
                f"FromRun.run: the record in {record.project} has no run {name} that has ended "
                "well; `thalweg run` its spec first"
            )
        recorded[name] = record.arrays(name)
    made = dataclasses.replace(job, recorded=recorded)
    check_recorded(made)
    return made
