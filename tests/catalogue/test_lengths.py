"""Padded sequences through layers that make them longer: a step of padding changes nothing."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.catalogue.activations import Tanh
from thalweg.catalogue.cells import GRU
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.layers import (
    Activate,
    Dense,
    Embedding,
    GlobalPooling,
    Recurrent,
    TransposedConvolution,
    Upsample,
)
from thalweg.catalogue.networks import Sequential

LENGTHS = (3, 1, 5)
TOKENS = np.array([[2, 0, 3, -1, -1], [1, -1, -1, -1, -1], [3, 1, 0, 2, 2]])


@pytest.fixture(autouse=True)
def _double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def transposed(size: int, padding: Any, stride: int = 2) -> TransposedConvolution:
    return TransposedConvolution(filters=3, size=(size,), stride=stride, padding=padding)


LONGER: dict[str, tuple[Any, ...]] = {
    "upsample": (Upsample(factor=3),),
    "same": (transposed(4, "same"),),
    "odd": (transposed(5, "same", stride=3),),
    "valid": (transposed(3, "valid"),),
    "cut": (transposed(4, 1),),
    "twice": (transposed(4, "same"), Activate(function=Tanh()), transposed(3, "valid"), Upsample()),
    "inside": (Sequential(layers=(Upsample(), Dense(units=4), transposed(4, "same"))),),
}


LAST = (
    GlobalPooling(over="mean"),
    Recurrent(cell=GRU(), units=3, direction="both", returns="last"),
)


@pytest.mark.parametrize(
    ("layers", "last"), [*zip(LONGER.values(), itertools.cycle(LAST))], ids=LONGER.keys()
)
def test_rows_are_what_they_are_alone(layers: tuple[Any, ...], last: Any) -> None:
    network = Sequential(
        layers=(
            Embedding(symbols=4, features=2),
            *layers,
            Activate(function=Tanh()),
            last,
            Dense(units=2),
        )
    )
    drawn = network.init(jax.random.key(0), jnp.asarray(TOKENS)).parameters
    leaves, structure = jax.tree.flatten(drawn)
    draws = np.random.default_rng(1)  # biases too, which would stand in the padding
    parameters = structure.unflatten([jnp.asarray(draws.normal(size=x.shape)) for x in leaves])

    def outputs(parameters: Any, tokens: Any) -> Any:
        return network.apply(Variables(parameters, {}), tokens, Context("train"))[0]

    def weighed(parameters: Any, rows: list[Any]) -> Any:
        made = jnp.concatenate([outputs(parameters, row) for row in rows])
        return (made * jnp.array([[1.0, 2.0], [3.0, 5.0], [7.0, 11.0]])).sum(), made

    alone = [jnp.asarray(row[None, :length]) for row, length in zip(TOKENS, LENGTHS, strict=True)]
    gradient = jax.grad(weighed, has_aux=True)
    (slopes, made), (expected, wanted) = (
        gradient(parameters, rows) for rows in ([jnp.asarray(TOKENS)], alone)
    )
    np.testing.assert_allclose(made, wanted, rtol=1e-10)
    jax.tree.map(
        lambda own, other: np.testing.assert_allclose(own, other, atol=1e-10), slopes, expected
    )


def test_lengths_are_those_of_the_outputs() -> None:
    for name, (layer, *others) in LONGER.items():
        if others:
            continue
        for length in LENGTHS:
            x = jnp.zeros((1, length, 2))
            variables = layer.init(jax.random.key(0), x)
            time = layer.apply(variables, x, Context("evaluate"))[0].shape[1]
            assert layer.lengths_after(jnp.array([length])).tolist() == [time], name
    assert transposed(3, "valid").lengths_after(jnp.array([0])).tolist() == [0]
