"""The table of a network: shapes, parameters, neurons and multiply-adds, counted by hand."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.layers import (
    BatchNormalization,
    Convolution,
    Dense,
    Embedding,
    Flatten,
    MaxPooling,
    Residual,
    WeightNormalization,
)
from thalweg.catalogue.networks import MLP, LeNet, Sequential
from thalweg.catalogue.networks.summary import cost, summary


def images(height: int, channels: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((1, height, height, channels), jnp.float32)


def test_a_convolution_of_five_filters() -> None:
    network = Sequential(layers=(Convolution(filters=5), MaxPooling(), Flatten(), Dense(units=2)))
    table = summary(network, images(8, 3))
    rows = [(r.name, r.output, r.parameters, r.neurons, r.multiply_adds) for r in table.layers]
    assert rows == [
        ("convolution_0", (6, 6, 5), 140, 180, 36 * 27 * 5),
        ("max_pooling_0", (3, 3, 5), 0, 0, 0),
        ("flatten_0", (45,), 0, 0, 0),
        ("dense_0", (2,), 92, 2, 90),
    ]
    assert (table.input, table.parameters, table.multiply_adds) == ((8, 8, 3), 232, 4950)


def test_lenet_as_it_was_printed() -> None:
    table = summary(LeNet(outputs=10), images(28, 1))
    assert table.parameters == 61_706
    parameters = {row.name: row.parameters for row in table.layers if row.parameters}
    assert list(parameters.values()) == [156, 2416, 48_120, 10_164, 850]
    assert {r.name: r.multiply_adds for r in table.layers}["convolution_1"] == 100 * 150 * 16


def test_inner_layers_have_rows_and_the_layers_around_them_none() -> None:
    network = Sequential(layers=(Residual(layers=(Dense(units=3), BatchNormalization())),))
    table = summary(network, jax.ShapeDtypeStruct((1, 2), jnp.float32))
    names = [row.name for row in table.layers]
    assert names == [
        "residual_0.dense_0",
        "residual_0.batch_normalization_0",
        "residual_0.projection",
    ]
    assert [row.parameters for row in table.layers] == [9, 6, 6]
    assert table.multiply_adds == 12


def test_a_layer_alone_and_a_wrapped_one() -> None:
    example = jax.ShapeDtypeStruct((1, 4), jnp.float32)
    (row,) = summary(WeightNormalization(layer=Dense(units=3)), example).layers
    assert (row.kind, row.parameters, row.multiply_adds) == ("WeightNormalization", 18, 12)
    (row,) = summary(Embedding(symbols=10, features=2), example).layers
    assert (row.output, row.parameters, row.multiply_adds) == ((4, 2), 20, 0)


def test_neurons_are_those_of_layers_with_weights() -> None:
    table = summary(MLP(hidden=(5, 4), outputs=2), jax.ShapeDtypeStruct((1, 3), jnp.float32))
    assert [row.neurons for row in table.layers] == [5, 0, 4, 0, 2]
    assert table.multiply_adds == 15 + 20 + 8


def test_loops_count_as_often_as_they_run() -> None:
    def looped(x: jax.Array) -> jax.Array:
        return jax.lax.scan(lambda h, _: (h @ h, None), x, length=7)[0]

    found = cost(looped, jax.ShapeDtypeStruct((3, 3), jnp.float32))
    assert (found.multiply_adds, found.largest) == (7 * 27, 9)


def test_native_convolutions_are_counted_like_ours() -> None:
    def native(x: jax.Array, kernel: jax.Array) -> jax.Array:
        dimensions = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "VALID", dimension_numbers=dimensions, feature_group_count=2
        )

    layer = Convolution(filters=4, groups=2)
    variables = jax.eval_shape(layer.init, jax.random.key(0), images(6, 8))

    def ours(variables: Variables, x: jax.Array) -> jax.Array:
        return layer.apply(variables, x, Context("evaluate"))[0]

    counted = cost(native, images(6, 8), variables.parameters["kernel"]).multiply_adds
    assert counted == cost(ours, variables, images(6, 8)).multiply_adds == 16 * 9 * 4 * 4
