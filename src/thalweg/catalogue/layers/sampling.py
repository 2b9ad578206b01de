"""A layer that draws: the code of a variational autoencoder."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array

from thalweg.catalogue import draws
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.layers.windows import described
from thalweg.errors import SpecError
from thalweg.part import part

__all__ = ["NormalSample"]


@part
class NormalSample:
    """Draws a code from the normal distribution whose mean and variance its inputs are.

    Formula: [μ, ln σ²] = x;  a = μ + σ ε, ε ~ N(0, 1);  a = μ in evaluation
    Shapes: [batch, 2 · code], all means first → [batch, code]; taps ``mean``, ``log_variance`` and
        ``divergence`` [batch], from N(0, 1)
    Watch for: without a NormalDivergence among the regularizers the variances go to zero, and it
        is a plain code. What comes after it makes new examples of normal codes.
    Source: Kingma & Welling, Auto-Encoding Variational Bayes, 2014, section 2.4 (the
        reparameterization)
    Example:
        >>> import jax
        >>> x = jnp.tile(jnp.array([[3.0, 0.0]]), (1000, 1))
        >>> a, _ = NormalSample().apply(Variables({}, {}), x, Context("train", jax.random.key(0)))
        >>> bool(abs(a.mean() - 3) < 0.1), bool(abs(a.std() - 1) < 0.1)
        (True, True)
    """

    def init(self, key: Array, example: Any) -> Variables:
        if len(example.shape) != 2 or example.shape[-1] % 2:
            raise SpecError(
                "NormalSample needs inputs [batch, 2 code], means and then log-variances, got "
                f"{described(example.shape)}; put a Dense of an even number of units before it"
            )
        return Variables({}, {})

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        mean, log_variance = jnp.split(x, 2, axis=-1)
        mean = context.tap("mean", mean)
        log_variance = context.tap("log_variance", log_variance)
        apart = mean**2 + jnp.exp(log_variance) - log_variance - 1
        context.tap("divergence", apart.sum(axis=-1) / 2)
        if context.mode != "train":
            return context.tap("a", mean), {}
        if context.key is None:
            raise ValueError("NormalSample needs a key in training; pass Context('train', key)")
        noise = draws.normal(context.key, mean.shape, mean.dtype)
        return context.tap("a", mean + jnp.exp(log_variance / 2) * noise), {}
