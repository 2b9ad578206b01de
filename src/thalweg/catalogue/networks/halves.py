"""Networks of two halves: one reads a source, the other writes a target from what was read.

Their inputs are both, one after the other. As a whole, such a network is its halves in turn;
decoders call them apart, so that a source is read once however much is written.
"""

from __future__ import annotations

from typing import Any, Protocol

import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.layers.windows import described
from thalweg.errors import SpecError

__all__ = ["Halves", "apply_halves", "divided"]


class Halves(Protocol):
    """A network that reads before it writes.

    Laws: ``read`` gives what is known of sources [batch, time], ``write`` from that the outputs at
    every step of targets [batch, time] that are one step late.
    """

    @property
    def source_time(self) -> int | None: ...

    def read(self, variables: Variables, source: Array, context: Context) -> Any: ...

    def write(
        self, variables: Variables, memory: Any, target: Array, context: Context
    ) -> Array: ...


def apply_halves(
    self: Halves, variables: Variables, x: Array, context: Context
) -> tuple[Array, Any]:
    """Outputs at every step of the target; what such networks use as their ``apply``."""
    source, target = divided(self, x)
    return self.write(variables, self.read(variables, source, context), target, context), {}


def divided(network: Halves, x: Array) -> tuple[Array, Array]:
    """Source and target tokens, each [batch, time], of the inputs of a network."""
    if network.source_time is None:
        raise SpecError(
            f"{type(network).__name__}.source_time is open: give it, or let an experiment take it "
            "from data that have a source"
        )
    if x.ndim != 2 or x.shape[1] <= network.source_time:
        raise SpecError(
            f"{type(network).__name__} needs tokens [batch, time], more than source_time = "
            f"{network.source_time} of them, got {described(x.shape)}"
        )
    tokens = x.astype(jnp.int32)
    return tokens[:, : network.source_time], tokens[:, network.source_time :]
