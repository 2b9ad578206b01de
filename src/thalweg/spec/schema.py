"""The JSON Schema of spec files, from the declarations and cards: editors complete and check by it.

It knows names, types and bounds. Laws between fields, and what varies, only the reader knows: every
spec that it accepts is valid by the schema, but not the reverse.
"""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from thalweg.catalogue.card import card
from thalweg.part import Declaration, declarations
from thalweg.spec.experiment import RECIPE_FIELDS, Compare, Ensemble, Experiment, Seeds
from thalweg.spec.families import Field, fields
from thalweg.spec.writing import default_data

__all__ = ["json_schema"]

Schema = dict[str, Any]

# Definitions that many fields share.
NOTHING: Schema = {"$ref": "#/$defs/none"}
RANGE: Schema = {"$ref": "#/$defs/range"}
SHARED: Schema = {
    "none": {"enum": ["none", None], "description": "nothing of the kind"},
    "range": {
        "type": "string",
        "pattern": r"^\s*[-+0-9._eE]+?\s*\.\.\s*[-+0-9._eE]+(\s+(log|linear))?(\s+[0-9]+)?\s*$",
        "description": "values between two ends, as in 0.001..1 log 7 or 0..0.9 linear 4",
    },
}


def json_schema() -> Schema:
    """The JSON Schema (draft 2020-12) of spec files."""
    builder = _Builder()
    schema = builder.table(Experiment)
    changes = {name: builder.change(Experiment, name) for name in RECIPE_FIELDS}
    named = {"name": {"type": "string", "description": "of the case"}, **changes}
    path = {"type": "string", "description": "of a list, as in optimizer.learning_rate"}
    for name, items in (
        ("cases", _object(named)),
        ("vary", _object(changes)),
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
        self.definitions: dict[str, Schema] = {**SHARED}

    def defined(self, name: str, make: Callable[[], Schema]) -> Schema:
        """A reference to a definition, which is made where it is not there yet."""
        if name not in self.definitions:
            self.definitions[name] = {}  # it may come up again within itself
            self.definitions[name] = make()
        return {"$ref": f"#/$defs/{name}"}

    # ----------------------------------------------------------------------------- whole parts

    def part(self, cls: type) -> Schema:
        """The table of a part."""
        return self.defined(cls.__name__, lambda: self.table(cls))

    def table(self, cls: type) -> Schema:
        """A table of the fields of a part, with what its card says of them."""
        told = {field.name: f"{field.meaning} ({field.allowed})" for field in card(cls).fields}
        properties, required = {}, []
        for name, declared in declarations(cls).items():
            properties[name] = {"description": told[name], **self.field(cls, name)}
            if _is_required(declared):
                required.append(name)
            else:
                properties[name]["default"] = default_data(cls, name)
        summary = (inspect.getdoc(cls) or "").partition("\n")[0]
        return {"description": summary, **_object(properties), "required": required}

    def field(self, cls: type, name: str) -> Schema:
        """What a field may be: a value, a list of values, and for numbers a range."""
        field, declared = fields(cls)[name], declarations(cls)[name]
        if field.free:
            return {}
        one = list(self._values(cls, name, declared))
        if cls in (Compare, Ensemble, Seeds) or (cls is Experiment and name not in RECIPE_FIELDS):
            return _any_of(one)
        several = {"type": "array", "items": _any_of(one), "minItems": 1}
        return _any_of([*one, *([RANGE] if field.number else []), several])

    def _values(self, cls: type, name: str, declared: Declaration) -> Iterator[Schema]:
        """The forms that one value of a field can take."""
        field = fields(cls)[name]
        if field.number:
            yield {"type": "number", **_bounds(declared)}
        elif field.only:
            yield self.part(field.only)
        elif not field.parts:
            yield _plain(field.hint, declared)
        if field.parts:
            family = self.defined(field.family, lambda: self._family(field))
            yield {"type": "array", "items": family} if field.ordered else family
        if field.optional or (field.parts and field.several and not field.ordered):
            yield NOTHING

    def _family(self, field: Field) -> Schema:
        """A part by its name alone, or as a table under its name; of several, more than one."""
        alone = [
            name
            for name, cls in field.parts.items()
            if not any(map(_is_required, declarations(cls).values()))
        ]
        table = _object({name: self.part(cls) for name, cls in field.parts.items()})
        several = field.several and not field.ordered
        one = {} if several else {"minProperties": 1, "maxProperties": 1}
        return {"anyOf": [{"enum": alone}, {**table, **one}]}

    # --------------------------------------------------------------------------------- changes

    def change(self, cls: type, name: str) -> Schema:
        """What may be laid over a field: a whole value, or fields of the part there."""
        field = fields(cls)[name]
        within = "#" if cls is Experiment else self.part(cls)["$ref"]
        forms: list[Schema] = [{"$ref": f"{within}/properties/{name}"}]
        if field.only is not None:
            forms.append(self._changed_part(field.only))
        elif field.ordered:
            forms.append({"type": "object", "description": "changes to layers by their names"})
        elif field.parts:
            make = partial(self._changed_family, field)
            forms.append(self.defined(f"{field.family}_changes", make))
        return _any_of(forms)

    def _changed_part(self, cls: type) -> Schema:
        def make() -> Schema:
            return _object({name: self.change(cls, name) for name in fields(cls)})

        return self.defined(f"{cls.__name__}Changes", make)

    def _changed_family(self, field: Field) -> Schema:
        """Changes to parts by their names, or to fields of whichever parts are there."""
        found = {name: [self._changed_part(cls)] for name, cls in field.parts.items()}
        for cls in field.parts.values():
            for name in fields(cls):
                found.setdefault(name, []).append(self.change(cls, name))
        return _object({name: _any_of(forms) for name, forms in found.items()})


def _object(properties: Schema) -> Schema:
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
