"""A derivation as a page: what is claimed, its lines, where sources err, and numbers."""

from __future__ import annotations

import dataclasses
from typing import Any

from thalweg.explain.derivations.claims import AtMost
from thalweg.explain.derivations.frame import (
    Checked,
    Derivation,
    Line,
    Numbers,
    checked,
    problems,
)
from thalweg.explain.explanation import Explanation
from thalweg.report.parts import Facts, Formula, Page, Paragraph, Part, Section, Table

__all__ = ["explained"]


def explained(derivation: Derivation, seed: int = 0) -> Explanation:
    """A derivation whose lines are all checked.

    Raises:
        SpecError: the seed is not a whole number from 0 on.
        MissingExtra: it has lines in symbols, and SymPy is not installed.
    """
    lines = checked(derivation, seed)
    claim: list[Part] = [Paragraph(derivation.claimed), Facts(derivation.given)]
    claim += [Paragraph(problem, "warning") for problem in problems(lines)]
    sections = [
        Section("What is claimed", tuple(claim)),
        Section("Line by line", tuple(_formula(line) for line in lines)),
    ]
    errors = _errors(derivation, lines)
    if errors:
        sections.append(Section("Where sources err", errors))
    numbers = derivation.computed()
    if numbers:
        sections.append(Section("Numbers", tuple(map(_table, numbers))))
    page = Page(derivation.title, tuple(sections), derivation.source)
    data = {
        "name": derivation.name,
        "seed": seed,
        "lines": [
            {**_written(line), **dataclasses.asdict(outcome), "holds": outcome.holds}
            for line, outcome in lines
        ],
        "numbers": [dataclasses.asdict(table) for table in numbers],
    }
    return Explanation(page, data)


def _written(line: Line) -> dict[str, Any]:
    names = ("latex", "text", "reason", "wrong")
    return {name: getattr(line, name) for name in names}


def _formula(checked: Checked) -> Formula:
    line = checked.line
    return Formula(line.latex, line.text, line.reason, _said(checked), line.wrong)


def _said(checked: Checked) -> str:
    """How a line was checked, and what was found."""
    line, outcome = checked
    if not outcome.points:
        return "the same in symbols" if outcome.holds else "not the same in symbols"
    if outcome.holds and isinstance(line.claim, AtMost):
        return f"holds at {outcome.points} points"
    if outcome.holds and outcome.difference == 0:
        return f"no difference at {outcome.points} points"
    if outcome.holds:
        return f"largest relative difference {outcome.difference:.1g} at {outcome.points} points"
    return (
        f"fails at {outcome.failed} of {outcome.points} points: largest relative difference "
        f"{outcome.difference:.2g}, where {_number(outcome.left)} stands against "
        f"{_number(outcome.right)}"
    )


def _errors(derivation: Derivation, lines: tuple[Checked, ...]) -> tuple[Part, ...]:
    rows = tuple(
        (line.text, line.reason, f"{outcome.difference:.2g}")
        for line, outcome in lines
        if line.wrong
    )
    parts: list[Part] = []
    if rows:
        columns = ("line", "what is wrong", "off by")
        caption = (
            "Lines that are printed or believed, and do not hold; the difference as a share of the "
            "larger side, 2 where signs are opposite"
        )
        parts.append(Table(columns, rows, "llr", caption))
    return (*parts, *(Paragraph(remark) for remark in derivation.remarks))


def _table(numbers: Numbers) -> Table:
    rows = tuple(
        tuple(cell if isinstance(cell, str) else _number(cell) for cell in row)
        for row in numbers.rows
    )
    first = numbers.rows[0]
    sides = "".join("l" if isinstance(cell, str) else "r" for cell in first)
    return Table(numbers.columns, rows, sides, numbers.caption)


def _number(value: float) -> str:
    return f"{value + 0.0:.6g}".replace("-", "−")  # 0.0 has no sign to be shown
