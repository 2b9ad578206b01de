"""Gradient descent, alone and with momentum.

Whether it is batch, mini-batch or stochastic descent is decided by ``Training.batch_size``
(``"full"``, n, or 1), not here.
"""

from __future__ import annotations

from typing import Literal

import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.optimizers.optimizer import Update, init_state, take_step
from thalweg.part import Number, choice, number, part

__all__ = ["GradientDescent", "Momentum", "Nesterov"]

State = dict[str, Array]


@part
class GradientDescent:
    """Steps against the gradient.

    Formula: θ ← θ − η g
    Numbers: learning_rate: η
    Shapes: those of the parameters; no state
    Watch for: descends for certain only with the full batch and η < 2 / L, L the largest
        curvature. A "θ + η g" in some lecture notes is a sign error.
    Source: Cauchy, 1847; Goodfellow, Bengio & Courville, Deep Learning, 2016, equation 4.5
    Example:
        >>> GradientDescent(learning_rate=0.5).update(jnp.array([2.0]), {}, None, 1).increment
        Array([-1.], dtype=float32)
    """

    learning_rate: Number = number(default=0.1, low=0, scale="log", search=(1e-4, 10))

    start, step = init_state, take_step

    def init(self, parameter: Array) -> State:
        return {}

    def update(self, gradient: Array, state: State, parameter: Array, count: Array) -> Update:
        return Update(-self.learning_rate * gradient, state)


@part
class Momentum:
    """Lets past steps carry on, as a heavy ball does.

    Formula: v ← β v + η g;  θ ← θ − v  (``learning_rate_in = "velocity"``);
        v ← β v + g;  θ ← θ − η v  (``"step"``)
    Numbers: learning_rate: η; momentum: β, 0 is gradient descent
    Choices: learning_rate_in: where η enters; the same while η is constant
    Shapes: those of the parameters; one array of state per parameter
    Watch for: other texts write V ← β V − η g, θ ← θ + V: the same with V = −v. The step in a
        constant slope grows to η / (1 − β), ten times η at β = 0.9. What it gathers carries it
        through shallow local minima and saddles: it helps to leave them, not to find them.
    Source: Polyak, Some Methods of Speeding up the Convergence of Iteration Methods, 1964;
        Sutskever et al., On the Importance of Initialization and Momentum, 2013, equations 1–2
    Example:
        >>> g = jnp.array([1.0])
        >>> Momentum(learning_rate=0.1).update(g, {"velocity": g}, None, 2).increment
        Array([-1.], dtype=float32)
    """

    learning_rate: Number = number(default=0.01, low=0, scale="log", search=(1e-4, 1))
    momentum: Number = number(default=0.9, low=0, below=1)
    learning_rate_in: Literal["velocity", "step"] = choice(default="velocity")

    start, step = init_state, take_step

    def init(self, parameter: Array) -> State:
        return {"velocity": jnp.zeros_like(parameter)}

    def update(self, gradient: Array, state: State, parameter: Array, count: Array) -> Update:
        if self.learning_rate_in == "step":
            velocity = self.momentum * state["velocity"] + gradient
            return Update(-self.learning_rate * velocity, {"velocity": velocity})
        velocity = self.momentum * state["velocity"] + self.learning_rate * gradient
        return Update(-velocity, {"velocity": velocity})


@part
class Nesterov:
    """Takes the gradient where momentum is about to lead.

    Formula: v ← β v + η g(θ − β v);  θ ← θ − v  (``form = "lookahead"``);
        v' = β v + η g(θ̃);  θ̃ ← θ̃ − v' − β (v' − v)  (``"stored_point"``, with θ̃ = θ − β v)
    Numbers: learning_rate: η; momentum: β
    Choices: form: the same sequence seen at two points; θ̃ is where gradients are taken, θ is
        where momentum has come to rest, and what is evaluated and reported differs
    Shapes: those of the parameters; one array of state per parameter
    Watch for: not Newton's method, whose name it is sometimes given. With V = −η v the velocity
        is −η Σ βᵗ⁻ⁱ gᵢ, which is no sum of powers of β alone, and summed with one more β V it gives
        θ̃, not another form of θ. torch and optax implement the stored point. The 1/t² rate is for
        smooth convex functions, the full gradient and a β that grows, as GrowingMomentum does (in
        the lookahead form: the other takes this step's β for the next one's); with mini-batch
        noise it is lost.
    Source: Nesterov, 1983; Sutskever et al., 2013, equations 3–4; Bengio, Boulanger-Lewandowski
        & Pascanu, Advances in Optimizing Recurrent Networks, 2013, equation 7
    Example:
        >>> state = {"velocity": jnp.array([1.0])}
        >>> Nesterov(momentum=0.5).lookahead(jnp.array([2.0]), state)
        Array([1.5], dtype=float32)
    """

    learning_rate: Number = number(default=0.01, low=0, scale="log", search=(1e-4, 1))
    momentum: Number = number(default=0.9, low=0, below=1)
    form: Literal["lookahead", "stored_point"] = choice(default="lookahead")

    start, step = init_state, take_step

    def init(self, parameter: Array) -> State:
        return {"velocity": jnp.zeros_like(parameter)}

    def lookahead(self, parameter: Array, state: State) -> Array:
        if self.form == "stored_point":
            return parameter
        return parameter - self.momentum * state["velocity"]

    def update(self, gradient: Array, state: State, parameter: Array, count: Array) -> Update:
        before = state["velocity"]
        velocity = self.momentum * before + self.learning_rate * gradient
        increment = -velocity
        if self.form == "stored_point":
            increment = increment - self.momentum * (velocity - before)
        return Update(increment, {"velocity": velocity})
