"""Momentum as sums over all gradients so far."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.catalogue.optimizers import RMSProp
from thalweg.explain.derivations.claims import Equal, Exact
from thalweg.explain.derivations.following import STEPS, ahead, bowl, draw, table, walked
from thalweg.explain.derivations.frame import Derivation, Line, Numbers
from thalweg.explain.derivations.walking import along_slopes

__all__ = ["momentum_unrolled"]


def _gradients(a: Any) -> np.ndarray:
    """g₁ … g_T, where momentum led to."""
    return ahead(a)[:-1] @ a.hessian


def _velocity_sums(a: Any) -> np.ndarray:
    """−ε Σᵢ αᵗ⁻ⁱ gᵢ for every t."""
    g = _gradients(a)
    return np.array(
        [
            -a.rate * sum(a.alpha ** (t - i) * g[i - 1] for i in range(1, t + 1))
            for t in range(1, len(g) + 1)
        ]
    )


def _double_sums(a: Any, scaled: np.ndarray) -> np.ndarray:
    """Σⱼ Σᵢ αʲ⁻ⁱ of what is given, i ≤ j ≤ t, for every t."""
    steps = range(1, len(scaled) + 1)
    return np.array(
        [
            sum(
                a.alpha ** (j - i) * scaled[i - 1] for j in range(1, t + 1) for i in range(1, j + 1)
            )
            for t in steps
        ]
    )


def _points_by_sums(a: Any) -> np.ndarray:
    return a.theta - a.rate * _double_sums(a, _gradients(a))


def _symbolic(s: Any, steps: int = 4) -> tuple[Any, Any]:
    """The velocity by its recursion and by its sum."""
    alpha, rate = s.symbols("alpha epsilon")
    g, velocity = s.symbols(f"g1:{steps + 1}"), s.Integer(0)
    for slope in g:
        velocity = alpha * velocity - rate * slope
    return velocity, -rate * sum(alpha ** (steps - 1 - i) * g[i] for i in range(steps))


def _adaptive(a: Any) -> np.ndarray:
    rule = RMSProp(learning_rate=a.rate, rho=a.rho, momentum=a.alpha, epsilon=a.small)
    return along_slopes(rule, a.slopes, a.theta).points[1:]


def _squares(a: Any) -> np.ndarray:
    """r₁ … r_T of RMSProp, as sums."""
    return np.array(
        [
            (1 - a.rho) * sum(a.rho ** (t - i) * a.slopes[i] ** 2 for i in range(t + 1))
            for t in range(STEPS)
        ]
    )


def _adaptive_sums(a: Any, slopes: np.ndarray) -> np.ndarray:
    return a.theta - _double_sums(a, a.rate / (np.sqrt(_squares(a)) + a.small) * slopes)


_SUMS = (
    Line(
        r"V_4 = -\varepsilon(\alpha^3 g_1 + \alpha^2 g_2 + \alpha g_3 + g_4)",
        "V₄ = −ε (α³g₁ + α²g₂ + αg₃ + g₄)",
        "V ← αV − εg put into itself, from V₀ = 0",
        Exact(lambda s: _symbolic(s)[0], lambda s: _symbolic(s)[1]),
    ),
    Line(
        r"V_t = -\varepsilon\sum_{i=1}^t\alpha^{t-i}",
        "Vₜ = −ε Σᵢ αᵗ⁻ⁱ",
        "printed without the gradients",
        Equal(
            lambda a: -walked(a).kept["velocity"],
            lambda a: np.repeat(
                [-a.rate * sum(a.alpha**k for k in range(t + 1)) for t in range(STEPS)], 3
            ),
        ),
        wrong=True,
    ),
    Line(
        r"V_t = -\varepsilon\sum_{i=1}^t\alpha^{t-i} g_i",
        "Vₜ = −ε Σᵢ αᵗ⁻ⁱ gᵢ",
        "the same for every t; left: the catalogue's Nesterov",
        Equal(lambda a: -walked(a).kept["velocity"], _velocity_sums),
    ),
    Line(
        r"\theta_t = \theta_0 + \sum_{j=1}^t V_j",
        "θₜ = θ₀ + Σⱼ Vⱼ",
        "θ ← θ + V put into itself",
        Equal(
            lambda a: walked(a).points[1:],
            lambda a: a.theta + np.cumsum(_velocity_sums(a), axis=0),
        ),
    ),
    Line(
        r"\theta_t = \theta_0 - \varepsilon\sum_{j=1}^t\sum_{i=1}^j\alpha^{j-i}"
        r"\nabla f(\theta_{i-1}+\alpha V_{i-1})",
        "θₜ = θ₀ − ε Σⱼ Σᵢ αʲ⁻ⁱ ∇f(θᵢ₋₁ + αVᵢ₋₁)",
        "both sums together, the gradients being those at the points ahead",
        Equal(lambda a: walked(a).points[1:], _points_by_sums),
    ),
    Line(
        r"\theta_t = \theta_0 - \varepsilon\alpha\sum_{i=1}^t\alpha^{t-i}g_i"
        r" - \varepsilon\sum_{j=1}^t\sum_{i=1}^j\alpha^{j-i}g_i",
        "θₜ = θ₀ − εα Σᵢ αᵗ⁻ⁱ gᵢ − ε Σⱼ Σᵢ αʲ⁻ⁱ gᵢ",
        "printed after an 'or', as another form of θₜ: it has one more αVₜ",
        Equal(
            lambda a: walked(a).points[1:],
            lambda a: a.alpha * _velocity_sums(a) + _points_by_sums(a),
        ),
        wrong=True,
    ),
    Line(
        r"\tilde\theta_t = \theta_t + \alpha V_t = \theta_0"
        r" - \varepsilon\alpha\sum_{i=1}^t\alpha^{t-i}g_i"
        r" - \varepsilon\sum_{j=1}^t\sum_{i=1}^j\alpha^{j-i}g_i",
        "θ̃ₜ = θₜ + αVₜ = θ₀ − εα Σᵢ αᵗ⁻ⁱ gᵢ − ε Σⱼ Σᵢ αʲ⁻ⁱ gᵢ",
        "it is the point ahead, where the next gradient is taken; left: the catalogue's Nesterov "
        "with the stored point",
        Equal(
            lambda a: walked(a, "stored_point").points[1:],
            lambda a: a.alpha * _velocity_sums(a) + _points_by_sums(a),
        ),
    ),
    Line(
        r"\theta_t = \theta_0 - \varepsilon\sum_{i=1}^t\frac{1-\alpha^{t-i+1}}{1-\alpha}g_i",
        "θₜ = θ₀ − ε Σᵢ (1 − αᵗ⁻ⁱ⁺¹) / (1 − α) · gᵢ",
        "the inner sum is geometric: a gradient counts up to 1 / (1 − α) times in the end",
        Equal(
            lambda a: walked(a).points[-1],
            lambda a: (
                a.theta
                - a.rate / (1 - a.alpha) * (1 - a.alpha ** np.arange(STEPS, 0, -1)) @ _gradients(a)
            ),
        ),
    ),
    Line(
        r"\text{RMSProp: } \theta_t = \theta_0 - \sum_{j=1}^t\sum_{i=1}^j\alpha^{j-i}"
        r"\frac{\varepsilon}{\sqrt{g_i}+\delta}\, g_i",
        "RMSProp:  θₜ = θ₀ − Σⱼ Σᵢ αʲ⁻ⁱ ε / (√gᵢ + δ) · gᵢ",
        "printed with one letter for the average of squares and for the gradient",
        Equal(_adaptive, lambda a: _adaptive_sums(a, _squares(a))),
        wrong=True,
    ),
    Line(
        r"\text{RMSProp: } \theta_t = \theta_0 - \sum_{j=1}^t\sum_{i=1}^j\alpha^{j-i}"
        r"\frac{\varepsilon}{\sqrt{r_i}+\delta}\, \nabla L(\theta_{i-1})",
        "RMSProp:  θₜ = θ₀ − Σⱼ Σᵢ αʲ⁻ⁱ ε / (√rᵢ + δ) · ∇L(θᵢ₋₁)",
        "the same sums, each gradient divided by the root r had then; AdaGrad has Σg² for r",
        Equal(_adaptive, lambda a: _adaptive_sums(a, a.slopes)),
    ),
)


def momentum_unrolled() -> Derivation:
    """Momentum as sums over all gradients so far."""

    def numbers() -> tuple[Numbers, ...]:
        a = bowl()
        columns = {
            "θₜ": walked(a).points[1:],
            "double sum": _points_by_sums(a),
            "'or' sum": a.alpha * _velocity_sums(a) + _points_by_sums(a),
            "θ̃ₜ": walked(a, "stored_point").points[1:],
        }
        return (table(columns),)

    return Derivation(
        "momentum-unrolled",
        "With momentum every gradient so far counts, the older the less in the velocity and the "
        "older the more in the point.",
        (
            ("V", "velocity, added to θ"),
            ("α, ε", "momentum, learning rate"),
            ("gᵢ", "gradient of step i, taken at θᵢ₋₁ + αVᵢ₋₁"),
            ("r, δ", "average of squared gradients, and a small constant"),
        ),
        draw,
        _SUMS,
        "Sutskever et al., On the Importance of Initialization and Momentum, 2013, equations 3 "
        "and 4",
        remarks=("A text heads this with Newton. It is Nesterov's momentum.",),
        numbers=numbers,
    )
