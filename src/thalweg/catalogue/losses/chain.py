"""The likelihood of labels that depend on each other along a sequence."""

from __future__ import annotations

import math
from collections.abc import Mapping

import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.markov.recursion import (
    backward,
    forward_backward,
    log_sum,
    viterbi,
)
from thalweg.errors import SpecError
from thalweg.part import part

__all__ = ["LinearChainLikelihood"]


@part
class LinearChainLikelihood:
    """Scores the labels of a sequence together, as a linear-chain conditional random field.

    Formula: −ln p(y|x) = ln Z(x) − Σ_t ψ_t(y_{t−1}, y_t), Z the sum of exp Σ_t ψ_t over all
        sequences of labels;  of step t: ℓ_t = −ln p(y_t | y_{t−1}, x) = β_{t−1}(y_{t−1}) −
        ψ_t(y_{t−1}, y_t) − β_t(y_t), which add up to it, by the backward recursion β_{t−1}(i) =
        ln Σ_j exp(ψ_t(i, j) + β_t(j))
    Shapes: scores of pairs [batch, time, K²] from a LinearChain, targets [batch, time] → [batch,
        time], 0 where the target is -1
    Watch for: every step up to the last must have a label. Accuracy is that of the best sequence,
        by Viterbi's algorithm; predicted probabilities are those of each label by itself, by the
        forward-backward algorithm, and their largest need not be the best sequence.
    Source: Lafferty, McCallum & Pereira, Conditional Random Fields, 2001, section 3
    Example:
        >>> pairs = jnp.array([[[1.0, 0.0, 1.0, 0.0], [0.0, 2.0, 0.0, 2.0]]])
        >>> losses = LinearChainLikelihood()(pairs, jnp.array([[0, 1]]))
        >>> jnp.exp(-losses.sum()).round(4)
        Array(0.6439, dtype=float32)
        >>> LinearChainLikelihood().decided(pairs)
        Array([[0, 1]], dtype=int32)
    """

    tasks = ("tokens",)
    #: Whether a target of -1 may only stand where a sequence has ended.
    labels_whole_sequences = True

    def __call__(self, outputs: Array, targets: Array) -> Array:
        real = targets >= 0
        first, moves = _first_and_moves(outputs)
        moves = jnp.where(real[:, 1:, None, None], moves, 0)
        since = backward(_on_first(first, outputs.shape[1]), moves)
        labels = jnp.maximum(targets, 0)
        after = jnp.take_along_axis(since, labels[..., None], axis=-1)[..., 0]
        # What the first step scores is no part of what comes after it.
        score = jnp.take_along_axis(first, labels[:, :1], axis=-1)
        from_there = after.at[:, :1].add(-score)
        rows, steps = jnp.arange(len(labels))[:, None], jnp.arange(outputs.shape[1] - 1)
        taken = moves[rows, steps, labels[:, :-1], labels[:, 1:]]
        begun = log_sum(since[:, :1]) - after[:, :1]
        losses = jnp.concatenate([begun, from_there[:, :-1] - taken - after[:, 1:]], axis=1)
        # A label that nothing leads to, or that leads nowhere, even where none does better.
        moved = jnp.pad(taken, ((0, 0), (1, 0)))
        losses = jnp.where((after == -jnp.inf) | (moved == -jnp.inf), jnp.inf, losses)
        return jnp.where(real, losses, 0)

    def outputs(self, targets: int) -> int:
        return targets**2

    def probabilities(self, outputs: Array) -> Array:
        first, moves = _first_and_moves(outputs)
        return forward_backward(_on_first(first, outputs.shape[1]), moves).states

    def decided(self, outputs: Array) -> Array:
        """The best labels of every sequence, together."""
        first, moves = _first_and_moves(outputs)
        return viterbi(_on_first(first, outputs.shape[1]), moves).states

    def surprise(self, outputs: Array, targets: Array) -> Array:
        """Negative log-probability of every label, given those before it."""
        return self(outputs, targets)

    def check_taps(self, shapes: Mapping[str, tuple[int, ...]], targets: int) -> None:
        """Refuse a network whose outputs are not those of a field."""
        if not any(name.rpartition(".")[2] == "transitions" for name in shapes):
            raise SpecError(
                "LinearChainLikelihood needs a LinearChain as the last layer of the network"
            )


def _first_and_moves(outputs: Array) -> tuple[Array, Array]:
    """Scores of the first label [batch, K], and of every later one after another."""
    labels = math.isqrt(outputs.shape[-1])
    pairs = outputs.reshape(*outputs.shape[:2], labels, labels)
    return pairs[:, 0, 0], pairs[:, 1:]


def _on_first(first: Array, time: int) -> Array:
    """Scores of every step that are those of the first, and 0 after it."""
    return jnp.pad(first[:, None], ((0, 0), (0, time - 1), (0, 0)))
