"""How much memory a program takes on its way, told from what it computes, before it is compiled.

``temporary`` goes through the operations of a program in their order and adds up what is held at
each of them. What XLA will hold is not what the program names: elementwise operations become part
of those that read them, and hold nothing themselves. So a value is *held* where it is the result of
a product, a sum, a gather or the like, or is read by one; and where it is elementwise but costly
and read more than once, as XLA does not compute that twice. All else is *passing*: whoever reads it
reads what it is made of.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Literal

__all__ = ["temporary"]


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Operations that are parts of others: a new shape, or the same values under another name.
RENAMING = _names(
    "reshape squeeze expand_dims optimization_barrier stop_gradient name sharding_constraint"
)
# XLA writes these as sums of many terms, of which it holds one beside the result.
IN_TERMS = _names("erf erfc erf_inv")
COSTLY = IN_TERMS | _names(
    "exp exp2 log log1p expm1 tanh logistic sin cos pow div sqrt rsqrt cbrt threefry2x32 "
    "random_bits"
)
# Elementwise ones, and those that only say where a value is read.
PASSING = COSTLY | _names(
    "add add_any sub mul neg max min abs sign floor ceil round integer_pow square lt le gt ge eq "
    "ne and or not xor select_n convert_element_type broadcast_in_dim iota slice pad is_finite "
    "clamp rem shift_left shift_right_logical shift_right_arithmetic bitcast_convert_type copy rev "
    "transpose random_wrap random_unwrap random_fold_in random_seed"
)
# Operations into which elementwise ones are taken in.
TAKING_IN = PASSING | _names("reduce_sum reduce_max reduce_min argmax argmin concatenate")


@dataclass(eq=False)
class _Value:
    """An array within a program.

    Args:
        bytes: that it takes.
        axes: how many there are.
        made_by: position of the operation that makes it; None where it is given.
        read_by: positions of those that read it.
        passing: whether nothing is held for it.
    """

    bytes: int
    axes: int
    made_by: int | None = None
    read_by: list[int] = field(default_factory=list)
    passing: bool = False


@dataclass
class _Operation:
    name: str
    reads: list[_Value]
    makes: list[_Value]
    programs: list[Any]


def temporary(function: Any, *given: Any) -> int:
    """Bytes of what a program makes on its way, at the moment at which they are most.

    Args:
        function: of trees of arrays.
        given: their shapes and types. What is given is not counted, what is given back is.
    """
    return _most_held(jax.make_jaxpr(function)(*given).jaxpr)


def _most_held(program: Any) -> int:
    operations, results = _operations(program)
    for operation in operations:
        for value in operation.makes:
            value.passing = _passes(value, operation, operations, results)
    last = _last_reads(operations, results)
    held: dict[_Value, int] = {}
    most = 0
    for number, operation in enumerate(operations):
        makes = [value for value in operation.makes if not value.passing]
        if not makes:
            continue
        ending = [v for v in _behind(operation.reads, operations) if last.get(v) == number]
        for value in makes:
            held[value] = value.bytes * (2 if operation.name in IN_TERMS else 1)
        within = max(map(_most_held, operation.programs), default=0)
        most = max(most, sum(held.values()) + within)
        for value in (*ending, *(v for v in makes if last.get(v, -1) <= number)):
            held.pop(value, None)
    return most


def _passes(
    value: _Value, operation: _Operation, operations: Sequence[_Operation], results: set[_Value]
) -> bool:
    """Whether XLA computes a value wherever it is read."""
    if operation.name not in PASSING or value in results:
        return False
    if operation.name in COSTLY and len(value.read_by) > 1:
        return False
    if operation.name == "transpose" and value.axes <= 2:
        return True  # a product reads a matrix either way round
    if not all(operations[reader].name in TAKING_IN for reader in value.read_by):
        return False
    if len(value.read_by) == 1:
        return True
    # Sums of a few products are not added up anew wherever they are read.
    large = [v for v in _behind(operation.reads, operations) if v.bytes >= value.bytes]
    return len(large) <= 1


def _behind(values: Iterable[_Value], operations: Sequence[_Operation]) -> list[_Value]:
    """What is held of what is read, each once."""
    found: dict[_Value, None] = {}
    waiting, seen = list(values), set()
    while waiting:
        value = waiting.pop()
        if value in seen:
            continue
        seen.add(value)
        if value.passing and value.made_by is not None:
            waiting += operations[value.made_by].reads
        else:
            found[value] = None
    return list(found)


def _last_reads(operations: Sequence[_Operation], results: set[_Value]) -> dict[_Value, int]:
    """By value that is held, the position of the last operation that reads it."""
    last: dict[_Value, int] = {}
    for number, operation in enumerate(operations):
        if not all(value.passing for value in operation.makes):
            last |= dict.fromkeys(_behind(operation.reads, operations), number)
    return last | dict.fromkeys(_behind(results, operations), len(operations))


def _operations(program: Any) -> tuple[list[_Operation], set[_Value]]:
    """The operations of a program in order, those of functions that it calls among them."""
    given = {variable: _value(variable) for variable in (*program.invars, *program.constvars)}
    operations: list[_Operation] = []
    _gather(program, given, operations)
    for number, operation in enumerate(operations):
        for value in operation.makes:
            value.made_by = number
        for value in operation.reads:
            value.read_by.append(number)
    return operations, set(_read(program.outvars, given))


def _gather(program: Any, known: dict[Any, _Value], operations: list[_Operation]) -> None:
    for equation in program.eqns:
        name, reads = equation.primitive.name, list(_read(equation.invars, known))
        makes = list(map(_value, equation.outvars))
        called = _called(equation)
        if called is not None:
            inner = {
                own: _value(own) if isinstance(outer, Literal) else known[outer]
                for own, outer in zip(called.invars, equation.invars, strict=True)
            }
            inner |= {own: _value(own) for own in called.constvars}
            _gather(called, inner, operations)
            makes = [
                _value(own) if isinstance(own, Literal) else inner[own] for own in called.outvars
            ]
        elif name in RENAMING and len(reads) == len(makes):
            makes = reads
        else:
            operations.append(_Operation(name, reads, makes, list(_programs(equation))))
        known |= dict(zip(equation.outvars, makes, strict=True))


def _read(variables: Iterable[Any], known: dict[Any, _Value]) -> Iterator[_Value]:
    return (known[variable] for variable in variables if not isinstance(variable, Literal))


def _value(variable: Any) -> _Value:
    shape = getattr(variable.aval, "shape", ())
    return _Value(math.prod(shape) * _bytes(variable.aval), len(shape))


def _bytes(aval: Any) -> int:
    """Of one number. Processors multiply half precision in single precision, mostly of a copy."""
    dtype = getattr(aval, "dtype", None)
    if dtype is None or jnp.issubdtype(dtype, jax.dtypes.extended):
        return 8  # a random key
    copied = dtype == jnp.bfloat16 and jax.default_backend() == "cpu"
    return 5 if copied else dtype.itemsize


def _called(equation: Any) -> Any:
    """The program of a function that is called once, as a part of this one."""
    programs = list(_programs(equation))
    if len(programs) != 1 or equation.primitive.name == "scan":
        return None
    (program,) = programs
    same = len(program.invars) == len(equation.invars)
    return program if same and len(program.outvars) == len(equation.outvars) else None


def _programs(equation: Any) -> Iterator[Any]:
    """The programs that an equation runs."""
    for held in equation.params.values():
        for item in held if isinstance(held, tuple | list) else (held,):
            program = getattr(item, "jaxpr", item)
            if hasattr(program, "eqns"):
                yield program
