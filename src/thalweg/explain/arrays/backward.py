"""How a gradient comes back from a value to what it is made of: one rule for each operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.explain.arrays import terms
from thalweg.explain.arrays.forward import (
    OF_EVERY_ENTRY,
    ONE,
    is_repeating,
    kept_axes,
    pattern_of,
)
from thalweg.explain.arrays.terms import Term
from thalweg.explain.expressions import FUNCTIONS
from thalweg.explain.graphs import Value
from thalweg.explain.tracing import CUSTOM

__all__ = ["Return"]

_CHAIN = "chain rule"


@dataclass(frozen=True, eq=False)
class Return:
    """A gradient on its way from a value to one of its operands.

    Args:
        value: what it comes from.
        gradient: of that.
        own: the term of the value.
        given: the terms it is made of.
        place: of the operand.
    """

    value: Value
    gradient: Term
    own: Term
    given: Sequence[Term]
    place: int

    def found(self) -> tuple[Term, str] | None:
        """What the operand gets, and by which rule; None where nothing comes back."""
        gradient, own, given = self.gradient, self.own, self.given
        a = given[0]
        if is_repeating(self.value):
            kept = kept_axes(self.value)
            gone = [n for n in range(len(gradient.shape)) if n not in kept]
            return terms.summed(gradient, gone), "summed where it was repeated"
        match self.value.operation:
            case "add" | "add_any":
                return gradient, "sum rule"
            case "sub":
                return (gradient if self.place == 0 else terms.negative(gradient)), "sum rule"
            case "neg":
                return terms.negative(gradient), "constant factor"
            case "mul":
                other = given[1 - self.place]
                rule = "product rule" if _varies(self.value, 1 - self.place) else "constant factor"
                return terms.times(gradient, other), rule
            case "div":
                return self._of_quotient()
            case "log":
                return terms.divided(gradient, a), _CHAIN
            case "log1p":
                return terms.divided(gradient, terms.plus(ONE, a)), _CHAIN
            case "dot_general":
                return self._of_contraction()
            case "reduce_sum":
                kept = [n for n in range(len(a.shape)) if n not in self.value.settings["axes"]]
                return terms.repeated(gradient, a.shape, kept), "sum rule, the same for each term"
            case "select_n" if self.place == 0:
                return None
            case "select_n" if len(given) == 3:
                kept = (gradient, _ZERO) if self.place == 2 else (_ZERO, gradient)
                return terms.chosen(given[0], *kept), "that of the one that is taken"
            case "max" | "min":
                return self._of_larger()
            case "reduce_max" | "reduce_min":
                kept = [n for n in range(len(a.shape)) if n not in self.value.settings["axes"]]
                spread = terms.repeated(own, a.shape, kept)
                return (
                    terms.times(
                        terms.repeated(gradient, a.shape, kept), terms.compared("eq", a, spread)
                    ),
                    "to the extreme one alone",
                )
            case "broadcast_in_dim":
                return self._of_repetition()
            case "transpose":
                back = np.argsort(self.value.settings["permutation"])
                return terms.permuted(gradient, back.tolist()), ""
            case "reshape" | "expand_dims" | "squeeze":
                return terms.reshaped(gradient, a.shape), ""
            case "convert_element_type":
                return gradient, ""
        slope = self._slope()
        if slope is not None:
            return terms.times(gradient, slope), _CHAIN
        return self._in_general()

    def _slope(self) -> Term | None:
        """The derivative of a function of every entry, where it is one."""
        a, own = self.given[0], self.own
        two, half = terms.number(np.array(2.0)), terms.number(np.array(0.5))
        match self.value.operation:
            case "tanh":
                return terms.minus(ONE, terms.power(own, 2))
            case "logistic":
                return terms.times(own, terms.minus(ONE, own))
            case "exp":
                return own
            case "expm1":
                return terms.plus(own, ONE)
            case "sin":
                return terms.applied("cos", a)
            case "cos":
                return terms.negative(terms.applied("sin", a))
            case "sinh":
                return terms.applied("cosh", a)
            case "cosh":
                return terms.applied("sinh", a)
            case "abs":
                return terms.applied("sign", a)
            case "square":
                return terms.times(two, a)
            case "sqrt":
                return terms.divided(half, own)
            case "rsqrt":
                return terms.negative(terms.times(half, terms.power(own, 3)))
            case "integer_pow":
                exponent = self.value.settings["y"]
                times = terms.number(np.array(float(exponent)))
                return terms.times(times, terms.power(a, exponent - 1))
        known = self.value.operation in ("fold", *CUSTOM)
        folded = self.value.label.split(" ")[0] if known else ""
        name = OF_EVERY_ENTRY.get(self.value.operation, folded)
        if name in (*FUNCTIONS, *OF_EVERY_ENTRY):
            pull, name = self._pulled(), f"{name}′"
            ones = np.ones(self.value.value.shape)
            return terms.named(name, a.shape, lambda *at: pull(ones, *at), *self.given)
        return None

    def _of_quotient(self) -> tuple[Term, str]:
        below = self.given[1]
        if self.place == 0:
            rule = "quotient rule" if _varies(self.value, 1) else "constant factor"
            return terms.divided(self.gradient, below), rule
        share = terms.divided(terms.times(self.gradient, self.own), below)
        return terms.negative(share), "quotient rule"

    def _of_larger(self) -> tuple[Term, str]:
        other = self.given[1 - self.place]
        name = "gt" if self.value.operation == "max" else "lt"
        there = terms.compared(name, self.given[self.place], other)
        return terms.times(self.gradient, there), "that of the one that is taken"

    def _of_repetition(self) -> tuple[Term, str]:
        kept = self.value.settings["broadcast_dimensions"]
        before = self.given[0].shape
        shape = self.gradient.shape
        gone = [
            n
            for n in range(len(shape))
            if n not in kept or (before[list(kept).index(n)] == 1 and shape[n] != 1)
        ]
        truly = [n for n in gone if shape[n] != 1]
        term = terms.summed(self.gradient, truly)
        rule = "summed where it was repeated" if truly else ""
        return terms.reshaped(term, before) if term.shape != before else term, rule

    def _of_contraction(self) -> tuple[Term, str]:
        numbers = self.value.settings["dimension_numbers"]
        a, b = self.given
        pattern = pattern_of(numbers, len(a.shape), len(b.shape))
        inputs, result = pattern.split("->")
        first, second = inputs.split(",")
        mine, other, letters = (first, b, second) if self.place == 0 else (second, a, first)
        if other.is_ones:
            kept = [n for n, own in enumerate(mine) if own in result]
            return (
                terms.repeated(self.gradient, self.given[self.place].shape, kept),
                "sum rule, the same for each term",
            )
        rule = "product rule, of matrices"
        if pattern == "ij,jk->ik":
            if self.place == 0:
                return terms.product(self.gradient, terms.transposed(b)), rule
            return terms.product(terms.transposed(a), self.gradient), rule
        return terms.contracted(f"{result},{letters}->{mine}", self.gradient, other), rule

    def _in_general(self) -> tuple[Term, str]:
        pull = self._pulled()
        below = self.given[self.place]
        return (
            terms.gathered_back(self.own, below, self.gradient, pull, self.given),
            _CHAIN,
        )

    def _pulled(self) -> Callable[..., np.ndarray]:
        """The product with the transposed derivative, at other arrays."""

        def pull(gradient: Any, *at: Any) -> np.ndarray:
            pairs = zip(at, self.given, strict=True)
            arrays = [jnp.asarray(np.broadcast_to(x, term.shape)) for x, term in pairs]

            def of_one(x: Any) -> Any:
                return self.value.compute(*arrays[: self.place], x, *arrays[self.place + 1 :])

            weights = jnp.asarray(np.broadcast_to(gradient, self.value.value.shape))
            return np.asarray(jax.vjp(of_one, arrays[self.place])[1](weights)[0])

        return pull


_ZERO = terms.number(np.zeros(()))


def _varies(value: Value, place: int) -> bool:
    """Whether an operand depends on the inputs."""
    return isinstance(value.operands[place], int)
