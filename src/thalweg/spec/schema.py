"""The JSON Schema of spec files, from the declarations and cards: editors complete and check by it.

It knows names, types and bounds. Laws between fields, and what varies, only the reader knows: every
spec that it accepts is valid by the schema, but not the reverse.
"""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable, Iterable
from typing import Any

from thalweg.catalogue.card import card
from thalweg.part import Declaration, declarations
from thalweg.spec.experiment import RECIPE_FIELDS, Compare, Experiment, Recipe, Seeds, Training
from thalweg.spec.families import FAMILIES, Field, fields, members
from thalweg.spec.variants import SCHEDULED
from thalweg.spec.writing import default_data

__all__ = ["json_schema"]

Schema = dict[str, Any]

NOTHING: Schema = {"enum": ["none", None], "description": "nothing of the kind"}

RANGE: Schema = {
    "type": "string",
    "pattern": r"^\s*[-+0-9._eE]+?\s*\.\.\s*[-+0-9._eE]+(\s+(log|linear))?(\s+[0-9]+)?\s*$",
    "description": "values between two ends, as in 0.001..1 log 7 or 0..0.9 linear 4",
}


def json_schema() -> Schema:
    """The JSON Schema (draft 2020-12) of spec files."""
    builder = _Builder()
    schema = builder.table(Experiment)
    changes = builder.table(Experiment, changes=True)
    fields_of_runs = {name: changes["properties"][name] for name in RECIPE_FIELDS}
    changes = {**changes, "description": "Changes to the recipe.", "properties": fields_of_runs}
    named = {**fields_of_runs, "name": {"type": "string", "description": "of the case"}}
    path = {"type": "string", "description": "of a list, as in optimizer.learning_rate"}
    for name, items in (
        ("cases", {**changes, "properties": named}),
        ("vary", changes),
        ("zip", {"type": "array", "items": path, "minItems": 2, "uniqueItems": True}),
    ):
        schema["properties"][name] |= {"type": "array", "items": items}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Thalweg experiment",
        **schema,
        "$defs": builder.definitions,
    }


