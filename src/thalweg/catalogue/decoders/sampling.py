"""Decoding by drawing."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array, lax

from thalweg.catalogue.decoders.decoder import Decoded, Model
from thalweg.catalogue.decoders.following import follow
from thalweg.errors import SpecError
from thalweg.part import Number, choice, number, part

__all__ = ["Sampling"]


@part
class Sampling:
    """Draws every token, from the whole distribution or from its likely part.

    Formula: w_t ~ q, q(j) ∝ p(j | w_{0:t−1})^(1/τ) for the k largest, and of these the fewest that
        together have at least the share m; 0 for all others
    Numbers: temperature: τ: below 1 prefers what is likely; nucleus: m
    Choices: samples: how many sequences; top_k: k
    Shapes: ``samples`` hypotheses, in the order they are drawn, not sorted
    Watch for: the log-probability of a sequence is the model's, not that of q. As τ → 0 it becomes
        greedy. First the temperature, then k, then the nucleus; other orders are in use. The most
        likely token always stays.
    Source: Ackley, Hinton & Sejnowski, A Learning Algorithm for Boltzmann Machines, 1985
        (temperature); Fan, Lewis & Dauphin, Hierarchical Neural Story Generation, 2018, section 5
        (k); Holtzman et al., The Curious Case of Neural Text Degeneration, 2020, equation 2
        (nucleus)
    Example:
        >>> from thalweg.catalogue.decoders import decode
        >>> from thalweg.catalogue.markov import MarkovChain
        >>> fair = MarkovChain.of([[0.5, 0.3, 0.2]] * 3).model([0])
        >>> drawn = decode(Sampling(samples=5000), fair, length=1, key=jax.random.key(0))
        >>> [round(float((drawn.tokens == j).mean()), 1) for j in range(3)]
        [0.5, 0.3, 0.2]
        >>> drawn = decode(Sampling(samples=5000, nucleus=0.6), fair, 1, jax.random.key(0))
        >>> [round(float((drawn.tokens == j).mean()), 1) for j in range(3)]
        [0.6, 0.4, 0.0]
    """

    temperature: Number = number(default=1.0, above=0, scale="log", search=(0.3, 2))
    nucleus: Number = number(default=None, above=0, high=1)
    top_k: int | None = choice(default=None, low=1)
    samples: int = choice(default=1, low=1)

    def generate(self, model: Model, length: int, key: Array | None) -> Decoded:
        if key is None:
            raise SpecError("Sampling must be given a key: decode(..., key=jax.random.key(0))")

        def pick(time: Array, scores: Array) -> Array:
            return self._drawn(scores, jax.random.fold_in(key, time))[..., None]

        return follow(model, self.samples, length, pick)

    def _drawn(self, scores: Array, key: Array) -> Array:
        """One token for each distribution."""
        tokens, scores = None, scores / self.temperature
        words = scores.shape[-1]
        if self.top_k is not None or self.nucleus is not None:
            scores, tokens = lax.top_k(scores, min(self.top_k or words, words))
        if self.nucleus is not None:
            shares = jax.nn.softmax(scores, axis=-1)
            before = jnp.cumsum(shares, axis=-1) - shares
            scores = jnp.where(before < self.nucleus, scores, -jnp.inf)
        # The largest of scores with Gumbel noise is a draw; the noise is the same in double
        # precision.
        noise = jax.random.gumbel(key, scores.shape, jnp.float32).astype(scores.dtype)
        drawn = jnp.argmax(scores + noise, axis=-1, keepdims=True)
        if tokens is not None:
            drawn = jnp.take_along_axis(tokens, drawn, axis=-1)
        return drawn[..., 0]
