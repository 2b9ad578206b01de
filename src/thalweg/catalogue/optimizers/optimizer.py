"""The contract of optimizers, and how an update rule becomes a step.

An optimizer is given the objective itself, not a gradient, so that it may evaluate it elsewhere
(Nesterov's lookahead, a line search) or differentiate it again (Newton, conjugate gradients).
First-order methods need only say what happens to one parameter: they are a ``Rule``, and
``take_step`` does the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
from jax import Array

__all__ = ["Optimizer", "Rule", "Step", "Update", "init_state", "take_step"]

# Maps parameters to a scalar and whatever else the caller wants back.
Objective = Callable[[Any], tuple[Array, Any]]


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
        gradient: the gradient the rule was given (clipped, if clipping is on).
        quantities: the rule's intermediate quantities, by parameter.
    """

    parameters: Any
    state: Any
    value: Array
    auxiliary: Any
    gradient: Any
    quantities: Any


@runtime_checkable
class Rule(Protocol):
    """A first-order update rule for one parameter.

    Laws: ``init`` depends on shape and type only; ``update`` is elementwise in the sense that
    splitting a parameter in two splits its state and increment; a zero gradient on fresh state
    gives a zero increment, weight decay apart. ``count`` is 1 on the first step. A rule that
    wants its gradient elsewhere has ``lookahead(parameter, state)``.
    """

    @property
    def learning_rate(self) -> Any: ...

    def init(self, parameter: Array) -> dict[str, Array]: ...

    def update(
        self, gradient: Array, state: dict[str, Array], parameter: Array, count: Array
    ) -> Update: ...


@runtime_checkable
class Optimizer(Rule, Protocol):
    """The family; second-order members will keep a wider contract of their own, with ``step``."""


def init_state(rule: Rule, parameters: Any) -> Any:
    """The state a rule keeps, for every parameter: a list in the order of the leaves."""
    return [rule.init(leaf) for leaf in jax.tree.leaves(parameters)]


def take_step(
    rule: Rule,
    objective: Objective,
    parameters: Any,
    state: Any,
    count: Array,
    clip: Callable[[Any], Any] = lambda gradient: gradient,
) -> Step:
    """Differentiate the objective and let the rule move every parameter.

    Args:
        rule: the optimizer, its schedules already settled to numbers.
        objective: maps parameters to a scalar and auxiliary results.
        parameters: a tree of arrays.
        state: from ``init_state`` or the step before.
        count: number of this step, from 1.
        clip: applied to the gradient before the rule sees it.
    """
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
