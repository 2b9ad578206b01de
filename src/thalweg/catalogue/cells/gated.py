"""Gated cells: what is kept of the last state is decided anew at every step."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.activations import Activation, Sigmoid, Tanh
from thalweg.catalogue.cells.cell import (
    State,
    StepContext,
    apart,
    check_activation,
    drawn,
    projected,
    side_by_side,
)
from thalweg.catalogue.initializers import Constant, Glorot, Initializer, Orthogonal, Zero
from thalweg.part import choice, part

__all__ = ["GRU", "LSTM", "MinimalGatedUnit"]


def _check(cell: LSTM | GRU | MinimalGatedUnit, units: int) -> None:
    check_activation(cell, "activation", units)
    check_activation(cell, "gate_activation", units)


@part
class LSTM:
    """Keeps a cell beside the hidden values, to which gates let in, keep and let out.

    Formula: i, f, o = σ(W h_{t−1} + U x_t + b), each with its own W, U, b;  g = φ(W h_{t−1} +
        U x_t + b);  c_t = f ⊙ c_{t−1} + i ⊙ g;  h_t = o ⊙ φ(c_t);  with peepholes p ⊙ c_{t−1} is
        added for i and f, and p ⊙ c_t for o, before σ
    Choices: activation: φ; gate_activation: σ; kernel: where U starts; recurrent_kernel: where W
        starts; bias: where the biases of i, g and o start, no bias at all without; forget_bias:
        where that of f starts; peepholes: where p starts, none without
    Shapes: inputs [batch, input], states hidden and cell [batch, unit]; U [input, 4 unit] and
        W [unit, 4 unit] in the order i, f, g, o; p [3 unit] in the order i, f, o
    Watch for: the forget gate is to start open, hence its bias of 1. The gates mitigate vanishing
        gradients: along the cell they are products of f, which is below 1. Libraries with two
        biases add them up.
    Source: Hochreiter & Schmidhuber, Long Short-Term Memory, 1997; Gers, Schmidhuber & Cummins,
        Learning to Forget, 2000 (forget gate); Gers, Schraudolph & Schmidhuber, Learning Precise
        Timing, 2002 (peepholes); Jozefowicz et al., 2015 (forget bias)
    Example:
        >>> parameters = LSTM().draw(jax.random.key(0), inputs=3, units=2)
        >>> parameters["bias"]
        Array([0., 0., 1., 1., 0., 0., 0., 0.], dtype=float32)
    """

    activation: Activation = choice(default=Tanh())
    gate_activation: Activation = choice(default=Sigmoid())
    kernel: Initializer = choice(default=Glorot())
    recurrent_kernel: Initializer = choice(default=Orthogonal())
    bias: Initializer | None = choice(default=Zero())
    forget_bias: Initializer = choice(default=Constant(value=1.0))
    peepholes: Initializer | None = choice(default=None)
    gates = ("input", "forget", "candidate", "output")

    project = projected

    def states(self, units: int) -> dict[str, int]:
        return {"hidden": units, "cell": units}

    def draw(self, key: Array, inputs: int, units: int) -> dict[str, Array]:
        _check(self, units)
        key, for_forget, for_peepholes = jax.random.split(key, 3)
        parameters = drawn(self, key, inputs, units, {"recurrent": 4})
        if self.bias is not None:
            forget = self.forget_bias.sample(for_forget, (units,))
            parameters["bias"] = parameters["bias"].at[units : 2 * units].set(forget)
        if self.peepholes is not None:
            parameters["peephole"] = side_by_side(self.peepholes, for_peepholes, (units,), 3)
        return parameters

    def step(self, step: StepContext, projected: Array, state: State) -> State:
        z = jnp.split(projected + step.product("recurrent", state["hidden"]), 4, axis=-1)
        into, forget, candidate, out = z
        peep = None
        if self.peepholes is not None:
            peep = jnp.split(step.parameters["peephole"], 3)
            into, forget = into + peep[0] * state["cell"], forget + peep[1] * state["cell"]
        into, forget = self.gate_activation(into), self.gate_activation(forget)
        into, forget, candidate = apart(into, forget, self.activation(candidate))
        into, forget = step.tap("input", into), step.tap("forget", forget)
        candidate = step.tap("candidate", candidate)
        cell = step.tap("cell", forget * state["cell"] + into * candidate)
        if peep is not None:
            out = out + peep[2] * cell
        out = step.tap("output", self.gate_activation(out))
        hidden = out * self.activation(step.normalize("cell", cell))
        return {"hidden": step.tap("hidden", hidden), "cell": cell}


@part
class GRU:
    """Mixes the last hidden values with a candidate, as an update gate says.

    Formula: r, z = σ(W h_{t−1} + U x_t + b), each with its own W, U, b;  n = φ(r ⊙ (W h_{t−1} +
        b_n) + U x_t + b), or n = φ(W (r ⊙ h_{t−1}) + U x_t + b);  h_t = z ⊙ h_{t−1} + (1 − z) ⊙ n
    Choices: activation: φ; gate_activation: σ; reset: applied ``after`` the product, as in common
        libraries, or ``before`` it, as in the paper; kernel: where U starts; recurrent_kernel:
        where W starts; bias: where biases start, none without
    Shapes: inputs [batch, input], state hidden [batch, unit]; U [input, 3 unit] and W [unit,
        3 unit] in the order r, z, n, but n's own W [unit, unit] where the reset comes before
    Watch for: weights of one reset form are not those of the other. Some texts (Chung et al., 2014)
        swap z and 1 − z.
    Source: Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, 2014, equations
        5 to 8; its first version has the reset after the product
    Example:
        >>> parameters = GRU(reset="before").draw(jax.random.key(0), inputs=3, units=2)
        >>> parameters["recurrent_kernel"].shape, parameters["candidate_kernel"].shape
        ((2, 4), (2, 2))
    """

    activation: Activation = choice(default=Tanh())
    gate_activation: Activation = choice(default=Sigmoid())
    reset: Literal["after", "before"] = choice(default="after")
    kernel: Initializer = choice(default=Glorot())
    recurrent_kernel: Initializer = choice(default=Orthogonal())
    bias: Initializer | None = choice(default=Zero())
    gates = ("reset", "update", "candidate")

    project = projected

    def states(self, units: int) -> dict[str, int]:
        return {"hidden": units}

    def draw(self, key: Array, inputs: int, units: int) -> dict[str, Array]:
        _check(self, units)
        after = self.reset == "after"
        products = {"recurrent": 3} if after else {"recurrent": 2, "candidate": 1}
        key, for_bias = jax.random.split(key)
        parameters = drawn(self, key, inputs, units, products)
        if self.bias is not None and after:
            parameters["candidate_bias"] = self.bias.sample(for_bias, (units,))
        return parameters

    def step(self, step: StepContext, projected: Array, state: State) -> State:
        last, product = state["hidden"], step.product("recurrent", state["hidden"])
        reset, update, candidate = jnp.split(projected, 3, axis=-1)
        into = jnp.split(product, 3 if self.reset == "after" else 2, axis=-1)
        reset, update = reset + into[0], update + into[1]
        reset, update = apart(self.gate_activation(reset), self.gate_activation(update))
        reset, update = step.tap("reset", reset), step.tap("update", update)
        if self.reset == "before":
            candidate = candidate + step.product("candidate", reset * last)
        elif self.bias is None:
            candidate = candidate + reset * into[2]
        else:
            candidate = candidate + reset * (into[2] + step.parameters["candidate_bias"])
        candidate = step.tap("candidate", self.activation(candidate))
        return {"hidden": step.tap("hidden", update * last + (1 - update) * candidate)}


@part
class MinimalGatedUnit:
    """Mixes the last hidden values with a candidate by one gate, the least a gated cell can have.

    Formula: f = σ(W h_{t−1} + U x_t + b);  n = φ(W (f ⊙ h_{t−1}) + U x_t + b), with its own W, U,
        b;  h_t = (1 − f) ⊙ h_{t−1} + f ⊙ n
    Choices: activation: φ; gate_activation: σ; kernel: where U starts; recurrent_kernel: where W
        starts; bias: where biases start, none without
    Shapes: inputs [batch, input], state hidden [batch, unit]; U [input, 2 unit] in the order f, n,
        W [unit, unit] for each
    Watch for: the gate called forget is the share that is replaced: f near 1 forgets.
    Source: Zhou, Wu, Zhang & Zhou, Minimal Gated Unit for Recurrent Neural Networks, 2016,
        equations 7 to 9
    Example:
        >>> parameters = MinimalGatedUnit().draw(jax.random.key(0), inputs=3, units=2)
        >>> sum(held.size for held in parameters.values())
        24
    """

    activation: Activation = choice(default=Tanh())
    gate_activation: Activation = choice(default=Sigmoid())
    kernel: Initializer = choice(default=Glorot())
    recurrent_kernel: Initializer = choice(default=Orthogonal())
    bias: Initializer | None = choice(default=Zero())
    gates = ("forget", "candidate")

    project = projected

    def states(self, units: int) -> dict[str, int]:
        return {"hidden": units}

    def draw(self, key: Array, inputs: int, units: int) -> dict[str, Array]:
        _check(self, units)
        return drawn(self, key, inputs, units, {"recurrent": 1, "candidate": 1})

    def step(self, step: StepContext, projected: Array, state: State) -> State:
        last = state["hidden"]
        forget, candidate = jnp.split(projected, 2, axis=-1)
        forget = step.tap("forget", self.gate_activation(forget + step.product("recurrent", last)))
        candidate = candidate + step.product("candidate", forget * last)
        candidate = step.tap("candidate", self.activation(candidate))
        return {"hidden": step.tap("hidden", (1 - forget) * last + forget * candidate)}
