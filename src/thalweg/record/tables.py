"""The shapes of what is recorded: one run, one stretch of a curve, one experiment.

The engine writes these, and everything after it (statistics, report, web, exports) reads them.
They are plain data, so ten hand-typed numbers make a test.

Names of series, all against the number of steps taken:

* ``batch.loss``: objective on the mini-batch, averaged over the steps since the previous point;
* ``train.loss``, ``validation.accuracy``, ``test.r2``…: ``<split>.<metric>`` on the whole split;
* ``<quantity>.<layer>``, e.g. ``gradient_norm.dense_0``: what a probe saw in one layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

__all__ = [
    "Adjustment",
    "ArraysUpdate",
    "Checkpoint",
    "Experiment",
    "Outcome",
    "Program",
    "Run",
    "RunUpdate",
    "SeriesChunk",
]

# waiting: nothing recorded yet; training: some chunks recorded; the other three are final.
Outcome = Literal["waiting", "training", "finished", "diverged", "stopped"]


@dataclass(frozen=True)
class Adjustment:
    """One change by hand of a number that a run was trained with.

    Args:
        run: id of the run.
        step: steps taken before it.
        name: of the number, as its ``Manual`` schedule has it.
        factor: what the schedule's initial value is multiplied by from then on.
        origin: who asked: ``keyboard``, or a command.
        time: when it was asked for; ISO 8601, UTC.
        request: id of the request.
    """

    run: str
    step: int
    name: str
    factor: float
    origin: str
    time: str
    request: str


@dataclass(frozen=True)
class Run:
    """One point of an experiment with one seed.

    Args:
        id: hash of the canonical spec of the run (seed included) and of the format version.
        spec: the canonical spec as JSON data.
        seed: integer from which all random streams of the run derive.
        outcome: how it ended, or that it has not.
        step: steps taken so far (for a diverged run, up to its last finite state).
        steps: steps planned.
        program: id of the compiled program that trained it, empty while waiting.
        train_seconds: its share of the wall time of its program, compilation excluded.
        finals: last value of every ``<split>.<metric>`` (of the best epoch, where restored).
        phase: ``tune`` or ``report``, within the experiment through which it was read.
        factors: what varies in that experiment, by path: ``{"optimizer": "adam", ...}``.
        layers: names of the layers that have series, in the order of the network.
        adjustments: what was changed by hand while it was trained, in that order; without them
            the spec alone does not give the run again.
    """

    id: str
    spec: Mapping[str, Any]
    seed: int
    outcome: Outcome = "waiting"
    step: int = 0
    steps: int = 0
    program: str = ""
    train_seconds: float = 0.0
    finals: Mapping[str, float] = field(default_factory=dict)
    phase: Literal["tune", "report"] = "report"
    factors: Mapping[str, Any] = field(default_factory=dict)
    layers: tuple[str, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()


@dataclass(frozen=True)
class RunUpdate:
    """What changed about a run since the last write."""

    run: str
    outcome: Outcome
    step: int
    train_seconds: float = 0.0  # added to what was recorded before
    finals: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class SeriesChunk:
    """A stretch of one curve of one run.

    Args:
        run: id of the run.
        name: name of the series.
        steps: int32 [n], strictly increasing, later than those already recorded.
        values: float32 [n].
    """

    run: str
    name: str
    steps: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Checkpoint:
    """The state of a wave of lanes in flight: what training needs to go on where it was cut off.

    Args:
        id: name of the wave; a later checkpoint of the same id replaces this one.
        runs: ids of the runs in the lanes.
        step: steps taken.
        arrays: the state, by name; of any shapes.
        extra: whatever else the engine must know, as JSON data.
    """

    id: str
    runs: tuple[str, ...]
    step: int
    arrays: Mapping[str, np.ndarray]
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ArraysUpdate:
    """Arrays of several runs: parameters, landscapes.

    Args:
        runs: ids of the runs.
        arrays: by name, stacked on the first axis: row i belongs to ``runs[i]``. An array replaces
            an earlier one of the same run and name.
    """

    runs: tuple[str, ...]
    arrays: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Program:
    """One compiled program: what all its runs share, and what its numbers depend on.

    Args:
        id: hash of the structure, shapes, lane width, compiler options and machine.
        description: what the runs share, as JSON data (lane width, devices, jaxlib, CPU, ...).
        compile_seconds: time spent tracing and compiling it.
    """

    id: str
    description: Mapping[str, Any]
    compile_seconds: float = 0.0


@dataclass(frozen=True)
class Experiment:
    """One specification with things to vary, as it was run.

    Args:
        id: hash of the canonical spec.
        question: the sentence it is to answer, empty where none was written.
        spec: canonical spec as JSON data, sweeps included; it reproduces the experiment.
        compare: the ``compare`` table as JSON data, or None.
        environment: versions, device, cores, operating system, and when it ran.
        runs: its runs, each with phase and factors, in the order of the plan.
        programs: the programs that trained them.
    """

    id: str
    question: str
    spec: Mapping[str, Any]
    compare: Mapping[str, Any] | None
    environment: Mapping[str, Any]
    runs: tuple[Run, ...]
    programs: tuple[Program, ...] = ()
