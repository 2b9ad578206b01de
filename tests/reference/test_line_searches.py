"""Line searches against closed forms, scipy, optax, and the conditions they are named after."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from thalweg.catalogue.line_searches import Backtracking, ExactSearch, WolfeSearch
from thalweg.catalogue.optimizers import SteepestDescent

optax = pytest.importorskip("optax")

DRAWS = np.random.default_rng(7)
ROTATION = np.linalg.qr(DRAWS.normal(size=(5, 5)))[0]
CURVATURES = ROTATION @ np.diag(np.logspace(-2, 1, 5)) @ ROTATION.T
ORIGIN = DRAWS.normal(size=5)


def quadratic(w: Any) -> Any:
    return 0.5 * w @ CURVATURES @ w


def rosenbrock(w: Any) -> Any:
    return (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2


def descent(search: Any, objective: Any, start: np.ndarray, steps: int) -> np.ndarray:
    """Where steepest descent is after each step, the start first."""

    @jax.jit
    def run(optimizer: Any, begin: Any) -> Any:
        def advance(held: Any, count: Any) -> Any:
            step = optimizer.step(lambda w: (objective(w), None), *held, count)
            return (step.parameters, step.state), step.parameters

        return jax.lax.scan(advance, (begin, optimizer.start(begin)), jnp.arange(1, steps + 1))[1]

    seen = run(SteepestDescent(search=search), jnp.asarray(start))
    return np.vstack([start, seen])


def test_exact_steps_on_a_quadratic_are_those_of_the_closed_form() -> None:
    seen, w = descent(ExactSearch(), quadratic, ORIGIN, 50), ORIGIN
    for found in seen:
        np.testing.assert_allclose(found, w, rtol=1e-9, atol=1e-9)
        g = CURVATURES @ w
        w = w - (g @ g) / (g @ CURVATURES @ g) * g


def test_after_exact_steps_gradients_are_orthogonal() -> None:
    for objective, start in ((quadratic, ORIGIN), (rosenbrock, np.array([-1.2, 1.0]))):
        g = jax.vmap(jax.grad(objective))(jnp.asarray(descent(ExactSearch(), objective, start, 30)))
        lengths = jnp.linalg.norm(g, axis=1)
        cosines = (g[1:] * g[:-1]).sum(axis=1) / (lengths[1:] * lengths[:-1])
        assert np.abs(cosines).max() < 1e-8


@pytest.mark.parametrize("first", [1e-4, 1.0, 300.0])
def test_an_exact_search_finds_what_scipy_finds(first: float) -> None:
    def along(t: Any) -> Any:
        return np.e ** (t - 2) - 3 * t + 0.1 * (t - 1) ** 2

    length = ExactSearch(first=first).step_length(
        along, jnp.asarray(along(0.0)), jax.grad(along)(jnp.asarray(0.0))
    )
    best = minimize_scalar(along, bounds=(0, 10), method="bounded", options={"xatol": 1e-12})
    assert float(length) == pytest.approx(best.x, abs=1e-7)
    assert abs(float(jax.grad(along)(length))) < 1e-11


def test_backtracking_is_that_of_optax() -> None:
    search = Backtracking(longest=1.0, sufficient=0.2, shrink=0.7)
    start = np.array([-1.2, 1.0])
    mine = descent(search, rosenbrock, start, 200)
    transform = optax.chain(
        optax.sgd(1.0),
        optax.scale_by_backtracking_linesearch(
            60, slope_rtol=0.2, decrease_factor=0.7, increase_factor=1e30
        ),
    )

    @jax.jit
    def advance(w: Any, state: Any) -> Any:
        value, grad = jax.value_and_grad(rosenbrock)(w)
        updates, state = transform.update(
            grad, state, w, value=value, grad=grad, value_fn=rosenbrock
        )
        return optax.apply_updates(w, updates), state

    w, state = jnp.asarray(start), transform.init(jnp.asarray(start))
    for found in mine[1:]:
        w, state = advance(w, state)
        np.testing.assert_allclose(found, w, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("condition", ["weak", "strong"])
def test_wolfe_steps_keep_their_conditions(condition: Any) -> None:
    search = WolfeSearch(first=1.0, sufficient=0.1, flat=0.3, condition=condition, trials=60)
    start = np.array([-1.2, 1.0])
    seen = descent(search, rosenbrock, start, 100)
    values, g = map(np.asarray, jax.jit(jax.vmap(jax.value_and_grad(rosenbrock)))(seen))
    slopes, ends = -(g[:-1] ** 2).sum(axis=1), -(g[:-1] * g[1:]).sum(axis=1)
    lengths = np.linalg.norm(np.diff(seen, axis=0), axis=1) / np.sqrt(-slopes)
    assert (values[1:] <= values[:-1] + 0.1 * lengths * slopes + 1e-12).all()
    assert (ends >= 0.3 * slopes - 1e-9).all()
    assert ((ends / -slopes).max() <= 0.3 + 1e-9) == (condition == "strong")


@pytest.mark.parametrize("search", [Backtracking(), ExactSearch(), WolfeSearch()], ids=repr)
def test_no_number_is_no_step(search: Any) -> None:
    def along(t: Any) -> Any:  # ends at t = 0.1
        return -jnp.log(0.1 - t) - 50 * t

    value, slope = jax.value_and_grad(along)(jnp.asarray(0.0))
    length = float(search.step_length(along, value, slope))
    assert 0 < length < 0.1
    assert float(along(jnp.asarray(length))) < float(value)


@pytest.mark.parametrize("search", [Backtracking(), ExactSearch(), WolfeSearch(flat=0.3)], ids=repr)
def test_the_unit_of_the_objective_does_not_matter(search: Any) -> None:
    def along(t: Any, unit: float) -> Any:
        return unit * ((t - 3.0) ** 2 + jnp.cos(t))

    found = []
    for unit in (1.0, 1e-6, 1e6):
        value, slope = jax.value_and_grad(along)(jnp.asarray(0.0), unit)
        found.append(float(search.step_length(lambda t, unit=unit: along(t, unit), value, slope)))
    np.testing.assert_allclose(found, found[0], rtol=1e-9)
