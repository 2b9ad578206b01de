"""The gradients of every layer and loss of the catalogue, by the graph and by all other ways."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.catalogue.rows import ROWS
from tests.catalogue.test_conformance import SHAPES, outputs_and_targets

from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.layers import SpectralNormalization
from thalweg.explain.backward import backward
from thalweg.explain.checking import checked
from thalweg.explain.graphs import Graph
from thalweg.explain.tracing import graph

MOST_PATHS = 60
TOLERANCE = 1e-8


def stops_gradients(layer: Any) -> bool:
    """Whether gradients are held back on purpose, so that they are not those of differences."""
    return (
        isinstance(layer, SpectralNormalization) or getattr(layer, "truncation", None) is not None
    )


def weighted(values: Any) -> jax.Array:
    """A number that every entry of some arrays has a part in."""
    leaves = [leaf for leaf in jax.tree.leaves(values) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    return sum(
        (jnp.sum(jnp.cos(jnp.arange(leaf.size) + n).reshape(leaf.shape) * leaf))
        for n, leaf in enumerate(leaves)
    )


def carried_out_again(graph: Graph) -> None:
    """Every operation gives its value from its operands, however the graph was changed."""
    with jax.enable_x64(True):
        for value in graph.values:
            if value.operation != "input":
                given = [graph.values[o].value if isinstance(o, int) else o for o in value.operands]
                np.testing.assert_allclose(
                    value.compute(*map(jnp.asarray, given)), value.value, rtol=1e-12, atol=1e-12
                )


def agree(function: Any, *arguments: Any, differences: bool = True) -> None:
    whole = graph(function, *arguments)
    carried_out_again(whole.without_plumbing())
    for check in checked(function, arguments, whole.without_plumbing(), most=MOST_PATHS):
        np.testing.assert_allclose(check.by_backward, check.by_jax, rtol=1e-10, atol=1e-12)
        assert check.largest_difference < TOLERANCE or not differences, check
    # With what only changes shapes, it is the same.
    bare = backward(whole.without_plumbing()).of_inputs()
    for name, gradient in backward(whole).of_inputs().items():
        np.testing.assert_allclose(gradient, bare[name], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("layer", ROWS["layers"], ids=lambda layer: repr(layer)[:60])
def test_layers(layer: Any) -> None:
    with jax.enable_x64(True):
        shape = SHAPES.get(type(layer), (4, 3))
        x = np.resize(np.sin(np.arange(60) * 1.7 + 0.4), shape)
        if getattr(layer, "symbols", None):
            x = np.arange(12).reshape(4, 3) % layer.symbols
        key = jax.random.key(0, impl="rbg")
        drawn = layer.init(key, jnp.asarray(x))

        def ramp(tree: Any, low: float) -> Any:
            return jax.tree.map(lambda w: np.linspace(low, 1, w.size).reshape(w.shape), tree)

        held = Variables(ramp(drawn.parameters, -1), ramp(drawn.state, 0.5))

        def function(parameters: Any, x: Any) -> jax.Array:
            y, _ = layer.apply(Variables(parameters, held.state), x, Context("train", key))
            return weighted(y)

        agree(function, held.parameters, x, differences=not stops_gradients(layer))


@pytest.mark.parametrize("loss", ROWS["losses"], ids=repr)
def test_losses(loss: Any) -> None:
    with jax.enable_x64(True):
        outputs, targets = outputs_and_targets(loss)
        agree(lambda outputs: weighted(loss(outputs, jnp.asarray(targets))), outputs)
