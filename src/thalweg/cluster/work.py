"""What goes out to a worker and what comes back: a wave, and the writes to the record it makes.

A worker trains a wave as this machine would; what the wave writes to its record is sent to the one
process that has the record open, which applies it in order. Each message ends with a checkpoint or
with the end of the wave, so the record stands at all times where a new worker can go on, and
whatever a lost worker did after its last message never happened.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import jax

from thalweg.data import Dataset
from thalweg.engine import devices
from thalweg.engine.plan import Job, group
from thalweg.engine.room import capacity, programs
from thalweg.engine.train import Planned, Pools, made, planned
from thalweg.engine.wave import Progress
from thalweg.errors import SpecError
from thalweg.record.store import Record
from thalweg.record.tables import Checkpoint, Program

__all__ = [
    "MOST_LOSSES",
    "Inbox",
    "Message",
    "Work",
    "check_schedules",
    "compute_on",
    "divided",
    "train_wave",
]

# A wave that has lost so many workers without a message in between is what ends them.
MOST_LOSSES = 3


def check_schedules(jobs: Sequence[Job]) -> None:
    """Refuse runs whose schedules are adjusted by hand.

    Raises:
        SpecError: there are such.
    """
    if any(members.shape.adjustable for members in group(jobs)):
        raise SpecError(
            "manual schedules are adjusted where their runs train; leave --on out, or give them "
            "another schedule"
        )


def divided(
    jobs: Sequence[Job], record: Record, slots: int, cores: int, gpus: int
) -> list[Planned]:
    """Runs as waves: interrupted ones as they were, others so that there is one for each slot.

    Args:
        jobs: the runs.
        record: has the checkpoints of those that were interrupted.
        slots: waves that are trained at the same time.
        cores, gpus: of each of them.
    """
    waiting = {checkpoint.id: checkpoint for checkpoint in record.checkpoints()}
    waves: list[Planned] = []
    for members in programs(jobs):
        room = capacity(members, devices=gpus or devices.devices_of(cores))
        at_once = room.width * (gpus or cores)  # computed side by side: none should go without work
        share = -(-len(jobs) // (slots * at_once)) * at_once
        waves += planned(members, waiting, min(room.lanes, share))
    return waves


def compute_on(cores: int, gpus: int) -> None:
    """Configure JAX, once per process and before its first computation, for what a wave is given.

    Args:
        cores: processor cores, which it computes on where there is no GPU.
        gpus: GPUs that this process sees.
    """
    devices.prepare()
    jax.config.update("jax_num_cpu_devices", devices.devices_of(cores))
    if not gpus:
        jax.config.update("jax_platforms", "cpu")


@dataclass(frozen=True)
class Work:
    """A wave to be trained elsewhere. Data sets travel apart: many waves have the same.

    Args:
        planned: the wave; its jobs, and the first one of its program, are without their data sets.
        datasets: fingerprints of the data sets: of the program's first job, then of each job.
        checkpoint: what the wave goes on from; None where it begins.
    """

    planned: Planned
    datasets: tuple[str, ...]
    checkpoint: Checkpoint | None

    @classmethod
    def of(cls, planned: Planned, checkpoint: Checkpoint | None) -> Work:
        """The work of a wave; of the other runs of its program it says nothing."""
        jobs = (planned.members.jobs[0], *planned.jobs)
        # A job without its data set is on its way only: ``complete`` gives it back.
        first, *rest = [replace(job, dataset=cast(Any, None)) for job in jobs]
        sent = planned._replace(members=replace(planned.members, jobs=(first,)), jobs=rest)
        return cls(sent, tuple(job.dataset.fingerprint for job in jobs), checkpoint)

    def complete(self, datasets: Mapping[str, Dataset]) -> Planned:
        """The wave, given its data sets by fingerprint."""
        jobs = (self.planned.members.jobs[0], *self.planned.jobs)
        pairs = zip(jobs, self.datasets, strict=True)
        first, *rest = [replace(job, dataset=datasets[name]) for job, name in pairs]
        members = replace(self.planned.members, jobs=(first,))
        return self.planned._replace(members=members, jobs=rest)


@dataclass(frozen=True)
class Message:
    """What a wave did since its last message.

    Args:
        writes: arguments of ``Record.write``, one call after the other.
        since: steps at its beginning, as the checkpoint before it had them; 0 where there is none.
        progress: as ``Wave.train`` has it.
        program: what was compiled, in the first message.
        last: whether the wave has ended.
    """

    writes: tuple[Mapping[str, Any], ...]
    since: int
    progress: Progress
    program: Program | None = None
    last: bool = False


class _Outbox:
    """The record, as a wave sees it on a worker: it gathers writes up to a checkpoint."""

    # Asked for only where runs are adjusted by hand, which cannot be done from here.
    project = Path()

    def __init__(self, send: Callable[[Message], None], since: int) -> None:
        self._send = send
        self._since = since
        self._writes: list[Mapping[str, Any]] = []
        self._steps = 0
        self.program: Program | None = None

    def answered(self) -> set[str]:
        return set()

    def write(self, **changes: Any) -> None:
        self._writes.append(changes)
        checkpoint: Checkpoint | None = changes.get("checkpoint")
        if checkpoint is not None:
            self.send(Progress(self._steps))
            self._since = checkpoint.step

    def count(self, steps: int) -> None:
        self._steps += steps

    def send(self, progress: Progress, *, last: bool = False) -> None:
        progress = replace(progress, steps=self._steps)
        message = Message(tuple(self._writes), self._since, progress, self.program, last)
        self._writes, self._steps, self.program = [], 0, None
        self._send(message)


def train_wave(
    work: Work, datasets: Mapping[str, Dataset], send: Callable[[Message], None]
) -> None:
    """Train a wave on this machine.

    Args:
        work: the wave.
        datasets: by fingerprint.
        send: takes each message. While it waits the wave waits too, and as with a record that is
            slow to write, the longer it takes the rarer are checkpoints.
    """
    planned = work.complete(datasets)
    outbox = _Outbox(send, work.checkpoint.step if work.checkpoint is not None else 0)
    own = replace(planned.members, jobs=tuple(planned.jobs))
    wave = made(Pools([own]), outbox, planned)
    outbox.program = wave.program
    ended = Progress(0)
    for ended in wave.train(work.checkpoint):
        outbox.count(ended.steps)
    outbox.send(ended, last=True)


class Inbox:
    """Where messages enter the record, in the one process that has it open.

    Args:
        record: open for writing.
    """

    def __init__(self, record: Record) -> None:
        self._record = record
        self._compiling: dict[str, float] = defaultdict(float)

    def receive(self, message: Message) -> Progress:
        """Apply a message; those of one wave come in the order in which they were sent."""
        if (program := message.program) is not None:
            self._compiling[program.id] += program.compile_seconds
            spent = self._compiling[program.id]
            self._record.add_programs([replace(program, compile_seconds=spent)])
        for changes in message.writes:
            self._record.write(**changes)
        return message.progress

    def awaits(self, message: Message, wave: str) -> bool:
        """Whether a message goes on from where the record stands, and was not applied before."""
        updates = (update for changes in message.writes for update in changes.get("updates", ()))
        outcomes = self._record.outcomes({update.run for update in updates})
        if not set(outcomes.values()) <= {"waiting", "training"}:
            return False
        checkpoint = self.checkpoint(wave)
        return message.since == (checkpoint.step if checkpoint is not None else 0)

    def checkpoint(self, wave: str) -> Checkpoint | None:
        """Where the record says that a wave goes on; None where it begins."""
        known = {checkpoint.id for checkpoint in self._record.checkpoints()}
        return self._record.checkpoint(wave) if wave in known else None
