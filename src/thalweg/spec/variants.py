"""The recipes an experiment spells out: every case, and every group of ``vary`` laid over it.

They still hold lists, which ``expand`` multiplies out. Here, too, is what only a whole experiment
can get wrong: changes to fields that nothing has, lists where one value is needed, zipped paths
that are no lists, schedules where nothing follows them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from thalweg.errors import SpecError
from thalweg.part import Each, Range, is_part, nearest
from thalweg.spec.experiment import Experiment, Recipe
from thalweg.spec.families import fields, names_within
from thalweg.spec.merging import Absent, merge
from thalweg.spec.places import Path_, Places
from thalweg.spec.reading import Reader, brief
from thalweg.spec.writing import to_data

__all__ = ["Variant", "sweeps", "variants"]


class Variant(NamedTuple):
    """One recipe that an experiment spells out; it may hold lists.

    Args:
        recipe: the recipe.
        case: name of its case; empty where there are none.
        changed: by path, the single values in which a group of ``vary`` differs from its case.
    """

    recipe: Recipe
    case: str = ""
    changed: Mapping[str, Any] = {}


def variants(experiment: Experiment, places: Places | None = None) -> list[Variant]:
    """The recipes of an experiment.

    Args:
        experiment: as read or made; not changed.
        places: where it stands, for messages.

    Raises:
        SpecError: with every problem.
    """
    reader = Reader(places or Places(""))
    _check_single(experiment, reader)
    base = experiment.recipe()
    _check_schedules(experiment, reader)
    if not reader.problems:
        _check_ensemble(experiment, reader)
    if reader.problems:
        raise SpecError(*reader.problems)
    found = list(_laid_over(to_data(base, full=False), experiment, reader))
    if not reader.problems:
        _check_zip(experiment, [variant.recipe for variant in found], reader)
    if reader.problems:
        raise SpecError(*reader.problems)
    return found


def sweeps(value: Any, path: str = "") -> Iterator[tuple[str, Each | Range]]:
    """Every list and range in a tree of parts, by path; what lists hold is not looked into."""
    if isinstance(value, tuple):
        parts = tuple(filter(is_part, value))
        for name, item in zip(names_within(parts), parts, strict=True):
            yield from sweeps(item, f"{path}.{name}")
    elif is_part(value):
        for name in fields(type(value)):
            held, at = getattr(value, name), f"{path}.{name}" if path else name
            if isinstance(held, Range | Each):
                yield at, held
            else:
                yield from sweeps(held, at)


# ------------------------------------------------------------------------------- cases and groups


def _laid_over(base: dict[str, Any], experiment: Experiment, reader: Reader) -> Iterator[Variant]:
    """Every case, and every group that it has the fields for laid over it."""
    groups = _tables("vary", experiment.vary, reader)
    absent: dict[Path_, Absent] = {}
    used: set[Path_] = set()
    cases = list(_cases(base, experiment, reader))
    for name, own, recipe in cases:
        yield Variant(recipe, name)
        for at, group in groups.items():
            try:
                changed = merge(Recipe, own, group)
            except Absent as error:  # this case has no such field; another must
                absent.setdefault(at, error)
                continue
            used.add(at)
            varied = _read(changed, at, reader)
            if varied is not None:
                yield Variant(varied, name, dict(_differences(recipe, varied, "")))
    if len(cases) < len(experiment.cases):
        return  # a case that has problems may have the fields
    for at in absent.keys() - used:
        reader.report((*at, *absent[at].path), str(absent[at]))


def _cases(
    base: dict[str, Any], experiment: Experiment, reader: Reader
) -> Iterator[tuple[str, dict[str, Any], Recipe]]:
    """Names, tables and recipes of all cases; of the base, where there are none."""
    if not experiment.cases:
        yield "", base, experiment.recipe()
    names: set[str] = set()
    for at, changes in _tables("cases", experiment.cases, reader).items():
        name = changes.pop("name", f"case {int(at[1]) + 1}")
        if not isinstance(name, str):
            reader.report((*at, "name"), f"the name of a case must be a text, got {brief(name)}")
        elif name in names:
            reader.report((*at, "name"), f"two cases are named {name!r}")
        names.add(str(name))
        try:
            own = merge(Recipe, base, changes)
        except Absent as error:
            reader.report((*at, *error.path), str(error))
            continue
        recipe = _read(own, at, reader)
        if recipe is not None:
            yield str(name), own, recipe


def _tables(name: str, blocks: tuple[Any, ...], reader: Reader) -> dict[Path_, dict[str, Any]]:
    """Tables of changes by their paths, as plain data: in Python, parts may stand in them."""
    for position, block in enumerate(blocks):
        if not isinstance(block, dict):
            problem = f"{name} must hold tables of changes, got {brief(block)}"
            reader.report((name, position), problem)
    return {(name, i): to_data(b) for i, b in enumerate(blocks) if isinstance(b, dict)}


def _read(data: dict[str, Any], changes: Path_, reader: Reader) -> Recipe | None:
    """The recipe of a table over which the changes at a path were laid; None if it is unsound."""
    own = Reader(reader.places.under(changes))
    recipe = own.part(Recipe, data)
    reader.problems += [problem for problem in own.problems if problem not in reader.problems]
    return recipe


def _differences(before: Any, after: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The single values, by path, in which one tree of parts differs from another."""
    if is_part(after) and type(before) is type(after):
        for name in fields(type(after)):
            at = f"{path}.{name}" if path else name
            yield from _differences(getattr(before, name), getattr(after, name), at)
    elif isinstance(after, Each) and isinstance(before, Each) and len(before) == len(after):
        for one, other in zip(before, after, strict=True):
            if is_part(other) and type(one) is type(other):
                yield from _differences(one, other, path)
    elif isinstance(after, tuple) and any(sweeps(after)):
        names, names_before = (names_within(tuple(filter(is_part, t))) for t in (after, before))
        if names == names_before:
            for name, one, other in zip(names, before, after, strict=True):
                yield from _differences(one, other, f"{path}.{name}")
        else:  # the lists in them are factors of their own
            yield path, " + ".join(names)
    elif before != after and not isinstance(after, Each | Range):
        yield path, after


