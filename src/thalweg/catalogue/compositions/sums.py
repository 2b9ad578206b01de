"""Compositions that are one weighted sum and an activation: of the children, and of products."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.activations import Activation, Tanh
from thalweg.catalogue.cells.cell import check_activation
from thalweg.catalogue.initializers import Glorot, Initializer, Normal, Zero
from thalweg.errors import SpecError
from thalweg.part import choice, part

__all__ = ["AffineComposition", "BilinearComposition", "TensorComposition"]

# What becomes of the vector of a leaf: a dense layer's output, or it stays as it is.
Leaf: TypeAlias = Literal["dense", "vector"]
Parameters: TypeAlias = Mapping[str, Array]

WithProducts: TypeAlias = "TensorComposition | BilinearComposition"
Sum: TypeAlias = "AffineComposition | WithProducts"


def _width(self: Sum, units: int) -> int:
    return units


def _drawn(self: Sum, key: Array, features: int, units: int) -> dict[str, Array]:
    """The parameters of leaves, where they have any, and of the weighted sum."""
    check_activation(self, "activation", units)
    if self.leaf_is == "vector" and features != units:
        raise SpecError(
            f'{type(self).__name__}.leaf_is "vector" needs vectors of {units} features, as many as '
            f"there are units, got {features}"
        )
    shapes = {"": (2 * units, units)}
    if self.leaf_is == "dense":
        shapes = {"leaf_": (features, units), **shapes}
    drawn = {}
    for name, shape in shapes.items():
        key, for_kernel, for_bias = jax.random.split(key, 3)
        drawn[f"{name}kernel"] = self.kernel.sample(for_kernel, shape)
        if self.bias is not None:
            drawn[f"{name}bias"] = self.bias.sample(for_bias, (units,))
    return drawn


def _drawn_with_tensor(
    self: WithProducts, key: Array, features: int, units: int, side: int
) -> dict[str, Array]:
    """The same, and a tensor for products of so many numbers with as many others."""
    key, for_tensor = jax.random.split(key)
    tensor = self.tensor.sample(for_tensor, (side, side, units))
    return {**_drawn(self, key, features, units), "tensor_kernel": tensor}


def _leaf(self: Sum, parameters: Parameters, x: Array) -> Array:
    return self.activation(_affine(parameters, x, "leaf_")) if self.leaf_is == "dense" else x


def _affine(parameters: Parameters, x: Array, name: str = "") -> Array:
    z = x @ parameters[f"{name}kernel"]
    return z + parameters[f"{name}bias"] if f"{name}bias" in parameters else z


def _products(tensor: Array, left: Array, right: Array) -> Array:
    """leftᵀ T_k right for every node and k, as one large product and one small."""
    rows, columns, units = tensor.shape
    half = (left @ tensor.reshape(rows, columns * units)).reshape(*right.shape, units)
    return (half * right[..., None]).sum(axis=-2)


@part
class AffineComposition:
    """Adds up what each child is worth, as in the first recursive networks.

    Formula: h = φ(U h_left + W h_right + b); of a leaf h = φ(V x + c), or h = x
    Choices: activation: φ; leaf_is: ``dense``, or ``vector``, which is as long as there are units;
        kernel: where U, W and V start; bias: where b and c start, none without
    Shapes: children [node, unit] → [node, unit]; U and W [unit, unit], V [feature, unit]
    Watch for: the children never multiply each other, so that a word like *not* can only add
        something to what it negates. In a tree that is a chain it is a recurrent network, as deep
        as the sequence is long; in a balanced one the depth is the logarithm of that.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, section 10.6 and figure 10.14;
        Pollack, Recursive Distributed Representations, 1990
    Example:
        >>> parameters = AffineComposition().draw(jax.random.key(0), features=3, units=2)
        >>> {name: held.shape for name, held in parameters.items()}
        {'leaf_kernel': (3, 2), 'leaf_bias': (2,), 'kernel': (4, 2), 'bias': (2,)}
    """

    activation: Activation = choice(default=Tanh())
    leaf_is: Leaf = choice(default="dense")
    kernel: Initializer = choice(default=Glorot())
    bias: Initializer | None = choice(default=Zero())

    width, draw, leaf = _width, _drawn, _leaf

    def compose(self, parameters: Parameters, left: Array, right: Array) -> Array:
        return self.activation(_affine(parameters, jnp.concatenate([left, right], axis=-1)))


@part
class TensorComposition:
    """Adds products of all pairs of numbers in both children (recursive neural tensor network).

    Formula: h_k = φ(aᵀ T_k a + (a W)_k + b_k), a = [h_left, h_right]; of a leaf h = φ(x V + c), or
        h = x
    Choices: activation: φ; leaf_is: ``dense``, or ``vector``, which is as long as there are units;
        kernel: where W and V start; tensor: where T starts; bias: where b and c start, none
        without
    Shapes: children [node, unit] → [node, unit]; T [2 unit, 2 unit, unit], W [2 unit, unit],
        V [feature, unit]
    Watch for: T has 4 unit³ numbers, so units are few: 25 to 35 in the paper, whose leaves are
        vectors.
    Source: Socher et al., Recursive Deep Models for Semantic Compositionality Over a Sentiment
        Treebank, 2013, section 4.3
    Example:
        >>> parameters = TensorComposition().draw(jax.random.key(0), features=3, units=2)
        >>> parameters["tensor_kernel"].shape
        (4, 4, 2)
    """

    activation: Activation = choice(default=Tanh())
    leaf_is: Leaf = choice(default="dense")
    kernel: Initializer = choice(default=Glorot())
    tensor: Initializer = choice(default=Normal(deviation=0.01))
    bias: Initializer | None = choice(default=Zero())

    width, leaf = _width, _leaf

    def draw(self, key: Array, features: int, units: int) -> dict[str, Array]:
        return _drawn_with_tensor(self, key, features, units, side=2 * units)

    def compose(self, parameters: Parameters, left: Array, right: Array) -> Array:
        both = jnp.concatenate([left, right], axis=-1)
        return self.activation(
            _affine(parameters, both) + _products(parameters["tensor_kernel"], both, both)
        )


@part
class BilinearComposition:
    """Adds products of each number in the left child with each in the right one.

    Formula: h_k = φ(h_leftᵀ T_k h_right + ([h_left, h_right] W)_k + b_k); of a leaf
        h = φ(x V + c), or h = x
    Choices: activation: φ; leaf_is: ``dense``, or ``vector``, which is as long as there are units;
        kernel: where W and V start; tensor: where T starts; bias: where b and c start, none
        without
    Shapes: children [node, unit] → [node, unit]; T [unit, unit, unit], W [2 unit, unit],
        V [feature, unit]
    Watch for: a quarter of the numbers of TensorComposition, whose products within one child are
        left out: what remains is how the children relate.
    Source: Socher, Chen, Manning & Ng, Reasoning With Neural Tensor Networks for Knowledge Base
        Completion, 2013, equation 1
    Example:
        >>> parameters = BilinearComposition().draw(jax.random.key(0), features=3, units=2)
        >>> parameters["tensor_kernel"].shape
        (2, 2, 2)
    """

    activation: Activation = choice(default=Tanh())
    leaf_is: Leaf = choice(default="dense")
    kernel: Initializer = choice(default=Glorot())
    tensor: Initializer = choice(default=Normal(deviation=0.01))
    bias: Initializer | None = choice(default=Zero())

    width, leaf = _width, _leaf

    def draw(self, key: Array, features: int, units: int) -> dict[str, Array]:
        return _drawn_with_tensor(self, key, features, units, side=units)

    def compose(self, parameters: Parameters, left: Array, right: Array) -> Array:
        both = jnp.concatenate([left, right], axis=-1)
        return self.activation(
            _affine(parameters, both) + _products(parameters["tensor_kernel"], left, right)
        )
