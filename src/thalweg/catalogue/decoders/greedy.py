"""Greedy decoding."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array, lax

from thalweg.catalogue.decoders.decoder import Decoded, Model, vocabulary
from thalweg.catalogue.decoders.following import follow
from thalweg.part import choice, part

__all__ = ["Greedy"]


@part
class Greedy:
    """Takes the likeliest token at every step.

    Formula: w_t = argmax_j log p(j | w_{0:t−1})
    Choices: noted: how many of the best continuations the record holds of every step
    Shapes: one hypothesis
    Watch for: not the likeliest sequence: a token that is taken may have poor continuations only.
        The first of equals is taken. Costs T·N for T steps and N tokens, beside the model.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, section 12.4
    Example:
        >>> from thalweg.catalogue.decoders import decode
        >>> from thalweg.catalogue.markov import MarkovChain
        >>> chain = MarkovChain.of([[0.0, 0.6, 0.4], [0.3, 0.4, 0.3], [0.0, 0.0, 1.0]])
        >>> found = decode(Greedy(), chain.model([0]), length=3)
        >>> found.tokens
        Array([[[1, 1, 1]]], dtype=int32)
        >>> jnp.exp(found.log_probabilities).tolist()
        [[0.096]]
    """

    noted: int = choice(default=1, low=1)

    def generate(self, model: Model, length: int, key: Array | None) -> Decoded:
        noted = min(self.noted, vocabulary(model)[0])

        def pick(time: Array, scores: Array) -> Array:
            if noted == 1:
                return jnp.argmax(scores, axis=-1, keepdims=True)
            return lax.top_k(scores, noted)[1]

        return follow(model, 1, length, pick, noted)
