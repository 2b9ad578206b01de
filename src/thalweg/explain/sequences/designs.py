"""Designs of recurrent networks: small programs on cells of the catalogue, over a few steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.ad_checkpoint import checkpoint_name

from thalweg.catalogue.cells.cell import Cell, StepContext
from thalweg.catalogue.context import Context
from thalweg.catalogue.layers.recurrence import as_is
from thalweg.explain.words import subscript
from thalweg.part import part_name

__all__ = ["DESIGNS", "LETTERS", "UNITS", "Design", "Network", "at"]

UNITS = 2


@dataclass(frozen=True, eq=False)
class Design:
    """A way to put cells together.

    Args:
        title: what it is.
        said: what to see in it.
        loss: of a network and its arguments: weights θ, those of a second network φ, those of
            the output v, and the inputs.
        reads: whether every step has an input; the first alone where it is False.
        fed: what a cell without a state of its own is given from the step before.
        second: whether there is a second network.
    """

    title: str
    said: str
    loss: Callable[..., Any]
    reads: bool = True
    fed: Literal["", "outputs", "targets"] = ""
    second: bool = False


@dataclass(frozen=True, eq=False)
class Network:
    """A cell over some steps.

    Args:
        cell: of the catalogue, with ``UNITS`` units.
        steps: how often it is applied.
        targets: what the outputs are compared with [step].
        truncation: after so many steps no gradient goes back further; never where None.
        unravel: makes the parameters of the cell of a vector.
    """

    cell: Cell
    steps: int
    targets: np.ndarray
    truncation: int | None
    unravel: Callable[[Any], Any]

    @property
    def scope(self) -> str:
        """What steps of the cell are called in graphs."""
        return part_name(self.cell)

    def start(self) -> dict[str, Any]:
        """States before the first step, all 0."""
        return {name: jnp.zeros(width) for name, width in self.cell.states(UNITS).items()}

    def step(
        self,
        weights: Any,
        inputs: Sequence[Any],
        state: dict[str, Any],
        mark: str,
        context: Context | None = None,
    ) -> dict[str, Any]:
        """One step of the cell, as one value for each state; ``mark`` is put to their letters."""
        context = context or Context("evaluate")
        with jax.named_scope(self.scope):
            held = self.unravel(weights)
            z = self.cell.project(held, jnp.stack(inputs)[None, None], context)[0, 0]
            z = z + held["bias"] if "bias" in held else z
            new = self.cell.step(StepContext(held, context, as_is, None, {}, {}), z, state)
            return {
                name: checkpoint_name(value, f"{LETTERS[name]}{mark}")
                for name, value in new.items()
            }

    def output(self, readout: Any, states: Sequence[Any], t: int) -> Any:
        """o = v · h + c, of one state or of two side by side."""
        with jax.named_scope("output"):
            h = jnp.concatenate(list(states))
            return checkpoint_name(jnp.dot(readout[:-1], h) + readout[-1], at("o", t))

    def cost(self, o: Any, t: int) -> Any:
        """L = ½ (o − y)²."""
        with jax.named_scope("loss"):
            made = 0.5 * (jnp.reshape(o, ()) - self.targets[t - 1]) ** 2
            return checkpoint_name(made, at("L", t))


# What states are called.
LETTERS = {"hidden": "h", "cell": "c", "output": "o"}


def at(letter: str, t: int) -> str:
    """A letter with the number of a step below it."""
    return f"{letter}{subscript(t)}"


def _added(losses: Sequence[Any]) -> Any:
    if len(losses) == 1:
        return losses[0]
    return checkpoint_name(sum(losses[1:], losses[0]), "L")


def _first(state: dict[str, Any]) -> Any:
    return next(iter(state.values()))


def _run(
    n: Network, weights: Any, xs: Sequence[Any], prefix: str = "", turned: bool = False
) -> list[dict[str, Any]]:
    """The states of all steps, in the order of time."""
    state, found = n.start(), []
    order = range(len(xs), 0, -1) if turned else range(1, len(xs) + 1)
    for place, t in enumerate(order):
        with jax.named_scope(f"{prefix}step {t}"):
            if n.truncation and place and place % n.truncation == 0:
                state = jax.lax.stop_gradient(state)
            arrow = {"forward, ": "→", "backward, ": "←"}.get(prefix, "")
            mark = f"{arrow}{subscript(t)}"
            state = n.step(weights, [xs[t - 1]], state, mark)
        found.append(state)
    return found[::-1] if turned else found


def _every_step(n: Network, θ: Any, v: Any, *xs: Any) -> Any:
    losses = []
    for t, state in enumerate(_run(n, θ, xs), 1):
        with jax.named_scope(f"step {t}"):
            losses.append(n.cost(n.output(v, [_first(state)], t), t))
    return _added(losses)


def _last(n: Network, θ: Any, v: Any, *xs: Any) -> Any:
    state = _run(n, θ, xs)[-1]
    return n.cost(n.output(v, [_first(state)], n.steps), n.steps)


def _generating(n: Network, θ: Any, v: Any, *xs: Any) -> Any:
    state, x, losses = n.start(), xs[0], []
    for t in range(1, n.steps + 1):
        with jax.named_scope(f"step {t}"):
            state = n.step(θ, [x], state, subscript(t))
            x = n.output(v, [_first(state)], t)
            losses.append(n.cost(x, t))
    return _added(losses)


def _by_outputs(n: Network, θ: Any, *xs: Any) -> Any:
    state, losses = n.start(), []
    for t, x in enumerate(xs, 1):
        with jax.named_scope(f"step {t}"):
            state = n.step(θ, [x], state, subscript(t))
            losses.append(n.cost(_first(state), t))
    return _added(losses)


def _taught(n: Network, θ: Any, *xs: Any) -> Any:
    losses, target = [], 0.0
    for t, x in enumerate(xs, 1):
        with jax.named_scope(f"step {t}"):
            state = n.step(θ, [x, target], n.start(), subscript(t), Context("train"))
            losses.append(n.cost(_first(state), t))
            target = float(n.targets[t - 1])
    return _added(losses)


def _both_ways(n: Network, θ: Any, φ: Any, v: Any, *xs: Any) -> Any:
    ahead, back = _run(n, θ, xs, "forward, "), _run(n, φ, xs, "backward, ", turned=True)
    losses = []
    for t, (one, other) in enumerate(zip(ahead, back, strict=True), 1):
        with jax.named_scope(f"step {t}"):
            losses.append(n.cost(n.output(v, [_first(one), _first(other)], t), t))
    return _added(losses)


def _translating(n: Network, θ: Any, φ: Any, v: Any, *xs: Any) -> Any:
    context = _run(n, θ, xs, "encoder, ")[-1]
    state, x, losses = context, jnp.zeros(()), []
    for t in range(1, n.steps + 1):
        with jax.named_scope(f"decoder, step {t}"):
            state = n.step(φ, [x], state, f"′{subscript(t)}")
            x = n.output(v, [_first(state)], t)
            losses.append(n.cost(x, t))
    return _added(losses)


DESIGNS = {
    "every-step": Design(
        "an output at every step (many to many)",
        "Every state is handed to the next step and to its own output; so its gradient comes back "
        "by two routes.",
        _every_step,
    ),
    "last": Design(
        "one output, after the last step (many to one)",
        "Only the last state has an output; all that earlier ones learn comes through the steps "
        "after them.",
        _last,
    ),
    "generate": Design(
        "every output is the next input (one to many)",
        "Only the first step has an input; from then on the network reads what it gave out.",
        _generating,
        reads=False,
    ),
    "outputs": Design(
        "the output, and nothing else, goes to the next step",
        "What a step hands on is what it gives out, so the state is no richer than the output.",
        _by_outputs,
        fed="outputs",
    ),
    "teacher-forcing": Design(
        "the target of a step goes to the next one",
        "While it is trained, every step is given the right output of the one before. No step "
        "waits for another, and no gradient crosses from one to the next.",
        _taught,
        fed="targets",
    ),
    "bidirectional": Design(
        "a state from each direction (bidirectional)",
        "One row of states goes ahead in time, one goes back; an output sees all inputs.",
        _both_ways,
        second=True,
    ),
    "encoder-decoder": Design(
        "the last state of one network starts another (encoder and decoder)",
        "All that the decoder knows of the inputs is in one state, through which all gradients of "
        "the encoder pass.",
        _translating,
        second=True,
    ),
}
