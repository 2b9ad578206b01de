"""Linear least squares, and what a penalty on squares makes of its solution."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.catalogue import least_squares
from thalweg.catalogue.losses import SquaredError
from thalweg.catalogue.regularizers import L2
from thalweg.explain.derivations.claims import Equal
from thalweg.explain.derivations.frame import Derivation, Line, Numbers

__all__ = ["ridge"]


def _draw(random: np.random.Generator) -> Any:
    return SimpleNamespace(
        x=random.normal(size=(6, 3)),
        y=random.normal(size=6),
        theta=random.normal(size=3),
        strength=random.uniform(0.5, 5),
    )


def _objective(theta: Any, a: Any) -> Any:
    """What is minimised, of the catalogue's loss and penalty, which have a factor ½ each."""
    error = SquaredError(factor=0.5)((jnp.asarray(a.x) @ theta)[:, None], jnp.asarray(a.y))
    return error.sum() + L2(strength=a.strength, factor=0.5).penalty({"kernel": theta})


def _slope(a: Any) -> Any:
    return jax.grad(_objective)(jnp.asarray(a.theta), a)


def _minimum(a: Any, strength: float) -> np.ndarray:
    """Least squares of the rows and of √strength · I, whose targets are 0: no formula of ridge."""
    rows = np.vstack([a.x, np.sqrt(strength) * np.eye(3)])
    return np.linalg.lstsq(rows, np.append(a.y, np.zeros(3)), rcond=None)[0]


def _expanded(a: Any, sign: float = -1.0) -> Any:
    squares = a.y @ a.y + sign * 2 * a.y @ a.x @ a.theta + a.theta @ a.x.T @ a.x @ a.theta
    return 0.5 * squares + a.strength / 2 * a.theta @ a.theta


def _one_x_lost(a: Any) -> Any:
    square = a.x[:3]
    squares = a.y @ a.y - 2 * a.y @ a.x @ a.theta + a.theta @ square.T @ a.theta
    return 0.5 * squares + a.strength / 2 * a.theta @ a.theta


def _inverse(a: Any, strength: float) -> np.ndarray:
    return np.linalg.inv(a.x.T @ a.x + strength * np.eye(3)) @ a.x.T @ a.y


_EXPANSION = (
    Line(
        r"L = \tfrac12\left(y^\top y + 2\,y^\top X\theta + \theta^\top X^\top X\theta\right)"
        r" + \tfrac{\lambda}{2}\lVert\theta\rVert^2",
        "L = ½ (yᵀy + 2 yᵀXθ + θᵀXᵀXθ) + (λ/2) ‖θ‖²",
        "printed with a plus before the mixed term, which comes from −yᵀXθ − θᵀXᵀy",
        Equal(lambda a: _objective(a.theta, a), lambda a: _expanded(a, 1.0)),
        wrong=True,
    ),
    Line(
        r"L = \tfrac12\left(y^\top y - 2\,y^\top X\theta + \theta^\top X^\top\theta\right)"
        r" + \tfrac{\lambda}{2}\lVert\theta\rVert^2",
        "L = ½ (yᵀy − 2 yᵀXθ + θᵀXᵀθ) + (λ/2) ‖θ‖²",
        "printed with one X lost: the sizes fit only for as many rows as features, and even then "
        "it is something else",
        Equal(lambda a: _objective(a.theta, a), _one_x_lost),
        wrong=True,
    ),
    Line(
        r"L = \tfrac12\left(y^\top y - 2\,y^\top X\theta + \theta^\top X^\top X\theta\right)"
        r" + \tfrac{\lambda}{2}\lVert\theta\rVert^2",
        "L = ½ (yᵀy − 2 yᵀXθ + θᵀXᵀXθ) + (λ/2) ‖θ‖²",
        "(y − Xθ)ᵀ(y − Xθ) multiplied out; both mixed terms are the same number",
        Equal(lambda a: _objective(a.theta, a), _expanded),
    ),
)

