"""What a catalogue entry is: a small frozen record of numbers and choices.

A *part* is a dataclass whose fields are declared once, by ``number`` or ``choice``:

* a **number** may differ between the runs of one compiled program (a learning rate, a slope);
* a **choice** changes the program (a width, an activation, an algorithm).

Every part is a JAX pytree. Its leaves are its numbers and its structure is its choices, so runs
whose trees have the same structure share one program, and a sweep over numbers is the same tree
with stacked leaves. A choice may itself be a part, or a tuple of parts: then its numbers stay
numbers and its structure is the choice.

A list in place of a value means "each of these" (``Each``); a tuple is one value. A range such as
``"0.001..1 log 7"`` stands for the values it names (``Range``). Trees that hold either describe
many runs; ``thalweg.spec`` expands them, and only expanded trees reach JAX.

Read in this order: ``number`` and ``choice`` (declarations), ``part`` (the decorator), ``Each`` and
``Range``, then the checks.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import numbers
import re
import types
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal, TypeAlias, TypeVar, dataclass_transform, overload

import jax
import numpy as np

from thalweg.errors import SpecError

__all__ = [
    "Each",
    "Number",
    "Range",
    "allowed",
    "checked",
    "choice",
    "declaration",
    "declarations",
    "is_part",
    "nearest",
    "number",
    "part",
    "part_name",
    "replace",
]

# A number is a float where it is written, an array or tracer inside a program, a schedule where
# it changes during training, and a list or range where it is swept. Arithmetic in the catalogue
# sees only the first two, and no static type says so better than Any.
Number: TypeAlias = Any

Scale = Literal["linear", "log"]
T = TypeVar("T")

_MISSING: Any = dataclasses.MISSING

# A range of more values is a slip of the hand, and would take all memory before anyone sees it.
LARGEST_COUNT = 10_000


@dataclass(frozen=True)
class Declaration:
    """What one field was declared to be; error texts, cards, search ranges and tests read it."""

    kind: Literal["number", "choice"]
    default: Any
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    scale: Scale = "linear"
    search: tuple[float, float] | None = None
    unit: str | None = None
    options: tuple[Any, ...] | None = None
    constant: bool = False

    @property
    def allowed(self) -> str:
        """The bounds in words: ``> 0 and < 1``."""
        bounds = ((">=", self.low), (">", self.above), ("<=", self.high), ("<", self.below))
        return " and ".join(f"{sign} {bound:.12g}" for sign, bound in bounds if bound is not None)

    def admits(self, value: float) -> bool:
        """Whether a finite value lies within the bounds."""
        return (
            (self.low is None or value >= self.low)
            and (self.above is None or value > self.above)
            and (self.high is None or value <= self.high)
            and (self.below is None or value < self.below)
        )


def number(
    default: float | None = _MISSING,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    scale: Scale = "linear",
    search: tuple[float, float] | None = None,
    unit: str | None = None,
    constant: bool = False,
) -> Any:
    """Declare a field that may differ between the runs of one program.

    Args:
        default: value when not given; ``None`` makes the number optional, and then its absence is
            a choice (the program has no such term at all).
        low, high: inclusive bounds.
        above, below: exclusive bounds.
        scale: whether sweeps and sliders step by ratio (``log``) or by difference (``linear``).
        search: default range for searches; the bounds where omitted.
        unit: unit of the value, for cards.
        constant: whether it stays the same during training, though others of its family may follow
            a schedule.
    """
    bounds = (low, high, above, below)
    declared = Declaration("number", default, *bounds, scale, search, unit, constant=constant)
    return dataclasses.field(default=default, metadata={"thalweg": declared})


def choice(
    default: Any = _MISSING,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    options: tuple[Any, ...] | None = None,
) -> Any:
    """Declare a field whose value changes the program.

    Args:
        default: value when not given.
        low, high, above, below: bounds, for integers, floats and tuples of them.
        options: the admitted values, where the annotation does not already say them.
    """
    declared = Declaration("choice", default, low, high, above, below, options=options)
    return dataclasses.field(default=default, metadata={"thalweg": declared})


@overload
def part(cls: type[T], /) -> type[T]: ...
@overload
def part(*, name: str) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(number, choice))
def part(cls: type[T] | None = None, /, *, name: str | None = None) -> Any:
    """Make a class a part: frozen, keyword-only, checked when constructed, and a JAX pytree.

    Args:
        cls: a class whose annotated fields use ``number`` or ``choice``.
        name: its name in spec files; the class name in snake case where omitted.

    Raises:
        SpecError: on construction, naming every field whose value is not allowed.
    """
    return partial(_make, name=name) if cls is None else _make(cls, name)


def _make(cls: Any, name: str | None) -> Any:
    doc = cls.__doc__
    cls.__post_init__ = _check_fields
    cls.__repr__ = _represent
    made: Any = dataclass(frozen=True, kw_only=True, repr=False)(cls)
    made.__doc__ = doc  # a dataclass without a docstring would get its signature as one
    made.part_name = name or _snake_case(cls.__name__)
    _check_keywords(made)
    jax.tree_util.register_pytree_with_keys(made, _flatten_with_keys, _unflattener(made), _flatten)
    return made


def is_part(value: object) -> bool:
    """Whether a value is an instance of a part."""
    return hasattr(type(value), "part_name")


def part_name(value: object) -> str:
    """The name of a part, or of a part's class, in spec files: ``gradient_descent``."""
    cls: Any = value if isinstance(value, type) else type(value)
    return cls.part_name


