"""Formulas: what a graph of numbers computes, and its derivative, with the rule of every step.

A graph is turned into a formula of SymPy, operation by operation, so that it is the formula of what
was computed. Derivatives are worked out one rule at a time, all parts of a line together, as they
are by hand. What comes out is compared with automatic differentiation at random points each time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import jax
import numpy as np
import scipy.special
import sympy
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

from thalweg.errors import SpecError
from thalweg.explain.graphs import Graph, Value
from thalweg.explain.operations import PLUMBING
from thalweg.explain.tracing import CUSTOM, inside
from thalweg.report.words import short

__all__ = ["Agreement", "Line", "agreement", "derivative", "formula", "in_words", "simplified"]

Expr = Any  # of SymPy, whose types say too little to be checked

_ONE = sympy.Integer(1)


class sigmoid(sympy.Function):
    """σ(u) = 1/(1 + e⁻ᵘ), whose derivative is said in terms of itself."""

    def fdiff(self, argindex: int = 1) -> Expr:
        return self * (1 - self)


class softplus(sympy.Function):
    """log(1 + eᵘ), whose derivative is the sigmoid."""

    def fdiff(self, argindex: int = 1) -> Expr:
        return sigmoid(self.args[0])


class cbrt(sympy.Function):
    """The cube root that is real for negative numbers too."""

    def fdiff(self, argindex: int = 1) -> Expr:
        return 1 / (3 * self**2)


class maximum(sympy.Function):
    """The larger of two: unlike SymPy's, it does not try to find out which that is."""

    nargs = 2

    def _latex(self, printer: Any) -> str:
        return rf"\max\left({', '.join(map(printer._print, self.args))}\right)"


class minimum(maximum):
    """The smaller of two."""

    def _latex(self, printer: Any) -> str:
        return rf"\min\left({', '.join(map(printer._print, self.args))}\right)"


class cases(sympy.Function):
    """One formula where a condition holds and another elsewhere: cases(this, condition, that).

    SymPy's own would look into conditions that are made of others, without end at times.
    """

    nargs = 3
    is_extended_real = True

    def _latex(self, printer: Any) -> str:
        pieces, last = _pieces_of(self)
        rows = [
            rf"{printer._print(own)} & \text{{if}}\: {printer._print(when)}" for own, when in pieces
        ]
        rows.append(rf"{printer._print(last)} & \text{{else}}")
        held = r" \\ ".join(rows)
        return rf"\begin{{cases}} {held} \end{{cases}}"


def _pieces_of(expression: Expr) -> tuple[list[tuple[Expr, Expr]], Expr]:
    """Formulas with their conditions, one after the other, and what holds where none does."""
    pieces = []
    while isinstance(expression, cases):
        then, condition, expression = expression.args
        pieces.append((then, condition))
    return pieces, expression


_NUMERIC = {
    "sigmoid": scipy.special.expit,
    "softplus": lambda u: np.logaddexp(0, u),
    "cbrt": np.cbrt,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "cases": lambda then, condition, otherwise: np.where(condition, then, otherwise),
}

_MADE: Mapping[str, Callable[..., Expr]] = {
    "abs": sympy.Abs,
    "add": lambda a, b: a + b,
    "add_any": lambda a, b: a + b,
    "acos": sympy.acos,
    "acosh": sympy.acosh,
    "asin": sympy.asin,
    "asinh": sympy.asinh,
    "atan": sympy.atan,
    "atanh": sympy.atanh,
    "cbrt": cbrt,
    "ceil": sympy.ceiling,
    "cos": sympy.cos,
    "cosh": sympy.cosh,
    "div": lambda a, b: a / b,
    "eq": sympy.Eq,
    "erf": sympy.erf,
    "erfc": sympy.erfc,
    "exp": sympy.exp,
    "exp2": lambda a: 2**a,
    "expm1": lambda a: sympy.exp(a) - 1,
    "floor": sympy.floor,
    "ge": sympy.Ge,
    "gt": sympy.Gt,
    "le": sympy.Le,
    "log": sympy.log,
    "log1p": lambda a: sympy.log(1 + a),
    "logistic": sigmoid,
    "lt": sympy.Lt,
    "max": maximum,
    "min": minimum,
    "mul": lambda a, b: a * b,
    "ne": sympy.Ne,
    "neg": lambda a: -a,
    "not": sympy.Not,
    "pow": lambda a, b: a**b,
    "rsqrt": lambda a: 1 / sympy.sqrt(a),
    "sign": sympy.sign,
    "sin": sympy.sin,
    "sinh": sympy.sinh,
    "sqrt": sympy.sqrt,
    "square": lambda a: a**2,
    "stop_gradient": lambda a: a,
    "sub": lambda a, b: a - b,
    "tan": sympy.tan,
    "tanh": sympy.tanh,
}
# Functions that are computed in a roundabout way, so that no large number overflows.
_BY_NAME: Mapping[str, Callable[..., Expr]] = {
    "logaddexp": lambda a, b: softplus(a) if b == 0 else sympy.log(sympy.exp(a) + sympy.exp(b)),
}


