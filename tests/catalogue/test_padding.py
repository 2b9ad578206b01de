"""A step of padding changes nothing: rows of a padded batch are what they are alone.

Layers are compared with themselves on one whole sequence at a time, where there is no padding; what
convolutions and pooling make of a whole sequence is compared with torch in ``tests/reference``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as some

from thalweg.catalogue.activations import Tanh
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import Normal
from thalweg.catalogue.layers import (
    Activate,
    AveragePooling,
    BatchNormalization,
    Convolution,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalPooling,
    LayerNormalization,
    MaxPooling,
    MultiHeadAttention,
    Parallel,
    Recurrent,
    Repeat,
    Residual,
    RMSNormalization,
    SpectralNormalization,
    TransposedConvolution,
    Upsample,
    WeightNormalization,
)
from thalweg.catalogue.layers.lengths import lengths_behind
from thalweg.catalogue.networks import Sequential

WIDTH = 2


@pytest.fixture(autouse=True, scope="module")
def _double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def convolution(size: int, padding: Any = "valid", **others: Any) -> Convolution:
    return Convolution(
        filters=WIDTH, size=(size,), padding=padding, bias=Normal(deviation=1.0), **others
    )


def pooling(size: int, padding: Any = "valid", stride: int | None = None) -> MaxPooling:
    return MaxPooling(size=(size,), padding=padding, stride=stride)


def transposed(size: int, padding: Any, stride: int = 2) -> TransposedConvolution:
    return TransposedConvolution(
        filters=WIDTH, size=(size,), stride=stride, padding=padding, bias=Normal(deviation=1.0)
    )


SAME = convolution(3, "same")
# Every layer takes and gives WIDTH channels, so that any may stand behind any other.
LAYERS: dict[str, Any] = {
    "valid": convolution(2),
    "valid, strided": convolution(2, stride=2),
    "valid, dilated": convolution(2, dilation=2),
    "same": SAME,
    "same, even": convolution(4, "same"),
    "same, dilated": convolution(3, "same", dilation=2),
    "same, strided": convolution(3, "same", stride=2),
    "same, three": convolution(5, "same", stride=3),
    "same, gaps": convolution(1, "same", stride=2),
    "same, in groups": convolution(4, "same", stride=2, groups=2),
    "number": convolution(3, 1),
    "number, more": convolution(3, 2, stride=2),
    "largest": pooling(2),
    "largest, strided": pooling(3, stride=2),
    "largest, same": pooling(3, "same", 2),
    "largest, same tiles": pooling(2, "same"),
    "largest, number": pooling(3, 1, 1),
    "mean": AveragePooling(size=(2,)),
    "mean, overlapping": AveragePooling(size=(3,), stride=1),
    "upsample": Upsample(),
    "transposed": transposed(4, "same"),
    "transposed, valid": transposed(3, "valid"),
    "transposed, odd": transposed(5, "same", stride=3),
    "transposed, cut": transposed(4, 1),
    "dense": Dense(units=WIDTH, bias=Normal(deviation=1.0)),
    "dropped": Dropout(rate=0.5),
    "tanh": Activate(function=Tanh()),
    "batch": BatchNormalization(bias=Normal(deviation=1.0)),
    "layer": LayerNormalization(over="channels", bias=Normal(deviation=1.0)),
    "root mean square": RMSNormalization(),
    "attention": MultiHeadAttention(heads=1),
    "recurrent": Recurrent(units=1, direction="both"),
    "residual": Residual(layers=(SAME, Activate(function=Tanh()), convolution(3, 1))),
    "residual, strided": Residual(
        layers=(convolution(3, 1, stride=2),), projection=pooling(1, 0, 2)
    ),
    "parallel": Parallel(branches=(SAME, pooling(3, 1, 1)), join="add"),
    "weight": WeightNormalization(layer=convolution(3, 1, stride=2)),
    "spectral": SpectralNormalization(layer=convolution(2, stride=2)),
    "inside": Sequential(layers=(SAME, pooling(2), convolution(2, "same"))),
}

# Every layer once, and what stands in the padding behind the first would be read by the second.
PAIRS = [*zip([*LAYERS][::2], [*LAYERS][1::2], strict=True)]
QUICK = {"xla_backend_optimization_level": 0}

LAST: dict[str, Any] = {
    "mean": (GlobalPooling(over="mean"),),
    "max": (GlobalPooling(over="max"),),
    "recurrent": (Recurrent(units=2, direction="both", returns="last"),),
    "repeated": (
        Recurrent(units=2, returns="last"),
        Repeat(steps=3),
        convolution(2, "same"),
        Recurrent(units=2, direction="both", returns="mean"),
    ),
    "flat": (Recurrent(units=2, returns="last"), Flatten(), Dense(units=2)),
    "repeated inside": (
        Sequential(layers=(GlobalPooling(), Repeat(steps=7))),
        convolution(2, "same"),
        GlobalPooling(),
    ),
}


def check_rows_are_what_they_are_alone(
    layers: tuple[Any, ...], last: tuple[Any, ...], lengths: tuple[int, ...], time: int
) -> None:
    """Outputs and gradients of a padded batch are those of its sequences, one after the other."""
    network = Sequential(layers=(Embedding(symbols=4, features=WIDTH), *layers, *last))
    draws = np.random.default_rng(1)
    tokens = draws.integers(0, 4, (len(lengths), time))
    tokens = np.where(np.arange(time) < np.array(lengths)[:, None], tokens, -1)
    variables = network.init(jax.random.key(0), jnp.zeros((1, time), jnp.int32))
    leaves, structure = jax.tree.flatten(variables.parameters)
    parameters = structure.unflatten([jnp.asarray(draws.normal(size=x.shape)) for x in leaves])
    state = jax.tree.map(lambda x: x + 0.5, variables.state)

    def outputs(parameters: Any, tokens: Any) -> Any:
        return network.apply(Variables(parameters, state), tokens, Context("evaluate"))[0]

    shape = jax.eval_shape(outputs, parameters, tokens).shape
    weights = jnp.asarray(draws.normal(size=shape))

    def weighed(parameters: Any, rows: list[Any]) -> Any:
        made = jnp.concatenate([outputs(parameters, row) for row in rows])
        return (made * weights).sum(), made

    alone = [row[None, :length] for row, length in zip(tokens, lengths, strict=True)]
    gradient = jax.jit(jax.grad(weighed, has_aux=True), compiler_options=QUICK)
    (slopes, made), (expected, wanted) = (gradient(parameters, rows) for rows in ([tokens], alone))
    np.testing.assert_allclose(made, wanted, rtol=1e-10, atol=1e-12)
    jax.tree.map(
        lambda own, other: np.testing.assert_allclose(own, other, rtol=1e-9, atol=1e-10),
        slopes,
        expected,
    )


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=map("; ".join, PAIRS))
def test_rows_are_what_they_are_alone(first: str, second: str) -> None:
    layers = LAYERS[first], Activate(function=Tanh()), LAYERS[second]
    check_rows_are_what_they_are_alone(layers, LAST["max"], (12, 10, 11), 13)


@pytest.mark.parametrize("name", LAST)
def test_ends_are_what_they_are_alone(name: str) -> None:
    check_rows_are_what_they_are_alone((SAME,), LAST[name], (3, 1, 5), 7)


def test_lengths_are_those_of_the_outputs() -> None:
    for name, layer in LAYERS.items():
        for length in range(5, 13):
            variables = layer.init(jax.random.key(0), jnp.zeros((1, length, WIDTH)))
            x = jax.ShapeDtypeStruct((1, length, WIDTH), float)
            apply = partial(layer.apply, context=Context("evaluate"))
            shape = jax.eval_shape(apply, variables, x)[0].shape
            assert lengths_behind((layer,), jnp.array([length])).tolist() == [shape[1]], name
        assert lengths_behind((layer,), jnp.array([0])).tolist() == [0], name


def test_sequences_too_short_for_any_window_give_numbers() -> None:
    layers = (convolution(3), pooling(2), MultiHeadAttention(heads=1), pooling(2))
    network = Sequential(layers=(Embedding(symbols=4, features=WIDTH), *layers, *LAST["mean"]))
    tokens = jnp.array([[2, 1, -1, -1, -1, -1, -1, -1], [1, 2, 3, 0, 2, 1, 3, 1]])
    variables = network.init(jax.random.key(0), tokens)

    def made(parameters: Any) -> Any:
        return network.apply(Variables(parameters, {}), tokens, Context("train"))[0]

    assert made(variables.parameters)[0].tolist() == [0, 0]
    slopes = jax.grad(lambda parameters: made(parameters).sum())(variables.parameters)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes))


def test_what_is_laid_out_in_a_row_holds_no_padding() -> None:
    layers = (Embedding(symbols=4, features=WIDTH), LAYERS["dense"], Flatten())
    network, tokens = Sequential(layers=layers), jnp.array([[2, 1, -1]])
    variables = network.init(jax.random.key(0), tokens)
    row = network.apply(variables, tokens, Context("evaluate"))[0][0]
    assert (row[:4] != 0).all()
    assert (row[4:] == 0).all()


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(
    names=some.lists(some.sampled_from(sorted(LAYERS)), min_size=2, max_size=4),
    last=some.sampled_from(sorted(LAST)),
    lengths=some.lists(some.integers(1, 14), min_size=2, max_size=3),
    more=some.integers(0, 3),
)
def test_any_stack_is_what_it_is_alone(
    names: list[str], last: str, lengths: list[int], more: int
) -> None:
    layers = tuple(LAYERS[name] for name in names)
    for length in lengths:  # alone, every window must fit
        left = jnp.array(length)
        for layer in layers:
            left = lengths_behind((layer,), left)
            assume(left > 0)
    check_rows_are_what_they_are_alone(layers, LAST[last], tuple(lengths), max(lengths) + more)
