"""Regularizers of sensitivity: penalties on how much hidden activations follow the inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue import draws
from thalweg.catalogue.regularizers.regularizer import mean_over_rows
from thalweg.part import Number, choice, number, part

__all__ = ["Contractive", "NoiseConsistency"]

# From inputs [row, ...] to hidden activations by layer.
ActivationsAt = Callable[[Array], Mapping[str, Array]]


def _mean_square(values: Mapping[str, Array], weights: Array | None) -> Any:
    """Sum of squares over layers and units, averaged over rows."""
    return sum(
        mean_over_rows((v * v).reshape(len(v), -1).sum(axis=1), weights) for v in values.values()
    )


@part
class Contractive:
    """Penalizes the derivatives of hidden activations with respect to the inputs.

    Formula: strength · Σ_layers ⟨‖∂h/∂x‖²_F⟩, the mean over examples
    Numbers: strength: weight of the penalty
    Choices: derivatives: ``exact``, one forward derivative for every input, or ``random``, one in a
        random direction of ±1, whose square has the same mean; layers: names of the layers it acts
        on, all where not given
    Shapes: inputs [batch, ...] → scalar
    Watch for: ``exact`` costs about as many passes as there are inputs; ``random`` one, and noise.
        Tied weights keep an autoencoder from shrinking its code and growing it back. Examples
        must not influence each other, as they do in batch normalization.
    Source: Rifai, Vincent, Muller, Glorot & Bengio, Contractive Auto-Encoders, 2011, equation 2
    Example:
        >>> double, x = lambda x: {"hidden": 2 * x}, jnp.ones((4, 3))
        >>> float(Contractive(strength=1.0).sensitivity_penalty(double, x, None, None))
        12.0
    """

    strength: Number = number(default=1e-3, low=0, scale="log", search=(1e-5, 1))
    derivatives: Literal["exact", "random"] = choice(default="exact")
    layers: tuple[str, ...] | None = choice(default=None)
    acts_on = "activations"

    def sensitivity_penalty(
        self, activations_at: ActivationsAt, inputs: Array, weights: Array | None, key: Any
    ) -> Any:
        def along(direction: Array) -> Any:
            tangent = jnp.broadcast_to(direction, inputs.shape).astype(inputs.dtype)
            return _mean_square(jax.jvp(activations_at, (inputs,), (tangent,))[1], weights)

        if self.derivatives == "random":
            return self.strength * along(jax.random.rademacher(key, inputs.shape, jnp.int8))
        shape = inputs.shape[1:]
        size = inputs[0].size
        each = jax.vmap(along)(jnp.eye(size, dtype=inputs.dtype).reshape(size, *shape))
        return self.strength * each.sum()


@part
class NoiseConsistency:
    """Penalizes what noise on the inputs changes in the hidden activations.

    Formula: strength · Σ_layers ⟨‖h(x + ε) − h(x)‖²⟩, ε ~ N(0, deviation²), the mean over examples
    Numbers: strength: weight of the penalty; deviation: of the noise, in units of the inputs as
        the network sees them
    Choices: layers: names of the layers it acts on, all where not given
    Shapes: inputs [batch, ...] → scalar
    Watch for: for small noise it is deviation² times Contractive. To denoise in the sense of an
        autoencoder, put the augmentation Noise on its inputs and leave the targets clean.
    Source: Bishop, Training with Noise is Equivalent to Tikhonov Regularization, 1995; Zheng et
        al., Improving the Robustness of Deep Neural Networks via Stability Training, 2016
    Example:
        >>> key, x = jax.random.key(0), jnp.zeros((1000, 4))
        >>> double = lambda x: {"hidden": 2 * x}
        >>> part = NoiseConsistency(strength=1.0, deviation=0.5)
        >>> bool(abs(part.sensitivity_penalty(double, x, None, key) - 4) < 0.3)
        True
    """

    strength: Number = number(default=1e-1, low=0, scale="log", search=(1e-3, 10))
    deviation: Number = number(default=0.1, low=0, scale="log", search=(0.01, 1))
    layers: tuple[str, ...] | None = choice(default=None)
    acts_on = "activations"

    def sensitivity_penalty(
        self, activations_at: ActivationsAt, inputs: Array, weights: Array | None, key: Any
    ) -> Any:
        noise = self.deviation * draws.normal(key, inputs.shape, inputs.dtype)
        noisy, clean = activations_at(inputs + noise), activations_at(inputs)
        return self.strength * _mean_square(jax.tree.map(jnp.subtract, noisy, clean), weights)
