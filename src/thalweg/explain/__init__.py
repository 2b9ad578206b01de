"""Explanations: small computations, worked out step by step with their numbers.

What is shown and what is trained come from the same functions; every step is checked against
automatic differentiation.

explanation.py  a page and its numbers: what every explanation gives
expressions.py  formulas as text; asked.py: explanations asked for in words
graphs.py       computational graphs; tracing.py makes them of functions, operations.py knows the
                primitives of JAX by name
backward.py     the backward pass; paths.py: the sum over all paths; checking.py: differences
symbols.py      formulas, and derivatives with the rule of every line
arrays/         formulas of arrays, forward and backward
derivations/    derivations as programs, whose lines are checked by numbers
sequences/      searches over sequences, recurrent and recursive networks, attention
updates.py      every quantity of every step of an optimizer; rates.py: schedules, epoch by epoch
landscapes/     functions and losses as landscapes, and optimizers on them
recursions.py   both recursions of back-propagation through a perceptron
networks.py     networks and layers of the catalogue as graphs; functions.py: activations, softmax
shapes.py       convolutions and poolings; moments.py: statistics of a tensor
drawing.py      graphs as drawings; words.py: values in words
pages.py        pages about a computation

Names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thalweg.explain.asked import (
        of_derivations,
        of_expression,
        of_function,
        of_layer,
        of_network,
        of_optimizers,
        of_recursions,
        of_schedules,
        of_scores,
        of_tensor,
    )
    from thalweg.explain.derivations import DERIVATIONS, derivation
    from thalweg.explain.explanation import Explanation
    from thalweg.explain.functions import activation, softmax_cross_entropy
    from thalweg.explain.landscapes import landscape, of_landscape, of_training, of_training_run
    from thalweg.explain.moments import normalization
    from thalweg.explain.networks import layer, network
    from thalweg.explain.pages import backpropagation
    from thalweg.explain.rates import schedule
    from thalweg.explain.sequences.attending import attention
    from thalweg.explain.sequences.beams import beam
    from thalweg.explain.sequences.recursion import recursive
    from thalweg.explain.sequences.trellis import viterbi
    from thalweg.explain.sequences.unrolled import unrolled
    from thalweg.explain.shapes import convolution, pooling
    from thalweg.explain.tracing import graph
    from thalweg.explain.updates import update

__all__ = [
    "DERIVATIONS",
    "Explanation",
    "activation",
    "attention",
    "backpropagation",
    "beam",
    "convolution",
    "derivation",
    "graph",
    "landscape",
    "layer",
    "network",
    "normalization",
    "of_derivations",
    "of_expression",
    "of_function",
    "of_landscape",
    "of_layer",
    "of_network",
    "of_optimizers",
    "of_recursions",
    "of_schedules",
    "of_scores",
    "of_tensor",
    "of_training",
    "of_training_run",
    "pooling",
    "recursive",
    "schedule",
    "softmax_cross_entropy",
    "unrolled",
    "update",
    "viterbi",
]

_WHERE = {
    "DERIVATIONS": "derivations",
    "Explanation": "explanation",
    "activation": "functions",
    "attention": "sequences.attending",
    "backpropagation": "pages",
    "beam": "sequences.beams",
    "convolution": "shapes",
    "derivation": "derivations",
    "graph": "tracing",
    "landscape": "landscapes",
    "layer": "networks",
    "network": "networks",
    "normalization": "moments",
    "of_derivations": "asked",
    "of_expression": "asked",
    "of_function": "asked",
    "of_landscape": "landscapes",
    "of_layer": "asked",
    "of_network": "asked",
    "of_optimizers": "asked",
    "of_recursions": "asked",
    "of_schedules": "asked",
    "of_scores": "asked",
    "of_tensor": "asked",
    "of_training": "landscapes",
    "of_training_run": "landscapes",
    "pooling": "shapes",
    "recursive": "sequences.recursion",
    "schedule": "rates",
    "softmax_cross_entropy": "functions",
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
