"""The data of a wave: all of them on the devices, or fed to it as it goes on.

Inputs that stay on disk are fed. In what order rows are taken is a function of seed and step
(``lanes.rows_at``), so the host knows which rows the steps of a call will take. They are read while
the calls before it run, and put on the devices as a pool of these rows alone, with their numbers;
programs look up a number where they would go to a row. So they compute what they would with all
data in one pool, to the last bit.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from importlib import import_module
from typing import Any, Protocol, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from thalweg.data import Dataset
from thalweg.engine import program
from thalweg.engine.arithmetic import data_type
from thalweg.engine.devices import EVERYWHERE, put
from thalweg.engine.lanes import (
    EVALUATION_NUMBERS,
    EVALUATION_ROWS,
    Lane,
    Pool,
    Portions,
    Rows,
    Shape,
    State,
    places_at,
)
from thalweg.engine.plan import Group
from thalweg.engine.streams import order_words

__all__ = ["Fed", "InMemory", "Supply", "held_bytes", "most_runs"]

T = TypeVar("T")
R = TypeVar("R")

# Bytes of the rows of one call, unless a single step of all runs, or two portions of an evaluation,
# need more; calls whose rows are read ahead, and threads that read.
PORTION = 2**26
AHEAD = 2
# Bytes that are read from disk at once.
PIECE = 2**20
ALIGNED = 64
# Runs that are trained together whatever their rows take.
FEWEST = 4


class Supply(Protocol):
    """What gives a wave its data.

    ``live``, bool [run], are the runs whose rows are asked for. A pool is good for them alone.
    """

    #: Seconds for which the wave has waited for data, since it was last set to zero.
    waited: float

    def blank(self) -> Pool:
        """A pool of the shape of all those that steps are taken on, to compile for."""
        ...

    def follow(self, calls: Iterable[tuple[int, int]], live: Callable[[], np.ndarray]) -> None:
        """Be told of the calls to come, first step and number of steps of each; ``live`` says who
        takes part, now and later.
        """
        ...

    def calls(
        self, live: np.ndarray, begin: int, count: int | np.ndarray
    ) -> Iterator[tuple[int, int | np.ndarray, Pool]]:
        """The calls of a program by which some steps are taken: first step, number of steps, and a
        pool with the rows of these and of the step after them. ``count`` is one number, or one for
        each run.
        """
        ...

    def at(self, live: np.ndarray, step: int) -> Pool:
        """A pool with the rows of a step."""
        ...

    def evaluated(
        self, live: np.ndarray, used: Array, shape: Shape, lane: Lane, state: State
    ) -> Array:
        """What ``program.evaluate`` finds; ``used`` as there."""
        ...

    def close(self) -> None:
        """Read nothing more ahead."""
        ...


class InMemory:
    """All rows, on the devices."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.waited = 0.0

    def blank(self) -> Pool:
        return self._pool

    def follow(self, calls: Iterable[tuple[int, int]], live: Callable[[], np.ndarray]) -> None:
        """All is there."""

    def calls(
        self, live: np.ndarray, begin: int, count: int | np.ndarray
    ) -> Iterator[tuple[int, int | np.ndarray, Pool]]:
        yield begin, count, self._pool

    def at(self, live: np.ndarray, step: int) -> Pool:
        return self._pool

    def evaluated(
        self, live: np.ndarray, used: Array, shape: Shape, lane: Lane, state: State
    ) -> Array:
        return program.evaluate(shape, used, lane, state, self._pool)

    def close(self) -> None:
        """Nothing is read."""


