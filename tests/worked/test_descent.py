"""Descent on examples small enough to follow by hand: points, lines, bowls and rates.

More of them stand beside the optimizers: in ``tests/reference/test_optimizer_examples.py`` and
``test_second_order.py``.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.engine.laboratory_setup import jobs, recipe

from thalweg.catalogue.curvature import (
    condition_number,
    dense,
    hessian_product,
    largest_stable_step,
)
from thalweg.catalogue.line_searches import ExactSearch
from thalweg.catalogue.losses import SquaredError
from thalweg.catalogue.optimizers import GradientDescent, Momentum, Newton, SteepestDescent
from thalweg.catalogue.preprocessing import Standardize
from thalweg.catalogue.schedules import (
    ExponentialDecay,
    InverseDecay,
    Progress,
    ReduceOnPlateau,
    StepDecay,
)
from thalweg.data import SixPoints
from thalweg.data.sources import Houses, Line5
from thalweg.engine.monitor import Monitor


def path(rule: Any, objective: Any, start: Any, steps: int) -> list[Any]:
    """Points of an optimizer on an objective of one array, the start first."""
    step = jax.jit(
        lambda w, state, count: rule.step(lambda w: (objective(w), None), w, state, count)
    )
    points = [jnp.asarray(start)]
    state = rule.start(points[0])
    for count in range(1, steps + 1):
        taken = step(points[-1], state, count)
        state = taken.state
        points.append(taken.parameters)
    return points


def bowl(w: Any) -> Any:
    return w[0] ** 2 + 4 * w[1] ** 2


def test_a_parabola_has_its_minimum_at_three() -> None:
    def parabola(w: Any) -> Any:
        return ((w - 3) ** 2).sum()

    (_, jumped) = path(Newton(), parabola, np.array([-40.0]), 1)
    assert float(jumped[0]) == pytest.approx(3, abs=1e-12)
    *_, walked = path(GradientDescent(learning_rate=0.1), parabola, np.array([-40.0]), 200)
    assert float(walked[0]) == pytest.approx(3, abs=1e-12)
    assert float(parabola(jumped)) == pytest.approx(0, abs=1e-12)
    assert dense(hessian_product(parabola, jumped), jumped).tolist() == [[2.0]]


# -------------------------------------------------------------------- six points on a line, y = 2x

SIX = SixPoints().load()


def of_line(w: Any, rows: Any = slice(None)) -> Any:
    """The mean squared error of w₀ x + w₁ on some of the six points."""
    x, y = jnp.asarray(SIX.inputs)[rows], jnp.asarray(SIX.targets)[rows]
    return SquaredError()(w[0] * x + w[1], y).mean()


@pytest.mark.parametrize(
    ("size", "updates", "first", "after", "error"),
    [
        (6, 1, (-60.6667, -14), (0.606667, 0.14), 28.0984),
        (2, 3, (-10, -6), (1.421514, 0.345176), 3.7969),
        (1, 6, (-4, -4), (1.794370, 0.491283), 0.1755),
    ],
)
def test_an_epoch_is_as_many_updates_as_there_are_batches(
    size: int, updates: int, first: Any, after: Any, error: float
) -> None:
    (job,) = jobs([recipe(data=SixPoints(), training={"epochs": 1, "batch_size": size})])
    assert job.steps == updates
    rule, w = GradientDescent(learning_rate=0.01), jnp.zeros(2)
    np.testing.assert_allclose(jax.grad(of_line)(w, slice(0, size)), first, atol=5e-5)
    for count, begin in enumerate(range(0, 6, size), 1):
        rows = slice(begin, begin + size)
        w = rule.step(
            lambda w, rows=rows: (of_line(w, rows), None), w, rule.start(w), count
        ).parameters
    np.testing.assert_allclose(w, after, atol=5e-7)
    assert float(of_line(w)) == pytest.approx(error, abs=5e-5)


def test_gradients_of_mini_batches_are_noisy_and_not_biased() -> None:
    """Nor is the gradient the average residual: that is −5.85 here, where the slope is −50.87."""
    w = jnp.array([0.3, 0.1])
    whole = jax.grad(of_line)(w)
    assert float(whole[0]) == pytest.approx(-50.8667, abs=5e-5)
    pairs = np.array(list(combinations(range(6), 2)))
    slopes = jax.vmap(lambda rows: jax.grad(of_line)(w, rows))(pairs)
    np.testing.assert_allclose(slopes.mean(axis=0), whole, rtol=1e-12)
    # Published from 20,000 draws, whose deviation is known to half a per cent.
    assert float(slopes[:, 0].std()) == pytest.approx(25.91, rel=0.01)
    residuals = w[0] * SIX.inputs + w[1] - SIX.targets
    assert float(residuals.mean()) == pytest.approx(-5.85, abs=1e-12)


def test_descent_finds_the_line_through_five_points() -> None:
    line = Line5().load()
    x, y = jnp.asarray(line.inputs, float), jnp.asarray(line.targets, float)

    def error(w: Any) -> Any:
        return SquaredError()(w[0] * x + w[1], y.reshape(x.shape)).mean()

    *_, last = path(GradientDescent(learning_rate=0.028), error, np.zeros(2), 2500)
    np.testing.assert_allclose(last, [0.5, -1.5], atol=1e-8)


# ------------------------------------------------------------------------------- conventions, bowls


def test_the_sign_of_the_velocity_is_a_convention() -> None:
    """v ← βv + ηg, θ ← θ − v, and v ← βv − ηg, θ ← θ + v, are one sequence."""
    rate, momentum = 0.02, 0.9
    points = path(Momentum(learning_rate=rate, momentum=momentum), bowl, [3.0, 1.0], 20)
    w, v = np.array([3.0, 1.0]), np.zeros(2)
    for point in points[1:]:
        v = momentum * v - rate * np.array([2.0, 8.0]) * w
        w = w + v
        np.testing.assert_allclose(point, w, rtol=1e-12)
    np.testing.assert_allclose(w, [-0.826756, -0.145232], atol=5e-7)


def test_exact_searches_zigzag_down_the_bowl() -> None:
    points = path(SteepestDescent(search=ExactSearch(trials=60)), bowl, [4.0, 1.0], 20)
    solved = np.array([float(bowl(w)) < 1e-6 for w in points])
    assert int(solved.argmax()) == 17


# ------------------------------------------------------------------------- houses, raw and standard


def test_raw_columns_allow_tiny_rates_only() -> None:
    """Area and bedrooms differ a thousandfold: rates above 5.08e-7 diverge, none is fast."""
    houses = Houses().load()
    y = jnp.asarray(houses.targets, float)
    fitted = Standardize().fit(houses.inputs)
    conditions = {}
    for name, x in (("raw", houses.inputs), ("standard", np.asarray(fitted.apply(houses.inputs)))):
        columns = jnp.asarray(np.column_stack([x, np.ones(len(x))]) if name == "raw" else x)

        def error(w: Any, columns: Any = columns) -> Any:
            return SquaredError()(columns @ w[:, None], y).mean()

        start = jnp.zeros(columns.shape[1])
        eigenvalues = np.linalg.eigvalsh(dense(hessian_product(error, start), start))
        conditions[name] = float(condition_number(eigenvalues))
        if name == "raw":
            limit = float(largest_stable_step(eigenvalues[-1]))
            assert limit == pytest.approx(5.08e-7, rel=2e-3)
            for share, falls in ((0.99, True), (1.01, False)):
                rule = GradientDescent(learning_rate=share * limit)
                points = path(rule, error, start, 400)
                assert (float(error(points[-1])) < float(error(points[0]))) is falls
    assert conditions["raw"] == pytest.approx(2.8e7, rel=0.02)
    assert conditions["standard"] == pytest.approx(11.8, rel=5e-3)


# -------------------------------------------------------------------------------------------- rates


@pytest.mark.parametrize(
    ("schedule", "steps", "rates"),
    [
        (ExponentialDecay(initial=0.1, rate=0.01), [10], [0.0904837]),
        (InverseDecay(initial=0.1, rate=0.01), [10], [0.0909091]),
        (StepDecay(initial=0.1, factor=0.5, every=5), [4, 5, 10], [0.1, 0.05, 0.025]),
    ],
    ids=repr,
)
def test_printed_rates(schedule: Any, steps: list[int], rates: list[float]) -> None:
    found = [float(schedule.value_at(Progress(step=step))) for step in steps]
    assert found == pytest.approx(rates, abs=5e-8)


def test_a_rate_falls_after_three_epochs_without_improvement() -> None:
    schedule, monitor = ReduceOnPlateau(initial=0.1, factor=0.1, patience=3), Monitor(1, (3,))
    rates = []
    for loss in (1.0, 0.8, 0.9, 0.8, 0.85, 0.7):
        monitor.observe(np.array([loss]))
        reductions = {3: int(monitor.reductions[0, 0])}
        rates.append(float(schedule.value_at(Progress(step=0, reductions=reductions))))
    assert rates == pytest.approx([0.1, 0.1, 0.1, 0.1, 0.01, 0.01])
