"""The context of one pass through a network: mode, randomness and taps.

A *tap* is a named value inside a network: ``dense_0.z``, ``dense_0.a``. Layers offer values by
``context.tap(name, value)`` and use what comes back. Whoever wants values passes a context that
collects them; whoever wants gradients at a tap passes a nudge of zeros for it and differentiates
with respect to the nudge. A tap nobody asks for is an identity and costs nothing once compiled.

A pass may be a few steps of a longer one. Then its *past* holds what layers that look back along
time remember of the steps before, by layer, and is handed on with what they remember after.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from copy import copy
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

__all__ = ["Context", "Past", "Variables", "Visit"]

# In calibration nothing is random, and statistics are those of the batch: given all training rows
# as one batch, a network returns the state that holds their exact statistics.
Mode = Literal["train", "evaluate", "calibrate"]


class Variables(NamedTuple):
    """What a network holds: parameters, which are trained, and state, which is not.

    Both are dictionaries by layer name; state (running averages and the like) may be empty.
    """

    parameters: Any
    state: Any

    def named(self) -> dict[str, Any]:
        """Every array by name: ``parameters.dense_0.kernel``, ``state.normalization_0.mean``."""
        return {_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(self)}

    def replaced(self, arrays: Mapping[str, Any]) -> Variables:
        """With the arrays that are given by name in place of its own."""
        return jax.tree_util.tree_map_with_path(
            lambda path, own: arrays.get(_name(path), own), self
        )


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator=".")


class Visit(NamedTuple):
    """One layer as a pass ran through it.

    Args:
        name: with those of the layers around it.
        layer: the part.
        variables: what it holds.
        input, output: what went in and came out; what reads a memory is given that as well.
        lengths: of the sequences that went in, as the context told.
    """

    name: str
    layer: Any
    variables: Variables
    input: Any
    output: Array
    lengths: Array | None = None


class Past(NamedTuple):
    """What is remembered of earlier steps, by the prefix of the layer that remembers it.

    Args:
        held: from before, [batch, ...]; empty before the first step.
        after: a dictionary to fill with what is remembered now.
        room: steps there will be at most; asked for before the first step alone.
        begins: whether what is held does not count, as there were no steps before, bool []; None
            where it does.
    """

    held: Mapping[str, Any]
    after: dict[str, Any]
    room: int = 0
    begins: Array | None = None


class Context:
    """What a layer may ask for during one pass.

    Args:
        mode: ``train``, ``evaluate`` or ``calibrate``.
        key: random key of this pass; None where nothing is random.
        taps: a dictionary to fill with the values of all taps, or None.
        nudges: values to add at taps, by name.
        prefix: names of the layers around this one, ending in a dot, or empty.
        weights: 1 for rows that count and 0 for rows that only fill the batch, [batch]; None
            where all rows count.
        visits: a list to fill with every layer that is run, those inside others first, or None.
        lengths: how many leading steps of every sequence count, int32 [batch]; None where all do.
            What layers make of real steps does not depend on what follows them.
        past: what is known of earlier steps, where the inputs go on from them; or None.
        rematerialize: whether what layers make is made again for the gradient, and not kept.
    """

    def __init__(
        self,
        mode: Mode,
        key: Array | None = None,
        taps: dict[str, Array] | None = None,
        nudges: Mapping[str, Array] | None = None,
        prefix: str = "",
        weights: Array | None = None,
        visits: list[Visit] | None = None,
        lengths: Array | None = None,
        past: Past | None = None,
        rematerialize: bool = False,
    ) -> None:
        self.mode: Mode = mode
        self.key = key
        self.taps = taps
        self.nudges = nudges or {}
        self.prefix = prefix
        self.weights = weights
        self.visits = visits
        self.lengths = lengths
        self.past = past
        self.rematerialize = rematerialize

    def within(self, layer: str) -> Context:
        """The context of a layer inside: its taps are prefixed and its randomness is its own."""
        key = None if self.key is None else jax.random.fold_in(self.key, zlib.crc32(layer.encode()))
        inner = copy(self)
        inner.key, inner.prefix = key, f"{self.prefix}{layer}."
        return inner

    def of_lengths(self, lengths: Array | None) -> Context:
        """This context for sequences of other lengths: a part of what came in, or its batch."""
        other = copy(self)
        other.lengths = lengths
        return other

    def of_portion(
        self, number: Array, weights: Array | None, taps: dict[str, Array] | None
    ) -> Context:
        """This context for a portion of the batch, which has random numbers of its own."""
        other = copy(self)
        other.key = None if self.key is None else jax.random.fold_in(self.key, number)
        other.weights, other.taps = weights, taps
        return other

    def after(self, past: Past | None) -> Context:
        """This context behind other steps."""
        other = copy(self)
        other.past = past
        return other

    def rematerializing(self, asked: bool = True) -> Context:
        """This context where what layers make is made again for the gradient, or is kept."""
        other = copy(self)
        other.rematerialize = asked
        return other

    @property
    def can_rematerialize(self) -> bool:
        """Whether it is asked for, and nobody wants anything from within."""
        watched = self.taps is not None or self.visits is not None or self.nudges
        return self.rematerialize and not watched and self.past is None

    def tap(self, name: str, value: Array) -> Array:
        """Offer a value under a name and get it back, nudged if somebody asked for that."""
        name = self.prefix + name
        if name in self.nudges:
            value = value + self.nudges[name]
        if self.taps is not None:
            self.taps[name] = value
        return value

    def remembered(self, start: Any) -> Any:
        """What this layer remembers of earlier steps; the start where there are none."""
        if self.past is None:
            return start
        held, begins = self.past.held.get(self.prefix, start), self.past.begins
        if begins is None:
            return held
        return jax.tree.map(lambda first, own: jnp.where(begins, first, own), start, held)

    def remember(self, held: Any) -> None:
        """Hand on what this layer knows now, where steps may follow."""
        if self.past is not None:
            self.past.after[self.prefix] = held
