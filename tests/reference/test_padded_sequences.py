"""Convolution and pooling over padded sequences, against torch on one sequence at a time."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.catalogue.activations import Tanh
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import Normal
from thalweg.catalogue.layers import (
    Activate,
    AveragePooling,
    Convolution,
    GlobalPooling,
    MaxPooling,
)
from thalweg.catalogue.networks import Sequential

torch = pytest.importorskip("torch")
functional = torch.nn.functional

LENGTHS = (17, 9, 12, 10)


def convolution(size: int, padding: Any, stride: int = 1, dilation: int = 1) -> Convolution:
    return Convolution(
        filters=3,
        size=(size,),
        padding=padding,
        stride=stride,
        dilation=dilation,
        bias=Normal(deviation=1.0),
    )


STACKS: dict[str, tuple[Any, ...]] = {
    "same": (convolution(3, "same"), convolution(4, "same", dilation=2)),
    "same, strided": (convolution(3, "same", 2), convolution(4, "same", 3)),
    "number": (convolution(3, 1), convolution(5, 2, 2), convolution(2, 1, dilation=2)),
    "valid": (convolution(3, "valid"), convolution(2, "valid", 2)),
    "largest": (
        convolution(3, 1),
        MaxPooling(size=(3,), stride=2, padding=1),
        MaxPooling(size=(2,)),
        convolution(3, "same"),
    ),
    "mean": (convolution(3, 1), AveragePooling(size=(2,)), convolution(3, 1, 2)),
}


def margins(layer: Any, time: int) -> tuple[int, int]:
    """Cells before and behind, for as many outputs as inputs over the stride."""
    if layer.padding != "same":
        each = 0 if layer.padding == "valid" else layer.padding
        return each, each
    extent = (layer.size[0] - 1) * layer.dilation + 1
    added = max((-(-time // layer.stride) - 1) * layer.stride + extent - time, 0)
    return added // 2, added - added // 2


def theirs(layers: tuple[Any, ...], weights: list[Any], x: Any) -> Any:
    """Means over time of what torch makes of one sequence, [1, channel]."""
    left, x = iter(weights), x.T[None]
    for layer in layers:
        if isinstance(layer, MaxPooling):
            padding = 0 if layer.padding == "valid" else layer.padding
            x = functional.max_pool1d(x, layer.size[0], layer.stride, padding)
        elif isinstance(layer, AveragePooling):
            x = functional.avg_pool1d(x, layer.size[0])
        else:
            bias, kernel = next(left), next(left)
            x = functional.pad(x, margins(layer, x.shape[-1]))
            kernel, stride, dilation = kernel.permute(2, 1, 0), layer.stride, layer.dilation
            x = torch.tanh(functional.conv1d(x, kernel, bias, stride=stride, dilation=dilation))
    return x.mean(-1)


@pytest.mark.parametrize("layers", STACKS.values(), ids=STACKS.keys())
def test_outputs_and_gradients_are_those_of_whole_sequences(layers: tuple[Any, ...]) -> None:
    active = [
        one
        for layer in layers
        for one in ((layer, Activate(function=Tanh())) if hasattr(layer, "filters") else (layer,))
    ]
    network = Sequential(layers=(*active, GlobalPooling()))
    draws = np.random.default_rng(0)
    x = draws.normal(size=(len(LENGTHS), 20, 2))  # what stands in the padding is to be of no matter
    weights = draws.normal(size=(len(LENGTHS), 3))
    drawn = network.init(jax.random.key(0), jnp.asarray(x)).parameters
    parameters = jax.tree.map(lambda leaf: jnp.asarray(draws.normal(size=leaf.shape)), drawn)

    def objective(parameters: Any, x: Any) -> Any:
        context = Context("train", lengths=jnp.array(LENGTHS))
        y = network.apply(Variables(parameters, {}), x, context)[0]
        return (y * weights).sum(), y

    (slopes, slope), made = jax.jit(jax.grad(objective, (0, 1), has_aux=True))(parameters, x)
    # Sorted: of each convolution in turn first the bias, then the kernel.
    held = [
        torch.tensor(np.array(leaf), requires_grad=True) for leaf in jax.tree.leaves(parameters)
    ]
    given = torch.tensor(x, requires_grad=True)
    found = torch.cat(
        [theirs(layers, held, row[:n]) for row, n in zip(given, LENGTHS, strict=True)]
    )
    (found * torch.tensor(weights)).sum().backward()
    np.testing.assert_allclose(made, found.detach(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(slope, given.grad, rtol=1e-9, atol=1e-11)
    for own, other in zip(jax.tree.leaves(slopes), held, strict=True):
        np.testing.assert_allclose(own, other.grad, rtol=1e-9, atol=1e-11)
