"""Nesterov's momentum, seen from the point where the gradient is taken."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.catalogue.optimizers import Nesterov
from thalweg.explain.derivations.claims import Equal, Exact
from thalweg.explain.derivations.following import ahead, bowl, draw, table, walked
from thalweg.explain.derivations.frame import Derivation, Line, Numbers

__all__ = ["nesterov"]


def _new_velocity(a: Any) -> np.ndarray:
    """αV − ε∇L(θ + αV), with V = v of the arguments."""
    return a.alpha * a.v - a.rate * a.hessian @ (a.theta + a.alpha * a.v)


def _stepped(a: Any, form: Any, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A point and V after one step of the catalogue's Nesterov on the quadratic."""
    rule: Any = Nesterov(learning_rate=a.rate, momentum=a.alpha, form=form)
    at = np.asarray(rule.lookahead(point, {"velocity": -a.v}))
    update = rule.update(a.hessian @ at, {"velocity": -a.v}, point, 1)
    return point + np.asarray(update.increment), -np.asarray(update.state["velocity"])


def _rewritten(s: Any) -> dict[str, Any]:
    theta, alpha, old, new = s.symbols("theta alpha v_old v_new")
    ahead = theta + alpha * old  # θ̃ before the step
    return {
        "after": (theta + new) + alpha * new,
        "put in": ahead - alpha * old + new + alpha * new,
        "collected": ahead + new + alpha * (new - old),
    }


_REWRITE = (
    Line(
        r"V' = \varepsilon V - \varepsilon\nabla L(\theta + \varepsilon V)",
        "V′ = εV − ε∇L(θ + εV)",
        "printed with one letter for momentum and learning rate",
        Equal(
            lambda a: _stepped(a, "lookahead", a.theta)[1],
            lambda a: a.rate * a.v - a.rate * a.hessian @ (a.theta + a.rate * a.v),
        ),
        wrong=True,
    ),
    Line(
        r"V' = \alpha V - \varepsilon\nabla L(\theta + \alpha V),\quad \theta' = \theta + V'",
        "V′ = αV − ε∇L(θ + αV),  θ′ = θ + V′",
        "Nesterov's momentum: the gradient is taken ahead; left: the catalogue's",
        Equal(
            lambda a: _stepped(a, "lookahead", a.theta),
            lambda a: (a.theta + _new_velocity(a), _new_velocity(a)),
        ),
    ),
    Line(
        r"\tilde\theta := \theta + \alpha V:\quad"
        r" \tilde\theta' = \theta + V' + \alpha V' = \tilde\theta - \alpha V + V' + \alpha V'",
        "θ̃ := θ + αV:  θ̃′ = θ + V′ + αV′ = θ̃ − αV + V′ + αV′",
        "the point ahead gets a name, before and after the step; θ = θ̃ − αV is put in",
        Exact(lambda s: _rewritten(s)["after"], lambda s: _rewritten(s)["put in"]),
    ),
    Line(
        r"\tilde\theta' = \tilde\theta + V' + \alpha(V' - V)",
        "θ̃′ = θ̃ + V′ + α(V′ − V)",
        "α is taken out",
        Exact(lambda s: _rewritten(s)["put in"], lambda s: _rewritten(s)["collected"]),
    ),
    Line(
        r"V' = \alpha V - \varepsilon\nabla L(\tilde\theta),\quad"
        r" \tilde\theta' = \tilde\theta + V' + \alpha(V'-V)",
        "V′ = αV − ε∇L(θ̃),  θ̃′ = θ̃ + V′ + α(V′ − V)",
        "nothing but θ̃ is needed: no gradient elsewhere than where the parameters are. Left: the "
        "catalogue's Nesterov with the stored point; right: θ′ + αV′ of the form above",
        Equal(
            lambda a: _stepped(a, "stored_point", a.theta + a.alpha * a.v)[0],
            lambda a: a.theta + _new_velocity(a) + a.alpha * _new_velocity(a),
        ),
    ),
    Line(
        r"\tilde\theta_t = \theta_t + \alpha V_t \text{ for all } t",
        "θ̃ₜ = θₜ + αVₜ for all t",
        "both forms begin at the same point with V = 0, and stay together",
        Equal(lambda a: walked(a, "stored_point").points, ahead),
    ),
)


def nesterov() -> Derivation:
    """Nesterov's momentum rewritten for the point where the gradient is taken."""

    def numbers() -> tuple[Numbers, ...]:
        a = bowl()
        columns = {
            "θₜ": walked(a).points[1:],
            "θₜ + αVₜ": ahead(a)[1:],
            "θ̃ₜ": walked(a, "stored_point").points[1:],
        }
        return (table(columns),)

    return Derivation(
        "nesterov",
        "Seen from the point ahead, θ̃ = θ + αV, Nesterov's momentum is "
        "θ̃ ← θ̃ + V′ + α(V′ − V): the gradient is taken where the parameters are.",
        (
            ("V, V′", "velocity before and after a step, added to θ"),
            ("α, ε", "momentum, learning rate"),
            ("θ̃", "where momentum leads to before the gradient is taken"),
        ),
        draw,
        _REWRITE,
        "Bengio, Boulanger-Lewandowski & Pascanu, Advances in Optimizing Recurrent Networks, 2013, "
        "equation 7",
        numbers=numbers,
    )
