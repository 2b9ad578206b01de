"""Rectifiers whose slope below zero is learned or drawn."""

from __future__ import annotations

from typing import Any, Literal

import jax.numpy as jnp
from jax import Array

from thalweg.catalogue import draws
from thalweg.catalogue.context import Context
from thalweg.errors import SpecError
from thalweg.part import Number, choice, number, part

__all__ = ["PReLU", "RReLU"]


def _rectified(z: Array, slope: Any) -> Array:
    return jnp.where(z > 0, z, slope * z)


def _slopes(z: Array, slope: Any) -> Array:
    return jnp.where(z > 0, jnp.ones_like(z), slope)


@part(name="prelu")
class PReLU:
    """Learns how much of negative values to let through.

    Formula: f(z) = max(0, z) + a · min(0, z);  ∂f/∂z = 1 for z > 0, a for z ≤ 0;
        ∂f/∂a = min(0, z)
    Numbers: slope: where every a starts
    Choices: shared: an a for every ``unit``, or one for the whole ``layer``
    Shapes: [..., unit] → the same; a [unit] or []
    Watch for: weight decay would pull a towards 0, that is to ReLU. As in the paper, regularizers
        leave a alone; decay inside an optimizer (AdamW, LAMB, Lion, Muon) does not. Called without
        parameters it is the function it starts as.
    Source: He, Zhang, Ren & Sun, Delving Deep into Rectifiers, 2015, equations 1 and 3
    Example:
        >>> import jax
        >>> z = jnp.array([[-1.0, 2.0]])
        >>> parameters = PReLU().init_parameters(jax.random.key(0), z)
        >>> parameters["slope"]
        Array([0.25, 0.25], dtype=float32)
        >>> PReLU().apply(parameters, z, Context("train"))
        Array([[-0.25,  2.  ]], dtype=float32)
    """

    slope: Number = number(default=0.25, search=(0, 0.5))
    shared: Literal["unit", "layer"] = choice(default="unit")
    saturates_at = ()

    def init_parameters(self, key: Array, example: Any) -> dict[str, Array]:
        shape = example.shape[-1:] if self.shared == "unit" else ()
        return {"slope": jnp.full(shape, self.slope, float)}

    def apply(self, parameters: dict[str, Array], z: Array, context: Context) -> Array:
        return _rectified(z, parameters["slope"])

    def __call__(self, z: Array) -> Array:
        return _rectified(z, self.slope)

    def derivative(self, z: Array) -> Array:
        return _slopes(z, self.slope)


@part(name="rrelu")
class RReLU:
    """Draws how much of each negative value to let through, in training only.

    Formula: f(z) = max(0, z) + a · min(0, z), a ~ U(low, high) anew for every value;
        in evaluation a = (low + high) / 2;  f′ = 1 for z > 0, a for z ≤ 0
    Numbers: low, high: ends of the range of slopes
    Shapes: any → the same
    Watch for: the paper divides by a number from 3 to 8 and evaluates with 2 / (3 + 8), which is
        0.18; the mean of the slopes 1/8 and 1/3, as common libraries take it, is 0.23.
    Source: Xu, Wang, Chen & Li, Empirical Evaluation of Rectified Activations in Convolutional
        Network, 2015, section 2.4
    Example:
        >>> import jax
        >>> z = jnp.full(1000, -1.0)
        >>> drawn = RReLU(low=0.1, high=0.3).apply({}, z, Context("train", jax.random.key(0)))
        >>> bool((drawn <= -0.1).all() and (drawn >= -0.3).all()), float(drawn.std().round(2))
        (True, 0.06)
        >>> float(RReLU(low=0.1, high=0.3)(z).mean().round(2))
        -0.2
    """

    low: Number = number(default=1 / 8, low=0, search=(0, 0.5))
    high: Number = number(default=1 / 3, low=0, search=(0, 1))
    saturates_at = ()

    def check(self) -> None:
        if not self.low <= self.high:
            raise SpecError(f"RReLU.high must be >= RReLU.low, got {self.low:g} and {self.high:g}")

    def init_parameters(self, key: Array, example: Any) -> dict[str, Array]:
        return {}

    def apply(self, parameters: dict[str, Array], z: Array, context: Context) -> Array:
        if context.mode == "evaluate":
            return self(z)
        if context.key is None:
            raise ValueError("RReLU needs a key in training; pass Context('train', key)")
        share = draws.uniform(context.key, z.shape, z.dtype)
        return _rectified(z, self.low + (self.high - self.low) * share)

    def __call__(self, z: Array) -> Array:
        return _rectified(z, (self.low + self.high) / 2)

    def derivative(self, z: Array) -> Array:
        return _slopes(z, (self.low + self.high) / 2)
