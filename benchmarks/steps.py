"""A few training steps of the engine as one call, as in a training; and timing calls in turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np

from thalweg.data import Dataset
from thalweg.engine import program
from thalweg.engine.devices import EVERYWHERE, put
from thalweg.engine.lanes import Pool, Rows
from thalweg.engine.layout import Layout
from thalweg.engine.orders import Orders
from thalweg.engine.plan import group, jobs_of, resolve, stack_lanes
from thalweg.engine.room import capacity

__all__ = ["Call", "engine", "for_pytorch", "in_turn"]

Call = Callable[[], None]
Key = TypeVar("Key")


def engine(recipe: Any, dataset: Dataset, runs: int, steps: int) -> Call:
    """Steps of some runs of one recipe, on these rows whatever its source holds.

    Where there are more runs than a wave has lanes, one wave is called as often as there are waves.
    """
    jobs = jobs_of(resolve(recipe, dataset), dataset, range(runs))
    (gathered,) = group(jobs)
    room = capacity(gathered)
    waves, jobs = -(-runs // room.lanes), jobs[: room.lanes]
    runs = len(jobs)
    layout = Layout(runs, room.lanes, room.width)
    rows = [Rows(job.split.train, job.split.validation, job.split.test) for job in jobs]
    lane = layout.place(stack_lanes(jobs, rows))
    example = jax.ShapeDtypeStruct((1, *jobs[0].input_shape), np.float32)
    begun = [(job.recipe.network, job.recipe.optimizer, job.seed) for job in jobs]
    state = layout.place(program.start(begun, example))
    pool = put(Pool(dataset.inputs, dataset.targets), EVERYWHERE)
    # One step more is begun than is ordered, for the objective after the last one.
    none = np.zeros((runs, 0), np.int32)
    orders = layout.masked(Orders(np.ones(runs, bool), 0, steps - 1, none).written())

    def call() -> None:
        for _ in range(waves):
            made = program.advance(gathered.shape, lane, state, orders, pool)
            jax.block_until_ready(made)

    return call


def for_pytorch(images: np.ndarray, channels_last: bool) -> Any:
    """[row, height, width, channel] as PyTorch has them, [row, channel, height, width]."""
    import torch

    if channels_last:
        return torch.from_numpy(images.copy()).movedim(-1, 1)
    # Copied by NumPy, or PyTorch takes images of one channel for channels last all the same.
    return torch.from_numpy(np.array(np.moveaxis(images, -1, 1), order="C"))


def in_turn(
    calls: dict[Key, Call], rounds: int, steps: int, clock: Callable[[], float], warm: int = 2
) -> dict[Key, list[float]]:
    """Milliseconds a step of every call in every round; ``warm`` more come first, to compile."""
    spent: dict[Key, list[float]] = {name: [] for name in calls}
    for number in range(rounds + warm):
        for name, call in calls.items():
            begin = clock()
            call()
            if number >= warm:
                spent[name].append(1e3 * (clock() - begin) / steps)
    return spent
