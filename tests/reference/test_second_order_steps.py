"""Each of 200 steps of second-order optimizers, with derivatives by torch and algebra by NumPy.

The objective is three problems at once: Rosenbrock's valley, a quadratic whose curvatures span four
decades, and a small network on squared errors. What cannot be compared otherwise:

- Each step is judged from the point where it begins. Whole paths part after some dozens of steps:
  solving with nearly singular matrices multiplies rounding, and ours is not that of another.
- Optimizers with a line search are compared in their directions, which are ours up to the length
  that the search found; the length is held to the conditions that the search is named after. Those
  of scipy (BFGS, CG) and torch (L-BFGS) interpolate with cubics where ours halves, and both stop at
  any of the many lengths that fulfil the same conditions: their paths differ from the first step.
- scipy starts BFGS with I and Polak-Ribière again where β < 0, as ours does; ours scales I by the
  first pair, as Nocedal & Wright print (6.20).
- L-BFGS without a search is compared with torch, path by path, in ``test_second_order``; there is
  no path of 200 such steps to compare, as it has ended after a dozen.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.catalogue.line_searches import ExactSearch, WolfeSearch
from thalweg.catalogue.objective import Composite
from thalweg.catalogue.optimizers import (
    BFGS,
    LBFGS,
    GaussNewton,
    HessianFree,
    LevenbergMarquardt,
    Newton,
    NonlinearConjugateGradients,
    SteepestDescent,
)

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")

STEPS = 200
DRAWS = np.random.default_rng(20240303)
ROTATION = np.linalg.qr(DRAWS.normal(size=(6, 6)))[0]
ROOT = np.diag(np.logspace(-1.5, 0.5, 6)) @ ROTATION
INPUTS, VALUES = DRAWS.normal(size=(20, 3)), DRAWS.normal(size=20)
START = np.concatenate([[-1.2, 1.0], DRAWS.normal(size=6), 0.7 * DRAWS.normal(size=21)])


def residuals(w: Any, by: Any) -> Any:
    """What is squared and summed, in JAX or in torch."""
    root, inputs, values = (
        (by.tensor if by is torch else by.asarray)(array) for array in (ROOT, INPUTS, VALUES)
    )
    # The valley is lower by 50, so that no problem is lost beside it.
    valley = by.stack([10 * (w[1] - w[0] ** 2), 1 - w[0]]) / 50**0.5
    hidden = by.tanh(inputs @ w[8:20].reshape(3, 4) + w[20:24])
    missed = (hidden @ w[24:28] + w[28] - values) / 20**0.5
    return by.concatenate([valley, root @ w[2:8], missed])


OBJECTIVE = Composite(lambda w: (residuals(w, jnp), None), lambda r: (r**2).sum())


class Known(NamedTuple):
    """What torch says at some points: values, gradients, Hessians, and Jacobians of residuals."""

    value: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray
    jacobian: np.ndarray


def value(w: Any) -> Any:
    return (residuals(w, torch) ** 2).sum()


def known(points: np.ndarray) -> Known:
    func, at = torch.func, torch.tensor(points)
    wanted = (
        value,
        func.grad(value),
        func.hessian(value),
        func.jacfwd(lambda w: residuals(w, torch)),
    )
    return Known(*(func.vmap(f)(at).numpy() for f in wanted))


@cache
def path(rule: Any) -> np.ndarray:
    """Our points, the start first."""

    @jax.jit
    def run(rule: Any, w: Any) -> Any:
        def advance(held: Any, count: Any) -> Any:
            step = rule.step(OBJECTIVE, *held, count)
            return (step.parameters, step.state), step.parameters

        return jax.lax.scan(advance, (w, rule.start(w)), jnp.arange(1, STEPS + 1))[1]

    return np.vstack([START, run(rule, jnp.asarray(START))])


def close(actual: Any, expected: Any) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9)


# ------------------------------------------------------------------------- with matrices, no search


@pytest.mark.parametrize(
    ("rule", "matrix"),
    [
        (Newton(learning_rate=0.3, damping=0.5), lambda at, t: at.hessian[t]),
        (
            GaussNewton(learning_rate=0.3, damping=0.02),
            lambda at, t: 2 * at.jacobian[t].T @ at.jacobian[t],
        ),
    ],
    ids=["Newton", "GaussNewton"],
)
def test_jumps_are_solutions_of_the_dense_system(rule: Any, matrix: Any) -> None:
    points = path(rule)
    at = known(points)
    for t in range(STEPS):
        shifted = matrix(at, t) + rule.damping * np.eye(len(START))
        close(points[t + 1], points[t] - 0.3 * np.linalg.solve(shifted, at.gradient[t]))
    assert at.value[-1] < 0.2 * at.value[0]


def conjugate_gradients(matrix: np.ndarray, right: np.ndarray, most: int, tolerance: float) -> Any:
    x, left, direction = np.zeros_like(right), right, right
    for count in range(most):
        if left @ left <= tolerance**2 * (right @ right):
            break
        bent = matrix @ direction
        if direction @ bent <= 0:
            return right if count == 0 else x
        x = x + (left @ left) / (direction @ bent) * direction
        following = left - (left @ left) / (direction @ bent) * bent
        direction = following + (following @ following) / (left @ left) * direction
        left = following
    return x


@pytest.mark.parametrize(
    "rule",
    [
        LevenbergMarquardt(damping=0.1, factor=2.0),
        LevenbergMarquardt(damping=5.0, factor=2.0, scaling="diagonal"),
        HessianFree(damping=0.1, factor=2.0, tolerance=0.1, iterations=8),
        HessianFree(damping=0.1, factor=2.0, tolerance=0.1, iterations=8, curvature="hessian"),
    ],
    ids=repr,
)
def test_damped_steps_are_those_printed(rule: Any) -> None:
    points = path(rule)
    at, damping, taken = known(points), float(rule.damping), 0
    for t in range(STEPS):
        g = at.gradient[t]
        gauss = 2 * at.jacobian[t].T @ at.jacobian[t]
        if isinstance(rule, LevenbergMarquardt):
            matrix = gauss
            diagonal, least = np.diag(gauss), np.finfo(float).eps * np.diag(gauss).max()
            scale = np.maximum(diagonal, least) if rule.scaling == "diagonal" else np.ones(len(g))
            d = -np.linalg.solve(gauss + damping * np.diag(scale), g)
            # Where a unit saturates, its weights hardly count, and rounding is most of the answer.
            if np.linalg.cond(gauss + damping * np.diag(scale)) > 1e8:
                break
        else:
            matrix = at.hessian[t] if rule.curvature == "hessian" else gauss
            d = conjugate_gradients(matrix + damping * np.eye(len(g)), -g, 8, 0.1)
        fell = at.value[t] - float(value(torch.tensor(points[t] + d)))
        if abs(fell) < 1e-11 or damping < 1e-10:  # of which rounding leaves no ratio, and no rank
            break
        ratio = fell / -(g @ d + 0.5 * d @ matrix @ d)
        close(points[t + 1], points[t] + d * (fell > 0))
        damping *= 0.5 if ratio > 0.75 else 2.0 if ratio < 0.25 else 1.0
        taken += 1
    assert taken > 12, taken
    assert at.value[-1] < 0.1 * at.value[0]


# ------------------------------------------------------------------------- directions of a search

Directions = Callable[[np.ndarray, list[np.ndarray], list[np.ndarray]], np.ndarray]


def explained(pairs: list[tuple[np.ndarray, np.ndarray]], size: int, scaled: int) -> np.ndarray:
    """B of BFGS after pairs (s, y), started from I scaled by one of them."""
    s, y = pairs[scaled]
    inverse, identity = (s @ y) / (y @ y) * np.eye(size), np.eye(size)
    for s, y in pairs:
        left = identity - np.outer(s, y) / (y @ s)
        inverse = left @ inverse @ left.T + np.outer(s, s) / (y @ s)
    return inverse


def by_pairs(memory: int | None) -> Directions:
    def direction(g: np.ndarray, steps: list[np.ndarray], changes: list[np.ndarray]) -> Any:
        pairs = list(zip(steps, changes, strict=True))[-(memory or STEPS) :]
        if not pairs:
            return -g
        return -explained(pairs, len(g), -1 if memory else 0) @ g

    return direction


def by_share(share: Callable[[Any, Any, Any], float]) -> Directions:
    """d ← −g + β d₋, told from all steps, which are multiples of the directions."""
    held: list[np.ndarray] = []

    def direction(g: np.ndarray, steps: list[np.ndarray], changes: list[np.ndarray]) -> Any:
        if not steps:
            held.clear()
        found = -g
        if held:
            found = -g + share(g, changes[-1], held[-1]) * held[-1]
        held.append(found if g @ found < 0 else -g)
        return held[-1]

    return direction


SHARES: dict[Any, Any] = {
    "fletcher_reeves": lambda g, y, d: (g @ g) / ((g - y) @ (g - y)),
    "polak_ribiere": lambda g, y, d: max(0, (g @ y) / ((g - y) @ (g - y))),
    "hestenes_stiefel": lambda g, y, d: max(0, (g @ y) / (d @ y)),
}


@pytest.mark.parametrize(
    ("rule", "directions"),
    [
        (SteepestDescent(), lambda g, steps, changes: -g),
        (SteepestDescent(search=WolfeSearch()), lambda g, steps, changes: -g),
        (BFGS(), by_pairs(None)),
        (LBFGS(memory=4), by_pairs(4)),
        *(
            (NonlinearConjugateGradients(beta=beta), by_share(share))
            for beta, share in SHARES.items()
        ),
    ],
    ids=lambda value: repr(value) if hasattr(value, "search") else "",
)
def test_directions_are_those_printed_and_lengths_as_promised(rule: Any, directions: Any) -> None:
    points = path(rule)
    at = known(points)
    steps: list[np.ndarray] = []
    changes: list[np.ndarray] = []
    for t in range(STEPS):
        g, s = at.gradient[t], points[t + 1] - points[t]
        d = directions(g, steps, changes)
        length = (s @ d) / (d @ d)
        close(points[t + 1], points[t] + length * d)
        assert length > 0
        slope, after = g @ d, at.gradient[t + 1] @ d
        if isinstance(rule.search, ExactSearch):
            assert abs(after) <= 1e-7 * abs(slope)
        else:
            rounding = 1e-14 * at.value[t]
            assert at.value[t + 1] <= at.value[t] + 1e-4 * length * slope + rounding
            assert abs(after) <= rule.search.flat * abs(slope) * (1 + 1e-9)
        steps.append(s)
        changes.append(at.gradient[t + 1] - g)
        if np.linalg.norm(at.gradient[t + 1]) < 1e-6:  # below, steps are of rounding
            break
    assert len(steps) > 40
    assert at.value[-1] < 0.3 * at.value[0]
