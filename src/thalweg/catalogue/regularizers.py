"""Regularizers: terms and shrinkage that hold parameters back.

A part of this family either adds a penalty to the objective (L1, L2) or shrinks parameters beside
the optimizer's update (DecoupledDecay). Dropout is a layer, early stopping a rule of training.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp

from thalweg.part import Number, choice, number, part

__all__ = ["L1", "L2", "DecoupledDecay"]


@runtime_checkable
class Regularizer(Protocol):
    """A pull towards simpler parameters.

    Laws: at strength 0 neither method does anything; both are finite for finite parameters.
    ``penalty`` is added to the objective; ``shrinkage`` is subtracted from the parameters after
    the optimizer's update, which it does not pass through, and is None where there is none.
    """

    @property
    def biases(self) -> bool: ...

    def penalty(self, parameters: Any) -> Any: ...

    def shrinkage(self, parameters: Any, learning_rate: Any) -> Any: ...


def _held(parameters: Any, biases: bool) -> list[tuple[Any, Any]]:
    """The leaves a regularizer holds back: all, or all but biases."""
    leaves = jax.tree_util.tree_leaves_with_path(parameters)
    return [leaf for leaf in leaves if biases or not _is_bias(leaf[0])]


def _is_bias(path: Any) -> bool:
    """Whether a parameter is a bias, or the scale of a normalization, which is treated like one."""
    return getattr(path[-1], "key", None) in ("bias", "scale")


@part
class L1:
    """Penalizes absolute values.

    Formula: strength · Σ |w|;  subgradient strength · sgn(w), 0 at 0
    Numbers: strength: weight of the penalty
    Choices: biases: whether biases are penalized too
    Shapes: scalar
    Watch for: subgradient steps make weights small, hardly ever exactly zero.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, section 7.1.2
    Example:
        >>> float(L1(strength=0.1).penalty({"kernel": jnp.array([[1.0, -2.0]])}).round(4))
        0.3
    """

    strength: Number = number(default=1e-4, low=0, scale="log", search=(1e-6, 1e-1))
    biases: bool = choice(default=False)

    def penalty(self, parameters: Any) -> Any:
        # Not jnp.abs, whose derivative at 0 is 1: it would move biases that start at zero.
        sizes = ((w * jnp.sign(w)).sum() for _, w in _held(parameters, self.biases))
        return self.strength * sum(sizes)

    def shrinkage(self, parameters: Any, learning_rate: Any) -> Any:
        return None


@part
class L2:
    """Penalizes squares.

    Formula: strength · factor · Σ w²;  gradient 2 · strength · factor · w
    Numbers: strength: weight of the penalty
    Choices: factor: 1, or ½ so that the gradient is strength · w; biases: penalized too or not
    Shapes: scalar
    Watch for: texts disagree about the ½, which doubles or halves every strength; compare the
        gradients. With Adam it is not weight decay: see DecoupledDecay.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, section 7.1.1
    Example:
        >>> float(L2(strength=0.1).penalty({"kernel": jnp.array([[1.0, -2.0]])}).round(4))
        0.25
    """

    strength: Number = number(default=1e-4, low=0, scale="log", search=(1e-6, 1e-1))
    factor: float = choice(default=0.5, options=(0.5, 1.0))
    biases: bool = choice(default=False)

    def penalty(self, parameters: Any) -> Any:
        squares = sum((w * w).sum() for _, w in _held(parameters, self.biases))
        return self.strength * self.factor * squares

    def shrinkage(self, parameters: Any, learning_rate: Any) -> Any:
        return None


@part
class DecoupledDecay:
    """Shrinks weights beside the update instead of through the gradient.

    Formula: w ← w + Δw − λ w, with λ = strength, or learning_rate · strength
    Numbers: strength: share of a weight lost per step
    Choices: times_learning_rate: whether the share is multiplied by the learning rate (as in
        AdamW of the common libraries) or not (as in the paper); biases: shrunk too or not
    Shapes: those of the parameters
    Watch for: equals L2 for plain gradient descent only, and not at all for Adam. A "+ λ w" in
        some lecture notes is a sign error: it lets weights grow.
    Source: Loshchilov & Hutter, Decoupled Weight Decay Regularization, 2019, algorithm 2
    Example:
        >>> DecoupledDecay(strength=0.1).shrinkage({"kernel": jnp.array([[2.0]])}, 0.5)
        {'kernel': Array([[0.1]], dtype=float32)}
    """

    strength: Number = number(default=1e-2, low=0, below=1, scale="log", search=(1e-5, 1e-1))
    times_learning_rate: bool = choice(default=True)
    biases: bool = choice(default=False)

    def penalty(self, parameters: Any) -> Any:
        return 0.0

    def shrinkage(self, parameters: Any, learning_rate: Any) -> Any:
        share = self.strength * (learning_rate if self.times_learning_rate else 1.0)
        return jax.tree_util.tree_map_with_path(
            lambda path, w: share * w if self.biases or not _is_bias(path) else jnp.zeros_like(w),
            parameters,
        )
