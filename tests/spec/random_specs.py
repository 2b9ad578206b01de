"""Random parts, experiments and data for property tests, drawn from the declarations."""

from __future__ import annotations

import dataclasses
import types
import typing
from functools import cache
from typing import Any

from hypothesis import reject
from hypothesis import strategies as st

from thalweg.errors import SpecError
from thalweg.part import Declaration, Range, declarations
from thalweg.spec import Compare, EarlyStopping, Ensemble, Experiment, Recipe, Seeds, Training
from thalweg.spec.families import FAMILIES, fields, members

OWN = [Compare, EarlyStopping, Ensemble, Experiment, Recipe, Seeds, Training]
PARTS = [cls for family in FAMILIES.values() for cls in members(family).values()]

SPLITS = [(0.7, 0.0, 0.3), (0.6, 0.2, 0.2), (1.0, 0.0, 0.0)]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@cache
def parts(cls: type, swept: bool = False) -> st.SearchStrategy[Any]:
    """Parts of a class.

    Args:
        swept: whether fields may hold several values.
    """
    given = {name: _values(cls, name, swept) for name in fields(cls)}
    required = {name: given.pop(name) for name in fields(cls) if _is_required(cls, name)}
    return st.fixed_dictionaries(required, optional=given).map(lambda values: _made(cls, values))


def _is_required(cls: type, name: str) -> bool:
    return declarations(cls)[name].default is dataclasses.MISSING


def _made(cls: type, values: dict[str, Any]) -> Any:
    try:
        return cls(**values)
    except SpecError:  # of a law between fields, which declarations do not tell
        return reject()


def _values(cls: type, name: str, swept: bool) -> st.SearchStrategy[Any]:
    one = _one(cls, name, swept)
    if not swept or cls in (Compare, Seeds, EarlyStopping, Ensemble):
        return one
    if cls is Experiment and name not in declarations(Recipe):
        return one
    several = st.lists(one, min_size=1, max_size=3)
    return one | several | _ranges(cls, name) if fields(cls)[name].number else one | several


def _one(cls: type, name: str, swept: bool) -> st.SearchStrategy[Any]:
    field, declared = fields(cls)[name], declarations(cls)[name]
    if name == "split":
        return st.sampled_from(SPLITS)
    if cls is Experiment and name in ("cases", "vary", "zip"):
        return st.just(())
    if cls is Experiment and name == "ensemble":  # its size divides the seeds
        return st.none()
    if field.number:
        found = _floats(declared)
        if field.parts:
            found |= st.sampled_from(PARTS_OF["schedules"]).flatmap(lambda c: parts(c, swept=swept))
    elif field.parts:
        classes = list(field.parts.values())
        found = st.sampled_from(classes).flatmap(lambda c: parts(c, swept))
        if field.several:
            alike = {} if field.ordered else {"unique_by": type}
            found = st.lists(found, max_size=2, **alike).map(tuple)
    elif field.only:
        found = parts(field.only, swept)
    else:
        found = _plain(field.hint, declared)
    return found | st.none() if field.optional else found


PARTS_OF = {name: list(members(family).values()) for name, family in FAMILIES.items()}


def _bounds(declared: Declaration) -> tuple[float, float]:
    low = declared.low if declared.low is not None else declared.above
    high = declared.high if declared.high is not None else declared.below
    return -100.0 if low is None else low, 100.0 if high is None else high


def _floats(declared: Declaration) -> st.SearchStrategy[float]:
    low, high = _bounds(declared)
    return st.floats(low, high, allow_subnormal=False).filter(declared.admits)


def _ranges(cls: type, name: str) -> st.SearchStrategy[Range]:
    declared = declarations(cls)[name]
    ends = st.lists(_floats(declared), min_size=2, max_size=2, unique=True).map(sorted)
    scale = st.sampled_from(["linear", "log"])
    return st.builds(_range, ends, scale, st.integers(2, 4))


def _range(ends: list[float], scale: Any, count: int) -> Range:
    try:
        made = Range(*ends, scale, count)
        made.values()
    except SpecError:
        return reject()
    return made


@cache
def _plain(hint: Any, declared: Declaration) -> st.SearchStrategy[Any]:
    """Values of a choice that holds no part."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if declared.options is not None:
        return st.sampled_from(declared.options)
    if origin is typing.Literal:
        return st.sampled_from(arguments)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*[_plain(a, declared) for a in arguments if a is not types.NoneType])
    if origin is tuple:
        return st.lists(_plain(arguments[0], declared), max_size=3).map(tuple)
    if hint is int:
        low, high = _bounds(declared)
        return st.integers(int(low), int(high))
    if hint is str:
        return TEXTS.filter(lambda text: text != "none")  # which stands for nothing
    return {bool: st.booleans(), float: _floats(declared)}[hint]


@cache
def experiments() -> st.SearchStrategy[Experiment]:
    """Experiments without cases, groups and zips."""
    return parts(Experiment, swept=True)


# --------------------------------------------------------------------------------- data gone wrong

WORDS = sorted(
    {*(name for cls in [*PARTS, *OWN] for name in fields(cls))} | {c.part_name for c in PARTS}
)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(
        ["none", "full", "0.1..1 log 3", "1..0", "0..1 log", "adam", "cosine_decay", ""]
    )
    | TEXTS
    | st.just(10**400)
)

RUBBISH = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(WORDS) | TEXTS, inner, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def damaged(draw: Any, data: Any) -> Any:
    """Data with something in it replaced, renamed, or added."""
    if isinstance(data, dict) and data and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(sorted(data)))
        changed = dict(data)
        match draw(st.integers(0, 5)):
            case 0:
                changed[draw(st.sampled_from(WORDS) | TEXTS)] = changed.pop(key)
            case 1:
                changed[draw(st.sampled_from(WORDS))] = draw(RUBBISH)
            case _:
                changed[key] = draw(damaged(data[key]))
        return changed
    if isinstance(data, list) and data and draw(st.integers(0, 4)):
        position = draw(st.integers(0, len(data) - 1))
        return [*data[:position], draw(damaged(data[position])), *data[position + 1 :]]
    return draw(RUBBISH | st.just([data]) | st.just({"": data}))
