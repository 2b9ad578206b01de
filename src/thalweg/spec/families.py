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
from thalweg.catalogue.layers.contract import Network
from thalweg.catalogue.layers.sequence import numbered
from thalweg.data import Source, sources
from thalweg.part import declarations, nearest, part_name

__all__ = ["FAMILIES", "Field", "fields", "members", "names_within", "unknown"]

FAMILIES: dict[str, Family] = {
    "data": Family("data", Source, sources),
    **catalogue.FAMILIES,
}

# Families whose numbers the engine follows through training; elsewhere a number stays the same.
FOLLOWED = (
    "networks",
    "layers",
    "losses",
    "optimizers",
    "line_searches",
    "regularizers",
    "clipping",
    "augmentations",
)


class Field(NamedTuple):
    """What one field may hold.

    Args:
        family: name of the family whose parts it admits; empty where it admits none.
        parts: these parts by name. For a number they are schedules, where it may follow one.
        only: the one class of parts it holds, written without its name.
        several: whether one value is a tuple.
        ordered: whether its order matters and parts in it may be alike, as those of layers.
        optional: whether it may hold nothing, which is written ``"none"``.
        number: whether it is a number.
        hint: its annotation.
    """

    family: str
    parts: dict[str, type]
    only: type | None
    several: bool
    ordered: bool
    optional: bool
    number: bool
    hint: Any

    @property
    def free(self) -> bool:
        """Whether nothing declares what it holds: tables of changes, and groups of paths."""
        return Any in typing.get_args(self.hint)


@cache
def fields(cls: type) -> dict[str, Field]:
    """What every field of a part may hold, in order."""
    hints, numbers = typing.get_type_hints(cls), _followed(cls)
    return {
        name: _number(name in numbers, declared.default is None)
        if declared.kind == "number"
        else _choice(hints[name])
        for name, declared in declarations(cls).items()
    }


def _followed(cls: type) -> list[str]:
    """The numbers of a class that may be schedules; of a schedule, the one that it starts from."""
    if cls in members(FAMILIES["schedules"]).values():
        return list(declarations(cls))[:1]
    known = any(cls in members(FAMILIES[name]).values() for name in FOLLOWED)
    return [name for name, d in declarations(cls).items() if known and not d.constant]


def _number(followed: bool, optional: bool) -> Field:
    schedules = FAMILIES["schedules"]
    parts = members(schedules) if followed else {}
    return Field(schedules.name, parts, None, False, False, optional, True, float)


def _choice(hint: Any) -> Field:
    alternatives = _alternatives(hint)
    several = any(typing.get_origin(each) is tuple for each in alternatives)
    optional = types.NoneType in alternatives
    inside = [a for each in alternatives for a in _inside(each)]
    # Layers keep the protocol of networks, and can stand where one is wanted.
    found = [family for family in FAMILIES.values() if family.protocol in inside]
    parts = {name: cls for family in reversed(found) for name, cls in members(family).items()}
    only = next((a for a in inside if hasattr(a, "part_name")), None)
    family, ordered = found[0].name if found else "", several and Network in inside
    return Field(family, parts, only, several, ordered, optional, False, hint)


def names_within(parts: tuple[Any, ...]) -> list[str]:
    """The names of the parts in a tuple, as paths have them: layers are numbered."""
    if all(isinstance(item, Network) for item in parts):
        return [name for name, _ in numbered(parts)]
    return [part_name(item) for item in parts]


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