class _Builder:
    """Schemas of parts and families, each defined once."""

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}

    def defined(self, name: str, make: Callable[[], Schema]) -> Schema:
        """A reference to a definition, which is made where it is not there yet."""
        if name not in self.definitions:
            self.definitions[name] = {}  # it may come up again within itself
            self.definitions[name] = make()
        return {"$ref": f"#/$defs/{name}"}

    def part(self, cls: type, changes: bool) -> Schema:
        """The table of a part; of changes to one, where no field is required."""
        name = f"{cls.__name__}{'Changes' * changes}"
        return self.defined(name, lambda: self.table(cls, changes))

    def table(self, cls: type, changes: bool = False) -> Schema:
        """A table of the fields of a part."""
        meanings = {field.name: field for field in card(cls).fields}
        properties = {}
        for name, declared in declarations(cls).items():
            default = {"default": default_data(cls, name)}
            properties[name] = {
                "description": f"{meanings[name].meaning} ({meanings[name].allowed})".strip(),
                **({} if changes or _is_required(declared) else default),
                **self.field(cls, name, changes),
            }
        required = [name for name, declared in declarations(cls).items() if _is_required(declared)]
        return {
            "type": "object",
            "description": (inspect.getdoc(cls) or "").partition("\n")[0],
            "properties": properties,
            "additionalProperties": False,
            **({"required": required} if required and not changes else {}),
        }

    def field(self, cls: type, name: str, changes: bool) -> Schema:
        """What a field may be: a value, a list of values, and for numbers a range."""
        field, declared = fields(cls)[name], declarations(cls)[name]
        if Any in typing.get_args(field.hint):
            return {}
        values = list(self._values(cls, name, changes))
        once = cls in (Compare, Seeds) or (cls is Experiment and name not in RECIPE_FIELDS)
        if once:
            return _any_of(values)
        single = list(self._values(cls, name, False)) if changes else values
        several = {"type": "array", "items": _any_of(single), "minItems": 1}
        ranges = [RANGE] if declared.kind == "number" else []
        return _any_of([*values, *ranges, several])

    def _values(self, cls: type, name: str, changes: bool) -> Iterable[Schema]:
        """The forms that one value of a field can take."""
        field, declared = fields(cls)[name], declarations(cls)[name]
        if field.number:
            yield {"type": "number", **_bounds(declared)}
        elif field.only:
            yield self.part(field.only, changes)
        elif not field.parts:
            yield _plain(field.hint, declared)
        if field.parts and (not field.number or _follows(cls, name)):
            yield self.family(field, False)
            if changes:
                yield self.family(field, True)
        if field.optional or (field.parts and field.several):
            yield NOTHING

    def family(self, field: Field, changes: bool) -> Schema:
        """Parts of a family: a name, or a table under a name; of changes, fields of any too."""
        name = f"{field.family}{'Changes' * changes}"
        make = self._changes_within if changes else self._parts
        return self.defined(name, lambda: make(field))

    def _parts(self, field: Field) -> Schema:
        names = [
            name
            for name, cls in field.parts.items()
            if not any(map(_is_required, declarations(cls).values()))
        ]
        table: Schema = {
            "type": "object",
            "properties": {name: self.part(cls, False) for name, cls in field.parts.items()},
            "additionalProperties": False,
        }
        if not field.several:
            table |= {"minProperties": 1, "maxProperties": 1}
        return {"anyOf": [{"enum": names}, table]}

    def _changes_within(self, field: Field) -> Schema:
        found: dict[str, list[Schema]] = {
            name: [self.part(cls, True)] for name, cls in field.parts.items()
        }
        for cls in field.parts.values():
            for name in fields(cls):
                found.setdefault(name, []).append(self.field(cls, name, True))
        properties = {name: _any_of(schemas) for name, schemas in found.items()}
        return {"type": "object", "properties": properties, "additionalProperties": False}


def _is_required(declared: Declaration) -> bool:
    return declared.default is dataclasses.MISSING


def _any_of(schemas: list[Schema]) -> Schema:
    """One of several schemas, equal ones once and nested alternatives unfolded."""
    flat: list[Schema] = []
    for schema in schemas:
        for inner in schema["anyOf"] if schema.keys() == {"anyOf"} else [schema]:
            if inner not in flat:
                flat.append(inner)
    return flat[0] if len(flat) == 1 else {"anyOf": flat}


def _bounds(declared: Declaration) -> Schema:
    bounds = {
        "minimum": declared.low,
        "exclusiveMinimum": declared.above,
        "maximum": declared.high,
        "exclusiveMaximum": declared.below,
    }
    return {key: bound for key, bound in bounds.items() if bound is not None}


def _plain(hint: Any, declared: Declaration) -> Schema:
    """Values of a choice that holds no part."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if declared.options is not None:
        return {"enum": list(declared.options)}
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin in (typing.Union, types.UnionType):
        inner = [a for a in arguments if a is not types.NoneType]
        return _any_of([_plain(argument, declared) for argument in inner])
    if origin is tuple:
        length = {} if arguments[-1] is Ellipsis else {"minItems": len(arguments)}
        length |= {"maxItems": len(arguments)} if length else {}
        return {"type": "array", "items": _plain(arguments[0], declared), **length}
    if hint is str or hint is bool:
        return {"type": "string" if hint is str else "boolean"}
    return {"type": "integer" if hint is int else "number", **_bounds(declared)}


def _follows(cls: type, name: str) -> bool:
    """Whether a number may be a schedule: see ``variants``."""
    if cls in members(FAMILIES["schedules"]).values():
        return name == next(iter(fields(cls)))
    places = {**fields(Recipe), **fields(Training)}
    return any(cls in places[place].parts.values() for place in SCHEDULED)
