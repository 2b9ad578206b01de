"""Curvature against torch, scipy, scikit-learn, dense eigenvalues and finite differences."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.sparse.linalg
from jax.flatten_util import ravel_pytree
from sklearn.linear_model import Ridge

from thalweg import curvature
from thalweg.catalogue.objective import Composite
from thalweg.catalogue.optimizers import GradientDescent, Momentum
from thalweg.errors import SpecError

torch = pytest.importorskip("torch")

DRAWS = np.random.default_rng(20240301)
INPUTS = DRAWS.normal(size=(9, 3))
LABELS = DRAWS.integers(3, size=9)
START = {
    "first": {"kernel": DRAWS.normal(size=(3, 4)), "bias": DRAWS.normal(size=4)},
    "last": {"kernel": DRAWS.normal(size=(4, 3))},
}
STRENGTH = 0.3


def outputs(w: Any) -> Any:
    return jnp.tanh(INPUTS @ w["first"]["kernel"] + w["first"]["bias"]) @ w["last"]["kernel"]


def entropies(w: Any) -> Any:
    return -jax.nn.log_softmax(outputs(w))[jnp.arange(9), LABELS]


OBJECTIVE = Composite(
    lambda w: (outputs(w), None),
    lambda y: -jax.nn.log_softmax(y)[jnp.arange(9), LABELS].mean(),
    lambda w: STRENGTH * (w["last"]["kernel"] ** 2).sum(),
)


def value(w: Any) -> Any:
    return OBJECTIVE(w)[0]


def parameters() -> Any:
    return jax.tree.map(jnp.asarray, START)


def dense(product: Any) -> np.ndarray:
    return np.asarray(curvature.dense(product, parameters()))


def by_torch(flat: Any) -> Any:
    """The objective in torch; parameters in the order of ``ravel_pytree``: bias before kernel."""
    bias, kernel, last = flat[:4], flat[4:16].reshape(3, 4), flat[16:].reshape(4, 3)
    scores = torch.tanh(torch.tensor(INPUTS) @ kernel + bias) @ last
    entropy = torch.nn.functional.cross_entropy(scores, torch.tensor(LABELS))
    return entropy + STRENGTH * (last**2).sum()


def symmetric(eigenvalues: Any) -> np.ndarray:
    """A matrix of these eigenvalues in a random basis."""
    size = len(eigenvalues)
    basis = np.linalg.qr(np.random.default_rng(size).normal(size=(size, size)))[0]
    return basis @ np.diag(eigenvalues) @ basis.T


# ---------------------------------------------------------------------------------------- products


def test_hessian_is_that_of_torch() -> None:
    flat, _ = ravel_pytree(parameters())
    theirs = torch.autograd.functional.hessian(by_torch, torch.tensor(np.asarray(flat)))
    mine = dense(curvature.hessian_product(value, parameters()))
    np.testing.assert_allclose(mine, theirs.numpy(), rtol=1e-10, atol=1e-12)


def test_hessian_is_the_slope_of_the_gradient() -> None:
    flat, unravel = ravel_pytree(parameters())
    gradient = jax.jit(lambda v: ravel_pytree(jax.grad(value)(unravel(v)))[0])
    steps = 1e-5 * np.eye(flat.size)
    columns = [(gradient(flat + step) - gradient(flat - step)) / 2e-5 for step in steps]
    mine = dense(curvature.hessian_product(value, parameters()))
    np.testing.assert_allclose(mine, np.stack(columns, axis=1), atol=1e-8)


def test_products_are_those_of_scipy() -> None:
    at, direction = np.array([-1.2, 1.0, 0.7, 1.3]), np.array([0.3, -1.0, 2.0, 0.1])

    def rosenbrock(w: Any) -> Any:
        return (100 * (w[1:] - w[:-1] ** 2) ** 2 + (1 - w[:-1]) ** 2).sum()

    mine = curvature.hessian_product(rosenbrock, jnp.asarray(at))(jnp.asarray(direction))
    np.testing.assert_allclose(mine, scipy.optimize.rosen_hess_prod(at, direction), rtol=1e-12)
    model = curvature.quadratic_model(rosenbrock, jnp.asarray(at))
    bent = 0.5 * direction @ scipy.optimize.rosen_hess(at) @ direction
    expected = scipy.optimize.rosen(at) + scipy.optimize.rosen_der(at) @ direction + bent
    np.testing.assert_allclose(model(jnp.asarray(direction)), expected, rtol=1e-12)


def jacobian_of(function: Any) -> np.ndarray:
    flat, unravel = ravel_pytree(parameters())
    return np.asarray(jax.jacobian(lambda v: function(unravel(v)))(flat))


def test_gauss_newton_is_made_of_jacobians() -> None:
    jacobian = jacobian_of(outputs).reshape(9, 3, -1)
    p = np.asarray(jax.nn.softmax(outputs(parameters())))
    expected = sum(
        j.T @ (np.diag(q) - np.outer(q, q)) @ j / 9 for j, q in zip(jacobian, p, strict=True)
    )
    expected[16:, 16:] += 2 * STRENGTH * np.eye(12)
    mine = dense(curvature.gauss_newton_product(OBJECTIVE, parameters()))
    np.testing.assert_allclose(mine, expected, rtol=1e-10, atol=1e-13)
    assert np.linalg.eigvalsh(mine).min() > -1e-12
    assert np.abs(mine - dense(curvature.hessian_product(value, parameters()))).max() > 1e-2


def scores_of(likelihood: str) -> list[tuple[Any, Any]]:
    """Pairs of p(y | row) and log p(y | row) for every y, as functions of outputs [row, output]."""
    if likelihood == "categorical":
        return [
            (
                jax.nn.softmax(outputs(parameters()))[:, k],
                lambda y, k=k: jax.nn.log_softmax(y)[:, k],
            )
            for k in range(3)
        ]
    p = jax.nn.sigmoid(outputs(parameters()))[:, 0]
    return [
        (p, lambda y: jax.nn.log_sigmoid(y)[:, 0]),
        (1 - p, lambda y: jax.nn.log_sigmoid(-y)[:, 0]),
    ]


@pytest.mark.parametrize("likelihood", ["categorical", "bernoulli"])
def test_fisher_is_the_covariance_of_scores_drawn_from_the_model(likelihood: Any) -> None:
    expected = 0
    for p, log in scores_of(likelihood):
        scores = jacobian_of(lambda w, log=log: log(outputs(w)))
        expected = expected + np.einsum("r,ri,rj->ij", p, scores, scores) / 9

    def logits(w: Any) -> Any:
        return outputs(w) if likelihood == "categorical" else outputs(w)[:, :1]

    mine = dense(curvature.fisher_product(logits, parameters(), likelihood))
    np.testing.assert_allclose(mine, expected, rtol=1e-9, atol=1e-13)


def test_fisher_of_normal_outputs() -> None:
    jacobian = jacobian_of(outputs).reshape(27, -1)
    mine = dense(curvature.fisher_product(outputs, parameters(), "normal"))
    np.testing.assert_allclose(mine, jacobian.T @ jacobian / 9, rtol=1e-10, atol=1e-13)


def test_empirical_fisher_is_of_the_observed_scores() -> None:
    slopes = jacobian_of(entropies)
    mine = dense(curvature.empirical_fisher_product(entropies, parameters()))
    np.testing.assert_allclose(mine, slopes.T @ slopes / 9, rtol=1e-10, atol=1e-13)
    model = dense(curvature.fisher_product(outputs, parameters(), "categorical"))
    assert np.abs(mine - model).max() > 1e-2


def test_a_matrix_that_does_not_fit_is_refused() -> None:
    shapes = {"kernel": jax.ShapeDtypeStruct((1000, 999), np.float32), "bias": np.zeros(1000, "f4")}
    with pytest.raises(
        SpecError, match=r"Newton on 1,000,000 parameters would take 4 TB for each matrix"
    ):
        curvature.require_room(shapes, "Newton")
    with pytest.raises(SpecError, match=r"6\.27 kB for .* at most 6 kB"):
        curvature.dense(lambda v: v, parameters(), largest=6000)
    assert curvature.dense(lambda v: v, parameters(), largest=6272).shape == (28, 28)


# ------------------------------------------------------------------------------------- eigenvalues


def product_with(matrix: np.ndarray) -> Any:
    return lambda v: jnp.asarray(matrix) @ v


@pytest.mark.parametrize(
    "eigenvalues",
    [np.linspace(-3, 8, 30), np.repeat([-1.0, 0.0, 2.0], 10), np.logspace(-6, 3, 30), np.zeros(4)],
    ids=["even", "repeated", "decades", "zero"],
)
def test_all_eigenvalues_with_as_many_steps(eigenvalues: np.ndarray) -> None:
    matrix, key = symmetric(eigenvalues), jax.random.key(0)
    found = curvature.spectrum(product_with(matrix), jnp.zeros(len(matrix)), key, 100)
    scale = 1e-12 * np.abs(eigenvalues).max() + 1e-14
    np.testing.assert_allclose(found.values[0], np.linalg.eigvalsh(matrix), atol=10 * scale)
    assert np.abs(found.errors).max() <= 100 * scale
    np.testing.assert_allclose(found.weights.sum(), 1, rtol=1e-12)


def test_extremes_are_those_of_scipy() -> None:
    matrix = symmetric(np.concatenate([[-5.0, 20.0], np.random.default_rng(0).normal(size=398)]))
    smallest, largest = curvature.extreme_eigenvalues(
        product_with(matrix), jnp.zeros(400), jax.random.key(1), 40
    )
    theirs = scipy.sparse.linalg.eigsh(matrix, k=2, which="BE", return_eigenvectors=False)
    np.testing.assert_allclose([smallest, largest], theirs, rtol=1e-8)


def test_errors_are_bounds() -> None:
    true = np.random.default_rng(2).normal(size=200) ** 3
    key = jax.random.key(2)
    found = curvature.spectrum(product_with(symmetric(true)), jnp.zeros(200), key, 12)
    distance = np.abs(np.asarray(found.values)[..., None] - true).min(axis=-1)
    assert (distance <= found.errors + 1e-12).all()
    assert distance.max() > 1e-3  # bounds that matter


def test_extremes_of_a_network_are_those_of_its_matrix() -> None:
    product = curvature.hessian_product(value, parameters())
    found = curvature.extreme_eigenvalues(product, parameters(), jax.random.key(0), 28)
    theirs = np.linalg.eigvalsh(dense(product))
    np.testing.assert_allclose(found, theirs[[0, -1]], rtol=1e-9)
    np.testing.assert_allclose(
        curvature.condition_number(jnp.asarray(theirs)), np.linalg.cond(dense(product)), rtol=1e-6
    )


def test_density_integrates_functions_of_the_matrix() -> None:
    true = np.linspace(0.1, 3, 100)
    found = curvature.spectrum(
        product_with(symmetric(true)), jnp.zeros(100), jax.random.key(3), 20, probes=60
    )
    estimate = (found.weights * jnp.exp(found.values)).sum(axis=1).mean()
    np.testing.assert_allclose(estimate, np.exp(true).mean(), rtol=0.03)


def test_trace_is_within_its_error() -> None:
    matrix = symmetric(np.linspace(-3, 8, 30))
    found = curvature.trace(product_with(matrix), jnp.zeros(30), jax.random.key(0), 400)
    assert abs(found.mean - np.trace(matrix)) < 4 * found.standard_error
    # The variance of one probe is twice the sum of squares off the diagonal.
    off = (matrix**2).sum() - (np.diag(matrix) ** 2).sum()
    np.testing.assert_allclose(found.standard_error, np.sqrt(2 * off / 400), rtol=0.15)
    diagonal = curvature.trace(lambda v: 3 * v, jnp.zeros(5), jax.random.key(0), 1)
    assert float(diagonal.mean) == 15
    assert np.isnan(diagonal.standard_error)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_steps_are_stable_up_to_the_largest(momentum: float) -> None:
    eigenvalues = jnp.array([0.5, 2.0, 10.0])
    limit = float(curvature.largest_stable_step(10.0, momentum))

    def objective(w: Any) -> Any:
        return 0.5 * (eigenvalues * w * w).sum(), None

    @jax.jit
    def after_many_steps(rule: Any) -> Any:
        def advance(count: Any, held: Any) -> Any:
            return rule.step(objective, *held, count)[:2]

        w = jnp.ones(3)
        return jax.lax.fori_loop(1, 1001, advance, (w, rule.start(w)))[0]

    def reached(rate: float) -> float:
        rule: Any = GradientDescent(learning_rate=rate)
        if momentum:
            rule = Momentum(learning_rate=rate, momentum=momentum)
        return float(jnp.abs(after_many_steps(rule)).max())

    assert reached(0.98 * limit) < 1e-3
    assert reached(1.02 * limit) > 1e3


# --------------------------------------------------------------------------------------- shrinkage


def test_penalized_minimum_is_ridge_regression() -> None:
    x, y, strength = DRAWS.normal(size=(40, 5)), DRAWS.normal(size=40), 7.0
    hessian, plain = x.T @ x, np.linalg.lstsq(x, y)[0]
    found = curvature.penalized_minimum(jnp.asarray(hessian), jnp.asarray(plain), strength)
    theirs = Ridge(alpha=strength, fit_intercept=False, solver="svd").fit(x, y).coef_
    np.testing.assert_allclose(found, theirs, rtol=1e-10)
    eigenvalues, basis = np.linalg.eigh(hessian)
    shares = (basis.T @ theirs) / (basis.T @ plain)
    np.testing.assert_allclose(
        curvature.kept(jnp.asarray(eigenvalues), strength), shares, rtol=1e-9
    )


def test_shares_that_are_kept_of_two_standardized_columns() -> None:
    eigenvalues = jnp.array([0.940150, 11.059850])
    for strength, expected in ((1, [0.4846, 0.9171]), (100, [0.0093, 0.0996])):
        np.testing.assert_allclose(curvature.kept(eigenvalues, strength), expected, atol=5e-5)
    # Two standardized columns have the eigenvectors (1, ±1) / √2; the larger is along (1, 1).
    basis = np.array([[1, 1], [-1, 1]]) / np.sqrt(2)
    hessian = jnp.asarray(basis @ np.diag(eigenvalues) @ basis.T)
    shrunk = curvature.penalized_minimum(hessian, jnp.array([38.188, 19.149]), 1.0)
    np.testing.assert_allclose(shrunk, [30.904, 21.678], atol=2e-3)


# ------------------------------------------------------------------------------ conjugate gradients


def test_conjugate_gradients_take_the_steps_of_scipy() -> None:
    matrix, right = symmetric(np.linspace(1, 50, 12)), DRAWS.normal(size=12)
    theirs: list[np.ndarray] = []
    scipy.sparse.linalg.cg(
        matrix, right, rtol=1e-14, maxiter=12, callback=lambda x: theirs.append(x.copy())
    )
    path = curvature.conjugate_directions(product_with(matrix), jnp.asarray(right), len(theirs))
    np.testing.assert_allclose(path.points, theirs, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(path.points[-1], np.linalg.solve(matrix, right), rtol=1e-8)


def test_directions_are_conjugate_and_residuals_orthogonal() -> None:
    matrix, right = symmetric(np.linspace(1, 50, 12)), DRAWS.normal(size=12)
    path = curvature.conjugate_directions(product_with(matrix), jnp.asarray(right), 12)
    for square in (
        np.asarray(curvature.conjugacy(path.directions, product_with(matrix))),
        np.asarray(path.residuals[:-1] @ path.residuals[:-1].T),
    ):
        sizes = np.sqrt(np.diag(square))
        assert np.abs(square / np.outer(sizes, sizes) - np.eye(len(square))).max() < 1e-6
    steepest = np.asarray(curvature.conjugacy(path.residuals[:2], product_with(matrix)))
    assert abs(steepest[0, 1]) > 1e-3 * steepest[0, 0]  # gradients are not


def test_as_many_steps_as_distinct_eigenvalues() -> None:
    matrix, right = symmetric(np.repeat([1.0, 5.0, 9.0], 6)), jnp.asarray(DRAWS.normal(size=18))
    path = curvature.conjugate_directions(product_with(matrix), right, 5)
    sizes = np.linalg.norm(path.residuals, axis=1)
    assert sizes[1] > 1e-2
    assert sizes[2:].max() < 1e-12
    assert np.isfinite(path.points).all()


def test_a_truncated_solve_stops() -> None:
    matrix, right = symmetric(np.linspace(1, 50, 12)), jnp.asarray(DRAWS.normal(size=12))
    product = product_with(matrix)
    whole = curvature.truncated_solve(product, right, 100, 1e-10)
    np.testing.assert_allclose(whole.point, np.linalg.solve(matrix, right), rtol=1e-7)
    assert int(whole.iterations) <= 13
    rough = curvature.truncated_solve(product, right, 100, 0.1)
    assert int(rough.iterations) < int(whole.iterations)
    assert jnp.linalg.norm(right - product(rough.point)) <= 0.1 * jnp.linalg.norm(right)
    assert int(curvature.truncated_solve(product, right, 3, 0.0).iterations) == 3


def test_a_truncated_solve_descends_whatever_the_curvature() -> None:
    for seed in range(20):
        draws = np.random.default_rng(seed)
        matrix, right = symmetric(draws.normal(size=8)), jnp.asarray(draws.normal(size=8))
        solved = curvature.truncated_solve(product_with(matrix), right, 50, 1e-10)
        assert solved.point @ right > 0
        assert not solved.curved
    upside_down = curvature.truncated_solve(lambda v: -v, right, 50, 1e-10)
    assert (upside_down.point == right).all()
