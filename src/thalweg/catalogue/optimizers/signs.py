"""Optimizers that go by the signs of gradients: of one, or of one and those before it."""

from __future__ import annotations

from typing import Literal

import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.optimizers.optimizer import Update, init_state, take_step
from thalweg.part import Number, choice, number, part

__all__ = ["DeltaBarDelta", "Lion", "Rprop", "SignDescent"]

State = dict[str, Array]


@part
class SignDescent:
    """Moves every parameter by the same length, against the sign of its gradient.

    Formula: θ ← θ − η sgn(g)
    Numbers: learning_rate: η
    Shapes: those of the parameters; no state
    Watch for: never comes to rest: around a minimum it jumps by η, so let η fall. With
        mini-batches it follows the more frequent sign, which is not that of the average gradient.
    Source: Bernstein et al., signSGD, 2018, algorithm 1
    Example:
        >>> SignDescent(learning_rate=0.1).update(jnp.array([1e-6, -9.0]), {}, None, 1).increment
        Array([-0.1,  0.1], dtype=float32)
    """

    learning_rate: Number = number(default=1e-3, low=0, scale="log", search=(1e-5, 1e-1))

    start, step = init_state, take_step

    def init(self, parameter: Array) -> State:
        return {}

    def update(self, gradient: Array, state: State, parameter: Array, count: Array) -> Update:
        return Update(-self.learning_rate * jnp.sign(gradient), state)


@part
class Lion:
    """Moves by the sign of an average of gradients.

    Formula: c = β₁ m + (1 − β₁) g;  θ ← θ − η (sgn(c) + λ θ);  m ← β₂ m + (1 − β₂) g
    Numbers: learning_rate: η; beta1: β₁; beta2: β₂; weight_decay: λ
    Shapes: those of the parameters; one array of state each
    Watch for: wants an η 3 to 10 times below Adam's, as every component of its step has length η.
    Source: Chen et al., Symbolic Discovery of Optimization Algorithms, 2023, algorithm 2
    Example:
        >>> rule, g = Lion(learning_rate=0.1), jnp.array([1e-6, -9.0])
        >>> rule.update(g, rule.init(g), g, 1).increment
        Array([-0.1,  0.1], dtype=float32)
    """

    learning_rate: Number = number(default=1e-4, low=0, scale="log", search=(1e-6, 1e-2))
    beta1: Number = number(default=0.9, low=0, below=1)
    beta2: Number = number(default=0.99, low=0, below=1)
    weight_decay: Number = number(default=0.0, low=0)

    start, step = init_state, take_step

    def init(self, parameter: Array) -> State:
        return {"first": jnp.zeros_like(parameter)}

    def update(self, gradient: Array, state: State, parameter: Array, count: Array) -> Update:
        leading = self.beta1 * state["first"] + (1 - self.beta1) * gradient
        first = self.beta2 * state["first"] + (1 - self.beta2) * gradient
        change = jnp.sign(leading) + self.weight_decay * parameter
        return Update(-self.learning_rate * change, {"first": first})


