"""A process that writes a record and is killed: run by ``test_crash.py``, not by hand.

``python crashing_writer.py PROJECT loop``
    goes on from where the record stands, for ever, and prints each step once it is recorded.
``python crashing_writer.py PROJECT points``
    writes once in each of many forks, of which the n-th kills itself before the n-th thing that
    the write does to the disk; prints, for each, what the next reader and the next writer find.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.record import Record
from thalweg.record.tables import ArraysUpdate, Checkpoint, Experiment, Run, RunUpdate, SeriesChunk

RUNS = ("r0", "r1", "r2")
POINTS = 5  # of a curve in each write


def start(project: Path) -> None:
    """Make a record in which all runs wait."""
    with Record.open(project, write=True) as record:
        runs = tuple(Run(run, {}, seed) for seed, run in enumerate(RUNS))
        record.add_experiment(Experiment("e", "", {}, None, {}, runs))


def write(record: Record, step: int) -> None:
    """Take all runs ``POINTS`` steps further, to ``step``."""
    steps = np.arange(step - POINTS, step)
    record.write(
        updates=[RunUpdate(run, "training", step, 1.0) for run in RUNS],
        series=[
            SeriesChunk(run, "batch.loss", steps, steps + seed) for seed, run in enumerate(RUNS)
        ],
        checkpoint=Checkpoint("wave", RUNS, step, {"state": np.full(5_000, step)}),
        arrays=ArraysUpdate(RUNS, {"weights": np.full((3, 1_000), step)}),
    )


def found(project: Path, *, write: bool) -> int:
    """The step at which the record stands, after checking that all of it says the same."""
    with Record.open(project, write=write) as record:
        [answer] = record._connection.execute("pragma integrity_check").fetchone()
        assert answer == "ok", answer
        [step] = {run.step for run in record.experiment().runs}
        assert all(run.train_seconds == step / POINTS for run in record.experiment().runs)
        curves = record.series("batch.loss", RUNS)
        for seed, run in enumerate(RUNS if step else ()):
            np.testing.assert_array_equal(curves[run][0], np.arange(step))
            np.testing.assert_array_equal(curves[run][1], np.arange(step) + seed)
            np.testing.assert_array_equal(record.arrays(run)["weights"], np.full(1_000, step))
        for checkpoint in record.checkpoints():
            assert checkpoint.step == step
            np.testing.assert_array_equal(checkpoint.arrays["state"], np.full(5_000, step))
        assert len(record.checkpoints()) == (step > 0)
        if write:
            assert len(list((project / "arrays").iterdir())) == 2 * (step > 0)
        return step


def loop(project: Path) -> None:
    with Record.open(project, write=True) as record:
        step = record.experiment().runs[0].step
        while True:
            write(record, step := step + POINTS)
            print(step, flush=True)


def points(project: Path) -> None:
    for point in range(1_000):
        copy = project.with_name(f"{project.name}_{point}")
        shutil.copytree(project, copy)
        child = os.fork()
        if child == 0:
            with Record.open(copy, write=True) as record:
                kill_before(point, record)
                write(record, found_step + POINTS)
            os._exit(0)
        killed = os.waitpid(child, 0)[1] != 0
        print(point, killed, found(copy, write=False), found(copy, write=True), flush=True)
        with Record.open(copy, write=True) as record:
            step = record.experiment().runs[0].step
            write(record, step + POINTS)
        assert found(copy, write=True) == step + POINTS
        shutil.rmtree(copy)
        if not killed:
            return


def kill_before(point: int, record: Record) -> None:
    """Kill this process before the ``point``-th file operation or SQL statement."""
    passed = 0

    def step(*_: object) -> None:
        nonlocal passed
        if passed == point:
            os.kill(os.getpid(), signal.SIGKILL)
        passed += 1

    def stepping(call: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*arguments: Any, **named: Any) -> Any:
            step()
            return call(*arguments, **named)

        return stepped

    record._connection.set_trace_callback(step)
    for name in ("open", "fsync", "replace", "unlink"):
        setattr(os, name, stepping(getattr(os, name)))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    found_step = found(folder, write=False)
    {"loop": loop, "points": points}[sys.argv[2]](folder)
