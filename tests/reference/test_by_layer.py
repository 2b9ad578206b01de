"""Two optimizers for two groups of layers, against optax's partition and a loop in PyTorch."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from thalweg.catalogue.clipping import ClipByNorm
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import LBFGS, Adam, ByLayer, GradientDescent, Momentum
from thalweg.catalogue.optimizers.optimizer import as_is
from thalweg.errors import SpecError

NETWORK = MLP(hidden=(4, 3), outputs=2)
X = np.random.default_rng(0).normal(size=(7, 5))
Y = np.random.default_rng(1).normal(size=(7, 2))


def objective(parameters: Any) -> Any:
    outputs, _ = NETWORK.apply(Variables(parameters, {}), jnp.asarray(X), Context("train"))
    return ((outputs - Y) ** 2).mean(), outputs


def start() -> Any:
    return NETWORK.init(jax.random.key(0), jnp.asarray(X)).parameters


def stepped(rule: Any, steps: int, clip: Any = as_is) -> Any:
    w, state = start(), rule.start(start())
    go = jax.jit(lambda w, state, count: rule.step(objective, w, state, count, clip)[:2])
    for count in range(1, steps + 1):
        w, state = go(w, state, count)
    return w


def test_each_group_moves_as_by_optax() -> None:
    rule = ByLayer(
        layers=("dense_0", "dense_2"),
        inner=Adam(learning_rate=0.05),
        others=Momentum(learning_rate=0.1, momentum=0.9),
    )
    with jax.enable_x64(True):
        ours = stepped(rule, 20)
        w = start()
        labels = {"dense_0": "adam", "dense_1": "momentum", "dense_2": "adam"}
        theirs = optax.partition(
            {"adam": optax.adam(0.05), "momentum": optax.sgd(0.1, 0.9)}, labels
        )
        state = theirs.init(w)
        go = jax.jit(lambda w, state: theirs.update(jax.grad(objective, has_aux=True)(w)[0], state))
        for _ in range(20):
            updates, state = go(w, state)
            w = optax.apply_updates(w, updates)
        for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(w), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9)


def test_inner_waits_for_its_turn() -> None:
    rule = ByLayer(layers=("dense_1",), inner=Adam(), every=3, others=GradientDescent())
    before = start()["dense_1"]["kernel"]
    assert (stepped(rule, 2)["dense_1"]["kernel"] == before).all()
    moved = stepped(rule, 3)["dense_1"]["kernel"] - before
    # The first step of Adam is as long as its learning rate, whatever came before it.
    np.testing.assert_allclose(np.abs(moved[moved != 0]), 1e-3, rtol=1e-2)
    assert (stepped(rule, 5)["dense_1"]["kernel"] == stepped(rule, 3)["dense_1"]["kernel"]).all()


def test_gradients_are_clipped_by_group() -> None:
    limit = 1e-3
    both = GradientDescent(learning_rate=1.0)
    rule = ByLayer(layers=("dense_1",), inner=both, others=both)
    parameters = start()
    after = stepped(rule, 1, lambda g: ClipByNorm(limit=limit).clip(g, parameters))
    moved = jax.tree.map(jnp.subtract, after, parameters)
    for group in (moved.pop("dense_1"), moved):
        length = np.sqrt(sum((leaf**2).sum() for leaf in jax.tree.leaves(group)))
        assert length == pytest.approx(limit, rel=1e-3)


def test_a_pass_is_computed_once_for_both() -> None:
    """The compiled step costs little more than one optimizer alone."""

    def flops(rule: Any) -> float:
        step = jax.jit(lambda w, state: rule.step(objective, w, state, 1)[:2])
        costs = step.lower(start(), rule.start(start())).compile().cost_analysis()
        return costs["flops"]

    one = flops(Adam())
    assert flops(ByLayer(layers=("dense_0",))) < 1.2 * one


def test_groups_may_be_moved_in_other_ways() -> None:
    rule = ByLayer(layers=("dense_2",), inner=LBFGS(), others=ByLayer(layers=("dense_0",)))
    assert objective(stepped(rule, 30))[0] < 0.5 * objective(start())[0]


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (("generator",), "must name some of dense_0, dense_1, dense_2, got 'generator'"),
        (("dense_0", "dense_1", "dense_2"), "must name some layers and not all, got all"),
        ((), "must name some layers and not all, got none"),
    ],
)
def test_layers_that_are_not_there_are_refused(layers: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        ByLayer(layers=layers).start(start())
