"""The contract every loss keeps, and what losses for classes share."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.tasks import Task

__all__ = ["Loss", "decided", "log_probabilities", "one_hot", "squashed"]


@runtime_checkable
class Loss(Protocol):
    """A loss per example.

    For the tasks ``tokens`` and ``nodes`` outputs are [batch, time, class] and targets [batch,
    time], and there is a loss for every step (or node of a tree), 0 where the target is -1. For
    ``generation`` outputs are the scores of a ``GAN`` and targets hold nothing.

    Laws: finite for finite outputs; never negative (up to rounding), but for densities, which may
    exceed one, and games; averaging is left to the objective. ``outputs`` says how many outputs a
    network needs for a number of classes, or of target values; ``probabilities`` turns outputs
    [batch, output] into one probability per class [batch, class], or in regression into one
    value per target [batch, target].

    A loss may have ``decided(outputs)``, the classes decided for where these are not the likeliest
    each by itself, and ``surprise(outputs, targets)``, negative log-probabilities of the targets
    where outputs are no logits of the classes.

    A loss may have ``constant(targets, outputs)``: so many outputs that, given to every example,
    make its average over the targets smallest.
    """

    @property
    def tasks(self) -> tuple[Task, ...]: ...

    def __call__(self, outputs: Array, targets: Array) -> Array: ...

    def outputs(self, targets: int) -> int: ...

    def probabilities(self, outputs: Array) -> Array: ...


def one_hot(targets: Array, outputs: Array) -> Array:
    """Targets as probabilities [batch, class]; those that are already so pass through."""
    if targets.ndim < outputs.ndim:
        return jax.nn.one_hot(targets, outputs.shape[-1], dtype=outputs.dtype)
    return targets.astype(outputs.dtype)


def squashed(outputs: Array) -> Array:
    """Outputs as one probability per class: sigmoid of a single one, softmax of several."""
    if outputs.shape[-1] == 1:
        p = jax.nn.sigmoid(outputs)
        return jnp.concatenate([1 - p, p], axis=-1)
    return jax.nn.softmax(outputs, axis=-1)


def log_probabilities(outputs: Array) -> Array:
    """Logarithms of ``squashed``, finite wherever the outputs are."""
    if outputs.shape[-1] == 1:
        return -jax.nn.softplus(jnp.concatenate([outputs, -outputs], axis=-1))
    return jax.nn.log_softmax(outputs, axis=-1)


def decided(probabilities: Array) -> Array:
    """The class decided for, int32 [batch, ...]: of two the second from ½ on, else the likeliest.

    ``ŷ ≥ ½ → 1`` is the printed rule for two classes; the first that is largest would say 0 at ½.
    """
    if probabilities.shape[-1] == 2:
        return (probabilities[..., 1] >= probabilities[..., 0]).astype(jnp.int32)
    return jnp.argmax(probabilities, axis=-1)
