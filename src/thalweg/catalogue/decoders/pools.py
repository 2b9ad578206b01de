"""Hypotheses that compete: the loop of beam searches, and the rules for length and stopping.

Beams stand in groups, [batch, group, beam]; only those of a group compete. A search begins with
one live beam in every group: were all of them alive at first, all would hold the same sequence
for ever. Read ``pooled``, then ``_advance``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from thalweg.catalogue.decoders.decoder import (
    Candidates,
    Decoded,
    Lattice,
    Model,
    extended,
    opened,
    vocabulary,
)
from thalweg.part import Number

__all__ = ["Normalization", "Selection", "Stop", "best", "pooled"]

Normalization = Literal["power", "shifted_power"]
Selection = Literal["partial", "sort"]
Stop = Literal["certain", "full", "longest"]

# Maps log-probabilities of all continuations, [batch, group, beam, token], to the indices of the
# candidates in beams × tokens, best first, [batch, group, candidate].
Choose = Callable[[Array], Array]


class Rules(NamedTuple):
    """What a search does with lengths.

    Args:
        length_penalty: α; a sequence of T tokens is ranked by log p / T^α, or by
            log p / ((5 + T) / 6)^α.
        normalization: which of the two.
        stop: ``certain`` that no live hypothesis can overtake, ``full`` as soon as there are as
            many complete ones as beams, or not before the ``longest``.
        length: most tokens.
    """

    length_penalty: Number
    normalization: Normalization
    stop: Stop
    length: int

    def score(self, total: Array, tokens: Any) -> Array:
        """What a sequence of so many tokens is ranked by."""
        count = jnp.asarray(tokens, total.dtype)
        count = count if self.normalization == "power" else (5 + count) / 6
        return total / count**self.length_penalty

    def is_over(self, complete: Array, totals: Array, tokens: Array) -> Array:
        """Whether a group is done, given scores of complete hypotheses and totals of live ones."""
        best, worst = totals.max(-1), complete.min(-1)
        if self.stop == "longest":
            return best == -jnp.inf
        if self.stop == "full":
            return (best == -jnp.inf) | (worst != -jnp.inf)
        # Totals only fall and their divisors are monotone, so one of the two ends is the bound.
        attainable = jnp.maximum(self.score(best, tokens), self.score(best, self.length))
        return worst >= attainable


class _Complete(NamedTuple):
    """The best complete hypotheses so far, [batch, group, beam]."""

    scores: Array
    totals: Array
    lengths: Array
    parents: Array
    tokens: Array


class _Beams(NamedTuple):
    """What the live beams hold after a step, [..., batch, group, beam]."""

    tokens: Array
    parents: Array
    totals: Array


class _Held(NamedTuple):
    """All that a search carries from step to step; what is noted is [time, ...]."""

    time: Array
    state: Any
    beams: _Beams
    complete: _Complete
    trace: _Beams
    candidates: _Beams
    kept: Array


def best(scores: Array, count: int, selection: Selection = "partial") -> Array:
    """Indices of the largest along the last axis, largest first and the first of equals first."""
    count = min(count, scores.shape[-1])
    if selection == "sort":
        order = jnp.argsort(-scores, axis=-1, stable=True)[..., :count]
        return order.astype(jnp.int32)
    return lax.top_k(scores, count)[1]


def pooled(
    model: Model, groups: int, width: int, candidates: int, choose: Choose, rules: Rules
) -> Decoded:
    """Search with a number of groups of beams.

    Args:
        width: beams of a group.
        candidates: how many ``choose`` chooses for a group, where there are so many.
    """

    def more(held: _Held) -> Array:
        return (held.time < rules.length) & (held.beams.totals != -jnp.inf).any()

    def advance(held: _Held) -> _Held:
        return _advance(held, model, choose, rules)

    state, tokens = opened(model, groups * width)
    words, dtype = vocabulary(model)
    candidates = min(candidates, width * words)
    shape = (tokens.shape[0], groups, width)
    totals = jnp.full(shape, -jnp.inf, dtype)
    beams = _Beams(tokens.reshape(shape), jnp.zeros(shape, jnp.int32), totals.at[..., 0].set(0))
    nowhere = jnp.full(shape, -1, jnp.int32)
    complete = _Complete(totals, totals, jnp.zeros(shape, jnp.int32), nowhere, nowhere)
    held = _Held(
        jnp.asarray(0),
        state,
        beams,
        complete,
        _nothing((rules.length, *shape), dtype),
        _nothing((rules.length, *shape[:2], candidates), dtype),
        jnp.zeros((rules.length, *shape[:2], candidates), bool),
    )
    return _told(lax.while_loop(more, advance, held), rules)


def _advance(held: _Held, model: Model, choose: Choose, rules: Rules) -> _Held:
    """One step of all beams."""
    batch, groups, width = held.beams.totals.shape
    state, scores = model.step(held.state, held.beams.tokens.reshape(batch, -1))
    totals = extended(held.beams.totals, scores.reshape(batch, groups, width, -1))
    found, ends = _candidates(totals, choose(totals), model.end)
    rank = jnp.arange(found.totals.shape[-1])
    # Complete where among the best; the best of the others live on.
    completed = ends & (rank < width)
    complete = _merged(held.complete, found, completed, held.time + 1, rules)
    order = jnp.argsort(ends, axis=-1, stable=True)[..., :width]
    live = _taken(found._replace(totals=jnp.where(ends, -jnp.inf, found.totals)), order)
    live = _padded(live, width)
    kept = completed | (~ends & (jnp.cumsum(~ends, axis=-1) <= width))
    # Noted before beams are given up, so that the trace shows what they held.
    noted = _written((held.trace, held.candidates, held.kept), (live, found, kept), held.time)
    over = rules.is_over(complete.scores, live.totals, held.time + 1)
    live = live._replace(totals=jnp.where(over[..., None], -jnp.inf, live.totals))
    places = _across(live.parents, width)
    state = jax.tree.map(lambda leaf: jax.vmap(lambda row, at: row[at])(leaf, places), state)
    return _Held(held.time + 1, state, live, complete, *noted)


def _nothing(shape: tuple[int, ...], dtype: Any) -> _Beams:
    nowhere = jnp.full(shape, -1, jnp.int32)
    return _Beams(nowhere, nowhere, jnp.full(shape, -jnp.inf, dtype))


def _candidates(totals: Array, chosen: Array, end: Any) -> tuple[_Beams, Array]:
    """The chosen continuations, and whether each is complete."""
    words = totals.shape[-1]
    flat = totals.reshape(*totals.shape[:2], -1)
    tokens, parents = chosen % words, chosen // words
    ends = jnp.zeros(tokens.shape, bool) if end is None else tokens == end
    return _Beams(tokens, parents, jnp.take_along_axis(flat, chosen, axis=-1)), ends


def _taken(beams: Any, order: Array) -> Any:
    return jax.tree.map(lambda x: jnp.take_along_axis(x, order, axis=-1), beams)


def _padded(live: _Beams, width: int) -> _Beams:
    """As many beams as there are places, where the vocabulary has too few continuations."""
    lacking = [(0, 0)] * 2 + [(0, width - live.totals.shape[-1])]
    return _Beams(
        jnp.pad(live.tokens, lacking),
        jnp.pad(live.parents, lacking),
        jnp.pad(live.totals, lacking, constant_values=-jnp.inf),
    )


def _written(trace: Any, now: Any, time: Array) -> Any:
    """What is noted, with the present."""

    def write(all_times: Array, value: Array) -> Array:
        return all_times.at[time].set(value)

    return jax.tree.map(write, trace, now)


def _across(parents: Array, width: int) -> Array:
    """Places among the beams of all groups, [batch, beam], from those within a group."""
    batch, groups, _ = parents.shape
    return (parents + width * jnp.arange(groups)[:, None]).reshape(batch, -1)


def _merged(
    complete: _Complete, found: _Beams, which: Array, tokens: Array, rules: Rules
) -> _Complete:
    """The best of what was complete and of some candidates, all of so many tokens."""
    totals = jnp.where(which, found.totals, -jnp.inf)
    lengths = jnp.broadcast_to(tokens, totals.shape).astype(jnp.int32)
    scores = rules.score(totals, tokens)
    added = _Complete(scores, totals, lengths, found.parents, found.tokens)
    both = jax.tree.map(lambda *x: jnp.concatenate(x, axis=-1), complete, added)
    return _taken(both, best(both.scores, complete.scores.shape[-1]))


def _told(held: _Held, rules: Rules) -> Decoded:
    """The record: complete hypotheses and those cut off, read along the back-pointers."""
    batch, groups, width = held.beams.totals.shape
    cut_off = held.beams.totals != -jnp.inf
    found = _merged(held.complete, held.beams, cut_off, held.time, rules)
    tokens = _read_back(held.trace, found)
    order = best(found.scores.reshape(batch, -1), groups * width)

    def ranked(x: Array) -> Array:
        flat = x.reshape(batch, groups * width, *x.shape[3:])
        return jax.vmap(lambda row, at: row[at])(flat, order)

    exists = ranked(found.totals) != -jnp.inf
    return Decoded(
        jnp.where(exists[..., None], ranked(tokens), -1),
        jnp.where(exists, ranked(found.lengths), 0),
        ranked(found.scores),
        ranked(found.totals),
        _lattice(held, width),
    )


def _read_back(trace: _Beams, found: _Complete) -> Array:
    """Tokens of complete hypotheses, [batch, group, beam, time], from their last to their first."""

    def earlier(beam: Array, now: Any) -> tuple[Array, Array]:
        time, tokens, parents = now
        last, within = time == found.lengths - 1, time < found.lengths - 1
        came_from = jnp.take_along_axis(parents, beam, axis=-1)
        token = jnp.where(within, jnp.take_along_axis(tokens, beam, axis=-1), -1)
        beam = jnp.where(last, found.parents, jnp.where(within, came_from, beam))
        return beam, jnp.where(last, found.tokens, token)

    times = jnp.arange(trace.tokens.shape[0])
    start = jnp.zeros_like(found.parents)
    _, tokens = lax.scan(earlier, start, (times, trace.tokens, trace.parents), reverse=True)
    return jnp.moveaxis(tokens, 0, -1)


def _lattice(held: _Held, width: int) -> Lattice:
    """The traces, [batch, time, beam], beams of all groups beside each other."""

    def flat(x: Array) -> Array:
        return jnp.moveaxis(x, 0, 1).reshape(x.shape[1], x.shape[0], -1)

    groups = jnp.arange(held.beams.totals.shape[1])[:, None]

    def told(x: _Beams) -> tuple[Array, Array, Array]:
        exists = x.totals != -jnp.inf
        tokens = jnp.where(exists, x.tokens, -1)
        return flat(tokens), flat(jnp.where(exists, x.parents + width * groups, -1)), flat(x.totals)

    kept = held.kept & (held.candidates.totals != -jnp.inf)
    return Lattice(*told(held.trace), Candidates(*told(held.candidates), flat(kept)))
