"""One wave: some runs of a program, trained from start to end together.

A wave is a generator. Between calls of the compiled program it hands out a ``Progress``, writes to
the record what happened (with a checkpoint, so that an interrupted wave goes on from there), and
decides which runs go on. The order of events at a step is always: probe, advance, check for
divergence, evaluate, decide.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import numpy as np

from thalweg.catalogue.context import Variables
from thalweg.catalogue.networks.summary import cost
from thalweg.engine import program, room
from thalweg.engine.adjusting import Adjusting
from thalweg.engine.arithmetic import each_within, in_precision
from thalweg.engine.carrying import without_past
from thalweg.engine.compilation import compile_seconds
from thalweg.engine.curves import Curves
from thalweg.engine.devices import agreed, fetched
from thalweg.engine.failing import explained, training
from thalweg.engine.feeding import Supply
from thalweg.engine.kept import named_fitted
from thalweg.engine.lanes import Lane, State
from thalweg.engine.layout import Layout
from thalweg.engine.measures import metrics
from thalweg.engine.monitor import Monitor
from thalweg.engine.orders import Orders, Readings
from thalweg.engine.pictures import decision_arrays, decision_grid, image_arrays
from thalweg.engine.plan import Group, Job, calibrates
from thalweg.engine.profile import profiled
from thalweg.engine.recorder import Recorder
from thalweg.engine.starting import adapted
from thalweg.engine.timetable import Timetable
from thalweg.record.tables import ArraysUpdate, Checkpoint, Program, RunUpdate

__all__ = ["Progress", "Wave", "wave_id"]

SPLITS = ("train", "validation", "test")

# Seconds between writes to the record while a wave goes on: what a killed process loses at most,
# unless one call of the program takes longer.
WRITE_EVERY = 1.0


@dataclass(frozen=True)
class Progress:
    """Where training is, after a call of a program.

    Args:
        finished: ids and outcomes of runs that ended since the last progress.
        steps: run-steps taken since then.
        finals: final metrics of the runs that ended, in the order of ``finished``.
        factor: what manual schedules stand at, in the run that was adjusted last.
        waited: seconds for which training has waited for data since then.
    """

    steps: int
    finished: tuple[tuple[str, str], ...] = ()
    finals: tuple[dict[str, float], ...] = ()
    factor: float = 1.0
    waited: float = 0.0


def _bounds(jobs: Sequence[Job], first: np.ndarray) -> np.ndarray:
    """Objectives beyond which runs have diverged, from their first ones, float64 [run]."""
    factors = np.array([float(job.recipe.training.diverged_above) for job in jobs])
    return np.minimum(factors * np.fmax(np.abs(first), 1.0), np.finfo(np.float32).max)


def wave_id(jobs: Sequence[Job]) -> str:
    """The name of a wave: its runs, in order."""
    return hashlib.sha256(" ".join(job.id for job in jobs).encode()).hexdigest()[:16]


@dataclass
class Wave:
    """The runs of one wave and everything the host knows about them.

    Args:
        group: the program's runs, of which these are some.
        jobs: the runs of this wave; lanes beyond them are padding.
        lane: their recipes, rows and scalings, [chunk, lane, ...].
        data: what gives it its data.
        layout: where the runs stand among the lanes.
        longest: the most steps between two returns to the host.
        timetable: when what happens.
        counts: per split, how many targets count, for each run.
        spread: per split, the sum of squares of the targets around their mean, for each run.
        record: where results go.
        program: as it is recorded.
    """

    group: Group
    jobs: Sequence[Job]
    lane: Lane
    data: Supply
    layout: Layout
    longest: int
    timetable: Timetable
    sizes: tuple[int, int, int]
    counts: np.ndarray
    spread: np.ndarray
    record: Recorder
    program: Program
    _seconds: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.shape = self.group.shape
        self.stopping = self.group.training.early_stopping
        self.shifts = self.group.training.probe_also == "input_shift"
        self.recalls = self.group.training.probe_also == "state_gradient"
        self.calibrates = calibrates(self.jobs[0].recipe.network)
        self.restores = self.stopping is not None and self.stopping.restore_best
        self.id = wave_id(self.jobs)
        runs = len(self.jobs)
        self.curves = Curves([job.id for job in self.jobs])
        self.monitor = Monitor(runs, self.shape.patiences)
        self.adjusting = Adjusting(self.jobs, self.shape.adjustable, self.record)
        self.live = np.ones(runs, bool)
        self.outcome = np.full(runs, "training", dtype="<U8")
        self.reached = np.zeros(runs, np.int32)  # steps of the state a run ends with
        seeds = [(job.recipe.network, job.recipe.optimizer, job.seed) for job in self.jobs]
        example = self.jobs[0].example()
        started = program.start(seeds, example, lambda run, drawn: adapted(self.jobs[run], drawn))
        self.state: State = self.layout.place(started)
        self.best = self.state if self.restores else None

    def compile(self) -> None:
        """Have everything compiled that will be called, by calls in which nothing happens."""
        idle = np.zeros(len(self.jobs), bool)
        unused, orders = self.layout.used(idle), self._orders(idle, 0, 0)
        pool = self.data.blank()
        program.advance(self.shape, self.lane, self.state, orders, pool)
        self.data.evaluated(idle, unused, self.shape, self.lane, self._calibrated(self.state))
        if self.timetable.probes:
            program.looks(self.shape, unused, self.lane, self.state, orders, pool)
        if self.timetable.probes and self.shifts:
            still = self.state
            program.shifts(self.shape, unused, self.lane, still, still, orders, pool)
        if self.timetable.probes and self.recalls:
            program.recalls(self.shape, unused, self.lane, self.state, orders, pool)
        grid = decision_grid(self.jobs)
        if grid is not None:
            program.predict(unused, self.lane, self.state, grid.inputs, self.shape.spread)

    def profiled(self) -> dict[str, Any]:
        """What a call of its program spends time on; see ``profile.profiled``."""
        count = min(self.longest, self.shape.steps, program.LONGEST)
        live = np.ones(len(self.jobs), bool)
        with in_precision(self.shape.arithmetic.precision):
            flops = None
            if not self.shape.cuts:  # of which a step takes one
                traced = cost(partial(room.step, self.group), *room.shapes(self.group))
                flops = 2.0 * traced.multiply_adds
            call = partial(self._call, self.state, live, 0, count)
            return profiled(call, count * len(self.jobs), flops)

    # ------------------------------------------------------------------------------------ training

    def train(self, resume: Checkpoint | None = None) -> Iterator[Progress]:
        """Train all runs, from the start or from a checkpoint."""
        precise = partial(in_precision, self.shape.arithmetic.precision)
        return each_within(precise, self._train(resume))

    def _train(self, resume: Checkpoint | None) -> Iterator[Progress]:
        with explained(training(self.jobs)):
            begin = self._resume(resume) if resume is not None else 0
            self.data.follow(self.timetable.calls(begin, self.longest), lambda: self.live)
            try:
                yield from self._trained(begin)
            finally:
                self.data.close()

    def _trained(self, begin: int) -> Iterator[Progress]:
        clock, compiled = time.perf_counter(), compile_seconds(own=True)
        due = clock + WRITE_EVERY
        if begin == 0:
            self._evaluate(0)
        for begin_, count in self.timetable.calls(begin, self.longest):
            if not self.live.any():
                break
            self.adjusting.listen(begin_, self.live)
            if begin_ in self.timetable.probes:
                self._probe(begin_)
            taken = self._advance(begin_, count)
            end = begin_ + count
            if end in self.timetable.evaluations:
                self._evaluate(end)
            self._pack()
            now = time.perf_counter()
            self._seconds += max(0.0, now - clock - (compile_seconds(own=True) - compiled))
            clock, compiled = now, compile_seconds(own=True)
            due = 0.0 if self.adjusting.unwritten() else due
            if end < self.timetable.steps and self.live.any() and agreed(now > due):
                self._write(end)
                clock = time.perf_counter()
                # A large state takes long to write; it is written the less often.
                due = clock + max(WRITE_EVERY, 50 * (clock - now))
            waited, self.data.waited = self.data.waited, 0.0
            yield Progress(taken, factor=self.adjusting.latest, waited=waited)
        yield self._finish()

    def _resume(self, checkpoint: Checkpoint) -> int:
        """Take up what a checkpoint holds; the step to begin with."""
        arrays = dict(checkpoint.arrays)
        self.state = self._filled(self.state, arrays, "state")
        if self.best is not None:
            self.best = self._filled(self.best, arrays, "best")
        self.monitor.restore(arrays)
        if self.adjusting.names:
            self.adjusting.factors = arrays["factors"].copy()
        self.live, self.reached = arrays["live"].astype(bool), arrays["reached"].copy()
        self.bound = arrays["bound"].copy()
        self.outcome = np.array(checkpoint.extra["outcome"], dtype="<U8")
        return checkpoint.step

    def _advance(self, begin: int, count: int) -> int:
        """Take the steps of one call; freeze the runs that diverge in it."""
        before = self.state
        self.state, objectives, ratios = self._call(before, self.live, begin, count)
        values = self.layout.take(objectives.swapaxes(1, 2))
        if begin == 0:
            self.bound = _bounds(self.jobs, values[:, 0])
        bad = ~(np.abs(values) <= self.bound[:, None])  # NaN compares false, so it is bad too
        diverged = self.live & bad.any(axis=1)
        good = np.where(diverged, np.maximum(bad.argmax(axis=1) - 1, 0), count)
        if diverged.any():
            self._roll_back(before, begin, diverged, good)
        self._keep_curve(begin, values[:, :count], np.where(diverged, bad.argmax(axis=1), count))
        if begin in self.timetable.probes:
            self._add_points(begin, ratios)
        taken = int(good[self.live].sum())
        self.reached[self.live] = begin + good[self.live]
        self.outcome[diverged] = "diverged"
        self.live &= ~diverged
        return taken

    def _call(self, state: State, live: np.ndarray, begin: int, count: int | np.ndarray) -> Any:
        """Some steps of the program; ``count`` is one number, or one per run.

        Returns:
            States, objectives before each step and after the last, [chunk, step, lane], and what
            the first step changed.
        """
        told, changed = [], None
        for first, steps, pool in self.data.calls(live, begin, count):
            orders = self._orders(live, first, steps)
            state, objectives, ratios = program.advance(self.shape, self.lane, state, orders, pool)
            told.append(fetched(objectives)[:, : np.max(steps) + 1])
            changed = ratios if changed is None else changed
        # The objective after the last step of a call is that before the first of the next.
        told = [*(each[:, :-1] for each in told[:-1]), told[-1]]
        return state, np.concatenate(told, axis=1), changed

    def _orders(self, live: np.ndarray, begin: int, count: int | np.ndarray) -> jax.Array:
        told = np.column_stack([self.monitor.reductions, self.adjusting.told()])
        return self.layout.masked(Orders(live, begin, count, told).written())

    def _roll_back(self, before: State, begin: int, diverged: np.ndarray, good: np.ndarray) -> None:
        """Take each diverged run from the state before the call to its last good step.

        The same program takes the same steps, only fewer of them; a chunk with several diverged
        runs is repeated for each. Runs that are well keep what they have.
        """
        waiting = np.flatnonzero(diverged)
        while len(waiting):
            _, firsts = np.unique(self.layout.chunk[waiting], return_index=True)
            now = waiting[firsts]
            waiting = np.delete(waiting, firsts)
            chosen = np.zeros(len(self.jobs), bool)
            chosen[now] = True
            back, _, _ = self._call(before, chosen, begin, np.where(chosen, good, 0))
            self.state = program.best_of(self.layout.masked(chosen), back, self.state)

    def _pack(self) -> None:
        """Move the runs that go on together, where they would then take half the time.

        A chunk takes as long for one live run as for all; where a run stands changes none of its
        bits.
        """
        packed, now = self.layout.packed(self.live), self.layout.turns(self.live)
        if not now or 2 * packed.turns(self.live) > now:
            return
        held = (self.lane, self.state, self.best)
        self.lane, self.state, self.best = packed.place(jax.tree.map(self.layout.take, held))
        self.layout = packed

    # ---------------------------------------------------------------------------------- looking on

    def _keep_curve(self, begin: int, seen: np.ndarray, valid: np.ndarray) -> None:
        """Add the batch losses of a call to the curves, averaged over a few steps each."""
        inside = [p - begin for p in self.timetable.points if begin < p <= begin + seen.shape[1]]
        edges = np.array([0, *inside])
        with np.errstate(invalid="ignore", over="ignore"):  # of diverged runs, which are cut off
            means = np.add.reduceat(seen, edges[:-1], axis=1, dtype=np.float64) / np.diff(edges)
        whole = np.searchsorted(edges[1:], valid, side="right")
        self.curves.add("batch.loss", begin + edges[1:], means, np.where(self.live, whole, 0))

    def _probe(self, step: int) -> None:
        orders = self._orders(self.live, step, 1)
        used = self.layout.used(self.live)
        pool = self.data.at(self.live, step)
        seen = program.looks(self.shape, used, self.lane, self.state, orders, pool)
        self._add_points(step, seen)
        if self.recalls:
            seen = program.recalls(self.shape, used, self.lane, self.state, orders, pool)
            self._add_points(step, seen)
        if self.shifts:
            # The step is taken once more by itself; what it changed is looked at, and dropped.
            after, _, _ = self._call(self.state, self.live, step, 1)
            moved = program.shifts(self.shape, used, self.lane, self.state, after, orders, pool)
            self._add_points(step, moved)

    def _add_points(self, step: int, seen: Readings) -> None:
        for name, values in seen.by_name(self.layout.take(seen.values)):
            self.curves.add_point(name, step, values, self.live)

    def _measure(self, state: State, runs: np.ndarray) -> dict[str, np.ndarray]:
        """Metrics of some runs on every split that has rows, by name, float64 [run]."""
        used = self.layout.used(runs)
        sums = self.data.evaluated(runs, used, self.shape, self.lane, state)
        sums = self.layout.take(sums).astype(np.float64)
        measured: dict[str, np.ndarray] = {}
        for i, (split, rows) in enumerate(zip(SPLITS, self.sizes, strict=True)):
            if not rows:
                continue
            found = metrics(self.shape.task, sums[:, i], self.counts[:, i], self.spread[:, i])
            measured |= {f"{split}.{name}": values for name, values in found.items()}
        return measured

    def _calibrated(self, state: State) -> State:
        """The state to evaluate: statistics of all training data are found where they are asked."""
        if not self.calibrates:
            return state
        return program.calibrate(self.shape, self.lane, state, self.data.blank())

    def _evaluate(self, step: int) -> None:
        """Evaluate all data, keep the curves, and stop the runs that no longer improve."""
        self.state = self._calibrated(self.state)
        measured = self._measure(self.state, self.live)
        for name, values in measured.items():
            self.curves.add_point(name, step, values, self.live)
        if step == 0 or not self.sizes[1]:
            return
        losses = measured["validation.loss"]
        seen = self.live & np.isfinite(losses)
        improved = self.monitor.observe(np.where(seen, losses, np.inf)) & self.live
        if self.best is not None and improved.any():
            self.best = program.best_of(self.layout.masked(improved), self.state, self.best)
        if self.stopping is not None:
            out_of_patience = self.live & (self.monitor.since_best >= self.stopping.patience)
            self.outcome[out_of_patience] = "stopped"
            self.live &= ~out_of_patience

    # -------------------------------------------------------------------------------------- record

    def _updates(self) -> list[RunUpdate]:
        share = self._seconds / len(self.jobs)
        self._seconds = 0.0
        return [
            RunUpdate(job.id, str(self.outcome[run]), int(self.reached[run]), share)  # type: ignore[arg-type]
            for run, job in enumerate(self.jobs)
        ]

    def _write(self, step: int) -> None:
        """Record everything up to a step, with the state to go on from."""
        arrays = {**self._named(self.state, "state"), **self.monitor.arrays()}
        if self.best is not None:
            arrays |= self._named(self.best, "best")
        arrays |= {"live": self.live, "reached": self.reached, "bound": self.bound}
        if self.adjusting.names:
            arrays["factors"] = self.adjusting.factors
        extra = {"outcome": self.outcome.tolist()}
        runs = tuple(job.id for job in self.jobs)
        # A run that has ended within a wave is only final in the record when the wave is, for its
        # parameters are written then.
        updates = [
            RunUpdate(update.run, "training", update.step, update.train_seconds)
            for update in self._updates()
        ]
        checkpoint = Checkpoint(self.id, runs, step, arrays, extra)
        self.record.write(
            updates=updates,
            series=self.curves.take(),
            program=self.program.id,
            checkpoint=checkpoint,
            adjustments=self.adjusting.unwritten(),
        )
        self.adjusting.written()

    def _finish(self) -> Progress:
        """Final metrics and parameters of every run, into the record."""
        final = self.state
        well = self.outcome != "diverged"
        if self.best is not None:
            seen_best = well & np.isfinite(self.monitor.best)
            final = program.best_of(self.layout.masked(seen_best), self.best, self.state)
        final = self._calibrated(final)
        measured = self._measure(final, np.ones(len(self.jobs), bool))
        finals = [
            {name: float(values[run]) for name, values in measured.items()}
            for run in range(len(self.jobs))
        ]
        self.outcome[self.outcome == "training"] = "finished"
        updates = [
            RunUpdate(u.run, u.outcome, u.step, u.train_seconds, finals[run])
            for run, u in enumerate(self._updates())
        ]
        used = program.in_use(self.lane, final)
        arrays = {
            **Variables(used.parameters, without_past(used.network_state)).named(),
            **named_fitted("preprocessing", self.lane.scaling),
            **named_fitted("target_preprocessing", self.lane.target_scaling),
        }
        arrays = {name: self.layout.take(leaf) for name, leaf in arrays.items()}
        runs = tuple(job.id for job in self.jobs)
        # Runs are final with the last write: one that is killed before it makes its pictures again.
        for update in decision_arrays(self.jobs, self.layout, self.lane, final, arrays):
            self.record.write(arrays=update)
        for update in image_arrays(self.jobs, arrays):
            self.record.write(arrays=update)
        self.record.write(
            updates=updates,
            series=self.curves.take(),
            program=self.program.id,
            finished_checkpoint=self.id,
            arrays=ArraysUpdate(runs, arrays),
            adjustments=self.adjusting.unwritten(),
        )
        self.adjusting.written()
        ended = tuple((u.run, u.outcome) for u in updates)
        return Progress(0, ended, tuple(finals), waited=self.data.waited)

    def _named(self, tree: Any, prefix: str) -> dict[str, np.ndarray]:
        """The leaves of a state by name, [run, ...], for a checkpoint."""
        leaves = jax.tree.leaves(tree)
        return {f"{prefix}.{i}": self.layout.take(leaf) for i, leaf in enumerate(leaves)}

    def _filled(self, tree: Any, arrays: dict[str, np.ndarray], prefix: str) -> Any:
        """A state like the given one, from what ``_named`` made of it."""
        leaves, structure = jax.tree.flatten(tree)
        restored = [arrays[f"{prefix}.{i}"] for i in range(len(leaves))]
        return self.layout.place(structure.unflatten(restored))