@cache
def declarations(cls: type) -> dict[str, Declaration]:
    """The declarations of a part's fields, in order."""
    fields = dataclasses.fields(cls)  # type: ignore[arg-type]
    return {field.name: field.metadata["thalweg"] for field in fields}


def declaration(cls: type, field: str) -> Declaration:
    """The declaration of one field."""
    return declarations(cls)[field]


def allowed(cls: type, field: str) -> str:
    """What one field may be, in words: ``a whole number >= 1``."""
    declared = declaration(cls, field)
    if declared.options is not None:
        return "one of " + ", ".join(map(repr, declared.options))
    hint = _hints(cls)[field]
    if declared.kind == "number":
        hint = float | None if declared.default is None else float
    return _say(hint, f" {declared.allowed}" if declared.allowed else "")


def checked(cls: type, field: str, value: Any) -> Any:
    """A value as a part of the class would hold it in one of its fields.

    Raises:
        SpecError: the field does not admit the value.
    """
    return _normalise(cls, field, declaration(cls, field), value)


def replace(value: T, /, **changes: Any) -> T:
    """A copy of a part with some fields changed, checked like any construction."""
    return dataclasses.replace(value, **changes)  # type: ignore[type-var]


# ---------------------------------------------------------------------- several values in a field


class Each(tuple):
    """Several values where one is expected: the runs are the product over all such fields."""

    def __repr__(self) -> str:
        return f"[{', '.join(map(repr, self))}]"


@dataclass(frozen=True)
class Range:
    """A range of numbers: ``low..high log 7``, or without a count a distribution to search.

    Args:
        low, high: inclusive ends.
        scale: spacing between values.
        count: number of values; ``None`` where a search draws them.
    """

    low: float
    high: float
    scale: Scale = "linear"
    count: int | None = None

    PATTERN: typing.ClassVar = re.compile(
        r"^\s*(\S+?)\s*\.\.\s*(\S+?)(?:\s+(log|linear))?(?:\s+([0-9]{1,18}))?\s*$"
    )

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise SpecError(f"range {self} must run upwards, from the lower value to the higher")
        if self.scale == "log" and self.low <= 0:
            raise SpecError(f"range {self} must be > 0 throughout to be spaced by ratios (log)")
        if self.count is not None and self.count < 2:
            raise SpecError(f"range {self} must name at least 2 values")
        if self.count is not None and self.count > LARGEST_COUNT:
            raise SpecError(f"range {self} must name at most {LARGEST_COUNT} values")

    @classmethod
    def parse(cls, text: str) -> Range:
        """Read ``"0.001..1 log 7"``."""
        match = cls.PATTERN.match(text)
        try:
            low, high = float(match[1]), float(match[2])  # type: ignore[index]
        except (TypeError, ValueError):
            raise SpecError(
                f'a range must look like "0.001..1 log 7" or "0..0.9 linear 4", got {text!r}'
            ) from None
        assert match is not None
        scale: Any = match[3] or "linear"
        return cls(low, high, scale, int(match[4]) if match[4] else None)

    def values(self) -> Each:
        """The values the range names, rounded to 12 significant digits so that they print short."""
        if self.count is None:
            raise SpecError(
                f"range {self} names no number of values; write e.g. "
                f'"{self} 7", or run it as a search'
            )
        space = np.geomspace if self.scale == "log" else np.linspace
        return Each(float(f"{v:.12g}") for v in space(self.low, self.high, self.count))

    def __str__(self) -> str:
        count = "" if self.count is None else f" {self.count}"
        low, high = (repr(float(end)).removesuffix(".0") for end in (self.low, self.high))
        return f"{low}..{high} {self.scale}{count}"


