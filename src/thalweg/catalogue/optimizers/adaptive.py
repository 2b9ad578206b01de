"""Optimizers with a learning rate per parameter, from past squared gradients."""

from __future__ import annotations

from typing import Literal

import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.optimizers.optimizer import Update, init_state, take_step
from thalweg.part import Number, choice, number, part

__all__ = ["AdaDelta", "AdaGrad", "RMSProp"]  # the parts; other modules use `root` too

State = dict[str, Array]
EpsilonIn = Literal["sum", "root"]


def root(square: Array, epsilon: Number, epsilon_in: EpsilonIn) -> Array:
    """√s + ε (``sum``) or √(s + ε) (``root``): the two denominators in print.

    They differ by orders of magnitude where s is far below ε: at s = 0 by ε against √ε.
    """
    if epsilon_in == "root":
        return jnp.sqrt(square + epsilon)
    return jnp.sqrt(square) + epsilon


def _scaled(rule: AdaGrad | RMSProp, gradient: Array, square: Array, kept: State) -> Update:
    """The step −η g / √s, carried on by momentum if the rule has it.

    Args:
        kept: the new state, but for the velocity, of which it has the old one.
    """
    rate = rule.learning_rate / root(square, rule.epsilon, rule.epsilon_in)
    quantities = {"effective_learning_rate": rate}
    if rule.momentum is None:
        return Update(-rate * gradient, kept, quantities)
    velocity = rule.momentum * kept["velocity"] - rate * gradient
    return Update(velocity, {**kept, "velocity": velocity}, quantities)


@part(name="adagrad")
class AdaGrad:
    """Divides by the root of all squared gradients so far.

    Formula: s ← s + g²;  θ ← θ − η g / (√s + ε), or η g / √(s + ε);
        with momentum: v ← α v − η g / (√s + ε);  θ ← θ + v
    Numbers: learning_rate: η; epsilon: ε; initial: s at the start; momentum: α, no velocity
        without it
    Choices: epsilon_in: added to the root (``sum``) or under it (``root``)
    Shapes: those of the parameters; one array of state each, two with momentum
    Watch for: the rate only ever falls, soon to nothing in long runs. Steps follow the size of
        past gradients, not whether they agree: a small one may well change its sign all the time.
        Like every descent it promises no global minimum. Libraries disagree on the defaults: torch
        has ε = 1e-10, optax starts s at 0.1.
    Source: Duchi, Hazan & Singer, Adaptive Subgradient Methods, 2011, figure 1
    Example:
        >>> rule, g = AdaGrad(learning_rate=0.1), jnp.array([1e-3, 1.0])
        >>> rule.update(g, rule.init(g), g, 1).increment.round(4)
        Array([-0.1, -0.1], dtype=float32)
    """

    learning_rate: Number = number(default=0.01, low=0, scale="log", search=(1e-4, 1))
    epsilon: Number = number(default=1e-7, above=0, scale="log", search=(1e-10, 1e-3))
    initial: Number = number(default=0.0, low=0)
    momentum: Number = number(default=None, low=0, below=1)
    epsilon_in: EpsilonIn = choice(default="sum")

    start, step = init_state, take_step

    def init(self, parameter: Array) -> State:
        state = {"square": jnp.full_like(parameter, self.initial)}
        if self.momentum is not None:
            state["velocity"] = jnp.zeros_like(parameter)
        return state

    def update(self, gradient: Array, state: State, parameter: Array, count: Array) -> Update:
        square = state["square"] + gradient * gradient
        return _scaled(self, gradient, square, {**state, "square": square})