@part
class Rprop:
    """Lengthens steps while the sign of the gradient stays, and shortens them when it flips.

    Formula: Δ ← min(longest, η⁺ Δ) if g g' > 0, max(shortest, η⁻ Δ) if g g' < 0, with g' the
        gradient before;  θ ← θ − Δ sgn(g), where ``after_flip`` lets it;  Δ = learning_rate at
        first
    Numbers: learning_rate: Δ of the first step; increase: η⁺; decrease: η⁻; shortest, longest:
        limits of Δ
    Choices: after_flip: a parameter whose gradient changed sign waits for a step (``wait``, as in
        torch) or moves on by the shortened step (``move``)
    Shapes: those of the parameters; two arrays of state each
    Watch for: for the full batch only: the noise of mini-batches flips signs, and steps die out.
        A schedule of the learning rate has no effect after the first step.
    Source: Riedmiller & Braun, A Direct Adaptive Method for Faster Backpropagation Learning, 1993;
        Igel & Hüsken, Improving the Rprop Learning Algorithm, 2000, Rprop− (``move``) and iRprop−
        (``wait``)
    Example:
        >>> rule, g = Rprop(learning_rate=0.1), jnp.array([1.0])
        >>> rule.update(0.1 * g, rule.update(g, rule.init(g), g, 1).state, g, 2).increment
        Array([-0.12], dtype=float32)
    """

    learning_rate: Number = number(default=0.01, above=0, scale="log", search=(1e-4, 1))
    increase: Number = number(default=1.2, low=1, high=10)
    decrease: Number = number(default=0.5, above=0, high=1)
    shortest: Number = number(default=1e-6, low=0, scale="log", search=(1e-9, 1e-3))
    longest: Number = number(default=50.0, above=0, scale="log", search=(1e-1, 1e2))
    after_flip: Literal["wait", "move"] = choice(default="wait")

    start, step = init_state, take_step

    def init(self, parameter: Array) -> State:
        return {"length": jnp.zeros_like(parameter), "gradient": jnp.zeros_like(parameter)}

    def update(self, gradient: Array, state: State, parameter: Array, count: Array) -> Update:
        length = jnp.where(count == 1, self.learning_rate, state["length"])
        agreement = gradient * state["gradient"]
        factor = jnp.where(agreement > 0, self.increase, 1.0)
        factor = jnp.where(agreement < 0, self.decrease, factor)
        length = jnp.clip(length * factor, self.shortest, self.longest)
        if self.after_flip == "wait":
            gradient = jnp.where(agreement < 0, 0, gradient)
        change = -length * jnp.sign(gradient)
        return Update(change, {"length": length, "gradient": gradient})


@part
class DeltaBarDelta:
    """Raises a parameter's learning rate while its gradient agrees with the past, else cuts it.

    Formula: ε ← ε + κ if δ̄ g > 0, (1 − φ) ε if δ̄ g < 0;  θ ← θ − ε g;
        δ̄ ← (1 − θ̄) g + θ̄ δ̄;  ε = learning_rate at first
    Numbers: learning_rate: ε of the first step; increase: κ, added; decrease: φ, the share taken
        off; memory: θ̄, weight of the past in the average gradient δ̄
    Shapes: those of the parameters; two arrays of state each
    Watch for: for the full batch only: with mini-batches signs differ by chance. Rates rise by
        addition and fall by a ratio, so that they recover from being too large within a few steps.
        A schedule of the learning rate has no effect after the first step.
    Source: Jacobs, Increased Rates of Convergence through Learning Rate Adaptation, 1988,
        equations 5–6
    Example:
        >>> rule, g = DeltaBarDelta(learning_rate=0.1, increase=0.05), jnp.array([1.0])
        >>> rule.update(g, rule.update(g, rule.init(g), g, 1).state, g, 2).increment.round(3)
        Array([-0.15], dtype=float32)
    """

    learning_rate: Number = number(default=0.01, above=0, scale="log", search=(1e-4, 1))
    increase: Number = number(default=1e-3, low=0, scale="log", search=(1e-5, 1e-1))
    decrease: Number = number(default=0.2, low=0, below=1)
    memory: Number = number(default=0.7, low=0, below=1)

    start, step = init_state, take_step

    def init(self, parameter: Array) -> State:
        return {"rate": jnp.zeros_like(parameter), "average": jnp.zeros_like(parameter)}

    def update(self, gradient: Array, state: State, parameter: Array, count: Array) -> Update:
        rate = jnp.where(count == 1, self.learning_rate, state["rate"])
        agreement = state["average"] * gradient
        rate = rate + jnp.where(agreement > 0, self.increase, 0.0)
        rate = rate * jnp.where(agreement < 0, 1 - self.decrease, 1.0)
        average = (1 - self.memory) * gradient + self.memory * state["average"]
        kept = {"rate": rate, "average": average}
        return Update(-rate * gradient, kept, {"effective_learning_rate": rate})
