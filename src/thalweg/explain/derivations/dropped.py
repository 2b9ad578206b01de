"""The weights of units that are dropped in a step, and whether they move."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.catalogue.losses import SquaredError
from thalweg.catalogue.optimizers import Adam, GradientDescent, Momentum
from thalweg.catalogue.regularizers import L2
from thalweg.explain.derivations.claims import Equal
from thalweg.explain.derivations.frame import Derivation, Line, Numbers
from thalweg.explain.derivations.walking import along_slopes, first_step, one_step

__all__ = ["dropped_weights"]


def _draw(random: np.random.Generator) -> Any:
    return SimpleNamespace(
        x=random.normal(size=4),
        y=random.normal(),
        mask=random.permuted([0.0, 0.0, 1.0, 1.0]),
        w=random.normal(size=3),
        v=random.normal(size=3),
        slopes=np.vstack([random.normal(size=(3, 3)), np.zeros(3)]),
        of_all=random.normal(size=4),
        rate=random.uniform(0.05, 0.3),
        beta=random.uniform(0.5, 0.95),
        strength=random.uniform(0.05, 0.5),
    )


def _through_mask(a: Any) -> Any:
    """The gradient by the weights behind units of which some are dropped."""

    def loss(w: Any) -> Any:
        made = (jnp.asarray(a.mask * a.x) @ w)[None, None]
        return SquaredError(factor=0.5)(made, jnp.asarray([a.y])).sum()

    return jax.grad(loss)(jnp.asarray(a.of_all))


def _with_momentum(a: Any) -> Any:
    rule = Momentum(learning_rate=a.rate, momentum=a.beta)
    return one_step(rule, np.zeros(3), a.w, {"velocity": jnp.asarray(a.v)})


def _with_penalty(a: Any) -> Any:
    rule, penalty = GradientDescent(learning_rate=a.rate), L2(strength=a.strength, factor=0.5)
    return first_step(rule, lambda w: penalty.penalty({"kernel": w}), a.w)


def _with_adam(a: Any) -> Any:
    """The last of four steps; the units are dropped in it alone."""
    rule = Adam(learning_rate=a.rate, beta1=0.9, beta2=0.999, epsilon=1e-8)
    return np.diff(along_slopes(rule, a.slopes, a.w).points, axis=0)[-1]


def _adam_by_hand(a: Any) -> np.ndarray:
    m = 0.1 * sum(0.9 ** (3 - i) * a.slopes[i] for i in range(3)) / (1 - 0.9**4)
    v = 0.001 * sum(0.999 ** (3 - i) * a.slopes[i] ** 2 for i in range(3)) / (1 - 0.999**4)
    return -a.rate * m / (np.sqrt(v) + 1e-8)


_STAYS = "w′ = w"

_LINES = (
    Line(
        r"\nabla_w L = (\hat y - y)\; m\odot h,\quad \hat y = w^\top(m\odot h)",
        "∇_w L = (ŷ − y) m ⊙ h,  ŷ = wᵀ(m ⊙ h)",
        "a dropped unit, m = 0, hands no gradient to the weights behind it",
        Equal(
            _through_mask,
            lambda a: (a.of_all @ (a.mask * a.x) - a.y) * a.mask * a.x,
        ),
    ),
    Line(
        r"\text{plain descent, } g=0:\quad w' = w",
        f"plain descent, g = 0:  {_STAYS}",
        "w − η · 0; left: the catalogue's descent",
        Equal(
            lambda a: one_step(GradientDescent(learning_rate=a.rate), np.zeros(3), a.w, {}),
            lambda a: a.w,
        ),
    ),
    Line(
        r"\text{momentum, } g=0:\quad w' = w",
        f"momentum, g = 0:  {_STAYS}",
        "printed for all optimizers: dropped weights are simply not updated",
        Equal(_with_momentum, lambda a: a.w),
        wrong=True,
    ),
    Line(
        r"\text{momentum, } g=0:\quad w' = w - \beta v",
        "momentum, g = 0:  w′ = w − βv",
        "past gradients carry on",
        Equal(_with_momentum, lambda a: a.w - a.beta * a.v),
    ),
    Line(
        r"\text{penalty } \tfrac{\lambda}{2}\lVert w\rVert^2,\; g=0:\quad w' = w",
        f"penalty (λ/2)‖w‖², g = 0:  {_STAYS}",
        "the same claim",
        Equal(_with_penalty, lambda a: a.w),
        wrong=True,
    ),
    Line(
        r"\text{penalty } \tfrac{\lambda}{2}\lVert w\rVert^2,\; g=0:\quad w' = (1-\eta\lambda)w",
        "penalty (λ/2)‖w‖², g = 0:  w′ = (1 − ηλ) w",
        "the penalty does not know what was dropped",
        Equal(_with_penalty, lambda a: (1 - a.rate * a.strength) * a.w),
    ),
    Line(
        r"\text{Adam, } g=0:\quad w' = w - \eta\,\frac{\hat m}{\sqrt{\hat v}+\epsilon}",
        "Adam, g = 0:  w′ = w − η m̂ / (√v̂ + ε)",
        "m and v only shrink by β₁ and β₂; here the fourth step, after three with gradients",
        Equal(_with_adam, _adam_by_hand),
    ),
)


def _two_steps(rule: Any, strength: float) -> list[float]:
    """Changes of w = 1 with x = 1 and y = 4, whose gradient is −6, and then with x dropped."""
    penalty, w = L2(strength=strength, factor=0.5), jnp.ones(1)
    state, changes = rule.start(w), []
    for count, x in enumerate((1.0, 0.0), 1):

        def objective(w: Any, x: float = x) -> Any:
            error = SquaredError()((x * w)[None], jnp.array([4.0])).sum()
            return error + penalty.penalty({"kernel": w}), None

        step = rule.step(objective, w, state, count)
        changes.append(float(step.parameters[0] - w[0]))
        w, state = step.parameters, step.state
    return changes


def _numbers() -> tuple[Numbers, ...]:
    descent, momentum = GradientDescent(learning_rate=0.1), Momentum(learning_rate=0.1)
    rows = (
        ("plain descent", *_two_steps(descent, 0.0)),
        ("momentum 0.9", *_two_steps(momentum, 0.0)),
        ("penalty λ = 0.1", *_two_steps(descent, 0.1)),
    )
    caption = "Change of w from 1, η = 0.1, (wx − 4)² with x = 1, then x dropped"
    return (Numbers(caption, ("optimizer", "first step", "dropped step"), rows),)


def dropped_weights() -> Derivation:
    """Weights of dropped units stay only under plain descent."""
    return Derivation(
        "dropped-weights",
        "Weights behind a dropped unit have the gradient 0 in that step. Under plain descent they "
        "stay; momentum, Adam and a penalty move them all the same.",
        (
            ("h, m", "hidden values, and 0 where one is dropped, 1 elsewhere"),
            ("w, w′", "weights behind them, before and after the step"),
            ("v", "velocity"),
            ("η, β, λ", "learning rate, momentum, strength of the penalty"),
        ),
        _draw,
        _LINES,
        "Srivastava et al., Dropout, 2014, section 5",
        numbers=_numbers,
    )
