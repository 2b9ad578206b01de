"""What is told to a program, and what it tells, in one array each way.

An array takes a sixth of a millisecond to or from the devices however small it is; a call of a
small program takes a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

__all__ = ["Orders", "Readings"]

HostOrDevice = Any


class Orders(NamedTuple):
    """What changes from call to call.

    Args:
        live: bool [lane], the lanes that take steps.
        begin: the first step.
        count: the number of steps.
        told: what schedules must know, int32 [lane, patience and name]: plateaus so far for each
            patience, then the factor of each manual schedule, a float32 as its bits.
    """

    live: HostOrDevice
    begin: HostOrDevice
    count: HostOrDevice
    told: HostOrDevice

    def written(self) -> np.ndarray:
        """As one array for the devices, int32 [run, 3 + told]; ``count`` one or for each."""
        runs = len(self.live)
        begin, count = (np.broadcast_to(value, runs) for value in (self.begin, self.count))
        return np.column_stack([self.live, begin, count, self.told]).astype(np.int32)

    @classmethod
    def of_chunk(cls, written: jax.Array) -> Orders:
        """Read what was written, [lane, 3 + told]; padding is zero, and what counts for the
        chunk as a whole is its largest."""
        return cls(written[:, 0] == 1, written[:, 1].max(), written[:, 2].max(), written[:, 3:])


@partial(jax.tree_util.register_dataclass, data_fields=["values"], meta_fields=["names"])
@dataclass(frozen=True)
class Readings:
    """Numbers by name, as one array.

    Args:
        names: of the numbers.
        values: [..., name].
    """

    names: tuple[str, ...]
    values: HostOrDevice

    @classmethod
    def of(cls, named: dict[str, jax.Array]) -> Readings:
        """From arrays of one shape."""
        return cls(tuple(named), jnp.stack(list(named.values()), axis=-1))

    def by_name(self, values: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        """Names with their numbers, from the values as they lie on the host."""
        return zip(self.names, np.moveaxis(values, -1, 0), strict=True)
