"""Updates: every quantity of every step of an optimizer, by the symbols of textbooks.

What is shown is what the engine runs: the optimizer of the catalogue takes its steps in double
precision, and its state and its intermediate quantities are read off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.catalogue.card import card
from thalweg.catalogue.optimizers.optimizer import Optimizer
from thalweg.errors import SpecError
from thalweg.explain.explanation import Explanation
from thalweg.explain.words import amount
from thalweg.part import part_name
from thalweg.report import parts

__all__ = ["SYMBOLS", "UpdateStep", "steps_of", "update"]

#: Steps that are written out: the first and the last of many.
FIRST, LAST = 20, 3
#: Symbols and meanings of quantities, by what optimizers call them.
SYMBOLS: Mapping[str, tuple[str, str]] = {
    "average": ("", "average"),
    "changes": ("y", "changes of the gradient"),
    "columns": ("c", "average of g² for each column"),
    "corrected_first_moment": ("m̂", "corrected first moment"),
    "corrected_second_moment": ("v̂", "corrected second moment"),
    "curvature": ("h", "curvature"),
    "damping": ("λ", "damping"),
    "direction": ("d", "direction"),
    "effective_learning_rate": ("", "effective learning rate"),
    "fall": ("", "slope along the direction"),
    "first": ("m", "first moment"),
    "fresh": ("", "1 where the estimate begins anew"),
    "free": ("z", "parameters of the inner optimizer"),
    "gradient": ("g₋", "gradient, for the next step"),
    "inverse": ("B", "estimate of the inverse Hessian"),
    "inverses": ("1/yᵀs", "of the steps that are remembered"),
    "largest": ("u", "largest second moment"),
    "length": ("Δ", "length of the step"),
    "mean": ("ḡ", "average gradient"),
    "product": ("", "product of the momenta so far"),
    "rate": ("ε", "learning rate of each parameter"),
    "rows": ("r", "average of g² for each row"),
    "second": ("v", "second moment"),
    "slow": ("φ", "slow parameters"),
    "square": ("s", "sum or average of g²"),
    "square_step": ("d", "average of squared steps"),
    "step_length": ("t", "length of the step"),
    "steps": ("s", "steps that are remembered"),
    "total": ("a", "sum of gradients so far"),
    "trust_ratio": ("", "‖θ‖ over ‖u‖"),
    "velocity": ("v", "velocity"),
}


@dataclass(frozen=True, eq=False)
class UpdateStep:
    """One step.

    Args:
        value: the objective before it; None where gradients were given.
        gradient: that was used.
        quantities: state after the step and what was computed on the way, by name.
        increment: what was added to the parameters.
        parameters: after the step.
    """

    value: float | None
    gradient: np.ndarray
    quantities: Mapping[str, np.ndarray]
    increment: np.ndarray
    parameters: np.ndarray


def steps_of(
    optimizer: Optimizer,
    start: Any,
    *,
    gradients: Sequence[Any] | None = None,
    function: Callable[[jax.Array], jax.Array] | None = None,
    steps: int | None = None,
) -> tuple[UpdateStep, ...]:
    """The steps of one optimizer, in double precision.

    Args:
        optimizer: of the catalogue.
        start: the parameters, a number or an array.
        gradients: one for each step, whatever the parameters are; or
        function: of the parameters, to be made small in so many ``steps``.

    Raises:
        SpecError: neither is given, or both are; or the optimizer cannot do with it.
    """
    if (gradients is None) == (function is None):
        raise SpecError("give either gradients or a function to make small")
    with jax.enable_x64(True):
        parameters = jnp.asarray(start, jnp.float64)
        state = optimizer.start(parameters)
        given = [None] * (steps or 1) if gradients is None else [*map(jnp.asarray, gradients)]

        @jax.jit
        def once(parameters: jax.Array, state: Any, count: jax.Array, gradient: Any) -> Any:
            own = function if gradient is None else _linear(gradient.astype(jnp.float64))
            assert own is not None
            return optimizer.step(lambda at: (own(at), None), parameters, state, count)

        found = []
        for count, gradient in enumerate(given, 1):
            step = once(parameters, state, jnp.asarray(count), gradient)
            moved = np.asarray(step.parameters)
            found.append(
                UpdateStep(
                    float(step.value) if gradient is None else None,
                    np.asarray(step.gradient),
                    dict(_named(step.state, step.quantities)),
                    moved - np.asarray(parameters),
                    moved,
                )
            )
            parameters, state = step.parameters, step.state
    return tuple(found)


def _linear(gradient: jax.Array) -> Callable[[jax.Array], jax.Array]:
    """A function that has this gradient everywhere."""
    return lambda at: jnp.sum(gradient * at)


def _named(*trees: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Arrays of a state and of quantities by the last name on the way to each."""
    for tree in trees:
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
            names = [key.key for key in path if isinstance(key, jax.tree_util.DictKey)]
            if names:
                yield str(names[-1]), np.asarray(leaf)