# --------------------------------------------------------------------------------- laws of a whole


def _check_single(experiment: Experiment, reader: Reader) -> None:
    """Refuse lists outside the recipe, where one value is needed."""
    for name in ("question", "compare", "ensemble", "seeds"):
        held = getattr(experiment, name)
        for path, several in [(name, held)] if isinstance(held, Each) else sweeps(held, name):
            problem = f"{path} must be one value for the whole experiment, got {several!r}"
            reader.report(tuple(path.split(".")), problem)


def _check_ensemble(experiment: Experiment, reader: Reader) -> None:
    """Refuse seeds of which some would be left over."""
    if experiment.ensemble is None:
        return
    size, seeds = experiment.ensemble.size, experiment.report_seeds
    if seeds % size:
        near = [n for n in (seeds - seeds % size, seeds + size - seeds % size) if n]
        path = "compare.seeds.report" if experiment.compare else "seeds"
        problem = f"{path} must be a multiple of ensemble.size, {size}, got {seeds}"
        reader.report(("ensemble",), f"{problem}; write {' or '.join(map(str, near))}")


def _check_schedules(value: Any, reader: Reader) -> None:
    """Refuse schedules in numbers that stay the same, where Python has put them."""
    if isinstance(value, tuple):
        for item in value:
            _check_schedules(item, reader)
    elif is_part(value):
        for name, field in fields(type(value)).items():
            held = getattr(value, name)
            _check_schedules(held, reader)
            for item in held if isinstance(held, Each) else (held,):
                if field.number and not field.parts and is_part(item):
                    problem = f"{type(value).__name__}.{name} must stay the same during training"
                    reader.report((), f"{problem}, so it cannot be {type(item).__name__}")


def _check_zip(experiment: Experiment, found: list[Recipe], reader: Reader) -> None:
    """Refuse zipped paths that no recipe sweeps, and lists that cannot be equally long."""
    lengths: dict[str, set[int]] = {}
    for recipe in found:
        for path, length in _lengths(recipe):
            lengths.setdefault(path, set()).add(length)
    seen: set[str] = set()
    for number, group in enumerate(experiment.zip):
        at: Path_ = ("zip", number)
        if not isinstance(group, tuple | list) or not all(isinstance(p, str) for p in group):
            problem = f"zip must hold lists of paths, such as [[a, b]], got {brief(group)}"
            reader.report(at, problem)
            continue
        if len(group) < 2:
            reader.report(at, f"at least two paths are zipped together, got {list(group)}")
        for position, path in enumerate(group):
            if path not in lengths:
                tail = nearest(path, lengths) or "; the spec holds no lists"
                reader.report((*at, position), f"zip: {path!r} is no path to a list{tail}")
            elif path in seen:
                reader.report((*at, position), f"zip names {path!r} twice")
            seen.add(path)
        known = [lengths[path] for path in group if path in lengths]
        if known and not set.intersection(*known):
            counts = (f"{path} with {max(lengths[path])}" for path in group if path in lengths)
            reader.report(at, f"zipped lists must be equally long, got {', '.join(counts)} values")


def _lengths(value: Any, path: str = "") -> Iterator[tuple[str, int]]:
    """The number of values of every list in a tree of parts, those inside alternatives included."""
    for at, held in sweeps(value, path):
        if isinstance(held, Range):
            yield at, held.count or 0
            continue
        yield at, len(held)
        for item in held:
            yield from _lengths(item, at)
