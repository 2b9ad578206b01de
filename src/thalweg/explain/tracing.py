"""Tracing: from a function and arguments to the graph of what it computes.

The function is run by JAX on stand-ins, which gives a list of primitive operations; these are then
carried out one by one in double precision on the real arguments, and each leaves a value. Loops
are gone through as often as they run, branches of conditions as they are taken, and functions that
were compiled for themselves become named parts. What does not depend on the arguments is a
constant of the operation that reads it.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import takewhile
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from thalweg.errors import SpecError
from thalweg.explain.graphs import Graph, Operand, Pull, Value
from thalweg.explain.operations import OPENED, REPEATING, kink_of, label_of

__all__ = ["CUSTOM", "LARGEST", "graph", "in_doubles", "inside"]

#: Values in a graph at most.
LARGEST = 20_000

# What is gone into: primitives that only wrap other operations, and where those are.
_WRAPPERS = {
    "jit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "remat": "jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
}
#: Operations with a derivative of their own, and where that is of which it is the derivative.
CUSTOM = {"custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr"}


def graph(function: Callable[..., Any], *arguments: Any, names: Sequence[str] = ()) -> Graph:
    """The graph of what a function computes for some arguments, in double precision.

    Parts of the function get names by ``jax.jit``, of the function it is given, or by
    ``jax.named_scope``; values by ``jax.ad_checkpoint.checkpoint_name``.

    Args:
        function: of JAX arrays; gives one array.
        arguments: numbers, arrays or trees of them; integers in arrays stay integers.
        names: of the arguments; those of the function's signature where they are left out.

    Raises:
        SpecError: it gives no array or several, or computes too much to be looked at.

    Example:
        >>> [value.label for value in graph(lambda w: jnp.cos(w**2), 1.5).values]
        ['w', '(·)²', 'cos']
    """
    with jax.enable_x64(True):
        given = tuple(jax.tree.map(in_doubles, argument) for argument in arguments)
        closed = jax.make_jaxpr(function)(*given)
        if len(closed.out_avals) != 1:
            raise SpecError(
                f"the function gives {len(closed.out_avals)} arrays; explain one of them"
            )
        tracer = _Tracer()
        entered = [
            tracer.enter(name, leaf)
            for name, leaf in _leaves(given, names or _parameters(function, len(given)))
        ]
        (output,) = tracer.run(closed.jaxpr, closed.consts, entered, ())
        if not isinstance(output, int):
            output = tracer.add("constant", (), np.asarray(output), (), label="constant")
    return _pruned(tracer.named(), output)


def inside(value: Value, graph: Graph) -> Graph:
    """What an operation with a derivative of its own computes, as a graph of its operands."""
    arrays = [graph.values[o].value if isinstance(o, int) else o for o in value.operands]
    with jax.enable_x64(True):
        tracer, outputs = _inside(value.operation, value.settings, arrays)
    # Of several outputs one alone has this value; if two have, they are alike.
    number = next(
        n for n in outputs if np.array_equal(tracer.known(n), value.value, equal_nan=True)
    )
    return Graph(tuple(tracer.values), number)


def _inside(name: str, settings: Any, arrays: Sequence[Any]) -> tuple[_Tracer, list[Any]]:
    inner, constants = _opened(settings[CUSTOM[name]])
    tracer = _Tracer()
    given = [tracer.enter(f"x{place}", jnp.asarray(a)) for place, a in enumerate(arrays)]
    return tracer, tracer.run(inner, constants, given, ())


def in_doubles(leaf: Any) -> jax.Array:
    """An argument in double precision, where it is of the floating kind or a number of Python's,
    of which gradients are asked however it is written; other arrays stay as they are."""
    array = jnp.asarray(leaf)
    is_number = isinstance(leaf, int | float) and not isinstance(leaf, bool)
    if is_number or jnp.issubdtype(array.dtype, np.floating):
        return array.astype(jnp.float64)
    return array


def _parameters(function: Callable[..., Any], count: int) -> list[str]:
    """Names of the arguments of a function."""
    try:
        names = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # some functions made elsewhere have no signature
        names = []
    plain = [p.name for p in names if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return plain[:count] if len(plain) >= count else [f"x{place + 1}" for place in range(count)]


def _leaves(given: Sequence[Any], names: Sequence[str]) -> Iterator[tuple[str, jax.Array]]:
    """All arrays of the arguments by name, ``w``, or by their way in a tree, ``dense_0.kernel``."""
    for name, argument in zip(names, given, strict=True):
        for path, leaf in jax.tree_util.tree_leaves_with_path(argument):
            yield jax.tree_util.keystr(path, simple=True, separator=".") or name, leaf


class _Tracer:
    """Carries operations out, and keeps what they made."""

    def __init__(self) -> None:
        self.values: list[Value] = []
        self.given_names: dict[int, str] = {}
        self.parts: Counter[tuple[str, ...]] = Counter()

    def named(self) -> list[Value]:
        """The values, by the names they were given or by number; no name twice."""
        wanted = [
            self.given_names.get(number, value.name) for number, value in enumerate(self.values)
        ]
        often, seen = Counter(wanted), Counter[str]()
        named = []
        for name, value in zip(wanted, self.values, strict=True):
            if value.operation == "input":
                named.append(value)
                continue
            seen[name] += 1
            named.append(replace(value, name=f"{name} {seen[name]}" if often[name] > 1 else name))
        return named

    def enter(self, name: str, array: jax.Array) -> int:
        """An input."""
        return self.add("input", (), np.asarray(array), (), name=name, label=name)

    def add(
        self,
        operation: str,
        operands: tuple[Operand, ...],
        value: np.ndarray,
        groups: tuple[str, ...],
        name: str = "",
        **said: Any,
    ) -> int:
        """A value more; its number."""
        if len(self.values) >= LARGEST:
            raise SpecError(
                f"the function takes more than {LARGEST:,} operations; explain a smaller one"
            )
        number = len(self.values)
        made = Value(name or f"v{number}", operation, operands, value, groups=groups, **said)
        self.values.append(made)
        return number

    def known(self, operand: Any) -> Any:
        """The array of an operand."""
        return self.values[operand].value if isinstance(operand, int) else operand

    # ---------------------------------------------------------------------------------- operations

    def run(
        self, jaxpr: Any, constants: Sequence[Any], given: Sequence[Any], groups: tuple[str, ...]
    ) -> list[Any]:
        """Carry out a list of operations; values by number, and arrays that are constant."""
        held: dict[Any, Any] = {
            **dict(zip(jaxpr.constvars, constants, strict=True)),
            **dict(zip(jaxpr.invars, given, strict=True)),
        }
        scope: list[str] = []
        instance = groups
        for operation in jaxpr.eqns:
            own = [name for name in str(operation.source_info.name_stack).split("/") if name]
            if own != scope:
                # What is around both goes on; inner parts begin anew.
                same = (one == other for one, other in zip(own, scope, strict=False))
                shared = sum(takewhile(bool, same))
                outer = instance[: len(groups) + shared]
                scope, instance = own, self.part(outer, *own[shared:])
            operands = [_read(held, atom) for atom in operation.invars]
            made = self.step(operation, operands, instance)
            held.update(zip(operation.outvars, made, strict=True))
        return [_read(held, atom) for atom in jaxpr.outvars]

    def part(self, groups: tuple[str, ...], *names: str) -> tuple[str, ...]:
        """A named part in others; the second of a name is told apart from the first."""
        for name in filter(None, names):
            wanted = (*groups, name)
            self.parts[wanted] += 1
            groups = (
                wanted if self.parts[wanted] == 1 else (*groups, f"{name} {self.parts[wanted]}")
            )
        return groups

    def step(self, operation: Any, operands: list[Any], groups: tuple[str, ...]) -> list[Any]:
        """What one operation makes."""
        name, settings = operation.primitive.name, operation.params
        if name == "name":
            if isinstance(operands[0], int) and self.values[operands[0]].operation != "input":
                self.given_names[operands[0]] = settings["name"]
            return operands
        if not any(isinstance(operand, int) for operand in operands):
            return _outputs(_bound(operation)(*operands))
        if name in _WRAPPERS:
            inner, constants = _opened(settings[_WRAPPERS[name]])
            part = settings.get("name", "")
            within = groups if part.startswith("_") else self.part(groups, part)
            return self.run(inner, constants, operands, within)
        if name in ("copy", "copy_p", "optimization_barrier"):
            return operands
        if name in CUSTOM and _name_in(settings[CUSTOM[name]]) in OPENED:
            inner, constants = _opened(settings[CUSTOM[name]])
            return self.run(inner, constants, operands, groups)
        if name == "cond":
            branch = settings["branches"][int(self.known(operands[0]))]
            return self.run(branch.jaxpr, branch.consts, operands[1:], groups)
        if name == "scan":
            return self.scan(settings, operands, groups)
        if name == "while":
            return self.loop(settings, operands, groups)
        return self.leaf(operation, operands, groups)

    def leaf(self, operation: Any, operands: list[Any], groups: tuple[str, ...]) -> list[int]:
        """An operation that is not gone into."""
        name, settings = operation.primitive.name, operation.params
        arrays = [self.known(operand) for operand in operands]
        compute = _bound(operation)
        made = _outputs(compute(*arrays))
        constants = [None if isinstance(o, int) else np.asarray(o) for o in operands]
        labels = [label_of(name, constants, settings, place) for place in range(len(made))]
        if name in CUSTOM:
            named = _name_in(settings[CUSTOM[name]])
            labels = ["" if named in REPEATING else named] * len(made)
        kink = self.kink(name, operands, arrays, settings)
        return [
            self.add(
                name,
                tuple(o if isinstance(o, int) else np.asarray(o) for o in operands),
                np.asarray(value),
                groups,
                pull=_pull(compute, arrays, [isinstance(o, int) for o in operands], place),
                compute=lambda *other, at=place: _outputs(compute(*other))[at],
                label=labels[place],
                settings=settings,
                kink=kink,
            )
            for place, value in enumerate(made)
        ]

    def kink(self, name: str, operands: list[Any], arrays: list[Any], settings: Any) -> str:
        """Why an operation has no derivative here; of a function with a rule of its own, inside."""
        if name in CUSTOM:
            inside = _inside(name, settings, arrays)[0].values
            return next((value.kink for value in inside if value.kink), "")
        if name == "select_n":
            condition = operands[0]
            return self.values[condition].kink if isinstance(condition, int) else ""
        return kink_of(name, [np.asarray(array) for array in arrays], settings)

    # --------------------------------------------------------------------------------------- loops

    def scan(self, settings: Any, operands: list[Any], groups: tuple[str, ...]) -> list[Any]:
        """A loop over the first axis of arrays."""
        fixed, carried = settings["num_consts"], settings["num_carry"]
        shared, state = operands[:fixed], operands[fixed : fixed + carried]
        rows, inner, steps = operands[fixed + carried :], settings["jaxpr"], settings["length"]
        loop = self.part(groups, f"loop ×{steps}")
        kept: list[list[Any]] = []
        order = range(steps - 1, -1, -1) if settings["reverse"] else range(steps)
        for count, place in enumerate(order, 1):
            step = (*loop, f"step {count}")
            own = [self.computed(lambda x, at=place: x[at], f"[{place}]", (x,), step) for x in rows]
            made = self.run(inner.jaxpr, inner.consts, [*shared, *state, *own], step)
            state = made[:carried]
            kept.append(made[carried:])
        if settings["reverse"]:
            kept.reverse()
        columns = zip(*kept, strict=True)
        stacked = [
            self.computed(lambda *each: jnp.stack(each), "stack", column, groups)
            for column in columns
        ]
        return [*state, *stacked]

    def loop(self, settings: Any, operands: list[Any], groups: tuple[str, ...]) -> list[Any]:
        """A loop that runs as long as a condition holds."""
        first, second = settings["cond_nconsts"], settings["body_nconsts"]
        asked, shared = operands[:first], operands[first : first + second]
        state, count = operands[first + second :], 0
        condition, body = settings["cond_jaxpr"], settings["body_jaxpr"]
        loop = self.part(groups, "loop")
        while True:
            (goes_on,) = self.run(condition.jaxpr, condition.consts, [*asked, *state], loop)
            if not self.known(goes_on):
                return state
            count += 1
            step = (*loop, f"step {count}")
            state = self.run(body.jaxpr, body.consts, [*shared, *state], step)

    def computed(
        self,
        function: Callable[..., Any],
        label: str,
        operands: Sequence[Any],
        groups: tuple[str, ...],
    ) -> Any:
        """What a function that is no primitive makes of operands."""
        arrays = [self.known(operand) for operand in operands]
        made = function(*map(jnp.asarray, arrays))
        if not any(isinstance(operand, int) for operand in operands):
            return made
        return self.add(
            label,
            tuple(o if isinstance(o, int) else np.asarray(o) for o in operands),
            np.asarray(made),
            groups,
            pull=_pull(
                lambda *x: [function(*x)], arrays, [isinstance(o, int) for o in operands], 0
            ),
            compute=function,
            label=label,
        )


def _read(held: dict[Any, Any], atom: Any) -> Any:
    """What an operand stands for; numbers are arrays, as those of Python are numbers of values."""
    if isinstance(atom, core.Literal):
        return np.asarray(jnp.asarray(atom.val))
    return held[atom]


def _opened(inner: Any) -> tuple[Any, Sequence[Any]]:
    """The operations of a wrapper, and the constants in them."""
    return (inner.jaxpr, inner.consts) if isinstance(inner, core.ClosedJaxpr) else (inner, ())


def _name_in(inner: Any) -> str:
    """What a function with a derivative of its own is called."""
    return _opened(inner)[0].debug_info.func_name.strip("_")


def _bound(operation: Any) -> Callable[..., Any]:
    """An operation as a function of its operands."""
    given = operation.primitive.get_bind_params(operation.params)
    # Before JAX 0.10, functions in the settings came apart from them.
    functions, settings = given if isinstance(given, tuple) else ((), given)
    return lambda *operands: operation.primitive.bind(*functions, *operands, **settings)


def _outputs(made: Any) -> list[Any]:
    return list(made) if isinstance(made, list | tuple) else [made]


def _pull(
    compute: Callable[..., Any], arrays: Sequence[Any], traced: Sequence[bool], place: int
) -> Pull:
    """How an output of an operation passes a gradient back to those operands that are values."""
    floats = [
        is_traced and jnp.issubdtype(jnp.result_type(array), np.floating)
        for array, is_traced in zip(arrays, traced, strict=True)
    ]

    def of_floats(*given: Any) -> Any:
        own = iter(given)
        mixed = [next(own) if f else array for array, f in zip(arrays, floats, strict=True)]
        return _outputs(compute(*mixed))[place]

    @cache
    def prepared() -> Callable[..., Any]:
        own = [jnp.asarray(array) for array, f in zip(arrays, floats, strict=True) if f]
        return jax.vjp(of_floats, *own)[1]

    def pull(gradient: np.ndarray) -> list[np.ndarray | None]:
        with jax.enable_x64(True):
            found = iter(prepared()(jnp.asarray(gradient)))
            each = [np.asarray(next(found)) if f else None for f in floats]
        return [own for own, is_traced in zip(each, traced, strict=True) if is_traced]

    return pull


def _pruned(values: Sequence[Value], output: int) -> Graph:
    """Without what the output does not depend on; inputs stay."""
    needed = {output}
    for number in range(output, -1, -1):
        if number in needed:
            needed.update(values[number].sources)
    kept = sorted(
        needed | {number for number, value in enumerate(values) if value.operation == "input"}
    )
    numbers = {old: new for new, old in enumerate(kept)}
    return Graph(
        tuple(
            replace(
                values[old],
                operands=tuple(
                    numbers[o] if isinstance(o, int) else o for o in values[old].operands
                ),
            )
            for old in kept
        ),
        numbers[output],
    ).renamed()
