"""Dynamic programming over chains of states: the best path, and the sum over all paths.

A path w₁…w_T has the log-weight Σ_t score_t(w_t) + Σ_t transition(w_{t−1}, w_t). Chains, hidden
Markov models and conditional random fields differ only in where these come from. One recursion
serves them all: with the maximum it is Viterbi's, with the sum it is the forward algorithm, and
with the sum over flipped sequences the backward one.

Scores are [batch, time, state], transitions [state, state] from row to column, or such a matrix
for every move, [batch, time − 1, state, state]; lengths are [batch].
What is impossible has score -inf. A sequence without steps has one path, of weight 1. All are
compiled, once for each shape. Read ``_ahead`` first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from thalweg.catalogue.markov.given import compiled

__all__ = [
    "Path",
    "Posterior",
    "back_pointers",
    "backward",
    "expected_transitions",
    "forward_backward",
    "log_normalizer",
    "log_sum",
    "viterbi",
]


class Path(NamedTuple):
    """The best path of each sequence.

    Args:
        states: [batch, time], -1 after the end, and everywhere where no path is possible.
        log_weight: of the path, [batch].
        trellis: δ_t(j), log-weight of the best path that is in state j at time t,
            [batch, time, state].
    """

    states: Array
    log_weight: Array
    trellis: Array


class Posterior(NamedTuple):
    """What the sum over all paths says; 0 probabilities throughout where no path is possible.

    Args:
        log_normalizer: log of the sum of the weights of all paths, [batch].
        states: probability of each state at each time, [batch, time, state]; 0 after the end.
        until: log of the sum over paths up to and with each state, α_t(j), [batch, time, state].
        since: the same from each state on, with its own score, β_t(j) + score_t(j).
    """

    log_normalizer: Array
    states: Array
    until: Array
    since: Array


def log_sum(scores: Array, axis: int = -1) -> Array:
    """log Σ exp, exact for -inf, also in its derivative: the sum over nothing is -inf, flat."""
    largest = lax.stop_gradient(jnp.max(scores, axis=axis, keepdims=True))
    largest = jnp.where(largest == -jnp.inf, 0.0, largest)
    total = jnp.exp(scores - largest).sum(axis)
    none = total == 0
    return jnp.where(none, -jnp.inf, jnp.log(jnp.where(none, 1.0, total)) + largest.squeeze(axis))


def _summed(scores: Array) -> Array:
    return log_sum(scores, axis=-2)


def _ahead(
    scores: Array, transitions: Array, lengths: Array, over: Callable[[Array], Array]
) -> Array:
    """Paths that end in each state, taken together: r_t(j) = score_t(j) + ⊕_i r_{t−1}(i) + A_ij.

    Args:
        over: ⊕ over the last axis but one.

    Returns:
        [batch, time, state]; after its end, a sequence keeps what it had there.
    """

    def step(before: Array, now: tuple[Array, Array, Array | None]) -> tuple[Array, Array]:
        score, counts, moves = now
        after = score + over(before[:, :, None] + (transitions if moves is None else moves))
        after = jnp.where(counts[:, None], after, before)
        return after, after

    counts = jnp.arange(1, scores.shape[1])[:, None] < lengths
    first = scores[:, 0]
    # What is N² wide is computed again where a derivative wants it, not kept for every step.
    again = jax.checkpoint(step, prevent_cse=False)
    _, rest = lax.scan(again, first, (_by_time(scores[:, 1:]), counts, _moves(transitions)))
    return jnp.concatenate([first[:, None], jnp.moveaxis(rest, 0, 1)], axis=1)


def _by_time(sequences: Array) -> Array:
    return jnp.moveaxis(sequences, 1, 0)


def _moves(transitions: Array) -> Array | None:
    """The transitions of every move by time, where they are not all the same."""
    return None if transitions.ndim == 2 else _by_time(transitions)


def _flipped(sequences: Array, lengths: Array) -> Array:
    """Each sequence from its end to its beginning; what comes after its end stays."""
    time = jnp.arange(sequences.shape[1])
    source = jnp.where(time < lengths[:, None], lengths[:, None] - 1 - time, time)
    rest = (1,) * (sequences.ndim - 2)
    return jnp.take_along_axis(sequences, source.reshape(*source.shape, *rest), axis=1)


def _turned(transitions: Array, lengths: Array) -> Array:
    """The transitions of flipped sequences."""
    back = transitions.swapaxes(-1, -2)
    return back if back.ndim == 2 else _flipped(back, lengths - 1)


def _within(scores: Array, lengths: Array) -> Array:
    """Whether a step is before the end of its sequence, [batch, time]."""
    return jnp.arange(scores.shape[1]) < lengths[:, None]


def _all_of(scores: Array, lengths: Array | None) -> Array:
    batch, time, _ = scores.shape
    return jnp.full(batch, time) if lengths is None else jnp.asarray(lengths)


@compiled
def viterbi(scores: Array, transitions: Array, lengths: Array | None = None) -> Path:
    """The best path, in T·N² steps for T steps of N states; the first of equals.

    δ_t(j) = score_t(j) + max_i δ_{t−1}(i) + A_ij; the last state is argmax_j δ_T(j), and each
    before it the i that made the maximum for the one after it.
    """
    lengths = _all_of(scores, lengths)
    trellis = _ahead(scores, transitions, lengths, lambda x: x.max(-2))
    last = jnp.argmax(trellis[:, -1], axis=-1)
    log_weight = jnp.where(lengths > 0, trellis[:, -1].max(-1), 0.0)
    rows, into = jnp.arange(len(scores)), transitions.swapaxes(-1, -2)

    # Only the column of the state that follows is asked for, so the way back costs T·N.
    def earlier(state: Array, now: tuple[Array, Array, Array | None]) -> tuple[Array, Array]:
        best, counts, moves = now
        column = into[state] if moves is None else moves[rows, state]
        state = jnp.where(counts, jnp.argmax(best + column, axis=-1), state)
        return state, state

    counts = jnp.arange(1, scores.shape[1])[:, None] < lengths
    steps = _by_time(trellis[:, :-1]), counts, _moves(into)
    _, before = lax.scan(earlier, last, steps, reverse=True)
    states = jnp.concatenate([jnp.moveaxis(before, 0, 1), last[:, None]], axis=1)
    told = _within(scores, lengths) & (log_weight != -jnp.inf)[:, None]
    return Path(jnp.where(told, states, -1).astype(jnp.int32), log_weight, trellis)


def back_pointers(trellis: Array, transitions: Array) -> Array:
    """a_t(j) = argmax_i δ_{t−1}(i) + A_ij of every state, [batch, time − 1, state], to be shown."""
    return jnp.argmax(trellis[:, :-1, None, :] + transitions.T, axis=-1).astype(jnp.int32)


@compiled
def log_normalizer(scores: Array, transitions: Array, lengths: Array | None = None) -> Array:
    """log of the sum of the weights of all paths, [batch]: the forward algorithm."""
    lengths = _all_of(scores, lengths)
    return _over_all(_ahead(scores, transitions, lengths, _summed), lengths)


def _over_all(until: Array, lengths: Array) -> Array:
    return jnp.where(lengths > 0, log_sum(until[:, -1]), 0.0)


@compiled
def forward_backward(scores: Array, transitions: Array, lengths: Array | None = None) -> Posterior:
    """Probabilities of states given everything, by the forward-backward algorithm."""
    lengths = _all_of(scores, lengths)
    until = _ahead(scores, transitions, lengths, _summed)
    since = backward(scores, transitions, lengths)
    normalizer = _over_all(until, lengths)
    # Both hold the state's own score; where that is -inf, so are they.
    own = jnp.where(scores == -jnp.inf, 0.0, scores)
    possible = jnp.where(normalizer == -jnp.inf, 0.0, normalizer)[:, None, None]
    states = jnp.exp(until + since - own - possible)
    states = jnp.where(_within(scores, lengths)[..., None], states, 0.0)
    return Posterior(normalizer, states, until, since)


@compiled
def backward(scores: Array, transitions: Array, lengths: Array | None = None) -> Array:
    """log of the sum over paths from each state on, with its own score, [batch, time, state]."""
    lengths = _all_of(scores, lengths)
    turned = _turned(transitions, lengths)
    return _flipped(_ahead(_flipped(scores, lengths), turned, lengths, _summed), lengths)


@jax.jit
def expected_transitions(
    posterior: Posterior, transitions: Array, lengths: Array | None = None
) -> Array:
    """Expected number of times that each transition is taken, [batch, state, state]."""
    until, since, normalizer = posterior.until, posterior.since, posterior.log_normalizer
    lengths = _all_of(until, lengths)

    def add(total: Array, now: tuple[Array, Array, Array]) -> tuple[Array, None]:
        before, after, counts = now
        possible = jnp.where(normalizer == -jnp.inf, 0.0, normalizer)[:, None, None]
        share = jnp.exp(before[:, :, None] + transitions + after[:, None, :] - possible)
        return total + jnp.where(counts[:, None, None], share, 0.0), None

    counts = jnp.arange(1, until.shape[1])[:, None] < lengths
    steps = jnp.moveaxis(until[:, :-1], 1, 0), jnp.moveaxis(since[:, 1:], 1, 0), counts
    nothing = jnp.zeros((until.shape[0], *transitions.shape), until.dtype)
    return lax.scan(add, nothing, steps)[0]