# ------------------------------------------------------------------------------------- as a pytree


def _is_dynamic(declared: Declaration, value: object) -> bool:
    """Whether a field holds leaves: numbers, parts, and tuples of parts do."""
    if declared.kind == "number" or is_part(value):
        return True
    return isinstance(value, tuple) and any(is_part(item) for item in value)


def _split(value: Any) -> tuple[list[tuple[str, Any]], tuple]:
    dynamic, static = [], []
    for name, declared in declarations(type(value)).items():
        held = getattr(value, name)
        (dynamic if _is_dynamic(declared, held) else static).append((name, held))
    return dynamic, (tuple(name for name, _ in dynamic), tuple(static))


def _flatten(value: Any) -> tuple[list[Any], tuple]:
    dynamic, auxiliary = _split(value)
    return [held for _, held in dynamic], auxiliary


def _flatten_with_keys(value: Any) -> tuple[list[tuple[Any, Any]], tuple]:
    dynamic, auxiliary = _split(value)
    return [(jax.tree_util.GetAttrKey(name), held) for name, held in dynamic], auxiliary


def _unflattener(cls: type) -> Callable[[tuple, Iterable[Any]], Any]:
    def unflatten(auxiliary: tuple, children: Iterable[Any]) -> Any:
        # JAX rebuilds parts with tracers (or bare objects) inside, so the checks of the
        # constructor must not run again: fields are set directly.
        names, static = auxiliary
        value = object.__new__(cls)
        for name, held in (*zip(names, children, strict=True), *static):
            object.__setattr__(value, name, held)
        return value

    return unflatten


# ------------------------------------------------------------------------------------------ checks


def _check_fields(self: Any) -> None:
    """Check and normalise every field; report all problems of the part together."""
    problems: list[str] = []
    for name in declarations(type(self)):
        try:
            value = checked(type(self), name, getattr(self, name))
        except SpecError as error:
            problems.extend(error.problems)
        else:
            object.__setattr__(self, name, value)
    if problems:
        raise SpecError(*problems)
    # A part may state a law between its fields; it is asked only when each field is sound and
    # none still stands for several values, a schedule, or a value inside a program.
    law = getattr(type(self), "check", None)
    if law is not None and not any(_is_open(getattr(self, n)) for n in declarations(type(self))):
        law(self)


def _is_open(value: object) -> bool:
    return isinstance(value, Each | Range | jax.Array) or hasattr(type(value), "value_at")


def _normalise(owner: type, name: str, declared: Declaration, value: Any) -> Any:
    place = f"{owner.__name__}.{name}"
    if isinstance(value, list | Each):
        if not value:
            raise SpecError(f"{place} must have at least one value to try, got an empty list")
        return Each(_normalise_one(owner, name, declared, item, place) for item in value)
    if declared.kind == "number" and isinstance(value, str) and ".." in value:
        value = Range.parse(value)
    if declared.kind == "number" and isinstance(value, Range):
        for end in (value.low, value.high):
            _check_number(declared, end, place)
        return value
    return _normalise_one(owner, name, declared, value, place)


def _normalise_one(owner: type, name: str, declared: Declaration, value: Any, place: str) -> Any:
    if declared.kind == "number":
        return _check_number(declared, value, place)
    hint = _hints(owner).get(name, Any)
    if not _fits(value, hint):
        raise SpecError(f"{place} must be {_say(hint)}, got {value!r}{_suggest(value, hint)}")
    if hint is float:
        value = _as_float(value, place)  # 1 and 1.0 must print and be stored alike
    if typing.get_origin(hint) is tuple and float in typing.get_args(hint):
        value = tuple(_as_float(item, place) for item in value)
    if declared.options is not None and value not in declared.options:
        options = ", ".join(map(repr, declared.options))
        raise SpecError(f"{place} must be one of {options}, got {value!r}")
    for item in value if isinstance(value, tuple) else (value,):
        if isinstance(item, numbers.Real) and not declared.admits(_as_float(item, place)):
            raise SpecError(f"{place} must be {declared.allowed}, got {value!r}")
    return value


def _check_number(declared: Declaration, value: Any, place: str) -> Any:
    if value is None and declared.default is None:
        return None
    if is_part(value) and hasattr(type(value), "value_at"):
        return value  # a schedule: its own numbers were checked when it was made
    if isinstance(value, jax.Array):
        return value  # inside a program; its values were checked before they were stacked
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        remedy = "; write a list to try each of them" if isinstance(value, tuple) else ""
        raise SpecError(f"{place} must be a number, got {value!r}{remedy}")
    value = _as_float(value, place)
    if not math.isfinite(value):
        raise SpecError(f"{place} must be finite, got {value}")
    if not declared.admits(value):
        raise SpecError(f"{place} must be {declared.allowed}, got {value:.12g}")
    return value


