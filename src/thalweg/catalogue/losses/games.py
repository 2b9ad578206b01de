"""Losses of two players: what a discriminator and a generator minimize, both in one sum.

They read the scores of a ``GAN``, which sees to it that each player learns from its own part, and
no targets.
"""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.part import Number, choice, number, part

__all__ = ["Adversarial", "Wasserstein"]


@part
class Adversarial:
    """Lets a discriminator tell examples from samples, and a generator mislead it.

    Formula: ℓ = −ln σ(real) − ln(1 − σ(against)) + g, σ the sigmoid;  g = −ln σ(through), non-
        saturating;  g = ln(1 − σ(through)), minimax
    Choices: form: of g, ``non_saturating`` or ``minimax``
    Shapes: scores of a GAN [batch, 4], targets are not read → [batch]
    Watch for: minimax has hardly a gradient while the discriminator is sure of itself, as it is at
        the start; in value it cancels the second term. Training moves both players at once, so
        there is no minimum, and ℓ need not fall: look at the metric ``energy``, and at samples.
    Source: Goodfellow et al., Generative Adversarial Networks, 2014, equation 1 and section 3
    Example:
        >>> Adversarial()(jnp.array([[2.0, -1.0, -1.0, 0.0]]), None).round(4)
        Array([1.7535], dtype=float32)
    """

    form: Literal["non_saturating", "minimax"] = choice(default="non_saturating")
    tasks = ("generation",)

    def __call__(self, outputs: Array, targets: Array) -> Array:
        real, against, through = jnp.moveaxis(outputs, -1, 0)[:3]
        told = jax.nn.softplus(-real) + jax.nn.softplus(against)
        if self.form == "minimax":
            return told - jax.nn.softplus(through)
        return told + jax.nn.softplus(-through)

    def outputs(self, targets: int) -> int:
        return 4

    def probabilities(self, outputs: Array) -> Array:
        return jax.nn.sigmoid(outputs[..., :1])


@part
class Wasserstein:
    """Lets a critic rate examples above samples with slopes of about 1, and a generator raise it.

    Formula: ℓ = against − real + penalty · (‖∂D(v)/∂v‖ − 1)² − through
    Numbers: penalty: weight of what holds the slope of the critic at 1
    Shapes: scores of a GAN [batch, 5], targets are not read → [batch]
    Watch for: real − against estimates the Wasserstein distance where the critic is good, so give
        it about five steps to one of the generator (ByLayer) and momentum little or none. ℓ may be
        negative, and its value is −real and the penalty, as the rest cancels.
    Source: Arjovsky, Chintala & Bottou, Wasserstein GAN, 2017, algorithm 1; penalty: Gulrajani et
        al., Improved Training of Wasserstein GANs, 2017, equation 3
    Example:
        >>> Wasserstein(penalty=10.0)(jnp.array([[2.0, -1.0, -1.0, 0.0, 0.25]]), None)
        Array([0.5], dtype=float32)
    """

    penalty: Number = number(default=10.0, low=0, scale="log", search=(0.1, 100))
    tasks = ("generation",)

    def __call__(self, outputs: Array, targets: Array) -> Array:
        real, against, through, _, slope = jnp.moveaxis(outputs, -1, 0)
        return against - real + self.penalty * slope - through

    def outputs(self, targets: int) -> int:
        return 5

    def probabilities(self, outputs: Array) -> Array:
        return outputs[..., :1]