def formula(graph: Graph, number: int | None = None) -> Expr:
    """What a value is, as a formula of the inputs.

    Args:
        graph: of numbers, not folded.
        number: of the value; the output where it is left out.

    Raises:
        SpecError: there is an array or an operation in it that has no formula here.
    """
    last = graph.output if number is None else number
    made: list[Expr] = []
    for value in graph.values[: last + 1]:
        if value.operation == "input":
            made.append(sympy.Symbol(value.name, real=True))
            continue
        given = [made[o] if isinstance(o, int) else _constant(value, o) for o in value.operands]
        made.append(_applied(graph, value, given))
    return made[last]


def _constant(value: Value, array: np.ndarray) -> Expr:
    if array.size != 1:
        raise SpecError(f"{value.name} is made of an array; formulas are of numbers")
    number = array.reshape(()).item()
    if isinstance(number, bool):
        return sympy.true if number else sympy.false
    if not np.isfinite(number):
        return sympy.nan if np.isnan(number) else sympy.oo if number > 0 else -sympy.oo
    return _recognized(number)


def _recognized(number: float) -> Expr:
    """A number as a short fraction, the root of one, or a multiple of π or e, where it is one."""
    for unit in (sympy.Integer(1), sympy.pi, sympy.E):
        ratio = sympy.Rational(Fraction(number / float(unit)).limit_denominator(10_000))
        if float(ratio * unit) == number:
            return ratio * unit
    square = Fraction(number * number).limit_denominator(100)
    if number > 0 and abs(float(square) - number * number) <= 4e-16 * number * number:
        return sympy.sqrt(sympy.Rational(square))
    return sympy.Float(number)


def _applied(graph: Graph, value: Value, given: Sequence[Expr]) -> Expr:
    operation = value.operation
    if operation in PLUMBING:
        is_condition = isinstance(given[0], sympy.logic.boolalg.Boolean)
        as_number = is_condition and value.value.dtype.kind != "b"
        return _pieces(_ONE, given[0], sympy.Integer(0)) if as_number else given[0]
    if operation == "integer_pow":
        return given[0] ** value.settings["y"]
    if operation == "select_n" and len(given) == 3:
        condition, otherwise, then = given
        return _pieces(
            _given(then, condition, True), condition, _given(otherwise, condition, False)
        )
    if operation == "clamp":
        low, middle, high = given
        return minimum(maximum(middle, low), high)
    if operation in CUSTOM:
        if value.label in _BY_NAME:
            return _BY_NAME[value.label](*given)
        inner = inside(value, graph)
        own = formula(inner)
        names = {sympy.Symbol(inner.values[n].name, real=True): n for n in inner.inputs}
        return own.subs({name: given[n] for name, n in names.items()}, simultaneous=True)
    if operation not in _MADE:
        raise SpecError(f"{value.name} comes from {operation!r}, for which there is no formula")
    return _MADE[operation](*given)


def _pieces(then: Expr, condition: Expr, otherwise: Expr) -> Expr:
    """One formula where a condition holds and another elsewhere, without looking into them."""
    if condition in (sympy.true, sympy.false):
        return then if condition == sympy.true else otherwise
    return cases(then, condition, otherwise)


def _given(expression: Expr, condition: Expr, holds: bool) -> Expr:
    """A formula where a condition is known to hold, or not to: guards against it fall away."""
    known = {
        part: part.args[0 if holds else 2]
        for part in expression.atoms(cases)
        if part.args[1] == condition
    }
    return expression.xreplace(known)


# -------------------------------------------------------------------------------------- derivatives


@dataclass(frozen=True)
class Line:
    """One line of a derivative that is worked out.

    Args:
        expression: equal to the line before.
        rules: that lead from there to here, in words; empty in the first.
    """

    expression: Expr
    rules: tuple[str, ...] = ()


