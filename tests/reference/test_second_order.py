"""Second-order optimizers against scipy, torch and what is known of quadratics."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression

from thalweg import curvature
from thalweg.catalogue.clipping import ClipByNorm
from thalweg.catalogue.objective import Composite
from thalweg.catalogue.optimizers import (
    BFGS,
    LBFGS,
    ConjugateGradients,
    GaussNewton,
    HessianFree,
    LevenbergMarquardt,
    Newton,
    NonlinearConjugateGradients,
    SteepestDescent,
)
from thalweg.errors import SpecError

torch = pytest.importorskip("torch")

DRAWS = np.random.default_rng(20240302)
BETAS = ("fletcher_reeves", "polak_ribiere", "hestenes_stiefel")
SEARCHING = [BFGS(), LBFGS(memory=5), *(NonlinearConjugateGradients(beta=b) for b in BETAS)]


def path(rule: Any, objective: Any, start: Any, steps: int) -> tuple[Any, Any]:
    """Parameters after each step, and the values before it."""

    def advance(held: Any, count: Any) -> Any:
        step = rule.step(objective, *held, count)
        return (step.parameters, step.state), (step.parameters, step.value)

    @jax.jit
    def run(rule: Any, w: Any) -> Any:
        return jax.lax.scan(advance, (w, rule.start(w)), jnp.arange(1, steps + 1))[1]

    return jax.tree.map(np.asarray, run(rule, jax.tree.map(jnp.asarray, start)))


def bowl(w: Any) -> Any:
    return w[0] ** 2 + 4 * w[1] ** 2, None


def rosenbrock(w: Any) -> Any:
    return 100 * (w[1] - w[0] ** 2) ** 2 + (1 - w[0]) ** 2, None


# The same function, as the squares that it is a sum of.
RESIDUALS = Composite(
    lambda w: (jnp.stack([10 * (w[1] - w[0] ** 2), 1 - w[0]]), None), lambda y: (y**2).sum()
)
BANANA = np.array([-1.2, 1.0])


def steps_to(rule: Any, objective: Any, steps: int, within: float = 1e-6) -> int:
    """Steps until the minimum of Rosenbrock's function is reached for good."""
    points, _ = path(rule, objective, BANANA, steps)
    far = np.abs(points - 1).max(axis=1) > within
    assert not far[-1], points[-1]
    return int(far.sum())


# -------------------------------------------------------------------------------------- quadratics


def test_on_the_bowl() -> None:
    start = np.array([4.0, 1.0])
    np.testing.assert_allclose(path(Newton(), bowl, start, 1)[0], [[0, 0]], atol=1e-15)
    damped, _ = path(Newton(damping=1), bowl, start, 1)
    np.testing.assert_allclose(damped, [[4 / 3, 1 / 9]], rtol=1e-12)
    conjugate, _ = path(ConjugateGradients(), bowl, start, 2)
    np.testing.assert_allclose(conjugate, [[2.4, -0.6], [0, 0]], atol=1e-14)
    saddle, _ = path(Newton(), lambda w: (w[0] ** 2 - w[1] ** 2, None), start, 1)
    np.testing.assert_allclose(saddle, [[0, 0]], atol=1e-15)
    # Damped by more than the size of the negative eigenvalue, it leaves the saddle.
    away, _ = path(Newton(damping=3), lambda w: (w[0] ** 2 - w[1] ** 2, None), start, 1)
    assert abs(away[0, 1]) > 1
    assert abs(away[0, 0]) < 4


def quadratic(size: int, spread: float) -> tuple[Any, np.ndarray, np.ndarray]:
    """A convex quadratic of a condition number, its matrix and its minimum."""
    basis = np.linalg.qr(DRAWS.normal(size=(size, size)))[0]
    matrix = basis @ np.diag(np.geomspace(1, spread, size)) @ basis.T
    minimum = DRAWS.normal(size=size)

    def objective(w: Any) -> Any:
        return 0.5 * (w - minimum) @ matrix @ (w - minimum), None

    return objective, matrix, minimum


def test_newton_jumps_to_the_minimum_of_any_quadratic() -> None:
    objective, _, minimum = quadratic(12, 1e6)
    points, _ = path(Newton(), objective, np.zeros(12), 1)
    np.testing.assert_allclose(points[0], minimum, rtol=1e-7, atol=1e-8)


