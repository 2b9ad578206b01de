"""Distances between outputs and targets that are numbers, or stand for classes."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import Array

from thalweg.catalogue.losses.loss import one_hot, squashed
from thalweg.part import Number, choice, number, part

__all__ = ["AbsoluteError", "Huber", "IndicatorError", "SquaredError"]


def _errors(outputs: Array, targets: Array) -> Array:
    """Outputs minus targets [batch, output].

    Reshaped, so that targets [batch] cannot silently meet outputs [batch, 1] as a table.
    """
    return outputs - targets.reshape(outputs.shape)


@part
class SquaredError:
    """Squares the distance between output and target.

    Formula: ℓ = factor · Σ_k (ŷ_k − y_k)² / K over K outputs
    Choices: factor: 1, or ½, which cancels the 2 of the derivative
    Shapes: outputs [batch, output], targets the same, or [batch] for one output → [batch]
    Watch for: with ½ the loss is half what "mean squared error" means elsewhere, and so are its
        gradients.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, section 5.1.4
    Example:
        >>> SquaredError()(jnp.array([[1.0], [3.0]]), jnp.array([[1.0], [1.0]]))
        Array([0., 4.], dtype=float32)
    """

    factor: float = choice(default=1.0, options=(1.0, 0.5))
    tasks = ("regression",)

    def __call__(self, outputs: Array, targets: Array) -> Array:
        return self.factor * jnp.mean(_errors(outputs, targets) ** 2, axis=-1)

    def outputs(self, targets: int) -> int:
        return targets

    def probabilities(self, outputs: Array) -> Array:
        return outputs

    def constant(self, targets: np.ndarray, outputs: int) -> np.ndarray:
        return targets.mean(axis=0)


@part
class AbsoluteError:
    """Measures the distance between output and target.

    Formula: ℓ = Σ_k |ŷ_k − y_k| / K over K outputs;  subgradient sgn(ŷ_k − y_k) / K, 0 at 0
    Shapes: outputs [batch, output], targets the same, or [batch] for one output → [batch]
    Watch for: the best constant is the median, so outliers pull less than on a squared error; the
        gradient does not shrink near the target, so the learning rate must.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, section 6.2.1.2
    Example:
        >>> AbsoluteError()(jnp.array([[1.0], [3.0]]), jnp.array([[1.0], [1.0]]))
        Array([0., 2.], dtype=float32)
    """

    tasks = ("regression",)

    def __call__(self, outputs: Array, targets: Array) -> Array:
        # Not jnp.abs, whose derivative at 0 is 1.
        errors = _errors(outputs, targets)
        return jnp.mean(errors * jnp.sign(errors), axis=-1)

    def outputs(self, targets: int) -> int:
        return targets

    def probabilities(self, outputs: Array) -> Array:
        return outputs

    def constant(self, targets: np.ndarray, outputs: int) -> np.ndarray:
        return np.median(targets, axis=0)


@part
class Huber:
    """Squares small errors and measures large ones.

    Formula: ℓ = Σ_k h(ŷ_k − y_k) / K; h(e) = e² / 2 for |e| ≤ threshold,
        threshold · (|e| − threshold / 2) beyond
    Numbers: threshold: error from which the loss grows linearly
    Shapes: outputs [batch, output], targets the same, or [batch] for one output → [batch]
    Watch for: the threshold is in the units of the targets, scaled ones where they are scaled.
        The smooth L1 loss of some libraries is this, divided by the threshold.
    Source: Huber, Robust Estimation of a Location Parameter, 1964
    Example:
        >>> Huber(threshold=1.0)(jnp.array([[0.5], [3.0]]), jnp.array([[0.0], [0.0]]))
        Array([0.125, 2.5  ], dtype=float32)
    """

    threshold: Number = number(default=1.0, above=0, scale="log", search=(0.1, 10))
    tasks = ("regression",)

    def __call__(self, outputs: Array, targets: Array) -> Array:
        errors = _errors(outputs, targets)
        # The part of an error up to the threshold; the rest is multiplied by it once.
        held = jnp.clip(errors, -self.threshold, self.threshold)
        return jnp.mean(held * (errors - held / 2), axis=-1)

    def outputs(self, targets: int) -> int:
        return targets

    def probabilities(self, outputs: Array) -> Array:
        return outputs


@part
class IndicatorError:
    """Squares the distance between outputs and the indicators of the classes.

    Formula: ℓ = Σ_k (ŷ_k − [k = y])², or (ŷ − y)² for one output and y = 0 or 1
    Choices: squash: whether ŷ is the sigmoid or softmax of the outputs (the Brier score), or the
        outputs as they are (linear regression as a classifier, with its threshold ½)
    Shapes: outputs [batch, 1] or [batch, class], targets integers [batch], or one-hot
        [batch, class] → [batch]
    Watch for: without squash, outputs leave [0, 1] and examples on the right side are punished for
        being far on it. With it, gradients vanish where an output is confidently wrong.
    Source: Hastie, Tibshirani & Friedman, The Elements of Statistical Learning, 2009, section
        4.2; Brier, Verification of Forecasts Expressed in Terms of Probability, 1950
    Example:
        >>> IndicatorError()(jnp.array([[0.5], [3.0]]), jnp.array([1, 1]))
        Array([0.25, 4.  ], dtype=float32)
    """

    squash: bool = choice(default=False)
    tasks = ("binary", "multiclass")

    def __call__(self, outputs: Array, targets: Array) -> Array:
        single = outputs.shape[-1] == 1
        if self.squash:
            outputs = squashed(outputs)[..., 1:] if single else squashed(outputs)
        y = targets.reshape(outputs.shape) if single else one_hot(targets, outputs)
        return jnp.sum((outputs - y) ** 2, axis=-1)

    def outputs(self, targets: int) -> int:
        return 1 if targets == 2 else targets

    def probabilities(self, outputs: Array) -> Array:
        if self.squash or outputs.shape[-1] > 1:
            return squashed(outputs)
        p = jnp.clip(outputs, 0, 1)
        return jnp.concatenate([1 - p, p], axis=-1)
