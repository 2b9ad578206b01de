"""Adam's averages, which begin at zero, and their correction."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from thalweg.catalogue.optimizers import Adam
from thalweg.explain.derivations.claims import Equal, Exact
from thalweg.explain.derivations.frame import Derivation, Line, Numbers
from thalweg.explain.derivations.walking import along_slopes

__all__ = ["adam_bias_correction"]

_STEPS = 8


def _draw(random: np.random.Generator) -> Any:
    slope = random.uniform(0.2, 3, size=3) * random.choice([-1.0, 1.0], size=3)
    return SimpleNamespace(
        slope=slope,
        slopes=random.normal(size=(_STEPS, 3)),
        beta1=random.uniform(0.5, 0.95),
        beta2=random.uniform(0.9, 0.999),
        rate=random.uniform(0.01, 0.1),
        small=random.uniform(1e-3, 1e-2),
    )


def _adam(a: Any, slopes: np.ndarray, correction: Any = "both") -> Any:
    rule = Adam(
        learning_rate=a.rate,
        beta1=a.beta1,
        beta2=a.beta2,
        epsilon=a.small,
        bias_correction=correction,
    )
    return along_slopes(rule, slopes, np.zeros(slopes.shape[1]))


def _constant(a: Any) -> np.ndarray:
    return np.tile(a.slope, (_STEPS, 1))


def _increments(a: Any, slopes: np.ndarray, correction: Any = "both") -> np.ndarray:
    return np.diff(_adam(a, slopes, correction).points, axis=0)


def _averages(slopes: np.ndarray, beta: float) -> np.ndarray:
    """(1 − β) Σᵢ βᵗ⁻ⁱ of what is given, for every t."""
    return np.array(
        [
            (1 - beta) * sum(beta ** (t - i) * slopes[i] for i in range(t + 1))
            for t in range(len(slopes))
        ]
    )


def _lacking(beta: float, steps: int = _STEPS) -> np.ndarray:
    """1 − βᵗ for every t, as a column."""
    return 1 - beta ** np.arange(1, steps + 1)[:, None]


def _overwritten(a: Any, slopes: np.ndarray) -> np.ndarray:
    """Increments where the corrected moments are kept for the next step, as printed."""
    m, v, found = np.zeros(slopes.shape[1]), np.zeros(slopes.shape[1]), []
    for t, g in enumerate(slopes, 1):
        m = (a.beta1 * m + (1 - a.beta1) * g) / (1 - a.beta1**t)
        v = (a.beta2 * v + (1 - a.beta2) * g * g) / (1 - a.beta2**t)
        found.append(-a.rate * m / (np.sqrt(v) + a.small))
    return np.array(found)


def _uncorrected_root(a: Any) -> np.ndarray:
    first = _averages(a.slopes, a.beta1) / _lacking(a.beta1)
    return -a.rate / np.sqrt(_averages(a.slopes**2, a.beta2) + a.small) * first


def _by_formula(a: Any) -> np.ndarray:
    first = _averages(a.slopes, a.beta1) / _lacking(a.beta1)
    second = _averages(a.slopes**2, a.beta2) / _lacking(a.beta2)
    return -a.rate * first / (np.sqrt(second) + a.small)


def _geometric(s: Any, steps: int = 7) -> Any:
    beta = s.Symbol("beta")
    return (1 - beta) * sum(beta ** (steps - i) for i in range(1, steps + 1))


_MOMENTS = (
    Line(
        r"m_t = (1-\beta_1)\sum_{i=1}^t\beta_1^{t-i} g_i",
        "mₜ = (1 − β₁) Σᵢ β₁ᵗ⁻ⁱ gᵢ",
        "m ← β₁m + (1 − β₁)g put into itself, from m = 0; left: the catalogue's state",
        Equal(lambda a: _adam(a, a.slopes).kept["first"], lambda a: _averages(a.slopes, a.beta1)),
    ),
    Line(
        r"(1-\beta)\sum_{i=1}^{t}\beta^{t-i} = 1-\beta^t",
        "(1 − β) Σᵢ βᵗ⁻ⁱ = 1 − βᵗ",
        "a geometric sum, here for t = 7: the weights do not add up to 1",
        Exact(_geometric, lambda s: 1 - s.Symbol("beta") ** 7),
    ),
    Line(
        r"g_i = g:\quad m_t = (1-\beta_1^t)\,g,\quad v_t = (1-\beta_2^t)\,g^2",
        "gᵢ = g:  mₜ = (1 − β₁ᵗ) g,  vₜ = (1 − β₂ᵗ) g²",
        "for a constant gradient; for a random one the same holds of the expectations",
        Equal(
            lambda a: [_adam(a, _constant(a)).kept[name] for name in ("first", "second")],
            lambda a: [_lacking(a.beta1) * a.slope, _lacking(a.beta2) * a.slope**2],
        ),
    ),
    Line(
        r"\hat m_t = \frac{m_t}{1-\beta_1^t} = g,\quad \hat v_t = \frac{v_t}{1-\beta_2^t} = g^2",
        "m̂ₜ = mₜ / (1 − β₁ᵗ) = g,  v̂ₜ = vₜ / (1 − β₂ᵗ) = g²",
        "what is lacking is divided out; left: the catalogue's corrected moments",
        Equal(
            lambda a: [
                _adam(a, _constant(a)).quantities[f"corrected_{name}_moment"]
                for name in ("first", "second")
            ],
            lambda a: [_constant(a), _constant(a) ** 2],
        ),
    ),
    Line(
        r"\hat m_t - m_t = \beta_1^t\,\hat m_t",
        "m̂ₜ − mₜ = β₁ᵗ m̂ₜ",
        "as t grows the correction disappears",
        Equal(
            lambda a: (
                _adam(a, a.slopes).quantities["corrected_first_moment"]
                - _adam(a, a.slopes).kept["first"]
            ),
            lambda a: (1 - _lacking(a.beta1)) * _averages(a.slopes, a.beta1) / _lacking(a.beta1),
        ),
    ),
)

_UPDATES = (
    Line(
        r"\Delta\theta_t = -\frac{\eta}{\sqrt{v_t+\epsilon}}\,\hat m_t",
        "Δθₜ = −η / √(vₜ + ε) · m̂ₜ",
        "printed with the corrected m̂ over an uncorrected v, and ε under the root",
        Equal(lambda a: _increments(a, a.slopes), _uncorrected_root),
        wrong=True,
    ),
    Line(
        r"\Delta\theta_t = -\eta\,\frac{\hat m_t}{\sqrt{\hat v_t}+\epsilon}",
        "Δθₜ = −η m̂ₜ / (√v̂ₜ + ε)",
        "both moments corrected; left: the catalogue's step",
        Equal(lambda a: _increments(a, a.slopes), _by_formula),
    ),
    Line(
        r"m_t \leftarrow m_t/(1-\beta_1^t),\; v_t \leftarrow v_t/(1-\beta_2^t),\;"
        r" \Delta\theta_t = -\eta\,m_t/(\sqrt{v_t}+\epsilon)",
        "mₜ ← mₜ / (1 − β₁ᵗ), vₜ ← vₜ / (1 − β₂ᵗ), Δθₜ = −η mₜ / (√vₜ + ε)",
        "printed with the corrected moments under the old names: kept for the next step they are "
        "corrected again and again",
        Equal(lambda a: _increments(a, a.slopes), lambda a: _overwritten(a, a.slopes)),
        wrong=True,
    ),
    Line(
        r"g_i = g:\quad \Delta\theta_t = -\eta\,\frac{g}{\lvert g\rvert+\epsilon}",
        "gᵢ = g:  Δθₜ = −η g / (|g| + ε)",
        "with the state left uncorrected every step of a constant gradient is η long",
        Equal(
            lambda a: _increments(a, _constant(a)),
            lambda a: np.tile(-a.rate * a.slope / (abs(a.slope) + a.small), (_STEPS, 1)),
        ),
    ),
    Line(
        r"\text{without correction: } \Delta\theta_1 ="
        r" -\eta\,\frac{(1-\beta_1)\,g}{\sqrt{1-\beta_2}\,\lvert g\rvert+\epsilon}",
        "without correction:  Δθ₁ = −η (1 − β₁) g / (√(1 − β₂) |g| + ε)",
        "m₁ = (1 − β₁) g and v₁ = (1 − β₂) g² as they are: 0.1 / √0.001 = 3.16 times too long at "
        "the defaults",
        Equal(
            lambda a: _increments(a, a.slopes, "none")[0],
            lambda a: (
                -a.rate
                * (1 - a.beta1)
                * a.slopes[0]
                / (np.sqrt(1 - a.beta2) * abs(a.slopes[0]) + a.small)
            ),
        ),
    ),
)


def _numbers() -> tuple[Numbers, ...]:
    a = SimpleNamespace(beta1=0.9, beta2=0.999, rate=0.01, small=1e-8)
    slopes = np.ones((50, 1))
    right, literal = abs(_increments(a, slopes)), abs(_overwritten(a, slopes))
    rows = tuple((t, float(right[t - 1, 0]), float(literal[t - 1, 0])) for t in (1, 2, 3, 10, 50))
    first = float(abs(_increments(a, slopes, "none"))[0, 0]) / a.rate
    return (
        Numbers(
            "Length of the steps for g = 1, η = 0.01",
            ("t", "state kept uncorrected", "corrected moments kept"),
            rows,
        ),
        Numbers("First step in η", ("", "Δθ₁ / η"), (("without correction", first),)),
    )


def adam_bias_correction() -> Derivation:
    """Adam's moments begin at zero and are too small by 1 − βᵗ."""
    return Derivation(
        "adam-bias-correction",
        "Averages that begin at zero are too small by the factor 1 − βᵗ. Divided by it they are "
        "right for a constant gradient from the first step on; the state must stay as it is.",
        (
            ("g", "gradient"),
            ("m, v", "averages of g and g², which are kept"),
            ("m̂, v̂", "the same, corrected for the step alone"),
            ("β₁, β₂", "shares of the old averages that are kept"),
            ("η, ε", "learning rate, small constant"),
        ),
        _draw,
        (*_MOMENTS, *_UPDATES),
        "Kingma & Ba, Adam: A Method for Stochastic Optimization, 2015, algorithm 1 and section 3",
        remarks=(
            "Where a text says that for large t the convolution disappears, it is the correction.",
        ),
        numbers=_numbers,
    )
