"""Momentum in two signs of the velocity.

The velocity v of the catalogue is −V.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.catalogue.optimizers import Momentum
from thalweg.explain.derivations.claims import Equal
from thalweg.explain.derivations.following import BOWL, STEPS, draw
from thalweg.explain.derivations.frame import Derivation, Line, Numbers
from thalweg.explain.derivations.walking import on_quadratic

__all__ = ["momentum_signs"]


def _other_sign(a: Any) -> np.ndarray:
    """V ← βV − ηg, θ ← θ + V, all points."""
    points, velocity = [a.theta], np.zeros_like(a.theta)
    for _ in range(STEPS):
        velocity = a.alpha * velocity - a.rate * a.hessian @ points[-1]
        points.append(points[-1] + velocity)
    return np.array(points)


def _one_velocity(a: Any, where: Any = "velocity") -> Any:
    rule: Any = Momentum(learning_rate=a.rate, momentum=a.alpha, learning_rate_in=where)
    return rule, rule.update(a.slopes[0], {"velocity": -a.v}, a.theta, 1)


_SIGNS = (
    Line(
        r"v = -V:\quad \beta v + \eta g = -(\beta V - \eta g)",
        "v = −V:  βv + ηg = −(βV − ηg)",
        "the induction: velocities that are opposite before a step are opposite after it; left: "
        "the catalogue's",
        Equal(
            lambda a: _one_velocity(a)[1].state["velocity"],
            lambda a: -(a.alpha * a.v - a.rate * a.slopes[0]),
        ),
    ),
    Line(
        r"\theta - v = \theta + V",
        "θ − v = θ + V",
        "so both take the same step; they begin alike, with v = V = 0",
        Equal(
            lambda a: a.theta + _one_velocity(a)[1].increment,
            lambda a: a.theta + (a.alpha * a.v - a.rate * a.slopes[0]),
        ),
    ),
    Line(
        r"\theta_t \text{ by } v = \theta_t \text{ by } V \text{ for all } t",
        "θₜ by v = θₜ by V for all t",
        "on a quadratic, where gradients depend on the points before",
        Equal(
            lambda a: on_quadratic(_one_velocity(a)[0], a.hessian, a.theta, STEPS).points,
            _other_sign,
        ),
    ),
    Line(
        r"u \leftarrow \beta u + g,\; \theta \leftarrow \theta - \eta u:\quad v = \eta u",
        "u ← βu + g, θ ← θ − ηu:  v = ηu",
        "the learning rate may stand in the step instead, as long as it stays the same",
        Equal(
            lambda a: on_quadratic(_one_velocity(a, "step")[0], a.hessian, a.theta, STEPS).points,
            _other_sign,
        ),
    ),
)


def momentum_signs() -> Derivation:
    """Two sign conventions of momentum are one sequence."""

    def numbers() -> tuple[Numbers, ...]:
        start, velocity, rate = np.array([3.0, 1.0]), np.zeros(2), 0.02
        walk = on_quadratic(Momentum(learning_rate=rate, momentum=0.9), BOWL, start, 20)
        other = start
        for _ in range(20):
            velocity = 0.9 * velocity - rate * BOWL @ other
            other = other + velocity
        rows = (("θ − v", *map(float, walk.points[-1])), ("θ + V", *map(float, other)))
        caption = "After 20 steps on x² + 4y² from (3, 1), η = 0.02, β = 0.9"
        return (Numbers(caption, ("form", "x", "y"), rows),)

    return Derivation(
        "momentum-signs",
        "v ← βv + ηg with θ ← θ − v, and V ← βV − ηg with θ ← θ + V, give the same points.",
        (
            ("v, V", "velocity, in either sign"),
            ("β", "momentum"),
            ("η", "learning rate"),
            ("g", "gradient"),
        ),
        draw,
        _SIGNS,
        "Polyak, 1964; Sutskever et al., On the Importance of Initialization and Momentum, 2013, "
        "equations 1 and 2",
        numbers=numbers,
    )
