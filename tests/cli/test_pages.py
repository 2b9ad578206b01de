"""The pages of ``docs/catalogue`` are up to date, and what they show can be asked for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from thalweg.cli.pages import pages
from thalweg.cli.wording import PLACES, toml_of
from thalweg.part import declarations, is_part
from thalweg.spec.families import FAMILIES, members
from thalweg.spec.text import parse

FOLDER = Path(__file__).parents[2] / "docs" / "catalogue"
PARTS = [(name, cls) for name, family in FAMILIES.items() for cls in members(family).values()]


def held(value):
    """A part and all that is in it."""
    if is_part(value):
        yield value
        for name in declarations(type(value)):
            yield from held(getattr(value, name))
    elif isinstance(value, tuple):
        for item in value:
            yield from held(item)


def test_pages_are_up_to_date():
    made = pages()
    there = [*FOLDER.glob("*.md"), *FOLDER.glob("pictures/*.svg")]
    old = {path.relative_to(FOLDER).as_posix(): path.read_text("utf-8") for path in there}
    stale = [path for path in {**made, **old} if made.get(path) != old.get(path)]
    assert not stale, "run `python -m thalweg.cli.pages docs/catalogue`"
    assert sum(map(len, made.values())) < 2**20
    for path, text in made.items():
        for link in re.findall(r"\]\(([^)#]+)\)", text):
            assert link in made, f"{path} points to {link}, which is not there"
        anchors = re.findall(r"^## (\w+)$", text, re.MULTILINE)
        assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= set(anchors)


@pytest.mark.parametrize(
    ("family", "cls"), PARTS, ids=lambda value: getattr(value, "part_name", "")
)
def test_every_part_can_be_asked_for_as_its_page_says(family, cls):
    assert set(PLACES) == set(FAMILIES) - {"decoders"}
    if family not in PLACES:
        assert not toml_of(cls, family)
        return
    data = "" if family == "data" else "[data]\nmoons = {}\n\n"
    experiment = parse(data + toml_of(cls, family), "page")
    assert cls in map(type, held(experiment))
