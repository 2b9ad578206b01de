"""Optimizers around another one, which they hold as ``inner``.

Some change what it sees: the gradient of several mini-batches (``GradientAccumulation``), or of
the worst point nearby (``SharpnessAware``). They give it another objective, so that they work
around every optimizer, whatever it does with one. The others change what comes of it:
``Lookahead``, and two kinds of averages over the steps.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.clipping import norm
from thalweg.catalogue.optimizers.adam import Adam
from thalweg.catalogue.optimizers.descent import GradientDescent, Momentum
from thalweg.catalogue.optimizers.optimizer import (
    Clip,
    Objective,
    Optimizer,
    Step,
    as_is,
    chosen,
    evaluated,
)
from thalweg.part import Number, choice, number, part

__all__ = [
    "GradientAccumulation",
    "Lookahead",
    "PolyakAveraging",
    "ScheduleFree",
    "SharpnessAware",
]


def _towards(share: Any, target: Any, point: Any) -> Any:
    """Points moved by a share of the way to others."""
    return jax.tree.map(lambda p, t: p + share * (t - p), point, target)


@property
def _rate_of_inner(self: Any) -> Any:
    return getattr(self.inner, "learning_rate", 1.0)


@part
class GradientAccumulation:
    """Averages the gradients of several mini-batches before it takes one step with them.

    Formula: a ← a + g;  every n-th mini-batch: a step of inner with the gradient a / n, and a ← 0
    Choices: inner: what takes the steps; every: n
    Shapes: those of inner, and one array for each parameter
    Watch for: equals a batch n times as large where losses are averages over equal batches and no
        layer looks at the whole batch. ``steps`` still counts mini-batches, as schedules do, and
        DecoupledDecay shrinks at each of them. Of a last, incomplete group nothing comes. A line
        search knows the other mini-batches by their gradient only.
    Source: standard; Ott et al., Scaling Neural Machine Translation, 2018, section 3.2
    Example:
        >>> rule, w = GradientAccumulation(inner=GradientDescent(learning_rate=0.5), every=2), 4.0
        >>> first = rule.step(lambda w: (w**2, None), w, rule.start(w), 1)
        >>> second = rule.step(lambda w: (3 * w**2, None), first.parameters, first.state, 2)
        >>> float(first.parameters), float(second.parameters)
        (4.0, -4.0)
    """

    inner: Optimizer = choice(default=Adam())
    every: int = choice(default=4, low=1)

    learning_rate = _rate_of_inner

    def evaluated(self, parameters: Any, state: Any) -> Any:
        return evaluated(self.inner, parameters, state["inner"])

    def start(self, parameters: Any) -> Any:
        total = jax.tree.map(jnp.zeros_like, parameters)
        return {"inner": self.inner.start(parameters), "total": total}

    def step(
        self, objective: Objective, parameters: Any, state: Any, count: Array, clip: Clip = as_is
    ) -> Step:
        complete = count % self.every == 0

        # Its gradient is the average, wherever inner takes it.
        def averaged(at: Any) -> tuple[Array, Any]:
            value, auxiliary = objective(at)
            products = jax.tree.map(jnp.vdot, state["total"], at)
            return sum(jax.tree.leaves(products), value) / self.every, (value, auxiliary)

        taken = self.inner.step(
            averaged,
            parameters,
            state["inner"],
            (count - 1) // self.every + 1,
            lambda gradient: chosen(complete, clip(gradient), gradient),
        )
        value, auxiliary = taken.auxiliary
        total = jax.tree.map(lambda g: jnp.where(complete, 0, self.every * g), taken.gradient)
        kept = {"inner": chosen(complete, taken.state, state["inner"]), "total": total}
        moved = chosen(complete, taken.parameters, parameters)
        return Step(moved, kept, value, auxiliary, taken.gradient, taken.quantities)


@part
class SharpnessAware:
    """Descends by the gradient of a worse point nearby, so as to end in flat minima.

    Formula: e = ρ g(θ) / ‖g(θ)‖;  a step of inner from θ, with the gradient g(θ + e)
    Numbers: radius: ρ
    Choices: inner: what takes the steps
    Shapes: those of inner
    Watch for: two gradients a step. The norm is over all parameters together; clipping acts on
        the second gradient.
    Source: Foret et al., Sharpness-Aware Minimization, 2021, algorithm 1
    Example:
        >>> rule, w = SharpnessAware(inner=GradientDescent(learning_rate=0.5), radius=1.0), 4.0
        >>> float(rule.step(lambda w: (w**2, None), w, rule.start(w), 1).parameters)
        -1.0
    """

    inner: Optimizer = choice(default=Momentum())
    radius: Number = number(default=0.05, low=0, scale="log", search=(1e-3, 1))

    learning_rate = _rate_of_inner

    def evaluated(self, parameters: Any, state: Any) -> Any:
        return evaluated(self.inner, parameters, state)

    def start(self, parameters: Any) -> Any:
        return self.inner.start(parameters)

    def step(
        self, objective: Objective, parameters: Any, state: Any, count: Array, clip: Clip = as_is
    ) -> Step:
        (value, auxiliary), gradient = jax.value_and_grad(objective, has_aux=True)(parameters)
        length = norm(gradient)
        scale = self.radius / jnp.maximum(length, jnp.finfo(length.dtype).tiny)

        def nearby(at: Any) -> tuple[Array, Any]:
            return objective(jax.tree.map(lambda w, g: w + scale * g, at, gradient))

        taken = self.inner.step(nearby, parameters, state, count, clip)
        return taken._replace(value=value, auxiliary=auxiliary)


@part
class Lookahead:
    """Lets another optimizer run ahead, and goes a part of the way after it.

    Formula: θ moves by inner; every k steps: φ ← φ + α (θ − φ), and θ ← φ
    Numbers: share: α
    Choices: inner: what runs ahead; every: k
    Shapes: those of inner, and one array for each parameter
    Watch for: φ is what is evaluated and reported. inner keeps its state across the return.
    Source: Zhang et al., Lookahead Optimizer: k Steps Forward, 1 Step Back, 2019, algorithm 1
    Example:
        >>> rule, w = Lookahead(inner=GradientDescent(learning_rate=0.25), every=1), 4.0
        >>> float(rule.step(lambda w: (w**2, None), w, rule.start(w), 1).parameters)
        3.0
    """

    inner: Optimizer = choice(default=Adam())
    share: Number = number(default=0.5, low=0, high=1)
    every: int = choice(default=5, low=1)

    learning_rate = _rate_of_inner

    def evaluated(self, parameters: Any, state: Any) -> Any:
        return state["slow"]

    def start(self, parameters: Any) -> Any:
        return {"inner": self.inner.start(parameters), "slow": parameters}

    def step(
        self, objective: Objective, parameters: Any, state: Any, count: Array, clip: Clip = as_is
    ) -> Step:
        taken = self.inner.step(objective, parameters, state["inner"], count, clip)
        followed = count % self.every == 0
        reached = _towards(self.share, taken.parameters, state["slow"])
        kept = {"inner": taken.state, "slow": chosen(followed, reached, state["slow"])}
        return taken._replace(parameters=chosen(followed, reached, taken.parameters), state=kept)


@part
class PolyakAveraging:
    """Reports the average of the parameters over the steps.

    Formula: θ moves by inner;  φ = (θ_1 + … + θ_t) / t;
        with decay: φ_1 = θ_1, then φ ← decay φ + (1 − decay) θ
    Numbers: decay: of a moving average; the average over all steps without it
    Choices: inner: what moves θ; after: steps before the average begins, with φ = θ until then
    Shapes: those of inner, and one array for each parameter
    Watch for: φ is what is evaluated and reported. An average over all steps remembers the poor
        beginning: set ``after``, or a decay.
    Source: Polyak & Juditsky, Acceleration of Stochastic Approximation by Averaging, 1992;
        Izmailov et al., Averaging Weights Leads to Wider Optima, 2018 (the end of training)
    Example:
        >>> rule, w = PolyakAveraging(inner=GradientDescent(learning_rate=0.25)), 4.0
        >>> first = rule.step(lambda w: (w**2, None), w, rule.start(w), 1)
        >>> second = rule.step(lambda w: (w**2, None), first.parameters, first.state, 2)
        >>> float(second.parameters), float(rule.evaluated(second.parameters, second.state))
        (1.0, 1.5)
    """

    inner: Optimizer = choice(default=GradientDescent())
    decay: Number = number(default=None, low=0, below=1, search=(0.9, 0.9999))
    after: int = choice(default=0, low=0)

    learning_rate = _rate_of_inner

    def evaluated(self, parameters: Any, state: Any) -> Any:
        return state["average"]

    def start(self, parameters: Any) -> Any:
        return {"inner": self.inner.start(parameters), "average": parameters}

    def step(
        self, objective: Objective, parameters: Any, state: Any, count: Array, clip: Clip = as_is
    ) -> Step:
        taken = self.inner.step(objective, parameters, state["inner"], count, clip)
        averaged = jnp.maximum(count - self.after, 1)
        share = 1 / averaged
        if self.decay is not None:
            share = jnp.where(averaged == 1, 1.0, 1 - self.decay)
        average = _towards(share, taken.parameters, state["average"])
        return taken._replace(state={"inner": taken.state, "average": average})


@part
class ScheduleFree:
    """Averages the steps in the place of letting the learning rate fall.

    Formula: y = (1 − β) z + β x;  z moves by inner with the gradient at y;  x ← x + (z − x) / t
    Numbers: interpolation: β
    Choices: inner: what moves z; without momentum of its own
    Shapes: those of inner, and two arrays for each parameter
    Watch for: y is trained, x is what is evaluated and reported. The learning rate stays constant;
        with a warm-up the paper weighs the average by η², here all steps count alike.
        DecoupledDecay does not last; AdamW as inner decays.
    Source: Defazio et al., The Road Less Scheduled, 2024, equations 3–5
    Example:
        >>> rule, w = ScheduleFree(inner=GradientDescent(learning_rate=0.25)), 4.0
        >>> first = rule.step(lambda w: (w**2, None), w, rule.start(w), 1)
        >>> second = rule.step(lambda w: (w**2, None), first.parameters, first.state, 2)
        >>> float(second.parameters), float(rule.evaluated(second.parameters, second.state))
        (1.45, 1.5)
    """

    inner: Optimizer = choice(default=GradientDescent())
    interpolation: Number = number(default=0.9, low=0, high=1)

    learning_rate = _rate_of_inner

    def evaluated(self, parameters: Any, state: Any) -> Any:
        return state["average"]

    def start(self, parameters: Any) -> Any:
        return {"inner": self.inner.start(parameters), "free": parameters, "average": parameters}

    def step(
        self, objective: Objective, parameters: Any, state: Any, count: Array, clip: Clip = as_is
    ) -> Step:
        # To inner, which is at z, the objective looks as it does around y.
        def around(at: Any) -> tuple[Array, Any]:
            return objective(
                jax.tree.map(lambda y, now, z: y + (now - z), parameters, at, state["free"])
            )

        taken = self.inner.step(around, state["free"], state["inner"], count, clip)
        average = _towards(1 / count, taken.parameters, state["average"])
        between = _towards(self.interpolation, average, taken.parameters)
        kept = {"inner": taken.state, "free": taken.parameters, "average": average}
        return taken._replace(parameters=between, state=kept)
