"""Margins: how far the score of the right class must lead. With them, the mistakes themselves."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer

from thalweg.catalogue.losses.loss import Loss, decided, one_hot, squashed
from thalweg.errors import SpecError
from thalweg.part import choice, part

__all__ = ["Hinge", "SigmoidHinge", "SquaredHinge", "ZeroOne"]


def _check_hard(loss: Loss, outputs: Array, targets: Array, many: bool = False) -> None:
    """Refuse targets between classes, which have no margin to keep; ``many`` admits several ones.

    Inside compiled programs there is nothing to look at, and nothing is paid.
    """
    if isinstance(targets, Tracer):
        return
    held, classes = np.asarray(targets, float), outputs.shape[-1]
    if classes == 1:
        hard, wanted = np.isin(held, (0, 1)), "0 or 1"
    elif held.ndim < outputs.ndim:
        hard, wanted = np.isin(held, range(classes)), f"a whole number from 0 to {classes - 1}"
    else:
        hard, wanted = np.isin(held, (0, 1)).all(-1), "a row of zeros and ones"
        if not many:
            hard, wanted = hard & (held.sum(-1) == 1), "a row with a single 1 among zeros"
    if not hard.all():
        raise SpecError(
            f"{type(loss).__name__} needs hard targets, each {wanted}, got "
            f"{np.round(held[~hard][0], 3).tolist()}; use a cross-entropy for soft ones"
        )


def _lacking(outputs: Array, targets: Array) -> Array:
    """What the margin lacks, [batch, rival]: negative where it is met, 0 in the right class.

    Two classes share one score, and have one rival.
    """
    if outputs.shape[-1] == 1:
        sign = 2 * targets.astype(outputs.dtype).reshape(outputs.shape) - 1
        return 1 - sign * outputs
    y = one_hot(targets, outputs)
    right = (y * outputs).sum(-1, keepdims=True)
    return jnp.where(y > 0, -1, 1 + outputs - right)


@part
class Hinge:
    """Asks for a margin between the right class and the others.

    Formula: two classes: ℓ = max(0, 1 − y z), y = ±1;
        several: ℓ = Σ_{k ≠ y} max(0, 1 + z_k − z_y) or its largest term
    Choices: several: ``sum`` (Weston & Watkins) or ``largest`` (Crammer & Singer);
        derivative_at_kink: share of the slope −y used where a margin is met exactly; both
        conventions are in print
    Shapes: scores [batch, 1] or [batch, class], targets integers [batch], or one-hot
        [batch, class] → [batch]
    Watch for: the slope is −y where y z < 1 and 0 beyond; texts that print the cases the other
        way round move away from the solution. Targets are one class each: there is no smoothing
        of them, and Mixup mixes losses instead. torch's MultiMarginLoss is ``sum`` divided by the
        number of classes.
    Source: Cortes & Vapnik, Support-Vector Networks, 1995; Crammer & Singer, 2001
    Example:
        >>> Hinge()(jnp.array([[0.5], [-2.0]]), jnp.array([1, 0]))
        Array([0.5, 0. ], dtype=float32)
    """

    several: Literal["sum", "largest"] = choice(default="sum")
    derivative_at_kink: Literal[0, 1] = choice(default=0)
    tasks = ("binary", "multiclass")

    def __call__(self, outputs: Array, targets: Array) -> Array:
        _check_hard(self, outputs, targets)
        lacking = _lacking(outputs, targets)
        counts = lacking >= 0 if self.derivative_at_kink else lacking > 0
        violation = jnp.where(counts, lacking, 0)
        return violation.sum(-1) if self.several == "sum" else violation.max(-1)

    def outputs(self, targets: int) -> int:
        return 1 if targets == 2 else targets

    def probabilities(self, outputs: Array) -> Array:
        # A hinge score is no probability; the squashed score keeps its order and its threshold.
        return squashed(outputs)


@part
class SquaredHinge:
    """Asks for a margin, and minds large violations more than small ones.

    Formula: two classes: ℓ = max(0, 1 − y z)², y = ±1; several: Σ_{k ≠ y} max(0, 1 + z_k − z_y)²
    Shapes: scores [batch, 1] or [batch, class], targets integers [batch], or one-hot
        [batch, class] → [batch]
    Watch for: has a derivative everywhere, unlike the hinge, but outliers weigh more.
    Source: Lee & Lin, A Study on L2-Loss (Squared Hinge-Loss) Multiclass SVM, 2013
    Example:
        >>> SquaredHinge()(jnp.array([[0.5], [-2.0]]), jnp.array([1, 0]))
        Array([0.25, 0.  ], dtype=float32)
    """

    tasks = ("binary", "multiclass")

    def __call__(self, outputs: Array, targets: Array) -> Array:
        _check_hard(self, outputs, targets)
        lacking = _lacking(outputs, targets)
        return (jnp.where(lacking > 0, lacking, 0) ** 2).sum(-1)

    def outputs(self, targets: int) -> int:
        return 1 if targets == 2 else targets

    def probabilities(self, outputs: Array) -> Array:
        return squashed(outputs)


@part
class SigmoidHinge:
    """Takes the hinge of sigmoid outputs.

    Formula: ℓ = Σ_k max(0, 1 − y_k ŷ_k), ŷ = sigmoid(z);  ∂ℓ/∂z_k = −y_k ŷ_k (1 − ŷ_k)
    Choices: labels: ``zero_one``: y_k is 1 for the right class and 0 for others; ``plus_minus``:
        1 and −1
    Shapes: logits [batch, 1] or [batch, class], targets integers [batch], or one-hot
        [batch, class], where several may be 1 → [batch]
    Watch for: sigmoids stay below 1, so the hinge never closes and the loss is linear in ŷ. With
        labels 0 and 1 an output whose label is 0 has no gradient at all: nothing ever pushes a
        wrong class down. Derivations by hand: the slope for ŷ is −y, the label and not the output,
        and δ = −y ⊙ ŷ ⊙ (1 − ŷ), elementwise, of sigmoids and not of a softmax.
    Source: standard hinge on a sigmoid layer, as lecture notes on back-propagation use it
    Example:
        >>> SigmoidHinge()(jnp.array([[0.0], [0.0]]), jnp.array([1, 0]))
        Array([0.5, 1. ], dtype=float32)
    """

    labels: Literal["zero_one", "plus_minus"] = choice(default="zero_one")
    tasks = ("binary", "multiclass")

    def __call__(self, outputs: Array, targets: Array) -> Array:
        _check_hard(self, outputs, targets, many=True)
        single = outputs.shape[-1] == 1
        y = targets.reshape(outputs.shape) if single else one_hot(targets, outputs)
        y = y.astype(outputs.dtype)
        if self.labels == "plus_minus":
            y = 2 * y - 1
        # No maximum: 1 − y ŷ is never negative.
        return (1 - y * jax.nn.sigmoid(outputs)).sum(-1)

    def outputs(self, targets: int) -> int:
        return 1 if targets == 2 else targets

    def probabilities(self, outputs: Array) -> Array:
        return squashed(outputs)


@part
class ZeroOne:
    """Counts mistakes.

    Formula: ℓ = 0 where the predicted class is the right one, 1 elsewhere
    Shapes: scores [batch, 1] or [batch, class], targets integers [batch], or one-hot
        [batch, class] → [batch]
    Watch for: its derivative is 0 wherever it has one, so nothing learns from it; train on a
        surrogate, such as a cross-entropy or the hinge. Recorded accuracies are 1 minus its mean.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, section 8.1.2
    Example:
        >>> ZeroOne()(jnp.array([[0.5], [2.0]]), jnp.array([1, 0]))
        Array([0., 1.], dtype=float32)
    """

    tasks = ("binary", "multiclass")

    def __call__(self, outputs: Array, targets: Array) -> Array:
        _check_hard(self, outputs, targets)
        if targets.ndim == outputs.ndim and outputs.shape[-1] > 1:
            targets = jnp.argmax(targets, axis=-1)
        wrong = decided(self.probabilities(outputs)) != targets.reshape(outputs.shape[:-1])
        return wrong.astype(outputs.dtype)

    def outputs(self, targets: int) -> int:
        return 1 if targets == 2 else targets

    def probabilities(self, outputs: Array) -> Array:
        return squashed(outputs)
