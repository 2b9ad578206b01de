"""Relatives of Adam: optimizers that differ from it in how the two moments are used."""

from __future__ import annotations

from typing import Literal

import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.optimizers.optimizer import Update, init_state, take_step
from thalweg.part import Number, choice, number, part

__all__ = ["AMSGrad", "AdaMax", "NAdam", "RAdam"]

State = dict[str, Array]


def _zeros(parameter: Array, *names: str) -> State:
    return {name: jnp.zeros_like(parameter) for name in names}


def _average(weight: Number, before: Array, now: Array) -> Array:
    return weight * before + (1 - weight) * now


@part(name="amsgrad")
class AMSGrad:
    """Adam that divides by the largest second moment so far.

    Formula: m ← β₁ m + (1 − β₁) g;  v ← β₂ v + (1 − β₂) g²;  u ← max(u, v);
        θ ← θ − η m̂ / (√û + ε), with m̂ = m / (1 − β₁ᵗ) and û = u / (1 − β₂ᵗ)
    Numbers: learning_rate: η; beta1: β₁; beta2: β₂; epsilon: ε
    Choices: correction: û corrects the maximum (``after``, as in torch), or the maximum is one of
        corrected v (``before``, as in optax), or nothing is corrected (``none``, as in the paper)
    Shapes: those of the parameters; three arrays of state each
    Watch for: a corrected v is large in the first steps, and ``before`` remembers that for good.
    Source: Reddi, Kale & Kumar, On the Convergence of Adam and Beyond, 2018, algorithm 2
    Example:
        >>> rule, g = AMSGrad(learning_rate=0.1), jnp.array([1.0])
        >>> rule.update(0 * g, rule.update(g, rule.init(g), g, 1).state, g, 2).state["largest"]
        Array([0.001], dtype=float32)
    """

    learning_rate: Number = number(default=1e-3, low=0, scale="log", search=(1e-5, 1e-1))
    beta1: Number = number(default=0.9, low=0, below=1)
    beta2: Number = number(default=0.999, low=0, below=1)
    epsilon: Number = number(default=1e-8, above=0, scale="log", search=(1e-10, 1e-3))
    correction: Literal["after", "before", "none"] = choice(default="after")

    start, step = init_state, take_step

    def init(self, parameter: Array) -> State:
        return _zeros(parameter, "first", "second", "largest")

    def update(self, gradient: Array, state: State, parameter: Array, count: Array) -> Update:
        first = _average(self.beta1, state["first"], gradient)
        second = _average(self.beta2, state["second"], gradient * gradient)
        corrections = 1 - self.beta1**count, 1 - self.beta2**count
        if self.correction == "none":
            corrections = 1.0, 1.0
        seen = second / corrections[1] if self.correction == "before" else second
        largest = jnp.maximum(state["largest"], seen)
        divisor = largest / corrections[1] if self.correction == "after" else largest
        rate = self.learning_rate / (jnp.sqrt(divisor) + self.epsilon)
        return Update(
            -rate * first / corrections[0],
            {"first": first, "second": second, "largest": largest},
            {"effective_learning_rate": rate},
        )


@part(name="nadam")
class NAdam:
    """Adam with Nesterov's momentum: the next step's share of the average is taken already.

    Formula: m ← β₁ m + (1 − β₁) g;  v ← β₂ v + (1 − β₂) g²;
        m̂ = β₁ m / (1 − β₁ᵗ⁺¹) + (1 − β₁) g / (1 − β₁ᵗ);  θ ← θ − η m̂ / (√(v / (1 − β₂ᵗ)) + ε);
        with momentum_decay, in m̂ alone: β₁ (1 − ½ · 0.96^(t ψ)) in the place of β₁, and products
        of these in the place of powers
    Numbers: learning_rate: η; beta1: β₁; beta2: β₂; epsilon: ε; momentum_decay: ψ, 0.004 in torch;
        β₁ stays the same without it
    Shapes: those of the parameters; two arrays of state each, and a number with momentum_decay
    Watch for: optax has no momentum_decay, torch always has one.
    Source: Dozat, Incorporating Nesterov Momentum into Adam, 2016, algorithm 2
    Example:
        >>> rule, g = NAdam(learning_rate=0.1), jnp.array([1.0])
        >>> rule.update(g, rule.init(g), g, 1).increment.round(3)
        Array([-0.147], dtype=float32)
    """

    learning_rate: Number = number(default=2e-3, low=0, scale="log", search=(1e-5, 1e-1))
    beta1: Number = number(default=0.9, low=0, below=1)
    beta2: Number = number(default=0.999, low=0, below=1)
    epsilon: Number = number(default=1e-8, above=0, scale="log", search=(1e-10, 1e-3))
    momentum_decay: Number = number(default=None, above=0, scale="log", search=(1e-4, 1e-1))

    start, step = init_state, take_step

    def init(self, parameter: Array) -> State:
        state = _zeros(parameter, "first", "second")
        if self.momentum_decay is not None:
            state["product"] = jnp.ones((), parameter.dtype)
        return state

    def update(self, gradient: Array, state: State, parameter: Array, count: Array) -> Update:
        first = _average(self.beta1, state["first"], gradient)
        second = _average(self.beta2, state["second"], gradient * gradient)
        kept = {"first": first, "second": second}
        now, following = self._momentum(count), self._momentum(count + 1)
        product = self.beta1**count
        if self.momentum_decay is not None:
            product = kept["product"] = state["product"] * now
        leading = following * first / (1 - product * following) + (1 - now) * gradient / (
            1 - product
        )
        corrected = second / (1 - self.beta2**count)
        rate = self.learning_rate / (jnp.sqrt(corrected) + self.epsilon)
        return Update(-rate * leading, kept, {"effective_learning_rate": rate})

    def _momentum(self, count: Array) -> Array:
        if self.momentum_decay is None:
            return self.beta1
        return self.beta1 * (1 - 0.5 * 0.96 ** (count * self.momentum_decay))


