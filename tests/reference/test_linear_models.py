"""Linear models are networks without hidden layers: exact optima of others are ours.

The objective is the engine's own: the mean loss of ``MLP(hidden=())`` plus the penalties. Where it
is smooth, its gradient must vanish at the optimum; where it is not, no descent may find less.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize
from sklearn import linear_model, svm

from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.least_squares import augmented, normal_equations, ridge
from thalweg.catalogue.losses import (
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    Hinge,
    IndicatorError,
    SquaredError,
    SquaredHinge,
)
from thalweg.catalogue.losses.loss import decided
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.regularizers import L2
from thalweg.errors import DataError

DRAWS = np.random.default_rng(11)
ROWS = 60
X = DRAWS.normal(size=(ROWS, 4)) @ DRAWS.normal(size=(4, 4)) + 1.0
Y = X @ DRAWS.normal(size=(4, 2)) + DRAWS.normal(size=(ROWS, 2))
COIN = (X @ DRAWS.normal(size=4) + DRAWS.normal(size=ROWS) > 0.5).astype(int)
CLASSES = (X @ DRAWS.normal(size=(4, 3)) + DRAWS.normal(size=(ROWS, 3))).argmax(-1)

# Printed tables: age, whether it can be afforded, whether insurance was bought; and houses.
AGES = np.array([22, 25, 47, 52, 46, 56, 55, 60, 62, 61, 18, 28, 27, 29, 49.0])
BOUGHT = np.array([0, 0, 1, 0, 1, 1, 0, 1, 1, 1, 0, 0, 0, 0, 1])
AFFORDED = np.array([1, 0, 1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0.0])
HOUSES = np.array([[1200, 2], [1500, 3], [2100, 4], [1100, 3], [1300, 2], [900, 1.0]])
PRICES = np.array([70, 120, 230, 105, 90, 55.0])


class Model:
    """A linear model as a spec would make it, and its objective in double precision."""

    def __init__(self, loss: Any, outputs: int, x: Any, y: Any, *penalties: Any) -> None:
        self.loss, self.x, self.y, self.penalties = loss, jnp.asarray(x), jnp.asarray(y), penalties
        self.network = MLP(hidden=(), outputs=outputs)

    def outputs(self, kernel: Any, bias: Any) -> Any:
        layer = {"kernel": jnp.asarray(kernel), "bias": jnp.asarray(bias)}
        variables = Variables({"dense_0": layer}, {})
        return self.network.apply(variables, self.x, Context("evaluate"))[0]

    def objective(self, kernel: Any, bias: Any) -> Any:
        layer = {"kernel": jnp.asarray(kernel), "bias": jnp.asarray(bias)}
        data = self.loss(self.outputs(kernel, bias), self.y).mean()
        return data + sum(penalty.penalty({"dense_0": layer}) for penalty in self.penalties)

    def gradient(self, kernel: Any, bias: Any) -> Any:
        return jax.grad(self.objective, argnums=(0, 1))(jnp.asarray(kernel), jnp.asarray(bias))


def assert_optimal(model: Model, kernel: Any, bias: Any, tolerance: float = 1e-9) -> None:
    for slope in model.gradient(kernel, bias):
        np.testing.assert_allclose(slope, 0, atol=tolerance)


# --------------------------------------------------------------------------------- linear and ridge


@pytest.mark.parametrize("factor", [1.0, 0.5])
def test_linear_regression(factor: float) -> None:
    theirs = linear_model.LinearRegression().fit(X, Y)
    weights = normal_equations(augmented(X), Y)
    np.testing.assert_allclose(weights[:-1], theirs.coef_.T, rtol=1e-9)
    np.testing.assert_allclose(weights[-1], theirs.intercept_, rtol=1e-9)
    assert_optimal(Model(SquaredError(factor=factor), 2, X, Y), weights[:-1], weights[-1])


@pytest.mark.parametrize("penalty_factor", [1.0, 0.5])
@pytest.mark.parametrize("factor", [1.0, 0.5])
def test_ridge_regression(factor: float, penalty_factor: float) -> None:
    strength, outputs = 0.07, 2
    weights = ridge(
        augmented(X),
        Y,
        strength,
        data_factor=factor / (ROWS * outputs),
        penalty_factor=penalty_factor,
        free=1,
    )
    model = Model(
        SquaredError(factor=factor), outputs, X, Y, L2(strength=strength, factor=penalty_factor)
    )
    assert_optimal(model, weights[:-1], weights[-1])
    alpha = strength * penalty_factor * ROWS * outputs / factor
    theirs = linear_model.Ridge(alpha=alpha).fit(X, Y)
    np.testing.assert_allclose(weights[:-1], theirs.coef_.T, rtol=1e-9)
    np.testing.assert_allclose(weights[-1], theirs.intercept_, rtol=1e-9)


def test_printed_forms_of_ridge() -> None:
    """½ on both terms gives (XᵀX + λI)⁻¹Xᵀy; ½ on the penalty only gives half the λ.

    The gradient is XᵀXθ − Xᵀy + λθ; + Xᵀy, or θ without XᵀX, as printed on the way, is none.
    Nor are +2yᵀXθ for −2yᵀXθ and θᵀXᵀθ for θᵀXᵀXθ, in another text whose result is right.
    """
    inner, mixed, y = X.T @ X, X.T @ Y, Y[:, 0]
    usual = np.linalg.solve(inner + 3.0 * np.eye(4), mixed)
    np.testing.assert_allclose(ridge(X, Y, 3.0), usual, rtol=1e-10)
    halved = np.linalg.solve(inner + 1.5 * np.eye(4), mixed)
    np.testing.assert_allclose(ridge(X, Y, 3.0, data_factor=1.0), halved, rtol=1e-10)
    theta = ridge(X, y, 3.0)
    assert abs(X.T @ (X @ theta - y) + 3.0 * theta).max() < 1e-11
    np.testing.assert_allclose(ridge(X, Y, 0.0), normal_equations(X, Y))


def test_ridge_shrinks_each_direction_by_its_share() -> None:
    """λ / (λ + α) along every eigenvector of XᵀX, on the houses, standardised."""
    z = (HOUSES - HOUSES.mean(0)) / HOUSES.std(0)
    eigenvalues, vectors = np.linalg.eigh(z.T @ z)
    np.testing.assert_allclose(eigenvalues, [0.940150, 11.059850], atol=1e-6)
    y = PRICES - PRICES.mean()
    free, held = vectors.T @ ridge(z, y, 0.0), vectors.T @ ridge(z, y, 1.0)
    np.testing.assert_allclose(held / free, eigenvalues / (eigenvalues + 1), rtol=1e-10)
    np.testing.assert_allclose(held / free, [0.4846, 0.9171], atol=5e-5)
    np.testing.assert_allclose(ridge(z, y, 1.0), [30.904, 21.678], atol=1e-3)


def test_dependent_columns_are_refused_unless_penalized() -> None:
    twice = np.column_stack([X[:, 0], 2 * X[:, 0]])
    with pytest.raises(DataError, match="columns of the inputs depend on each other"):
        normal_equations(twice, Y)
    assert np.isfinite(ridge(twice, Y, 0.1)).all()
    with pytest.raises(DataError, match="columns of the inputs depend on each other"):
        ridge(np.column_stack([X, np.ones((ROWS, 2))]), Y, 0.1, free=2)


# ----------------------------------------------------------------------- logistic regression, SVMs


@pytest.mark.parametrize("strength", [0.003, 0.3])
def test_logistic_regression(strength: float) -> None:
    theirs = linear_model.LogisticRegression(C=1 / (strength * ROWS), tol=1e-12, max_iter=10_000)
    theirs.fit(X, COIN)
    model = Model(BinaryCrossEntropy(), 1, X, COIN, L2(strength=strength))
    assert_optimal(model, theirs.coef_.T, theirs.intercept_, 1e-7)
    p = BinaryCrossEntropy().probabilities(model.outputs(theirs.coef_.T, theirs.intercept_))
    np.testing.assert_allclose(p, theirs.predict_proba(X), rtol=1e-9)
    assert (decided(p) == theirs.predict(X)).all()


def test_logistic_regression_of_several_classes() -> None:
    theirs = linear_model.LogisticRegression(C=1 / (0.05 * ROWS), tol=1e-12, max_iter=10_000)
    theirs.fit(X, CLASSES)
    model = Model(CategoricalCrossEntropy(), 3, X, CLASSES, L2(strength=0.05))
    assert_optimal(model, theirs.coef_.T, theirs.intercept_, 1e-7)


def descended(model: Model, kernel: Any, bias: Any) -> float:
    """The least objective that searches from around a point find."""
    shape = np.shape(kernel)

    def objective(flat: Any) -> float:
        return float(model.objective(flat[: -len(bias)].reshape(shape), flat[-len(bias) :]))

    start = np.concatenate([np.ravel(kernel), bias])
    near = start + 0.05 * np.random.default_rng(0).normal(size=len(start))
    options = {"maxiter": 4000, "maxfev": 4000, "xatol": 1e-9, "fatol": 1e-12}
    found = optimize.minimize(objective, near, method="Nelder-Mead", options=options)
    return min(found.fun, objective(near))


def test_support_vector_machines() -> None:
    strength = 0.1
    theirs = svm.SVC(C=1 / (strength * ROWS), kernel="linear", tol=1e-10).fit(X, COIN)
    model = Model(Hinge(), 1, X, COIN, L2(strength=strength))
    kernel, bias = theirs.coef_.T, theirs.intercept_
    # The dual value is a lower bound on every objective of this form, and is attained.
    dual = abs(theirs.dual_coef_).sum() - 0.5 * float((kernel**2).sum())
    least = float(model.objective(kernel, bias))
    assert least == pytest.approx(strength * dual, rel=1e-6)
    assert descended(model, kernel, bias) >= least * (1 - 1e-6)


def test_support_vector_machines_with_squared_hinge() -> None:
    strength = 0.1
    theirs = svm.LinearSVC(C=1 / (2 * strength * ROWS), dual=False, tol=1e-12)
    # It penalizes the bias as a weight, and has ½‖w‖² + C Σ; ours has λ‖w‖² + mean.
    theirs.fit(X, COIN)
    model = Model(SquaredHinge(), 1, X, COIN, L2(strength=strength, factor=1.0, biases=True))
    assert_optimal(model, theirs.coef_.T, theirs.intercept_, 1e-6)


def test_support_vector_machines_of_several_classes() -> None:
    theirs = svm.LinearSVC(C=1 / (0.1 * ROWS), multi_class="crammer_singer", tol=1e-9)
    theirs.set_params(max_iter=1_000_000).fit(X, CLASSES)
    model = Model(Hinge(several="largest"), 3, X, CLASSES, L2(strength=0.1, biases=True))
    kernel, bias = theirs.coef_.T, theirs.intercept_
    least = float(model.objective(kernel, bias))
    for seed in range(200):
        draws = np.random.default_rng(seed)
        size = 10.0 ** draws.uniform(-4, 0)
        moved = model.objective(
            kernel + size * draws.normal(size=kernel.shape),
            bias + size * draws.normal(size=bias.shape),
        )
        assert float(moved) >= least - 1e-7


@pytest.mark.parametrize("norm", [1, 2])
def test_printed_gradients_of_a_support_vector_machine(norm: int) -> None:
    """[y (wᵀx + b) < 1] (−y x), plus 2λw or λ sgn(w); and the same without x for b.

    Two problems, one for each norm of w, where a text begins with one and ends with the other.
    """
    from thalweg.catalogue.regularizers import L1

    w, b, strength = np.array([0.4, -0.3, 0.2, 0.1]), 0.1, 0.05
    sign = 2 * COIN - 1
    active = sign * (X @ w + b) < 1
    penalty = L2(strength=strength, factor=1.0) if norm == 2 else L1(strength=strength)
    pull = 2 * strength * w if norm == 2 else strength * np.sign(w)
    kernel, bias = Model(Hinge(), 1, X, COIN, penalty).gradient(w[:, None], np.array([b]))
    np.testing.assert_allclose(kernel[:, 0], (active * -sign) @ X / ROWS + pull, atol=1e-12)
    np.testing.assert_allclose(bias[0], (active * -sign).mean(), atol=1e-12)


# -------------------------------------------------------------------------------- printed examples


def test_a_line_through_five_points() -> None:
    x, y = np.array([2, 3, 5, 7, 9.0])[:, None], np.array([-0.5, 0, 1, 2, 3])
    np.testing.assert_allclose(normal_equations(augmented(x), y), [0.5, -1.5], atol=1e-12)


def test_ages_by_linear_regression() -> None:
    """The threshold is 43.9; the printed 42 was read off a plot."""
    slope, offset = weights = normal_equations(augmented(AGES[:, None]), BOUGHT)
    np.testing.assert_allclose(weights, [0.023980, -0.551703], atol=1e-6)
    assert (0.5 - offset) / slope == pytest.approx(43.86, abs=5e-3)
    model = Model(IndicatorError(), 1, AGES[:, None], BOUGHT)
    assert_optimal(model, [[slope]], [offset], 1e-9)
    outputs = model.outputs([[slope]], [offset])
    assert float(outputs.min()) == pytest.approx(-0.12, abs=5e-3)
    assert float(outputs.max()) == pytest.approx(0.94, abs=6e-3)
    wrong = np.asarray(decided(IndicatorError().probabilities(outputs))) != BOUGHT
    assert AGES[wrong].tolist() == [52, 55]


def test_ages_by_logistic_regression() -> None:
    """The printed 0.042 x − 1.53 is not the optimum of the printed table."""
    model = Model(BinaryCrossEntropy(), 1, AGES[:, None], BOUGHT)
    printed = np.array([[0.042]]), np.array([-1.53])
    assert float(model.objective(*printed)) == pytest.approx(0.5248, abs=5e-5)
    p = BinaryCrossEntropy().probabilities(0.042 * jnp.array([[35.0], [43.0]]) - 1.53)
    np.testing.assert_allclose(p[:, 1], [0.485, 0.569], atol=5e-4)
    threshold = 1.53 / 0.042  # not 42, where a straight line was said to cross ½
    assert threshold == pytest.approx(36.43, abs=5e-3)
    p = BinaryCrossEntropy().probabilities(model.outputs(*printed))
    assert int((np.asarray(decided(p)) == BOUGHT).sum()) == 13
    assert ((threshold < AGES) == np.asarray(decided(p))).all()
    best = np.array([[0.158795]]), np.array([-7.299548])
    assert float(model.objective(*best)) == pytest.approx(0.3604, abs=5e-5)
    assert_optimal(model, *best, 1e-3)
    assert -best[1] / best[0] == pytest.approx(45.97, abs=5e-3)


def test_ages_and_means_before_training() -> None:
    """w = (1, 1), b = 0: a loss of 17.69 for ages in years, 0.73 in centuries; not 4.31."""
    # The first row, 22 years and affordable: z = 23 and an output of nearly 1, not 0.99.
    output = BinaryCrossEntropy().probabilities(jnp.array([[23.0]]))[0, 1]
    assert float(output) == pytest.approx(0.99999999989739, abs=1e-14)
    assert float(output) ** 2 == pytest.approx(0.9999999998, abs=1e-10)
    x = np.column_stack([AGES[:13], AFFORDED])
    for scale, loss, slopes in (
        (1.0, 17.6923, (17.4615, 0.2308, 0.5385)),
        (0.01, 0.73185, (0.0621, 0.1107, 0.2673)),
    ):
        model = Model(BinaryCrossEntropy(), 1, x * [scale, 1], BOUGHT[:13])
        start = np.ones((2, 1)), np.zeros(1)
        assert float(model.objective(*start)) == pytest.approx(loss, abs=5e-5)
        kernel, bias = model.gradient(*start)
        np.testing.assert_allclose([*kernel[:, 0], bias[0]], slopes, atol=5e-5)
        p = BinaryCrossEntropy().probabilities(model.outputs(*start))
        error = np.asarray(p)[:, 1]
        assert int((np.asarray(decided(p)) == BOUGHT[:13]).sum()) == 6  # it says 1 to everybody
        by_hand = (x * [scale, 1]).T @ (error - BOUGHT[:13]) / 13
        np.testing.assert_allclose(kernel[:, 0], by_hand, atol=1e-12)


@pytest.mark.parametrize(("clip", "loss"), [(0.01, 2.4843), (1e-15, 14.7753), (1e-7, 8.6790)])
def test_clipping_hides_how_wrong_the_start_is(clip: float, loss: float) -> None:
    from thalweg.catalogue.losses import ClippedCrossEntropy

    x = np.column_stack([AGES[:13], AFFORDED])
    model = Model(ClippedCrossEntropy(least=clip), 1, x, BOUGHT[:13])
    # Published from 1 − p, which rounds: 1 − (1 − 1e-15) is 0.1 % short of 1e-15.
    assert float(model.objective(np.ones((2, 1)), np.zeros(1))) == pytest.approx(loss, abs=2e-4)


def test_houses() -> None:
    """Errors are −1133, … with weights and bias 1; the gradient is the mean of −2e · area.

    Printed as +1133, which is ŷ − y where y − ŷ is said; the bias of 1 goes unsaid.
    """
    errors = np.array([-1133, -1384, -1875, -999, -1213, -847.0])
    model = Model(SquaredError(), 1, HOUSES, PRICES)
    ones = np.ones((2, 1)), np.ones(1)
    np.testing.assert_allclose(PRICES - model.outputs(*ones)[:, 0], errors)
    assert float(model.objective(*ones)) == pytest.approx(1650258.17, abs=5e-3)
    kernel, bias = model.gradient(*ones)
    slopes = [*kernel[:, 0], bias[0]]
    np.testing.assert_allclose(slopes, [3603733.33, 6729.33, 2483.67], atol=5e-3)
    np.testing.assert_allclose(slopes[0], np.mean(-2 * errors * HOUSES[:, 0]))
    weights = normal_equations(augmented(HOUSES), PRICES)
    np.testing.assert_allclose(weights, [0.1, 20, -73.3333], rtol=1e-6)
    best = float(model.objective(weights[:-1, None], weights[-1:]))
    assert best == pytest.approx(197.22, abs=5e-3)