def test_conjugate_gradients_end_after_as_many_steps_as_parameters() -> None:
    objective, matrix, minimum = quadratic(12, 50)
    points, _ = path(ConjugateGradients(), objective, np.zeros(12), 16)
    np.testing.assert_allclose(points[11:], np.tile(minimum, (5, 1)), atol=1e-6)
    assert np.abs(points[8] - minimum).max() > 1e-4
    solved = curvature.conjugate_directions(lambda v: matrix @ v, jnp.asarray(matrix @ minimum), 8)
    np.testing.assert_allclose(points[:8], solved.points, rtol=1e-6, atol=1e-8)
    moves = jnp.diff(jnp.asarray(points[:12]), axis=0)
    moves = moves / jnp.linalg.norm(moves, axis=1, keepdims=True)
    products = np.asarray(curvature.conjugacy(moves, lambda v: matrix @ v))
    assert np.abs(products - np.diag(np.diag(products))).max() < 1e-4 * np.abs(products).max()


def test_first_order_zigzags_where_second_order_jumps() -> None:
    zigzag, values = path(SteepestDescent(), bowl, np.array([4.0, 1.0]), 20)
    assert int((values >= 1e-6).sum()) == 17
    turns = np.diff(np.concatenate([[[4.0, 1.0]], zigzag[:6]]), axis=0)
    np.testing.assert_allclose((turns[1:] * turns[:-1]).sum(axis=1), 0, atol=1e-9)
    ravine, _, minimum = quadratic(6, 1e3)
    missed = {
        rule: np.abs(path(rule, ravine, np.zeros(6), steps)[0][-1] - minimum).max()
        for rule, steps in ((Newton(), 1), (ConjugateGradients(), 8), (SteepestDescent(), 200))
    }
    assert missed[Newton()] < 1e-9
    assert missed[ConjugateGradients()] < 1e-6
    assert missed[SteepestDescent()] > 1e-2


@pytest.mark.parametrize("rule", SEARCHING, ids=repr)
def test_searches_end_on_quadratics(rule: Any) -> None:
    objective, _, minimum = quadratic(8, 100)
    points, values = path(rule, objective, np.zeros(8), 150)
    assert (np.diff(values) <= 1e-15).all()
    np.testing.assert_allclose(points[-1], minimum, atol=1e-6)


@pytest.mark.parametrize(
    "rule",
    [
        *SEARCHING,
        Newton(),
        ConjugateGradients(),
        GaussNewton(),
        LevenbergMarquardt(),
        LevenbergMarquardt(scaling="diagonal"),
        HessianFree(),
        HessianFree(curvature="hessian"),
    ],
    ids=repr,
)
def test_a_minimum_is_not_left(rule: Any) -> None:
    points, _ = path(rule, RESIDUALS, np.ones(2), 60)
    np.testing.assert_array_equal(points, np.ones((60, 2)))


@pytest.mark.parametrize("rule", SEARCHING, ids=repr)
def test_a_minimum_is_reached_and_held_in_single_precision(rule: Any) -> None:
    curvatures = jnp.array([1, 10, 100, 1000], jnp.float32)

    # One above its curvature: the last falls are smaller than the rounding of the objective.
    def bowl(w: Any) -> Any:
        return 1 + 0.5 * (curvatures * w * w).sum(), None

    points, _ = path(rule, bowl, np.ones(4, np.float32), 300)
    assert points.dtype == np.float32
    assert np.abs(points[200:]).max() < 1e-5
    inputs, classes = load_breast_cancer(return_X_y=True)
    inputs = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)
    signed = jnp.asarray(np.where(classes == 1, 1, -1)[:, None] * inputs, jnp.float32)

    def logistic(w: Any) -> Any:
        return jnp.logaddexp(0, -(signed @ w)).mean() + 0.005 * (w * w).sum(), None

    points, _ = path(rule, logistic, np.zeros(30, np.float32), 200)
    theirs = LogisticRegression(C=1 / (0.01 * len(inputs)), fit_intercept=False, tol=1e-8)
    expected = theirs.fit(inputs, classes).coef_[0]
    np.testing.assert_allclose(points[150:], np.tile(expected, (50, 1)), atol=1e-5)


def test_bfgs_explains_the_change_of_the_gradient() -> None:
    rule, w = BFGS(), jnp.asarray(BANANA)
    state, step = rule.start(w), jax.jit(lambda *held: rule.step(rosenbrock, *held))
    for count in range(1, 60):
        moved, state, *_ = step(w, state, jnp.asarray(count))
        change = scipy.optimize.rosen_der(np.asarray(moved)) - scipy.optimize.rosen_der(
            np.asarray(w)
        )
        np.testing.assert_allclose(state["inverse"] @ change, moved - w, rtol=1e-6)
        assert np.linalg.eigvalsh(state["inverse"]).min() > 0
        w = moved
        if np.abs(w - 1).max() < 1e-5:
            break
    # Near the minimum it has learned the inverse Hessian.
    exact = np.linalg.inv(scipy.optimize.rosen_hess(np.ones(2)))
    np.testing.assert_allclose(state["inverse"], exact, rtol=0.1)


