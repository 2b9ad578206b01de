"""The parts there are, found in the source text: lists and completion do not wait for JAX."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

__all__ = ["ListedFamily", "ListedPart", "families", "parts_by_family"]

PACKAGE = Path(__file__).parent.parent
FAMILY = re.compile(r'^ +Family\("(\w+)", ', re.MULTILINE)
PART = re.compile(
    r'^@part(?:\(name="(?P<name>\w+)"\))?\nclass (?P<class>[A-Z]\w*):\n    r?"""(?P<summary>.+)',
    re.MULTILINE,
)
MEANING = re.compile(r'"""\w[\w ]*: (.+?)\.(?:\s|""")', re.DOTALL)

# Where a class name in capitals and small letters is taken apart; as in ``thalweg.part``.
WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class ListedPart(NamedTuple):
    """A part: its names in spec files and in Python, and the first line of its card."""

    name: str
    class_name: str
    summary: str


class ListedFamily(NamedTuple):
    """What the parts of a family are, in a few words, and the parts by name."""

    meaning: str
    parts: tuple[ListedPart, ...]


def families() -> dict[str, ListedFamily]:
    """All families and their parts."""
    catalogue = PACKAGE / "catalogue"
    listed = {"data": _family(PACKAGE / "data" / "sources")}
    for name in FAMILY.findall((catalogue / "families.py").read_text(encoding="utf-8")):
        listed[name] = _family(catalogue / name)
    return listed


def parts_by_family() -> dict[str, list[str]]:
    """Names of all parts in spec files, by family."""
    return {name: [part.name for part in family.parts] for name, family in families().items()}


def _family(place: Path) -> ListedFamily:
    """A family that is a package, or a module of that name."""
    files = sorted(place.glob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    first, *others = [file.read_text(encoding="utf-8") for file in files]
    meaning = MEANING.match(first)
    found = [match for text in (first, *others) for match in PART.finditer(text)]
    parts = (
        ListedPart(
            match["name"] or WORDS.sub("_", match["class"]).lower(),
            match["class"],
            match["summary"],
        )
        for match in found
    )
    return ListedFamily(" ".join(meaning[1].split()) if meaning else "", tuple(sorted(parts)))
