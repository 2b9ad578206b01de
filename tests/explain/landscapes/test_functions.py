"""Landscapes by name: their minima against SciPy, their points without slope against NumPy."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

from thalweg.errors import SpecError
from thalweg.explain.landscapes import LANDSCAPES, Landscape, critical_points, landscape_of
from thalweg.explain.landscapes.critical import index_of, kind_of, sharpness

WITH_MINIMA = [own for own in LANDSCAPES.values() if own.minima]
SMOOTH = [own for own in LANDSCAPES.values() if own.name not in ("ackley", "rastrigin")]


def plain(landscape: Landscape) -> Callable[[np.ndarray], float]:
    """The function by NumPy alone, from its text."""
    words = {"sigmoid": lambda z: 1 / (1 + np.exp(-z)), "e": np.e, "pi": np.pi}
    words |= {name: getattr(np, name) for name in ("cos", "exp", "sqrt", "tanh")}

    def function(point: np.ndarray) -> float:
        at = dict(zip(landscape.names, point, strict=True))
        return float(eval(landscape.expression, {"__builtins__": {}}, words | at))

    return function


@pytest.mark.parametrize("landscape", WITH_MINIMA, ids=lambda own: own.name)
def test_minima_are_where_scipy_finds_them(landscape: Landscape) -> None:
    function = plain(landscape)
    for minimum in landscape.minima:
        begun = np.array(minimum) + 0.03
        options = {"xatol": 1e-10, "fatol": 1e-15, "maxiter": 2000}
        found = minimize(function, begun, method="Nelder-Mead", options=options)
        np.testing.assert_allclose(found.x, minimum, atol=2e-7)
        assert landscape.lowest == pytest.approx(found.fun, abs=1e-12)
    # And nothing in the window is lower.
    assert landscape.lowest is not None
    assert landscape.grid(101).min() >= landscape.lowest - 1e-12


@pytest.mark.parametrize("landscape", SMOOTH, ids=lambda own: own.name)
def test_points_without_slope(landscape: Landscape) -> None:
    function, found = plain(landscape), critical_points(landscape)
    for minimum in landscape.minima:
        nearest = min(found, key=lambda point: float(np.abs(point.at - minimum).max()))
        np.testing.assert_allclose(nearest.at, minimum, atol=1e-6)
        assert nearest.kind == "minimum"
    for point in found:
        hessian = by_differences(function, point.at)
        eigenvalues = np.linalg.eigvalsh(hessian)
        scale = max(1.0, float(np.abs(eigenvalues).max()))
        np.testing.assert_allclose(point.eigenvalues, eigenvalues, atol=2e-5 * scale)
        if landscape.name != "monkey_saddle":
            assert point.index == int(np.sum(eigenvalues < 0))
        assert point.value == pytest.approx(function(point.at), rel=1e-12, abs=1e-12)


def by_differences(function: Callable[[np.ndarray], float], at: np.ndarray) -> np.ndarray:
    """The Hessian from values alone."""
    width, count = 1e-4, len(at)
    steps = width * np.eye(count)

    def second(i: int, j: int) -> float:
        signs = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
        values = [a * b * function(at + a * steps[i] + b * steps[j]) for a, b in signs]
        return sum(values) / (4 * width**2)

    return np.array([[second(i, j) for j in range(count)] for i in range(count)])


def test_himmelblau_has_nine_points_without_slope() -> None:
    kinds = [point.kind for point in critical_points(LANDSCAPES["himmelblau"])]
    assert sorted(kinds) == ["maximum"] + 4 * ["minimum"] + 4 * ["saddle"]


def test_what_the_hessian_does_not_say() -> None:
    (point,) = critical_points(LANDSCAPES["monkey_saddle"])
    assert (point.kind, point.index) == ("flat point", 0)
    assert kind_of(np.array([-1.0, 1e-9])) == "flat point"
    assert kind_of(np.array([-1.0, 2.0])) == "saddle"
    assert index_of(np.array([-3.0, -1e-12, 2.0])) == 1


def test_sharpness_is_the_largest_eigenvalue() -> None:
    with jax.enable_x64(True):
        matrix = jnp.asarray(np.diag([1.0, 5.0, 100.0, -3.0]))
        found = sharpness(lambda w: w["a"] @ matrix @ w["a"] / 2, {"a": jnp.ones(4)})
    assert found == pytest.approx(100, rel=1e-9)


def test_expressions_are_landscapes_too() -> None:
    ground = landscape_of("(b - 1)**2 + a**4")
    assert ground.names == ("a", "b")
    assert ground.start == (1.0, 1.0)
    with jax.enable_x64(True):
        assert float(ground(jnp.array([2.0, 4.0]))) == 25.0
    assert landscape_of("w**2").names == ("w",)
    assert landscape_of("x").grid(3).tolist() == [-2, 0, 2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rosenbrok", "did you mean 'rosenbrock'"),
        ("nowhere_at_all", "there are bowl, "),
        ("a + b + c", "has 3"),
        ("2 + 2", "has 0"),
        ("x +", "no expression"),
    ],
)
def test_what_is_no_landscape(text: str, said: str) -> None:
    with pytest.raises(SpecError, match=said.replace("+", r"\+")):
        landscape_of(text)


def test_rows_of_a_grid_follow_the_second_coordinate() -> None:
    grid = landscape_of("x + 10*y").grid(3)
    assert grid.tolist() == [[-22, -20, -18], [-2, 0, 2], [18, 20, 22]]