def derivative(expression: Expr, name: str) -> tuple[Line, ...]:
    """The derivative of a formula by one of its names, line by line; the last is simplified.

    Args:
        expression: a formula.
        name: of what it is differentiated by.

    Example:
        >>> [str(line.expression) for line in derivative(sympy.sympify("w**2 + 3"), "w")]
        ['Derivative(w**2 + 3, w)', 'Derivative(w**2, w)', '2*w']
    """
    variable = next((s for s in expression.free_symbols if s.name == name), sympy.Symbol(name))
    lines = [Line(sympy.Derivative(expression, variable, evaluate=False))]
    while waiting := lines[-1].expression.atoms(sympy.Derivative):
        rules: dict[str, None] = {}
        made = {}
        for part in sorted(waiting, key=sympy.default_sort_key):
            made[part], rule = _once(part.expr, variable)
            rules[rule] = None
        lines.append(Line(lines[-1].expression.xreplace(made), tuple(rules)))
    short = simplified(lines[-1].expression)
    if short != lines[-1].expression:
        lines.append(Line(short, ("simplified",)))
    return tuple(lines)


def _later(expression: Expr, variable: Expr) -> Expr:
    """The derivative of a part, to be worked out in the next line, if there is anything to do."""
    if expression == variable:
        return _ONE
    if not expression.has(variable):
        return sympy.Integer(0)
    return sympy.Derivative(expression, variable, evaluate=False)


def _once(expression: Expr, variable: Expr) -> tuple[Expr, str]:
    """A derivative after one rule, and the rule."""

    def later(part: Expr) -> Expr:
        return _later(part, variable)

    if not expression.has(variable):
        return sympy.Integer(0), "a constant has derivative 0"
    if expression == variable:
        return _ONE, f"d{variable}/d{variable} = 1"
    if expression.is_Add:
        return sympy.Add(*map(later, expression.args)), "sum rule"
    if expression.is_Mul:
        return _of_product(expression, variable)
    if expression.is_Pow or isinstance(expression, sympy.exp):
        return _of_power(expression, variable)
    if isinstance(expression, cases):
        then, condition, otherwise = expression.args
        return _pieces(later(then), condition, later(otherwise)), "piece by piece"
    if isinstance(expression, maximum):
        first, second = expression.args
        kind = sympy.Lt if isinstance(expression, minimum) else sympy.Gt
        pieces = _pieces(later(first), kind(first, second), later(second))
        return pieces, "that of the one that is taken"
    return _of_function(expression, variable)


def _of_product(expression: Expr, variable: Expr) -> tuple[Expr, str]:
    fixed, moving = expression.as_independent(variable, as_Add=False)
    if fixed != 1:
        return fixed * _later(moving, variable), "constant factor"
    above, below = expression.as_numer_denom()
    if below.has(variable):
        if not above.has(variable):
            top = -above * _later(below, variable)
            return top / below**2, "reciprocal rule"
        top = _later(above, variable) * below - above * _later(below, variable)
        return top / below**2, "quotient rule"
    factors = expression.args
    terms = [
        sympy.Mul(*factors[:place], _later(own, variable), *factors[place + 1 :])
        for place, own in enumerate(factors)
    ]
    return sympy.Add(*terms), "product rule"


def _of_power(expression: Expr, variable: Expr) -> tuple[Expr, str]:
    base, power = expression.as_base_exp()
    if not power.has(variable):
        rule = "power rule" if base == variable else "power rule and chain rule"
        return power * base ** (power - 1) * _later(base, variable), rule
    if not base.has(variable):
        rule = "exponential" if power == variable else "exponential and chain rule"
        return expression * sympy.log(base) * _later(power, variable), rule
    inner = power * sympy.log(base)
    return expression * _later(inner, variable), "power as exponential, and chain rule"


def _of_function(expression: Expr, variable: Expr) -> tuple[Expr, str]:
    if len(expression.args) != 1:
        raise SpecError(f"there is no rule for the derivative of {in_words(expression)}")
    (argument,) = expression.args
    inner = sympy.Dummy("u", real=True)
    outer = sympy.diff(expression.func(inner), inner)
    outer = outer.replace(sympy.DiracDelta, lambda *_: sympy.Integer(0))
    name = expression.func.__name__
    shown = in_words(outer.xreplace({inner: sympy.Symbol("u")}))
    chain = "" if argument == variable else ", and chain rule"
    rule = f"{name}(u)′ = {shown}{chain}"
    return outer.xreplace({inner: argument}) * _later(argument, variable), rule


