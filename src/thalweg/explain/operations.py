"""The primitives of JAX in words and signs, and the places where they have no derivative."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from thalweg.report.words import short

__all__ = ["OPENED", "PLUMBING", "REPEATING", "constant_word", "kink_of", "label_of", "said"]

#: What only changes shape, type or order, or repeats; it has no label.
PLUMBING = frozenset(
    {
        "broadcast_in_dim",
        "convert_element_type",
        "expand_dims",
        "reshape",
        "squeeze",
        "transpose",
    }
)

#: Functions with derivatives of their own that only repeat what they are given.
REPEATING = frozenset({"along_rows", "down_columns"})

#: Functions with derivatives of their own that say to the compiler alone how it should go about
#: what is in them; they are gone into.
OPENED = frozenset({"apart", "product_of_columns"})

# What changes nothing.
_IDENTITIES = (("mul", ["", "1"]), ("mul", ["1", ""]), ("div", ["", "1"]))

_INFIX = {
    "add": "+",
    "add_any": "+",
    "div": "÷",
    "dot_general": "@",
    "eq": "=",
    "ge": "≥",
    "gt": ">",
    "le": "≤",
    "lt": "<",
    "mul": "×",
    "ne": "≠",
    "pow": "^",
    "sub": "−",
}
_SIGNS = {
    "argmax": "argmax",
    "atan": "arctan",
    "concatenate": "concatenate",
    "conv_general_dilated": "∗",
    "cumsum": "running Σ",
    "integer_pow": "^",
    "is_finite": "is finite",
    "logistic": "σ",
    "neg": "−",
    "reduce_and": "all",
    "reduce_max": "max",
    "reduce_min": "min",
    "reduce_or": "any",
    "reduce_prod": "∏",
    "reduce_sum": "Σ",
    "rsqrt": "1/√",
    "select_n": "where",
    "sqrt": "√",
    "square": "(·)²",
    "stop_gradient": "stop gradient",
}


def label_of(
    operation: str,
    operands: Sequence[np.ndarray | None],
    settings: Mapping[str, Any],
    place: int = 0,
) -> str:
    """What an operation is called in a drawing; empty for plumbing.

    Args:
        operation: name of the primitive.
        operands: its constant operands; None in place of those that are values of the graph.
        settings: of the primitive.
        place: which of its outputs it is.
    """
    if operation in PLUMBING:
        return ""
    if operation == "integer_pow":
        return f"(·){_raised(settings['y'])}"
    if operation == "slice":
        pairs = zip(settings["start_indices"], settings["limit_indices"], strict=True)
        return f"[{', '.join(f'{a}' if b == a + 1 else f'{a}:{b}' for a, b in pairs)}]"
    if operation == "split":
        start = sum(settings["sizes"][:place])
        wanted = f"{start}:{start + settings['sizes'][place]}"
        return f"[{', '.join([':'] * settings['axis'] + [wanted])}]"
    if operation == "dot_general" and any(map(_is_summing, operands)):
        return "Σ"
    constants = [constant_word(operand) for operand in operands]
    if (operation, constants) in _IDENTITIES:
        return ""
    if operation in _INFIX and len(operands) == 2:
        return " ".join(filter(None, (constants[0], _INFIX[operation], constants[1])))
    sign = _SIGNS.get(operation, operation.replace("_", " "))
    if operation != "select_n" and len(operands) > 1 and any(constants):
        return f"{sign}({', '.join(word or '·' for word in constants)})"
    return sign


def _is_summing(operand: np.ndarray | None) -> bool:
    """Whether a product with it is a sum."""
    return operand is not None and operand.ndim == 1 and bool(np.all(operand == 1))


def said(operation: str, label: str, operands: Sequence[str], settings: Mapping[str, Any]) -> str:
    """An operation written out: ``v1 + 2``, ``sin(v3)``, ``where(v2, v1, 0)``.

    Args:
        operation: name of the primitive.
        label: as ``label_of`` gives it, or the name of a part that is folded.
        operands: what it is of, in words.
        settings: of the primitive.
    """
    if operation == "dot_general" and label == "Σ":
        return f"Σ({next(word for word in operands if word != 'constant')})"
    if operation in _INFIX and len(operands) == 2:
        return f" {_INFIX[operation]} ".join(map(_inner, operands))
    if operation == "integer_pow":
        return f"{_inner(operands[0])}{_raised(settings['y'])}"
    if operation == "square":
        return f"{_inner(operands[0])}²"
    if operation == "neg":
        return f"−{_inner(operands[0])}"
    if operation == "select_n" and len(operands) == 3:
        return f"where({operands[0]}, {operands[2]}, {operands[1]})"
    if label.startswith("["):
        return f"{operands[0]}{label}"
    name = label if operation in ("fold", *_RULED) else _SIGNS.get(operation, operation)
    return f"{name.replace('_', ' ')}({', '.join(operands)})"


_RULED = ("custom_jvp_call", "custom_vjp_call")


def _raised(power: int) -> str:
    return str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _inner(word: str) -> str:
    """An operand beside a sign."""
    return f"({word})" if word.startswith("−") else word


def constant_word(constant: np.ndarray | None) -> str:
    """A constant in a label: a number, or that it is an array."""
    if constant is None:
        return ""
    if constant.size == 1 and constant.dtype.kind in "fiub":
        return short(float(constant.reshape(())), 4)
    return "constant"


def kink_of(operation: str, operands: Sequence[np.ndarray], settings: Mapping[str, Any]) -> str:
    """Why an operation has no derivative where it is; empty where it has one.

    Args:
        operation: name of the primitive.
        operands: what it is of.
        settings: of the primitive.
    """
    first = operands[0]
    if operation in ("max", "min") and np.any(operands[0] == operands[1]):
        return "its arguments are equal"
    if operation in ("abs", "sign", "sqrt", "rsqrt", "cbrt") and np.any(first == 0):
        return "its argument is 0"
    if operation in ("floor", "ceil", "round") and np.any(first == np.floor(first)):
        return "its argument is a whole number"
    if operation in ("reduce_max", "reduce_min"):
        extreme = np.max if operation == "reduce_max" else np.min
        ends = first == extreme(first, axis=tuple(settings["axes"]), keepdims=True)
        if np.any(ends.sum(axis=tuple(settings["axes"])) > 1):
            return "several of its arguments are the extreme one"
    if operation in _ORDERS and np.any(operands[0] == operands[1]):
        return "both sides of its condition are equal"
    return ""


# What asks on which side of a boundary a number is. Comparisons that guard against one number
# alone, such as 0 in sin(x) / x, are of another kind: the function goes on smoothly there.
_ORDERS = ("gt", "ge", "lt", "le")
