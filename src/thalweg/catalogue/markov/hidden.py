"""Hidden Markov models: a chain of states that is seen only through what the states emit."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from thalweg.catalogue.markov.chain import log_distributions
from thalweg.catalogue.markov.given import check_padding, check_steps, known
from thalweg.catalogue.markov.recursion import (
    Path,
    Posterior,
    expected_transitions,
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
        observed = known("symbols", observed, self.log_probabilities.shape[1], padded=True)
        seen = jnp.moveaxis(self.log_probabilities[:, observed], 0, -1)
        return jnp.where((observed >= 0)[..., None], seen, 0.0)

    def refitted(self, observed: Array, shares: Array) -> Categorical:
        """The likeliest, where each symbol counts for every state by its share."""
        nothing = jnp.zeros(self.log_probabilities.T.shape, shares.dtype)
        seen = nothing.at[observed].add(jnp.where((observed >= 0)[..., None], shares, 0.0))
        return Categorical(_log_shares(seen.T, self.log_probabilities))


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

    def refitted(self, observed: Array, shares: Array) -> Gaussians:
        """The likeliest, where each vector counts for every state by its share."""
        total = shares.sum((0, 1))[:, None]
        seen, divisor = total > 0, jnp.where(total > 0, total, 1.0)
        means = jnp.einsum("btn,btf->nf", shares, observed) / divisor
        off = (observed[:, :, None, :] - means) ** 2
        variances = jnp.einsum("btn,btnf->nf", shares, off) / divisor
        return Gaussians(
            jnp.where(seen, means, self.means), jnp.where(seen, variances, self.variances)
        )


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

    def refitted(self, observed: Any, lengths: Array | None = None) -> HiddenMarkovModel:
        """One step of expectation-maximization, which never makes the data less likely.

        What is not seen at all stays as it is. Gaussians may close in on single points: variances
        have no floor.

        Source: Baum, Petrie, Soules & Weiss, A Maximization Technique Occurring in the Statistical
            Analysis of Probabilistic Functions of Markov Chains, 1970.
        """
        scores, matrix, lengths = self._chain(observed, lengths)
        posterior = forward_backward(scores, matrix, lengths)
        moves = expected_transitions(posterior, matrix, lengths).sum(0)
        return HiddenMarkovModel(
            _log_shares(posterior.states[:, 0].sum(0), self.log_start),
            _log_shares(moves, matrix),
            self.emissions.refitted(jnp.asarray(observed), posterior.states),
        )

    def _chain(self, observed: Any, lengths: Any) -> tuple[Array, Array, Array | None]:
        observed = jnp.asarray(observed)
        check_steps(observed.shape, lengths)
        if lengths is None and isinstance(self.emissions, Categorical):
            lengths = (observed >= 0).sum(1)
            check_padding(observed, lengths)
        scores = self.emissions.scores(observed)
        return scores.at[:, 0].add(self.log_start), self.log_matrix, lengths


def _log_shares(counts: Array, otherwise: Array) -> Array:
    """Logarithms of distributions along the last axis; of nothing, what it was."""
    total = counts.sum(-1, keepdims=True)
    return jnp.where(total > 0, jnp.log(counts / jnp.where(total > 0, total, 1.0)), otherwise)


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
