"""Values in words: numbers in six digits, small arrays whole, others by their size."""

from __future__ import annotations

import numpy as np

from thalweg.explain.graphs import Graph, Value
from thalweg.explain.operations import constant_word, said
from thalweg.report.words import short

__all__ = ["amount", "made_of", "shape", "subscript"]

#: Entries of arrays that are written out.
SHOWN = 6
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def amount(array: np.ndarray) -> str:
    """A number, a short array whole, or the shape and the length of a large one."""
    if array.dtype == bool and array.ndim == 0:
        return "true" if array else "false"
    if array.ndim == 0:
        return short(float(array), 6)
    if array.size <= SHOWN and array.ndim <= 2:
        return f"[{', '.join(_entry(entry) for entry in array)}]"
    length = float(np.sqrt(np.sum(np.square(array.astype(np.float64)))))
    return f"{shape(array)}, length {short(length, 4)}"


def _entry(entry: np.ndarray) -> str:
    return short(float(entry), 4) if entry.ndim == 0 else amount(entry)


def shape(array: np.ndarray) -> str:
    """The shape of an array: ``3 × 4``."""
    return " × ".join(map(str, array.shape)) or "a number"


def subscript(number: int) -> str:
    """A number as it stands below a letter: ``₁₂``."""
    return str(number).translate(_SUBSCRIPTS)


def made_of(graph: Graph, value: Value) -> str:
    """What a value is made of: ``v1 + 2``; its own name for an input."""
    if value.operation == "input":
        return value.name
    operands = [
        graph.values[operand].name
        if isinstance(operand, int)
        else constant_word(np.asarray(operand))
        for operand in value.operands
    ]
    return said(value.operation, value.label, operands, value.settings)
