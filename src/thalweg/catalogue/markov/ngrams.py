"""Models of n-grams: each token depends on the n − 1 before it. Count, smooth, use.

``count`` makes tables of counts of sequences; ``add_k``, ``interpolated``,
``absolute_discounting`` and ``kneser_ney`` make an ``NGram`` of them. Tables are dense, N^n numbers
for N tokens, made for characters and small vocabularies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.tree_util import Partial

from thalweg.catalogue.decoders.decoder import Model
from thalweg.catalogue.markov.chain import MarkovChain
from thalweg.catalogue.markov.given import known, share
from thalweg.catalogue.markov.recursion import Path
from thalweg.errors import DataError, SpecError
from thalweg.part import Number

__all__ = ["NGram", "absolute_discounting", "add_k", "count", "interpolated", "kneser_ney"]

# Most numbers of a table: 256 MB in single precision.
LARGEST_TABLE = 2**26


class NGram(NamedTuple):
    """p(w_t | w_{t−n+1}…w_{t−1}), one table of them.

    Args:
        log_probabilities: [token, ...] with n axes: the context, its oldest token first, and the
            next token last.

    Example:
        >>> counts = count([[1, 1, 2], [1, 2]], order=2, tokens=3, begin=0, end=2)
        >>> bigram = add_k(counts, 1.0)
        >>> jnp.exp(bigram.log_probabilities[1]).tolist()
        [0.1667, 0.3333, 0.5]
        >>> bigram.most_likely([[0]], length=2).states
        Array([[1, 2]], dtype=int32)
    """

    log_probabilities: Array

    @property
    def order(self) -> int:
        """n."""
        return self.log_probabilities.ndim

    @property
    def tokens(self) -> int:
        """Size of the vocabulary."""
        return self.log_probabilities.shape[-1]

    def model(self, context: Any, end: int | None = None) -> Model:
        """The model as decoders want it.

        Args:
            context: the n − 1 tokens before the first, [batch, n − 1]; for n = 1, the one before
                it, which is not looked at.
        """
        context = known("tokens", context, self.tokens)
        return Model(Partial(_next, self.log_probabilities), context[:, :-1], context[:, -1], end)

    def log_probability(self, tokens: Any, context: Any) -> Array:
        """Of whole sequences [batch, time] that end before the first -1, [batch]."""
        tokens = known("tokens", tokens, self.tokens, padded=True)
        context = known("tokens", context, self.tokens)
        both = jnp.concatenate([context, tokens], axis=1)
        begin = context.shape[1] - (self.order - 1)
        ends = [both[:, begin + i :][:, : tokens.shape[1]] for i in range(self.order)]
        return jnp.where(tokens >= 0, self.log_probabilities[tuple(ends)], 0.0).sum(1)

    def chain(self) -> MarkovChain:
        """The Markov chain of contexts (for n = 2, of tokens), in which Viterbi's recursion holds.

        The context abc is the state (a·N + b)·N + c; the token it ends with is the rest by N.

        Raises:
            SpecError: the matrix would be too large.
        """
        states, words = self.tokens ** max(self.order - 1, 1), self.tokens
        _check_size(states**2, f"the matrix of the {states:,} contexts of NGram.chain")
        rows = jnp.broadcast_to(self.log_probabilities.reshape(-1, words), (states, words))
        follows = (jnp.arange(states)[:, None] * words + jnp.arange(words)) % states
        nothing = jnp.full((states, states), -jnp.inf, rows.dtype)
        return MarkovChain(nothing.at[jnp.arange(states)[:, None], follows].set(rows))

    def most_likely(self, context: Any, length: int) -> Path:
        """The likeliest sequence of a length, by Viterbi's algorithm.

        The states of the path are tokens; its trellis is over contexts.

        Args:
            context: the n − 1 tokens before the first, [batch, n − 1].
        """
        context = known("tokens", context, self.tokens)
        place = jnp.zeros(context.shape[0], int)
        for i in range(context.shape[1]):
            place = place * self.tokens + context[:, i]
        path = self.chain().most_likely(place, length)
        states = jnp.where(path.states >= 0, path.states % self.tokens, -1)
        return path._replace(states=states)


def _next(table: Array, state: Array, token: Array) -> tuple[Array, Array]:
    context = jnp.concatenate([state, token[..., None]], axis=-1)
    used = context[..., context.shape[-1] - (table.ndim - 1) :]
    scores = table[tuple(jnp.moveaxis(used, -1, 0))] if table.ndim > 1 else table
    return context[..., 1:], jnp.broadcast_to(scores, (*token.shape, table.shape[-1]))


def _check_size(size: int, what: str) -> None:
    if size > LARGEST_TABLE:
        raise SpecError(f"{what} would hold {size:,} numbers, more than {LARGEST_TABLE:,}")


# ------------------------------------------------------------------------------------------ counts


def count(
    sequences: Sequence[Any], order: int, tokens: int, begin: int, end: int | None = None
) -> tuple[np.ndarray, ...]:
    """Count n-grams of all orders up to one, a table [token, ...] for each, unigrams first.

    Every sequence is counted after ``order`` − 1 begin tokens and, where there is an end token,
    before one. Shorter n-grams are the ends of the longest, so begin tokens are context only.

    Args:
        sequences: whole numbers, each sequence of its own length; what follows a -1 is padding.
        order: n.
        tokens: size of the vocabulary, begin and end among it.

    Raises:
        SpecError: the order is below 1, or the table would be too large.
        DataError: a token lies outside the vocabulary.
    """
    if order < 1:
        raise SpecError(f"count: order must be >= 1, got {order}")
    _check_size(tokens**order, f"the table of {order}-grams of {tokens} tokens")
    table = np.zeros((tokens,) * order)
    for i, sequence in enumerate(sequences):
        held = np.asarray(sequence, np.int64).reshape(-1)
        held = held[: int((held >= 0).argmin())] if (held == -1).any() else held
        tail = [] if end is None or (held.size and held[-1] == end) else [end]
        whole = np.concatenate([[begin] * (order - 1), held, tail]).astype(np.int64)
        if whole.size and (whole.min() < 0 or whole.max() >= tokens):
            wrong = whole[(whole < 0) | (whole >= tokens)][0]
            raise DataError(f"tokens must be >= 0 and < {tokens}, got {wrong} in sequence {i}")
        grams = [whole[k : len(whole) - order + 1 + k] for k in range(order)]
        np.add.at(table, tuple(grams), 1)
    tables = [table]
    while tables[0].ndim > 1:
        tables.insert(0, tables[0].sum(0))
    return tuple(tables)


# --------------------------------------------------------------------------------------- smoothing

Counts = Sequence[Any]


def add_k(counts: Counts, k: Number = 1.0) -> NGram:
    """(c + k) / (C + k N): every continuation was seen k times more (Laplace for k = 1).

    A context that was never seen has the uniform distribution for k > 0, and leads nowhere for
    k = 0.

    Raises:
        SpecError: k is negative.
    """
    seen = jnp.asarray(counts[-1], float) + share("add_k: k", k, math.inf)
    total = seen.sum(-1, keepdims=True)
    return _model(seen / jnp.where(total > 0, total, 1.0))


def interpolated(counts: Counts, weights: Any) -> NGram:
    """λ_n c / C + (1 − λ_n) p_{n−1}, down to λ₁ c / C + (1 − λ₁) / N.

    A context that was never seen has the shorter one's distribution.

    Args:
        weights: λ in [0, 1], unigrams first: one for each order, or one for all.

    Raises:
        SpecError: a weight is beyond that.

    Source: Jelinek & Mercer, Interpolated Estimation of Markov Source Parameters from Sparse Data,
        1980.
    """

    def mixed(seen: Array, weight: Array) -> tuple[Array, Array]:
        return weight * seen, (1 - weight) * seen.sum(-1, keepdims=True)

    weights = share("interpolated: weights", weights)
    return _model(_from_lower([jnp.asarray(c, float) for c in counts], weights, mixed))


def absolute_discounting(counts: Counts, discounts: Any = 0.75) -> NGram:
    """max(c − d, 0) / C + d · (kinds of continuation) / C · p_{n−1}, down to 1 / N.

    Args:
        discounts: d in [0, 1], unigrams first: one for each order, or one for all.

    Raises:
        SpecError: a discount is beyond that.

    Source: Ney, Essen & Kneser, On Structuring Probabilistic Dependences in Stochastic Language
        Modelling, 1994.
    """
    discounts = share("absolute_discounting: discounts", discounts)
    return _model(_from_lower([jnp.asarray(c, float) for c in counts], discounts, _discounted))


def kneser_ney(counts: Counts, discounts: Any = 0.75) -> NGram:
    """Absolute discounting in which shorter n-grams count the kinds of token they were seen after.

    With d₁ = 0 unigrams are exactly that share, as in the first publication, and a token never seen
    is impossible; with d₁ > 0 they are mixed with 1 / N.

    Args:
        discounts: d in [0, 1], unigrams first: one for each order, or one for all.

    Raises:
        SpecError: a discount is beyond that.

    Source: Kneser & Ney, Improved Backing-Off for M-Gram Language Modeling, 1995; Chen & Goodman,
        An Empirical Study of Smoothing Techniques for Language Modeling, 1999, section 2.7
        (interpolated).
    """
    discounts = share("kneser_ney: discounts", discounts)
    kinds = [jnp.asarray(longer > 0, float).sum(0) for longer in counts[1:]]
    return _model(_from_lower([*kinds, jnp.asarray(counts[-1], float)], discounts, _discounted))


def _discounted(seen: Array, discount: Array) -> tuple[Array, Array]:
    return (
        jnp.maximum(seen - discount, 0.0),
        discount * (seen > 0).sum(-1, keepdims=True),
    )


def _from_lower(
    counts: list[Array],
    strengths: Any,
    shared: Callable[[Array, Array], tuple[Array, Array]],
) -> Array:
    """From the uniform distribution upwards, each order mixed with the one below.

    Args:
        shared: divides counts into what stays and what goes to the order below.
    """
    strengths = jnp.broadcast_to(jnp.asarray(strengths, float), len(counts))
    table = jnp.full(counts[0].shape, 1 / counts[0].size)
    for seen, strength in zip(counts, strengths, strict=True):
        kept, below = shared(seen, strength)
        total = seen.sum(-1, keepdims=True)
        known = total > 0
        mixed = (kept + below * table) / jnp.where(known, total, 1.0)
        table = jnp.where(known, mixed, table)
    return table


def _model(probabilities: Array) -> NGram:
    return NGram(jnp.log(probabilities))
