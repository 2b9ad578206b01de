"""Running text, read in streams: layers go on from where the mini-batch before left them.

The rows of a running text go on from one another. Read in streams, those for training are cut into
as many stretches as a mini-batch has rows, and a step takes the next row of each. What layers
remember at its end (``Past``) is held in the state of the network, under ``PAST``, and is where the
next step begins: truncated backpropagation through time, as what a step begins from is to it a
number like its inputs, through which no gradient goes back. An epoch begins without a past, and so
does an evaluation, which reads in streams too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from thalweg.catalogue.context import Context, Past, Variables, Visit
from thalweg.catalogue.layers import Recurrent
from thalweg.catalogue.networks.steps import looks_elsewhere
from thalweg.errors import SpecError

__all__ = [
    "beginning",
    "check_carries",
    "count_of",
    "next_rows",
    "past_of",
    "with_past",
    "without_past",
]

PAST = "past"


def next_rows(rows: int, streams: int, within: Array) -> Array:
    """Which of so many rows a step of an epoch takes, int32 [stream].

    The first streams are one row longer where there are rows left over; at the last step of an
    epoch the others have none, and are given any.
    """
    longest = -(-rows // streams)
    stream = jnp.arange(streams)
    begin = stream * longest - jnp.maximum(stream - (rows - streams * (longest - 1)), 0)
    return jnp.minimum(begin + within, rows - 1)


def past_of(state: Any, begins: Array) -> Past | None:
    """What a state of a network holds of earlier steps; None where nothing is carried.

    Args:
        state: of the network.
        begins: whether there are no earlier steps, bool [].
    """
    if PAST not in state:
        return None
    return Past(state[PAST], {}, begins=begins)


def with_past(state: Any, past: Past | None) -> Any:
    """The state after a pass, with what layers remember now."""
    return state if past is None else {**state, PAST: past.after}


def without_past(state: Any) -> Any:
    """What layers hold alone."""
    return {name: held for name, held in state.items() if name != PAST}


def count_of(state: Any) -> int | None:
    """How many streams a state of a network is carried along; None where there are none."""
    return len(jax.tree.leaves(state[PAST])[0]) if PAST in state else None


def beginning(network: Any, drawn: Variables, example: Any) -> Variables:
    """Variables with room for what layers will remember of a mini-batch like the example."""
    blank = jax.tree.map(lambda held: np.zeros(held.shape, held.dtype), _past(network, example))
    return Variables(drawn.parameters, {**drawn.state, PAST: blank})


def _past(network: Any, example: Any, visits: list[Visit] | None = None) -> Mapping[str, Any]:
    """Shapes of what layers remember of a mini-batch, by their prefixes."""

    def forward(key: Array, x: Array) -> Mapping[str, Any]:
        past = Past({}, {}, room=x.shape[1]) if visits is None else None
        network.apply(network.init(key, x), x, Context("train", key, visits=visits, past=past))
        return {} if past is None else past.after

    return jax.eval_shape(forward, jax.random.key(0), example)


def check_carries(network: Any, example: Any) -> None:
    """Refuse a network whose layers cannot go on from one mini-batch to the next, or need not."""
    owner, needs = type(network).__name__, 'Training.order = "streams" needs'
    visits: list[Visit] = []
    _past(network, example, visits)
    outer = {visit.name.rpartition(".")[0] for visit in visits}
    inner = [visit for visit in visits if visit.name not in outer]
    recurrent = {visit.name for visit in inner if isinstance(visit.layer, Recurrent)}
    if not recurrent:
        raise SpecError(f"{needs} recurrent layers, but {owner} has none; leave it out")
    elsewhere = looks_elsewhere(inner)
    if elsewhere is not None:
        raise SpecError(
            f"{needs} a network that reads forwards, but what {elsewhere} of {owner} gives may "
            "depend on steps to come; leave it out"
        )
    others = {prefix.removesuffix(".") for prefix in _past(network, example)} - recurrent
    if others:
        raise SpecError(
            f"{needs} recurrent layers alone to remember what was before, but {owner} has "
            f"{min(others)}, for which the text would have no end; leave it out"
        )
