"""Momentum on quadratics, as its derivations follow it.

Texts write V ← αV − εg, θ ← θ + V. The velocity v of the catalogue is −V.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from thalweg.catalogue.optimizers import Nesterov
from thalweg.explain.derivations.frame import Numbers
from thalweg.explain.derivations.walking import Walk, on_quadratic

__all__ = ["BOWL", "STEPS", "ahead", "bowl", "draw", "table", "walked"]

STEPS = 6
BOWL = np.diag([2.0, 8.0])  # the Hessian of x² + 4y²


def draw(random: np.random.Generator) -> Any:
    """Arguments: a quadratic, a point on it, a velocity, gradients and the numbers of the rules."""
    root = random.normal(size=(3, 3))
    return SimpleNamespace(
        hessian=root @ root.T,
        theta=random.normal(size=3),
        v=random.normal(size=3),
        slopes=random.normal(size=(STEPS, 3)),
        steps=STEPS,
        alpha=random.uniform(0.5, 0.95),
        rate=random.uniform(0.01, 0.1),
        rho=random.uniform(0.5, 0.95),
        small=random.uniform(0.01, 0.1),
    )


def bowl() -> Any:
    """The arguments of the worked example: eight steps on x² + 4y² from (4, 1)."""
    return SimpleNamespace(hessian=BOWL, theta=np.array([4.0, 1.0]), steps=8, alpha=0.9, rate=0.02)


def walked(a: Any, form: Any = "lookahead") -> Walk:
    """The way of the catalogue's Nesterov on the quadratic of the arguments."""
    rule = Nesterov(learning_rate=a.rate, momentum=a.alpha, form=form)
    return on_quadratic(rule, a.hessian, a.theta, a.steps)


def ahead(a: Any) -> np.ndarray:
    """θ + αV, where momentum led to before each step, and after the last."""
    walk = walked(a)
    velocities = np.vstack([np.zeros((1, len(a.theta))), walk.kept["velocity"]])
    return walk.points - a.alpha * velocities


def table(columns: dict[str, np.ndarray]) -> Numbers:
    """Points of the worked example after every step, by name [step, 2]."""
    rows = tuple(
        (t + 1, *(float(points[t][k]) for points in columns.values() for k in (0, 1)))
        for t in range(8)
    )
    names = tuple(f"{name}, {axis}" for name in columns for axis in "xy")
    caption = "Eight steps on x² + 4y² from (4, 1), α = 0.9, ε = 0.02"
    return Numbers(caption, ("t", *names), rows)
