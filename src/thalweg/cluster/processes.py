"""One training in several processes: all of them take each step together, over all their devices.

The first process plans, and alone has the record open. It tells the others what to train, and what
a wave goes on from; then all do the same, in the same order, as devices that exchange something
wait for each other. What hangs on more than the runs is the first one's to decide: when a
checkpoint is written (``devices.agreed``), and whether training goes on after a call.
"""

from __future__ import annotations

import atexit
import os
import re
import signal
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self, cast

import jax
from jax.errors import JaxRuntimeError

from thalweg.cluster.meeting import meet
from thalweg.cluster.place import Place
from thalweg.cluster.work import check_schedules
from thalweg.engine import devices
from thalweg.engine.devices import agreed, told
from thalweg.engine.plan import Job
from thalweg.engine.train import train
from thalweg.engine.wave import Progress
from thalweg.errors import ClusterError, DeviceError
from thalweg.record.store import Record
from thalweg.record.tables import Checkpoint, Program

__all__ = ["Processes"]

# What a failure says that is not of a device, but of what connects it with those of others.
_OF_OTHERS = re.compile("gloo|nccl|connection|peer|coordination|heartbeat|unavailable", re.I)

# Seconds until a process that says nothing is taken for lost, and that all wait for the last one.
LOST_AFTER, WAIT = 30, 300


class Processes:
    """This process, joined with the others; to be left, with ``with``.

    Args:
        place: which they are, and what each is given.

    Raises:
        ClusterError: they do not come together.
    """

    def __init__(self, place: Place) -> None:
        self._at_rest = True  # whether the others wait to be told what to train
        if place.coordinator:
            assert place.processes is not None
            assert place.process is not None
            meet(place.coordinator, place.processes, place.process, WAIT)
        devices.prepare()
        jax.config.update("jax_num_cpu_devices", place.cores)
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        jax.config.update("jax_enable_preemption_service", False)  # or SIGTERM ends nothing
        if place.gpus == 0:
            jax.config.update("jax_platforms", "cpu")
        try:
            jax.distributed.initialize(
                place.coordinator,
                place.processes,
                place.process,
                initialization_timeout=WAIT,
                heartbeat_timeout_seconds=LOST_AFTER,
                shutdown_timeout_seconds=LOST_AFTER,
            )
        except (RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())
            remedy = "" if place.coordinator else "; without Slurm or MPI, say where they meet"
            raise ClusterError(f"the processes did not come together{remedy} ({reason})") from error
        self.number = jax.process_index()
        with _lost(), _printing_apart():
            agreed(True)  # connects the devices

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Let the others go; where something went wrong on the way, they notice by themselves."""
        if not self._at_rest:
            return
        with _lost():
            if self.number == 0:
                told(None)
            jax.distributed.shutdown()

    def train(self, jobs: Sequence[Job], record: Record) -> Iterator[Progress]:
        """In the first process: train runs as ``engine.train.train`` does.

        Raises:
            ClusterError: a process was lost.
            SpecError: runs have schedules that are adjusted by hand.
        """
        check_schedules(jobs)
        self._at_rest = False
        with _lost(), _interrupted_between_calls() as interrupted:
            steps = _in_step(told(tuple(jobs)), _Shared(record))
            with closing(steps):  # which tells the others, too
                for progress in steps:
                    self._at_rest = True
                    yield progress
                    if interrupted.is_set():
                        raise KeyboardInterrupt
                    self._at_rest = False
        self._at_rest = True

    def follow(self) -> None:
        """In the others: train what the first one does, until it has nothing more to do.

        Raises:
            ClusterError: a process was lost.
        """
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first one says when to stop
        self._at_rest = False
        with _lost():
            while (jobs := told(None)) is not None:
                for _ in _in_step(jobs, _Shared(None)):
                    pass
        self._at_rest = True


def _in_step(jobs: Sequence[Job], record: _Shared) -> Generator[Progress]:
    """Train runs, in all processes, for as long as the first one asks for more."""
    for progress in train(jobs, cast(Record, record)):
        more = False
        try:
            yield progress
            more = True
        finally:
            more = agreed(more)
        if not more:
            return


class _Shared:
    """The record, as all processes see it: the first one reads and writes, the others are told.

    Args:
        record: in the first process, open for writing.
    """

    # Asked for only where runs are adjusted by hand, which these are not.
    project = Path()

    def __init__(self, record: Record | None) -> None:
        self._record = record

    def answered(self) -> set[str]:
        return set()

    def checkpoints(self) -> list[Checkpoint]:
        return told(self._record and self._record.checkpoints())

    def checkpoint(self, id: str) -> Checkpoint:
        return told(self._record and self._record.checkpoint(id))

    def add_programs(self, programs: Sequence[Program]) -> None:
        if self._record is not None:
            self._record.add_programs(programs)

    def write(self, **changes: Any) -> None:
        if self._record is not None:
            self._record.write(**changes)


@contextmanager
def _printing_apart() -> Iterator[None]:
    """What libraries print goes to standard error, as standard output is for results."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


@contextmanager
def _lost() -> Iterator[None]:
    """Say in one sentence that computing together has failed.

    A device that fails says so itself, in its own process; what the others then hear is that this
    one was lost.
    """
    try:
        yield
    except (DeviceError, JaxRuntimeError, ValueError) as error:
        said = error.__cause__ if isinstance(error, DeviceError) else error
        reason = " ".join(str(said).split())
        if isinstance(error, ValueError) and "Gloo" not in reason:  # which JAX raises as it comes
            raise
        # At its end JAX would wait for the others, and then abort.
        atexit.register(_leave)
        if isinstance(error, DeviceError) and not _OF_OTHERS.search(reason):
            raise
        raise ClusterError(
            "a process was lost, and the others cannot go on without it; give all of them the "
            f"same commands again to go on from the last checkpoint ({reason})"
        ) from error


def _leave() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


@contextmanager
def _interrupted_between_calls() -> Iterator[threading.Event]:
    """Ctrl-C is heard between two calls, where the others can be told; the second one at once."""
    interrupted = threading.Event()
    before = signal.getsignal(signal.SIGINT)

    def hear(number: int, frame: Any) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, hear)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
