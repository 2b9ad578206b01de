"""All lines of a graph: a formula for each value, and one for each gradient.

Every line is a term that is both printed and computed, so that what is printed can be checked.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.errors import SpecError
from thalweg.explain.arrays import terms
from thalweg.explain.arrays.backward import Return
from thalweg.explain.arrays.forward import ONE, is_silent, made
from thalweg.explain.arrays.terms import Term
from thalweg.explain.graphs import Graph, Value

__all__ = ["MOST_LINES", "Formulas", "Line", "formulas_of", "of_gradient"]

#: Lines that are written out: of more nobody could read them.
MOST_LINES = 150

# What parameters are called in textbooks.
_LETTERS = {
    "bias": "b",
    "input_kernel": "W",
    "kernel": "W",
    "length": "γ",
    "recurrent_kernel": "U",
    "scale": "γ",
    "shift": "β",
}


@dataclass(frozen=True)
class Line:
    """A value or a gradient, and what it is.

    Args:
        name: the symbol of the value; its gradient has the same with ∂ before it.
        term: what it is.
        reason: of a gradient, the rules by which it comes back.
    """

    name: str
    term: Term
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Formulas:
    """A computation in formulas.

    Args:
        letters: of the inputs, by their names.
        shapes: of everything that has a line or is given, by its symbol.
        constants: arrays in it that are neither numbers nor inputs, by their symbols.
        forward: values in the order of the computation; the output is L if a number, y if not.
        backward: gradients from the output back; of an array y that of a number L made of it.
    """

    letters: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]
    constants: Mapping[str, np.ndarray]
    forward: tuple[Line, ...]
    backward: tuple[Line, ...]

    def gradients(self, inputs: Mapping[str, Any], direction: Any) -> dict[str, np.ndarray]:
        """The gradients of inputs, by computing all lines.

        Args:
            inputs: arrays by name.
            direction: the gradient at the output, where that is an array.
        """
        held: dict[str, Any] = {self.letters[name]: value for name, value in inputs.items()}
        held |= self.constants
        for line in self.forward:
            held[line.name] = line.term.compute(held)
        held["∂y"] = direction
        for line in self.backward:
            held[f"∂{line.name}"] = line.term.compute(held)
        return {
            name: np.broadcast_to(held.get(f"∂{symbol}", 0.0), np.shape(inputs[name]))
            for name, symbol in self.letters.items()
        }


def formulas_of(graph: Graph) -> Formulas:
    """The lines of a graph.

    Args:
        graph: with what only changes shapes in it; activations may be folded.

    Raises:
        SpecError: there are too many.
    """
    writer = _Writer(graph)
    forward, backward = tuple(writer.forward()), tuple(writer.backward())
    return Formulas(writer.letters, writer.shapes, writer.constants, forward, backward)


def of_gradient(word: str, shape: tuple[int, ...]) -> Term:
    """∂L/∂word, the gradient of what has a symbol."""
    text, latex = terms.letter(word)
    key = f"∂{word}"
    return Term(
        f"∂L/∂{text}",
        rf"\frac{{\partial L}}{{\partial {latex}}}",
        shape,
        lambda given: given[key],
        terms.POWER,
    )


class _Writer:
    """Makes a term of every value, and then of every gradient."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.letters = _letters([graph.values[number].name for number in graph.inputs])
        self.terms: list[Term] = []
        self.symbols: dict[int, str] = {}
        self.constants: dict[str, np.ndarray] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}

    # -------------------------------------------------------------------------------------- forward

    def forward(self) -> Iterator[Line]:
        """The lines of the values; what only changes shapes stands in those that read it."""
        graph, count = self.graph, 0
        for number, value in enumerate(graph.values):
            if value.operation == "input":
                self.terms.append(self._named(number, self.letters[value.name]))
                continue
            term = made(value, self._operands(value))
            if is_silent(value) and number != graph.output:
                self.terms.append(term)
                continue
            count += 1
            if count > MOST_LINES:
                raise SpecError(
                    f"more than {MOST_LINES} values are too many to be read as formulas"
                )
            word = f"v{count}"
            if number == graph.output:
                word = "L" if value.is_number else "y"
            self.terms.append(self._named(number, word))
            yield Line(word, term)
        if graph.output in graph.inputs:
            self.shapes["y"] = graph.values[graph.output].value.shape
            yield Line("y", self.terms[graph.output])

    def _named(self, number: int, word: str) -> Term:
        self.symbols[number] = word
        self.shapes[word] = self.graph.values[number].value.shape
        return terms.symbol(word, self.shapes[word])

    def _operands(self, value: Value) -> list[Term]:
        return [self.terms[o] if isinstance(o, int) else self._constant(o) for o in value.operands]

    def _constant(self, array: np.ndarray) -> Term:
        if array.size and np.all(array == array.reshape(-1)[0]):
            return terms.number(array)
        known = (word for word, other in self.constants.items() if other is array)
        word = next(known, f"c{len(self.constants) + 1}")
        self.constants[word], self.shapes[word] = array, array.shape
        return terms.symbol(word, array.shape)

    # ------------------------------------------------------------------------------------- backward

    def backward(self) -> Iterator[Line]:
        """The lines of the gradients, once those of the values are made."""
        graph = self.graph
        arrived: defaultdict[int, list[Term]] = defaultdict(list)
        rules: defaultdict[int, list[str]] = defaultdict(list)
        for number in range(graph.output, -1, -1):
            value = graph.values[number]
            if number == graph.output:
                gradient = ONE if value.is_number else of_gradient("y", value.value.shape)
                arrived[number] = [gradient] if value.operation == "input" else []
            elif arrived[number]:
                gradient = terms.plus(*arrived[number])
            else:
                continue
            if arrived[number] and number in self.symbols:
                word = self.symbols[number]
                yield Line(word, gradient, "; ".join(dict.fromkeys(filter(None, rules[number]))))
                gradient = of_gradient(word, value.value.shape)
            for operand, term, rule in self._returns(number, gradient):
                arrived[operand].insert(0, term)
                inherited = [] if number in self.symbols else rules[number]
                rules[operand] += [*inherited, rule]

    def _returns(self, number: int, gradient: Term) -> Iterator[tuple[int, Term, str]]:
        """What comes back from a value: to which, what, and by which rule."""
        value = self.graph.values[number]
        if value.operation in ("input", "stop_gradient"):
            return
        given = self._operands(value)
        for place, operand in enumerate(value.operands):
            if isinstance(operand, int) and self.graph.values[operand].has_gradient:
                found = Return(value, gradient, self.terms[number], given, place).found()
                if found is not None:
                    term, rule = found
                    yield operand, _fitted(term, given[place].shape), rule


