"""Every right line of a derivation holds, every wrong one fails, and a bug in a line is seen."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import jax
import numpy as np
import pytest

from thalweg.errors import MissingExtra, SpecError
from thalweg.explain.derivations import claims
from thalweg.explain.derivations.claims import AtMost, Equal, Exact
from thalweg.explain.derivations.frame import Checked, Derivation, Line, checked, problems
from thalweg.explain.derivations.listing import DERIVATIONS, found

every = pytest.mark.parametrize("name", DERIVATIONS)


@cache
def looked_at(name: str) -> tuple[Checked, ...]:
    return checked(found(name))


@every
def test_right_lines_hold_and_wrong_ones_fail(name: str) -> None:
    lines = looked_at(name)
    assert problems(lines) == ()
    for line, outcome in lines:
        assert outcome.holds is not line.wrong, line.text
        if isinstance(line.claim, Exact):
            assert outcome.points == 0
        else:
            assert outcome.points == 20
        if line.wrong:
            assert outcome.failed == 20, line.text
            assert outcome.difference > 1e-3, line.text  # more than rounding
    assert not lines[-1].line.wrong, "the right line follows"


@every
def test_lines_hold_for_other_arguments(name: str) -> None:
    assert problems(checked(found(name), seed=11, points=3)) == ()


def changed(claim: Any, factor: Any) -> Any:
    """The claim with its right side times a factor."""
    right = claim.right
    if isinstance(claim, Exact):
        return replace(claim, right=lambda s: right(s) * s.Rational(str(factor)))
    return replace(
        claim, right=lambda a: jax.tree.map(lambda value: factor * np.asarray(value), right(a))
    )


@every
def test_a_factor_or_a_sign_is_missed_in_no_line(name: str) -> None:
    derivation = found(name)
    for place, line in enumerate(derivation.lines):
        if line.wrong:
            continue
        # A bound that is a hundredth higher is still a bound.
        for factor in (-1, 1.01)[: 1 if isinstance(line.claim, AtMost) else 2]:
            broken = replace(derivation, lines=(replace(line, claim=changed(line.claim, factor)),))
            (problem,) = problems(checked(broken, points=2))
            assert problem.startswith(f"Line 1 does not hold: {line.text}"), (place, factor)


def test_each_tight_bound_is_met_somewhere() -> None:
    """The norm of the gradient over time is at most δᵀ, and no smaller power would do."""
    derivation = found("vanishing-bound")
    (tight,) = (line for line in derivation.lines if "QᵀQ" in line.text)
    assert isinstance(tight.claim, Equal)
    claim = replace(tight.claim, right=lambda a: a.delta ** (a.x.shape[0] + 1))
    assert problems(checked(replace(derivation, lines=(replace(tight, claim=claim),)), points=2))


# ------------------------------------------------------------------------------------ the frame


def made(*lines: Line) -> Derivation:
    return Derivation("ridge", "", (), lambda random: random.normal(size=3), lines, "")


def test_it_is_said_which_line_and_by_how_much() -> None:
    twice = Equal(lambda a: a + a, lambda a: 2 * a)
    lines = (
        Line("", "a + a = 2a", "", twice),
        Line("", "a + a = 3a", "", Equal(lambda a: a + a, lambda a: 3 * a)),
        Line("", "2a = a + a", "", twice, wrong=True),
        Line("", "a = log a", "", Equal(lambda a: a, lambda a: np.full(3, np.nan))),
    )
    first, second, third = problems(checked(made(*lines)))
    assert first == ("Line 2 does not hold: a + a = 3a, by up to 0.33 of the larger side.")
    assert second == "Line 3 is said to be wrong, and holds: 2a = a + a."
    assert third.startswith("Line 4 does not hold: a = log a")


def test_sides_that_do_not_compare_are_a_mistake_of_the_program() -> None:
    line = Line("", "a = 0", "", Equal(lambda a: a, lambda a: 0.0))
    with pytest.raises(ValueError, match="3 and 1 numbers do not compare"):
        checked(made(line))


def test_a_bound_that_fails_at_one_entry_fails() -> None:
    ends = np.array([0.0, 1.0, 0.0])
    line = Line("", "a ≤ b", "", AtMost(lambda a: ends, lambda a: np.full(3, 0.5)))
    ((_, outcome),) = checked(made(line), points=4)
    assert (outcome.failed, outcome.left, outcome.right) == (4, 1.0, 0.5)
    assert outcome.difference == 0.5


@pytest.mark.parametrize("seed", [-1, 1.5, "x", True])
def test_bad_seeds(seed: Any) -> None:
    with pytest.raises(SpecError, match="a seed must be a whole number >= 0, got"):
        checked(made(), seed)


def test_the_seed_decides_what_is_drawn() -> None:
    drawn: list[float] = []

    def noted(a: Any) -> Any:
        drawn.append(float(a[0]))
        return a

    line = Line("", "a = a", "", Equal(noted, lambda a: a))
    for seed in (3, 3, 4):
        checked(made(line), seed, points=2)
    assert drawn[:2] == drawn[2:4] != drawn[4:]
    assert drawn[0] != drawn[1]


def test_without_sympy_lines_in_symbols_say_what_to_install(monkeypatch: Any) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(claims, "import_module", missing)
    with pytest.raises(MissingExtra, match=r"need SymPy: pip install 'thalweg\[explain\]'"):
        checked(found("parabola"))
