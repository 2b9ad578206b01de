"""Random scalar programs: lists of operations, each of values that were there before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from hypothesis import strategies as st

from thalweg.explain.expressions import FUNCTIONS

# Those that have no derivative at single points, or grow so fast that differences say nothing of
# them, are among them all the same: what is drawn decides whether it can be compared.
UNARY = sorted(name for name, function in FUNCTIONS.items() if function.takes == 1)
BINARY = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / (1.5 + b * b),
    "power": lambda a, b: (1 + a * a) ** b,
    "maximum": jnp.maximum,
    "minimum": jnp.minimum,
    "branch": lambda a, b: jnp.where(a > b, a * b, a - 2 * b),
}


@dataclass(frozen=True)
class Program:
    """Operations by name, and the places of what each is of, among inputs and what was made."""

    inputs: int
    steps: tuple[tuple[str, int, int], ...]

    def __call__(self, *given: Any) -> Any:
        values = list(given)
        for name, first, second in self.steps:
            a, b = values[first], values[second]
            values.append(BINARY[name](a, b) if name in BINARY else FUNCTIONS[name].compute(a))
        return values[-1]


@st.composite
def programs(draw: st.DrawFn, longest: int = 10) -> Program:
    """Programs of one to three inputs, whose last value is what they give."""
    inputs = draw(st.integers(1, 3))
    steps = []
    for place in range(draw(st.integers(1, longest))):
        name = draw(st.sampled_from([*UNARY, *BINARY]))
        there = st.integers(0, inputs + place - 1)
        # The last value is used more often than others, so that programs become deep.
        first = draw(there | st.just(inputs + place - 1))
        steps.append((name, first, draw(there)))
    return Program(inputs, tuple(steps))
