"""The contract of regularizers: where in a step one may have a say, and the sums they share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax import Array

__all__ = ["Regularizer", "held", "in_place", "is_held", "map_held", "mean_over_rows", "of_layers"]


@runtime_checkable
class Regularizer(Protocol):
    """A pull towards simpler networks, on their ``weights`` or their ``activations``.

    ``acts_on`` is which of the two, and ``layers`` the names of the layers it acts on, each with
    all that is within it; None for all there are. Whoever calls the methods gives them these alone
    (``of_layers``) and puts what comes back among the others (``in_place``). It has at least one
    of these methods; a step pays only for those that are there:

    * ``penalty(parameters)``: a scalar, added to the objective;
    * ``activity_penalty(activations, weights)``: the same, from the hidden activations by layer,
      [row, ...], and the weights of the rows, [row] or None where all count alike; one that
      ``reads`` another tap of layers than their activation ``a`` is given that;
    * ``sensitivity_penalty(activations_at, inputs, weights, key)``: the same, given the function
      from inputs [row, ...] to hidden activations by layer;
    * ``shrinkage(parameters, learning_rate)``: subtracted from the parameters after the
      optimizer's update, which it does not pass through;
    * ``project(parameters, before, learning_rate, progress)``: the parameters in place of those
      after the update (and all shrinkage), given those before it.

    Laws: at strength 0 none does anything; all are finite for finite parameters and inputs; a row
    of weight 0 counts for nothing.
    """

    @property
    def acts_on(self) -> str: ...

    @property
    def layers(self) -> tuple[str, ...] | None: ...


def of_layers(tree: Mapping[str, Any], layers: tuple[str, ...] | None) -> Mapping[str, Any]:
    """What lies in some layers, of parameters or activations by layer; all of it for None."""
    return tree if layers is None else _within(tree, layers, "")


def _within(tree: Mapping[str, Any], layers: tuple[str, ...], prefix: str) -> dict[str, Any]:
    found = {}
    for name, held in tree.items():
        full = prefix + name
        if any(f"{full}.".startswith(f"{layer}.") for layer in layers):
            found[name] = held
        elif isinstance(held, Mapping) and (inner := _within(held, layers, f"{full}.")):
            found[name] = inner
    return found


def in_place(tree: Any, changed: Any) -> Any:
    """A tree with what was changed of it: the inverse of ``of_layers``."""
    if not isinstance(tree, Mapping):
        return changed
    return {n: in_place(held, changed[n]) if n in changed else held for n, held in tree.items()}


def held(parameters: Any, biases: bool) -> list[Array]:
    """The leaves that regularizers hold back: the weights, and biases where asked for."""
    leaves = jax.tree_util.tree_leaves_with_path(parameters)
    return [leaf for path, leaf in leaves if is_held(path, biases)]


def map_held(function: Any, biases: bool, parameters: Any, *others: Any) -> Any:
    """Parameters with a function applied to the leaves that are held back, the others as are."""

    def one(path: Any, leaf: Array, *rest: Array) -> Array:
        return function(leaf, *rest) if is_held(path, biases) else leaf

    return jax.tree_util.tree_map_with_path(one, parameters, *others)


def is_held(path: Any, biases: bool) -> bool:
    """Whether regularizers hold a parameter back, told by its name.

    A ``bias``, and the ``scale`` of a normalization, which is treated like one, are held where
    asked for, whatever stands before the word (``candidate_bias``). A ``slope``, which an
    activation learns, never is: 0 is nothing special for it.
    """
    name = getattr(path[-1], "key", None) if path else None
    return name != "slope" and (biases or str(name).rpartition("_")[2] not in ("bias", "scale"))


def mean_over_rows(values: Array, weights: Array | None) -> Array:
    """Mean of values [row, ...] over rows, by their weights [row], or all alike."""
    if weights is None:
        return jnp.mean(values, axis=0)
    return jnp.tensordot(weights.astype(values.dtype), values, 1) / weights.sum()
