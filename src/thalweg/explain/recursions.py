"""The two recursions of back-propagation through a perceptron, and layers taken apart.

With a_r = W_r h_{r−1} + b_r, h_r = Φ(a_r), L the loss and ⊙ the product entry by entry,

    after the activation    Δ_r = ∂L/∂h_r,   Δ_{r−1} = W_rᵀ (Φ′(a_r) ⊙ Δ_r)
    before the activation   δ_r = ∂L/∂a_r,   δ_{r−1} = Φ′(a_{r−1}) ⊙ W_rᵀ δ_r

and ∂L/∂W_r = δ_r h_{r−1}ᵀ, where δ_r = Φ′(a_r) ⊙ Δ_r. Decoupled, the map and the activation are
layers of their own, and each passes a gradient back by itself; the numbers are the same.

Source: Aggarwal, Neural Networks and Deep Learning, 2018, sections 3.2.3 to 3.2.6
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.catalogue.activations import Activation, Tanh
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.networks import MLP
from thalweg.errors import SpecError
from thalweg.explain.explanation import Explanation
from thalweg.explain.words import amount
from thalweg.report import parts
from thalweg.report.words import short

__all__ = ["recursions"]


@dataclass(frozen=True, eq=False)
class _Layer:
    """What one layer holds on the way there and on the way back.

    Args:
        kernel, bias: W [input, output] and b, as the catalogue has them.
        before, a, h: h_{r−1}, a_r and h_r.
        slope: Φ′(a_r).
        after: Δ_r, by the first recursion.
        ahead: δ_r, by the second.
    """

    kernel: np.ndarray
    bias: np.ndarray
    before: np.ndarray
    a: np.ndarray
    h: np.ndarray
    slope: np.ndarray
    after: np.ndarray
    ahead: np.ndarray


def recursions(
    sizes: Sequence[int], activation: Activation | None = None, seed: int = 0
) -> Explanation:
    """Both recursions through a perceptron with drawn parameters, input and target.

    The loss is ½ Σ (o − y)², of outputs without an activation.

    Args:
        sizes: of the input, the hidden layers and the output: ``(2, 3, 1)``.
        activation: of the hidden layers; tanh if left out.
        seed: of what is drawn.

    Raises:
        SpecError: there are fewer than two sizes, or one below 1 or above 32.
    """
    if len(sizes) < 2 or min(sizes) < 1 or max(sizes) > 32:
        raise SpecError(
            f"sizes must be two or more from 1 to 32, input first and output last; got {sizes}"
        )
    chosen = Tanh() if activation is None else activation
    with jax.enable_x64(True):
        network = MLP(hidden=tuple(sizes[1:-1]), outputs=sizes[-1], activation=chosen)
        draw = np.random.default_rng(seed)
        x, y = draw.normal(size=sizes[0]), draw.normal(size=sizes[-1])
        drawn = network.init(jax.random.key(seed), jnp.asarray(x)[None])
        layers = _gone_through(drawn.parameters, chosen, x, y)

        def loss(parameters: Any) -> jax.Array:
            variables = Variables(parameters, drawn.state)
            outputs, _ = network.apply(variables, jnp.asarray(x)[None], Context("evaluate"))
            return 0.5 * jnp.sum((outputs[0] - y) ** 2)

        by_jax = jax.tree.map(np.asarray, jax.grad(loss)(drawn.parameters))
    difference = max(
        float(np.max(np.abs(own - other), initial=0.0))
        for number, layer in enumerate(layers)
        for own, other in zip(_gradients(layer), _named(by_jax, number), strict=True)
    )
    page = parts.Page(
        f"Back-propagation through {' – '.join(map(str, sizes))}, {chosen!r}",
        (
            _rules(),
            parts.Section("Forward", (_forward(layers, x),)),
            parts.Section("After the activation", (_after(layers),)),
            parts.Section("Before the activation", (_ahead(layers),)),
            parts.Section("Decoupled", (_decoupled(layers),)),
            parts.Section("Gradients of the parameters", (_table(layers, by_jax, difference),)),
        ),
        "Aggarwal, Neural Networks and Deep Learning, 2018, section 3.2",
    )
    return Explanation(page, _data(layers, x, y, difference))


def _data(
    layers: Sequence[_Layer], x: np.ndarray, y: np.ndarray, difference: float
) -> dict[str, Any]:
    return {
        "x": x.tolist(),
        "y": y.tolist(),
        "layers": [
            {
                "a": layer.a.tolist(),
                "h": layer.h.tolist(),
                "after": layer.after.tolist(),
                "before": layer.ahead.tolist(),
                "kernel_gradient": np.outer(layer.before, layer.ahead).tolist(),
                "bias_gradient": layer.ahead.tolist(),
            }
            for layer in layers
        ],
        "differs_from_jax_by": difference,
    }


def _gone_through(
    parameters: Any, activation: Activation, x: np.ndarray, y: np.ndarray
) -> list[_Layer]:
    """Forward, and back by both recursions, each without a look at the other."""
    named = [parameters[f"dense_{number}"] for number in range(len(parameters))]
    held = [(np.asarray(own["kernel"]), np.asarray(own["bias"])) for own in named]
    before, there = x, []
    for number, (kernel, bias) in enumerate(held):
        a = before @ kernel + bias
        h, slope = a, np.ones_like(a)
        if number < len(held) - 1:
            h, pull = jax.vjp(activation, jnp.asarray(a))
            (slope,) = pull(jnp.ones_like(h))
        there.append((before, a, np.asarray(h), np.asarray(slope)))
        before = there[-1][2]
    after: list[np.ndarray] = [before - y]
    ahead: list[np.ndarray] = [before - y]
    for number in range(len(held) - 1, 0, -1):
        kernel = held[number][0]
        after.insert(0, kernel @ (there[number][3] * after[0]))
        ahead.insert(0, there[number - 1][3] * (kernel @ ahead[0]))
    return [
        _Layer(*own, *forward, after=delta, ahead=error)
        for own, forward, delta, error in zip(held, there, after, ahead, strict=True)
    ]


def _gradients(layer: _Layer) -> tuple[np.ndarray, np.ndarray]:
    return np.outer(layer.before, layer.ahead), layer.ahead


def _named(by_jax: Any, number: int) -> tuple[np.ndarray, np.ndarray]:
    held = by_jax[f"dense_{number}"]
    return held["kernel"], held["bias"]


def _rules() -> parts.Section:
    lines = (
        parts.Formula(
            r"\Delta_{r-1} = W_r^T \left(\Phi'(a_r) \odot \Delta_r\right)",
            "Δ_{r−1} = W_rᵀ (Φ′(a_r) ⊙ Δ_r)",
            "gradients of what comes after the activation, Δ_r = ∂L/∂h_r",
        ),
        parts.Formula(
            r"\delta_{r-1} = \Phi'(a_{r-1}) \odot W_r^T \delta_r",
            "δ_{r−1} = Φ′(a_{r−1}) ⊙ W_rᵀ δ_r",
            "gradients of what comes before it, δ_r = ∂L/∂a_r = Φ′(a_r) ⊙ Δ_r",
        ),
        parts.Formula(
            r"\frac{\partial L}{\partial W_r} = \delta_r h_{r-1}^T",
            "∂L/∂W_r = δ_r h_{r−1}ᵀ",
            "of a bias it is δ_r, as of a weight whose input is 1",
        ),
    )
    return parts.Section("Rules", lines)


def _forward(layers: Sequence[_Layer], x: np.ndarray) -> parts.Table:
    rows = [("0", "", amount(x), "")]
    rows += [
        (str(number), amount(layer.a), amount(layer.h), amount(layer.slope))
        for number, layer in enumerate(layers, 1)
    ]
    return parts.Table(("r", "a = W h₋ + b", "h = Φ(a)", "Φ′(a)"), tuple(rows), "rlll")


def _after(layers: Sequence[_Layer]) -> parts.Table:
    rows = [
        (str(number), amount(layer.after), amount(layer.slope * layer.after))
        for number, layer in reversed(list(enumerate(layers, 1)))
    ]
    caption = "From the output, where Δ = o − y, back."
    return parts.Table(("r", "Δ", "Φ′(a) ⊙ Δ"), tuple(rows), "rll", caption)


def _ahead(layers: Sequence[_Layer]) -> parts.Table:
    rows = []
    for number, layer in reversed(list(enumerate(layers, 1))):
        is_last = number == len(layers)
        arrived = layer.after if is_last else layers[number].kernel @ layers[number].ahead
        rows.append((str(number), amount(arrived), amount(layer.ahead)))
    caption = "What arrives is Wᵀ δ of the layer after, and at the output o − y."
    return parts.Table(("r", "arrives", "δ = Φ′(a) ⊙ that"), tuple(rows), "rll", caption)


def _decoupled(layers: Sequence[_Layer]) -> parts.Table:
    rows = []
    gradient = layers[-1].after
    for number, layer in reversed(list(enumerate(layers, 1))):
        if number < len(layers):
            passed = layer.slope * gradient
            rows.append((f"activation {number}", amount(gradient), "Φ′(a) ⊙ g", amount(passed)))
            gradient = passed
        passed = layer.kernel @ gradient
        rows.append((f"map {number}", amount(gradient), "Wᵀ g", amount(passed)))
        gradient = passed
    caption = (
        "Maps and activations as layers of their own: each takes a gradient g and passes one on. "
        "What passes is that of the recursions; only the places where it is looked at differ."
    )
    return parts.Table(("layer", "takes g", "passes", "which is"), tuple(rows), "llll", caption)


def _table(layers: Sequence[_Layer], by_jax: Any, difference: float) -> parts.Table:
    rows = []
    for number, layer in enumerate(layers):
        kernel, bias = _gradients(layer)
        kernel_by_jax, bias_by_jax = _named(by_jax, number)
        rows.append((f"∂L/∂W {number + 1}", amount(kernel), amount(kernel_by_jax)))
        rows.append((f"∂L/∂b {number + 1}", amount(bias), amount(bias_by_jax)))
    caption = (
        f"The largest difference from jax.grad is {short(difference, 2)}. Kernels are written "
        "[input, output], as the catalogue holds them: the transposes of W."
    )
    return parts.Table(("", "δ h₋ᵀ", "jax.grad"), tuple(rows), "lll", caption)
