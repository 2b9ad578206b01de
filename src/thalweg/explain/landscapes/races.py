"""Races: optimizers on one landscape, from one start, each by its own rule.

What runs is what trains networks: ``Optimizer.start`` and ``step`` of the catalogue, here in double
precision. Optimizers that differ in numbers only are one compiled program, as runs of the engine
are. That one diverges is a result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.catalogue.clipping import Clipping
from thalweg.catalogue.objective import Composite
from thalweg.catalogue.optimizers.optimizer import Optimizer, evaluated
from thalweg.catalogue.schedules import Progress, settled
from thalweg.errors import SpecError
from thalweg.explain.landscapes.critical import Kind, curvature_at, kind_of
from thalweg.explain.landscapes.functions import Landscape
from thalweg.part import declarations, part_name, replace

__all__ = ["MOST_STEPS", "RATES", "Outcome", "Run", "names_of", "race", "tuned", "ways"]

#: Steps of a race, at most.
MOST_STEPS = 100_000
#: A run has diverged where it is higher than it began, by so many times that height.
FAR = 1e6
#: Where the gradient is shorter, a run rests.
FLAT = 1e-5
#: Learning rates that are tried where none is given: 1 and 3 times powers of ten.
RATES = (*(share * 10.0**power for power in range(-7, 0) for share in (1, 3)), 1.0)

Outcome: TypeAlias = Literal["arrived", "diverged", "falls without end", "rests", "moves"]


@dataclass(frozen=True, eq=False)
class Run:
    """What became of one optimizer.

    Args:
        name: of the optimizer.
        optimizer: with its numbers.
        points: where it was, the start first [step, coordinate]; those at which it had diverged
            are left out, but for the first.
        values: of the landscape there [step].
        arrived: the first step at which the value was within the tolerance of the lowest.
        slope: length of the gradient at the end.
        outcome: what happened, in a word; one that arrived may have gone on.
        rests_at: what the landscape is like where it rests.
    """

    name: str
    optimizer: Optimizer
    points: np.ndarray
    values: np.ndarray
    arrived: int | None
    slope: float
    outcome: Outcome
    rests_at: Kind | None = None

    @property
    def steps(self) -> int:
        """Steps that were taken, up to that at which it diverged."""
        return len(self.points) - 1


def race(
    landscape: Landscape,
    optimizers: Sequence[Optimizer],
    start: Sequence[float] | None = None,
    steps: int = 200,
    *,
    tolerance: float = 1e-6,
    clip: Clipping | None = None,
) -> tuple[Run, ...]:
    """Let optimizers run from one start.

    Args:
        landscape: a function of one or two numbers.
        optimizers: of the catalogue.
        start: one number for each coordinate; the landscape's own if left out.
        steps: that each takes.
        tolerance: how near the lowest value counts as arrived.
        clip: what is done to gradients before they are used.

    Raises:
        SpecError: the start has not as many numbers as the landscape, or no finite value, or there
            is nothing to run.

    Example:
        >>> from thalweg import optimizers
        >>> from thalweg.explain.landscapes import LANDSCAPES
        >>> race(LANDSCAPES["bowl"], [optimizers.GradientDescent(learning_rate=0.05)])[0].arrived
        79
    """
    begun = _checked(landscape, optimizers, start, steps)
    names = names_of(optimizers)
    taken: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for places in _alike(optimizers):
        points, values = ways(landscape, [optimizers[i] for i in places], begun, steps, clip)
        taken |= dict(zip(places, zip(points, values, strict=True), strict=True))
    return tuple(
        _judged(landscape, name, optimizer, *taken[place], tolerance)
        for place, (name, optimizer) in enumerate(zip(names, optimizers, strict=True))
    )


def _checked(
    landscape: Landscape, optimizers: Sequence[Optimizer], start: Sequence[float] | None, steps: int
) -> np.ndarray:
    begun = np.asarray(landscape.start if start is None else start, float)
    if begun.shape != (len(landscape.names),) or not np.all(np.isfinite(begun)):
        names = ", ".join(landscape.names)
        raise SpecError(
            f"a start on {landscape.name} is {len(landscape.names)} finite numbers, "
            f"for {names}; got {np.array2string(begun, separator=', ')}"
        )
    if not optimizers:
        raise SpecError("name at least one optimizer")
    if not 1 <= steps <= MOST_STEPS:
        raise SpecError(f"steps must be from 1 to {MOST_STEPS:,}, got {steps:,}")
    with jax.enable_x64(True):
        height = float(landscape(jnp.asarray(begun)))
    if not np.isfinite(height):
        at = ", ".join(f"{n}={v:g}" for n, v in zip(landscape.names, begun, strict=True))
        raise SpecError(f"{landscape.name} has no finite value at the start, {at}")
    return begun


def tuned(
    landscape: Landscape,
    optimizer: Optimizer,
    start: Sequence[float] | None = None,
    steps: int = 200,
    clip: Clipping | None = None,
) -> Optimizer:
    """An optimizer with that of ``RATES`` with which it is lowest on average over its steps.

    What diverges or falls without end does not count. An optimizer stays as it is where all do,
    where it has no learning rate, and where that is 1: the whole step of a method that knows how
    long a step should be.

    Args:
        landscape, start, steps, clip: as in ``race``.
        optimizer: of the catalogue.
    """
    own: Any = optimizer
    if "learning_rate" not in declarations(type(own)) or own.learning_rate == 1:
        return optimizer
    tried = [replace(optimizer, learning_rate=rate) for rate in RATES]
    runs = race(landscape, tried, start, steps, clip=clip)
    held = [run for run in runs if run.outcome not in ("diverged", "falls without end")]
    if not held:
        return optimizer
    return min(held, key=lambda run: run.values.mean()).optimizer


def names_of(optimizers: Sequence[Optimizer]) -> tuple[str, ...]:
    """Names of optimizers; where several are of one kind, with the fields in which they differ."""
    kinds = [part_name(optimizer) for optimizer in optimizers]

    def name(place: int) -> str:
        own, kind = optimizers[place], kinds[place]
        others = [o for o, k in zip(optimizers, kinds, strict=True) if k == kind]
        fields = [
            field
            for field in getattr(own, "__dataclass_fields__", {})
            if len({repr(getattr(other, field)) for other in others}) > 1
        ]
        said = ", ".join(f"{field} {_plain(getattr(own, field))}" for field in fields)
        return f"{kind} ({said})" if said else kind

    found = [name(place) for place in range(len(optimizers))]
    return tuple(
        f"{own}, {found[: place + 1].count(own)}" if found.count(own) > 1 else own
        for place, own in enumerate(found)
    )


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _alike(optimizers: Sequence[Optimizer]) -> list[list[int]]:
    """Places of optimizers that differ in numbers only."""
    found: dict[Any, list[int]] = {}
    for place, optimizer in enumerate(optimizers):
        found.setdefault(jax.tree.structure(optimizer), []).append(place)
    return list(found.values())


def ways(
    function: Callable[[jax.Array], jax.Array],
    optimizers: Sequence[Optimizer],
    start: np.ndarray,
    steps: int,
    clip: Clipping | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Points [optimizer, step, coordinate] and values [optimizer, step] of optimizers alike.

    Args:
        function: of one array, to be made small.
        optimizers: that differ in numbers only.
        start: where all begin [coordinate].
        steps: that each takes.
        clip: what is done to gradients before they are used.
    """

    def way(optimizer: Optimizer, begun: jax.Array) -> tuple[jax.Array, jax.Array]:
        # Its outputs are the coordinates themselves, for optimizers that ask where outputs end.
        objective = Composite(lambda point: (point, None), function)

        def body(held: tuple[Any, Any], count: jax.Array) -> tuple[Any, jax.Array]:
            point, state = held

            def limited(gradient: Any) -> Any:
                return gradient if clip is None else clip.clip(gradient, point)

            now = settled(optimizer, Progress(step=count - 1, steps=steps))
            taken = now.step(objective, point, state, count, limited)
            used = evaluated(now, taken.parameters, taken.state)
            return (taken.parameters, taken.state), used

        counts = jnp.arange(1, steps + 1)
        _, points = jax.lax.scan(body, (begun, optimizer.start(begun)), counts)
        points = jnp.concatenate([begun[None], points])
        return points, jax.vmap(function)(points)

    with jax.enable_x64(True):
        stacked = jax.tree.map(lambda *own: jnp.asarray(own, jnp.float64), *optimizers)
        # Some have no numbers to be stacked.
        together = jax.vmap(way, (0, None), axis_size=len(optimizers))
        points, values = jax.jit(together)(stacked, jnp.asarray(start))
        return np.asarray(points), np.asarray(values)