def _letters(names: Sequence[str]) -> dict[str, str]:
    """Symbols of inputs: those of textbooks, with numbers where one is wanted twice."""
    wanted = [_LETTERS.get(name.split(".")[-1], name.split(".")[-1]) for name in names]
    # y, L, v1 and c1 stand for others.
    wanted = [f"{word}′" if re.fullmatch(r"y|L|[vc]\d+", word) else word for word in wanted]
    found: dict[str, str] = {}
    for name, word in zip(names, wanted, strict=True):
        numbered = (f"{word}{n}" for n in range(1, len(names) + 1))
        free = (own for own in numbered if own not in (*found.values(), *wanted))
        found[name] = word if wanted.count(word) == 1 else next(free)
    return found


def _fitted(term: Term, shape: tuple[int, ...]) -> Term:
    """What comes back to a source that was repeated to fit: the sum over where it stands."""
    if term.shape == shape:
        return term
    more = len(term.shape) - len(shape)
    repeated = [
        axis
        for axis, size in enumerate(term.shape)
        if axis < more or (shape[axis - more] == 1 and size != 1)
    ]
    summed = terms.summed(term, repeated)
    if int(np.prod(summed.shape)) == int(np.prod(shape)):
        return terms.reshaped(summed, shape)
    return terms.repeated(summed, shape, range(len(shape) - len(summed.shape), len(shape)))