_SOLUTION = (
    Line(
        r"\nabla_\theta L = \tfrac12\left(-2X^\top y + 2X^\top X\theta\right) + \lambda\theta",
        "∇L = ½ (−2 Xᵀy + 2 XᵀXθ) + λθ",
        "the derivative of cᵀθ is c, of θᵀAθ with symmetric A it is 2Aθ",
        Equal(
            _slope,
            lambda a: 0.5 * (-2 * a.x.T @ a.y + 2 * a.x.T @ a.x @ a.theta) + a.strength * a.theta,
        ),
    ),
    Line(
        r"\nabla_\theta L = (X^\top X + \lambda I)\theta - X^\top y",
        "∇L = (XᵀX + λI)θ − Xᵀy",
        "the ½ cancels, θ is taken out",
        Equal(_slope, lambda a: (a.x.T @ a.x + a.strength * np.eye(3)) @ a.theta - a.x.T @ a.y),
    ),
    Line(
        r"(X^\top X + \lambda I)\,\theta^* = X^\top y",
        "(XᵀX + λI) θ* = Xᵀy",
        "at the minimum the gradient is zero; θ* here is the least-squares solution with the "
        "further rows √λ I and targets 0, which has the same objective",
        Equal(
            lambda a: (a.x.T @ a.x + a.strength * np.eye(3)) @ _minimum(a, a.strength),
            lambda a: a.x.T @ a.y,
        ),
    ),
    Line(
        r"\theta^* = (X^\top X + \lambda I)^{-1} X^\top y",
        "θ* = (XᵀX + λI)⁻¹ Xᵀy",
        "XᵀX + λI has no eigenvalue below λ > 0, so there is an inverse; left: our ridge",
        Equal(
            lambda a: least_squares.ridge(a.x, a.y, a.strength),
            lambda a: _inverse(a, a.strength),
        ),
    ),
    Line(
        r"\lambda = 0:\quad \theta^* = (X^\top X)^{-1} X^\top y",
        "λ = 0:  θ* = (XᵀX)⁻¹ Xᵀy",
        "without a penalty: least squares, where the columns of X are independent",
        Equal(lambda a: _minimum(a, 0.0), lambda a: _inverse(a, 0.0)),
    ),
    Line(
        r"\operatorname{argmin}_w\, (Xw-y)^\top(Xw-y) + \tfrac12\alpha w^\top w"
        r" = (X^\top X + \alpha I)^{-1}X^\top y",
        "arg min (Xw − y)ᵀ(Xw − y) + ½ α wᵀw = (XᵀX + αI)⁻¹ Xᵀy",
        "printed with ½ before the penalty only, and the solution of ½ before both",
        Equal(lambda a: _minimum(a, a.strength / 2), lambda a: _inverse(a, a.strength)),
        wrong=True,
    ),
    Line(
        r"\operatorname{argmin}_w\, (Xw-y)^\top(Xw-y) + \tfrac12\alpha w^\top w"
        r" = (X^\top X + \tfrac{\alpha}{2} I)^{-1}X^\top y",
        "arg min (Xw − y)ᵀ(Xw − y) + ½ α wᵀw = (XᵀX + (α/2) I)⁻¹ Xᵀy",
        "only the ratio of both factors counts",
        Equal(
            lambda a: least_squares.ridge(a.x, a.y, a.strength, data_factor=1.0),
            lambda a: _inverse(a, a.strength / 2),
        ),
    ),
)


def _numbers() -> tuple[Numbers, ...]:
    a = _draw(np.random.default_rng(0))
    a.theta = least_squares.ridge(a.x, a.y, a.strength)
    rows = (("largest entry of the gradient at θ*", float(abs(_slope(a)).max())),)
    return (Numbers("At the solution, for the first arguments of seed 0", ("", "value"), rows),)


def ridge() -> Derivation:
    """Least squares with a penalty on squares."""
    return Derivation(
        "ridge",
        "The weights that minimise ½ Σ (yᵢ − θᵀxᵢ)² + (λ/2) ‖θ‖² are (XᵀX + λI)⁻¹ Xᵀy; "
        "λ = 0 is least squares.",
        (
            ("X", "inputs, a row for each example"),
            ("y", "targets"),
            ("θ, w", "weights"),
            ("λ, α", "strength of the penalty"),
        ),
        _draw,
        (*_EXPANSION, *_SOLUTION),
        "Goodfellow, Bengio & Courville, Deep Learning, 2016, equations 5.12 and 7.17; Hoerl & "
        "Kennard, Ridge Regression, 1970",
        remarks=(
            "Xᵀy = θ (XᵀX + λI), as printed, puts a column before a matrix: the sizes do not fit. "
            "It is (XᵀX + λI) θ.",
        ),
        numbers=_numbers,
    )