def _judged(
    landscape: Landscape,
    name: str,
    optimizer: Optimizer,
    points: np.ndarray,
    values: np.ndarray,
    tolerance: float,
) -> Run:
    """What became of an optimizer, its way cut off where that leaves the landscape."""
    height = FAR * (1 + abs(values[0]))
    known = np.isfinite(values) & np.all(np.isfinite(points), axis=1)
    lost = ~known | (np.abs(values) > height)
    first = int(lost.argmax()) if lost.any() else None
    if first is not None:
        points, values = points[: first + 1], values[: first + 1]
    near = np.zeros(len(values), bool)
    if landscape.lowest is not None:
        near = values <= landscape.lowest + tolerance
    arrived = int(near.argmax()) if near.any() else None
    if first is not None:
        falls = np.isfinite(values[-1]) and values[-1] < 0
        outcome: Outcome = "falls without end" if falls else "diverged"
        return Run(name, optimizer, points, values, arrived, np.nan, outcome)
    slope, eigenvalues = curvature_at(landscape, points[-1])
    rests = slope < FLAT
    outcome = "arrived" if near[-1] else "rests" if rests else "moves"
    return Run(
        name,
        optimizer,
        points,
        values,
        arrived,
        slope,
        outcome,
        kind_of(eigenvalues) if rests else None,
    )