# ------------------------------------------------------------------------------------------- scipy


@pytest.mark.parametrize(
    ("rule", "objective", "method"),
    [
        (BFGS(), rosenbrock, "BFGS"),
        (LBFGS(), rosenbrock, "L-BFGS-B"),
        *((NonlinearConjugateGradients(beta=beta), rosenbrock, "CG") for beta in BETAS[1:]),
        (HessianFree(curvature="hessian", damping=1e-3), rosenbrock, "Newton-CG"),
        (Newton(), rosenbrock, "Newton-CG"),
    ],
    ids=lambda value: getattr(value, "__name__", None) or str(value)[:60],
)
def test_rosenbrock_takes_as_many_steps_as_in_scipy(rule: Any, objective: Any, method: str) -> None:
    needed = {"jac": scipy.optimize.rosen_der, "tol": 1e-9}
    if method == "Newton-CG":
        needed["hess"] = scipy.optimize.rosen_hess
    theirs = scipy.optimize.minimize(scipy.optimize.rosen, BANANA, method=method, **needed)
    np.testing.assert_allclose(theirs.x, 1, atol=1e-5)
    mine = steps_to(rule, objective, 200)
    assert mine <= 1.5 * theirs.nit + 3, (mine, theirs.nit)


def test_fletcher_reeves_gets_there() -> None:
    assert steps_to(NonlinearConjugateGradients(beta="fletcher_reeves"), rosenbrock, 400) < 300


@pytest.mark.parametrize("scaling", ["identity", "diagonal"])
def test_levenberg_marquardt_fits_the_curve_that_scipy_fits(scaling: Any) -> None:
    x = np.linspace(0, 3, 30)
    y = 2.5 * np.exp(-1.3 * x) + 0.5 + 0.05 * np.random.default_rng(0).normal(size=30)

    def residuals(w: Any) -> Any:
        return w[0] * np.e ** (-w[1] * x) + w[2] - y

    start = np.array([1.0, 0.3, 0.0])
    to_the_end = {"xtol": 1e-14, "ftol": 1e-14, "gtol": 1e-14}
    theirs = scipy.optimize.least_squares(residuals, start, method="lm", **to_the_end)
    objective = Composite(lambda w: (residuals(w), None), lambda r: 0.5 * (r**2).sum())
    points, values = path(LevenbergMarquardt(scaling=scaling), objective, start, 40)
    np.testing.assert_allclose(points[-1], theirs.x, rtol=1e-7)
    np.testing.assert_allclose(values[-1], theirs.cost, rtol=1e-12)
    assert (np.diff(values) <= 0).all()


def test_levenberg_marquardt_and_hessian_free_on_rosenbrock() -> None:
    assert steps_to(LevenbergMarquardt(), RESIDUALS, 100) < 40
    assert steps_to(HessianFree(), RESIDUALS, 200) < 100


def test_the_first_step_of_levenberg_and_of_marquardt() -> None:
    jacobian = np.array([[-20 * BANANA[0], 10.0], [-1.0, 0.0]])
    r = np.array([10 * (BANANA[1] - BANANA[0] ** 2), 1 - BANANA[0]])
    for scaling, scale in (("identity", np.eye(2)), ("diagonal", None)):
        normal = 2 * jacobian.T @ jacobian
        damped = normal + 0.7 * (np.diag(np.diag(normal)) if scale is None else scale)
        rule = LevenbergMarquardt(damping=0.7, scaling=scaling)
        step = rule.step(RESIDUALS, jnp.asarray(BANANA), rule.start(jnp.asarray(BANANA)), 1)
        expected = -np.linalg.solve(damped, 2 * jacobian.T @ r)
        direction = step.quantities["by_parameter"]["direction"]
        np.testing.assert_allclose(direction, expected, rtol=1e-12)
        fell = scipy.optimize.rosen(BANANA) - scipy.optimize.rosen(BANANA + expected)
        promised = (r**2).sum() - ((r + jacobian @ expected) ** 2).sum()
        np.testing.assert_allclose(step.quantities["gain_ratio"], fell / promised, rtol=1e-10)
        taken = BANANA + expected if fell > 0 else BANANA
        np.testing.assert_allclose(step.parameters, taken, rtol=1e-12)


