"""Expressions: formulas as text, read by a grammar of a few dozen words and never run as Python.

::

    expression  =  number | name | pi | e | (expression)
                |  -expression | expression (+ - * / **) expression
                |  function(expression, ...) | where(condition, expression, expression)
    condition   =  expression (< <= > >= == !=) expression

Functions are those of ``FUNCTIONS``: elementary ones, and every activation of the catalogue that
treats units alone, as it is by default.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.catalogue.activations.properties import is_elementwise
from thalweg.catalogue.families import FAMILIES, members
from thalweg.errors import SpecError

__all__ = ["CONSTANTS", "FUNCTIONS", "Expression", "Function", "assignments"]


class Function(NamedTuple):
    """A function that expressions may use, and how many arguments it takes."""

    compute: Callable[..., Any]
    takes: int = 1


def _part(name: str, activation: Callable[..., Any]) -> Function:
    """An activation, as a part of the graph that has its name."""

    def named(z: Any) -> Any:
        return activation(z)

    named.__name__ = name
    return Function(jax.jit(named))


FUNCTIONS: Mapping[str, Function] = {
    "abs": Function(jnp.abs),
    "arctan": Function(jnp.arctan),
    "cbrt": Function(jnp.cbrt),
    "cos": Function(jnp.cos),
    "cosh": Function(jnp.cosh),
    "erf": Function(jax.lax.erf),
    "exp": Function(jnp.exp),
    "log": Function(jnp.log),
    "log1p": Function(jnp.log1p),
    "log_sigmoid": Function(jax.nn.log_sigmoid),
    "max": Function(jnp.maximum, 2),
    "min": Function(jnp.minimum, 2),
    "sign": Function(jnp.sign),
    "sin": Function(jnp.sin),
    "sinh": Function(jnp.sinh),
    "sqrt": Function(jnp.sqrt),
    "square": Function(jnp.square),
    "tan": Function(jnp.tan),
    "where": Function(jnp.where, 3),
    **{
        name: _part(name, part())
        for name, part in members(FAMILIES["activations"]).items()
        if is_elementwise(part())
    },
}
CONSTANTS: Mapping[str, float] = {"pi": math.pi, "e": math.e}

_OPERATORS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_COMPARISONS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
LONGEST = 10_000
DEEPEST = 100
LARGEST_POWER = 1_000


@dataclass(frozen=True)
class Expression:
    """A formula.

    Args:
        text: as it was written.
        names: what stands for numbers in it, in the order in which they appear first.

    Raises:
        SpecError: it is no formula; with the place.

    Example:
        >>> Expression("cos(w**2) + sin(w**2)").names
        ('w',)
    """

    text: str
    names: tuple[str, ...] = field(init=False)
    _tree: ast.expr = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        tree = _parsed(self.text)
        names = dict.fromkeys(_Reader(self.text).names(tree))
        object.__setattr__(self, "names", tuple(names))
        object.__setattr__(self, "_tree", tree)

    def __call__(self, *values: Any) -> Any:
        """Its value for numbers in place of the names, in their order."""
        known = {**CONSTANTS, **dict(zip(self.names, values, strict=True))}
        with np.errstate(all="ignore"):  # of constants alone; what is not finite is reported later
            return _value(self._tree, known)


def _value(node: ast.expr, known: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=int() | float() as value):
            # Never a Python integer: 9**9**9 would not end.
            return np.float64(value)
        case ast.Name(id=name):
            return known[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, known)
        case ast.UnaryOp(operand=operand):
            return _value(operand, known)
        case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=int() as power)):
            # An integer power is defined for negative numbers too.
            return _value(left, known) ** (power if power <= LARGEST_POWER else float(power))
        case ast.BinOp(left=left, op=kind, right=right):
            return _OPERATORS[type(kind)](_value(left, known), _value(right, known))
        case ast.Compare(left=left, ops=[kind], comparators=[right]):
            return _COMPARISONS[type(kind)](_value(left, known), _value(right, known))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return FUNCTIONS[name].compute(*(_value(each, known) for each in arguments))
    raise AssertionError(node)


def assignments(given: Sequence[str], names: Sequence[str]) -> dict[str, float]:
    """Numbers for names, from ``name=number`` each.

    Raises:
        SpecError: a name is not there, has no number or has two, or what stands for a number is
            none.
    """
    found: dict[str, float] = {}
    problems = []
    for text in given:
        name, equals, number = (part.strip() for part in text.partition("="))
        if not equals:
            problems.append(f"{text!r} is no value; write name=number, such as w=1.5")
        elif name not in names:
            problems.append(f"there is no {name!r} in the expression{_hint(name, names)}")
        elif name in found:
            problems.append(f"{name} is given twice")
        else:
            value = _number(number)
            if value is None:
                problems.append(f"{name} must be a number, got {number!r}")
            else:
                found[name] = value
    missing = [name for name in names if name not in found]
    if missing and not problems:
        these = " ".join(f"{name}=1" for name in missing)
        problems.append(f"no value for {', '.join(missing)}; add numbers, such as {these}")
    if problems:
        raise SpecError(*problems)
    return found


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _hint(name: str, known: Sequence[str]) -> str:
    close = get_close_matches(name, known, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there are {', '.join(known)}" if known else ""


def _parsed(text: str) -> ast.expr:
    if not text.strip():
        raise SpecError("the expression is empty; write a formula such as 'cos(w**2)'")
    if len(text) > LONGEST:
        raise SpecError(f"the expression has {len(text):,} letters; at most {LONGEST:,} are read")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        place = "" if error.offset is None else f" at letter {max(error.offset, 1)}"
        raise SpecError(f"{_short(text)} is no expression: not understood{place}") from None
    except (RecursionError, MemoryError):
        raise SpecError(f"{_short(text)} is nested too deeply to be read") from None
    except ValueError:  # a letter that no text has, such as a zero byte
        raise SpecError(f"{_short(text)} is no expression") from None


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


class _Reader:
    """Holds a parsed text to the grammar, and finds the names in it."""

    def __init__(self, text: str) -> None:
        self.text = text.strip()

    def names(self, node: ast.AST, depth: int = 0) -> Iterator[str]:
        if depth > DEEPEST:
            raise SpecError(f"{_short(self.text)} is nested more than {DEEPEST} deep")
        match node:
            case ast.Constant(value=bool() | complex() | str() | bytes() | None):
                raise self.refused(node, "is no number")
            case ast.Constant(value=int() | float() as value):
                if not _finite(value):
                    raise self.refused(node, "is too large a number")
                return
            case ast.Name(id=name):
                if name in FUNCTIONS:
                    raise self.refused(node, f"is a function; write {name}(...)")
                if name not in CONSTANTS:
                    yield name
                return
            case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
                inner: Sequence[ast.AST] = (operand,)
            case ast.BinOp(op=ast.BitXor()):
                raise self.refused(node, "has ^ in it; powers are written **")
            case ast.BinOp(left=left, op=kind, right=right) if type(kind) in _OPERATORS:
                inner = (left, right)
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                inner = self.arguments(node, name, arguments)
            case _:
                raise self.refused(node, "is not among numbers, names, + - * / ** and functions")
        for each in inner:
            yield from self.names(each, depth + 1)

    def arguments(self, node: ast.AST, name: str, given: list[ast.expr]) -> Sequence[ast.AST]:
        """What a function is of, a condition taken apart."""
        if name not in FUNCTIONS:
            known = get_close_matches(name, FUNCTIONS, n=1)
            hint = f"; did you mean {known[0]!r}?" if known else ""
            raise SpecError(f"there is no function {name!r}{hint}")
        takes = FUNCTIONS[name].takes
        if len(given) != takes:
            raise self.refused(node, f"has {len(given)} arguments; {name} takes {takes}")
        if name != "where":
            return given
        match given[0]:
            case ast.Compare(left=left, ops=[kind], comparators=[right]) if (
                type(kind) in _COMPARISONS
            ):
                return (left, right, *given[1:])
        raise self.refused(given[0], "is no condition; write one such as x > 0")

    def refused(self, node: ast.AST, because: str) -> SpecError:
        part = ast.get_source_segment(self.text, node) or self.text
        return SpecError(f"{_short(part)} {because}")


def _finite(value: float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False
