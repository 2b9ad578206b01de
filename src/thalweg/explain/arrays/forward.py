"""What a value is, as a term of those it is made of: one rule for each operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from thalweg.explain.arrays import terms
from thalweg.explain.arrays.terms import Term
from thalweg.explain.graphs import Value
from thalweg.explain.tracing import CUSTOM

__all__ = ["OF_EVERY_ENTRY", "ONE", "is_repeating", "is_silent", "kept_axes", "made", "pattern_of"]

#: The number 1.
ONE = terms.number(np.ones(()))

#: Functions of numbers, and what they are called.
OF_EVERY_ENTRY = {
    "abs": "abs",
    "cos": "cos",
    "cosh": "cosh",
    "erf": "erf",
    "erfc": "erfc",
    "exp": "exp",
    "expm1": "expm1",
    "log": "log",
    "log1p": "log1p",
    "logistic": "σ",
    "max": "max",
    "min": "min",
    "sign": "sign",
    "sin": "sin",
    "sinh": "sinh",
    "tan": "tan",
    "tanh": "tanh",
}


def made(value: Value, given: list[Term]) -> Term:
    """What a value is, of the terms it is made of."""
    operation, settings, shape = value.operation, value.settings, value.value.shape
    if operation in OF_EVERY_ENTRY:
        return terms.applied(OF_EVERY_ENTRY[operation], *given)
    if operation in _COMPARISONS:
        return terms.compared(operation, *given)
    if is_repeating(value):
        return terms.repeated(given[0], shape, kept_axes(value))
    match operation:
        case "add" | "add_any":
            return terms.plus(*given)
        case "sub":
            return terms.minus(*given)
        case "mul":
            return terms.times(*given)
        case "div":
            return terms.divided(*given)
        case "neg":
            return terms.negative(given[0])
        case "integer_pow":
            return terms.power(given[0], settings["y"])
        case "square":
            return terms.power(given[0], 2)
        case "sqrt":
            return terms.root(given[0])
        case "rsqrt":
            return terms.divided(ONE, terms.root(given[0]))
        case "select_n" if len(given) == 3:
            return terms.chosen(given[0], given[2], given[1])
        case "dot_general":
            return _contraction(settings["dimension_numbers"], *given)
        case "reduce_sum":
            return terms.summed(given[0], settings["axes"])
        case "reduce_max" | "reduce_min":
            return terms.extreme(given[0], settings["axes"], operation.removeprefix("reduce_"))
        case "broadcast_in_dim":
            return terms.repeated(given[0], shape, settings["broadcast_dimensions"])
        case "transpose":
            return terms.permuted(given[0], settings["permutation"])
        case "reshape" | "expand_dims" | "squeeze":
            return terms.reshaped(given[0], shape)
        case "convert_element_type" | "stop_gradient":
            return given[0]
    if value.label.startswith("["):
        return terms.entries(given[0], value.label, shape, _carried_out(value))
    return terms.named(value.label or operation, shape, _carried_out(value), *given)


def is_silent(value: Value) -> bool:
    """Whether it is written into the formulas that read it, without a line of its own."""
    return value.operation in (*_COMPARISONS, *_SHAPING) or is_repeating(value)


_COMPARISONS = ("eq", "ge", "gt", "le", "lt", "ne")
# What changes no entry.
_SHAPING = (
    "broadcast_in_dim",
    "convert_element_type",
    "expand_dims",
    "reshape",
    "squeeze",
    "stop_gradient",
    "transpose",
)


def is_repeating(value: Value) -> bool:
    """Whether it only repeats what it is given, by a rule of its own."""
    return value.operation in CUSTOM and not value.label


def _carried_out(value: Value) -> Callable[..., np.ndarray]:
    """An operation that has no formula, on arrays of NumPy."""
    return lambda *given: np.asarray(value.compute(*map(jnp.asarray, given)))


def kept_axes(value: Value) -> list[int]:
    """Which axes of something repeated were there before."""
    inner = value.settings[CUSTOM[value.operation]]
    jaxpr = getattr(inner, "jaxpr", inner)
    before = len(jaxpr.invars[-1].aval.shape)
    down = jaxpr.debug_info.func_name.strip("_") == "along_rows"
    after = value.value.ndim
    return list(range(before)) if down else list(range(after - before, after))


def pattern_of(numbers: Any, first: int, second: int) -> str:
    """A product of arrays as ``numpy.einsum`` writes it."""
    (contract_first, contract_second), (batch_first, batch_second) = numbers
    letters = iter("ijklmnop")
    a, b = [""] * first, [""] * second
    for left, right in zip(batch_first, batch_second, strict=True):
        a[left] = b[right] = next(letters)
    for axis in range(first):
        if not a[axis] and axis not in contract_first:
            a[axis] = next(letters)
    for left, right in zip(contract_first, contract_second, strict=True):
        a[left] = b[right] = next(letters)
    for axis in range(second):
        if not b[axis]:
            b[axis] = next(letters)
    batch = "".join(a[axis] for axis in batch_first)
    kept_first = "".join(o for n, o in enumerate(a) if n not in (*contract_first, *batch_first))
    kept_second = "".join(o for n, o in enumerate(b) if n not in (*contract_second, *batch_second))
    return f"{''.join(a)},{''.join(b)}->{batch}{kept_first}{kept_second}"


def _contraction(numbers: Any, a: Term, b: Term) -> Term:
    pattern = pattern_of(numbers, len(a.shape), len(b.shape))
    inputs, result = pattern.split("->")
    first, second = inputs.split(",")
    for ones, other, axes in ((b, a, first), (a, b, second)):
        if ones.is_ones:
            return terms.summed(other, [n for n, own in enumerate(axes) if own not in result])
    return terms.contracted(pattern, a, b)
