"""Layers whose kernel is written in other terms: a length and a direction, or over its norm.

They wrap a layer that has a kernel (dense, convolution) and hand it the kernel they make.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.layers.contract import Network
from thalweg.catalogue.layers.lengths import lengths_behind
from thalweg.errors import SpecError
from thalweg.part import choice, part

__all__ = ["SpectralNormalization", "WeightNormalization"]


def _started(owner: str, layer: Any, key: Array, example: Any) -> dict[str, Array]:
    """The parameters of the wrapped layer, among which there must be a kernel."""
    variables = layer.init(key, example)
    if "kernel" not in variables.parameters or jax.tree.leaves(variables.state):
        raise SpecError(
            f"{owner}.layer must be a layer with a kernel and no state, such as Dense or "
            f"Convolution, got {type(layer).__name__}"
        )
    return dict(variables.parameters)


@part
class WeightNormalization:
    """Trains length and direction of a layer's weights apart.

    Formula: w = γ u / ‖u‖ for the weights w of every unit;
        ∇_u L = (γ / ‖u‖) (I − u uᵀ / ‖u‖²) ∇_w L;  ∇_γ L = uᵀ ∇_w L / ‖u‖
    Choices: layer: whose kernel it is, such as Dense or Convolution
    Shapes: those of the layer; u like its kernel, γ [unit]
    Watch for: starts as the layer alone would, γ being ‖u‖. The gradient of u is at right angles to
        u, so plain descent only lengthens u: it is γ / ‖u‖ (I − uuᵀ / ‖u‖²) times that of w, with
        the identity I that some texts lose. For whitened inputs it equals batch normalization, as
        uᵀx then has mean uᵀE(x) = 0 and deviation ‖u‖.
    Source: Salimans & Kingma, Weight Normalization, 2016, equations 2 and 3
    Example:
        >>> from thalweg.catalogue.layers import Dense
        >>> layer, x = WeightNormalization(layer=Dense(units=3)), jnp.ones((1, 2))
        >>> jax.tree.map(jnp.shape, layer.init(jax.random.key(0), x).parameters)
        {'bias': (3,), 'kernel': (2, 3), 'scale': (3,)}
    """

    layer: Network = choice()

    def init(self, key: Array, example: Any) -> Variables:
        parameters = _started("WeightNormalization", self.layer, key, example)
        return Variables({**parameters, "scale": _lengths(parameters["kernel"])}, {})

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        parameters = dict(variables.parameters)
        direction = parameters["kernel"]
        parameters["kernel"] = parameters.pop("scale") * direction / _lengths(direction)
        return self.layer.apply(Variables(parameters, {}), x, context)

    def lengths_after(self, lengths: Array) -> Array:
        """How many steps count of what is given out, where so many count of what goes in."""
        return lengths_behind((self.layer,), lengths)


def _lengths(kernel: Array) -> Array:
    """The length of the weights of every unit, [unit]."""
    return jnp.sqrt((kernel**2).sum(tuple(range(kernel.ndim - 1))))


@part
class SpectralNormalization:
    """Divides a layer's kernel by its largest singular value.

    Formula: W ← W / σ, σ = uᵀ W v;  in training, before: v ← Wᵀu / ‖Wᵀu‖, u ← W v / ‖W v‖
    Choices: layer: whose kernel it is, such as Dense or Convolution; iterations: of the power
        method, at every training step
    Shapes: those of the layer; W as a matrix [unit, input]
    Watch for: σ is an estimate, close because weights change little from step to step; u and v
        carry no gradient. For a convolution it is the norm of the kernel as a matrix, not of the
        map from image to image.
    Source: Miyato et al., Spectral Normalization for GANs, 2018, algorithm 1
    Example:
        >>> from thalweg.catalogue.layers import Dense
        >>> layer, x = SpectralNormalization(layer=Dense(units=3)), jnp.eye(3)
        >>> variables = layer.init(jax.random.key(0), x)
        >>> y, _ = layer.apply(variables, x, Context("evaluate"))
        >>> float(jnp.linalg.norm(y, 2).round(2))
        1.0
    """

    layer: Network = choice()
    iterations: int = choice(default=1, low=1)

    def init(self, key: Array, example: Any) -> Variables:
        parameters = _started("SpectralNormalization", self.layer, key, example)
        kernel = parameters["kernel"]
        units = kernel.shape[-1]
        left = jax.random.normal(jax.random.fold_in(key, 1), (units,))
        # Enough for an estimate that is good to a few per cent before the first step.
        left, right = _power(kernel.reshape(-1, units).T, left, 15)
        return Variables(parameters, {"left": left, "right": right})

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        parameters, state = dict(variables.parameters), variables.state
        kernel = parameters["kernel"]
        matrix = kernel.reshape(-1, kernel.shape[-1]).T
        left, right = state["left"], state["right"]
        if context.mode == "train":
            left, right = _power(jax.lax.stop_gradient(matrix), left, self.iterations)
        parameters["kernel"] = kernel / (left @ matrix @ right)
        y, _ = self.layer.apply(Variables(parameters, {}), x, context)
        return y, {"left": left, "right": right}

    def lengths_after(self, lengths: Array) -> Array:
        """How many steps count of what is given out, where so many count of what goes in."""
        return lengths_behind((self.layer,), lengths)


def _power(matrix: Array, left: Array, iterations: int) -> tuple[Array, Array]:
    """Singular vectors of the largest singular value, by the power method."""
    right = _unit(matrix.T @ left)
    for _ in range(iterations - 1):
        right = _unit(matrix.T @ _unit(matrix @ right))
    return _unit(matrix @ right), right


def _unit(vector: Array) -> Array:
    return vector / jnp.maximum(jnp.sqrt((vector**2).sum()), 1e-12)
