"""Cards: every part has a complete one, and it says what the declarations say."""

from __future__ import annotations

import inspect
import re

import pytest

from thalweg.catalogue.card import SECTIONS, card, render_text
from thalweg.catalogue.families import FAMILIES, members
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import Adam, GradientDescent
from thalweg.catalogue.preprocessing import MinMax
from thalweg.part import declarations

PARTS = [cls for family in FAMILIES.values() for cls in members(family).values()]
each = pytest.mark.parametrize("cls", PARTS, ids=lambda cls: cls.__name__)


@each
def test_docstrings_have_all_sections_in_order(cls: type) -> None:
    kinds = [declared.kind for declared in declarations(cls).values()]
    expected = [
        section
        for section in SECTIONS
        if (section != "Numbers" or "number" in kinds)
        and (section != "Choices" or "choice" in kinds)
    ]
    doc = inspect.cleandoc(cls.__doc__ or "")
    assert re.findall(r"^([A-Z][a-z ]+):", doc, re.MULTILINE) == expected
    assert list(card(cls).sections) == expected


@each
def test_summaries_are_one_active_sentence(cls: type) -> None:
    first, second, *_ = (cls.__doc__ or "").splitlines()
    assert re.fullmatch(r"[A-Z][a-z]+s? .+\.", first)
    assert not second.strip()
    assert card(cls).summary == first


@each
def test_every_field_has_a_meaning(cls: type) -> None:
    made = card(cls)
    assert [field.name for field in made.fields] == list(declarations(cls))
    for field in made.fields:
        assert field.meaning, f"{cls.__name__}.{field.name} is not explained"
        section = made.sections["Numbers" if field.kind == "number" else "Choices"]
        assert field.name in section


@each
def test_examples_show_something(cls: type) -> None:
    example = card(cls).sections["Example"].splitlines()
    assert example[0].startswith(">>> ")
    assert not example[-1].startswith(">>> ")


@each
def test_pages_keep_their_width(cls: type) -> None:
    page = render_text(card(cls), 72)
    prose = page[: page.index("\nExample\n")]
    assert max(map(len, prose.splitlines())) <= 72
    assert card(cls).sections["Source"].split()[0] in page


def test_a_card_as_data() -> None:
    made = card(Adam)
    assert (made.name, made.class_name, made.family) == ("adam", "Adam", "optimizers")
    assert made.sections["Formula"].splitlines()[1] == "v ← β₂ v + (1 − β₂) g²;"
    rate, *_, where = made.fields
    assert (rate.default, rate.allowed, rate.scale, rate.search, rate.meaning) == (
        "0.001",
        "a number >= 0",
        "log",
        (1e-5, 1e-1),
        "η",
    )
    assert (where.kind, where.default, where.allowed, where.scale, where.search) == (
        "choice",
        "'sum'",
        "one of 'sum', 'root'",
        None,
        None,
    )


def test_names_listed_together_share_a_meaning() -> None:
    low, high = card(MinMax).fields
    assert low.meaning == high.meaning == "ends of the range"


def test_meanings_may_hold_semicolons_and_defaults_may_be_parts() -> None:
    fields = {field.name: field for field in card(MLP).fields}
    assert fields["dropout"].default == "None"
    assert fields["activation"].default == "ReLU()"
    assert (
        fields["outputs"].meaning == "width of the last layer, taken from the task where not given"
    )


def test_a_page_of_text() -> None:
    assert (
        render_text(card(GradientDescent), 60)
        == """\
GradientDescent (gradient_descent) · optimizers

Steps against the gradient.

Formula
  θ ← θ − η g

Numbers
  learning_rate
    η (a number >= 0, default 0.1, searched in 0.0001..10
    log)

Shapes
  those of the parameters; no state

Watch for
  descends for certain only with the full batch and η < 2 /
  L, L the largest curvature. A "θ + η g" in some lecture
  notes is a sign error.

Source
  Cauchy, 1847; Goodfellow, Bengio & Courville, Deep
  Learning, 2016, equation 4.5

Example
  >>> GradientDescent(learning_rate=0.5).update(jnp.array([2.0]), {}, None, 1).increment
  Array([-1.], dtype=float32)
"""
    )