def simplified(expression: Expr) -> Expr:
    """The shortest of a few forms of a formula that are found quickly.

    SymPy's own ``simplify`` tries so much that on formulas of a dozen operations it may not end.
    """
    size = sympy.count_ops(expression)
    if size > 150:
        return expression
    forms = [expression, sympy.factor_terms(expression)]
    if size < 60 and expression.is_rational_function(*expression.free_symbols):
        forms += [sympy.cancel(expression), sympy.factor(expression)]
    return min(forms, key=lambda form: (sympy.count_ops(form), len(str(form))))


@dataclass(frozen=True)
class Agreement:
    """How far a formula is from a function.

    Args:
        points: at which both have a value.
        difference: the largest between them, relative to the value or to 1.
    """

    points: int
    difference: float

    def __str__(self) -> str:
        largest = short(self.difference, 2) if self.difference else "none"
        return f"largest difference at {self.points} points: {largest}"


def agreement(
    expression: Expr, names: Sequence[str], function: Callable[..., Any], points: int = 20
) -> Agreement:
    """Compare a formula with a function at random points.

    Args:
        expression: a formula.
        names: of the arguments of the function, in their order.
        function: of as many numbers.
        points: how many are wanted; passed over are points where either has no finite value, and
            those where the last digit of the arguments is seen in the tenth of the value, so that
            rounding alone sets both apart.
    """
    symbols = [sympy.Symbol(name, real=True) for name in names]
    numeric = sympy.lambdify(symbols, expression, modules=[_NUMERIC, "scipy", "numpy"])
    at = np.random.default_rng(0).normal(0, 1.5, (10 * points, len(names)))
    with jax.enable_x64(True), np.errstate(all="ignore"):
        others = np.asarray(jax.vmap(function)(*at.T))
        moved = np.asarray(jax.vmap(function)(*np.nextafter(at, np.inf).T))
        owns = np.array([complex(numeric(*row)) for row in at])
    are_real = np.isfinite(np.real(owns)) & (np.imag(owns) == 0)
    with np.errstate(invalid="ignore"):
        are_steady = np.abs(moved - others) <= 1e-10 * np.maximum(1, np.abs(others))
    both = np.flatnonzero(are_real & np.isfinite(others) & are_steady)[:points]
    own, other = np.real(owns)[both], others[both]
    differences = np.abs(own - other) / np.maximum(1, np.abs(other))
    return Agreement(len(differences), float(np.max(differences, initial=0.0)))


# -------------------------------------------------------------------------------------------- words

_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


class _Words(StrPrinter):
    """Formulas in one line of Unicode."""

    def _print_Pow(self, expr: Expr, rational: bool = False) -> str:
        base, power = expr.as_base_exp()
        if power.is_Integer and abs(power) < 100 and power > 0:
            return self.parenthesize(base, PRECEDENCE["Pow"] + 1) + str(power).translate(_RAISED)
        if power == sympy.Rational(1, 2):
            return f"√({self._print(base)})"
        return super()._print_Pow(expr, rational).replace("**", "^")

    def _print_Derivative(self, expr: Expr) -> str:
        return f"d/d{expr.variables[0]} [{self._print(expr.expr)}]"

    def _print_maximum(self, expr: Expr) -> str:
        return f"max({self.stringify(expr.args, ', ')})"

    def _print_minimum(self, expr: Expr) -> str:
        return f"min({self.stringify(expr.args, ', ')})"

    def _print_Abs(self, expr: Expr) -> str:
        return f"|{self._print(expr.args[0])}|"

    def _print_Float(self, expr: Expr) -> str:
        return f"{float(expr):.6g}"

    def _print_cases(self, expr: Expr) -> str:
        pieces, last = _pieces_of(expr)
        said = [f"{self._print(own)} if {self._print(when)}" for own, when in pieces]
        return f"{{{'; '.join(said)}; else {self._print(last)}}}"


def in_words(expression: Expr) -> str:
    """A formula in one line of Unicode, for a terminal."""
    text = _Words().doprint(expression)
    text = re.sub(r"\bpi\b", "π", text)
    return text.replace("*", "·").replace("-", "−").replace("<=", "≤").replace(">=", "≥")
