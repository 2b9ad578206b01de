"""Derivations as programs: every line is printed, and checked by numbers.

Read ``frame`` first: what a derivation is, and how its lines are checked. ``listing`` has the names
of all; each stands in the module of its subject. ``page`` makes a page of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from thalweg.explain.derivations.listing import DERIVATIONS, found

if TYPE_CHECKING:
    from thalweg.explain.explanation import Explanation

__all__ = ["DERIVATIONS", "derivation"]


def derivation(name: str, seed: int = 0) -> Explanation:
    """A derivation, all of its lines checked.

    Args:
        name: one of ``DERIVATIONS``.
        seed: what its arguments are drawn from.

    Raises:
        SpecError: there is none of this name, or the seed is not a whole number from 0 on.
        MissingExtra: it has lines in symbols, and SymPy is not installed.
    """
    from thalweg.explain.derivations.page import explained  # loads JAX

    return explained(found(name), seed)