def _as_float(value: Any, place: str) -> float:
    try:
        return float(value) + 0.0  # minus zero is zero
    except OverflowError:
        raise SpecError(f"{place} must be smaller: it has more digits than a number can") from None


def _check_keywords(cls: Any) -> None:
    """Replace Python's TypeError for unknown keywords by a SpecError with the nearest field."""
    construct = cls.__init__

    def __init__(self: Any, *positional: Any, **given: Any) -> None:
        fields = declarations(cls)
        problems = [
            f"{cls.__name__} has no field {name!r}{nearest(name, fields)}"
            for name in given
            if name not in fields
        ]
        problems += [
            f"{cls.__name__}.{name} is required"
            for name, declared in fields.items()
            if declared.default is _MISSING and name not in given
        ]
        if positional:
            problems.append(f"{cls.__name__} takes keyword arguments only: {', '.join(fields)}")
        if problems:
            raise SpecError(*problems)
        construct(self, **given)

    __init__.__wrapped__ = construct  # type: ignore[attr-defined]  # help() shows the signature
    __init__.__doc__ = None
    cls.__init__ = __init__


def nearest(word: str, valid: Iterable[str]) -> str:
    """The tail of an error that names what was probably meant, or everything that is possible."""
    valid = list(valid)
    close = difflib.get_close_matches(word, valid, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; it can be {', '.join(sorted(valid))}" if valid else ""


# ------------------------------------------------------------------------- annotations of choices


@cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value has the annotated type, for the few forms annotations of choices take."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return True
    if hint is None or hint is types.NoneType:
        return value is None
    if origin is Literal:
        return any(value == option and type(value) is type(option) for option in arguments)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, argument) for argument in arguments)
    if origin is tuple:
        if not isinstance(value, tuple) or isinstance(value, Each):
            return False
        if arguments[1:] == (...,):
            return all(_fits(item, arguments[0]) for item in value)
        return len(value) == len(arguments) and all(map(_fits, value, arguments))
    if isinstance(value, bool) and hint is not bool:
        return False
    if hint is float:
        return isinstance(value, numbers.Real)
    if getattr(hint, "_is_protocol", False):
        return is_part(value) and isinstance(value, hint)
    return isinstance(value, hint)


def _say(hint: Any, bounds: str = "") -> str:
    """An annotation in words; bounds are said of the numbers in it."""
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if hint is None or hint is types.NoneType:
        return "none"
    if origin is Literal:
        options = ", ".join(map(repr, arguments))
        return f"one of {options}" if len(arguments) > 1 else options
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_say(argument, bounds) for argument in arguments)
    if origin is tuple and arguments:
        count = "" if arguments[-1] is Ellipsis else f"{len(arguments)} "
        return f"a tuple of {count}{_noun(arguments[0])}s{bounds}"
    if hint is bool:
        return "true or false"
    noun = _noun(hint)
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}{bounds if hint in (int, float) else ''}"


def _noun(hint: Any) -> str:
    words = {int: "whole number", float: "number", str: "text"}
    return words.get(hint) or _snake_case(getattr(hint, "__name__", str(hint))).replace("_", " ")


def _suggest(value: object, hint: Any) -> str:
    """What was probably meant: a close word, or a tuple where a list was taken apart."""
    options = [o for o in typing.get_args(hint) if isinstance(o, str)]
    if typing.get_origin(hint) is Literal and isinstance(value, str):
        close = difflib.get_close_matches(value, options, n=1, cutoff=0.5)
        return f"; did you mean {close[0]!r}?" if close else ""
    if typing.get_origin(hint) is tuple and not isinstance(value, tuple):
        return "; one value is a tuple, and a list means each of its items"
    return ""


# ------------------------------------------------------------------------------------------- names


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _represent(self: Any) -> str:
    """``Adam(learning_rate=0.01)``: the fields that differ from their defaults."""
    shown = (
        f"{name}={getattr(self, name)!r}"
        for name, declared in declarations(type(self)).items()
        if not _same(getattr(self, name), declared.default)
    )
    return f"{type(self).__name__}({', '.join(shown)})"


def _same(value: Any, default: Any) -> bool:
    return value is default or (type(value) is type(default) and bool(np.all(value == default)))
