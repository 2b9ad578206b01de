"""Negative log-likelihoods of distributions whose spread is learned, or follows from the mean.

Those of a Bernoulli, a categorical and a normal distribution of fixed variance are the binary and
categorical cross-entropy and the squared error; ``thalweg.catalogue.likelihoods`` has them all.
"""

from __future__ import annotations

import math
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from thalweg.part import Number, choice, number, part

__all__ = ["BernoulliLikelihood", "GaussianLikelihood", "PoissonLikelihood"]


@part
class BernoulliLikelihood:
    """Predicts the probability of every target that is on or off, or in between.

    Formula: ℓ = Σ_k −y_k ln ŷ_k − (1 − y_k) ln(1 − ŷ_k), ŷ = sigmoid(z), as a ``sum`` over K
        outputs, or their ``mean``, ℓ / K
    Choices: reduction: ``mean`` or ``sum``; with the sum and a NormalDivergence of strength 1 a
        variational autoencoder minimizes the negative evidence lower bound, in nats
    Shapes: logits [batch, output]; targets of the same shape, or [batch] for one, within [0, 1]
        → [batch]
    Watch for: pixels between 0 and 1 are no outcomes of a coin; for them the loss does not reach 0,
        and it is no likelihood that others could be compared by.
    Source: Kingma & Welling, Auto-Encoding Variational Bayes, 2014, appendix C.1
    Example:
        >>> BernoulliLikelihood()(jnp.array([[0.0, 2.0]]), jnp.array([[0.0, 1.0]])).round(4)
        Array([0.41], dtype=float32)
    """

    reduction: Literal["mean", "sum"] = choice(default="mean")
    tasks = ("regression",)
    least_target = 0.0
    most_target = 1.0

    def __call__(self, outputs: Array, targets: Array) -> Array:
        y = targets.reshape(outputs.shape).astype(outputs.dtype)
        each = jax.nn.softplus(outputs) - y * outputs
        return each.sum(axis=-1) if self.reduction == "sum" else each.mean(axis=-1)

    def outputs(self, targets: int) -> int:
        return targets

    def probabilities(self, outputs: Array) -> Array:
        return jax.nn.sigmoid(outputs)

    def constant(self, targets: np.ndarray, outputs: int) -> np.ndarray:
        least = 0.5 / len(targets)
        share = np.clip(targets.mean(axis=0), least, 1 - least)
        return np.log(share / (1 - share))


@part
class GaussianLikelihood:
    """Predicts a mean and a variance for every target.

    Formula: ℓ = Σ_k (ln(2π σ_k²) + (μ_k − y_k)² / σ_k²) / 2K;  σ² = softplus(s) + least
    Numbers: least: smallest variance
    Shapes: outputs [batch, 2 · target], all μ first and then all s; targets [batch, target], or
        [batch] for one → [batch]
    Watch for: a density may exceed 1, so the loss may be negative. Where the variance is learned
        early, points it calls noisy are hardly fitted any more; start it at the variance of the
        targets.
    Source: Nix & Weigend, Estimating the Mean and Variance of the Target Probability
        Distribution, 1994; softplus: Lakshminarayanan, Pritzel & Blundell, 2017, section 2.2.1
    Example:
        >>> GaussianLikelihood()(jnp.array([[1.0, 0.0]]), jnp.array([1.0])).round(4)
        Array([0.7357], dtype=float32)
    """

    least: Number = number(default=1e-6, above=0, scale="log", search=(1e-8, 1e-2))
    tasks = ("regression",)

    def __call__(self, outputs: Array, targets: Array) -> Array:
        mean, raw = jnp.split(outputs, 2, axis=-1)
        variance = jax.nn.softplus(raw) + self.least
        errors = mean - targets.reshape(mean.shape)
        return jnp.mean(jnp.log(2 * math.pi * variance) + errors**2 / variance, axis=-1) / 2

    def outputs(self, targets: int) -> int:
        return 2 * targets

    def probabilities(self, outputs: Array) -> Array:
        return jnp.split(outputs, 2, axis=-1)[0]

    def constant(self, targets: np.ndarray, outputs: int) -> np.ndarray:
        above = np.maximum(targets.var(axis=0) - self.least, self.least)
        return np.concatenate([targets.mean(axis=0), above + np.log(-np.expm1(-above))])


@part
class PoissonLikelihood:
    """Predicts the mean of a Poisson distribution for every count.

    Formula: ℓ = Σ_k (e^(z_k) − y_k z_k + ln y_k!) / K over K outputs
    Shapes: outputs [batch, output], the logarithms of means; targets counts of the same shape, or
        [batch] for one output → [batch]
    Watch for: targets must be counts, so they cannot be scaled. e^z overflows single precision
        beyond z = 88.
    Source: Nelder & Wedderburn, Generalized Linear Models, 1972
    Example:
        >>> PoissonLikelihood()(jnp.array([[0.0], [1.0]]), jnp.array([[1.0], [2.0]])).round(4)
        Array([1.    , 1.4114], dtype=float32)
    """

    tasks = ("regression",)
    least_target = 0.0

    def __call__(self, outputs: Array, targets: Array) -> Array:
        y = targets.reshape(outputs.shape).astype(outputs.dtype)
        return jnp.mean(jnp.exp(outputs) - y * outputs + jax.lax.lgamma(y + 1), axis=-1)

    def outputs(self, targets: int) -> int:
        return targets

    def probabilities(self, outputs: Array) -> Array:
        return jnp.exp(outputs)

    def constant(self, targets: np.ndarray, outputs: int) -> np.ndarray:
        return np.log(np.maximum(targets.mean(axis=0), 0.5 / len(targets)))
