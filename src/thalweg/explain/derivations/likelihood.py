"""Losses as negative log-likelihoods."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import optimize, stats
from scipy.special import expit, softmax

from thalweg.catalogue.likelihoods import log_likelihood, negative_log_likelihood
from thalweg.catalogue.losses import BinaryCrossEntropy, CategoricalCrossEntropy, SquaredError
from thalweg.explain.derivations.claims import Equal
from thalweg.explain.derivations.frame import Derivation, Line

__all__ = ["maximum_likelihood"]


def _draw(random: np.random.Generator) -> Any:
    return SimpleNamespace(
        x=random.normal(size=(6, 2)),
        z=random.normal(size=6),
        logits=random.normal(size=(6, 3)),
        answers=random.permuted([0, 1, 0, 1, 1, 0]),
        classes=random.integers(3, size=6),
        outputs=random.normal(size=6),
        targets=random.normal(size=6),
        w=random.normal(size=2),
        deviation=random.uniform(0.5, 2),
    )


def _binary(a: Any) -> Any:
    return BinaryCrossEntropy()(jnp.asarray(a.z)[:, None], jnp.asarray(a.answers))


def _categorical(a: Any) -> Any:
    return CategoricalCrossEntropy()(jnp.asarray(a.logits), jnp.asarray(a.classes))


def _squared(a: Any) -> Any:
    return SquaredError(factor=0.5)(jnp.asarray(a.outputs)[:, None], jnp.asarray(a.targets))


def _same_logits(a: Any) -> Any:
    """The average loss where all six examples are given the same prediction."""
    logits = jnp.tile(jnp.asarray(a.logits[0]), (6, 1))
    return CategoricalCrossEntropy()(logits, jnp.asarray(a.classes)).mean()


def _frequencies(a: Any) -> np.ndarray:
    return np.bincount(a.classes, minlength=3) / 6


def _likeliest(a: Any, deviation: float) -> np.ndarray:
    """Weights of a linear model whose Gaussian log-likelihood is largest, found by search."""

    def surprise(w: Any) -> float:
        return -stats.norm.logpdf(a.targets, a.x @ w, deviation).sum()

    def slope(w: Any) -> Any:
        return a.x.T @ (a.x @ w - a.targets) / deviation**2

    return optimize.minimize(surprise, np.zeros(2), jac=slope, method="BFGS", tol=1e-10).x


def _of_linear(a: Any) -> Any:
    def objective(w: Any) -> Any:
        outputs = (jnp.asarray(a.x) @ w)[:, None]
        return negative_log_likelihood(SquaredError(), outputs, jnp.asarray(a.targets))

    return jax.grad(objective)(jnp.asarray(a.w))


_CLASSES = (
    Line(
        r"\ln\prod_i p(y_i\mid x_i) = \sum_i \ln p(y_i\mid x_i)",
        "ln Π p(yᵢ | xᵢ) = Σ ln p(yᵢ | xᵢ)",
        "examples are independent; the logarithm is monotone, so both are largest together; right: "
        "the catalogue's log-likelihood",
        Equal(
            lambda a: np.log(np.prod(softmax(a.logits, 1)[np.arange(6), a.classes])),
            lambda a: log_likelihood(
                CategoricalCrossEntropy(), jnp.asarray(a.logits), jnp.asarray(a.classes)
            ),
        ),
    ),
    Line(
        r"-\ln\left[\hat y^{\,y}(1-\hat y)^{1-y}\right] = -y\ln\hat y - (1-y)\ln(1-\hat y)",
        "−ln[ŷʸ (1 − ŷ)¹⁻ʸ] = −y ln ŷ − (1 − y) ln(1 − ŷ)",
        "Bernoulli: the binary cross-entropy. Left: SciPy's distribution; right: our loss",
        Equal(lambda a: -stats.bernoulli.logpmf(a.answers, expit(a.z)), _binary),
    ),
    Line(
        r"-\ln\prod_k \hat y_k^{\,y_k} = -\sum_k y_k\ln\hat y_k",
        "−ln Π ŷₖ^yₖ = −Σ yₖ ln ŷₖ",
        "categorical: the cross-entropy, of softmax outputs",
        Equal(
            lambda a: [
                -stats.multinomial.logpmf(hot, 1, p)
                for hot, p in zip(np.eye(3)[a.classes], softmax(a.logits, 1), strict=True)
            ],
            _categorical,
        ),
    ),
    Line(
        r"-\tfrac1m\sum_i\ln q_{y_i} = -\sum_k\hat p_k\ln q_k",
        "−(1/m) Σᵢ ln q_yᵢ = −Σₖ p̂ₖ ln qₖ",
        "examples of a class are counted: a cross-entropy of the frequencies p̂ and the model q",
        Equal(_same_logits, lambda a: -_frequencies(a) @ np.log(softmax(a.logits[0]))),
    ),
    Line(
        r"-\sum_k\hat p_k\ln q_k = H(\hat p) + D_{\mathrm{KL}}(\hat p\,\Vert\,q)",
        "−Σₖ p̂ₖ ln qₖ = H(p̂) + KL(p̂ ‖ q)",
        "the entropy does not depend on the model: likelihood is largest where the divergence is "
        "least",
        Equal(
            _same_logits,
            lambda a: (
                stats.entropy(_frequencies(a))
                + stats.entropy(_frequencies(a), softmax(a.logits[0]))
            ),
        ),
    ),
)

_NUMBERS = (
    Line(
        r"-\ln\mathcal N(y;\hat y, 1) = \tfrac12(y-\hat y)^2 + \tfrac12\ln 2\pi",
        "−ln N(y; ŷ, 1) = ½ (y − ŷ)² + ½ ln 2π",
        "Gaussian of variance 1: the squared error with its ½, and a constant",
        Equal(
            lambda a: -stats.norm.logpdf(a.targets, a.outputs),
            lambda a: np.asarray(_squared(a)) + 0.5 * np.log(2 * np.pi),
        ),
    ),
    Line(
        r"-\ln\mathcal N(y;\hat y,\sigma^2) = \frac{1}{\sigma^2}\cdot\tfrac12(y-\hat y)^2"
        r" + \ln\sigma + \tfrac12\ln 2\pi",
        "−ln N(y; ŷ, σ²) = (1/σ²) · ½ (y − ŷ)² + ln σ + ½ ln 2π",
        "another variance scales the squared error and adds a constant",
        Equal(
            lambda a: -stats.norm.logpdf(a.targets, a.outputs, a.deviation),
            lambda a: (
                np.asarray(_squared(a)) / a.deviation**2
                + np.log(a.deviation)
                + 0.5 * np.log(2 * np.pi)
            ),
        ),
    ),
    Line(
        r"\nabla_w\left(-\tfrac1m\sum_i\ln\mathcal N(y_i; w^\top x_i, 1)\right)"
        r" = \tfrac1m X^\top(Xw-y)",
        "∇_w (−(1/m) Σ ln N(yᵢ; wᵀxᵢ, 1)) = (1/m) Xᵀ(Xw − y)",
        "the constant has no gradient; left: the catalogue's negative log-likelihood",
        Equal(_of_linear, lambda a: a.x.T @ (a.x @ a.w - a.targets) / 6),
    ),
    Line(
        r"\operatorname{argmax}_w\prod_i\mathcal N(y_i; w^\top x_i,\sigma^2)"
        r" = \operatorname{argmin}_w\sum_i(y_i-w^\top x_i)^2",
        "arg max_w Π N(yᵢ; wᵀxᵢ, σ²) = arg min_w Σ (yᵢ − wᵀxᵢ)²",
        "least squares is the likeliest line, whatever σ is; left: by search with SciPy",
        Equal(
            lambda a: _likeliest(a, a.deviation),
            lambda a: np.linalg.lstsq(a.x, a.targets, rcond=None)[0],
            tolerance=1e-6,
        ),
    ),
)


def maximum_likelihood() -> Derivation:
    """Cross-entropies and the squared error are negative log-likelihoods."""
    return Derivation(
        "maximum-likelihood",
        "Making the targets most likely is minimising a loss: the binary cross-entropy where they "
        "are Bernoulli, the cross-entropy where they are categorical, the squared error where they "
        "are Gaussian.",
        (
            ("yᵢ, xᵢ", "target and input of m independent examples"),
            ("ŷ", "output: a probability, or a mean"),
            ("p̂, q", "frequencies of the classes, and their probabilities by the model"),
            ("σ", "standard deviation"),
        ),
        _draw,
        (*_CLASSES, *_NUMBERS),
        "Goodfellow, Bengio & Courville, Deep Learning, 2016, sections 5.5 and 6.2.1",
    )
