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
from thalweg.part import Each, Range, declarations, is_part, part_name, replace
from thalweg.spec.experiment import RECIPE_FIELDS, Experiment, Recipe
from thalweg.spec.text import from_data, merge, to_data

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
    for variant, case in _variants(experiment):
        for recipe, factors in _multiply(variant.recipe(), _zipped(experiment)):
            if case:
                factors = {"case": case, **factors}
            known = found.get(recipe, Point(recipe))
            merged = {**factors, **known.factors}
            occurrences = known.occurrences
            if factors not in occurrences:
                occurrences = (*occurrences, factors)
            found[recipe] = Point(recipe, merged, occurrences)
    return list(found.values())


def count_points(experiment: Experiment) -> int:
    """How many points there are at most, without making them; equal ones count each time."""
    zipped = _zipped(experiment)
    return sum(_count(variant.recipe(), "", zipped) for variant, _ in _variants(experiment))


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
        fields = to_data(value, full=False)
        inner = ", ".join(f"{k}={label(v)}" for k, v in fields.items())
        return f"{part_name(value)}({inner})" if inner else part_name(value)
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple | list):
        return "-".join(map(label, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{k}={label(v)}" if v else k for k, v in value.items())
    return str(value)


# ------------------------------------------------------------------------------- cases and groups


def _variants(experiment: Experiment) -> Iterator[tuple[Experiment, str]]:
    """Every case as it is, then with every group of ``vary`` laid over it; with its name."""
    if not experiment.cases and not experiment.vary:
        yield experiment, ""
        return
    base = {
        name: held
        for name, held in to_data(experiment, full=False).items()
        if name in RECIPE_FIELDS
    }
    used: set[int] = set()
    for case_number, case in enumerate(experiment.cases or ({},)):
        name, patch = _named(case, f"case {case_number + 1}" if experiment.cases else "")
        own = _laid(base, patch, f"case {name!r}")
        yield from_data(own), name
        for group_number, group in enumerate(experiment.vary):
            try:
                changed = merge(Experiment, own, group)
            except KeyError:
                continue  # this case has no such field; another must
            used.add(group_number)
            yield from_data(changed), name
    for group_number, group in enumerate(experiment.vary):
        if group_number not in used:
            raise SpecError(f"vary {label(group)!r} changes a field that no case has")


def _laid(base: dict[str, Any], patch: dict[str, Any], what: str) -> dict[str, Any]:
    try:
        return merge(Experiment, base, patch)
    except KeyError as error:
        raise SpecError(f"{what} sets {error}, which the base does not have") from None


def _named(block: Mapping[str, Any], default: str) -> tuple[str, dict[str, Any]]:
    patch = {key: held for key, held in block.items() if key != "name"}
    return str(block.get("name", default)), patch


# -------------------------------------------------------------------------------- multiplying out


def _zipped(experiment: Experiment) -> dict[str, tuple[str, ...]]:
    """For each zipped path, all paths that advance with it."""
    return {path: tuple(group) for group in experiment.zip for path in group}


def _sweeps(value: Any, path: str) -> Iterator[tuple[str, Each]]:
    """Every list and range in a tree of parts, by path; what lists hold is not looked into."""
    for name in declarations(type(value)):
        held, at = getattr(value, name), f"{path}.{name}" if path else name
        if isinstance(held, Range):
            yield at, held.values()
        elif isinstance(held, Each):
            yield at, held
        elif is_part(held):
            yield from _sweeps(held, at)
        elif isinstance(held, tuple):
            for item in held:
                if is_part(item):
                    yield from _sweeps(item, f"{at}.{part_name(item)}")


def _multiply(recipe: Any, zipped: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[Any, dict]]:
    sweeps = dict(_sweeps(recipe, ""))
    if not sweeps:
        yield recipe, {}
        return
    first = next(iter(sweeps))
    together = [path for path in zipped.get(first, (first,)) if path in sweeps]
    lengths = {path: len(sweeps[path]) for path in zipped.get(first, (first,)) if path in sweeps}
    if len(set(lengths.values())) > 1 or len(together) < len(zipped.get(first, (first,))):
        raise SpecError(
            "zipped lists must all be there and be equally long, got "
            + ", ".join(f"{p} with {lengths.get(p, 0)} values" for p in zipped[first])
        )
    for values in zip(*(sweeps[path] for path in together), strict=True):
        chosen = recipe
        for path, value in zip(together, values, strict=True):
            chosen = _set(chosen, path.split("."), value)
        own = {path: _level(v, sweeps[path]) for path, v in zip(together, values, strict=True)}
        for result, factors in _multiply(chosen, zipped):
            yield result, {**own, **factors}


def _level(value: Any, among: Each) -> Any:
    """The level of a factor: for parts their name where it tells them apart, else the part."""
    if is_part(value):
        names = [part_name(other) for other in among if is_part(other)]
        return part_name(value) if names.count(part_name(value)) == 1 else label(value)
    if isinstance(value, tuple) and any(map(is_part, value)):
        return " + ".join(map(label, value))
    return label(value) if value is None or isinstance(value, tuple) else value


def _set(value: Any, path: list[str], new: Any) -> Any:
    name, *rest = path
    held = getattr(value, name)
    if not rest:
        return replace(value, **{name: new})
    if isinstance(held, tuple):
        items = tuple(
            _set(item, rest[1:], new) if part_name(item) == rest[0] else item for item in held
        )
        return replace(value, **{name: items})
    return replace(value, **{name: _set(held, rest, new)})


def _count(value: Any, path: str, zipped: Mapping[str, tuple[str, ...]]) -> int:
    total, counted = 1, set()
    for at, values in _sweeps(value, path):
        if at in counted:
            continue
        counted.update(zipped.get(at, (at,)))
        total *= sum(_count(v, at, zipped) if is_part(v) else 1 for v in values)
    return total
