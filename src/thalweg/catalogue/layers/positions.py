"""Codes of positions: what tells attention in which order steps stand."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import Initializer, Normal
from thalweg.catalogue.layers.lengths import places_of
from thalweg.catalogue.layers.windows import described
from thalweg.errors import SpecError
from thalweg.part import Number, choice, number, part

__all__ = ["LearnedPositions", "SinusoidalPositions"]


@part
class SinusoidalPositions:
    """Adds waves of many lengths to the steps of a sequence, by which each can be told.

    Formula: y_t = x_t + p_t, p_t,2i = sin(t / period^(2i/d)), p_t,2i+1 = cos(t / period^(2i/d)),
        for t = 0, 1, ...
    Numbers: period: longest wave, over 2π
    Shapes: [batch, time, feature] → the same
    Watch for: any length of time will do. Values lie between -1 and 1, so inputs should too;
        embeddings that start small are to be multiplied by √d first.
    Source: Vaswani et al., Attention Is All You Need, 2017, section 3.5
    Example:
        >>> layer, x = SinusoidalPositions(), jnp.zeros((1, 2, 2))
        >>> layer.apply(Variables({}, {}), x, Context("evaluate"))[0][0, 1].round(1)
        Array([0.8, 0.5], dtype=float32)
    """

    period: Number = number(default=10_000.0, above=1, scale="log", constant=True)

    def init(self, key: Array, example: Any) -> Variables:
        return Variables({}, {})

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        width = x.shape[-1]
        pair = jnp.arange(width) // 2
        period = jnp.asarray(self.period, x.dtype)
        places = places_of(context, x).astype(x.dtype)
        angle = places[..., None] * period ** (-2 * pair / width)
        code = jnp.where(jnp.arange(width) % 2 == 0, jnp.sin(angle), jnp.cos(angle))
        return context.tap("z", x + code.astype(x.dtype)), {}


@part
class LearnedPositions:
    """Adds a trained vector to every step of a sequence.

    Formula: y_t = x_t + P_t
    Choices: kernel: where P starts
    Shapes: [batch, time, feature] → the same; P [time, feature]
    Watch for: there are vectors for as many steps as the first inputs have; longer sequences are
        refused, and vectors beyond the longest are never trained.
    Source: Gehring et al., Convolutional Sequence to Sequence Learning, 2017, section 3.1
    Example:
        >>> import jax
        >>> layer, x = LearnedPositions(), jnp.zeros((1, 5, 2))
        >>> layer.init(jax.random.key(0), x).parameters["kernel"].shape
        (5, 2)
    """

    kernel: Initializer = choice(default=Normal(deviation=0.1))

    def init(self, key: Array, example: Any) -> Variables:
        if len(example.shape) != 3:
            raise SpecError(
                "LearnedPositions needs inputs [batch, time, feature], "
                f"got {described(example.shape)}"
            )
        return Variables({"kernel": self.kernel.sample(key, example.shape[1:])}, {})

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        kernel, time = variables.parameters["kernel"], x.shape[1]
        time = time if context.past is None else max(time, context.past.room)
        if time > len(kernel):
            raise SpecError(f"LearnedPositions knows {len(kernel)} steps, got {time}")
        return context.tap("z", x + kernel[places_of(context, x)]), {}
