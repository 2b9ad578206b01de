"""A loss at a hidden unit, beside the one at the outputs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.catalogue.activations import Sigmoid
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.losses import AbsoluteError, DeepSupervision, SquaredError
from thalweg.catalogue.networks import MLP
from thalweg.explain.derivations.claims import Equal
from thalweg.explain.derivations.frame import Derivation, Line

__all__ = ["hidden_loss"]

_NETWORK = MLP(hidden=(2,), activation=Sigmoid(), outputs=2)
_LOSS = DeepSupervision(
    final=SquaredError(factor=0.5), hidden=AbsoluteError(), tap="activation_0.a", weight=1.0
)


def _draw(random: np.random.Generator) -> Any:
    a = SimpleNamespace(
        x=random.normal(size=3),
        y=random.normal(size=2),
        w1=random.normal(size=(2, 3)),
        b1=random.normal(size=2),
        w2=random.normal(size=(2, 2)),
        b2=random.normal(size=2),
    )
    a.before = a.w1 @ a.x + a.b1  # a_h of the text
    a.h = 1 / (1 + np.exp(-a.before))
    a.of_output = (a.w2 @ a.h + a.b2 - a.y) / 2
    a.by_h = np.sign(a.h - a.y) / 2  # ∂L_h/∂h of the mean absolute error
    a.slope = a.h * (1 - a.h)
    return a


def _total(nudge: Any, given: Any, attached: float) -> Any:
    held = {
        "dense_0": {"kernel": given["w1"].T, "bias": given["b1"]},
        "dense_1": {"kernel": given["w2"].T, "bias": given["b2"]},
    }
    taps: dict[str, Any] = {}
    context = Context("train", taps=taps, nudges={"dense_0.z": nudge})
    outputs, _ = _NETWORK.apply(Variables(held, {}), given["x"][None], context)
    targets = given["y"][None]
    return (_LOSS(outputs, targets) + attached * _LOSS.attached(taps, targets)).sum()


_DIFFERENTIATED = jax.jit(jax.grad(_total))


def _delta(a: Any, attached: float) -> Any:
    """∂L/∂a_h of the catalogue's network, with or without the loss at the hidden units."""
    given = {name: jnp.asarray(getattr(a, name)) for name in ("x", "y", "w1", "b1", "w2", "b2")}
    return _DIFFERENTIATED(jnp.zeros((1, 2)), given, attached)[0]


def _squashed(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


_LINES = (
    Line(
        r"\delta_h \leftarrow \Phi(a_h)\sum_{j} w_{hj}\,\delta_j",
        "δ_h ← Φ(a_h) Σⱼ w_hj δⱼ",
        "printed with the prime of Φ′ lost",
        Equal(lambda a: _delta(a, 0.0), lambda a: _squashed(a.before) * (a.w2.T @ a.of_output)),
        wrong=True,
    ),
    Line(
        r"\delta_h \leftarrow \Phi'(a_h)\sum_{j} w_{hj}\,\delta_j",
        "δ_h ← Φ′(a_h) Σⱼ w_hj δⱼ",
        "back-propagation of the loss at the outputs alone; left: automatic differentiation of the "
        "catalogue's network",
        Equal(lambda a: _delta(a, 0.0), lambda a: a.slope * (a.w2.T @ a.of_output)),
    ),
    Line(
        r"\delta_h \leftarrow \delta_h + \Phi(h)\,\frac{\partial L_h}{\partial h}",
        "δ_h ← δ_h + Φ(h) ∂L_h/∂h",
        "printed with the prime lost again, and at h in the place of a_h",
        Equal(
            lambda a: _delta(a, 1.0),
            lambda a: a.slope * (a.w2.T @ a.of_output) + _squashed(a.h) * a.by_h,
        ),
        wrong=True,
    ),
    Line(
        r"\delta_h \leftarrow \delta_h + \Phi'(a_h)\,\frac{\partial L_h}{\partial h}",
        "δ_h ← δ_h + Φ′(a_h) ∂L_h/∂h",
        "the hidden loss reaches a_h through the same activation; left: with the catalogue's "
        "absolute error at the hidden units",
        Equal(
            lambda a: _delta(a, 1.0),
            lambda a: a.slope * (a.w2.T @ a.of_output) + a.slope * a.by_h,
        ),
    ),
    Line(
        r"\delta_h = \Phi'(a_h)\Big(\sum_{j} w_{hj}\,\delta_j"
        r" + \frac{\partial L_h}{\partial h}\Big)",
        "δ_h = Φ′(a_h) (Σⱼ w_hj δⱼ + ∂L_h/∂h)",
        "both steps together: whatever reaches h is added up before it passes the activation",
        Equal(lambda a: _delta(a, 1.0), lambda a: a.slope * (a.w2.T @ a.of_output + a.by_h)),
    ),
)


def hidden_loss() -> Derivation:
    """What a loss at hidden units adds on the way back."""
    return Derivation(
        "hidden-loss",
        "A loss L_h at the hidden value h = Φ(a_h) adds Φ′(a_h) ∂L_h/∂h to the δ_h of ordinary "
        "back-propagation.",
        (
            ("a_h, h", "a hidden unit before and after its activation Φ, here a sigmoid"),
            ("δ", "gradient of the whole loss by the value before the activation"),
            ("w_hj", "weight from h to unit j"),
            ("L_h", "loss at the hidden unit, here the mean absolute error"),
        ),
        _draw,
        _LINES,
        "Lee, Xie, Gallagher, Zhang & Tu, Deeply-Supervised Nets, 2015, equation 3",
    )
