"""Terms of arrays: what is printed is what is computed.

A term has its text, its LaTeX and how it is computed with NumPy, all three made by the same few
functions, so that a printed formula can be checked by computing it. Arrays are repeated along axes
they lack as in NumPy, without a sign for it; Σᵢ, Σⱼ, Σₖ … sum over the first, second, third axis.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import scipy.special

from thalweg.report.words import short

__all__ = [
    "Environment",
    "Term",
    "applied",
    "chosen",
    "compared",
    "contracted",
    "divided",
    "entries",
    "extreme",
    "gathered_back",
    "letter",
    "minus",
    "named",
    "negative",
    "number",
    "permuted",
    "plus",
    "power",
    "product",
    "repeated",
    "reshaped",
    "root",
    "summed",
    "symbol",
    "times",
    "transposed",
]

#: Arrays by the name of the symbol.
Environment: TypeAlias = Mapping[str, Any]

# How tightly parts hold together: what is held more loosely than its place asks for has brackets.
SUM, PRODUCT, POWER, ATOM = range(4)
_AXES = "ijklmnop"
_LOW = str.maketrans("0123456789ijklmnop", "₀₁₂₃₄₅₆₇₈₉ᵢⱼₖₗₘₙₒₚ")
_HIGH = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, eq=False)
class Term:
    """A formula of arrays.

    Args:
        text: in Unicode.
        latex: in LaTeX.
        shape: of what it gives.
        compute: gives it, from the arrays its symbols stand for.
        level: how tightly its parts hold together.
        turned: the term of which it is the transpose.
        shaped: the term whose entries it has in another shape.
    """

    text: str
    latex: str
    shape: tuple[int, ...]
    compute: Callable[[Environment], Any]
    level: int = ATOM
    turned: Term | None = None
    shaped: Term | None = None

    @property
    def is_ones(self) -> bool:
        """Whether it is a vector of ones, so that a product with it is a sum."""
        return self.text == "1" and len(self.shape) == 1

    def within(self, level: int) -> tuple[str, str]:
        """Text and LaTeX where something of a level is expected."""
        if self.level >= level:
            return self.text, self.latex
        return f"({self.text})", rf"\left({self.latex}\right)"


def letter(word: str) -> tuple[str, str]:
    """A word as a symbol, in text and LaTeX: ``v12`` as v₁₂, ``bias`` as it is."""
    found = re.fullmatch(r"([^\W\d_])(\d+)", word)
    if found:
        return found[1] + found[2].translate(
            _LOW
        ), f"{_GREEK.get(found[1], found[1])}_{{{found[2]}}}"
    if len(word) == 1:
        return word, _GREEK.get(word, word)
    return word, rf"\mathrm{{{word.replace('_', chr(92) + '_')}}}"


_GREEK = {"β": r"\beta", "γ": r"\gamma"}


def symbol(word: str, shape: tuple[int, ...]) -> Term:
    """An array that is given."""
    return Term(*letter(word), shape, lambda given: given[word])


def number(array: np.ndarray) -> Term:
    """A constant whose entries are all the same."""
    value = array.reshape(-1)[0]
    text = short(float(value), 4)
    latex = re.sub(r"·?10(.+)", lambda m: r"\cdot 10^{" + _plain(m[1]) + "}", text)
    latex = latex.replace("−", "-").replace("∞", r"\infty").removeprefix(r"\cdot ")
    level = SUM if text.startswith("−") else ATOM
    return Term(text, latex, array.shape, lambda given: array, level)


def _plain(raised: str) -> str:
    return raised.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))


def _shape(*terms: Term) -> tuple[int, ...]:
    return np.broadcast_shapes(*(term.shape for term in terms))


def plus(*terms: Term) -> Term:
    """A sum of any number of terms."""
    if len(terms) == 1:
        return terms[0]
    text, latex = terms[0].text, terms[0].latex
    for term in terms[1:]:
        own_text, own_latex = term.text, term.latex
        if own_text.startswith("−"):
            text += f" − {own_text[1:]}"
            latex += f" - {own_latex[1:]}"
        else:
            text += f" + {own_text}"
            latex += f" + {own_latex}"

    def compute(given: Environment) -> Any:
        total = terms[0].compute(given)
        for term in terms[1:]:
            total = total + term.compute(given)
        return total

    return Term(text, latex, _shape(*terms), compute, SUM)


def minus(a: Term, b: Term) -> Term:
    """a − b."""
    text, latex = b.within(PRODUCT)
    return Term(
        f"{a.text} − {text}",
        f"{a.latex} - {latex}",
        _shape(a, b),
        lambda given: a.compute(given) - b.compute(given),
        SUM,
    )


def negative(a: Term) -> Term:
    """−a."""
    text, latex = a.within(PRODUCT)
    return Term(f"−{text}", f"-{latex}", a.shape, lambda given: -a.compute(given), SUM)


def times(a: Term, b: Term) -> Term:
    """Entry by entry; a number stands ahead, and 1 is left out."""
    if a.shape and not b.shape:
        a, b = b, a
    if not a.shape and a.text == "1":
        return b
    sign, latex_sign = ("⊙", r"\odot") if a.shape and b.shape else ("·", r"\cdot")
    if a.level == SUM and a.text.startswith("−") and not a.shape and " " not in a.text:
        ahead = (a.text, a.latex)  # a negative number ahead needs no brackets
    else:
        ahead = a.within(PRODUCT)
    text, latex = b.within(PRODUCT)
    return Term(
        f"{ahead[0]} {sign} {text}",
        f"{ahead[1]} {latex_sign} {latex}",
        _shape(a, b),
        lambda given: a.compute(given) * b.compute(given),
        SUM if ahead[0].startswith("−") else PRODUCT,
    )


def divided(a: Term, b: Term) -> Term:
    """a / b, entry by entry."""
    above, below = a.within(PRODUCT), b.within(POWER)
    latex = rf"\frac{{{a.latex}}}{{{b.latex}}}"
    if a.latex.startswith(r"\frac"):  # one fraction above another is hard to read
        latex = rf"\frac{{1}}{{{b.latex}}} \, {above[1]}"
    return Term(
        f"{above[0]} / {below[0]}",
        latex,
        _shape(a, b),
        lambda given: a.compute(given) / b.compute(given),
        SUM if above[0].startswith("−") else PRODUCT,
    )


def power(a: Term, exponent: float) -> Term:
    """aⁿ, entry by entry."""
    if exponent == 1:
        return a
    text, latex = a.within(ATOM)
    is_whole = float(exponent).is_integer()
    raised = str(int(exponent)).translate(_HIGH) if is_whole else f"^{short(exponent, 4)}"
    return Term(
        f"{text}{raised}",
        f"{latex}^{{{int(exponent) if is_whole else short(exponent, 4).replace('−', '-')}}}",
        a.shape,
        lambda given: np.float_power(a.compute(given), exponent),
        POWER,
    )


def root(a: Term) -> Term:
    """√a, entry by entry."""
    text, _ = a.within(ATOM)
    return Term(f"√{text}", rf"\sqrt{{{a.latex}}}", a.shape, lambda g: np.sqrt(a.compute(g)), POWER)


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": np.abs,
    "cos": np.cos,
    "cosh": np.cosh,
    "erf": scipy.special.erf,
    "erfc": scipy.special.erfc,
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "max": np.maximum,
    "min": np.minimum,
    "sign": np.sign,
    "sin": np.sin,
    "sinh": np.sinh,
    "tan": np.tan,
    "tanh": np.tanh,
    "σ": scipy.special.expit,
}
_IN_LATEX = frozenset({"cos", "cosh", "exp", "log", "max", "min", "sin", "sinh", "tan", "tanh"})


def applied(name: str, *arguments: Term) -> Term:
    """A function of numbers, of every entry."""
    function = _FUNCTIONS[name]
    command = rf"\{name}" if name in _IN_LATEX else rf"\operatorname{{{name}}}"
    latex = r"\sigma" if name == "σ" else command
    return Term(
        f"{name}({', '.join(a.text for a in arguments)})",
        rf"{latex}\left({', '.join(a.latex for a in arguments)}\right)",
        _shape(*arguments),
        lambda given: function(*(a.compute(given) for a in arguments)),
    )


_SIGNS = {
    "eq": ("=", "=", np.equal),
    "ge": ("≥", r"\ge", np.greater_equal),
    "gt": (">", ">", np.greater),
    "le": ("≤", r"\le", np.less_equal),
    "lt": ("<", "<", np.less),
    "ne": ("≠", r"\ne", np.not_equal),
}


def compared(name: str, a: Term, b: Term) -> Term:
    """[a > b]: 1 where it holds, 0 elsewhere."""
    sign, latex, function = _SIGNS[name]
    return Term(
        f"[{a.text} {sign} {b.text}]",
        rf"\left[{a.latex} {latex} {b.latex}\right]",
        _shape(a, b),
        lambda given: function(a.compute(given), b.compute(given)),
    )


def chosen(condition: Term, then: Term, otherwise: Term) -> Term:
    """One array where a condition holds, and another elsewhere."""
    inner = condition.text.removeprefix("[").removesuffix("]")
    inner_latex = condition.latex.removeprefix(r"\left[").removesuffix(r"\right]")
    return Term(
        f"{{{then.text} where {inner}, else {otherwise.text}}}",
        rf"\begin{{cases}} {then.latex} & {inner_latex} \\ {otherwise.latex} & "
        r"\text{else} \end{cases}",
        _shape(condition, then, otherwise),
        lambda given: np.where(
            condition.compute(given), then.compute(given), otherwise.compute(given)
        ),
    )


def summed(a: Term, axes: Sequence[int]) -> Term:
    """The sum over some axes, which go away."""
    if not axes:
        return a
    if a.turned is not None and len(axes) == 1:
        return summed(a.turned, [1 - axes[0]])
    named = "".join(_AXES[axis] for axis in axes)
    text, latex = a.within(POWER)
    return Term(
        f"Σ{named.translate(_LOW)} {text}",
        rf"\sum_{{{named}}} {latex}",
        tuple(size for axis, size in enumerate(a.shape) if axis not in axes),
        lambda given: np.sum(np.broadcast_to(a.compute(given), a.shape), axis=tuple(axes)),
        PRODUCT,
    )


def extreme(a: Term, axes: Sequence[int], which: str) -> Term:
    """The largest or the smallest along some axes, which go away.

    Args:
        which: ``max`` or ``min``.
    """
    over = "".join(_AXES[axis] for axis in axes)
    function = np.max if which == "max" else np.min
    return Term(
        f"{which}{over.translate(_LOW)} {a.within(POWER)[0]}",
        rf"\{which}_{{{over}}} {a.within(POWER)[1]}",
        tuple(size for axis, size in enumerate(a.shape) if axis not in axes),
        lambda given: function(np.broadcast_to(a.compute(given), a.shape), axis=tuple(axes)),
        PRODUCT,
    )


def transposed(a: Term) -> Term:
    """The transpose of a matrix."""
    if a.turned is not None:
        return a.turned
    text, latex = a.within(ATOM)
    return Term(
        f"{text}ᵀ",
        f"{{{latex}}}^{{\\top}}",
        a.shape[::-1],
        lambda given: np.transpose(np.broadcast_to(a.compute(given), a.shape)),
        POWER,
        turned=a,
    )


def permuted(a: Term, order: Sequence[int]) -> Term:
    """With its axes in another order."""
    if tuple(order) == (1, 0):
        return transposed(a)
    said = "".join(_AXES[axis] for axis in order)
    before = _AXES[: len(order)]
    return Term(
        f"permute[{before}→{said}]({a.text})",
        rf"\operatorname{{permute}}_{{{before} \to {said}}}\left({a.latex}\right)",
        tuple(a.shape[axis] for axis in order),
        lambda given: np.transpose(np.broadcast_to(a.compute(given), a.shape), order),
    )


def reshaped(a: Term, shape: tuple[int, ...]) -> Term:
    """The same entries in another shape; leading axes of length 1 come and go without a sign."""
    if a.shaped is not None:
        return reshaped(a.shaped, shape)
    if a.shape == shape:
        return a
    is_silent = _without_leading_ones(shape) == _without_leading_ones(a.shape)
    said = "×".join(map(str, shape))

    def compute(given: Environment) -> Any:
        return np.reshape(np.broadcast_to(a.compute(given), a.shape), shape)

    if is_silent:
        return Term(a.text, a.latex, shape, compute, a.level, shaped=a)
    latex = said.replace("×", r" \times ")
    return Term(
        f"{a.within(ATOM)[0]} as {said}",
        rf"\operatorname{{reshape}}_{{{latex}}}\left({a.latex}\right)",
        shape,
        compute,
        SUM,
    )


def _without_leading_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    longer = next((axis for axis, size in enumerate(shape) if size != 1), len(shape))
    return shape[longer:]


def repeated(a: Term, shape: tuple[int, ...], kept: Sequence[int]) -> Term:
    """An array repeated along new axes.

    Args:
        a: what is repeated.
        shape: of the result.
        kept: which of its axes are those of ``a``.
    """
    middle = [1] * len(shape)
    for axis, size in zip(kept, a.shape, strict=True):
        middle[axis] = size

    def compute(given: Environment) -> Any:
        return np.broadcast_to(
            np.reshape(np.broadcast_to(a.compute(given), a.shape), middle), shape
        )

    aligned = list(kept) == list(range(len(shape) - len(a.shape), len(shape)))
    if aligned:
        return Term(a.text, a.latex, shape, compute, a.level)
    if int(np.prod(shape)) == int(np.prod(a.shape)):
        return reshaped(a, shape)
    if len(a.shape) == 1 and len(shape) == 2:
        text, latex = a.within(POWER)
        return Term(f"{text} 𝟏ᵀ", rf"{latex} \, \mathbf{{1}}^{{\top}}", shape, compute, PRODUCT)
    return Term(
        f"repeat({a.text})", rf"\operatorname{{repeat}}\left({a.latex}\right)", shape, compute
    )


def product(a: Term, b: Term) -> Term:
    """The product of two matrices."""
    first, second = a.within(PRODUCT), b.within(POWER)
    (rows, _), (_, columns) = a.shape, b.shape
    return Term(
        f"{first[0]} {second[0]}",
        f"{first[1]} \\, {second[1]}",
        (rows, columns),
        lambda given: np.matmul(
            np.broadcast_to(a.compute(given), a.shape), np.broadcast_to(b.compute(given), b.shape)
        ),
        PRODUCT,
    )


def contracted(pattern: str, a: Term, b: Term) -> Term:
    """A sum of products over axes of the same letter, as ``numpy.einsum`` writes it."""
    if pattern in _AS_PRODUCTS:
        turn_first, turn_second = _AS_PRODUCTS[pattern]
        return product(transposed(a) if turn_first else a, transposed(b) if turn_second else b)
    said = pattern.replace("->", "→")
    arrow = pattern.replace("->", r" \to ")
    sizes = dict(zip(pattern.split("->")[0].replace(",", ""), (*a.shape, *b.shape), strict=True))
    return Term(
        f"einsum[{said}]({a.text}, {b.text})",
        rf"\operatorname{{einsum}}_{{{arrow}}}\left({a.latex}, {b.latex}\right)",
        tuple(sizes[axis] for axis in pattern.split("->")[1]),
        lambda given: np.einsum(
            pattern,
            np.broadcast_to(a.compute(given), a.shape),
            np.broadcast_to(b.compute(given), b.shape),
        ),
    )


# Products of matrices: whether the first and the second of them is turned.
_AS_PRODUCTS = {
    "ij,jk->ik": (False, False),
    "ji,jk->ik": (True, False),
    "ij,kj->ik": (False, True),
    "ji,kj->ik": (True, True),
}


def named(name: str, shape: tuple[int, ...], function: Callable[..., Any], *given: Term) -> Term:
    """A function that has no sign of its own."""
    latex = name.replace("_", r"\_").replace("′", "'")
    return Term(
        f"{name}({', '.join(term.text for term in given)})",
        rf"\operatorname{{{latex}}}\left({', '.join(term.latex for term in given)}\right)",
        shape,
        lambda at: function(*(np.broadcast_to(t.compute(at), t.shape) for t in given)),
    )


def entries(a: Term, which: str, shape: tuple[int, ...], function: Callable[..., Any]) -> Term:
    """Some entries of an array: a[0:2]."""
    text, latex = a.within(ATOM)
    return Term(
        f"{text}{which}", f"{latex}{which}", shape, lambda given: function(a.compute(given))
    )


def gathered_back(
    above: Term, below: Term, gradient: Term, pull: Callable[..., Any], given: Sequence[Term]
) -> Term:
    """(∂above/∂below)ᵀ gradient, for what has no shorter formula."""
    text, latex = gradient.within(POWER)
    return Term(
        f"(∂{above.text}/∂{below.within(ATOM)[0]})ᵀ {text}",
        rf"\left(\frac{{\partial {above.latex}}}{{\partial {below.latex}}}\right)^{{\top}} {latex}",
        below.shape,
        lambda at: pull(gradient.compute(at), *(term.compute(at) for term in given)),
        PRODUCT,
    )
