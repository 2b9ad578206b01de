"""Optimizers that move some layers otherwise than the others: ``ByLayer``."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.layers.sequence import by_layer
from thalweg.catalogue.optimizers.adam import Adam
from thalweg.catalogue.optimizers.optimizer import (
    Clip,
    Objective,
    Optimizer,
    Step,
    as_is,
    chosen,
    evaluated,
)
from thalweg.catalogue.regularizers.regularizer import in_place, of_layers
from thalweg.errors import SpecError
from thalweg.part import choice, part

__all__ = ["ByLayer"]


@part
class ByLayer:
    """Moves some layers by one optimizer and all others by another.

    Formula: θ_layers by ``inner`` at every n-th step, θ_others by ``others`` at each, both from
        the same point
    Choices: layers: names of layers, each with all that is within it; inner: what moves them;
        every: n, the steps from one of theirs to the next; others: what moves all other layers
    Shapes: those of inner for its layers, of others for the rest
    Watch for: for a GAN give the generator to inner; ``every`` is then the number of steps of the
        discriminator to one of the generator. Where both move they do so at once, not in turn.
        Gradients are clipped for each by itself. DecoupledDecay goes by the learning rate of
        others. For three groups let others be another ByLayer.
    Source: Goodfellow et al., Generative Adversarial Networks, 2014, algorithm 1 (k = every)
    Example:
        >>> import jax.numpy as jnp
        >>> from thalweg.catalogue.optimizers import GradientDescent
        >>> slow, fast = GradientDescent(learning_rate=0.1), GradientDescent(learning_rate=0.5)
        >>> rule = ByLayer(layers=("a",), inner=slow, others=fast)
        >>> w = {"a": jnp.array(1.0), "b": jnp.array(1.0)}
        >>> step = rule.step(lambda w: (w["a"] + w["b"], None), w, rule.start(w), 1)
        >>> {name: float(value.round(1)) for name, value in step.parameters.items()}
        {'a': 0.9, 'b': 0.5}
    """

    layers: tuple[str, ...] = choice(default=("generator",))
    inner: Optimizer = choice(default=Adam())
    every: int = choice(default=1, low=1)
    others: Optimizer = choice(default=Adam())

    @property
    def learning_rate(self) -> Any:
        return getattr(self.others, "learning_rate", 1.0)

    def start(self, parameters: Any) -> Any:
        inner, others = self._groups(parameters)
        return {"inner": self.inner.start(inner), "others": self.others.start(others)}

    def evaluated(self, parameters: Any, state: Any) -> Any:
        if not isinstance(parameters, dict):
            return evaluated(self.others, parameters, state["others"])
        inner, others = self._groups(parameters)
        used = in_place(parameters, evaluated(self.inner, inner, state["inner"]))
        return in_place(used, evaluated(self.others, others, state["others"]))

    def step(
        self, objective: Objective, parameters: Any, state: Any, count: Array, clip: Clip = as_is
    ) -> Step:
        if not isinstance(parameters, dict):
            alone = self.others.step(objective, parameters, state["others"], count, clip)
            return alone._replace(state={**state, "others": alone.state})

        def taken_by(optimizer: Optimizer, own: Any, kept: Any, count: Any) -> Step:
            # The compiler finds that both differentiate one pass, and computes it once.
            def of_own(at: Any) -> tuple[Array, Any]:
                return objective(in_place(parameters, at))

            def clipped(gradient: Any) -> Any:
                nothing = jax.tree.map(jnp.zeros_like, parameters)
                return _at(clip(in_place(nothing, gradient)), gradient)

            return optimizer.step(of_own, own, kept, count, clipped)

        ours, rest = self._groups(parameters)
        inner = taken_by(self.inner, ours, state["inner"], (count - 1) // self.every + 1)
        others = taken_by(self.others, rest, state["others"], count)
        due = count % self.every == 0
        moved = in_place(parameters, chosen(due, inner.parameters, ours))
        return Step(
            in_place(moved, others.parameters),
            {"inner": chosen(due, inner.state, state["inner"]), "others": others.state},
            others.value,
            others.auxiliary,
            in_place(in_place(parameters, inner.gradient), others.gradient),
            {"inner": inner.quantities, "others": others.quantities},
        )

    def _groups(self, parameters: Any) -> tuple[Any, Any]:
        """The parameters of the named layers, and all others; an array by itself is no layer."""
        if not isinstance(parameters, dict):
            return {}, parameters
        for layer in self.layers:
            if not of_layers(parameters, (layer,)):
                names = ", ".join(name for name, _ in by_layer(parameters))
                raise SpecError(f"ByLayer.layers must name some of {names}, got {layer!r}")
        ours = of_layers(parameters, self.layers)
        rest = _without(parameters, ours)
        if not ours or not rest:
            which = "none" if not ours else "all"
            raise SpecError(f"ByLayer.layers must name some layers and not all, got {which}")
        return ours, rest


def _without(tree: Any, taken: Any) -> Any:
    """What of a tree of parameters is not among those taken of it."""
    rest = {}
    for name, held in tree.items():
        if name not in taken:
            rest[name] = held
        elif isinstance(held, dict) and (inner := _without(held, taken[name])):
            rest[name] = inner
    return rest


def _at(tree: Any, like: Any) -> Any:
    """What of a tree stands in the places of another."""
    if not isinstance(like, dict):
        return tree
    return {name: _at(tree[name], held) for name, held in like.items()}
