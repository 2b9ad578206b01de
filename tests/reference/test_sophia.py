"""Sophia against its paper: 200 steps in numpy, and what its estimate of curvature is worth."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.reference.trajectories import (
    ORIGIN,
    Gradient,
    by_loop,
    close,
    lanes_of,
    objective,
    single,
)

from thalweg.catalogue.optimizers import sophia
from thalweg.catalogue.optimizers.sophia import Sophia, directions

RULES = [
    Sophia(learning_rate=0.01, beta1=0.8, beta2=0.9, gamma=0.5, epsilon=1e-3, every=every)
    for every in (1, 3, 10)
] + [Sophia(learning_rate=0.003, weight_decay=0.2)]


@pytest.fixture
def drawn_in_double(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws whose rounding, which no two programs share, is as small as all other rounding."""

    def in_double(parameters: Any, count: Any) -> Any:
        leaves, structure = jax.tree.flatten(parameters)
        key = jax.random.fold_in(jax.random.key(1), count)
        return structure.unflatten([jax.random.normal(key, leaf.shape) for leaf in leaves])

    monkeypatch.setattr(sophia, "directions", in_double)


def printed(rule: Sophia) -> Any:
    """Algorithm 3 of the paper, with the estimator of algorithm 1."""
    hessian = jax.jit(jax.hessian(objective))

    def make(gradient: Gradient) -> Any:
        m, h = np.zeros_like(ORIGIN), np.zeros_like(ORIGIN)

        def step(t: int, theta: np.ndarray) -> np.ndarray:
            nonlocal m, h
            m = rule.beta1 * m + (1 - rule.beta1) * gradient(theta)
            if rule.every == 1 or t % rule.every == 1:
                u = np.asarray(sophia.directions(ORIGIN, jnp.asarray(t)))
                estimate = u * (np.asarray(hessian(theta)) @ u)
                h = rule.beta2 * h + (1 - rule.beta2) * estimate
            theta = theta - rule.learning_rate * rule.weight_decay * theta
            quotient = m / np.maximum(rule.gamma * h, rule.epsilon)
            return theta - rule.learning_rate * np.minimum(np.maximum(quotient, -1), 1)

        return step

    return by_loop(make)


@pytest.mark.usefixtures("drawn_in_double")
@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_two_hundred_steps_are_those_of_the_paper(rule: Sophia) -> None:
    expected = printed(rule)()
    # With decay the paper shrinks first, which is the same step from the same point.
    assert np.abs(expected[-1] - ORIGIN).max() > 0.1
    close(single(rule), expected)


@pytest.mark.usefixtures("drawn_in_double")
def test_lanes_are_the_single_runs() -> None:
    lanes, together = lanes_of(RULES[1])
    close(together[0], single(RULES[1]))
    close(together[2], single(lanes[2]))


def test_draws_are_normal_and_estimate_the_diagonal() -> None:
    counts, like = jnp.arange(4000), np.zeros(3)
    drawn = np.asarray(jax.vmap(lambda count: directions(like, count))(counts))
    np.testing.assert_allclose(drawn.mean(axis=0), 0, atol=0.06)
    np.testing.assert_allclose(np.cov(drawn.T), np.eye(3), atol=0.1)
    matrix = np.array([[2.0, 0.5, 0.0], [0.5, -1.0, 0.3], [0.0, 0.3, 4.0]])
    estimate = (drawn * (drawn @ matrix)).mean(axis=0)
    np.testing.assert_allclose(estimate, np.diag(matrix), atol=0.3)
