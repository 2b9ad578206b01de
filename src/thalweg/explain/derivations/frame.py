"""What a derivation is: lines, each with its reason and a claim that numbers can refute.

``checked`` draws the arguments and looks at every line; ``problems`` says which lines are not what
they are said to be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from thalweg.errors import SpecError
from thalweg.explain.derivations.claims import Claim, Outcome
from thalweg.explain.derivations.listing import DERIVATIONS

__all__ = ["POINTS", "Checked", "Derivation", "Line", "Numbers", "checked", "problems"]

POINTS = 20


@dataclass(frozen=True)
class Line:
    """A line of a derivation.

    Args:
        latex: the line in LaTeX, without dollar signs.
        text: the same in Unicode.
        reason: why it follows; of a wrong line, what is wrong with it.
        claim: what it says, so that it can be checked.
        wrong: whether it is printed somewhere, or widely believed, and does not hold.
    """

    latex: str
    text: str
    reason: str
    claim: Claim
    wrong: bool = False


@dataclass(frozen=True)
class Numbers:
    """Numbers that come out of a derivation: a worked example.

    Args:
        caption: what they are.
        columns: their names.
        rows: words and numbers, as many as there are columns.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | float, ...], ...]


@dataclass(frozen=True)
class Derivation:
    """A derivation.

    Args:
        name: as on the command line.
        claimed: what it shows, in a sentence or two.
        given: symbols and what they stand for.
        draw: makes the arguments of all claims from a random generator.
        lines: in the order of the argument; a wrong line stands before the right one.
        source: paper or textbook, and equation.
        remarks: what else goes wrong in print, where there is nothing to compute.
        numbers: makes the tables of numbers that stand at the end.
    """

    name: str
    claimed: str
    given: tuple[tuple[str, str], ...]
    draw: Callable[[np.random.Generator], Any]
    lines: tuple[Line, ...]
    source: str
    remarks: tuple[str, ...] = ()
    numbers: Callable[[], tuple[Numbers, ...]] = tuple

    @property
    def title(self) -> str:
        """What it is about."""
        return DERIVATIONS[self.name]

    def computed(self) -> tuple[Numbers, ...]:
        """The tables of numbers, in double precision."""
        with jax.enable_x64(True):
            return self.numbers()


class Checked(NamedTuple):
    """A line, and what was found of it."""

    line: Line
    outcome: Outcome


def checked(derivation: Derivation, seed: int = 0, points: int = POINTS) -> tuple[Checked, ...]:
    """Look at every line of a derivation, in double precision.

    Args:
        derivation: whose lines.
        seed: what the arguments are drawn from.
        points: how many times they are drawn.

    Raises:
        SpecError: the seed is not a whole number from 0 on.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise SpecError(f"a seed must be a whole number >= 0, got {seed!r}")
    random = np.random.default_rng(seed)
    with jax.enable_x64(True):
        drawn = [derivation.draw(random) for _ in range(points)]
        return tuple(Checked(line, line.claim.check(drawn)) for line in derivation.lines)


def problems(lines: tuple[Checked, ...]) -> tuple[str, ...]:
    """What is not as it is said to be, a sentence for each such line."""
    found = []
    for place, (line, outcome) in enumerate(lines, 1):
        if not outcome.holds and not line.wrong:
            apart = f", by up to {outcome.difference:.2g} of the larger side"
            found.append(
                f"Line {place} does not hold: {line.text}"
                f"{apart if outcome.points else ' (in symbols)'}."
            )
        if outcome.holds and line.wrong:
            found.append(f"Line {place} is said to be wrong, and holds: {line.text}.")
    return tuple(found)
