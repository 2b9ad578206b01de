"""Markov chains, and the checks of probabilities that all models of this folder share."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial

from thalweg.catalogue.decoders.decoder import Model
from thalweg.catalogue.markov.given import known
from thalweg.catalogue.markov.recursion import Path, viterbi
from thalweg.errors import SpecError

__all__ = ["MarkovChain", "log_distributions"]

# Rows of probabilities that were stored in single precision, or printed with six digits.
TOLERANCE = 1e-5


def log_distributions(place: str, probabilities: Any) -> Array:
    """Logarithms of distributions along the last axis.

    Args:
        place: what they are, for the error.

    Raises:
        SpecError: some are negative or not numbers, or do not sum to 1.
    """
    held = np.asarray(probabilities, float)
    wrong = ~(held >= 0) | np.isinf(held)
    if wrong.any():
        at = tuple(map(int, np.argwhere(wrong)[0]))
        raise SpecError(f"{place} must be probabilities >= 0, got {held[at]:g} at {_place(at)}")
    sums = held.sum(-1)
    off = np.argwhere(abs(sums - 1) > TOLERANCE)
    if len(off):
        at = tuple(map(int, off[0]))
        which = f"row {_place(at)} sums to" if at else "they sum to"
        raise SpecError(f"{place} must sum to 1 in every row, but {which} {sums[at]:.6g}")
    with np.errstate(divide="ignore"):
        return jnp.asarray(np.log(held))


def _place(at: tuple[int, ...]) -> str:
    return ", ".join(map(str, at))


class MarkovChain(NamedTuple):
    """Each token depends on the one before it alone: p(w_t = j | w_{t−1} = i) = P_ij.

    Being one, its likeliest sequence is found exactly, by ``most_likely``. That is not so of models
    with a longer memory, a recurrent network among them: what is best up to a token is then not
    best for every continuation, and Viterbi's recursion does not hold.

    Args:
        log_matrix: log P, [token, token].

    Example:
        >>> chain = MarkovChain.of([[0.0, 0.6, 0.4], [0.3, 0.4, 0.3], [0.0, 0.0, 1.0]])
        >>> path = chain.most_likely([0], length=3)
        >>> path.states
        Array([[2, 2, 2]], dtype=int32)
        >>> jnp.exp(path.log_weight)
        Array([0.4], dtype=float32)
    """

    log_matrix: Array

    @classmethod
    def of(cls, matrix: Any) -> MarkovChain:
        """A chain from its matrix P, [token, token].

        Raises:
            SpecError: P is not square, or a row is no distribution.
        """
        shape = np.shape(matrix)
        if len(shape) != 2 or shape[0] != shape[1] or not shape[0]:
            raise SpecError(f"MarkovChain.matrix must be [token, token], got shape {list(shape)}")
        return cls(log_distributions("MarkovChain.matrix", matrix))

    def model(self, begin: Any, end: int | None = None) -> Model:
        """The chain as decoders want it.

        Args:
            begin: the token before the first, [batch].
        """
        return Model(Partial(_next, self.log_matrix), (), self._known(begin), end)

    def log_probability(self, tokens: Any, begin: Any) -> Array:
        """Of whole sequences [batch, time] that end before the first -1, [batch]."""
        tokens, begin = self._known(tokens, padded=True), self._known(begin)
        before = jnp.concatenate([begin[:, None], tokens[:, :-1]], axis=1)
        return jnp.where(tokens >= 0, self.log_matrix[before, tokens], 0.0).sum(1)

    def most_likely(self, begin: Any, length: int) -> Path:
        """The likeliest sequence of a length, by Viterbi's algorithm.

        Args:
            begin: the token before the first, [batch].

        Raises:
            SpecError: the length is below 1.
        """
        if length < 1:
            raise SpecError(f"MarkovChain.most_likely: length must be >= 1, got {length}")
        first = self.log_matrix[self._known(begin)]
        rest = jnp.zeros((first.shape[0], length - 1, first.shape[1]), first.dtype)
        return viterbi(jnp.concatenate([first[:, None], rest], axis=1), self.log_matrix)

    def _known(self, tokens: Any, padded: bool = False) -> Array:
        return known("tokens", tokens, len(self.log_matrix), padded)


def _next(log_matrix: Array, state: Any, token: Array) -> tuple[Any, Array]:
    return state, log_matrix[token]
