"""Specs to and from text: TOML files and plain JSON data, one to one with the tree of parts.

A part is written ``name = { fields }``, or just its name where its defaults will do. A list where
one value is expected is a sweep; where a tuple is expected, a list of lists is. ``build`` reads,
``to_data`` writes, ``merge`` lays one table of overrides over another before they are read.
"""

from __future__ import annotations

import re
import tomllib
import typing
from pathlib import Path
from typing import Any

from thalweg.errors import SpecError
from thalweg.part import (
    Each,
    Range,
    declarations,
    is_part,
    nearest,
    part_name,
)
from thalweg.spec.experiment import Experiment
from thalweg.spec.families import Family, family_in, holds_several, members, part_in
from thalweg.spec.places import Places

__all__ = ["build", "from_data", "merge", "parse_override", "read_file", "to_data"]

Path_ = tuple[str | int, ...]


# ----------------------------------------------------------------------------------------- reading


def read_file(path: Path, overrides: tuple[str, ...] = ()) -> Experiment:
    """Read an experiment from a TOML file, overrides laid over it."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SpecError(f"{path} does not exist; give the path of a spec file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path} cannot be read: {error}") from None
    if not text.strip():
        raise SpecError(f"{path} is empty; a spec needs at least a [data] table")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{path}: not valid TOML: {error}") from None
    return from_data(data, Places(str(path), text), overrides)


def from_data(
    data: dict[str, Any], places: Places | None = None, overrides: tuple[str, ...] = ()
) -> Experiment:
    """Read an experiment from plain data.

    Raises:
        SpecError: every problem found, each with its place.
    """
    places = places or Places("")
    for override in overrides:
        try:
            data = merge(Experiment, data, parse_override(override))
        except KeyError as error:
            raise SpecError(f"override {override!r}: there is no field {error} to set") from None
    problems: list[str] = []
    experiment = build(Experiment, data, places, (), problems)
    for name in ("cases", "vary"):
        for i, block in enumerate(data.get(name, ())):
            if not isinstance(block, dict):
                problems.append(f"{places.of((name, i))}{name} must hold tables, got {block!r}")
    if problems:
        raise SpecError(*dict.fromkeys(problems))
    return experiment


def build(cls: type, data: Any, places: Places, path: Path_, problems: list[str]) -> Any:
    """Make a part of a class from a table; problems are collected, and then None is returned."""
    if not isinstance(data, dict):
        name = f"{path[-1]!r}" if path else "a spec"
        problems.append(f"{places.of(path)}{name} must be a table, got {data!r}")
        return None
    hints, fields = typing.get_type_hints(cls), declarations(cls)
    values, before = {}, len(problems)
    for key, given in data.items():
        if key not in fields:
            hint = _unknown(cls, key)
            problems.append(f"{places.of((*path, key))}{cls.__name__} has no field {key!r}{hint}")
            continue
        if cls is Experiment and key in ("cases", "vary", "zip"):
            values[key] = tuple(_tuples(item) for item in given) if key == "zip" else tuple(given)
        elif fields[key].kind == "number":
            values[key] = _number(given, places, (*path, key), problems)
        else:
            values[key] = _choice(hints[key], given, places, (*path, key), problems)
    try:
        return cls(**values) if len(problems) == before else None
    except SpecError as error:
        for problem in error.problems:
            field = re.match(rf"{cls.__name__}\.(\w+)", problem)
            at = (*path, field[1]) if field else path
            problems.append(places.of(at) + problem)
        return None


def _unknown(cls: type, key: str) -> str:
    """What was probably meant by an unknown field: another name, or another part that has it."""
    tail = nearest(key, declarations(cls))
    if "did you mean" in tail or cls is Experiment:
        return tail
    for family in _families_with(cls):
        others = [name for name, c in members(family).items() if key in declarations(c)]
        if others:
            return f"; {' and '.join(others[:3])} {'has' if len(others) == 1 else 'have'} it"
    return tail


def _families_with(cls: type) -> list[Family]:
    from thalweg.spec.families import FAMILIES

    return [family for family in FAMILIES.values() if cls in members(family).values()]


def _number(given: Any, places: Places, path: Path_, problems: list[str]) -> Any:
    if isinstance(given, dict):
        from thalweg.spec.families import FAMILIES

        return _member(FAMILIES["schedules"], given, places, path, problems)
    if isinstance(given, list):
        return [_number(item, places, (*path, i), problems) for i, item in enumerate(given)]
    return given


def _choice(hint: Any, given: Any, places: Places, path: Path_, problems: list[str]) -> Any:
    several = holds_several(hint)
    family, only = family_in(hint), part_in(hint)
    if family is not None and several:
        return _members(family, given, places, path, problems)
    if family is not None or only is not None:
        if isinstance(given, list):
            return [_choice(hint, g, places, (*path, i), problems) for i, g in enumerate(given)]
        if family is not None:
            return _member(family, given, places, path, problems)
        assert only is not None
        return None if given in (None, "none") else build(only, given, places, path, problems)
    if several:
        if isinstance(given, list) and not any(isinstance(item, list) for item in given) and given:
            return tuple(given)
        if isinstance(given, list):
            return [tuple(item) if isinstance(item, list) else item for item in given]
        return given
    return given


def _member(family: Family, given: Any, places: Places, path: Path_, problems: list[str]) -> Any:
    """A part of a family, written as its name or as ``{name = {fields}}``."""
    if given is None or given == "none":
        return None
    if isinstance(given, str):
        given = {given: {}}
    if not isinstance(given, dict) or not given:
        problems.append(
            f"{places.of(path)}{path[-1]} must name one of the {family.name}, got {given!r}"
        )
        return None
    if len(given) > 1:
        problems.append(
            f"{places.of(path)}{_words(path)} holds one part, got {', '.join(given)}; "
            f"for alternatives write one [[{_words(path)}]] block each"
        )
        return None
    ((name, fields),) = given.items()
    cls = members(family).get(name)
    if cls is None:
        hint = nearest(name, members(family))
        problems.append(f"{places.of((*path, name))}{family.name} has no part {name!r}{hint}")
        return None
    return build(cls, fields, places, (*path, name), problems)


def _members(family: Family, given: Any, places: Places, path: Path_, problems: list[str]) -> Any:
    """A tuple of parts, written as a table of them; a list of such tables is a sweep."""
    if isinstance(given, list):
        return [_members(family, g, places, (*path, i), problems) for i, g in enumerate(given)]
    if isinstance(given, str):
        given = {} if given == "none" else {given: {}}
    if not isinstance(given, dict):
        problems.append(f"{places.of(path)}{_words(path)} must be a table of parts, got {given!r}")
        return None
    return tuple(
        _member(family, {name: fields}, places, path, problems) for name, fields in given.items()
    )


def _words(path: Path_) -> str:
    return ".".join(str(step) for step in path)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


# ----------------------------------------------------------------------------------------- writing


def to_data(value: Any, full: bool = True) -> Any:
    """A part as plain JSON data; with ``full`` every field, otherwise those not at their default.

    Reading the result gives the same part back.
    """
    if isinstance(value, Each):
        return [to_data(item, full) for item in value]
    if isinstance(value, Range):
        return str(value)
    if not is_part(value):
        return [to_data(v, full) for v in value] if isinstance(value, tuple) else value
    hints = typing.get_type_hints(type(value))
    fields = {}
    for name, declared in declarations(type(value)).items():
        held = getattr(value, name)
        if full or held != declared.default:
            fields[name] = _field(hints[name], declared.kind, held, full)
    return fields


def _field(hint: Any, kind: str, held: Any, full: bool) -> Any:
    """The value of one field, parts of families under their names."""
    if isinstance(held, Each):
        return [_field(hint, kind, item, full) for item in held]
    named = kind == "number" or family_in(hint) is not None
    if is_part(held) and named:
        return {part_name(held): to_data(held, full)}
    if named and isinstance(held, tuple):
        return {part_name(item): to_data(item, full) for item in held}
    return to_data(held, full)


# ----------------------------------------------------------------------------------------- merging


def merge(cls: type, base: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Plain data with overrides laid over it.

    A table of fields is merged into the part that is there; a table that names another part of
    the family replaces it.

    Raises:
        KeyError: the patch names a field that the part in the base does not have.
    """
    hints, merged = typing.get_type_hints(cls), dict(base)
    for key, given in patch.items():
        if key not in declarations(cls):
            raise KeyError(key)
        merged[key] = _merge_field(hints[key], merged.get(key), given)
    return merged


