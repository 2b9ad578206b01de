"""Likelihoods: the distributions behind losses, of which the targets are drawn.

Minimising the loss makes the targets most likely.

``distribution_of`` says what a loss takes a target to be drawn from, given the outputs for its
example. From its log-probabilities follow ``log_likelihood``, a sum over independent examples, and
``negative_log_likelihood``, its negative mean. For K outputs a loss is

    loss = −(log-probability − c) / K,  c the largest log-probability where it does not depend on
                                        the outputs (squared and absolute error), else 0

with K = 1 for classes, and factor ½ for the squared error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.stats import laplace, norm, poisson

from thalweg.catalogue.losses import (
    AbsoluteError,
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    GaussianLikelihood,
    PoissonLikelihood,
    SquaredError,
)
from thalweg.catalogue.losses.loss import Loss, log_probabilities, one_hot
from thalweg.errors import SpecError

__all__ = ["Distribution", "distribution_of", "log_likelihood", "negative_log_likelihood"]


class Distribution(NamedTuple):
    """A distribution of targets, given outputs [batch, output].

    Args:
        name: in words.
        unit: how the outputs become its parameters.
        log_probability: of outputs and targets, [batch].
        sample: of a key and outputs, targets drawn from it.
    """

    name: str
    unit: str
    log_probability: Callable[[Array, Array], Array]
    sample: Callable[[Array, Array], Array]


def distribution_of(loss: Loss) -> Distribution:
    """The distribution whose negative log-likelihood a loss is.

    Raises:
        SpecError: it is that of none.
    """
    if isinstance(loss, SquaredError):
        return Distribution(
            "normal of variance 1",
            "linear: the mean",
            lambda outputs, y: _summed(norm.logpdf(y.reshape(outputs.shape), outputs)),
            lambda key, outputs: outputs + jax.random.normal(key, outputs.shape, outputs.dtype),
        )
    if isinstance(loss, AbsoluteError):
        return Distribution(
            "Laplace of scale 1",
            "linear: the median",
            lambda outputs, y: _summed(laplace.logpdf(y.reshape(outputs.shape), outputs)),
            lambda key, outputs: outputs + jax.random.laplace(key, outputs.shape, outputs.dtype),
        )
    if isinstance(loss, BinaryCrossEntropy):
        return Distribution(
            "Bernoulli",
            "sigmoid: the probability of 1",
            _of_classes,
            lambda key, outputs: jax.random.categorical(key, log_probabilities(outputs)),
        )
    if isinstance(loss, CategoricalCrossEntropy):
        return Distribution(
            "categorical",
            "softmax: the probability of every class",
            _of_classes,
            lambda key, outputs: jax.random.categorical(key, outputs),
        )
    if isinstance(loss, GaussianLikelihood):
        return _gaussian(loss)
    if isinstance(loss, PoissonLikelihood):
        return Distribution(
            "Poisson",
            "exponential: the mean",
            lambda outputs, y: _summed(poisson.logpmf(y.reshape(outputs.shape), jnp.exp(outputs))),
            lambda key, outputs: jax.random.poisson(key, jnp.exp(outputs)),
        )
    raise SpecError(f"{type(loss).__name__} is the negative log-likelihood of no distribution")


def log_likelihood(loss: Loss, outputs: Array, targets: Array) -> Array:
    """Logarithm of the probability of all targets together, ``Σ ln p(y | x)``."""
    return distribution_of(loss).log_probability(outputs, targets).sum()


def negative_log_likelihood(loss: Loss, outputs: Array, targets: Array) -> Array:
    """What maximum likelihood minimises: ``−Σ ln p(y | x) / m`` over m examples."""
    return -distribution_of(loss).log_probability(outputs, targets).mean()


def _gaussian(loss: GaussianLikelihood) -> Distribution:
    def parameters(outputs: Array) -> tuple[Array, Array]:
        mean, raw = jnp.split(outputs, 2, axis=-1)
        return mean, jnp.sqrt(jax.nn.softplus(raw) + loss.least)

    def log_probability(outputs: Array, targets: Array) -> Array:
        mean, deviation = parameters(outputs)
        return _summed(norm.logpdf(targets.reshape(mean.shape), mean, deviation))

    def sample(key: Array, outputs: Array) -> Array:
        mean, deviation = parameters(outputs)
        return mean + deviation * jax.random.normal(key, mean.shape, mean.dtype)

    unit = "linear: the mean; softplus: the variance"
    return Distribution("normal", unit, log_probability, sample)


def _of_classes(outputs: Array, targets: Array) -> Array:
    logarithms = log_probabilities(outputs)
    return _summed(one_hot(targets, logarithms) * logarithms)


def _summed(by_output: Array) -> Array:
    return by_output.sum(axis=-1)
