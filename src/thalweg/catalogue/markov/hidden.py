"""Hidden Markov models: a chain of states that is seen only through what the states emit."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from thalweg.catalogue.markov.chain import log_distributions
from thalweg.catalogue.markov.recursion import (
    Path,
    Posterior,
    forward_backward,
    log_normalizer,
    viterbi,
)
from thalweg.errors import SpecError

__all__ = ["Categorical", "Gaussians", "HiddenMarkovModel"]


class Categorical(NamedTuple):
    """Symbols, with probabilities of their own in every state.

    Args:
        log_probabilities: [state, symbol].
    """

    log_probabilities: Array

    def scores(self, observed: Array) -> Array:
        """Log-probabilities of symbols [batch, time], [batch, time, state]; 0 for -1."""
        seen = jnp.moveaxis(self.log_probabilities[:, observed], 0, -1)
        return jnp.where((observed >= 0)[..., None], seen, 0.0)


class Gaussians(NamedTuple):
    """Vectors, normally distributed in every state with features that are independent there.

    Args:
        means, variances: [state, feature].
    """

    means: Array
    variances: Array

    def scores(self, observed: Array) -> Array:
        """Log-densities of vectors [batch, time, feature], [batch, time, state]."""
        off = observed[:, :, None, :] - self.means
        spread = jnp.log(2 * jnp.pi * self.variances)
        return -0.5 * (off**2 / self.variances + spread).sum(-1)


class HiddenMarkovModel(NamedTuple):
    """States that follow each other as in a Markov chain, of which only emissions are seen.

    Sequences are padded at their end; ``lengths`` [batch] says where that is, None that nothing is
    padded. Symbols may be padded with -1 instead.

    Args:
        log_start: log-probability of each first state, [state].
        log_matrix: of each state, row by row, after another, [state, state].
        emissions: ``Categorical`` or ``Gaussians``.

    Example:
        >>> model = HiddenMarkovModel.categorical(
        ...     start=[0.6, 0.4],
        ...     matrix=[[0.7, 0.3], [0.4, 0.6]],
        ...     emissions=[[0.5, 0.4, 0.1], [0.1, 0.3, 0.6]],
        ... )
        >>> path = model.most_likely([[0, 1, 2]])
        >>> path.states
        Array([[0, 0, 1]], dtype=int32)
        >>> jnp.exp(path.log_weight)
        Array([0.01512], dtype=float32)
        >>> jnp.exp(model.log_likelihood([[0, 1, 2]]))
        Array([0.03628], dtype=float32)
    """

    log_start: Array
    log_matrix: Array
    emissions: Any

    @classmethod
    def categorical(cls, start: Any, matrix: Any, emissions: Any) -> HiddenMarkovModel:
        """A model that emits symbols.

        Args:
            start: probabilities of the first state, [state].
            matrix: of a state, row by row, after another, [state, state].
            emissions: of symbols, [state, symbol].

        Raises:
            SpecError: shapes disagree, or a row is no distribution.
        """
        _check_shapes(start, matrix, emissions=emissions)
        logs = log_distributions("HiddenMarkovModel.emissions", emissions)
        return cls(*_chain(start, matrix), Categorical(logs))

    @classmethod
    def gaussian(cls, start: Any, matrix: Any, means: Any, variances: Any) -> HiddenMarkovModel:
        """A model that emits vectors.

        Args:
            start, matrix: as in ``categorical``.
            means, variances: [state, feature].

        Raises:
            SpecError: shapes disagree, a row is no distribution, or a variance is not positive.
        """
        _check_shapes(start, matrix, means=means, variances=variances)
        if not (np.asarray(variances) > 0).all():
            raise SpecError("HiddenMarkovModel.variances must be > 0")
        return cls(*_chain(start, matrix), Gaussians(jnp.asarray(means), jnp.asarray(variances)))

    def log_likelihood(self, observed: Any, lengths: Array | None = None) -> Array:
        """Of each sequence, over all paths, [batch]."""
        return log_normalizer(*self._chain(observed, lengths))

    def posterior(self, observed: Any, lengths: Array | None = None) -> Posterior:
        """Probabilities of the states at each time, given all that is seen."""
        return forward_backward(*self._chain(observed, lengths))

    def most_likely(self, observed: Any, lengths: Array | None = None) -> Path:
        """The likeliest path, by Viterbi's algorithm."""
        return viterbi(*self._chain(observed, lengths))

    def _chain(self, observed: Any, lengths: Any) -> tuple[Array, Array, Array | None]:
        observed = jnp.asarray(observed)
        if lengths is None and isinstance(self.emissions, Categorical):
            lengths = (observed >= 0).sum(1)
        scores = self.emissions.scores(observed)
        return scores.at[:, 0].add(self.log_start), self.log_matrix, lengths


def _chain(start: Any, matrix: Any) -> tuple[Array, Array]:
    return (
        log_distributions("HiddenMarkovModel.start", start),
        log_distributions("HiddenMarkovModel.matrix", matrix),
    )


def _check_shapes(start: Any, matrix: Any, **by_state: Any) -> None:
    states = np.size(start)
    for name, value in {"start": start, "matrix": matrix, **by_state}.items():
        shape = np.shape(value)
        wanted = {"start": (states,), "matrix": (states, states)}.get(name, (states, *shape[1:2]))
        if shape != wanted or (name not in ("start", "matrix") and len(shape) != 2):
            raise SpecError(
                f"HiddenMarkovModel.{name} must be for the {states} states of "
                f"HiddenMarkovModel.start, got shape {list(shape)}"
            )
