"""Explanations: small computations, worked out step by step with their numbers.

What is shown and what is trained come from the same functions; every step is checked against
automatic differentiation.

explanation.py  a page and its numbers: what every explanation gives
expressions.py  formulas as text; asked.py: explanations asked for in words
graphs.py       computational graphs; tracing.py makes them of functions, operations.py knows the
                primitives of JAX by name
backward.py     the backward pass; paths.py: the sum over all paths; checking.py: differences
symbols.py      formulas, and derivatives with the rule of every line
updates.py      every quantity of every step of an optimizer
landscapes/     functions and losses as landscapes, and optimizers on them
pages.py        pages about a computation; words.py: its values in words

Names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thalweg.explain.asked import of_expression, of_function, of_optimizers
    from thalweg.explain.explanation import Explanation
    from thalweg.explain.landscapes import landscape
    from thalweg.explain.pages import backpropagation
    from thalweg.explain.tracing import graph
    from thalweg.explain.updates import update

__all__ = [
    "Explanation",
    "backpropagation",
    "graph",
    "landscape",
    "of_expression",
    "of_function",
    "of_optimizers",
    "update",
]

_WHERE = {
    "Explanation": "explanation",
    "backpropagation": "pages",
    "graph": "tracing",
    "landscape": "landscapes",
    "of_expression": "asked",
    "of_function": "asked",
    "of_optimizers": "asked",
    "update": "updates",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return __all__
