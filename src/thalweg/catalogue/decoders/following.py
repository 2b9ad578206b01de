"""Hypotheses that go on one token at a time, none of which minds the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from thalweg.catalogue.decoders.decoder import (
    Candidates,
    Decoded,
    Lattice,
    Model,
    opened,
    vocabulary,
)

__all__ = ["Pick", "follow"]

# Maps the time and log-probabilities [batch, beam, token] to the best tokens that are noted,
# [batch, beam, noted], of which the first is taken.
Pick = Callable[[Array, Array], Array]


class _Held(NamedTuple):
    """Where the hypotheses are, [batch, beam], and what was noted, [time, batch, beam, noted]."""

    time: Array
    state: Any
    tokens: Array
    totals: Array
    alive: Array
    lengths: Array
    noted: Array
    noted_totals: Array


def follow(model: Model, beams: int, length: int, pick: Pick, noted: int = 1) -> Decoded:
    """Extend every beam by the token that is picked for it, until all are complete."""

    def more(held: _Held) -> Array:
        return (held.time < length) & held.alive.any()

    def advance(held: _Held) -> _Held:
        state, scores = model.step(held.state, held.tokens)
        picked = pick(held.time, scores).astype(jnp.int32)
        totals = held.totals[..., None] + jnp.take_along_axis(scores, picked, axis=-1)
        alive = held.alive[..., None]
        noted = jnp.where(alive & (totals != -jnp.inf), picked, -1)
        noted_totals = jnp.where(alive, totals, -jnp.inf)
        tokens = jnp.where(held.alive, picked[..., 0], held.tokens)
        totals = jnp.where(held.alive, totals[..., 0], held.totals)
        goes_on = held.alive & (totals != -jnp.inf)
        if model.end is not None:
            goes_on &= tokens != model.end
        return _Held(
            held.time + 1,
            state,
            tokens,
            totals,
            goes_on,
            held.lengths + held.alive,
            held.noted.at[held.time].set(noted),
            held.noted_totals.at[held.time].set(noted_totals),
        )

    state, tokens = opened(model, beams)
    _, dtype = vocabulary(model)
    shape = (length, *tokens.shape, noted)
    held = _Held(
        jnp.asarray(0),
        state,
        tokens,
        jnp.zeros(tokens.shape, dtype),
        jnp.ones(tokens.shape, bool),
        jnp.zeros_like(tokens),
        jnp.full(shape, -1, tokens.dtype),
        jnp.full(shape, -jnp.inf, dtype),
    )
    return _told(lax.while_loop(more, advance, held))


def _told(held: _Held) -> Decoded:
    """The record of what was done."""
    time, batch, beams, noted = held.noted.shape
    tokens, totals = (jnp.moveaxis(x, 0, 1) for x in (held.noted, held.noted_totals))
    parents = jnp.broadcast_to(jnp.arange(beams)[:, None], tokens.shape)
    kept = (jnp.arange(noted) == 0) & (tokens >= 0)
    flat = jax.tree.map(
        lambda x: x.reshape(batch, time, beams * noted), (tokens, parents, totals, kept)
    )
    first = tokens[..., 0], parents[..., 0], totals[..., 0]
    exists = held.totals != -jnp.inf
    return Decoded(
        jnp.where(exists[..., None], jnp.moveaxis(tokens[..., 0], 1, 2), -1),
        jnp.where(exists, held.lengths, 0),
        held.totals,
        held.totals,
        Lattice(*first, Candidates(*flat)),
    )
