"""Formulas of arrays: what is printed is what is computed, and what JAX differentiates."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.catalogue.rows import ROWS
from tests.catalogue.test_conformance import SHAPES, outputs_and_targets

from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.layers import BatchNormalization, Dense, Flatten, LayerNormalization
from thalweg.explain.arrays import lines
from thalweg.explain.arrays.lines import Formulas, formulas_of, of_gradient
from thalweg.explain.arrays.pages import agreement
from thalweg.explain.tracing import graph
from thalweg.report.formulas import mathml

KEY = jax.random.key(0, impl="rbg")


def of_layer(layer: Any, shape: tuple[int, ...]) -> tuple[Any, tuple[Any, ...]]:
    """The first array that a layer gives, as a function of parameters and inputs, and those."""
    x = np.resize(np.sin(np.arange(60) * 1.7 + 0.4), shape)
    if getattr(layer, "symbols", None):
        x = np.arange(12).reshape(4, 3) % layer.symbols
    with jax.enable_x64(True):
        drawn = layer.init(KEY, jnp.asarray(x))

    def function(parameters: Any, x: Any) -> jax.Array:
        y = layer.apply(Variables(parameters, drawn.state), x, Context("train", KEY))[0]
        return jax.tree.leaves(y)[0]

    return function, (drawn.parameters, x)


def shown(found: Formulas) -> list[str]:
    forward = [f"{line.name} = {line.term.text}" for line in found.forward]
    return forward + [f"∂{line.name} = {line.term.text}" for line in found.backward]


def agrees(function: Any, given: tuple[Any, ...]) -> Formulas:
    """The lines of a function, which must be those of JAX, and LaTeX that can be shown."""
    made = graph(function, *given)
    output = made.values[made.output].value
    found = formulas_of(made)
    direction = np.cos(np.arange(output.size)).reshape(output.shape)
    points, difference = agreement(found, made, function, given, direction)
    assert points > 0
    assert difference < 1e-11
    for line in (*found.forward, *found.backward):
        mathml(f"{of_gradient(line.name, ()).latex} = {line.term.latex}")
        assert line.term.shape == found.shapes[line.name]
    return found


@pytest.mark.parametrize("layer", ROWS["layers"], ids=lambda layer: repr(layer)[:60])
def test_layers(layer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MOST_LINES", 1000)
    agrees(*of_layer(layer, SHAPES.get(type(layer), (4, 3))))


@pytest.mark.parametrize("loss", ROWS["losses"], ids=repr)
def test_losses(loss: Any) -> None:
    with jax.enable_x64(True):
        outputs, targets = outputs_and_targets(loss)

    def function(outputs: Any) -> jax.Array:
        return loss(outputs, jnp.asarray(targets))

    agrees(function, (outputs,))


def test_a_dense_layer() -> None:
    assert shown(agrees(*of_layer(Dense(units=3), (4, 2)))) == [
        "v1 = x W",
        "y = v₁ + b",
        "∂v1 = ∂L/∂y",
        "∂x = ∂L/∂v₁ Wᵀ",
        "∂W = xᵀ ∂L/∂v₁",
        "∂b = Σᵢ ∂L/∂y",
    ]


def test_normalization() -> None:
    found = shown(agrees(*of_layer(BatchNormalization(), (4, 3))))
    assert found[:3] == ["v1 = Σᵢ x", "v2 = v₁ / 4", "v3 = xᵀ − v₂ 𝟏ᵀ"]
    assert "∂v3 = ∂L/∂v₄ ⊙ 2 · v₃ + ∂L/∂v₁₀ ⊙ v₉ 𝟏ᵀ" in found
    assert "v2 = (v₁ as 4×1) / 3" in shown(agrees(*of_layer(LayerNormalization(), (4, 3))))


def test_a_number_and_its_parts() -> None:
    found = agrees(lambda w, x: jnp.sum((x @ w) ** 2), (np.ones((2, 3)), np.ones((4, 2))))
    assert shown(found) == [
        "v1 = x w",
        "v2 = v₁²",
        "L = Σᵢⱼ v₂",
        "∂v2 = 1",
        "∂v1 = ∂L/∂v₂ ⊙ 2 · v₁",
        "∂x = ∂L/∂v₁ wᵀ",
        "∂w = xᵀ ∂L/∂v₁",
    ]


def test_what_changes_nothing_is_a_line_too() -> None:
    assert shown(agrees(*of_layer(Flatten(), (4, 3)))) == ["y = x", "∂x = ∂L/∂y"]


def test_symbols_that_stand_for_others_are_not_taken() -> None:
    found = agrees(lambda v1, y, L: v1 * y + L, (np.ones(2), np.ones(2), np.ones(2)))
    assert list(found.letters.values()) == ["v1′", "y′", "L′"]


def test_points_without_a_gradient_are_passed_over() -> None:
    def function(x: Any) -> jax.Array:
        return jnp.sqrt(x) * 2

    made = graph(function, np.ones(1))
    points, difference = agreement(formulas_of(made), made, function, (np.ones(1),), np.ones(1))
    assert 0 < points < 20
    assert difference < 1e-14


def test_a_wrong_line_is_seen() -> None:
    function, given = of_layer(Dense(units=3), (4, 2))
    made = graph(function, *given)
    found = formulas_of(made)
    last = found.backward[-1]
    wrong = replace(last, term=lines.terms.negative(last.term))
    altered = replace(found, backward=(*found.backward[:-1], wrong))
    assert agreement(altered, made, function, given, np.ones((4, 3)))[1] == pytest.approx(2)
    nowhere = replace(last, term=lines.terms.root(lines.terms.number(np.array(-1.0))))
    altered = replace(found, backward=(*found.backward[:-1], nowhere))
    assert agreement(altered, made, function, given, np.ones((4, 3)))[1] == np.inf