@part(name="radam")
class RAdam:
    """Adam that leaves its denominator out until that is known well enough.

    Formula: m ← β₁ m + (1 − β₁) g;  v ← β₂ v + (1 − β₂) g²;  ρ∞ = 2 / (1 − β₂) − 1;
        ρ = ρ∞ − 2 t β₂ᵗ / (1 − β₂ᵗ);
        r² = (ρ − 4) (ρ − 2) ρ∞ / ((ρ∞ − 4) (ρ∞ − 2) ρ);
        θ ← θ − η r m̂ / (√v̂ + ε) if ρ ≥ threshold, else θ − η m̂, moments corrected as in Adam
    Numbers: learning_rate: η; beta1: β₁; beta2: β₂; epsilon: ε; threshold: smallest ρ, above 4
    Shapes: those of the parameters; two arrays of state each
    Watch for: the first steps (5 at β₂ = 0.999) are those of momentum, as long as gradients are
        large. torch adds ε to the uncorrected √v, which matters where gradients are tiny.
    Source: Liu et al., On the Variance of the Adaptive Learning Rate and Beyond, 2020, algorithm 2
    Example:
        >>> rule, g = RAdam(learning_rate=0.1), jnp.array([5.0])
        >>> rule.update(g, rule.init(g), g, 1).increment.round(3)
        Array([-0.5], dtype=float32)
    """

    learning_rate: Number = number(default=1e-3, low=0, scale="log", search=(1e-5, 1e-1))
    beta1: Number = number(default=0.9, low=0, below=1)
    beta2: Number = number(default=0.999, low=0.7, below=1)
    epsilon: Number = number(default=1e-8, above=0, scale="log", search=(1e-10, 1e-3))
    threshold: Number = number(default=5.0, above=4)

    start, step = init_state, take_step

    def init(self, parameter: Array) -> State:
        return _zeros(parameter, "first", "second")

    def update(self, gradient: Array, state: State, parameter: Array, count: Array) -> Update:
        first = _average(self.beta1, state["first"], gradient)
        second = _average(self.beta2, state["second"], gradient * gradient)
        power = self.beta2**count
        most = 2 / (1 - self.beta2) - 1
        length = most - 2 * count * power / (1 - power)
        known = length >= self.threshold
        held = jnp.where(known, length, 5.0)  # what is not used must be finite too
        share = (held - 4) * (held - 2) * most / ((most - 4) * (most - 2) * held)
        root = jnp.sqrt(second / (1 - power)) + self.epsilon
        rate = self.learning_rate * jnp.where(known, jnp.sqrt(jnp.maximum(share, 0)) / root, 1.0)
        return Update(
            -rate * first / (1 - self.beta1**count),
            {"first": first, "second": second},
            {"effective_learning_rate": rate},
        )


@part(name="adamax")
class AdaMax:
    """Divides an average gradient by the largest recent gradient.

    Formula: m ← β₁ m + (1 − β₁) g;  u ← max(β₂ u, |g| + ε);  θ ← θ − η m / ((1 − β₁ᵗ) u)
    Numbers: learning_rate: η; beta1: β₁; beta2: β₂; epsilon: ε
    Shapes: those of the parameters; two arrays of state each
    Watch for: the paper has no ε, and divides by zero where all gradients were; torch and optax
        add it as here.
    Source: Kingma & Ba, Adam, 2015, algorithm 2
    Example:
        >>> rule, g = AdaMax(learning_rate=0.1), jnp.array([1e-3, 1.0])
        >>> rule.update(g, rule.init(g), g, 1).increment.round(4)
        Array([-0.1, -0.1], dtype=float32)
    """

    learning_rate: Number = number(default=2e-3, low=0, scale="log", search=(1e-5, 1e-1))
    beta1: Number = number(default=0.9, low=0, below=1)
    beta2: Number = number(default=0.999, low=0, below=1)
    epsilon: Number = number(default=1e-8, above=0, scale="log", search=(1e-10, 1e-3))

    start, step = init_state, take_step

    def init(self, parameter: Array) -> State:
        return _zeros(parameter, "first", "largest")

    def update(self, gradient: Array, state: State, parameter: Array, count: Array) -> Update:
        first = _average(self.beta1, state["first"], gradient)
        largest = jnp.maximum(self.beta2 * state["largest"], jnp.abs(gradient) + self.epsilon)
        rate = self.learning_rate / largest
        return Update(
            -rate * first / (1 - self.beta1**count),
            {"first": first, "largest": largest},
            {"effective_learning_rate": rate},
        )