def _merge_field(hint: Any, base: Any, given: Any) -> Any:
    if not isinstance(given, dict):
        return given
    family, only = family_in(hint), part_in(hint)
    if only is not None:
        return merge(only, base if isinstance(base, dict) else {}, given)
    if family is None:
        return given
    if isinstance(base, list):
        return [_merge_field(hint, item, given) for item in base]
    base = {base: {}} if isinstance(base, str) else dict(base or {})
    known = members(family)
    if all(name in known for name in given):
        kept = base if holds_several(hint) else {}
        return {
            **kept,
            **{
                name: merge(known[name], base[name], fields)
                if name in base and isinstance(fields, dict)
                else fields
                for name, fields in given.items()
            },
        }
    merged, found = {}, False
    for name, fields in base.items():
        own = {k: v for k, v in given.items() if k in declarations(known[name])}
        found = found or len(own) == len(given)
        merged[name] = merge(known[name], fields, own) if own else fields
    if not found:
        raise KeyError(next(iter(given)))
    return merged


def parse_override(text: str) -> dict[str, Any]:
    """``"training.epochs=5"`` as nested data; a value that is no TOML is taken as a text."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise SpecError(f"an override must look like path=value, got {text!r}")
    try:
        return tomllib.loads(f"{key.strip()} = {value.strip()}")
    except tomllib.TOMLDecodeError:
        try:
            return tomllib.loads(f'{key.strip()} = "{value.strip()}"')
        except tomllib.TOMLDecodeError as error:
            raise SpecError(f"override {text!r} cannot be read: {error}") from None
