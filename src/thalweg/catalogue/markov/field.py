"""Linear-chain conditional random fields: labels of a sequence, scored together."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.markov.given import check_steps, known
from thalweg.catalogue.markov.recursion import (
    Path,
    Posterior,
    forward_backward,
    log_normalizer,
    viterbi,
)

__all__ = ["ConditionalRandomField"]


class ConditionalRandomField(NamedTuple):
    """Labels of a sequence, which depend on each other and on the input x.

    p(y | x) = exp(start(y₁) + Σ_t score_t(y_t) + Σ_t transition(y_{t−1}, y_t) + end(y_T)) / Z(x).
    Scores [batch, time, label] come from a network; the field says how labels follow each other.
    All it holds are parameters, and ``log_likelihood`` may be differentiated by them and by the
    scores: the gradient is what is there less what the field expects. Sequences are padded at their
    end; ``lengths`` [batch] says where that is, None that nothing is padded.

    Args:
        start, end: scores of the first and the last label, [label].
        transitions: of a label, row by row, and the one after it, [label, label].

    Source: Lafferty, McCallum & Pereira, Conditional Random Fields: Probabilistic Models for
        Segmenting and Labeling Sequence Data, 2001, section 3.

    Example:
        >>> field = ConditionalRandomField.zeros(2)
        >>> scores = jnp.array([[[1.0, 0.0], [0.0, 2.0]]])
        >>> field.most_likely(scores).states
        Array([[0, 1]], dtype=int32)
        >>> jnp.exp(field.log_likelihood(scores, jnp.array([[0, 1]]))).round(4)
        Array([0.6439], dtype=float32)
    """

    start: Array
    transitions: Array
    end: Array

    @classmethod
    def zeros(cls, labels: int) -> ConditionalRandomField:
        """A field to start from: labels that do not mind each other."""
        return cls(jnp.zeros(labels), jnp.zeros((labels, labels)), jnp.zeros(labels))

    def log_likelihood(self, scores: Array, labels: Array, lengths: Array | None = None) -> Array:
        """log p(y | x) of given labels [batch, time], which may be anything after the end."""
        lengths = self._lengths(scores, lengths)
        scores = self._whole(scores, lengths)
        within = jnp.arange(scores.shape[1]) < lengths[:, None]
        labels = known("labels", jnp.where(within, labels, 0), scores.shape[2])
        own = jnp.take_along_axis(scores, labels[..., None], axis=-1)[..., 0]
        moves = self.transitions[labels[:, :-1], labels[:, 1:]]
        weight = jnp.where(within, own, 0.0).sum(1) + jnp.where(within[:, 1:], moves, 0.0).sum(1)
        # What is impossible stays so where everything is.
        whole = log_normalizer(scores, self.transitions, lengths)
        return jnp.where(weight == -jnp.inf, -jnp.inf, weight - whole)

    def posterior(self, scores: Array, lengths: Array | None = None) -> Posterior:
        """Probabilities of the labels at each time."""
        lengths = self._lengths(scores, lengths)
        return forward_backward(self._whole(scores, lengths), self.transitions, lengths)

    def most_likely(self, scores: Array, lengths: Array | None = None) -> Path:
        """The likeliest labels, by Viterbi's algorithm."""
        lengths = self._lengths(scores, lengths)
        return viterbi(self._whole(scores, lengths), self.transitions, lengths)

    def _whole(self, scores: Array, lengths: Array) -> Array:
        """Scores with those of the ends added."""
        last = (jnp.arange(scores.shape[1]) == lengths[:, None] - 1)[..., None]
        return scores.at[:, 0].add(self.start) + jnp.where(last, self.end, 0.0)

    @staticmethod
    def _lengths(scores: Array, lengths: Array | None) -> Array:
        check_steps(scores.shape, lengths)
        return jnp.full(scores.shape[0], scores.shape[1]) if lengths is None else lengths
