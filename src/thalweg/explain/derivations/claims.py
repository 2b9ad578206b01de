"""What a line of a derivation claims, and how that is checked.

A claim compares two computations that share nothing but their arguments: a closed form with what
automatic differentiation, SciPy or a part of the catalogue makes of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, TypeAlias

import jax
import numpy as np

from thalweg.errors import MissingExtra

__all__ = ["AtMost", "Claim", "Equal", "Exact", "Outcome", "symbols"]

Function: TypeAlias = Callable[[Any], Any]


@dataclass(frozen=True)
class Outcome:
    """What was found at the points where a claim was looked at.

    Args:
        points: how many there were; 0 where it was shown in symbols.
        failed: at how many it does not hold.
        difference: the largest, as a share of the larger side; NaN in symbols.
        left, right: both sides where they differ the most; NaN in symbols.
    """

    points: int
    failed: int
    difference: float = float("nan")
    left: float = float("nan")
    right: float = float("nan")

    @property
    def holds(self) -> bool:
        """Whether it holds at all points."""
        return self.failed == 0


@dataclass(frozen=True)
class Equal:
    """Both sides agree: numbers, arrays, or trees of arrays.

    Args:
        left, right: functions of the arguments of the derivation.
        tolerance: largest difference allowed, as a share of the larger side.
    """

    left: Function
    right: Function
    tolerance: float = 1e-9

    def check(self, points: Sequence[Any]) -> Outcome:
        """Look at the claim at all points."""

        def apart(left: np.ndarray, right: np.ndarray) -> np.ndarray:
            return abs(left - right) / max(abs(left).max(), abs(right).max(), _TINY)

        return _looked_at(self, points, apart)


@dataclass(frozen=True)
class AtMost:
    """The left side is nowhere larger than the right one.

    Args:
        left, right: functions of the arguments of the derivation.
        tolerance: how far it may be above, as a share of the larger side.
    """

    left: Function
    right: Function
    tolerance: float = 1e-9

    def check(self, points: Sequence[Any]) -> Outcome:
        """Look at the claim at all points."""

        def above(left: np.ndarray, right: np.ndarray) -> np.ndarray:
            return (left - right) / np.maximum(np.maximum(abs(left), abs(right)), _TINY)

        return _looked_at(self, points, above)


@dataclass(frozen=True)
class Exact:
    """Both sides are the same in symbols.

    Args:
        left, right: functions that make a SymPy expression of the module ``sympy``.
    """

    left: Function
    right: Function

    def check(self, points: Sequence[Any]) -> Outcome:
        """Look at the claim, which needs no points."""
        sympy = symbols()
        rest = sympy.simplify(self.left(sympy) - self.right(sympy))
        return Outcome(points=0, failed=int(rest != 0))


Claim: TypeAlias = Equal | AtMost | Exact

_TINY = np.finfo(float).tiny


def symbols() -> Any:
    """The module ``sympy``.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        return import_module("sympy")
    except ImportError:
        raise MissingExtra("lines in symbols need SymPy: pip install 'thalweg[explain]'") from None


def _looked_at(claim: Equal | AtMost, points: Sequence[Any], measure: Any) -> Outcome:
    worst, failed = Outcome(len(points), 0, -np.inf), 0
    for point in points:
        left, right = _flat(claim.left(point)), _flat(claim.right(point))
        if left.size != right.size:
            raise ValueError(f"sides of {left.size} and {right.size} numbers do not compare")
        # What is no number does not hold, and is the largest difference there is.
        differences = np.nan_to_num(measure(left, right), nan=np.inf)
        place = int(differences.argmax())
        largest = float(differences[place])
        failed += largest > claim.tolerance
        if largest > worst.difference:
            worst = Outcome(len(points), 0, largest, float(left[place]), float(right[place]))
    return replace(worst, failed=failed)


def _flat(value: Any) -> np.ndarray:
    leaves = [np.ravel(np.asarray(leaf, np.float64)) for leaf in jax.tree.leaves(value)]
    return np.concatenate(leaves)
