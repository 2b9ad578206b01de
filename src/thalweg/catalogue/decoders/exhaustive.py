"""Decoding by scoring every sequence there is."""

from __future__ import annotations

import math
from typing import Any

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
from thalweg.errors import SpecError
from thalweg.part import choice, part

__all__ = ["Exhaustive"]


@part
class Exhaustive:
    """Scores every sequence, and so finds the likeliest.

    Formula: argmax over w_1…w_T of Σ_t log p(w_t | w_{0:t−1}), over all N^T sequences
    Choices: best: how many of the likeliest are returned; limit: most sequences that are scored;
        more are refused
    Shapes: ``best`` hypotheses, the likeliest first; fewer where there are fewer sequences
    Watch for: N^T sequences: 20 steps over 50,000 tokens make a number of 94 digits. The lattice
        holds what is returned, not all that was scored. Where a token depends on the last one
        alone, ``MarkovChain.most_likely`` finds the same in T·N² steps (Viterbi).
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, section 12.4
    Example:
        >>> from thalweg.catalogue.decoders import decode
        >>> from thalweg.catalogue.markov import MarkovChain
        >>> chain = MarkovChain.of([[0.0, 0.6, 0.4], [0.3, 0.4, 0.3], [0.0, 0.0, 1.0]])
        >>> found = decode(Exhaustive(best=3), chain.model([0]), length=3)
        >>> found.tokens
        Array([[[2, 2, 2],
                [1, 2, 2],
                [1, 0, 1]]], dtype=int32)
        >>> jnp.exp(found.log_probabilities).tolist()
        [[0.4, 0.18, 0.108]]
    """

    best: int = choice(default=1, low=1)
    limit: int = choice(default=1_000_000, low=1)

    def generate(self, model: Model, length: int, key: Array | None) -> Decoded:
        words, _ = vocabulary(model)
        count = words**length
        if count > self.limit:
            raise SpecError(
                f"Exhaustive would score {words}^{length} sequences, {_written(words, length)}, "
                f"more than Exhaustive.limit = {self.limit:,}; search with a Beam"
            )
        running, complete = [], None
        state, tokens = opened(model, 1)
        totals = jnp.zeros_like(model.begin, vocabulary(model)[1])[:, None]
        for _ in range(length):
            state, scores = model.step(state, tokens)
            if complete is not None:
                # Only the end token follows itself, at no cost: no sequence is counted twice.
                ends = jnp.where(jnp.arange(words) == model.end, 0.0, -jnp.inf)
                scores = jnp.where(complete[..., None], ends.astype(scores.dtype), scores)
            batch = scores.shape[0]
            totals = extended(totals, scores).reshape(batch, -1)
            running.append(totals)
            tokens = jnp.broadcast_to(jnp.arange(words, dtype=jnp.int32), scores.shape)
            tokens = tokens.reshape(batch, -1)
            state = jax.tree.map(lambda leaf: jnp.repeat(leaf, words, axis=1), state)
            if model.end is not None:
                before = False if complete is None else jnp.repeat(complete, words, axis=1)
                complete = (tokens == model.end) | before
        return _told(running, min(self.best, count), words, model.end)


def _written(words: int, length: int) -> str:
    """A power in digits, or where they are many, their number."""
    digits = math.floor(length * math.log10(words)) + 1
    return f"{words**length:,}" if digits <= 12 else f"a number of {digits} digits"


def _told(running: list[Array], kept: int, words: int, end: Any) -> Decoded:
    """The likeliest, read from their places: a sequence's place is its tokens as digits."""
    length = len(running)
    totals, places = lax.top_k(running[-1], kept)
    prefixes = [places // words ** (length - 1 - t) for t in range(length)]
    tokens = jnp.stack([place % words for place in prefixes], axis=-1)
    pairs = zip(running, prefixes, strict=True)
    paths = jnp.stack([jnp.take_along_axis(*pair, axis=-1) for pair in pairs], axis=-1)
    exists = jnp.broadcast_to((totals != -jnp.inf)[..., None], tokens.shape)
    if end is not None:
        before = jnp.cumsum(tokens == end, axis=-1) - (tokens == end)
        exists &= before == 0
    tokens = jnp.where(exists, tokens, -1)
    paths = jnp.where(exists, paths, -jnp.inf)
    by_time = [jnp.moveaxis(x, 1, 2) for x in (tokens, paths)]
    parents = jnp.broadcast_to(jnp.arange(kept), by_time[0].shape)
    steps = by_time[0], parents, by_time[1]
    lengths = exists.sum(-1).astype(jnp.int32)
    return Decoded(
        tokens, lengths, totals, totals, Lattice(*steps, Candidates(*steps, by_time[0] >= 0))
    )
