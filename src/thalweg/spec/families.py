"""What the fields of a spec may hold: plain values, one part, or parts of a family.

``FAMILIES`` are those of the catalogue and the data sources. ``fields`` says of every field of a
part which parts it admits; reading, writing, merging and the schema all go by it.
"""

from __future__ import annotations

import types
import typing
from functools import cache
from typing import Any, NamedTuple

from thalweg.catalogue import families as catalogue
from thalweg.catalogue.families import Family, members
from thalweg.data import Source, sources
from thalweg.part import declarations, nearest

__all__ = ["FAMILIES", "Field", "fields", "members", "unknown"]

FAMILIES: dict[str, Family] = {
    "data": Family("data", Source, sources),
    **catalogue.FAMILIES,
}


class Field(NamedTuple):
    """What one field may hold.

    Args:
        family: name of the family whose parts it admits; empty where it admits none.
        parts: these parts by name. For a number they are the schedules.
        only: the one class of parts it holds, written without its name.
        several: whether one value is a tuple.
        optional: whether it may hold nothing, which is written ``"none"``.
        number: whether it is a number.
        hint: its annotation.
    """

    family: str
    parts: dict[str, type]
    only: type | None
    several: bool
    optional: bool
    number: bool
    hint: Any


@cache
def fields(cls: type) -> dict[str, Field]:
    """What every field of a part may hold, in order."""
    hints = typing.get_type_hints(cls)
    return {name: _field(hints[name], declared) for name, declared in declarations(cls).items()}


def _field(hint: Any, declared: Any) -> Field:
    if declared.kind == "number":
        schedules = FAMILIES["schedules"]
        optional = declared.default is None
        return Field(schedules.name, members(schedules), None, False, optional, True, hint)
    alternatives = _alternatives(hint)
    several = any(typing.get_origin(each) is tuple for each in alternatives)
    optional = types.NoneType in alternatives
    inside = [a for each in alternatives for a in _inside(each)]
    # Layers keep the protocol of networks, and can stand where one is wanted.
    found = [family for family in FAMILIES.values() if family.protocol in inside]
    parts = {name: cls for family in reversed(found) for name, cls in members(family).items()}
    only = next((a for a in inside if hasattr(a, "part_name")), None)
    return Field(found[0].name if found else "", parts, only, several, optional, False, hint)


def _alternatives(hint: Any) -> tuple[Any, ...]:
    """The members of a union."""
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return typing.get_args(hint) if union else (hint,)


def _inside(hint: Any) -> tuple[Any, ...]:
    """What a tuple holds, or the annotation itself."""
    return _alternatives(typing.get_args(hint)[0]) if typing.get_origin(hint) is tuple else (hint,)


def unknown(cls: type, name: str) -> str:
    """A sentence on a field that a part does not have: what was probably meant, or who has it."""
    sentence, tail = f"{cls.__name__} has no field {name!r}", nearest(name, declarations(cls))
    if "did you mean" in tail:
        return sentence + tail
    for family in FAMILIES.values():
        own = members(family)
        others = [other for other, c in own.items() if name in declarations(c)]
        if cls in own.values() and others:
            return f"{sentence}; {', '.join(others)} {'has' if len(others) == 1 else 'have'} it"
    return sentence + tail
