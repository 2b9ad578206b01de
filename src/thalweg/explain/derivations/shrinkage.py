"""What an L2 penalty does to the minimum of a quadratic."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.catalogue import least_squares
from thalweg.catalogue.curvature import kept, penalized_minimum
from thalweg.catalogue.optimizers import GradientDescent
from thalweg.catalogue.regularizers import L2
from thalweg.data.sources import Houses
from thalweg.explain.derivations.claims import AtMost, Equal
from thalweg.explain.derivations.frame import Derivation, Line, Numbers
from thalweg.explain.derivations.walking import first_step

__all__ = ["eigen_shrinkage"]


def _draw(random: np.random.Generator) -> Any:
    root = random.normal(size=(6, 4))
    hessian = root.T @ root
    values, vectors = np.linalg.eigh(hessian)
    return SimpleNamespace(
        hessian=hessian,
        values=values,
        vectors=vectors,
        minimum=random.normal(size=4),
        w=random.normal(size=4),
        strength=random.uniform(0.2, 5),
        rate=random.uniform(0.01, 0.1),
    )


def _objective(w: Any, a: Any) -> Any:
    away = w - a.minimum
    penalty = L2(strength=a.strength, factor=0.5).penalty({"kernel": w})
    return 0.5 * away @ jnp.asarray(a.hessian) @ away + penalty


def _least(a: Any) -> Any:
    return penalized_minimum(jnp.asarray(a.hessian), jnp.asarray(a.minimum), a.strength)


def _stepped(a: Any) -> Any:
    return first_step(GradientDescent(learning_rate=a.rate), lambda w: _objective(w, a), a.w)


def _shifted(a: Any) -> np.ndarray:
    return a.hessian + a.strength * np.eye(4)


_LINES = (
    Line(
        r"w \leftarrow (1-\varepsilon\alpha)\,w - \varepsilon\nabla J(w)",
        "w ← (1 − εα) w − ε ∇J(w)",
        "a step of descent on J + ½ α ‖w‖²: weights shrink by a share, then move as they would; "
        "left: the catalogue's descent and penalty",
        Equal(
            _stepped,
            lambda a: (1 - a.rate * a.strength) * a.w - a.rate * a.hessian @ (a.w - a.minimum),
        ),
    ),
    Line(
        r"\nabla\left(\hat J(w) + \tfrac{\alpha}{2} w^\top w\right) = \alpha w + H(w-w^*)",
        "∇(Ĵ(w) + ½ α wᵀw) = αw + H(w − w*)",
        "the quadratic Ĵ = J(w*) + ½ (w − w*)ᵀH(w − w*) about the minimum w* of J",
        Equal(
            lambda a: jax.grad(_objective)(jnp.asarray(a.w), a),
            lambda a: a.strength * a.w + a.hessian @ (a.w - a.minimum),
        ),
    ),
    Line(
        r"(H+\alpha I)\,\tilde w = H w^*",
        "(H + αI) w̃ = Hw*",
        "the gradient is zero at the new minimum w̃, here found by the catalogue",
        Equal(lambda a: _shifted(a) @ np.asarray(_least(a)), lambda a: a.hessian @ a.minimum),
    ),
    Line(
        r"\tilde w = (H+\alpha I)^{-1} H w^*",
        "w̃ = (H + αI)⁻¹ Hw*",
        "H has no negative eigenvalue at a minimum, so H + αI has an inverse",
        Equal(_least, lambda a: np.linalg.inv(_shifted(a)) @ a.hessian @ a.minimum),
    ),
    Line(
        r"\tilde w = Q(\Lambda+\alpha I)^{-1}\Lambda Q^\top w^*",
        "w̃ = Q (Λ + αI)⁻¹ Λ Qᵀ w*",
        "H = QΛQᵀ with QᵀQ = I: Q and Qᵀ are taken out on both sides",
        Equal(
            _least,
            lambda a: (
                a.vectors @ np.diag(a.values / (a.values + a.strength)) @ a.vectors.T @ a.minimum
            ),
        ),
    ),
    Line(
        r"q_i^\top\tilde w = \frac{\lambda_i}{\lambda_i+\alpha}\, q_i^\top w^*",
        "qᵢᵀw̃ = λᵢ / (λᵢ + α) · qᵢᵀw*",
        "both middle matrices are diagonal: each direction has a share of its own",
        Equal(
            lambda a: a.vectors.T @ np.asarray(_least(a)),
            lambda a: (
                np.asarray(kept(jnp.asarray(a.values), a.strength)) * (a.vectors.T @ a.minimum)
            ),
        ),
    ),
    Line(
        r"1 - \frac{\lambda_i}{\lambda_i+\alpha} \le \frac{\alpha}{\lambda_i}",
        "1 − λᵢ / (λᵢ + α) ≤ α / λᵢ",
        "steep directions, λᵢ ≫ α, are kept",
        AtMost(
            lambda a: 1 - np.asarray(kept(jnp.asarray(a.values), a.strength)),
            lambda a: a.strength / a.values,
        ),
    ),
    Line(
        r"\frac{\lambda_i}{\lambda_i+\alpha} \le \frac{\lambda_i}{\alpha}",
        "λᵢ / (λᵢ + α) ≤ λᵢ / α",
        "flat directions, λᵢ ≪ α, are shrunk to nothing",
        AtMost(
            lambda a: kept(jnp.asarray(a.values), a.strength),
            lambda a: a.values / a.strength,
        ),
    ),
)


def _numbers() -> tuple[Numbers, ...]:
    houses = Houses(split=(1.0, 0.0, 0.0)).load()
    inputs = np.asarray(houses.inputs, float)
    x = (inputs - inputs.mean(0)) / inputs.std(0)
    y = np.asarray(houses.targets, float).reshape(len(x))
    y = y - y.mean()
    values = np.linalg.eigvalsh(x.T @ x)
    shares = [(alpha, *map(float, kept(jnp.asarray(values), alpha))) for alpha in (1.0, 100.0)]
    weights = [(a, *map(float, least_squares.ridge(x, y, a))) for a in (0.0, 1.0, 100.0)]
    first, second = (f"{value:.6f}" for value in values)
    return (
        Numbers(
            "Shares λ / (λ + α) that are kept: houses, standardized",
            ("α", f"λ₁ = {first}", f"λ₂ = {second}"),
            tuple(shares),
        ),
        Numbers("Their weights by ridge", ("α", "area", "bedrooms"), tuple(weights)),
    )


def eigen_shrinkage() -> Derivation:
    """An L2 penalty shrinks the minimum along every eigenvector by a share of its own."""
    return Derivation(
        "eigen-shrinkage",
        "Along the eigenvector qᵢ of the Hessian, a penalty ½ α ‖w‖² leaves the share "
        "λᵢ / (λᵢ + α) of the minimum: exactly for a quadratic, near the minimum for others.",
        (
            ("J, w*", "an objective and its minimum"),
            ("H = QΛQᵀ", "its Hessian there, with eigenvalues λᵢ and eigenvectors qᵢ"),
            ("α", "strength of the penalty"),
            ("ε", "learning rate"),
        ),
        _draw,
        _LINES,
        "Goodfellow, Bengio & Courville, Deep Learning, 2016, section 7.1.1, equations 7.5 to 7.13",
        numbers=_numbers,
    )
