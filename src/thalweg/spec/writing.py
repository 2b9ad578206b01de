"""From parts to plain data and to TOML; reading what is written gives the same parts back."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any

from thalweg.catalogue.layers.contract import Network
from thalweg.errors import SpecError
from thalweg.part import Each, Range, declarations, is_part, part_name
from thalweg.spec.experiment import Experiment
from thalweg.spec.families import FAMILIES, Field, fields, members

__all__ = ["default_data", "field_data", "inline", "to_data", "to_toml"]

# Lines of a written spec are broken where they would be longer.
WIDTH = 100

_BARE = re.compile(r"[A-Za-z0-9_-]+")


# ------------------------------------------------------------------------------------- plain data


def to_data(value: Any, full: bool = True) -> Any:
    """A part as plain JSON data; with ``full`` every field, otherwise those not at their default.

    Reading the result gives the same part back.

    Raises:
        SpecError: a tuple holds two parts of one name, which text cannot tell apart.
    """
    if is_part(value):
        return {
            name: field_data(fields(type(value))[name], getattr(value, name), full)
            for name, declared in declarations(type(value)).items()
            if full or getattr(value, name) != declared.default
        }
    if isinstance(value, Range):
        return str(value)
    if isinstance(value, tuple | list):
        return [to_data(item, full) for item in value]
    if isinstance(value, dict):
        return {key: _change(held) for key, held in value.items()}
    return value


def _change(held: Any) -> Any:
    """A value in a table of changes, where no field says what it is.

    A table would be laid over what is there, but a part made in Python takes its place, as a list
    does; so it is written as a list of one.
    """
    if isinstance(held, list | Each):
        return [_alternative(item) for item in held]
    written = _alternative(held)
    return [written] if isinstance(written, dict) and not isinstance(held, dict) else written


def _alternative(item: Any) -> Any:
    parts = item if isinstance(item, tuple) else (item,)
    known = [cls for family in FAMILIES.values() for cls in members(family).values()]
    if not parts or not all(type(part) in known for part in parts):
        return to_data(item)
    if isinstance(item, tuple) and all(isinstance(part, Network) for part in parts):
        return [_named((part,), False) for part in parts]
    return _named(parts, False)


def field_data(field: Field, held: Any, full: bool) -> Any:
    """What one field holds, parts of families under their names."""
    if isinstance(held, Each):
        return [field_data(field, item, full) for item in held]
    if field.ordered:
        return [_named((item,), full) for item in held]
    if field.parts and field.several:
        return _named(held, full)
    return _named((held,), full) if field.parts and is_part(held) else to_data(held, full)


def _named(parts: tuple[Any, ...], full: bool) -> dict[str, Any]:
    table = {part_name(item): to_data(item, full) for item in parts}
    if len(table) < len(parts):
        names = ", ".join(map(part_name, parts))
        raise SpecError(f"of each part there can be one, got {names}; make them one")
    return table


def default_data(cls: type, name: str) -> Any:
    """The default of a field as data; None where it has none."""
    default = declarations(cls)[name].default
    missing = default is dataclasses.MISSING
    return None if missing else field_data(fields(cls)[name], default, False)


# ------------------------------------------------------------------------------------------- TOML


def to_toml(experiment: Experiment) -> str:
    """The spec file of an experiment: the fields that are not at their default.

    Reading it gives the same experiment back.
    """
    data = to_data(experiment, full=False)
    tables = {key: held for key, held in data.items() if _is_table(held)}
    lines = [f"{key} = {inline(held)}" for key, held in data.items() if key not in tables]
    blocks = ["\n".join(lines)] if lines else []
    for key, held in tables.items():
        if isinstance(held, list):
            blocks += ["\n".join(_table(key, item, "[[{}]]")) for item in held]
        else:
            blocks.append("\n".join(_table(key, held, "[{}]")))
    return "\n\n".join(blocks) + "\n"


def _is_table(held: Any) -> bool:
    """Whether something is written under headers of its own."""
    items = held if isinstance(held, list) else [held]
    return bool(items) and all(isinstance(item, dict) for item in items)


def _table(name: str, table: dict[str, Any], header: str) -> Iterator[str]:
    """A table under its header; tables in it go on one line each if all of them fit."""
    yield header.format(name)
    lines = {key: f"{_key(key)} = {inline(held)}" for key, held in table.items()}
    inner = {key: held for key, held in table.items() if _is_table(held)}
    if all(len(lines[key]) <= WIDTH for key in inner):
        inner = {}
    yield from (line for key, line in lines.items() if key not in inner)
    for key, held in inner.items():
        items, below = (held, "[[{}]]") if isinstance(held, list) else ([held], "[{}]")
        for item in items:
            yield from ("", *_table(f"{name}.{_key(key)}", item, below))


def inline(value: Any) -> str:
    """A value of plain data on one line of TOML."""
    if isinstance(value, dict):
        inner = ", ".join(f"{_key(key)} = {inline(held)}" for key, held in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(inline, value))}]"
    if value is None:
        return '"none"'
    if isinstance(value, str):  # the escapes of TOML are those of JSON
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value).lower() if isinstance(value, bool) else repr(value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else inline(name)
