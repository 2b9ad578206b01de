"""Softmax and cross-entropy together."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import logsumexp, softmax

from thalweg.catalogue.activations import Softmax
from thalweg.catalogue.losses import CategoricalCrossEntropy
from thalweg.explain.derivations.claims import Equal
from thalweg.explain.derivations.frame import Derivation, Line, Numbers

__all__ = ["softmax_cross_entropy"]


def _draw(random: np.random.Generator) -> Any:
    v, y = random.normal(size=4), random.uniform(0.1, 1, size=4)
    return SimpleNamespace(v=v, y=y, shares=y / y.sum(), o=softmax(v))


def _loss(v: Any, y: Any) -> Any:
    return CategoricalCrossEntropy()(jnp.asarray(v)[None], jnp.asarray(y)[None])[0]


def _slope(v: Any, y: Any) -> Any:
    return jax.grad(_loss)(jnp.asarray(v), y)


def _jacobian(a: Any) -> np.ndarray:
    return np.diag(a.o) - np.outer(a.o, a.o)


_LINES = (
    Line(
        r"L = -\sum_i y_i\ln o_i = \Big(\sum_i y_i\Big)\ln\sum_j e^{v_j} - \sum_i y_i v_i",
        "L = −Σ yᵢ ln oᵢ = (Σ yᵢ) ln Σ eᵛʲ − Σ yᵢvᵢ",
        "ln oᵢ = vᵢ − ln Σ eᵛʲ; left: the catalogue's loss of the logits",
        Equal(lambda a: _loss(a.v, a.y), lambda a: a.y.sum() * logsumexp(a.v) - a.y @ a.v),
    ),
    Line(
        r"\partial L/\partial o_i = -y_i/o_i",
        "∂L/∂oᵢ = −yᵢ / oᵢ",
        "the derivative of the logarithm",
        Equal(
            lambda a: jax.grad(lambda o: -(a.y * jnp.log(o)).sum())(jnp.asarray(a.o)),
            lambda a: -a.y / a.o,
        ),
    ),
    Line(
        r"\partial o_i/\partial v_j = o_i(\delta_{ij} - o_j)",
        "∂oᵢ/∂vⱼ = oᵢ (δᵢⱼ − oⱼ)",
        "the quotient rule: every output depends on every logit",
        Equal(lambda a: jax.jacobian(Softmax())(jnp.asarray(a.v)), _jacobian),
    ),
    Line(
        r"\partial L/\partial v_j = \sum_i -\frac{y_i}{o_i}\, o_i(\delta_{ij}-o_j)",
        "∂L/∂vⱼ = Σᵢ −(yᵢ / oᵢ) oᵢ (δᵢⱼ − oⱼ)",
        "the chain rule, summed over the outputs in between",
        Equal(lambda a: _slope(a.v, a.y), lambda a: (-a.y / a.o) @ _jacobian(a)),
    ),
    Line(
        r"\partial L/\partial v_j = o_j - y_j",
        "∂L/∂vⱼ = oⱼ − yⱼ",
        "printed for any y; it needs Σ yᵢ = 1",
        Equal(lambda a: _slope(a.v, a.y), lambda a: a.o - a.y),
        wrong=True,
    ),
    Line(
        r"\partial L/\partial v_j = o_j\sum_i y_i - y_j",
        "∂L/∂vⱼ = oⱼ Σ yᵢ − yⱼ",
        "oᵢ cancels, and the sum is taken apart",
        Equal(lambda a: _slope(a.v, a.y), lambda a: a.o * a.y.sum() - a.y),
    ),
    Line(
        r"\sum_i y_i = 1:\quad \partial L/\partial v_j = o_j - y_j",
        "Σ yᵢ = 1:  ∂L/∂vⱼ = oⱼ − yⱼ",
        "for targets that are a distribution, a single 1 among zeros for one",
        Equal(lambda a: _slope(a.v, a.shares), lambda a: a.o - a.shares),
    ),
)


def _numbers() -> tuple[Numbers, ...]:
    v = np.array([1.0, 2.0, -0.5])
    rows = [
        (f"y = ({', '.join(f'{value:g}' for value in y)})", *map(float, _slope(v, np.array(y))))
        for y in ((0.0, 1.0, 0.0), (0.5, 1.0, 0.0))
    ]
    columns = ("targets", "∂L/∂v₁", "∂L/∂v₂", "∂L/∂v₃")
    return (Numbers("Gradients at v = (1, 2, −0.5)", columns, tuple(rows)),)


def softmax_cross_entropy() -> Derivation:
    """The gradient of softmax with cross-entropy."""
    return Derivation(
        "softmax-cross-entropy",
        "By its logits, the cross-entropy of a softmax has the gradient o − y where the targets "
        "add up to 1, and o Σy − y in general.",
        (
            ("v", "logits"),
            ("o = softmax(v)", "outputs"),
            ("y", "targets"),
            ("δᵢⱼ", "1 where i = j, 0 elsewhere"),
        ),
        _draw,
        _LINES,
        "Goodfellow, Bengio & Courville, Deep Learning, 2016, section 6.2.2.3",
        numbers=_numbers,
    )
