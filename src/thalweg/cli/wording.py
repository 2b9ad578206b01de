"""How a part is asked for in a spec file: the lines that ``show`` and the catalogue print."""

from __future__ import annotations

from typing import Any

from thalweg.catalogue.card import card
from thalweg.spec.families import fields
from thalweg.spec.writing import default_data, inline

__all__ = ["PLACES", "toml_of"]

# Where a part of each family stands in a spec; ``@`` is the part, on a line of its own without
# the braces. Decoders are used in Python, on what was trained.
PLACES = {
    "data": "[data]\n@",
    "networks": "[network]\n@",
    "layers": '[network]\nsequential = { layers = [@, "dense"] }',
    "cells": "[network]\nrecurrent_network = { cell = @ }",
    "attention": "[network]\nencoder_decoder = { attention = @ }",
    "compositions": "[network]\nrecursive = { composition = @ }",
    "activations": "[network]\nmlp = { activation = @ }",
    "initializers": "[network]\nmlp = { kernel = @ }",
    "starts": "[start]\n@",
    "losses": "[loss]\n@",
    "optimizers": "[optimizer]\n@",
    "line_searches": "[optimizer]\nsteepest_descent = { search = @ }",
    "schedules": "[optimizer]\nmomentum = { learning_rate = @ }",
    "regularizers": "[regularizers]\n@",
    "clipping": "[training]\nclipping = @",
    "preprocessing": "[preprocessing]\n@",
    "augmentations": "[augmentation]\n@",
}

# Values for fields that must be given, by name, where any text or number would mislead.
GIVEN: dict[str, Any] = {
    "path": "houses.csv",
    "target": "price",
    "layers": [{"dense": {"units": 16}}, {"activate": {"function": "relu"}}, "dense"],
    "branches": [{"dense": {"units": 16}}, {"dense": {"units": 8}}],
    "layer": {"dense": {"units": 16}},
    "shape": [4, 4],
    "steps": 4,
    "run": "autoencoder.toml",
}


def toml_of(cls: type, family: str) -> str:
    """The lines of a spec that ask for a part: required fields, and its first number.

    Empty for a family that no spec has a place for.
    """
    if family not in PLACES:
        return ""
    made = card(cls, family)
    held = {field.name: _example(cls, field.name) for field in made.fields if field.default is None}
    for field in made.fields:
        plain = default_data(cls, field.name)
        if not held and field.kind == "number" and isinstance(plain, int | float):
            held[field.name] = plain
    place, written = PLACES[family], f"{made.name} = {inline(held)}"
    if place.endswith("\n@"):
        return place.replace("@", written)
    return place.replace("@", f"{{ {written} }}" if held else f'"{made.name}"')


def _example(cls: type, name: str) -> Any:
    """A value for a field that must be given."""
    field = fields(cls)[name]
    if name in GIVEN:
        return GIVEN[name]
    if field.parts:
        alone = [part for part, other in sorted(field.parts.items()) if _is_complete(other)]
        return alone[:1] if field.several else alone[0]
    return name if field.hint is str else 8


def _is_complete(cls: type) -> bool:
    """Whether a part needs no field to be given."""
    return all(field.default is not None for field in card(cls).fields)
