"""Losses are negative log-likelihoods of the distributions that scipy and torch know by name."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, stats

from thalweg.catalogue.likelihoods import (
    distribution_of,
    log_likelihood,
    negative_log_likelihood,
)
from thalweg.catalogue.losses import (
    AbsoluteError,
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    GaussianLikelihood,
    Hinge,
    PoissonLikelihood,
    SquaredError,
)
from thalweg.errors import SpecError

DRAWS = np.random.default_rng(20260801)
ROWS = 200
OUTPUTS = DRAWS.normal(size=(ROWS, 6))
VALUES = DRAWS.normal(size=(ROWS, 3))
COUNTS = DRAWS.poisson(2.0, size=(ROWS, 3)).astype(float)
CLASSES = DRAWS.integers(3, size=ROWS)
COIN = (DRAWS.uniform(size=ROWS) < 0.3).astype(np.int32)


def softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, x)


def of_three(outputs: np.ndarray) -> np.ndarray:
    shares = np.exp(outputs)
    return shares / shares.sum(-1, keepdims=True)


# Loss, outputs, targets, log-probabilities by scipy, and what the loss leaves out of them per
# example, over how many outputs it averages.
CASES: dict[str, tuple[Any, ...]] = {
    "normal": (
        SquaredError(factor=0.5),
        OUTPUTS[:, :3],
        VALUES,
        lambda z, y: stats.norm(z).logpdf(y).sum(-1),
        3 * stats.norm.logpdf(0),
        3,
    ),
    "Laplace": (
        AbsoluteError(),
        OUTPUTS[:, :3],
        VALUES,
        lambda z, y: stats.laplace(z).logpdf(y).sum(-1),
        3 * stats.laplace.logpdf(0),
        3,
    ),
    "Bernoulli": (
        BinaryCrossEntropy(),
        OUTPUTS[:, :1],
        COIN,
        lambda z, y: stats.bernoulli(1 / (1 + np.exp(-z[:, 0]))).logpmf(y),
        0,
        1,
    ),
    "categorical": (
        CategoricalCrossEntropy(),
        OUTPUTS[:, :3],
        CLASSES,
        lambda z, y: np.array(
            [stats.multinomial(1, p).logpmf(np.eye(3)[k]) for p, k in zip(of_three(z), y)]  # noqa: B905
        ),
        0,
        1,
    ),
    "normal of learned variance": (
        GaussianLikelihood(least=0.01),
        OUTPUTS,
        VALUES,
        lambda z, y: stats.norm(z[:, :3], np.sqrt(softplus(z[:, 3:]) + 0.01)).logpdf(y).sum(-1),
        0,
        3,
    ),
    "Poisson": (
        PoissonLikelihood(),
        OUTPUTS[:, :3],
        COUNTS,
        lambda z, y: stats.poisson(np.exp(z)).logpmf(y).sum(-1),
        0,
        3,
    ),
}
each = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@each
def test_losses_are_negative_log_likelihoods(case: Any) -> None:
    loss, outputs, targets, by_scipy, left_out, averaged = case
    expected = by_scipy(outputs, targets)
    z, y = jnp.asarray(outputs), jnp.asarray(targets)
    found = distribution_of(loss).log_probability(z, y)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(loss(z, y), (left_out - expected) / averaged, rtol=1e-9, atol=1e-10)
    assert float(log_likelihood(loss, z, y)) == pytest.approx(expected.sum(), rel=1e-10)
    assert float(negative_log_likelihood(loss, z, y)) == pytest.approx(-expected.mean(), rel=1e-10)


@each
def test_draws_follow_the_distribution(case: Any) -> None:
    loss, outputs, *_ = case
    one = jnp.tile(outputs[0], (20_000, 1))
    drawn = np.asarray(distribution_of(loss).sample(jax.random.key(3), one))
    z = outputs[0]
    if isinstance(loss, (BinaryCrossEntropy, CategoricalCrossEntropy)):
        p = np.asarray(loss.probabilities(jnp.asarray(z)[None]))[0]
        assert stats.chisquare(np.bincount(drawn, minlength=len(p)), 20_000 * p).pvalue > 0.01
        return
    if isinstance(loss, PoissonLikelihood):
        mean = np.exp(z)
        assert (abs(drawn.mean(0) - mean) < 4 * np.sqrt(mean / 20_000)).all()
        assert (abs(drawn.var(0) / mean - 1) < 0.1).all()
        return
    for k in range(3):
        law = stats.laplace(z[k]) if isinstance(loss, AbsoluteError) else stats.norm(z[k])
        if isinstance(loss, GaussianLikelihood):
            law = stats.norm(z[k], np.sqrt(softplus(z[3 + k]) + 0.01))
        assert stats.kstest(drawn[:, k], law.cdf).pvalue > 0.001


@each
def test_the_best_constant_is_where_scipy_finds_it(case: Any) -> None:
    loss, outputs, targets, *_ = case
    width = outputs.shape[-1]
    best = np.asarray(loss.constant(targets, width))
    assert best.shape == (width,)

    def mean(constant: Any) -> float:
        return float(loss(jnp.tile(jnp.asarray(constant), (ROWS, 1)), jnp.asarray(targets)).mean())

    found = optimize.minimize(mean, np.zeros(width), method="Powell", tol=1e-12)
    assert mean(best) <= found.fun + 1e-9
    assert mean(best) == pytest.approx(found.fun, abs=1e-6)


def test_smoothed_classes_have_a_best_constant_too() -> None:
    for loss, targets, width in (
        (BinaryCrossEntropy(smoothing=0.2), COIN, 1),
        (CategoricalCrossEntropy(smoothing=0.2), CLASSES, 3),
    ):

        def mean(constant: Any, loss: Any = loss, targets: Any = targets) -> Any:
            return loss(jnp.tile(constant, (ROWS, 1)), jnp.asarray(targets)).mean()

        slope = jax.grad(mean)(jnp.asarray(loss.constant(targets, width)))
        np.testing.assert_allclose(slope, 0, atol=1e-12)


def test_classes_without_rows_have_a_finite_constant() -> None:
    assert np.isfinite(CategoricalCrossEntropy().constant(np.zeros(9, int), 3)).all()
    assert np.isfinite(BinaryCrossEntropy().constant(np.ones(9, int), 1)).all()
    assert np.isfinite(PoissonLikelihood().constant(np.zeros((9, 2)), 2)).all()
    assert np.isfinite(GaussianLikelihood().constant(np.ones((9, 2)), 4)).all()


def test_a_margin_has_no_distribution() -> None:
    with pytest.raises(SpecError, match="Hinge is the negative log-likelihood of no distribution"):
        distribution_of(Hinge())
