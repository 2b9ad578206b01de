"""Tables of changes laid over the table of a spec: cases, groups of ``vary``, and overrides.

A table of fields changes the part that is there; a table that names another part of the family
takes its place. Where alternatives stand in a list, all of them are changed.
"""

from __future__ import annotations

import tomllib
from typing import Any

from thalweg.catalogue.layers.sequence import numbered
from thalweg.errors import SpecError
from thalweg.part import nearest
from thalweg.spec.families import Field, fields, unknown
from thalweg.spec.places import Path_, parts_of_key
from thalweg.spec.writing import default_data

__all__ = ["Absent", "merge", "parse_override"]


class Absent(SpecError):
    """A change names a field that is not there.

    Args:
        path: of the field, in the table of changes.
        problem: one sentence.
    """

    def __init__(self, path: Path_, problem: str) -> None:
        super().__init__(problem)
        self.path = path


def merge(cls: type, base: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """The table of a part of a class with changes laid over it.

    Raises:
        Absent: the changes name a field that the part in the base does not have.
    """
    merged = dict(base)
    for name, given in patch.items():
        if name not in fields(cls):
            raise Absent((name,), unknown(cls, name))
        own = base[name] if name in base else default_data(cls, name)
        try:
            merged[name] = _laid(fields(cls)[name], own, given)
        except Absent as error:
            raise Absent((name, *error.path), str(error)) from None
    return merged


def _laid(field: Field, base: Any, given: Any) -> Any:
    if not isinstance(given, dict):
        return given
    if field.ordered and isinstance(base, list) and not any(isinstance(i, list) for i in base):
        return _laid_over_layers(field, base, given)
    if isinstance(base, list):
        return _laid_over_each(field, base, given)
    if field.only is not None:
        return merge(field.only, base if isinstance(base, dict) else {}, given)
    if isinstance(base, str) and base in field.parts:
        base = {base: {}}
    if _names_parts(field, given):
        kept = base if field.several and isinstance(base, dict) else {}
        return {**kept, **{name: _own(field, base, name, own) for name, own in given.items()}}
    if not field.parts or not isinstance(base, dict):
        return given
    return _into_parts(field, base, given)


def _laid_over_each(field: Field, base: list[Any], given: dict[str, Any]) -> Any:
    """Changes to a list of alternatives; naming one of them changes that one alone."""
    if _names_parts(field, given):
        named = [bool(_names(item) & given.keys()) for item in base]
        pairs = zip(base, named, strict=True)
        return [_laid(field, i, given) if n else i for i, n in pairs] if any(named) else given
    return [_laid(field, item, given) for item in base]


def _laid_over_layers(field: Field, base: list[Any], given: dict[str, Any]) -> list[Any]:
    """Changes to layers by their names: ``dense_0``."""
    whole = [{item: {}} if isinstance(item, str) else item for item in base]
    kinds = [field.parts.get(next(iter(item), "")) for item in whole]
    names = [name for name, _ in numbered(filter(None, kinds))]
    if None in kinds:
        return base  # what is no layer is refused where it is read
    merged = list(whole)
    for key, own in given.items():
        if key not in names:
            raise Absent((key,), f"there is no layer {key!r} here{nearest(key, names)}")
        position = names.index(key)
        merged[position] = _laid(
            field._replace(ordered=False, several=False), merged[position], own
        )
    return merged


def _names(written: Any) -> set[str]:
    """The names of the parts in a value of a field."""
    return {written} if isinstance(written, str) else {*(written or ())}


def _names_parts(field: Field, given: dict[str, Any]) -> bool:
    """Whether a table names parts, not fields: ``momentum`` is both, but a part has a table."""
    named = (name in field.parts and isinstance(own, dict) for name, own in given.items())
    return bool(given) and all(named)


def _own(field: Field, base: Any, name: str, own: dict[str, Any]) -> dict[str, Any]:
    """The fields of a named part, laid over those it has if it is there."""
    if not isinstance(base, dict) or not isinstance(base.get(name), dict):
        return own
    try:
        return merge(field.parts[name], base[name], own)
    except Absent as error:
        raise Absent((name, *error.path), str(error)) from None


def _into_parts(field: Field, base: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Fields laid over whichever parts have them."""
    merged, found = dict(base), set()
    present = {n: field.parts[n] for n in base if n in field.parts and isinstance(base[n], dict)}
    for name, cls in present.items():
        own = {key: held for key, held in given.items() if key in fields(cls)}
        merged[name] = merge(cls, base[name], own)
        found |= own.keys()
    for key in given:
        if key not in found:
            classes = list(present.values())
            if len(classes) == 1:
                raise Absent((key,), unknown(classes[0], key))
            known = [name for cls in classes for name in fields(cls)]
            tail = nearest(key, known)
            raise Absent((key,), f"none of the {field.family} here has a field {key!r}{tail}")
    return merged


def parse_override(text: str) -> dict[str, Any]:
    """``"training.epochs=5"`` as nested data; a value that is no TOML is taken as a text."""
    key, equals, value = (piece.strip() for piece in text.partition("="))
    if not equals or not key:
        raise SpecError(f"an override must look like path=value, got {text!r}")
    try:
        path = parts_of_key(key)
    except ValueError:
        raise SpecError(f"override {text!r}: {key!r} is no path such as training.epochs") from None
    try:
        held: Any = tomllib.loads(f"value = {value}")["value"]
    except ValueError:
        held = value
    for name in reversed(path):
        held = {name: held}
    return held
