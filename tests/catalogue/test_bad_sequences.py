"""Sequences that hold nothing, or tokens that nobody knows: what networks make of them.

Data are checked before anything is trained; this is for those who call networks themselves.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.catalogue.attention import HeadsAttention
from thalweg.catalogue.cells import RNN
from thalweg.catalogue.context import Context
from thalweg.catalogue.layers import Convolution, Dense, Embedding, GlobalPooling
from thalweg.catalogue.networks import (
    EncoderDecoder,
    RecurrentNetwork,
    Recursive,
    Sequential,
    Transformer,
    TransformerEncoderDecoder,
)

SYMBOLS = 5
ALONE: dict[str, Any] = {"symbols": SYMBOLS, "outputs": 2}
BOTH: dict[str, Any] = {"symbols": SYMBOLS, "outputs": SYMBOLS, "source_time": 3}
WORDS = np.array([[3, 1, 4], [2, 0, -1], [1, -1, -1]])
PAIRS = np.hstack([WORDS, [[0, 2], [0, -1], [0, 4]]])
TREES = np.full((3, 3, 3), -1)
TREES[:, :, 0] = [[3, 1, -1], [2, 0, -1], [4, -1, -1]]
TREES[:2, 2, 1:] = [0, 1]

NETWORKS = {
    **{
        f"recurrent, {returns}": (RecurrentNetwork(hidden=(3,), returns=returns, **ALONE), WORDS)
        for returns in ("last", "mean", "max", "sequence")
    },
    "recurrent, both": (
        RecurrentNetwork(cell=RNN(), hidden=(3, 3), direction="both", **ALONE),
        WORDS,
    ),
    **{
        f"transformer, {returns}": (
            Transformer(width=4, heads=2, blocks=1, returns=returns, **ALONE),
            WORDS,
        )
        for returns in ("mean", "max", "sequence")
    },
    "convolutional": (
        Sequential(
            layers=(
                Embedding(symbols=SYMBOLS, features=3),
                Convolution(filters=2, size=(3,), padding="same"),
                GlobalPooling(),
                Dense(units=2),
            )
        ),
        WORDS,
    ),
    **{
        context: (EncoderDecoder(units=3, context=context, direction="both", **BOTH), PAIRS)
        for context in ("start", "steps", "both", "attention")
    },
    "heads": (
        EncoderDecoder(units=4, context="attention", attention=HeadsAttention(heads=2), **BOTH),
        PAIRS,
    ),
    "both transformers": (TransformerEncoderDecoder(width=4, heads=2, blocks=1, **BOTH), PAIRS),
    "given tree": (Recursive(units=3, features=3, **ALONE), TREES),
    "balanced tree": (Recursive(units=3, features=3, tree="balanced", **ALONE), WORDS),
    "learned tree": (Recursive(units=3, features=3, tree="learned", **ALONE), WORDS),
}


@pytest.mark.parametrize(("network", "x"), NETWORKS.values(), ids=NETWORKS)
def test_a_bad_sequence_leaves_the_others_alone(network: Any, x: np.ndarray) -> None:
    variables = jax.jit(network.init)(jax.random.key(0), jnp.asarray(x))

    def squared(parameters: Any, x: Any) -> Any:
        y, _ = network.apply(variables._replace(parameters=parameters), x, Context("evaluate"))
        return (y**2).sum(), y

    compiled = jax.jit(jax.grad(squared, has_aux=True))
    empty, strange = x.copy(), x.copy()
    empty[1], strange.reshape(3, -1)[1, 0] = -1, SYMBOLS
    (_, whole), (slopes, of_empty), (_, of_strange) = (
        compiled(variables.parameters, jnp.asarray(each)) for each in (x, empty, strange)
    )
    # An empty one has outputs, and gradients are numbers; an unknown token has none, and is seen.
    assert np.isfinite(of_empty).all()
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))
    assert np.isnan(of_strange[1]).any()
    for found in (of_empty, of_strange):
        np.testing.assert_allclose(found[::2], whole[::2], rtol=1e-5, atol=1e-6)
