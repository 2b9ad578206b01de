"""Which parts a field of a spec may name: the families of the catalogue, and the data sources."""

from __future__ import annotations

import types
import typing
from typing import Any

import thalweg.data
from thalweg.catalogue import families as catalogue
from thalweg.catalogue.families import Family
from thalweg.data import Source
from thalweg.part import is_part

__all__ = ["FAMILIES", "family_in", "members", "part_in"]

FAMILIES: dict[str, Family] = {
    "data": Family("data", Source, thalweg.data.sources),
    **catalogue.FAMILIES,
}

members = catalogue.members


def family_in(hint: Any) -> Family | None:
    """The family a field's annotation admits: ``Loss | None`` → losses; None if it is no family."""
    for candidate in _alternatives(hint):
        for family in FAMILIES.values():
            if family.protocol is candidate:
                return family
    return None


def part_in(hint: Any) -> type | None:
    """The one part class a field's annotation admits: ``Seeds`` or ``EarlyStopping | None``."""
    for candidate in _alternatives(hint):
        if isinstance(candidate, type) and hasattr(candidate, "part_name"):
            return candidate
    return None


def holds_several(hint: Any) -> bool:
    """Whether a field holds a tuple of parts."""
    return any(typing.get_origin(h) is tuple for h in _alternatives(hint, inside=False))


def _alternatives(hint: Any, inside: bool = True) -> list[Any]:
    """The members of a union; with ``inside``, also what tuples hold."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return [a for argument in typing.get_args(hint) for a in _alternatives(argument, inside)]
    if origin is tuple and inside:
        return _alternatives(typing.get_args(hint)[0], inside)
    return [hint]


def family_of(value: Any) -> Family:
    """The family an instance of a part belongs to."""
    assert is_part(value)
    for family in FAMILIES.values():
        if type(value) in members(family).values():
            return family
    raise LookupError(f"{type(value).__name__} belongs to no family")
