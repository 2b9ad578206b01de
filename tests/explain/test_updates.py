"""Updates against optax, and that every quantity has its symbol."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from tests.catalogue.rows import ROWS

from thalweg import optimizers
from thalweg.errors import SpecError
from thalweg.explain import update
from thalweg.explain.updates import SYMBOLS, steps_of

GRADIENTS = [np.array([1.0, -2.0]), np.array([0.5, 0.1]), np.array([-0.2, 3.0])]


@pytest.mark.parametrize(
    ("optimizer", "peer"),
    [
        (optimizers.GradientDescent(learning_rate=0.1), optax.sgd(0.1)),
        (optimizers.Momentum(learning_rate=0.1, momentum=0.9), optax.sgd(0.1, 0.9)),
        (optimizers.Adam(learning_rate=0.1), optax.adam(0.1)),
        (optimizers.AdaMax(learning_rate=0.1), optax.adamax(0.1)),
        (optimizers.Lion(learning_rate=0.1), optax.lion(0.1, weight_decay=0)),
    ],
    ids=["sgd", "momentum", "adam", "adamax", "lion"],
)
def test_steps_are_those_of_optax(optimizer: Any, peer: Any) -> None:
    with jax.enable_x64(True):
        at = jnp.array([0.3, -0.4])
        state = peer.init(at)
        for step, gradient in zip(
            steps_of(optimizer, at, gradients=GRADIENTS), GRADIENTS, strict=True
        ):
            change, state = peer.update(jnp.asarray(gradient), state, at)
            at = optax.apply_updates(at, change)
            np.testing.assert_allclose(step.parameters, at, rtol=1e-6, atol=1e-9)
            np.testing.assert_array_equal(step.gradient, gradient)


def test_adam_by_hand() -> None:
    first, second = steps_of(optimizers.Adam(learning_rate=0.01), 0.0, gradients=[1.0, 0.5])
    assert first.quantities["corrected_first_moment"] == pytest.approx(1)
    assert float(first.increment) == pytest.approx(-0.01, rel=1e-6)
    moment = 0.9 * 0.1 + 0.1 * 0.5
    assert second.quantities["first"] == pytest.approx(moment)
    assert second.quantities["corrected_first_moment"] == pytest.approx(moment / (1 - 0.9**2))


def test_newton_reaches_the_bottom_of_a_bowl_in_one_step() -> None:
    (step,) = steps_of(
        optimizers.Newton(), [4.0, 1.0], function=lambda x: x[0] ** 2 + 4 * x[1] ** 2, steps=1
    )
    assert step.value == 20
    np.testing.assert_allclose(step.parameters, [0, 0], atol=1e-12)


def test_every_quantity_of_every_optimizer_has_a_meaning() -> None:
    start = {"bias": np.array([0.5, -1.0]), "kernel": np.array([[0.4, -0.7], [0.3, 0.9]])}
    names = set()
    for optimizer in ROWS["optimizers"]:
        state = optimizer.start(jax.tree.map(jnp.asarray, start))
        for path, _ in jax.tree_util.tree_leaves_with_path(state):
            keys = [key.key for key in path if isinstance(key, jax.tree_util.DictKey)]
            names |= {key for key in keys if key not in (*start, "inner", "others")}
    assert names - set(SYMBOLS) == set()


def test_page_and_data() -> None:
    both = [optimizers.Adam(learning_rate=0.1), optimizers.RMSProp(learning_rate=0.1)]
    made = update(both, gradients=[1, 0.5, -0.2])
    assert [section.heading for section in made.page.sections] == [
        "Rules",
        "Step 1",
        "Step 2",
        "Step 3",
        "All steps",
    ]
    text = made.text(80)
    assert "corrected second moment" in text
    assert max(map(len, text.splitlines())) <= 80
    assert made.data["optimizers"][0]["steps"][0]["parameters"] == pytest.approx(-0.1, rel=1e-6)
    assert "<svg" in made.svg()


def test_refused() -> None:
    with pytest.raises(SpecError, match="give either gradients or a function"):
        update([optimizers.Adam()])
