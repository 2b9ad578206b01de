"""Specs to and from text: TOML files and plain data, one to one with the tree of parts.

``read_file`` and ``from_data`` read, ``to_toml`` and ``to_data`` write. How a table becomes a part
is in ``reading``, how overrides are laid over it in ``merging``, and which line an error names in
``places``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from thalweg.errors import SpecError
from thalweg.spec.experiment import Experiment
from thalweg.spec.families import FAMILIES, Field, members
from thalweg.spec.merging import Absent, merge, parse_override
from thalweg.spec.places import Path_, Places, parts_of_key
from thalweg.spec.reading import Reader, brief
from thalweg.spec.variants import sweeps, variants
from thalweg.spec.writing import to_data, to_toml

__all__ = ["from_data", "parse", "part_from", "read_file", "to_data", "to_toml"]

# Deeper than any spec, and shallower than what Python can follow.
DEEPEST = 40


def read_file(path: Path, overrides: tuple[str, ...] = ()) -> Experiment:
    """Read an experiment from a TOML file, overrides laid over it.

    Raises:
        SpecError: every problem found, each with file and line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SpecError(f"{path} does not exist; give the path of a spec file") from None
    except IsADirectoryError:
        raise SpecError(f"{path} is a folder; give the path of a spec file") from None
    except UnicodeDecodeError as error:
        raise SpecError(
            f"{path} is not UTF-8 text (byte {error.start + 1}); save it as UTF-8"
        ) from None
    except OSError as error:
        raise SpecError(f"{path} cannot be read: {error.strerror or error}") from None
    return parse(text, str(path), overrides)


def parse(text: str, name: str, overrides: tuple[str, ...] = ()) -> Experiment:
    """Read an experiment from the text of a spec file; its name is for messages."""
    if not text.strip():
        raise SpecError(f"{name} is empty; a spec needs at least a [data] table")
    try:
        data = tomllib.loads(text)
    except RecursionError:
        raise SpecError(f"{name} holds lists nested deeper than any spec is") from None
    except tomllib.TOMLDecodeError as error:
        raise SpecError(_not_toml(name, text, str(error))) from None
    except ValueError:
        raise SpecError(f"{name} holds a number with more digits than can be read") from None
    return from_data(data, Places(name, text), overrides)


def _not_toml(name: str, text: str, problem: str) -> str:
    """``file:line: not valid TOML: …``; the TOML reader tells the line at the end."""
    problem, _, place = problem.partition(" (at ")
    line = re.match(r"line (\d+)", place)
    number = line[1] if line else text.count("\n") + 1
    return f"{name}:{number}: not valid TOML: {problem}"


def from_data(
    data: dict[str, Any], places: Places | None = None, overrides: tuple[str, ...] = ()
) -> Experiment:
    """Read an experiment from plain data.

    Args:
        data: as a TOML or JSON reader gives them.
        places: where they stand.
        overrides: ``"training.epochs=5"`` and the like, laid over the data in turn.

    Raises:
        SpecError: every problem found, each with its place.
    """
    reader = Reader(places or Places(""))
    for text in overrides:
        patch, place = parse_override(text), f"override {text!r}"
        if isinstance(data, dict):
            try:
                data = merge(Experiment, data, patch)
            except Absent as error:
                reader.problems.append(f"{place}: {error}")
            reader.places.override(tuple(parts_of_key(text.partition("=")[0].strip())), place)
    for path, problem in _unfit(data, ()):
        reader.report(path, problem)
    if reader.problems:
        raise SpecError(*reader.problems)
    experiment = reader.part(Experiment, data)
    if reader.problems:
        raise SpecError(*reader.problems)
    variants(experiment, reader.places)
    return experiment


def part_from(text: str, family: str, place: str) -> Any:
    """One part of a family, as a spec would write it: ``greedy``, ``beam = { width = 8 }``.

    Args:
        place: where the text stands, for messages.

    Raises:
        SpecError: it names no part, or its fields are wrong.
    """
    reader, given = Reader(Places(place)), text.strip()
    if "=" in given:
        try:
            given = tomllib.loads(given)
        except ValueError as error:
            raise SpecError(f"{place}: not valid TOML: {error}") from None
    parts = members(FAMILIES[family])
    field = Field(family, parts, None, False, False, False, False, None)
    made = reader.part_of(field, given, (family,))
    if reader.problems:
        raise SpecError(*reader.problems)
    for path, _ in sweeps(made):
        owner = f"{type(made).__name__}.{path}"
        raise SpecError(f"{place}: {owner} must be one value, got several")
    return made


def _unfit(value: Any, path: Path_) -> Iterator[tuple[Path_, str]]:
    """What no spec may hold, whatever its field."""
    if len(path) > DEEPEST:
        yield path, f"a spec is nested at most {DEEPEST} deep"
    elif isinstance(value, dict):
        for key, held in value.items():
            if isinstance(key, str):
                yield from _unfit(held, (*path, key))
            else:
                yield path, f"names of fields must be texts, got {brief(key)}"
    elif isinstance(value, list | tuple):
        for position, held in enumerate(value):
            yield from _unfit(held, (*path, position))
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        yield path, "whole numbers must fit into 64 bits"
