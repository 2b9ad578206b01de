"""From an experiment to the points it stands for.

Order of things: every case is laid over the base; every group of ``vary`` is laid over that; and
in what results, every list is multiplied out, except that zipped lists advance together. Points
that turn out equal are kept once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from thalweg.errors import SpecError
from thalweg.part import Each, Range, is_part, part_name, replace
from thalweg.spec.experiment import Experiment, Recipe
from thalweg.spec.families import names_within
from thalweg.spec.variants import sweeps, variants
from thalweg.spec.writing import to_data

__all__ = ["Point", "count_points", "expand", "label", "varying"]

Phase = Literal["tune", "report"]


@dataclass(frozen=True)
class Point:
    """One recipe of an experiment, and the values of what varies.

    Args:
        recipe: the recipe, without lists.
        factors: by path, the value that was chosen for this point: ``optimizer.learning_rate``.
        occurrences: the same for each way the spec comes to this point; one, unless it lies in
            several groups of ``vary``, as the base does.
    """

    recipe: Recipe
    factors: Mapping[str, Any] = field(default_factory=dict)
    occurrences: tuple[Mapping[str, Any], ...] = ()


def expand(experiment: Experiment) -> list[Point]:
    """All points of an experiment, equal ones once, in the order of the spec.

    Raises:
        SpecError: a case or group changes a field that nothing has, or a range has no count.
    """
    found: dict[Recipe, Point] = {}
    for variant in variants(experiment):
        own = {"case": variant.case} if variant.case else {}
        own |= {path: _changed(value) for path, value in variant.changed.items()}
        for recipe, lists in _multiply(variant.recipe, _zipped(experiment)):
            factors = {**own, **lists}
            known = found.get(recipe, Point(recipe))
            merged = dict(known.factors)
            for path, value in factors.items():
                merged.setdefault(path, value)
            occurrences = known.occurrences
            if factors not in occurrences:
                occurrences = (*occurrences, factors)
            found[recipe] = Point(recipe, merged, occurrences)
    points = list(found.values())
    _check_labels(points)
    return points


def count_points(experiment: Experiment) -> int:
    """How many points there are at most, without making them; equal ones count each time."""
    zipped = _zipped(experiment)
    return sum(_count(variant.recipe, "", zipped) for variant in variants(experiment))


def varying(points: list[Point]) -> list[str]:
    """The paths that take more than one value over the points, in order of first appearance."""
    paths = dict.fromkeys(path for point in points for path in point.factors)
    absent = object()
    return [
        path
        for path in paths
        if len({label(point.factors.get(path, absent)) for point in points}) > 1
    ]


def label(value: Any) -> str:
    """A value of a factor in a few characters: ``adam``, ``0.01``, ``32-16``, ``full``."""
    if is_part(value):
        held = {name: getattr(value, name) for name in to_data(value, full=False)}
        inner = ", ".join(f"{name}={label(inside)}" for name, inside in held.items())
        return f"{part_name(value)}({inner})" if inner else part_name(value)
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple | list):
        between = " + " if any(map(is_part, value)) else "-"
        return between.join(map(label, value)) or "none"
    return str(value)


def _check_labels(points: list[Point]) -> None:
    """Refuse values that reports and comparisons could not tell apart."""
    seen: dict[tuple[str, str], Any] = {}
    for path, value in (factor for point in points for factor in point.factors.items()):
        other = seen.setdefault((path, label(value)), value)
        if other != value:
            raise SpecError(f"{path}: {other!r} and {value!r} are the same in six digits")


# -------------------------------------------------------------------------------- multiplying out


def _zipped(experiment: Experiment) -> dict[str, tuple[str, ...]]:
    """For each zipped path, all paths that advance with it."""
    return {path: tuple(group) for group in experiment.zip for path in group}


def _multiply(recipe: Any, zipped: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[Any, dict]]:
    lists = dict(sweeps(recipe))
    if not lists:
        yield recipe, {}
        return
    together = _first(lists, zipped)
    values = {path: _values(lists[path]) for path in together}
    if len({len(held) for held in values.values()}) > 1:
        counts = ", ".join(f"{path} with {len(held)}" for path, held in values.items())
        raise SpecError(f"zipped lists must be equally long, got {counts} values")
    for chosen in zip(*values.values(), strict=True):
        changed = recipe
        for path, value in zip(together, chosen, strict=True):
            changed = _set(changed, path.split("."), value)
        own = {path: _level(v, values[path]) for path, v in zip(together, chosen, strict=True)}
        for result, factors in _multiply(changed, zipped):
            yield result, {**own, **factors}


def _first(lists: Mapping[str, Any], zipped: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The next paths to choose for: a list on its own, or a zipped group that is all there."""
    for path in lists:
        together = zipped.get(path, (path,))
        if all(other in lists for other in together):
            return together
    path = next(iter(lists))
    missing = ", ".join(other for other in zipped[path] if other not in lists)
    raise SpecError(f"{path} is zipped with what is no list beside it: {missing}")


def _values(held: Each | Range) -> Each:
    return held.values() if isinstance(held, Range) else held


def _level(value: Any, among: Each) -> Any:
    """The level of a factor: for parts their name where it tells them apart, else the part."""
    if is_part(value):
        names = [part_name(other) for other in among if is_part(other)]
        return part_name(value) if names.count(part_name(value)) == 1 else label(value)
    return label(value) if value is None or isinstance(value, tuple) else value


def _changed(value: Any) -> Any:
    """The level of a value that a group of ``vary`` sets; lists in it are levels of their own."""
    return part_name(value) if is_part(value) and any(sweeps(value)) else _level(value, Each())


def _set(value: Any, path: list[str], new: Any) -> Any:
    name, *rest = path
    held = getattr(value, name)
    if not rest:
        return replace(value, **{name: new})
    if isinstance(held, tuple):
        items = zip(names_within(held), held, strict=True)
        changed = (_set(item, rest[1:], new) if own == rest[0] else item for own, item in items)
        return replace(value, **{name: tuple(changed)})
    return replace(value, **{name: _set(held, rest, new)})


def _count(value: Any, path: str, zipped: Mapping[str, tuple[str, ...]]) -> int:
    total, counted = 1, set()
    for at, held in sweeps(value, path):
        if at in counted:
            continue
        counted.update(zipped.get(at, (at,)))
        total *= sum(_count(item, at, zipped) for item in _values(held))
    return total
