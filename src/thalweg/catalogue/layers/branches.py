"""Layers made of branches: a way around some layers, and several ways side by side."""

from __future__ import annotations

from functools import reduce
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.layers.contract import Network
from thalweg.catalogue.layers.convolution import Convolution
from thalweg.catalogue.layers.dense import Dense
from thalweg.catalogue.layers.lengths import lengths_behind
from thalweg.catalogue.layers.sequence import (
    apply_layer,
    apply_sequence,
    filled,
    init_layer,
    init_sequence,
    numbered,
    output_of,
)
from thalweg.catalogue.layers.windows import described
from thalweg.errors import SpecError
from thalweg.part import choice, part

__all__ = ["Parallel", "Residual"]


@part
class Residual:
    """Adds what some layers make of the inputs to the inputs.

    Formula: y = x + F(x), or y = P(x) + F(x) where shapes differ
    Choices: layers: F, one after the other; projection: P, used where shapes differ; where not
        given a linear map without bias, of 1 × 1 windows with F's stride for images
    Shapes: [batch, ...] → those of F
    Watch for: an activation after the sum is a layer of its own, after this one.
    Source: He et al., Deep Residual Learning, 2016, equations 1 and 2
    Example:
        >>> layer = Residual(layers=(Dense(units=2),))
        >>> variables = layer.init(jax.random.key(0), jnp.ones((1, 2)))
        >>> nothing = jax.tree.map(jnp.zeros_like, variables)
        >>> layer.apply(nothing, jnp.array([[1.0, 2.0]]), Context("evaluate"))[0]
        Array([[1., 2.]], dtype=float32)
    """

    layers: tuple[Network, ...] = choice()
    projection: Network | None = choice(default=None)

    def named_layers(self) -> tuple[tuple[str, Any], ...]:
        """Names and layers of F, in order."""
        return numbered(self.layers)

    def init(self, key: Array, example: Any) -> Variables:
        inner = self.named_layers()
        parameters, state = init_sequence(inner, key, example)
        shape = _final(inner, Variables(parameters, state), example)
        if shape != example.shape:
            projection = self._projection(example.shape, shape)
            own = init_layer("projection", projection, key, example)
            found = output_of("projection", projection, own, example)
            if found.shape != shape:
                raise SpecError(
                    f"Residual.projection must give {described(shape)} as its layers do, "
                    f"got {described(found.shape)}"
                )
            parameters |= filled({"projection": own.parameters})
            state |= filled({"projection": own.state})
        return Variables(parameters, state)

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        y, state = apply_sequence(self.named_layers(), variables, x, context)
        if y.shape != x.shape:
            projection = self._projection(x.shape, y.shape)
            x, own = apply_layer("projection", projection, variables, x, context)
            state |= filled({"projection": own})
        return x + y, state

    def lengths_after(self, lengths: Array) -> Array:
        """How many steps count of what is given out, where so many count of what goes in."""
        return lengths_behind(self.layers, lengths)

    def _projection(self, before: tuple[int, ...], after: tuple[int, ...]) -> Any:
        """What brings inputs of one shape to another."""
        if self.projection is not None:
            return self.projection
        if len(before) == len(after) == 2:
            return Dense(units=after[-1], bias=None)
        axes = len(before) - 2
        strides = {-(-n // m) for n, m in zip(before[1:-1], after[1:-1], strict=False)}
        if len(before) != len(after) or axes not in (1, 2) or len(strides) != 1:
            raise SpecError(
                f"Residual has no projection from {described(before)} to {described(after)}; "
                'give it one, or layers that keep the shape (padding = "same")'
            )
        (stride,) = strides
        return Convolution(filters=after[-1], size=(1,) * axes, stride=stride, bias=None)


def _final(layers: Any, variables: Variables, example: Any) -> tuple[int, ...]:
    """The shape that layers make of an example."""

    def evaluate(variables: Variables, x: Array) -> Array:
        return apply_sequence(layers, variables, x, Context("evaluate"))[0]

    return jax.eval_shape(evaluate, variables, example).shape


@part
class Parallel:
    """Runs several networks on the same inputs and joins what they make.

    Formula: y = [F_1(x), F_2(x), ...] along channels, or y = F_1(x) + F_2(x) + ...
    Choices: branches: F, layers or networks; an empty Sequential is the identity; join:
        ``concatenate`` or ``add``
    Shapes: [batch, ...] → those of the branches, their channels one after the other or added
    Watch for: branches must agree in all axes, channels apart where they are concatenated.
    Source: Szegedy et al., Going Deeper with Convolutions, 2015, section 4
    Example:
        >>> layer = Parallel(branches=(Dense(units=2), Dense(units=3)))
        >>> variables = layer.init(jax.random.key(0), jnp.ones((1, 4)))
        >>> layer.apply(variables, jnp.ones((5, 4)), Context("evaluate"))[0].shape
        (5, 5)
    """

    branches: tuple[Network, ...] = choice()
    join: Literal["concatenate", "add"] = choice(default="concatenate")

    def check(self) -> None:
        if not self.branches:
            raise SpecError("Parallel.branches must hold at least one network, got none")

    def named_layers(self) -> tuple[tuple[str, Any], ...]:
        """Names and branches, in order."""
        return numbered(self.branches)

    def init(self, key: Array, example: Any) -> Variables:
        parameters, state, shapes = {}, {}, []
        for name, branch in self.named_layers():
            own = init_layer(name, branch, key, example)
            parameters[name], state[name] = own
            shapes.append(output_of(name, branch, own, example).shape)
        kept = {shape[:-1] if self.join == "concatenate" else shape for shape in shapes}
        if len(kept) > 1:
            found = ", ".join(map(described, shapes))
            raise SpecError(f"Parallel.branches must agree in the shapes they give, got {found}")
        return Variables(filled(parameters), filled(state))

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        found, state = [], {}
        for name, branch in self.named_layers():
            y, state[name] = apply_layer(name, branch, variables, x, context)
            found.append(y)
        joined = (
            jnp.concatenate(found, -1) if self.join == "concatenate" else reduce(jnp.add, found)
        )
        return joined, filled(state)

    def lengths_after(self, lengths: Array) -> Array:
        """How many steps count of what is given out, where so many count of what goes in."""
        found = [lengths_behind((branch,), lengths) for branch in self.branches]
        return reduce(jnp.minimum, found)
