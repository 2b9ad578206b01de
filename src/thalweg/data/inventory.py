"""What data there are: one ``Entry`` for each source, read from its card.

The card of a source states its facts once: Shapes says ``inputs [rows, features], targets [rows]:
task``, where a word stands for the default of the field of that name, and Source ends with
``Licence:``.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import re
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from thalweg.data import sources
from thalweg.part import declarations, part_name

__all__ = ["Entry", "inventory"]

_SHAPES = re.compile(r"inputs \[(\w+), (\w+(?:, \w+)*)\], targets \[\w+(?:, (\w+))?\]: (\w+)")


@dataclass(frozen=True)
class Entry:
    """One source, with the values its fields have by default.

    Args:
        name: what spec files call it.
        summary: what it is, in a line.
        task: what is to be predicted; empty where the file decides.
        rows, features: numbers of them; ``None`` where the file decides.
        size: bytes of the arrays in memory.
        source: who made it, and where it comes from.
        licence: its terms.
        available: ``yes``, or what to do to get it.
    """

    name: str
    summary: str
    task: str
    rows: int | None
    features: int | None
    size: int | None
    source: str
    licence: str
    available: str


def inventory() -> list[Entry]:
    """Every source, in the order of their names."""
    entries = (_entry(getattr(sources, name)) for name in sources.__all__)
    return sorted(entries, key=attrgetter("name"))


def _entry(cls: Any) -> Entry:
    card = inspect.getdoc(cls) or ""
    origin, licence = _section(card, "Source").split(" Licence: ")
    task, rows, features, outputs = "", None, None, 1
    if shapes := _SHAPES.search(_section(card, "Shapes")):
        rows, outputs = (_count(cls, word or "1") for word in shapes.group(1, 3))
        features = math.prod(_count(cls, word) for word in shapes[2].split(", "))
        task = shapes[4]
    return Entry(
        name=part_name(cls),
        summary=card.splitlines()[0],
        task=task,
        rows=rows,
        features=features,
        size=4 * rows * (features + outputs) if rows and features else None,
        source=origin.rstrip("."),
        licence=licence.rstrip("."),
        available=_availability(cls),
    )


def _section(card: str, title: str) -> str:
    """A section of a card on one line."""
    match = re.search(rf"^{title}: (.+?)(?=^\S|\Z)", card, re.MULTILINE | re.DOTALL)
    assert match is not None, f"the card lacks {title}"
    return " ".join(match[1].split())


def _count(cls: Any, word: str) -> int:
    return int(word) if word.isdigit() else declarations(cls)[word].default


def _availability(cls: Any) -> str:
    required = [
        name
        for name, declared in declarations(cls).items()
        if declared.default is dataclasses.MISSING
    ]
    if required:
        given = ", ".join(f'{name} = "…"' for name in required)
        return f"yes, from a file of yours: {part_name(cls)} = {{ {given} }}"
    absent = cls().missing() if hasattr(cls, "missing") else ""
    return absent or "yes"
