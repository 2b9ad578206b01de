"""How much memory runs take, and how many of them are trained together.

Counted from shapes: what every lane holds from step to step, and the matrices of curvature that
some optimizers write out within a step. What a network makes on its way is left out.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache

import jax

from thalweg.catalogue.curvature.dense import bytes_in_words
from thalweg.catalogue.optimizers.cost import forms_matrix
from thalweg.catalogue.optimizers.optimizer import Optimizer
from thalweg.catalogue.schedules import Progress, settled
from thalweg.engine.devices import mesh
from thalweg.engine.plan import Group
from thalweg.engine.program import width_for
from thalweg.errors import SpecError

__all__ = ["Room", "capacity", "check_room", "needed"]

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
    return NUMBER * STATES * (members.parameters + members.kept)


def needed(members: Group) -> int:
    """Bytes that one wave of a program needs, roughly, its data apart."""
    room, parameters = capacity(members), members.parameters
    optimizer = members.jobs[0].recipe.optimizer
    matrix = MATRICES * parameters**2 if _forms_matrix(optimizer) else 0
    # A gradient and an increment for each lane that is computed now.
    computed = NUMBER * room.width * mesh().size * (2 * parameters + matrix)
    copies = mesh().size if members.shape.spread == "batch" else 1
    return room.lanes * copies * _lane_bytes(members) + computed


@lru_cache(maxsize=256)
def _forms_matrix(optimizer: Optimizer) -> bool:
    return forms_matrix(settled(optimizer, Progress(step=0)))


def check_room(members: Group) -> None:
    """Refuse runs that would not fit into the memory of this machine.

    Raises:
        SpecError: with the memory that they would take.
    """
    optimizer: Optimizer = members.jobs[0].recipe.optimizer
    size, there = needed(members), _memory() * jax.process_count()
    if size <= there:
        return
    curved = members.kept >= members.parameters**2 or _forms_matrix(optimizer)
    instead = ", or LBFGS or HessianFree, which keep no matrix of parameters by parameters"
    raise SpecError(
        f"{type(optimizer).__name__} on {members.parameters:,} parameters would take "
        f"{bytes_in_words(size)}, where this machine has {bytes_in_words(there)}; use a smaller "
        f"network{instead if curved else ''}"
    )


def _memory() -> int:
    """Bytes of this machine's memory, or of its accelerators'."""
    limits = [(device.memory_stats() or {}).get("bytes_limit") for device in mesh().local_devices]
    if all(limits):
        return sum(limit for limit in limits if limit is not None)
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
