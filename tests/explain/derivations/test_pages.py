"""Derivations as pages, and their list."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from thalweg.errors import SpecError
from thalweg.explain import DERIVATIONS, derivation
from thalweg.explain.derivations import frame
from thalweg.explain.derivations.claims import Equal
from thalweg.explain.derivations.listing import found
from thalweg.explain.derivations.page import explained
from thalweg.report.formulas import mathml
from thalweg.report.parts import Facts, Formula, Paragraph, Section, Table

FOLDER = Path(frame.__file__).parent
FRAME = {"__init__", "claims", "following", "frame", "listing", "page", "walking"}


def section(name: str, heading: str) -> Section:
    (one,) = (part for part in derivation(name).page.sections if part.heading == heading)
    return one


def test_a_page_says_what_is_claimed_shows_it_and_says_where_sources_err() -> None:
    made = derivation("eigen-shrinkage", seed=5).page
    assert made.title == DERIVATIONS["eigen-shrinkage"]
    assert "equations 7.5 to 7.13" in made.subtitle
    assert [one.heading for one in made.sections] == ["What is claimed", "Line by line", "Numbers"]
    claim, facts = made.sections[0].parts
    assert isinstance(claim, Paragraph)
    assert isinstance(facts, Facts)
    lines = made.sections[1].parts
    assert all(isinstance(line, Formula) and not line.wrong for line in lines)
    headings = [one.heading for one in derivation("momentum-unrolled").page.sections]
    assert headings == ["What is claimed", "Line by line", "Where sources err", "Numbers"]


def test_what_was_found_of_a_line_is_said_beside_it() -> None:
    lines = [
        part for part in section("nesterov", "Line by line").parts if isinstance(part, Formula)
    ]
    wrong, right, exact, *_ = lines
    assert wrong.wrong
    assert wrong.checked.startswith("fails at 20 of 20 points: largest relative difference ")
    assert " stands against " in wrong.checked
    assert right.checked.startswith("largest relative difference ")
    assert right.checked.endswith("e-16 at 20 points")
    assert exact.checked == "the same in symbols"
    bound = section("parabola", "Line by line").parts[4]
    assert isinstance(bound, Formula)
    assert bound.checked == "holds at 20 points"


def test_wrong_lines_are_listed_and_remarks_follow() -> None:
    table, *remarks = section("vanishing-bound", "Where sources err").parts
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == ["λ₁(WᵀW) > δ²/γ²:  ‖∂h_T/∂h₀‖ explodes"]
    assert any("compares a matrix with a number" in str(remark) for remark in remarks)


def test_numbers_are_words_with_a_minus() -> None:
    (table,) = section("softmax-cross-entropy", "Numbers").parts
    assert isinstance(table, Table)
    assert table.rows[0] == ("y = (0, 1, 0)", "0.253716", "−0.310328", "0.0566117")
    assert table.alignment == "lrrr"


def test_a_line_that_does_not_hold_is_a_warning_on_the_page() -> None:
    derivation = found("parabola")
    first = replace(derivation.lines[0], claim=Equal(lambda a: 1.0, lambda a: 2.0))
    broken = replace(derivation, lines=(first, *derivation.lines[1:]))
    warnings = [
        part.text
        for part in explained(broken).page.sections[0].parts
        if isinstance(part, Paragraph) and part.tone == "warning"
    ]
    assert warnings == ["Line 1 does not hold: f′(x) = 2 (x − 3), by up to 0.5 of the larger side."]


# ---------------------------------------------------------------------------------------- the list


@pytest.mark.parametrize(
    ("asked", "near"),
    [("ridg", "ridge"), ("rnn", "rnn-forms"), ("weight_decay", "weight-decay")],
)
def test_an_unknown_name_is_refused_with_the_nearest(asked: str, near: str) -> None:
    with pytest.raises(SpecError, match=f"no derivation '{asked}'; the nearest is '{near}'"):
        derivation(asked)


def test_the_list_is_what_the_modules_hold() -> None:
    held = set()
    for path in FOLDER.glob("*.py"):
        if path.stem not in FRAME:
            module = import_module(f"thalweg.explain.derivations.{path.stem}")
            held |= {name.replace("_", "-") for name in module.__all__}
    assert held == set(DERIVATIONS)
    for name in DERIVATIONS:
        assert found(name).name == name


@pytest.mark.parametrize("name", DERIVATIONS)
def test_lines_are_written_for_both_ways_of_reading(name: str) -> None:
    made = found(name)
    assert made.claimed.endswith(".")
    assert made.given
    assert made.source
    for line in made.lines:
        assert line.reason
        assert mathml(line.latex)
        assert "\\" not in line.text
        assert len(line.text) <= 100


def test_asking_for_names_loads_no_jax() -> None:
    program = (
        "import sys, thalweg.explain; assert len(thalweg.explain.DERIVATIONS) > 20; "
        "sys.exit('jax' in sys.modules or 'numpy' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
