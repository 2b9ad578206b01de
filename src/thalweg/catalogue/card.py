"""Cards: what a part's docstring and declarations say about it, as data and as a page of text.

A card's docstring is one active line, then sections in the order of ``SECTIONS``. Numbers and
Choices say what every field means; what it may be, its default and the range a search looks in
come from the declaration, so that a card cannot contradict the check.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, replace
from typing import Any, Literal

from thalweg.catalogue.families import FAMILIES, members
from thalweg.part import Declaration, Scale, allowed, declarations, part_name

__all__ = ["SECTIONS", "Card", "CardField", "card", "render_text", "short_number"]

SECTIONS = ("Formula", "Numbers", "Choices", "Shapes", "Watch for", "Source", "Example")

_HEADING = re.compile(rf"^({'|'.join(SECTIONS)}):", re.MULTILINE)


@dataclass(frozen=True)
class CardField:
    """One number or choice of a part.

    Args:
        default: as it is written in Python; None where the field must be given.
        allowed: what it may be, in words.
        scale: whether sweeps step by ratio or by difference; None for choices.
        search: the range a search looks in; None for choices and where there is none.
        meaning: what the docstring says of it.
    """

    name: str
    kind: Literal["number", "choice"]
    default: str | None
    allowed: str
    scale: Scale | None
    search: tuple[float, float] | None
    unit: str | None
    meaning: str


@dataclass(frozen=True)
class Card:
    """The page of a part.

    Args:
        name: in spec files.
        class_name: in Python.
        family: name of the family; empty for a part of none.
        summary: what it does, in one line.
        sections: texts by heading, in the order of ``SECTIONS``; a line each in Formula is one
            formula, and in Example one line of code, all others are a single line.
        fields: numbers and choices, in the order they are declared.
    """

    name: str
    class_name: str
    family: str
    summary: str
    sections: Mapping[str, str]
    fields: tuple[CardField, ...]


def card(cls: type, family: str | None = None) -> Card:
    """The card of a part.

    Args:
        cls: its class.
        family: name of its family; looked up in the catalogue where omitted.
    """
    summary, _, rest = inspect.cleandoc(cls.__doc__ or "").partition("\n")
    sections = dict(_sections(rest))
    meanings = {
        **_meanings(sections.get("Numbers", ""), declarations(cls)),
        **_meanings(sections.get("Choices", ""), declarations(cls)),
    }
    fields = tuple(
        _field(cls, name, declared, meanings.get(name, ""))
        for name, declared in declarations(cls).items()
    )
    found = _family_of(cls) if family is None else family
    return Card(part_name(cls), cls.__name__, found, summary, sections, fields)


def render_text(card: Card, width: int = 88) -> str:
    """A card as plain text, no line of prose longer than ``width`` characters."""
    plain = {name: text.replace("``", "`") for name, text in card.sections.items()}
    fields = tuple(
        replace(field, meaning=field.meaning.replace("``", "`")) for field in card.fields
    )
    card = replace(card, sections=plain, fields=fields)
    title = f"{card.class_name} ({card.name})" + f" · {card.family}" * bool(card.family)
    blocks = [textwrap.fill(title, width), textwrap.fill(card.summary, width)]
    for heading in SECTIONS:
        if heading in ("Numbers", "Choices"):
            kind = "number" if heading == "Numbers" else "choice"
            entries = [_entry(field, width) for field in card.fields if field.kind == kind]
            if entries:
                blocks.append("\n".join([heading, *entries]))
        elif heading == "Example" and heading in card.sections:
            blocks.append(f"{heading}\n{textwrap.indent(card.sections[heading], '  ')}")
        elif heading in card.sections:
            lines = card.sections[heading].splitlines()
            blocks.append("\n".join([heading, *(_wrapped(line, width, 2) for line in lines)]))
    return "\n\n".join(blocks) + "\n"


def _sections(text: str) -> Iterator[tuple[str, str]]:
    """Headings and their texts, as written."""
    found = list(_HEADING.finditer(text))
    ends = [heading.start() for heading in found[1:]] + [len(text)]
    for heading, end in zip(found, ends, strict=True):
        body = text[heading.end() : end]
        if heading[1] == "Example":
            yield heading[1], textwrap.dedent(body.strip("\n")).rstrip()
        elif heading[1] == "Formula":
            lines = re.split(r"(?<=;)\s{2,}", body.strip())
            yield heading[1], "\n".join(" ".join(line.split()) for line in lines)
        else:
            yield heading[1], " ".join(body.split())


def _meanings(text: str, fields: Iterable[str]) -> dict[str, str]:
    """Field by field, what a section says: ``learning_rate: η; beta1, beta2: decay rates``."""
    name = "|".join(map(re.escape, fields))
    if not name:
        return {}
    entry = re.compile(rf"(?:^|; )((?:{name})(?:, (?:{name}))*): ")
    _, *parts = entry.split(text)
    return {
        field: meaning
        for names, meaning in zip(parts[::2], parts[1::2], strict=True)
        for field in names.split(", ")
    }


def _field(cls: type, name: str, declared: Declaration, meaning: str) -> CardField:
    number = declared.kind == "number"
    return CardField(
        name,
        declared.kind,
        None if declared.default is MISSING else _written(declared.default),
        allowed(cls, name),
        declared.scale if number else None,
        declared.search if number else None,
        declared.unit,
        meaning,
    )


def _written(value: Any) -> str:
    return short_number(value) if isinstance(value, float) else repr(value)


def short_number(value: float) -> str:
    """``1e-8`` and not 1e-08."""
    return re.sub(r"e([-+])0", r"e\1", f"{value:g}")


def _entry(field: CardField, width: int) -> str:
    facts = [field.allowed, "required" if field.default is None else f"default {field.default}"]
    if field.unit is not None:
        facts.append(f"in {field.unit}")
    if field.search is not None:
        low, high = field.search
        facts.append(f"searched in {short_number(low)}..{short_number(high)} {field.scale}")
    return f"  {field.name}\n" + _wrapped(f"{field.meaning} ({', '.join(facts)})".strip(), width, 4)


def _wrapped(text: str, width: int, indent: int) -> str:
    margin = " " * indent
    return textwrap.fill(
        text,
        width,
        initial_indent=margin,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _family_of(cls: type) -> str:
    return next((name for name, family in FAMILIES.items() if cls in members(family).values()), "")
