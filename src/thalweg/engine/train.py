"""Train runs: program after program, wave after wave, everything into the record.

``train`` is a generator; the command line and the web page loop over it. Closing it (or killing
the process) loses at most what one wave did since its last checkpoint.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np

from thalweg.engine import devices, program
from thalweg.engine.arithmetic import USUAL, Arithmetic, data_type, in_precision
from thalweg.engine.compilation import compile_seconds, made_ahead
from thalweg.engine.devices import EVERYWHERE, put
from thalweg.engine.failing import explained, training
from thalweg.engine.feeding import Fed, InMemory, Supply, most_runs
from thalweg.engine.lanes import Pool, Rows
from thalweg.engine.layout import Layout
from thalweg.engine.order import by_length
from thalweg.engine.plan import Group, Job, stack_lanes
from thalweg.engine.recorder import Recorder
from thalweg.engine.room import Room, capacity, programs
from thalweg.engine.timetable import timetable
from thalweg.engine.wave import Progress, Wave
from thalweg.record.store import Record
from thalweg.record.tables import Checkpoint, Program

__all__ = ["Planned", "Pools", "Train", "made", "planned", "train"]

# What trains runs that a record knows, and yields progress: ``train``, or what does it elsewhere.
Train: TypeAlias = Callable[[Sequence[Job], Record], Iterator[Progress]]

# Floating-point operations of one call of a program, roughly: some tenths of a second on two
# cores, long enough that the host's part is small and short enough to follow on a screen.
CALL_FLOPS = 3e10
# What one step of one lane costs beside its arithmetic, in the same unit.
STEP_FLOPS = 6e5


class Planned(NamedTuple):
    """A wave before it is made.

    Args:
        members: its program.
        jobs: its runs.
        lanes: so many runs the program has lanes for at least.
        checkpoint: names the one that the wave goes on from, if any.
    """

    members: Group
    jobs: Sequence[Job]
    lanes: int
    checkpoint: str = ""


def train(jobs: Sequence[Job], record: Record, *, profile: bool = False) -> Iterator[Progress]:
    """Train runs that the record does not have, and yield progress.

    Args:
        jobs: the runs, already known to the record (``Record.add_experiment``).
        record: open for writing.
        profile: whether the record is to know what programs spend their time on, which takes two
            more calls of each.

    Raises:
        DeviceError: a device fails, which ends the training: it may fail whatever is asked of it
            next.
    """
    devices.prepare()
    waiting = {checkpoint.id: checkpoint for checkpoint in record.checkpoints()}
    groups = programs(jobs)
    make = partial(made, Pools(groups), record)
    waves = [wave for each in groups for wave in planned(each, waiting, capacity(each).lanes)]
    compiling: dict[str, float] = defaultdict(float)
    profiles: dict[str, Any] = {}
    # Devices that exchange something wait for each other, so they are given one program at a time.
    in_turn = any(each.shape.spread for each in groups) or jax.process_count() > 1
    ready = map(make, waves) if in_turn else made_ahead(make, waves)
    for (*_, checkpoint), wave in zip(waves, ready, strict=True):
        compiling[wave.program.id] += wave.program.compile_seconds
        description = wave.program.description
        if profile:
            if wave.program.id not in profiles:
                with explained(training(wave.jobs)):
                    profiles[wave.program.id] = wave.profiled()
            description = {**description, "profile": profiles[wave.program.id]}
        spent = compiling[wave.program.id]
        program = replace(wave.program, compile_seconds=spent, description=description)
        record.add_programs([program])
        yield from wave.train(record.checkpoint(checkpoint) if checkpoint else None)


def planned(members: Group, waiting: Mapping[str, Checkpoint], lanes: int) -> Iterator[Planned]:
    """The waves of a program: interrupted ones first, in the company they had; then the others.

    Args:
        members: the program's runs.
        waiting: checkpoints by id.
        lanes: the most runs of a wave that begins.
    """
    by_id = {job.id: job for job in members.jobs}
    for id_, checkpoint in waiting.items():
        if all(run in by_id for run in checkpoint.runs):
            yield Planned(members, [by_id.pop(run) for run in checkpoint.runs], lanes, id_)
    rest = list(by_id.values())
    if members.jobs[0].dataset.is_stored:
        lanes = min(lanes, most_runs(members))
    for begin in range(0, len(rest), lanes):
        yield Planned(members, rest[begin : begin + lanes], lanes)


def call_length(members: Group, runs: int) -> int:
    """Steps after which a wave of some runs returns to the host."""
    flops = (members.flops + STEP_FLOPS) * runs
    return int(np.clip(CALL_FLOPS / flops, 50, program.LONGEST))


def evaluation_cost(members: Group) -> float:
    """Cost of evaluating all data once, in epochs of training: a forward pass is a third of a
    step's arithmetic, but pays no overhead."""
    shape = members.shape
    row = members.flops / 3 / shape.batch_size
    epoch = shape.steps_per_epoch * (members.flops + STEP_FLOPS)
    return sum(members.jobs[0].sizes) * row / epoch