@part(name="rmsprop")
class RMSProp:
    """Divides by the root of a moving average of squared gradients.

    Formula: s ← ρ s + (1 − ρ) g²;  θ ← θ − η g / (√s + ε), or η g / √(s + ε);
        with momentum: v ← α v − η g / (√s + ε);  θ ← θ + v;
        centred: ḡ ← ρ ḡ + (1 − ρ) g, and s − ḡ² in the place of s under the root
    Numbers: learning_rate: η; rho: ρ; epsilon: ε; momentum: α, no velocity without it
    Choices: epsilon_in: added to the root (``sum``, as in torch) or under it (``root``); centred:
        whether the square of the average gradient is taken off, which leaves its variance
    Shapes: those of the parameters; one array of state each, and one more for each of momentum
        and centring
    Watch for: s starts at 0, so the first steps are 1 / √(1 − ρ) times too long. The usual ε is
        1e-6 under the root and 1e-8 beside it. Longer steps late in training lead to no global
        minimum by themselves. g is taken at the θ that the step starts from, with momentum too.
    Source: Tieleman & Hinton, Lecture 6.5, Neural Networks for Machine Learning, 2012; Graves,
        Generating Sequences with Recurrent Neural Networks, 2013, equations 38–45 (centred)
    Example:
        >>> rule, g = RMSProp(learning_rate=0.1), jnp.array([1e-3, 1.0])
        >>> rule.update(g, rule.init(g), g, 1).increment.round(3)
        Array([-0.316, -0.316], dtype=float32)
    """

    learning_rate: Number = number(default=0.01, low=0, scale="log", search=(1e-5, 1))
    rho: Number = number(default=0.9, low=0, below=1)
    epsilon: Number = number(default=1e-8, above=0, scale="log", search=(1e-10, 1e-3))
    momentum: Number = number(default=None, low=0, below=1)
    epsilon_in: EpsilonIn = choice(default="sum")
    centred: bool = choice(default=False)

    start, step = init_state, take_step

    def init(self, parameter: Array) -> State:
        kept = {"square": True, "velocity": self.momentum is not None, "mean": self.centred}
        return {name: jnp.zeros_like(parameter) for name, used in kept.items() if used}

    def update(self, gradient: Array, state: State, parameter: Array, count: Array) -> Update:
        square = self.rho * state["square"] + (1 - self.rho) * gradient * gradient
        kept, spread = {**state, "square": square}, square
        if self.centred:
            mean = self.rho * state["mean"] + (1 - self.rho) * gradient
            # Never negative but for rounding.
            kept, spread = {**kept, "mean": mean}, jnp.maximum(square - mean * mean, 0)
        return _scaled(self, gradient, spread, kept)


@part(name="adadelta")
class AdaDelta:
    """Takes steps as long as past steps, per root of past squared gradients.

    Formula: s ← ρ s + (1 − ρ) g²;  Δ = g √(d + ε) / √(s + ε);  d ← ρ d + (1 − ρ) Δ²;
        θ ← θ − η Δ
    Numbers: learning_rate: η, 1 in the paper; rho: ρ; epsilon: ε
    Shapes: those of the parameters; two arrays of state each
    Watch for: Δ has the unit of the parameters, so η = 1 often works; but the first steps are
        only about √ε long, and ε decides how soon it gets going.
    Source: Zeiler, ADADELTA, 2012, algorithm 1
    Example:
        >>> rule, g = AdaDelta(epsilon=1e-2), jnp.array([1.0, 100.0])
        >>> [round(float(d), 2) for d in rule.update(g, rule.init(g), g, 1).increment]
        [-0.3, -0.32]
    """

    learning_rate: Number = number(default=1.0, low=0, scale="log", search=(1e-2, 10))
    rho: Number = number(default=0.9, low=0, below=1)
    epsilon: Number = number(default=1e-6, above=0, scale="log", search=(1e-8, 1e-2))

    start, step = init_state, take_step

    def init(self, parameter: Array) -> State:
        return {"square": jnp.zeros_like(parameter), "square_step": jnp.zeros_like(parameter)}

    def update(self, gradient: Array, state: State, parameter: Array, count: Array) -> Update:
        square = self.rho * state["square"] + (1 - self.rho) * gradient * gradient
        rate = jnp.sqrt(state["square_step"] + self.epsilon) / jnp.sqrt(square + self.epsilon)
        change = rate * gradient
        square_step = self.rho * state["square_step"] + (1 - self.rho) * change * change
        quantities = {"effective_learning_rate": self.learning_rate * rate}
        kept = {"square": square, "square_step": square_step}
        return Update(-self.learning_rate * change, kept, quantities)
