"""Sophia: momentum over an estimate of the diagonal of the Hessian, bounded for every parameter."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from thalweg.catalogue.optimizers.optimizer import Clip, Objective, Step, as_is
from thalweg.part import Number, choice, number, part

__all__ = ["Sophia"]


def directions(parameters: Any, count: Array) -> Any:
    """Normal draws of the shape of the parameters, of their own for each step."""
    leaves, structure = jax.tree.flatten(parameters)
    keys = jax.random.split(jax.random.fold_in(jax.random.key(0), count), len(leaves))
    # In single precision always, so that computing in double changes no draw.
    drawn = [
        jax.random.normal(key, leaf.shape, jnp.float32).astype(leaf.dtype)
        for key, leaf in zip(keys, leaves, strict=True)
    ]
    return structure.unflatten(drawn)


@part
class Sophia:
    """Divides an average gradient by an average of estimated curvatures, and bounds the quotient.

    Formula: m ← β₁ m + (1 − β₁) g;
        every k-th step, the first included: h ← β₂ h + (1 − β₂) u ⊙ H u, u normal;
        θ ← θ − η (clip(m / max(γ h, ε), −1, 1) + λ θ)
    Numbers: learning_rate: η, the longest step of a parameter; beta1: β₁; beta2: β₂; gamma: γ,
        the smaller the more parameters take the longest step; epsilon: ε; weight_decay: λ
    Choices: every: k
    Shapes: those of the parameters; two arrays of state each
    Watch for: where h is not positive the step is that of the sign of m. Tune γ so that a tenth
        to a half of the parameters stay below the bound. The first preprint has clip(m /
        max(h, ε), ρ), the same with ρ = 1 / γ but for the scale of η. H is that of the
        mini-batch, and u is the same in every run; every k-th step costs about two gradients
        more. As in the paper, moments are not corrected.
    Source: Liu, Li, Hall, Liang & Ma, Sophia: A Scalable Stochastic Second-order Optimizer for
        Language Model Pre-training, 2023, algorithms 1 (Hutchinson) and 3
    Example:
        >>> rule, w = Sophia(learning_rate=0.5), jnp.array([4.0, 1.0])
        >>> bowl = lambda w: (w[0] ** 2 + 400 * w[1] ** 2, None)
        >>> rule.step(bowl, w, rule.start(w), 1).parameters
        Array([3.5, 0.5], dtype=float32)
    """

    learning_rate: Number = number(default=1e-3, low=0, scale="log", search=(1e-5, 1e-1))
    beta1: Number = number(default=0.96, low=0, below=1)
    beta2: Number = number(default=0.99, low=0, below=1)
    gamma: Number = number(default=0.01, above=0, scale="log", search=(1e-3, 1))
    epsilon: Number = number(default=1e-12, above=0, scale="log", search=(1e-12, 1e-3))
    weight_decay: Number = number(default=0.0, low=0)
    every: int = choice(default=10, low=1)
    takes_second_derivatives = True

    def start(self, parameters: Any) -> Any:
        zeros = jax.tree.map(jnp.zeros_like, parameters)
        return {"first": zeros, "curvature": zeros}

    def step(
        self, objective: Objective, parameters: Any, state: Any, count: Array, clip: Clip = as_is
    ) -> Step:
        differentiated = jax.value_and_grad(objective, has_aux=True)
        (value, auxiliary), gradient = differentiated(parameters)
        gradient = clip(gradient)

        def seen() -> Any:
            along = directions(parameters, count)
            image = jax.jvp(lambda w: differentiated(w)[1], (parameters,), (along,))[1]
            return jax.tree.map(
                lambda h, u, hu: self.beta2 * h + (1 - self.beta2) * u * hu,
                state["curvature"],
                along,
                image,
            )

        # The step is the same for all lanes of a program, so the other steps do not pay for it.
        curvature = lax.cond((count - 1) % self.every == 0, seen, lambda: state["curvature"])
        first = jax.tree.map(
            lambda m, g: self.beta1 * m + (1 - self.beta1) * g, state["first"], gradient
        )

        def moved(w: Array, m: Array, h: Array) -> Array:
            bounded = jnp.clip(m / jnp.maximum(self.gamma * h, self.epsilon), -1, 1)
            return w - self.learning_rate * (bounded + self.weight_decay * w)

        after = jax.tree.map(moved, parameters, first, curvature)
        quantities = jax.tree.map(lambda h: {"curvature": h}, curvature)
        kept = {"first": first, "curvature": curvature}
        return Step(after, kept, value, auxiliary, gradient, quantities)
