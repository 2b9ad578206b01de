"""Cross-entropies: how surprised a predicted distribution is by the class that came."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from thalweg.catalogue.losses.loss import log_probabilities, one_hot, squashed
from thalweg.part import Number, number, part

__all__ = ["BinaryCrossEntropy", "CategoricalCrossEntropy", "ClippedCrossEntropy", "Focal"]


def _frequencies(targets: np.ndarray, classes: int) -> np.ndarray:
    """Shares of the classes, one that no row has counting as half a row; -1 is no class."""
    counts = np.maximum(np.bincount(targets[targets >= 0], minlength=classes), 0.5)
    return counts / counts.sum()


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
        return squashed(outputs)

    def constant(self, targets: np.ndarray, outputs: int) -> np.ndarray:
        _, p = _frequencies(targets, 2) * (1 - self.smoothing) + self.smoothing / 2
        return np.log([p / (1 - p)])


@part
class ClippedCrossEntropy:
    """Scores the probability given to the right one of two classes, held away from 0 and 1.

    Formula: ℓ = −y ln p − (1 − y) ln(1 − p), p = min(max(sigmoid(z), least), 1 − least)
    Numbers: least: smallest probability; the loss is at most −ln least
    Shapes: logits [batch, 1], targets [batch] (0, 1, or a probability between) → [batch]
    Watch for: no gradient reaches an example whose probability is clipped, however wrong it is;
        BinaryCrossEntropy needs no clipping, as it never forms the probability.
    Source: standard where a loss is given probabilities; its derivative by p is
        (1 − y) / (1 − p) − y / p
    Example:
        >>> ClippedCrossEntropy(least=0.01)(jnp.array([[0.0], [-20.0]]), jnp.array([1, 1])).round(4)
        Array([0.6931, 4.6052], dtype=float32)
    """

    least: Number = number(default=1e-7, above=0, below=0.5, scale="log", search=(1e-8, 0.1))
    tasks = ("binary",)

    def __call__(self, outputs: Array, targets: Array) -> Array:
        z = outputs[..., 0]
        y = targets.astype(z.dtype).reshape(z.shape)
        # Both probabilities from the logit: 1 − p would round away what the other side holds.
        p, q = (jnp.clip(jax.nn.sigmoid(logit), self.least, 1 - self.least) for logit in (z, -z))
        return -y * jnp.log(p) - (1 - y) * jnp.log(q)

    def outputs(self, targets: int) -> int:
        return 1

    def probabilities(self, outputs: Array) -> Array:
        return squashed(outputs)


@part
class CategoricalCrossEntropy:
    """Scores the probability given to the right class.

    Formula: ℓ = −Σ_k y_k ln ŷ_k, ŷ = softmax(z);  ∂ℓ/∂z_k = ŷ_k Σy − y_k
    Numbers: smoothing: y becomes y (1 − smoothing) + smoothing / K for K classes
    Shapes: logits [batch, class]; targets integers [batch] ("sparse"), or one-hot or soft
        [batch, class] → [batch]; at every step of a sequence, or node of a tree, logits [batch,
        time, class], targets [batch, time] → [batch, time], 0 where the target is -1
    Watch for: the gradient is ŷ − y only where the targets of an example add up to 1.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, section 6.2.2.3; smoothing:
        Szegedy et al., Rethinking the Inception Architecture, 2016, section 7
    Example:
        >>> loss = CategoricalCrossEntropy()
        >>> loss(jnp.array([[0.0, 2.0, 0.0]]), jnp.array([1])).round(4)
        Array([0.2395], dtype=float32)
    """

    smoothing: Number = number(default=0.0, low=0, below=1, search=(0, 0.3))
    tasks = ("binary", "multiclass", "tokens", "nodes")

    def __call__(self, outputs: Array, targets: Array) -> Array:
        y = one_hot(targets, outputs)
        y = y * (1 - self.smoothing) + self.smoothing / outputs.shape[-1] * y.sum(-1, keepdims=True)
        return -(y * jax.nn.log_softmax(outputs, axis=-1)).sum(-1)

    def outputs(self, targets: int) -> int:
        return targets

    def probabilities(self, outputs: Array) -> Array:
        return squashed(outputs)

    def constant(self, targets: np.ndarray, outputs: int) -> np.ndarray:
        shares = _frequencies(targets, outputs)
        return np.log(shares * (1 - self.smoothing) + self.smoothing / len(shares))


@part
class Focal:
    """Turns attention from examples that are already right to those that are not.

    Formula: ℓ = −(1 − ŷ_y)^focus ln ŷ_y, ŷ = sigmoid(z) or softmax(z)
    Numbers: focus: γ of the paper; 0 is the cross-entropy
    Shapes: logits [batch, 1] or [batch, class]; targets integers [batch], or one-hot
        [batch, class] → [batch]; at every step of a sequence, or node of a tree, logits [batch,
        time, class], targets [batch, time] → [batch, time], 0 where the target is -1
    Watch for: predicted probabilities come out less confident than the data are. The paper's α,
        which weighs the classes, is not part of it.
    Source: Lin, Goyal, Girshick, He & Dollár, Focal Loss for Dense Object Detection, 2017,
        equation 4
    Example:
        >>> Focal(focus=2.0)(jnp.array([[0.0], [2.0]]), jnp.array([1, 1])).round(4)
        Array([0.1733, 0.0018], dtype=float32)
    """

    focus: Number = number(default=2.0, low=0, search=(0, 5))
    tasks = ("binary", "multiclass", "tokens", "nodes")

    def __call__(self, outputs: Array, targets: Array) -> Array:
        right = log_probabilities(outputs)
        # ln(1 − ŷ), short of ŷ = 1, where it and its derivative would be infinite.
        wrong = jnp.log(-jnp.expm1(jnp.minimum(right, -jnp.finfo(right.dtype).eps)))
        return -(one_hot(targets, right) * jnp.exp(self.focus * wrong) * right).sum(-1)

    def outputs(self, targets: int) -> int:
        return 1 if targets == 2 else targets

    def probabilities(self, outputs: Array) -> Array:
        return squashed(outputs)
