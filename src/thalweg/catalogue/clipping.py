"""Clipping: what is done to a gradient too large, before the optimizer sees it."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.part import Number, number, part

__all__ = ["ClipAdaptively", "ClipByNorm", "ClipByValue"]


@runtime_checkable
class Clipping(Protocol):
    """A limit on gradients, which may depend on the parameters they belong to.

    Laws: gradients within the limit pass unchanged to the last bit; results are never longer than
    the arguments; clipping twice equals clipping once (up to rounding).
    """

    def clip(self, gradient: Any, parameters: Any) -> Any: ...


def norm(tree: Any) -> Array:
    """Euclidean norm of all leaves taken together."""
    return jnp.sqrt(sum((jnp.vdot(leaf, leaf) for leaf in jax.tree.leaves(tree)), jnp.zeros(())))


@part
class ClipByNorm:
    """Shortens the whole gradient to a longest length, keeping its direction.

    Formula: g ← g · min(1, limit / ‖g‖), ‖g‖ over all parameters together
    Numbers: limit: longest length
    Shapes: those of the gradient
    Watch for: one exploding layer shrinks the steps of all the others. torch divides by the norm
        plus 1e-6.
    Source: Pascanu, Mikolov & Bengio, On the Difficulty of Training Recurrent Neural Networks,
        2013, algorithm 1
    Example:
        >>> ClipByNorm(limit=1.0).clip([jnp.array([3.0, 4.0])])
        [Array([0.6, 0.8], dtype=float32)]
    """

    limit: Number = number(default=1.0, above=0, scale="log", search=(1e-2, 1e2))

    def clip(self, gradient: Any, parameters: Any = None) -> Any:
        length = norm(gradient)
        scale = jnp.where(length > self.limit, self.limit / jnp.maximum(length, self.limit), 1.0)
        return jax.tree.map(lambda g: g * scale.astype(g.dtype), gradient)


@part
class ClipByValue:
    """Cuts every component of the gradient to a largest size.

    Formula: g_i ← max(−limit, min(limit, g_i))
    Numbers: limit: largest absolute value
    Shapes: those of the gradient
    Watch for: changes the direction of the step.
    Source: Mikolov, Statistical Language Models Based on Neural Networks, 2012, section 3.2.2
    Example:
        >>> ClipByValue(limit=1.0).clip([jnp.array([3.0, -0.5])])
        [Array([ 1. , -0.5], dtype=float32)]
    """

    limit: Number = number(default=1.0, above=0, scale="log", search=(1e-2, 1e2))

    def clip(self, gradient: Any, parameters: Any = None) -> Any:
        return jax.tree.map(lambda g: jnp.clip(g, -self.limit, self.limit), gradient)


@part
class ClipAdaptively:
    """Shortens the gradient of every unit to a share of the length of its weights.

    Formula: G_i ← G_i · min(1, limit · max(‖W_i‖, floor) / ‖G_i‖), i one unit: what leads to one
        output, in a kernel [input, ..., output]; a whole bias is one unit
    Numbers: limit: largest ratio of lengths; floor: least length of weights, for those that start
        at zero
    Shapes: those of the gradient
    Watch for: the paper leaves the last layer as_is; here every parameter is clipped.
    Source: Brock et al., High-Performance Large-Scale Image Recognition Without Normalization,
        2021, equation 3
    Example:
        >>> ClipAdaptively(limit=0.1).clip([jnp.array([3.0, 4.0])], [jnp.array([0.0, 10.0])])
        [Array([0.6, 0.8], dtype=float32)]
    """

    limit: Number = number(default=0.01, above=0, scale="log", search=(1e-3, 1))
    floor: Number = number(default=1e-3, above=0, scale="log", search=(1e-4, 1e-1))

    def clip(self, gradient: Any, parameters: Any) -> Any:
        def one(g: Array, w: Array) -> Array:
            axes = tuple(range(max(g.ndim - 1, 1))) if g.ndim else ()
            length = jnp.sqrt((g * g).sum(axes, keepdims=True))
            size = jnp.sqrt((w * w).sum(axes, keepdims=True))
            most = self.limit * jnp.maximum(size, self.floor)
            return g * jnp.where(length > most, most / jnp.maximum(length, most), 1.0)

        return jax.tree.map(one, gradient, parameters)