def update(
    optimizers: Sequence[Optimizer],
    start: Any = 0.0,
    *,
    gradients: Sequence[Any] | None = None,
    function: Callable[[jax.Array], jax.Array] | None = None,
    steps: int | None = None,
    title: str = "",
) -> Explanation:
    """The steps of some optimizers side by side; see ``steps_of``.

    Args:
        optimizers: to be compared.
        title: of the page; what is done, if left out.

    Example:
        >>> from thalweg import optimizers
        >>> said = update([optimizers.Adam(learning_rate=0.1)], gradients=[1.0])
        >>> said.data["optimizers"][0]["steps"][0]["quantities"]["corrected_first_moment"]
        1.0
    """
    names = _names(optimizers)
    taken = {
        name: steps_of(optimizer, start, gradients=gradients, function=function, steps=steps)
        for name, optimizer in zip(names, optimizers, strict=True)
    }
    count = len(next(iter(taken.values())))
    shown = [place for place in range(count) if place < FIRST or place >= count - LAST]
    sections = [
        parts.Section("Rules", tuple(_rules(names, optimizers))),
        *(
            parts.Section(
                f"Step {place + 1}", (_table({n: own[place] for n, own in taken.items()}),)
            )
            for place in shown
        ),
    ]
    if len(shown) < count:
        text = f"Of {count:,} steps the first {FIRST} and the last {LAST} are shown."
        sections.insert(1, parts.Section("Steps", (parts.Paragraph(text, "note"),)))
    if count > 1:
        sections.append(parts.Section("All steps", (_figure(taken, start),)))
    page = parts.Page(title or f"{count} steps of {', '.join(names)}", tuple(sections))
    return Explanation(page, _data(names, optimizers, taken, start))


def _names(optimizers: Sequence[Optimizer]) -> list[str]:
    """Names of optimizers; where two are of one kind, with what they were given."""
    kinds = [part_name(optimizer) for optimizer in optimizers]
    return [
        kind if kinds.count(kind) == 1 else repr(optimizer)
        for kind, optimizer in zip(kinds, optimizers, strict=True)
    ]


def _rules(names: Sequence[str], optimizers: Sequence[Optimizer]) -> Iterator[parts.Part]:
    for name, optimizer in zip(names, optimizers, strict=True):
        said = card(type(optimizer))
        formula = said.sections.get("Formula", "")
        yield parts.Facts(((name, said.summary), ("rule", formula), ("here", repr(optimizer))))


def _table(steps: Mapping[str, UpdateStep]) -> parts.Table:
    held = {name: _rows(step) for name, step in steps.items()}
    quantities = dict.fromkeys(quantity for rows in held.values() for quantity in rows)
    order = sorted(quantities, key=lambda q: (q[0] in ("Δθ", "θ"), q[0] == "θ"))
    rows = tuple(
        (symbol, meaning, *(own.get((symbol, meaning), "") for own in held.values()))
        for symbol, meaning in order
    )
    return parts.Table(("", "", *steps), rows, "ll" + "r" * len(steps))


def _rows(step: UpdateStep) -> dict[tuple[str, str], str]:
    """What a step says, by symbol and meaning."""
    rows = {} if step.value is None else {("f", "objective before"): amount(np.asarray(step.value))}
    rows["g", "gradient"] = amount(step.gradient)
    for name, array in step.quantities.items():
        rows[SYMBOLS.get(name, ("", name.replace("_", " ")))] = amount(array)
    rows["Δθ", "increment"] = amount(step.increment)
    rows["θ", "parameters after"] = amount(step.parameters)
    return rows


def _figure(taken: Mapping[str, Sequence[UpdateStep]], start: Any) -> parts.Figure:
    """Parameters, or where there are several their distance from the start, over steps."""
    begun = np.asarray(start, float)
    alone = all(step.parameters.size == 1 for own in taken.values() for step in own)

    def place(parameters: np.ndarray) -> float:
        return float(parameters.reshape(())) if alone else float(np.linalg.norm(parameters - begun))

    lines = tuple(
        parts.Line(
            name,
            tuple(range(len(own) + 1)),
            (float(begun.reshape(())) if alone else 0.0, *(place(s.parameters) for s in own)),
            series=number,
        )
        for number, (name, own) in enumerate(taken.items())
    )
    y = parts.Axis("θ" if alone else "distance from the start")
    panel = parts.LinePanel("", parts.Axis("step", whole=True), y, lines)
    return parts.Figure("Way", "Where the parameters are after each step.", (panel,))


def _data(
    names: Sequence[str],
    optimizers: Sequence[Optimizer],
    taken: Mapping[str, Sequence[UpdateStep]],
    start: Any,
) -> dict[str, Any]:
    return {
        "start": np.asarray(start, float).tolist(),
        "optimizers": [
            {
                "name": name,
                "optimizer": repr(optimizer),
                "steps": [
                    {
                        "value": step.value,
                        "gradient": step.gradient.tolist(),
                        "quantities": {k: array.tolist() for k, array in step.quantities.items()},
                        "increment": step.increment.tolist(),
                        "parameters": step.parameters.tolist(),
                    }
                    for step in taken[name]
                ],
            }
            for name, optimizer in zip(names, optimizers, strict=True)
        ],
    }
