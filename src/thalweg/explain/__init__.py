"""Explanations: small computations, worked out step by step with their numbers.

What is shown and what is trained come from the same functions; every step is checked against
automatic differentiation.

explanation.py  a page and its numbers: what every explanation gives
expressions.py  formulas as text; asked.py: explanations asked for in words
graphs.py       computational graphs; tracing.py makes them of functions, operations.py knows the
                primitives of JAX by name
backward.py     the backward pass; paths.py: the sum over all paths; checking.py: differences
symbols.py      formulas, and derivatives with the rule of every line
derivations/    derivations as programs, whose lines are checked by numbers
sequences/      searches over sequences, recurrent and recursive networks, attention
updates.py      every quantity of every step of an optimizer
pages.py        pages about a computation; words.py: its values in words

Names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thalweg.explain.asked import of_derivations, of_expression, of_function, of_optimizers
    from thalweg.explain.derivations import DERIVATIONS, derivation
    from thalweg.explain.explanation import Explanation
    from thalweg.explain.pages import backpropagation
    from thalweg.explain.sequences.attending import attention
    from thalweg.explain.sequences.beams import beam
    from thalweg.explain.sequences.recursion import recursive
    from thalweg.explain.sequences.trellis import viterbi
    from thalweg.explain.sequences.unrolled import unrolled
    from thalweg.explain.tracing import graph
    from thalweg.explain.updates import update

__all__ = [
    "DERIVATIONS",
    "Explanation",
    "attention",
    "backpropagation",
    "beam",
    "derivation",
    "graph",
    "of_derivations",
    "of_expression",
    "of_function",
    "of_optimizers",
    "recursive",
    "unrolled",
    "update",
    "viterbi",
]

_WHERE = {
    "DERIVATIONS": "derivations",
    "Explanation": "explanation",
    "attention": "sequences.attending",
    "backpropagation": "pages",
    "beam": "sequences.beams",
    "derivation": "derivations",
    "graph": "tracing",
    "of_derivations": "asked",
    "of_expression": "asked",
    "of_function": "asked",
    "of_optimizers": "asked",
    "recursive": "sequences.recursion",
    "unrolled": "sequences.unrolled",
    "update": "updates",
    "viterbi": "sequences.trellis",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return __all__
