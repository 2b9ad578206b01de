"""From plain data to parts: what a spec file says, problem by problem.

A part is written ``name = { fields }``, or just its name where its defaults will do. A list where
one value is expected is a sweep; where a tuple is expected, a list of lists is.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from thalweg.errors import SpecError
from thalweg.part import checked, declarations, nearest
from thalweg.spec.families import Field, fields, unknown
from thalweg.spec.places import Path_, Places

__all__ = ["Reader"]


class Reader:
    """Makes parts from tables, and gathers every problem on the way.

    Args:
        places: where the tables stand.

    After reading, ``problems`` holds one sentence each, with its place in front.
    """

    def __init__(self, places: Places) -> None:
        self.places = places
        self.problems: list[str] = []

    def report(self, path: Path_, problem: str) -> None:
        """Note a problem, once."""
        sentence = self.places.of(path) + problem
        if sentence not in self.problems:
            self.problems.append(sentence)

    def part(self, cls: type, data: Any, path: Path_ = ()) -> Any:
        """A part of a class from a table of its fields; None where there are problems."""
        if not isinstance(data, dict):
            what = words(path) or "a spec"
            self.report(path, f"{what} must be a table of fields, got {brief(data)}")
            return None
        before, values = len(self.problems), {}
        for name, given in data.items():
            at = (*path, name)
            if name not in fields(cls):
                self.report(at, unknown(cls, name))
                continue
            sound = len(self.problems)
            values[name] = self._value(fields(cls)[name], given, at)
            if len(self.problems) == sound:
                self._check(cls, name, values[name], at)
        for name, declared in declarations(cls).items():
            if declared.default is dataclasses.MISSING and name not in values:
                self.report(path, f"{cls.__name__}.{name} is required")
        if len(self.problems) > before:
            return None
        try:
            return cls(**values)
        except SpecError as error:  # a law between fields that are each sound
            for problem in error.problems:
                self.report(path, problem)
            return None

    def _check(self, cls: type, name: str, value: Any, path: Path_) -> None:
        """Ask the declaration about a value, and about every item of a list on its own."""
        items = (
            [((*path, i), [item]) for i, item in enumerate(value)] if type(value) is list else []
        )
        for at, item in items or [(path, value)]:
            try:
                checked(cls, name, item)
            except SpecError as error:
                for problem in error.problems:
                    self.report(at, problem)

    def _value(self, field: Field, given: Any, path: Path_) -> Any:
        """The value of a field: a list in it that is no tuple is a sweep."""
        if field.optional and given in (None, "none"):
            return None
        if field.ordered:
            return self._ordered(field, given, path)
        if field.several and field.parts:
            return self._parts(field, given, path)
        if field.free:
            return self._frozen(given, path)
        if field.several:
            return _tuples(given, (None, "none") if field.optional else ())
        if isinstance(given, list):
            return [self._value(field, item, (*path, i)) for i, item in enumerate(given)]
        if field.only is not None:
            return self.part(field.only, given, path)
        if field.number and not isinstance(given, dict) and given not in (*field.parts,):
            return given
        return self.part_of(field, given, path) if field.parts else given

    def _frozen(self, given: Any, path: Path_) -> Any:
        """A list of what has no declaration of its own: tables of changes, groups of paths."""
        if not isinstance(given, list):
            self.report(path, f"{words(path)} must be a list, got {brief(given)}")
            return None
        return tuple(tuple(item) if isinstance(item, list) else item for item in given)

    def part_of(self, field: Field, given: Any, path: Path_) -> Any:
        """A part of a family, written as its name or as ``{name = {fields}}``."""
        table = {given: {}} if isinstance(given, str) else given
        if not isinstance(table, dict) or not table:
            self.report(
                path,
                f"{words(path)} must name a part, got {brief(given)}; "
                f"`thalweg list {field.family}` shows them",
            )
            return None
        if len(table) > 1:
            named = words(path)
            self.report(
                path,
                f"{named} holds one part, got {', '.join(map(str, table))}; "
                f"for alternatives write one [[{named}]] block each",
            )
            return None
        ((name, own),) = table.items()
        if name not in field.parts:
            tail = nearest(str(name), field.parts)
            self.report((*path, name), f"there is no {name!r} among the {field.family}{tail}")
            return None
        return self.part(field.parts[name], own, (*path, name))

    def _parts(self, field: Field, given: Any, path: Path_) -> Any:
        """A tuple of parts, written as a table of them; a list of such tables is a sweep."""
        if isinstance(given, list):
            return [self._parts(field, item, (*path, i)) for i, item in enumerate(given)]
        if isinstance(given, str):
            given = {} if given == "none" else {given: {}}
        if not isinstance(given, dict):
            self.report(path, f"{words(path)} must be a table of parts, got {brief(given)}")
            return None
        return tuple(self.part_of(field, {name: own}, path) for name, own in given.items())

    def _ordered(self, field: Field, given: Any, path: Path_) -> Any:
        """A tuple of parts in order, written as a list of them; a list of lists is a sweep."""
        if not isinstance(given, list):
            self.report(path, f"{words(path)} must be a list of parts, got {brief(given)}")
            return None
        if any(isinstance(item, list) for item in given):
            return [self._ordered(field, item, (*path, i)) for i, item in enumerate(given)]
        return tuple(self.part_of(field, item, (*path, i)) for i, item in enumerate(given))


def words(path: Path_) -> str:
    """A path as a user would write it: ``training.clipping``; positions in lists are left out."""
    return ".".join(step for step in path if isinstance(step, str))


def brief(value: Any) -> str:
    """A value as Python writes it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _tuples(given: Any, nothing: tuple[Any, ...]) -> Any:
    """One list is a tuple; a list of lists, or of what stands for nothing, a sweep over tuples."""
    if not isinstance(given, list):
        return given
    if not any(isinstance(item, list) or item in nothing for item in given):
        return tuple(given)
    held = [None if item in nothing else item for item in given]
    return [tuple(item) if isinstance(item, list) else item for item in held]
