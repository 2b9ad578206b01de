"""Back-propagation through time, of a recurrent network with an output at every step."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import softmax

from thalweg.catalogue.cells import RNN
from thalweg.catalogue.context import Context
from thalweg.catalogue.layers import Recurrent
from thalweg.catalogue.losses import CategoricalCrossEntropy
from thalweg.explain.derivations.claims import Equal
from thalweg.explain.derivations.frame import Derivation, Line, Numbers

__all__ = ["backpropagation_through_time"]

_STEPS, _UNITS, _INPUTS, _OUTPUTS = 5, 4, 3, 2
_LAYER = Recurrent(cell=RNN(), units=_UNITS)


def _draw(random: np.random.Generator) -> Any:
    a = SimpleNamespace(
        held={
            "W": random.normal(size=(_UNITS, _UNITS)),
            "U": random.normal(size=(_UNITS, _INPUTS)),
            "V": random.normal(size=(_OUTPUTS, _UNITS)),
            "b": random.normal(size=_UNITS),
            "c": random.normal(size=_OUTPUTS),
        },
        x=random.normal(size=(_STEPS, _INPUTS)),
        y=random.integers(_OUTPUTS, size=_STEPS),
        h0=random.normal(size=_UNITS),
    )
    _forwards(a)
    a.of_h = _backwards(a)
    a.of_sum = (1 - a.h**2) * a.of_h  # by the sum within tanh
    return a


def _forwards(a: Any) -> None:
    """h and o of every step, in NumPy."""
    p, h, states = a.held, a.h0, []
    for x in a.x:
        h = np.tanh(p["b"] + p["W"] @ h + p["U"] @ x)
        states.append(h)
    a.h = np.array(states)
    a.before = np.vstack([a.h0, a.h[:-1]])
    a.of_o = softmax(a.h @ p["V"].T + p["c"], axis=1) - np.eye(_OUTPUTS)[a.y]


def _backwards(a: Any, printed: bool = False) -> np.ndarray:
    """∇_h of every step, from the last to the first."""
    w, v, found = a.held["W"], a.held["V"], np.zeros((_STEPS, _UNITS))
    found[-1] = v.T @ a.of_o[-1]
    for t in reversed(range(_STEPS - 1)):
        slope = np.diag(1 - a.h[t + 1] ** 2)
        back = slope @ w.T if printed else w.T @ slope
        found[t] = back @ found[t + 1] + v.T @ a.of_o[t]
    return found


def _outputs(held: Any, a: Any, by_state: Any) -> Any:
    """o of every step by the catalogue's layer; ``by_state`` is added to the states, for slopes."""
    parameters = {
        "recurrent_kernel": jnp.asarray(held["W"]).T,
        "input_kernel": jnp.asarray(held["U"]).T,
        "bias": jnp.asarray(held["b"]),
    }
    start = {"forward": {"hidden": jnp.asarray(a.h0)[None]}}
    context = Context("train", nudges={"hidden": by_state[None]})
    found = _LAYER.run(parameters, jnp.asarray(a.x)[None], context, start)
    return found["forward"].outputs[0] @ jnp.asarray(held["V"]).T + held["c"]


def _total(held: Any, by_state: Any, by_output: Any, given: Any) -> Any:
    o = _outputs(held, SimpleNamespace(**given), by_state) + by_output
    return CategoricalCrossEntropy()(o, given["y"]).sum()


_DIFFERENTIATED = jax.jit(jax.grad(_total, (0, 1, 2)))


def _slopes(a: Any) -> Any:
    """Gradients by parameters, states and outputs, by automatic differentiation."""
    by_state, by_output = jnp.zeros((_STEPS, _UNITS)), jnp.zeros((_STEPS, _OUTPUTS))
    return _DIFFERENTIATED(a.held, by_state, by_output, {"x": a.x, "y": a.y, "h0": a.h0})


def _by(name: str) -> Any:
    return lambda a: _slopes(a)[0][name]


