"""Losses: how wrong outputs are, one value per example.

A part of this family is called with the network's outputs and the targets of a batch and returns
a vector; the objective averages it over the batch. Losses for classes work on logits, never on
probabilities, so that they stay finite. ``chosen_for`` picks the loss a task calls for.
"""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.part import Number, choice, number, part

__all__ = ["BinaryCrossEntropy", "CategoricalCrossEntropy", "Hinge", "SquaredError"]

Task = Literal["binary", "multiclass", "regression"]


@runtime_checkable
class Loss(Protocol):
    """A loss per example.

    Laws: finite for finite outputs; never negative (up to rounding); averaging is left to the
    objective. ``outputs`` says how many outputs a network needs for a number of classes, or of
    target values; ``probabilities`` turns outputs [batch, output] into one probability per class
    [batch, class], or for regression leaves them alone.
    """

    @property
    def tasks(self) -> tuple[Task, ...]: ...

    def __call__(self, outputs: Array, targets: Array) -> Array: ...

    def outputs(self, targets: int) -> int: ...

    def probabilities(self, outputs: Array) -> Array: ...


def chosen_for(task: Task) -> tuple[Loss, str]:
    """The loss a task calls for, with the reason in words."""
    if task == "regression":
        return SquaredError(), (
            "squared error, because the targets are numbers: it is the negative log-likelihood "
            "of a normal distribution around a linear output"
        )
    if task == "binary":
        return BinaryCrossEntropy(), (
            "binary cross-entropy on one logit, because there are two classes: it is the negative "
            "log-likelihood of a Bernoulli distribution"
        )
    return CategoricalCrossEntropy(), (
        "categorical cross-entropy on one logit per class, because there are several classes: it "
        "is the negative log-likelihood of a categorical distribution"
    )


def one_hot(targets: Array, outputs: Array) -> Array:
    """Targets as probabilities [batch, class]; those that are already so pass through."""
    if targets.ndim < outputs.ndim:
        return jax.nn.one_hot(targets, outputs.shape[-1], dtype=outputs.dtype)
    return targets.astype(outputs.dtype)


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
        # Reshaped, so that targets [batch] cannot silently meet outputs [batch, 1] as a table.
        error = outputs - targets.reshape(outputs.shape)
        return self.factor * jnp.mean(error**2, axis=-1)

    def outputs(self, targets: int) -> int:
        return targets

    def probabilities(self, outputs: Array) -> Array:
        return outputs


@part
class BinaryCrossEntropy:
    """Scores the probability given to the right one of two classes.

    Formula: ℓ = −y ln ŷ − (1 − y) ln(1 − ŷ), ŷ = sigmoid(z), computed as softplus(z) − y z
    Numbers: smoothing: y becomes y (1 − smoothing) + smoothing / 2
    Shapes: logits [batch, 1], targets [batch] (0, 1, or a probability between) → [batch]
    Watch for: some texts call the log-likelihood itself, without the minus, the loss.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, equation 6.20
    Example:
        >>> BinaryCrossEntropy()(jnp.array([[0.0], [2.0]]), jnp.array([1, 1])).round(4)
        Array([0.6931, 0.1269], dtype=float32)
    """

    smoothing: Number = number(default=0.0, low=0, below=1, search=(0, 0.3))
    tasks = ("binary",)

    def __call__(self, outputs: Array, targets: Array) -> Array:
        z = outputs[..., 0]
        y = targets.astype(z.dtype).reshape(z.shape)
        y = y * (1 - self.smoothing) + self.smoothing / 2
        return jax.nn.softplus(z) - y * z

    def outputs(self, targets: int) -> int:
        return 1

    def probabilities(self, outputs: Array) -> Array:
        p = jax.nn.sigmoid(outputs)
        return jnp.concatenate([1 - p, p], axis=-1)


@part
class CategoricalCrossEntropy:
    """Scores the probability given to the right class.

    Formula: ℓ = −Σ_k y_k ln ŷ_k, ŷ = softmax(z);  ∂ℓ/∂z_k = ŷ_k Σy − y_k
    Numbers: smoothing: y becomes y (1 − smoothing) + smoothing / K for K classes
    Shapes: logits [batch, class]; targets integers [batch], or one-hot or soft [batch, class]
        → [batch]
    Watch for: the gradient is ŷ − y only where the targets of an example add up to 1.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, section 6.2.2.3; smoothing:
        Szegedy et al., Rethinking the Inception Architecture, 2016, section 7
    Example:
        >>> loss = CategoricalCrossEntropy()
        >>> loss(jnp.array([[0.0, 2.0, 0.0]]), jnp.array([1])).round(4)
        Array([0.2395], dtype=float32)
    """

    smoothing: Number = number(default=0.0, low=0, below=1, search=(0, 0.3))
    tasks = ("binary", "multiclass")

    def __call__(self, outputs: Array, targets: Array) -> Array:
        y = one_hot(targets, outputs)
        y = y * (1 - self.smoothing) + self.smoothing / outputs.shape[-1] * y.sum(-1, keepdims=True)
        return -(y * jax.nn.log_softmax(outputs, axis=-1)).sum(-1)

    def outputs(self, targets: int) -> int:
        return targets

    def probabilities(self, outputs: Array) -> Array:
        return jax.nn.softmax(outputs, axis=-1)


@part
class Hinge:
    """Asks for a margin between the right class and the others.

    Formula: two classes: ℓ = max(0, 1 − y z), y = ±1;
        several: ℓ = Σ_{k ≠ y} max(0, 1 + z_k − z_y) or its largest term
    Choices: several: ``sum`` (Weston & Watkins) or ``largest`` (Crammer & Singer)
    Shapes: scores [batch, 1] or [batch, class], targets integers [batch], or one-hot
        [batch, class] → [batch]
    Watch for: at the kink automatic differentiation takes half of each side's slope; printed
        rules take either. No example sits there by chance, but a zero network does. torch's
        MultiMarginLoss is ``sum`` divided by the number of classes.
    Source: Cortes & Vapnik, Support-Vector Networks, 1995; Crammer & Singer, 2001
    Example:
        >>> Hinge()(jnp.array([[0.5], [-2.0]]), jnp.array([1, 0]))
        Array([0.5, 0. ], dtype=float32)
    """

    several: Literal["sum", "largest"] = choice(default="sum")
    tasks = ("binary", "multiclass")

    def __call__(self, outputs: Array, targets: Array) -> Array:
        if outputs.shape[-1] == 1:
            z = outputs[..., 0]
            y = 2 * targets.astype(z.dtype).reshape(z.shape) - 1
            return jnp.maximum(0, 1 - y * z)
        y = one_hot(targets, outputs)
        right = (y * outputs).sum(-1, keepdims=True)
        violation = jnp.maximum(0, 1 + outputs - right) * (1 - y)
        return violation.sum(-1) if self.several == "sum" else violation.max(-1)

    def outputs(self, targets: int) -> int:
        return 1 if targets == 2 else targets

    def probabilities(self, outputs: Array) -> Array:
        # A hinge score is no probability; the squashed score keeps its order and its threshold.
        if outputs.shape[-1] == 1:
            p = jax.nn.sigmoid(outputs)
            return jnp.concatenate([1 - p, p], axis=-1)
        return jax.nn.softmax(outputs, axis=-1)