def test_gauss_newton_solves_linear_least_squares_at_once() -> None:
    x, y = DRAWS.normal(size=(30, 4)), DRAWS.normal(size=30)
    objective = Composite(lambda w: (x @ w - y, None), lambda r: (r**2).mean())
    points, _ = path(GaussNewton(damping=0), objective, np.zeros(4), 1)
    np.testing.assert_allclose(points[0], np.linalg.lstsq(x, y)[0], rtol=1e-10)
    ridge, _ = path(GaussNewton(damping=0.2), objective, np.zeros(4), 1)
    expected = np.linalg.solve(x.T @ x + 3 * np.eye(4), x.T @ y)  # 2 / 30 of each, and 0.2
    np.testing.assert_allclose(ridge[0], expected, rtol=1e-10)


# ------------------------------------------------------------------------------------------- torch

X, LABELS = DRAWS.normal(size=(40, 6)), DRAWS.integers(2, size=40) * 2.0 - 1

# Torch leaves out pairs with sᵀy ≤ 1e-10, whatever the scale of the objective; here none are.
SCALE = 1e6


def logistic(w: Any) -> Any:
    return SCALE * (jnp.logaddexp(0, -LABELS * (X @ w)).mean() + 0.01 * (w**2).sum()), None


def by_torch(steps: int, **settings: Any) -> np.ndarray:
    w = torch.nn.Parameter(torch.zeros(6, dtype=torch.float64))
    optimizer = torch.optim.LBFGS(
        [w], max_iter=1, max_eval=10**6, tolerance_grad=0, tolerance_change=0, **settings
    )
    x, labels = torch.tensor(X), torch.tensor(LABELS)

    def closure() -> Any:
        optimizer.zero_grad()
        value = torch.nn.functional.softplus(-labels * (x @ w)).mean() + 0.01 * (w**2).sum()
        (SCALE * value).backward()
        return SCALE * value

    seen = []
    for _ in range(steps):
        optimizer.step(closure)
        seen.append(w.detach().numpy().copy())
    return np.stack(seen)


@pytest.mark.parametrize(("memory", "rate"), [(3, 1.0), (20, 0.5)])
def test_lbfgs_without_search_is_that_of_torch(memory: int, rate: float) -> None:
    rule = LBFGS(memory=memory, learning_rate=rate, search=None)
    points, _ = path(rule, logistic, np.zeros(6), 12)
    np.testing.assert_allclose(
        points, by_torch(12, lr=rate, history_size=memory), rtol=1e-9, atol=1e-12
    )


def test_lbfgs_with_search_ends_where_torch_does() -> None:
    points, _ = path(LBFGS(), logistic, np.zeros(6), 25)
    theirs = by_torch(25, line_search_fn="strong_wolfe")
    np.testing.assert_allclose(points[-1], theirs[-1], rtol=1e-7)


def test_lbfgs_that_remembers_everything_is_bfgs() -> None:
    objective, _, _ = quadratic(4, 10)
    remembered, _ = path(LBFGS(memory=40), objective, np.zeros(4), 6)
    # One pair scales the start of L-BFGS anew, which full BFGS does once: same first two steps.
    np.testing.assert_allclose(
        path(BFGS(), objective, np.zeros(4), 2)[0], remembered[:2], rtol=1e-9
    )


# ---------------------------------------------------------------------------------------- refusals


def test_gauss_newton_needs_to_see_the_outputs() -> None:
    for rule in (GaussNewton(), LevenbergMarquardt(), HessianFree()):
        w = jnp.ones(2)
        with pytest.raises(SpecError, match=f"{type(rule).__name__} must be given a Composite"):
            rule.step(bowl, w, rule.start(w), jnp.asarray(1))


@pytest.mark.parametrize("rule", [Newton(), GaussNewton(), LevenbergMarquardt(), BFGS()], ids=repr)
def test_a_million_parameters_are_refused_before_any_work(rule: Any) -> None:
    shape = jax.ShapeDtypeStruct((1_000_000,), np.float32)
    with pytest.raises(SpecError, match=rf"{type(rule).__name__} on 1,000,000 .* take 4 TB"):
        jax.eval_shape(partial(type(rule).start, rule), shape)


def test_the_gradient_that_a_step_is_made_of_is_clipped() -> None:
    start, clip = jnp.array([4.0, 1.0]), ClipByNorm(limit=1.0).clip
    rule = Newton()
    step = rule.step(bowl, start, rule.start(start), jnp.asarray(1), clip)
    np.testing.assert_allclose(step.parameters, start * (1 - 1 / np.sqrt(128)), rtol=1e-12)
    np.testing.assert_allclose(jnp.linalg.norm(step.gradient), 1, rtol=1e-12)