class Fed:
    """Rows from disk, as they are needed.

    Args:
        datasets: those of the program, in the order in which their rows are numbered.
        shape: of the program.
        seeds: of the runs.
        rows: row numbers of their splits.
        longest: the most steps of a call.
    """

    def __init__(
        self,
        datasets: Sequence[Dataset],
        shape: Shape,
        seeds: Sequence[int],
        rows: Sequence[Rows],
        longest: int,
    ) -> None:
        self._datasets, self._shape, self._rows = datasets, shape, rows
        self._begins = np.cumsum([0, *(dataset.rows for dataset in datasets)])
        self._all_rows = [np.concatenate(each) for each in rows]
        self._orders = [order_words(seed) for seed in seeds]
        self._row_bytes = _row_bytes(datasets[0])
        of_step = len(rows) * shape.batch_size
        fitting = PORTION // (of_step * self._row_bytes) - 1
        self._steps = max(1, min(fitting, longest))
        self._capacity = min(of_step * (self._steps + 1), int(self._begins[-1]))
        self._portions: Portions | None = None
        self._coming: deque[tuple[int, int]] = deque()
        self._reading: Any = None
        self.waited = 0.0

    def blank(self) -> Pool:
        return self._pool(np.zeros(1, int), self._capacity)

    def follow(self, calls: Iterable[tuple[int, int]], live: Callable[[], np.ndarray]) -> None:
        self.close()
        self._coming = deque(part for call in calls for part in self._parts(*call))

        def read(part: tuple[int, int]) -> Pool:
            return self._taken(live(), *part)

        if self._coming:
            self._reading = _ahead(read, list(self._coming))

    def close(self) -> None:
        if self._reading is not None:
            self._reading.close()
        self._reading = None
        self._coming.clear()

    def calls(
        self, live: np.ndarray, begin: int, count: int | np.ndarray
    ) -> Iterator[tuple[int, int | np.ndarray, Pool]]:
        for part in self._parts(begin, int(np.max(count))):
            first, steps = part
            clock = time.perf_counter()
            if self._coming and self._coming[0] == part:
                self._coming.popleft()
                pool = next(self._reading)
            else:  # a call that was not told of: a step that is looked at, or taken once more
                pool = self._taken(live, *part)
            self.waited += time.perf_counter() - clock
            yield first, np.clip(count - (first - begin), 0, steps), pool

    def at(self, live: np.ndarray, step: int) -> Pool:
        return self._taken(live, step, 0)

    def evaluated(
        self, live: np.ndarray, used: Array, shape: Shape, lane: Lane, state: State
    ) -> Array:
        of, many = self._evaluation(lane, state)
        chosen = [rows for rows, is_live in zip(self._all_rows, live, strict=True) if is_live]
        capacity = min(len(self._rows) * of.size * many, int(self._begins[-1]))

        def read(first: int) -> Pool:
            place = np.minimum(of.places(first, many), sum(of.sizes) - 1).ravel()
            # Number 0 is what stands for padding.
            wanted = [np.zeros(1, int), *(rows[place] for rows in chosen)]
            return self._pool(np.concatenate(wanted), capacity)

        # Where no run asks, this is to be compiled.
        firsts = range(0, of.count if chosen else 1, many)
        return program.evaluate_fed(
            shape, used, lane, state, of, many, zip(firsts, self._timed(read, firsts), strict=True)
        )

    def _timed(self, read: Callable[[int], Pool], firsts: Sequence[int]) -> Iterator[Pool]:
        reading = _ahead(read, firsts)
        try:
            for _ in firsts:
                clock = time.perf_counter()
                pool = next(reading)
                self.waited += time.perf_counter() - clock
                yield pool
        finally:
            reading.close()

    def _evaluation(self, lane: Lane, state: State) -> tuple[Portions, int]:
        """How rows are divided to be evaluated, and how many portions are evaluated in a call."""
        if self._portions is None:
            first_lane, first_state = jax.tree.map(lambda leaf: leaf[0, 0], (lane, state))
            spread = self._shape.spread
            self._portions = Portions.of(first_lane, self.blank(), first_state, spread)
        of = self._portions
        fitting = PORTION // (len(self._rows) * of.size * self._row_bytes)
        # A loop over one portion would be compiled as no loop, and then to other bits.
        return of, min(max(fitting, 2), of.count)

    def _parts(self, begin: int, count: int) -> Iterator[tuple[int, int]]:
        """Steps in as many calls as their rows need."""
        for first in range(begin, begin + max(count, 1), self._steps):
            yield first, min(self._steps, begin + count - first)

    def _taken(self, live: np.ndarray, begin: int, count: int) -> Pool:
        """A pool with the rows of some steps, and of the step after them."""
        wanted = [np.zeros(0, int)]
        for order, rows, is_live in zip(self._orders, self._rows, live, strict=True):
            if is_live:
                places = _places(self._shape, self._steps + 1, order, np.int32(begin))
                wanted.append(rows.train[np.asarray(places)[: count + 1].ravel()])
        return self._pool(np.concatenate(wanted), self._capacity)

    def _pool(self, wanted: np.ndarray, capacity: int) -> Pool:
        """A pool with some rows, and room for as many as there may be."""
        numbers = np.unique(wanted)
        first = self._datasets[0]
        inputs, targets = (
            _room(capacity, each.shape[1:], data_type(each.dtype, self._shape.arithmetic.precision))
            for each in (first.inputs, first.targets)
        )
        ends = np.searchsorted(numbers, self._begins)
        for dataset, offset, begin, end in zip(
            self._datasets, self._begins[:-1], ends[:-1], ends[1:], strict=True
        ):
            # A little at a time, for which memory is there already.
            size = max(1, PIECE // self._row_bytes)
            for at in range(begin, end, size):
                here = slice(at, min(at + size, end))
                own = numbers[here] - offset
                inputs[here], targets[here] = dataset.inputs[own], dataset.targets[own]
        padded = np.full(capacity, np.iinfo(np.int32).max, np.int32)
        padded[: len(numbers)] = numbers
        made: Any = Pool(inputs, targets, padded)  # type: ignore[arg-type]
        return put(made, EVERYWHERE)


def _room(rows: int, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array of any numbers, where JAX takes it as it lies instead of copying it: it begins at a
    multiple of so many bytes.
    """
    numbers = rows * math.prod(shape)
    held = np.empty(numbers * dtype.itemsize + ALIGNED, np.uint8)
    begin = -held.ctypes.data % ALIGNED
    return held[begin:][: numbers * dtype.itemsize].view(dtype).reshape(rows, *shape)


@partial(jax.jit, static_argnums=(0, 1))
def _places(shape: Shape, count: int, order: Any, begin: Any) -> Array:
    """Where the rows of some steps lie among those for training, int32 [step, batch].

    A device does one thing after the other, so this waits for the call that runs: it is known only
    as the next one begins, which is why two are read ahead.
    """
    return jax.vmap(partial(places_at, order, shape))(begin + jnp.arange(count))


def _row_bytes(dataset: Dataset) -> int:
    return (dataset.inputs.nbytes + dataset.targets.nbytes) // dataset.rows


def held_bytes() -> int:
    """Bytes of the pools of a wave that is fed: the one in use, and those that are read ahead; of
    steps, and at the same time of an evaluation.
    """
    return 2 * (1 + AHEAD) * PORTION


def most_runs(members: Group) -> int:
    """The most runs of a wave that is fed, so that their rows take little more than they may."""
    dataset: Dataset = members.jobs[0].dataset
    evaluated = min(EVALUATION_ROWS, EVALUATION_NUMBERS // dataset.features)
    rows = max(members.shape.batch_size, evaluated)
    return max(FEWEST, PORTION // (rows * _row_bytes(dataset)))


def _ahead(read: Callable[[T], R], items: Sequence[T]) -> Any:
    """What is read for each item, in order; the next ones are read in threads meanwhile."""
    grain = import_module("grain")
    doubles = jax.dtypes.canonicalize_dtype("float64").itemsize == 8  # each thread's own setting

    def made(item: T) -> R:
        with jax.enable_x64(doubles):
            return read(item)

    options = grain.ReadOptions(num_threads=AHEAD, prefetch_buffer_size=AHEAD)
    return iter(grain.MapDataset.source(items).map(made).to_iter_dataset(options))
