"""Which rows a step trains on: shuffled, or in mini-batches of rows of like length.

Every epoch sees every training row once, in a new order. By length, rows lie from short to long on
the host; they are cut into mini-batches in that order, after a shuffle within *windows* of a few
mini-batches, and mini-batches come in a random order. What all of a mini-batch is padded with is
then cut off: a step is compiled for a few lengths, ``Cut``, and takes the shortest that holds its
rows. A padded step changes nothing, so neither does a cut, but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Any, TypeVar

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from thalweg.data import Dataset
from thalweg.data.stored import blocks
from thalweg.part import replace

__all__ = ["Cut", "by_length", "cuts_of", "shortest"]

T = TypeVar("T")

# Windows of an epoch: the more, the less padding, and the less mixed are its mini-batches. Lengths
# that a step is compiled for, each of which takes as long to compile as a step.
WINDOWS, MOST_CUTS = 16, 6


@dataclass(frozen=True)
class Cut:
    """So many steps of a mini-batch are kept; the others are padding in all of its rows.

    Args:
        steps: of every sequence, or of what follows the source.
        source: of the source, where it is a sequence of its own.
        whole_source: steps of the source with its padding.
    """

    steps: int
    source: int = 0
    whole_source: int = 0

    def inputs(self, tokens: Array) -> Array:
        """Inputs [row, time] without what is cut off."""
        rest = tokens[:, self.whole_source : self.whole_source + self.steps]
        return jnp.concatenate([tokens[:, : self.source], rest], axis=1)

    def network(self, network: Any) -> Any:
        """A network that knows how long its sources are now."""
        return replace(network, source_time=self.source) if self.source else network

    def holds(self, tokens: Array) -> Array:
        """Whether nothing but padding of inputs [row, time] is cut off, bool []."""
        lost = tokens[:, self.whole_source + self.steps :]
        if self.source:
            between = tokens[:, self.source : self.whole_source]
            lost = jnp.concatenate([between, lost], axis=1)
        return ~(lost >= 0).any()


def shortest(cuts: Sequence[Cut], tokens: Array, function: Callable[[Cut], T]) -> T:
    """What a function says of the first of some cuts that holds inputs [row, time].

    Args:
        cuts: from the shortest to one that holds all.
        tokens: the inputs.
        function: from a cut to a tree of arrays, of the same shapes for all cuts.
    """
    holds = jnp.stack([cut.holds(tokens) for cut in cuts])
    return lax.switch(holds.argmax(), [lambda cut=cut: function(cut) for cut in cuts])


# ------------------------------------------------------------------------------------- on the host


@lru_cache(maxsize=16)
def _lengths(dataset: Dataset) -> list[np.ndarray]:
    """Of the source, where it is a sequence of its own, and of the rest: int [row] each."""
    own = dataset.source_time
    found = [_lengths_of(tokens, own) for _, tokens in blocks(dataset.inputs)]
    return [np.concatenate(part) for part in zip(*found, strict=True)]


def _lengths_of(tokens: np.ndarray, own: int) -> list[np.ndarray]:
    parts = (tokens[:, :own], tokens[:, own:]) if own else (tokens,)
    return [(part >= 0).sum(axis=1) for part in parts]


def by_length(dataset: Dataset) -> np.ndarray:
    """The place of every row of a data set among all rows from short to long, int [row].

    Of source and rest the one counts that is the longer of its kind, so that both are short in the
    first rows.
    """
    places = [np.searchsorted(np.sort(each), each, side="right") for each in _lengths(dataset)]
    return np.max(places, axis=0)


def cuts_of(dataset: Dataset) -> tuple[Cut, ...]:
    """The lengths for which steps on a data set are compiled: few, and such that little is padded.

    They do not depend on how rows are divided, so that runs of all seeds share a program.
    """
    lengths, order = _lengths(dataset), np.argsort(by_length(dataset), kind="stable")
    ends = np.linspace(0, dataset.rows, WINDOWS + 1)[1:].round().astype(int).clip(1) - 1
    # Steps that hold the rows of a window and of all before it, [window, part].
    needed = np.stack([np.maximum.accumulate(each[order])[ends] for each in lengths], axis=1)
    last = len(needed) - 1

    def padded(chosen: tuple[int, ...]) -> int:
        """Steps of all windows, where each takes the first of those chosen that holds it."""
        taken = np.searchsorted(chosen, np.arange(last + 1))
        return int(needed[np.array(chosen)[taken]].sum())

    choices = ((*some, last) for some in combinations(range(last), MOST_CUTS - 1))
    kept = np.unique(needed[list(min(choices, key=padded))], axis=0).tolist()
    own = dataset.source_time
    return tuple(Cut(parts[-1], parts[0], own) if own else Cut(parts[0]) for parts in kept)
