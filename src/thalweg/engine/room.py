"""How much memory runs take, and how many of them are trained together.

Told from shapes, before anything is compiled: what every lane holds from step to step, what its
steps and evaluations make on their way (``footprint.py``), and the data. A step that would not fit
is computed in portions, where that changes nothing but rounding.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.catalogue.curvature.dense import bytes_in_words
from thalweg.catalogue.optimizers.cost import forms_matrix
from thalweg.catalogue.optimizers.optimizer import Optimizer
from thalweg.catalogue.schedules import Progress, settled
from thalweg.engine import lanes
from thalweg.engine.arithmetic import in_precision
from thalweg.engine.carrying import beginning
from thalweg.engine.devices import mesh
from thalweg.engine.feeding import held_bytes
from thalweg.engine.footprint import temporary
from thalweg.engine.lanes import Lane, Pool, Rows, State
from thalweg.engine.plan import Group, Job, group, lane_parts, sees_batches
from thalweg.engine.program import width_for
from thalweg.errors import SpecError

__all__ = ["Room", "capacity", "check_room", "most_needed", "needed", "programs", "shapes", "step"]

# Bytes that the states of one wave may take, and the most lanes of a wave.
MEMORY = 2**28
MOST_LANES = 128
# A number's bytes; copies of a lane's state: before a call and after it, its best so far, and one
# that moves; copies of a matrix within a step: as it is, damped, and as it is solved with.
NUMBER, STATES, MATRICES = 4, 4, 3


@dataclass(frozen=True)
class Room:
    """How many lanes a program has, and how many of them make a chunk."""

    width: int
    lanes: int


def capacity(members: Group, runs: int | None = None, devices: int | None = None) -> Room:
    """Lanes and chunk width of a program.

    Args:
        members: the program's runs.
        runs: how many of them there are lanes for; all where not given.
        devices: that share the lanes; those of this process where not given.

    The width depends on network and order alone, as a run's numbers depend on it. Lanes without
    runs cost little, so there are few sizes, and programs of one size share what is compiled; but
    their states are moved with every call, so a few runs do not get the lanes of many.
    """
    if members.shape.spread:  # one run after the other, each on all devices
        return Room(1, 1)
    # A lane that is cut to other lengths than its neighbours would wait for the longest of them.
    width = 1 if members.shape.cuts else width_for(members.flops)
    at_once = width * (mesh().size if devices is None else devices)
    fitting = max(1, min(MEMORY // max(_lane_bytes(members), 1), MOST_LANES) // at_once)
    # At least two chunks a device where two fit: a loop over one would be compiled as no loop, and
    # then to other bits.
    chunks = 2
    while chunks < fitting and chunks * at_once < (len(members.jobs) if runs is None else runs):
        chunks *= 2
    return Room(width, at_once * min(chunks, fitting))


def _lane_bytes(members: Group) -> int:
    return STATES * _state_bytes(members)


def _state_bytes(members: Group) -> int:
    return _number(members) * (members.parameters + members.kept)


def _number(members: Group) -> int:
    return NUMBER * (2 if members.shape.arithmetic.precision == "float64" else 1)


# ----------------------------------------------------------------------------------- what is needed


def programs(jobs: Sequence[Job]) -> list[Group]:
    """Programs for runs, in order of their first run; in portions where they would not fit."""
    return [_fitted(members) for members in group(jobs)]


def _fitted(members: Group) -> Group:
    there = _memory()
    whole = members.shape.arithmetic
    if _at_most(members) <= there or members.shape.in_streams or sees_batches(members.jobs[0]):
        return members
    for portions in range(whole.portions, members.shape.batch_size + 1):
        if members.shape.batch_size % portions == 0:
            shape = replace(members.shape, arithmetic=replace(whole, portions=portions))
            fitting = replace(members, shape=shape)
            if needed(fitting) <= there:
                return fitting
    return members


def most_needed(groups: Iterable[Group]) -> int:
    """Bytes that the largest of some programs needs, roughly."""
    return needed(max(groups, key=_at_most))


def needed(members: Group) -> int:
    """Bytes that one wave of a program needs, with its data, roughly."""
    room, number = capacity(members), _number(members)
    with in_precision(members.shape.arithmetic.precision):
        lane, state, pool = shapes(members)
        steps = temporary(lambda *given: step(members, *given), lane, state, pool)
        evaluation = temporary(lambda *given: _evaluation(members, *given), lane, state, pool)
    parameters, own = number * members.parameters, _state_bytes(members)
    stored = members.jobs[0].dataset.is_stored
    data = held_bytes() if stored else mesh().size * _bytes_of(pool)
    if members.shape.spread:  # what is made of rows is divided; parameters are whole in a step
        copies = mesh().size if members.shape.spread == "batch" else 1
        return copies * 3 * own + steps + mesh().size * 2 * parameters + data
    # Steps hold the state they begin from, and at their end a gradient and the state they make.
    computed = max(own + max(steps, own + parameters), parameters + evaluation)
    held = (2 + bool(members.training.early_stopping)) * own + _bytes_of(lane.rows)
    return room.lanes * held + mesh().size * room.width * computed + data


def _at_most(members: Group) -> int:
    """Bytes that a wave cannot need more than, told without tracing its program."""
    room, own = capacity(members), _state_bytes(members)
    optimizer = members.jobs[0].recipe.optimizer
    matrix = MATRICES * members.parameters**2 if _forms_matrix(optimizer) else 0
    rows = max(members.shape.batch_size, lanes.EVALUATION_ROWS)
    made = _number(members) * (3 * rows * members.made + matrix)
    dataset = members.jobs[0].dataset
    data = held_bytes() if dataset.is_stored else dataset.inputs.nbytes + dataset.targets.nbytes
    return room.lanes * _lane_bytes(members) + mesh().size * (room.width * (3 * own + made) + data)


def shapes(members: Group) -> tuple[Any, Any, Any]:
    """Lane, state and pool of a program, as shapes."""
    job, network = members.jobs[0], members.jobs[0].recipe.network
    words = jax.ShapeDtypeStruct((2,), np.uint32)
    rows = Rows(*(jax.ShapeDtypeStruct((size,), np.int32) for size in job.sizes))
    seed = jax.ShapeDtypeStruct((), np.uint32)
    lane = Lane(
        *lane_parts(job.recipe), seed, words, rows, None, augmentation=job.recipe.augmentation
    )
    drawn = jax.eval_shape(lambda: network.init(jax.random.key(0), job.example()))
    if job.in_streams:
        drawn = beginning(network, drawn, job.example(job.batch_size))
    begun = jax.eval_shape(job.recipe.optimizer.start, drawn.parameters)
    datasets = {job.dataset.fingerprint: job.dataset for job in members.jobs}
    count = sum(dataset.rows for dataset in datasets.values())
    targets = job.dataset.targets
    inputs: Any = jax.ShapeDtypeStruct((count, *job.dataset.inputs.shape[1:]), job.input_type)
    told: Any = jax.ShapeDtypeStruct((count, *targets.shape[1:]), targets.dtype)
    return lane, State(drawn.parameters, drawn.state, begun), Pool(inputs, told)


def step(members: Group, lane: Lane, state: State, pool: Pool) -> Any:
    """The first step of a run of a program, to be traced with its ``shapes``."""
    shape, first = members.shape, jnp.int32(0)
    told = jnp.zeros(len(shape.patiences) + len(shape.adjustable), jnp.int32)
    rows = lanes.rows_at(lane, shape, first)
    return lanes.train_step(lane, pool, shape, state, first, rows, told)


def _evaluation(members: Group, lane: Lane, state: State, pool: Pool) -> Any:
    shape = members.shape
    return lanes.evaluate(lane, pool, shape.evaluation, state)


def _bytes_of(tree: Any) -> int:
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


@lru_cache(maxsize=256)
def _forms_matrix(optimizer: Optimizer) -> bool:
    return forms_matrix(settled(optimizer, Progress(step=0)))


def check_room(members: Group) -> None:
    """Refuse runs that would not fit into the memory of this machine.

    Raises:
        SpecError: with the memory that they would take.
    """
    there = _memory()
    if _at_most(members) <= there or (size := needed(members)) <= there:
        return
    optimizer: Optimizer = members.jobs[0].recipe.optimizer
    curved = members.kept >= members.parameters**2 or _forms_matrix(optimizer)
    instead = ", or LBFGS or HessianFree, which keep no matrix of parameters by parameters"
    raise SpecError(
        f"{type(optimizer).__name__} on {members.parameters:,} parameters would take "
        f"{bytes_in_words(size)}, where this machine has {bytes_in_words(there)}; use a smaller "
        f"network{instead if curved else ' or mini-batch'}"
    )


def _memory() -> int:
    """Bytes that this training may take of its machines' memory, or of their accelerators'."""
    limits = [(device.memory_stats() or {}).get("bytes_limit") for device in mesh().local_devices]
    if all(limits):
        return jax.process_count() * sum(limit for limit in limits if limit is not None)
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    allowed = Path("/sys/fs/cgroup/memory.max")  # to the container it runs in
    told = allowed.read_text().strip() if allowed.exists() else "max"
    return jax.process_count() * (there if told == "max" else min(there, int(told)))
