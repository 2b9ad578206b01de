"""Layers of images work with channels first and batch last; between them nothing is turned."""

from __future__ import annotations

import math
import re
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.layers import (
    Activate,
    AveragePooling,
    BatchNormalization,
    Convolution,
    Dense,
    Flatten,
    MaxPooling,
)
from thalweg.catalogue.networks import Sequential
from thalweg.engine.devices import compiler_options

BATCH, SIDE = 16, 12
# What has to be turned: the inputs, of one channel, and what the dense layer reads.
READ = BATCH * 8 * (SIDE // 4) ** 2

MOVED = re.compile(r"= f32\[([\d,]+)\]\S* (?:copy|transpose)\(")


@pytest.mark.parametrize("between", [(), (BatchNormalization(),)], ids=["plain", "normalized"])
@pytest.mark.parametrize("pooling", [MaxPooling(), AveragePooling()], ids=["max", "average"])
def test_no_activation_is_moved_between_layers(between: tuple[Any, ...], pooling: Any) -> None:
    layers: list[Any] = []
    for filters in (16, 8):
        convolution = Convolution(filters=filters, padding="same")
        layers += [convolution, *between, Activate(), pooling]
    network = Sequential(layers=(*layers, Flatten(), Dense(units=10)))
    x = jnp.zeros((BATCH, SIDE, SIDE, 1))
    variables = network.init(jax.random.key(0), x)

    def loss(parameters: Any, x: Any) -> Any:
        y, _ = network.apply(Variables(parameters, variables.state), x, Context("train"))
        return (y**2).sum()

    compiled = jax.jit(jax.grad(loss), compiler_options=compiler_options())
    text = compiled.lower(variables.parameters, x).compile().as_text()
    sizes = [math.prod(map(int, shape.split(","))) for shape in MOVED.findall(text)]
    assert sizes
    assert max(sizes) <= max(READ, BATCH * SIDE**2)