_STATES = (
    Line(
        r"(\nabla_{o^{(t)}}L)_i = \hat y_i^{(t)} - \mathbf 1_{i=y^{(t)}}",
        "(∇_o⁽ᵗ⁾ L)ᵢ = ŷᵢ⁽ᵗ⁾ − 1(i = y⁽ᵗ⁾)",
        "softmax with cross-entropy (10.18); left: automatic differentiation through the layer and "
        "the loss of the catalogue, here as in all lines",
        Equal(
            lambda a: _slopes(a)[2],
            lambda a: softmax(a.h @ a.held["V"].T + a.held["c"], axis=1) - np.eye(_OUTPUTS)[a.y],
        ),
    ),
    Line(
        r"\nabla_{h^{(\tau)}}L = V^\top\nabla_{o^{(\tau)}}L",
        "∇_h⁽τ⁾ L = Vᵀ ∇_o⁽τ⁾ L",
        "the last state leads to its own output alone (10.19)",
        Equal(lambda a: _slopes(a)[1][-1], lambda a: a.held["V"].T @ a.of_o[-1]),
    ),
    Line(
        r"\nabla_{h^{(t)}}L = W^\top(\nabla_{h^{(t+1)}}L)"
        r"\operatorname{diag}\!\left(1-(h^{(t+1)})^2\right) + V^\top\nabla_{o^{(t)}}L",
        "∇_h⁽ᵗ⁾ L = Wᵀ (∇_h⁽ᵗ⁺¹⁾ L) diag(1 − (h⁽ᵗ⁺¹⁾)²) + Vᵀ ∇_o⁽ᵗ⁾ L",
        "printed with the diagonal matrix after the vector (10.21): applied to what Wᵀ has made, "
        "as it then reads, it scales the wrong units",
        Equal(lambda a: _slopes(a)[1], lambda a: _backwards(a, printed=True)),
        wrong=True,
    ),
    Line(
        r"\nabla_{h^{(t)}}L = W^\top\operatorname{diag}\!\left(1-(h^{(t+1)})^2\right)"
        r"\nabla_{h^{(t+1)}}L + V^\top\nabla_{o^{(t)}}L",
        "∇_h⁽ᵗ⁾ L = Wᵀ diag(1 − (h⁽ᵗ⁺¹⁾)²) ∇_h⁽ᵗ⁺¹⁾ L + Vᵀ ∇_o⁽ᵗ⁾ L",
        "a state leads to its output and to the next state; tanh′ = 1 − tanh² comes first on the "
        "way back, then Wᵀ",
        Equal(lambda a: _slopes(a)[1], _backwards),
    ),
)

_PARAMETERS = (
    Line(
        r"\nabla_c L = \sum_t\nabla_{o^{(t)}}L",
        "∇_c L = Σₜ ∇_o⁽ᵗ⁾ L",
        "c is added at every step (10.22)",
        Equal(_by("c"), lambda a: a.of_o.sum(0)),
    ),
    Line(
        r"\nabla_b L = \sum_t\operatorname{diag}\!\left(1-(h^{(t)})^2\right)\nabla_{h^{(t)}}L",
        "∇_b L = Σₜ diag(1 − (h⁽ᵗ⁾)²) ∇_h⁽ᵗ⁾ L",
        "so is b, within tanh (10.23)",
        Equal(_by("b"), lambda a: a.of_sum.sum(0)),
    ),
    Line(
        r"\nabla_V L = \sum_t(\nabla_{o^{(t)}}L)\,h^{(t)\top}",
        "∇_V L = Σₜ (∇_o⁽ᵗ⁾ L) h⁽ᵗ⁾ᵀ",
        "an outer product at every step (10.24)",
        Equal(_by("V"), lambda a: a.of_o.T @ a.h),
    ),
    Line(
        r"\nabla_W L = \sum_t\operatorname{diag}\!\left(1-(h^{(t)})^2\right)"
        r"(\nabla_{h^{(t)}}L)\,h^{(t-1)\top}",
        "∇_W L = Σₜ diag(1 − (h⁽ᵗ⁾)²) (∇_h⁽ᵗ⁾ L) h⁽ᵗ⁻¹⁾ᵀ",
        "every step has a copy of W, which meets the state before; their gradients add up (10.26)",
        Equal(_by("W"), lambda a: a.of_sum.T @ a.before),
    ),
    Line(
        r"\nabla_U L = \sum_t\operatorname{diag}\!\left(1-(h^{(t)})^2\right)"
        r"(\nabla_{h^{(t)}}L)\,x^{(t)\top}",
        "∇_U L = Σₜ diag(1 − (h⁽ᵗ⁾)²) (∇_h⁽ᵗ⁾ L) x⁽ᵗ⁾ᵀ",
        "U meets the input (10.28)",
        Equal(_by("U"), lambda a: a.of_sum.T @ a.x),
    ),
)


def _numbers() -> tuple[Numbers, ...]:
    a = _draw(np.random.default_rng(0))
    right, printed = a.of_h, _backwards(a, printed=True)
    slopes = np.asarray(_slopes(a)[1])
    rows = tuple(
        (
            t + 1,
            *(float(np.linalg.norm(values[t])) for values in (slopes, right, printed)),
        )
        for t in range(_STEPS)
    )
    columns = ("t", "differentiated", "by (10.21), reordered", "by (10.21) as printed")
    return (Numbers("‖∇_h⁽ᵗ⁾ L‖ for the first arguments of seed 0", columns, rows),)


def backpropagation_through_time() -> Derivation:
    """The gradients of a recurrent network, step by step backwards."""
    return Derivation(
        "backpropagation-through-time",
        "For h⁽ᵗ⁾ = tanh(b + W h⁽ᵗ⁻¹⁾ + U x⁽ᵗ⁾), o⁽ᵗ⁾ = c + V h⁽ᵗ⁾, ŷ = softmax(o) and the sum of "
        "cross-entropies, gradients go back by one recursion in time; those of the parameters are "
        "sums over steps.",
        (
            ("x⁽ᵗ⁾, y⁽ᵗ⁾", "input and class of step t, of τ = 5"),
            ("h⁽ᵗ⁾, o⁽ᵗ⁾", "state (4 units) and outputs (2)"),
            ("W, U, V, b, c", "weights and biases"),
        ),
        _draw,
        (*_STATES, *_PARAMETERS),
        "Goodfellow, Bengio & Courville, Deep Learning, 2016, equations 10.18 to 10.28",
        numbers=_numbers,
    )