def program_id(members: Group, room: Room) -> str:
    """The name of a program: all that its numbers can depend on."""
    text = json.dumps(_description(members, room), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _description(members: Group, room: Room) -> dict[str, Any]:
    recipe = members.jobs[0].recipe
    return {
        "network": repr(recipe.network),
        "loss": type(recipe.loss).__name__,
        "optimizer": type(recipe.optimizer).__name__,
        "batch_size": members.shape.batch_size,
        "steps": members.shape.steps,
        "rows": members.jobs[0].sizes,
        "parameters": members.parameters,
        "width": room.width,
        **_differing(members.shape.arithmetic),
        "spread": members.shape.spread,
        "options": devices.compiler_options(),
        "machine": devices.describe(),
    }


def _differing(arithmetic: Arithmetic) -> dict[str, Any]:
    """What is asked of the arithmetic, where it is not as usual."""
    usual = asdict(USUAL)
    return {name: asked for name, asked in asdict(arithmetic).items() if asked != usual[name]}


def made(pools: Pools, record: Recorder, planned: Planned) -> Wave:
    """A wave, compiled. Runs in a thread: the record is handed on, and not looked into."""
    precision = planned.members.shape.arithmetic.precision
    with in_precision(precision), explained(f"preparing for {training(planned.jobs)}"):
        return _made(pools, record, planned)


def _made(pools: Pools, record: Recorder, planned: Planned) -> Wave:
    members, jobs, lanes, _ = planned
    room, shape = capacity(members, lanes), members.shape
    compiled = compile_seconds(own=True)
    # A wave that was begun on more devices goes on in the company it had.
    at_once = room.width * devices.apart(shape.spread)
    lanes = max(room.lanes, -(-len(jobs) // at_once) * at_once)
    layout = Layout(len(jobs), lanes, room.width, spread=shape.spread)
    rows, longest = [pools.rows(job) for job in jobs], call_length(members, len(jobs))
    wave = Wave(
        group=members,
        jobs=jobs,
        lane=layout.place(stack_lanes(jobs, rows)),
        data=pools.supply(members, jobs, rows, longest),
        layout=layout,
        longest=longest,
        timetable=timetable(
            members.training,
            shape.steps,
            shape.steps_per_epoch,
            program.LONGEST,
            evaluation_cost(members),
        ),
        sizes=jobs[0].sizes,
        counts=np.array([_counts(job) for job in jobs]),
        spread=np.array([_spread(job) for job in jobs]),
        record=record,
        program=Program(program_id(members, room), _description(members, room)),
    )
    wave.compile()
    compiled = compile_seconds(own=True) - compiled
    wave.program = replace(wave.program, compile_seconds=compiled)
    return wave


def _counts(job: Job) -> list[int]:
    """Per split, how many targets count."""
    splits = (job.split.train, job.split.validation, job.split.test)
    each = job.dataset.counted
    return [len(rows) if each is None else int(each[rows].sum()) for rows in splits]


def _spread(job: Job) -> list[float]:
    """Per split, the squared distances of the targets from their mean, for R²."""
    if not job.dataset.facts.has_numbers:
        return [0.0, 0.0, 0.0]
    spread = []
    for rows in (job.split.train, job.split.validation, job.split.test):
        targets = job.dataset.whole_targets("R²")[rows].astype(np.float64)
        spread.append(float(((targets - targets.mean(0)) ** 2).mean(1).sum()) if len(rows) else 0.0)
    return spread


class Pools:
    """The data of all programs: data sets of one shape in one array on the devices, unless they
    stay on disk.

    Runs name rows of it, so that runs on data that differ only in values share a program, and
    programs that train on the same data share its memory.
    """

    def __init__(self, groups: Sequence[Group]) -> None:
        self._offsets: dict[tuple[Any, str], int] = {}
        self._members: dict[Any, list[Any]] = {}
        self._made: dict[Any, Pool] = {}
        for members in groups:
            for job in members.jobs:
                dataset, key = job.dataset, _pool_key(job)
                if (key, dataset.fingerprint) not in self._offsets:
                    together = self._members.setdefault(key, [])
                    self._offsets[key, dataset.fingerprint] = sum(len(d.inputs) for d in together)
                    together.append(dataset)

    def rows(self, job: Job) -> Rows:
        """Row numbers of a run's splits in its pool."""
        offset = self._offsets[_pool_key(job), job.dataset.fingerprint]
        parts = (job.split.train, job.split.validation, job.split.test)
        if job.cuts:
            place = by_length(job.dataset)
            parts = (rows[np.argsort(place[rows], kind="stable")] for rows in parts)
        return Rows(*(rows + offset for rows in parts))

    def supply(
        self, members: Group, jobs: Sequence[Job], rows: Sequence[Rows], longest: int
    ) -> Supply:
        """What gives some runs of a program their data.

        Args:
            members: the program.
            jobs: the runs.
            rows: of each.
            longest: the most steps of a call.
        """
        if not jobs[0].dataset.is_stored:
            return InMemory(self._of(members))
        together, seeds = self._members[_pool_key(jobs[0])], [job.seed for job in jobs]
        return Fed(together, members.shape, seeds, rows, longest)

    def _of(self, members: Group) -> Pool:
        """The pool that the runs of a program train on."""
        key = _pool_key(members.jobs[0])
        if key not in self._made:
            together = self._members[key]
            precision = members.shape.arithmetic.precision
            arrays = (
                [dataset.whole("a pool") for dataset in together],
                [dataset.whole_targets("a pool") for dataset in together],
            )
            joined = (np.concatenate(each) for each in arrays)
            typed = (each.astype(data_type(each.dtype, precision), copy=False) for each in joined)
            self._made[key] = Pool(*put(tuple(typed), EVERYWHERE))
        return self._made[key]


def _pool_key(job: Job) -> Any:
    dataset = job.dataset
    shapes = dataset.inputs.shape, dataset.targets.shape
    return *shapes, job.input_type, dataset.task, dataset.is_stored
