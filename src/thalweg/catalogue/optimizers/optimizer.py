"""The contract of optimizers, and how an update rule becomes one.

An ``Optimizer`` is given the objective itself, not a gradient, so that it may evaluate it elsewhere
(Nesterov's lookahead, a line search) or differentiate it again (Newton, conjugate gradients).
Most first-order methods need only say what happens to one parameter: they are a ``Rule``, and
take the functions that make an optimizer of a rule as their methods,
``start, step = init_state, take_step``. Optimizers that change how another one works hold it in a
field ``inner`` and call its ``start`` and ``step``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax import Array

__all__ = [
    "Clip",
    "Objective",
    "Optimizer",
    "Rule",
    "Step",
    "Update",
    "as_is",
    "chosen",
    "evaluated",
    "init_state",
    "take_step",
]

# Maps parameters to a scalar and whatever else the caller wants back.
Objective = Callable[[Any], tuple[Array, Any]]

# What is done to a gradient before it is used; see ``thalweg.catalogue.clipping``.
Clip = Callable[[Any], Any]


def as_is(gradient: Any) -> Any:
    """The gradient as it is."""
    return gradient


class Update(NamedTuple):
    """What a rule makes of one gradient.

    Args:
        increment: what is added to the parameter.
        state: the arrays the rule keeps, by name.
        quantities: intermediate quantities by name, for probes and explanations; those nobody
            reads are never computed.
    """

    increment: Array
    state: dict[str, Array]
    quantities: dict[str, Array] = {}  # noqa: RUF012  # never written to


class Step(NamedTuple):
    """One step of an optimizer.

    Args:
        parameters, state: after the step.
        value: the objective where its gradient was taken.
        auxiliary: what else the objective returned there.
        gradient: the gradient that was used (clipped, if clipping is on).
        quantities: intermediate quantities; of a rule, by parameter.
    """

    parameters: Any
    state: Any
    value: Array
    auxiliary: Any
    gradient: Any
    quantities: Any


@runtime_checkable
class Optimizer(Protocol):
    """A way of moving all parameters by one step.

    Laws: the structure, shapes and types of the state are the same after every step; a step
    depends on nothing but its arguments. Where not the parameters that are trained are meant to
    be used, but others that the state holds (an average over steps), ``evaluated(parameters,
    state)`` picks them out, and computes nothing: evaluations, predictions and results are of
    them. A ``learning_rate``, where there is one, is what decoupled weight decay is multiplied by.
    """

    def start(self, parameters: Any) -> Any:
        """The state before the first step."""
        ...

    def step(
        self, objective: Objective, parameters: Any, state: Any, count: Array, clip: Clip = as_is
    ) -> Step:
        """Take one step.

        Args:
            objective: maps parameters to a scalar and auxiliary results.
            parameters: a tree of arrays.
            state: from ``start`` or the step before.
            count: number of this step, from 1.
            clip: to be applied to the gradient before it is used.
        """
        ...


@runtime_checkable
class Rule(Protocol):
    """A first-order update rule for one parameter.

    Laws: ``init`` depends on shape and type only; a zero gradient on fresh state gives a zero
    increment, weight decay apart. Most rules are elementwise: splitting a parameter in two splits
    its state and increment. ``count`` is 1 on the first step. A rule that wants its gradient
    elsewhere has ``lookahead(parameter, state)``.
    """

    def init(self, parameter: Array) -> dict[str, Array]: ...

    def update(
        self, gradient: Array, state: dict[str, Array], parameter: Array, count: Array
    ) -> Update: ...


def chosen(mask: Any, new: Any, old: Any) -> Any:
    """The new trees where the mask says so, the old ones elsewhere.

    Args:
        mask: bool [...]; the leaves may have further axes.
    """
    mask = jnp.asarray(mask)

    def one(new: Any, old: Any) -> Array:
        beside = jnp.ndim(new) - mask.ndim
        return jnp.where(mask.reshape(mask.shape + (1,) * beside), new, old)

    return jax.tree.map(one, new, old)


def evaluated(optimizer: Optimizer, parameters: Any, state: Any) -> Any:
    """The parameters that are meant to be used: those trained, unless the optimizer says else."""
    picked = getattr(optimizer, "evaluated", None)
    return parameters if picked is None else picked(parameters, state)


def init_state(rule: Rule, parameters: Any) -> Any:
    """The state a rule keeps, for every parameter: a list in the order of the leaves."""
    return [rule.init(leaf) for leaf in jax.tree.leaves(parameters)]


def take_step(
    rule: Rule, objective: Objective, parameters: Any, state: Any, count: Array, clip: Clip = as_is
) -> Step:
    """Differentiate the objective and let the rule move every parameter: ``Optimizer.step``."""
    leaves, structure = jax.tree.flatten(parameters)
    point = parameters
    lookahead = getattr(rule, "lookahead", None)
    if lookahead is not None:
        point = structure.unflatten(map(lookahead, leaves, state))
    (value, auxiliary), gradient = jax.value_and_grad(objective, has_aux=True)(point)
    gradient = clip(gradient)
    updates = [
        rule.update(g, s, p, count)
        for g, s, p in zip(jax.tree.leaves(gradient), state, leaves, strict=True)
    ]
    moved = structure.unflatten([p + u.increment for p, u in zip(leaves, updates, strict=True)])
    quantities = structure.unflatten([u.quantities for u in updates])
    return Step(moved, [u.state for u in updates], value, auxiliary, gradient, quantities)
