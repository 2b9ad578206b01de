"""A convolutional network for sentences beside torch: values and gradients, in double precision."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.catalogue.activations import ReLU
from thalweg.catalogue.context import Context
from thalweg.catalogue.initializers import Normal
from thalweg.catalogue.layers import (
    Activate,
    Convolution,
    Dense,
    Embedding,
    GlobalPooling,
    Parallel,
)
from thalweg.catalogue.networks import Sequential

torch = pytest.importorskip("torch")
functional = torch.nn.functional

SIZES, TOKENS = (2, 3), np.random.default_rng(0).integers(7, size=(4, 6))


def filtered(size: int) -> Sequential:
    """What one size of filters finds anywhere in a sentence."""
    convolution = Convolution(filters=3, size=(size,), kernel=Normal(deviation=0.5))
    layers = (convolution, Activate(function=ReLU()), GlobalPooling(over="max"))
    return Sequential(layers=layers)


NETWORK = Sequential(
    layers=(
        Embedding(symbols=7, features=4),
        Parallel(branches=tuple(filtered(size) for size in SIZES)),
        Dense(units=2),
    )
)


def test_filters_of_several_sizes_read_a_sentence_as_in_torch() -> None:
    """Kim, Convolutional Neural Networks for Sentence Classification, 2014, figure 1."""
    with jax.enable_x64(True):
        variables = NETWORK.init(jax.random.key(0), jnp.asarray(TOKENS))
        w = jnp.cos(jnp.arange(8.0)).reshape(4, 2)

        def weighted(parameters: Any) -> Any:
            own = variables._replace(parameters=parameters)
            y, _ = NETWORK.apply(own, jnp.asarray(TOKENS), Context("train"))
            return (y * w).sum(), y

        slopes, y = jax.jit(jax.grad(weighted, has_aux=True))(variables.parameters)
    theirs = jax.tree.map(
        lambda held: torch.tensor(np.array(held, float), requires_grad=True), variables.parameters
    )
    vectors = theirs["embedding_0"]["kernel"][torch.tensor(TOKENS)]
    found = []
    for number in range(len(SIZES)):
        own = theirs["parallel_0"][f"sequential_{number}"]["convolution_0"]
        # Torch's kernels are [filter, channel, time], and channels come before time.
        maps = functional.conv1d(vectors.mT, own["kernel"].permute(2, 1, 0), own["bias"])
        found.append(torch.relu(maps).amax(dim=-1))
    last = theirs["dense_0"]
    expected = torch.cat(found, dim=-1) @ last["kernel"] + last["bias"]
    np.testing.assert_allclose(y, expected.detach(), rtol=1e-9)
    (expected * torch.tensor(np.array(w))).sum().backward()
    for path, own in jax.tree_util.tree_leaves_with_path(slopes):
        other = theirs
        for step in path:
            other = other[step.key]
        np.testing.assert_allclose(own, other.grad, rtol=1e-9, atol=1e-12)
