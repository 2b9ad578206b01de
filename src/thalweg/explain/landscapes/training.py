"""The loss of a network as a landscape: the way of its training, slices, and its curvature."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.optimizers.optimizer import Optimizer
from thalweg.catalogue.schedules import Progress, settled
from thalweg.data.dataset import Dataset
from thalweg.errors import SpecError
from thalweg.explain.explanation import Explanation
from thalweg.explain.landscapes.critical import CriticalPoint, curvature_at, sharpness
from thalweg.explain.landscapes.fields import downwards
from thalweg.explain.landscapes.pages import levels_of
from thalweg.explain.landscapes.slices import (
    Plane,
    along_line,
    gradients_on,
    over_plane,
    principal_plane,
    random_plane,
)
from thalweg.part import part_name
from thalweg.report import parts
from thalweg.report.words import count, short

__all__ = ["Training", "of_training", "started", "trained", "way"]

#: Points of a slice along each coordinate.
POINTS = 41
#: Hessians of more parameters are not written out.
MOST_PARAMETERS = 600
MOMENTS = 4


@dataclass(frozen=True, eq=False)
class Training:
    """A network on its way, all rows in every step.

    Args:
        network: with its outputs given.
        loss: of outputs and targets, by row.
        data: what it learns.
        optimizer: that moves it.
        like: its parameters at first, as a tree.
        state: what the network holds beside them.
        points: parameters before the first step and after each [step, parameter].
        values: of the loss there [step].
    """

    network: Any
    loss: Any
    data: Dataset
    optimizer: Optimizer
    like: Any
    state: Any
    points: np.ndarray
    values: np.ndarray

    def objective(self, parameters: Any) -> jax.Array:
        """The mean loss over all rows."""
        return _mean_loss(self.network, self.loss, self.data, self.state, parameters)

    @cached_property
    def _unravel(self) -> Any:
        with jax.enable_x64(True):
            return ravel_pytree(self.like)[1]

    def parameters(self, step: int) -> Any:
        """Parameters after a step, as a tree."""
        with jax.enable_x64(True):
            return self._unravel(jnp.asarray(self.points[step]))


def _mean_loss(network: Any, loss: Any, data: Dataset, state: Any, parameters: Any) -> jax.Array:
    inputs = jnp.asarray(np.asarray(data.inputs), jax.tree.leaves(parameters)[0].dtype)
    outputs, _ = network.apply(Variables(parameters, state), inputs, Context("evaluate"))
    return loss(outputs, jnp.asarray(np.asarray(data.targets))).mean()


def trained(
    network: Any,
    loss: Any,
    data: Dataset,
    optimizer: Optimizer,
    steps: int = 300,
    seed: int = 0,
) -> Training:
    """Train a network with all rows in every step, in double precision, and keep every step.

    Args:
        network: of the catalogue, with its outputs given.
        loss: of the catalogue.
        data: that is held in memory.
        optimizer: of the catalogue.
        steps: that are taken.
        seed: of the parameters at first.

    Raises:
        SpecError: the data lie on disk, or the way diverged.
    """
    if data.is_stored:
        raise SpecError("a slice needs its data in memory; take some rows of what lies on disk")
    with jax.enable_x64(True):
        begun, state = started(network, data, jax.random.key(seed, impl="threefry2x32"))
        walk = jax.jit(lambda at: way(network, loss, data, optimizer, steps, at, state))
        points, values = map(np.asarray, walk(begun))
    if not np.all(np.isfinite(points)):
        raise SpecError(f"{part_name(optimizer)} diverged; a lower learning rate may hold it")
    return Training(network, loss, data, optimizer, begun, state, points, values)


def started(network: Any, data: Dataset, key: jax.Array) -> tuple[Any, Any]:
    """Parameters and state of a network before its first step."""
    made = network.init(key, jnp.asarray(np.asarray(data.inputs[:1]), jnp.float64))
    return jax.tree.map(lambda leaf: leaf.astype(jnp.float64), made.parameters), made.state


def way(
    network: Any,
    loss: Any,
    data: Dataset,
    optimizer: Optimizer,
    steps: int,
    begun: Any,
    state: Any,
) -> tuple[jax.Array, jax.Array]:
    """Parameters [step, parameter] and losses [step], the first and each after a step.

    Args:
        network, loss, data, optimizer, steps: as in ``trained``.
        begun, state: from ``started``.
    """

    def objective(parameters: Any) -> tuple[jax.Array, None]:
        return _mean_loss(network, loss, data, state, parameters), None

    def body(held: tuple[Any, Any], number: jax.Array) -> tuple[Any, Any]:
        now = settled(optimizer, Progress(step=number - 1, steps=steps))
        taken = now.step(objective, *held, number)
        return (taken.parameters, taken.state), (ravel_pytree(held[0])[0], objective(held[0])[0])

    counts = jnp.arange(1, steps + 1)
    (last, _), (points, values) = jax.lax.scan(body, (begun, optimizer.start(begun)), counts)
    ends = ravel_pytree(last)[0][None], objective(last)[0]
    return jnp.concatenate([points, ends[0]]), jnp.append(values, ends[1])


# -------------------------------------------------------------------------------------------- pages


def of_training(
    network: Any,
    loss: Any,
    data: Dataset,
    optimizer: Optimizer,
    steps: int = 300,
    seed: int = 0,
) -> Explanation:
    """A page about the loss of a network: its way, slices through it, and its curvature.

    Args:
        network, loss, data, optimizer, steps, seed: as in ``trained``.

    Raises:
        SpecError: the data lie on disk, or the way diverged.
    """
    own = trained(network, loss, data, optimizer, steps, seed)
    other = trained(network, loss, data, optimizer, steps, seed + 1)
    plane = principal_plane(own.points)
    beside = random_plane(own.parameters(-1), seed)
    kinds = [_curvature(own, step) for step in (0, len(own.points) - 1)]
    far = plane.distances(own.points)
    sections = [
        parts.Section("The way in its plane", tuple(_way(own, plane, far))),
        *_moments(own, plane),
        parts.Section("Along random directions", (_chance(own, beside),)),
        parts.Section("Between two solutions", (_between(own, other),)),
        parts.Section("Curvature", (_curvatures(own, kinds),)),
    ]
    size = own.points.shape[1]
    title = f"The loss of {part_name(network)} with {count(size, 'parameter')}"
    page = parts.Page(title, tuple(sections), f"{steps} steps of {part_name(optimizer)}")
    return Explanation(page, _data(own, plane, far, kinds))


def _extent(places: np.ndarray) -> tuple[float, float, float, float]:
    """What is looked at about places of a plane, with air about it."""
    low, high = places.min(axis=0), places.max(axis=0)
    air = 0.25 * np.maximum(high - low, 0.5 * (high - low).max())
    (x0, y0), (x1, y1) = low - air, high + air
    return float(x0), float(x1), float(y0), float(y1)


def _sliced(
    own: Training, plane: Plane, extent: tuple[float, float, float, float], **more: Any
) -> parts.ContourPanel:
    x0, x1, y0, y1 = extent
    across, up = np.linspace(x0, x1, POINTS), np.linspace(y0, y1, POINTS)
    grid = over_plane(own.objective, own.like, plane, across, up)
    named = [
        f"{name} direction ({100 * share:.0f} %)"
        for name, share in zip(("first", "second"), plane.explained, strict=False)
    ] or ["first direction", "second direction"]
    x, y = map(parts.Axis, named)
    return parts.ContourPanel("", x, y, grid, extent, levels_of(grid), **more)


def _way(own: Training, plane: Plane, far: np.ndarray) -> Iterator[parts.Part]:
    places = plane.coordinates(own.points)
    extent = _extent(places)
    trail = parts.Trail(part_name(own.optimizer), places)
    panel = _sliced(own, plane, extent, trails=(trail,), arrows=_arrows(own, plane, extent))
    share = 100 * sum(plane.explained)
    caption = (
        f"The plane in which the way spreads most holds {share:.1f} % of its variance. Lines "
        "are of equal loss in the plane; arrows point down in it, the longer the steeper. The way "
        f"is drawn as projected into it: it is up to {short(float(far.max()))} away from the "
        f"plane, {short(float(far[-1]))} at the end."
    )
    yield parts.Figure("The way in its plane", caption, (panel,))
    steps = tuple(map(float, range(len(far))))
    step = parts.Axis("step", whole=True)
    value = parts.LinePanel(
        "Loss", step, parts.Axis("loss", "log"), (parts.Line("loss", steps, tuple(own.values)),)
    )
    distance = parts.LinePanel(
        "Distance from the plane",
        step,
        parts.Axis("distance", low=0.0),
        (parts.Line("distance", steps, tuple(far), series=1),),
    )
    yield parts.Figure("Over the steps", "Of the way itself.", (value, distance), 2)


def _arrows(
    own: Training, plane: Plane, extent: tuple[float, float, float, float]
) -> tuple[parts.Arrow, ...]:
    def gradients(places: np.ndarray) -> np.ndarray:
        return gradients_on(own.objective, own.like, plane, places)

    return downwards(gradients, extent, "downwards in the plane")


def _moments(own: Training, plane: Plane) -> Iterator[parts.Section]:
    """Where in the plane the network is, and what it says there of the plane of its inputs."""
    if np.asarray(own.data.inputs).shape[1:] != (2,) or own.data.task != "binary":
        return
    last = len(own.points) - 1
    steps = [round(last * share**2) for share in np.linspace(0, 1, MOMENTS)]
    places = plane.coordinates(own.points)
    extent = _extent(places)
    ground = _sliced(own, plane, extent)
    panels: list[parts.Panel] = []
    for step in steps:
        trail = parts.Trail(part_name(own.optimizer), places[: step + 1])
        loss = f"loss {short(float(own.values[step]))}"
        panels += [
            parts.ContourPanel(
                f"After {count(step, 'step')}",
                parts.Axis("first direction"),
                parts.Axis("second direction"),
                ground.grid,
                extent,
                ground.levels,
                (trail,),
                note=loss,
            ),
            _boundary(own, step),
        ]
    caption = (
        "Left the landscape, which stays as it is: only the place on it changes. Right the "
        "probability that the network gives to the classes from there."
    )
    figure = parts.Figure("Place and decision", caption, tuple(panels), 2)
    yield parts.Section("Place and decision", (figure,))


def _boundary(own: Training, step: int) -> parts.BoundaryPanel:
    inputs = np.asarray(own.data.inputs, float)
    low, high = inputs.min(axis=0) - 0.3, inputs.max(axis=0) + 0.3
    axes = [np.linspace(a, b, 60) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes), -1).reshape(-1, 2)
    with jax.enable_x64(True):
        variables = Variables(own.parameters(step), own.state)
        outputs, _ = own.network.apply(variables, jnp.asarray(grid), Context("evaluate"))
        shares = np.asarray(own.loss.probabilities(outputs)).reshape(60, 60, -1)
    if shares.shape[-1] == 1:
        shares = np.concatenate([1 - shares, shares], axis=-1)
    extent = (float(low[0]), float(high[0]), float(low[1]), float(high[1]))
    pixels = np.round(255 * shares).astype(np.uint8)
    labels = np.asarray(own.data.targets)
    return parts.BoundaryPanel(
        f"After {count(step, 'step')}", pixels, extent, inputs, labels, np.ones(len(labels), bool)
    )


def _chance(own: Training, plane: Plane) -> parts.Figure:
    panel = _sliced(own, plane, (-1.0, 1.0, -1.0, 1.0), marks=(parts.Mark(0, 0, "point", "end"),))
    caption = (
        "About the end, along two random directions whose filters are as long as those of the "
        "network; 1 is a change as large as the network itself."
    )
    return parts.Figure("Along random directions", caption, (panel,))


def _between(own: Training, other: Training) -> parts.Figure:
    shares = np.linspace(-0.5, 1.5, 101)
    values = along_line(own.objective, own.parameters(-1), other.parameters(-1), shares)
    line = parts.Line("loss", tuple(shares.tolist()), tuple(values.tolist()))
    ends = [values[np.abs(shares - end).argmin()] for end in (0, 1)]
    barrier = float(values[(shares >= 0) & (shares <= 1)].max() - max(ends))
    caption = (
        "From the end of this way (0) straight on to that of another seed (1): a barrier of "
        f"{short(max(barrier, 0.0))} above the higher of the two."
    )
    panel = parts.LinePanel("", parts.Axis("share of the way"), parts.Axis("loss"), (line,))
    return parts.Figure("Between two solutions", caption, (panel,))


def _curvature(own: Training, step: int) -> tuple[int, float, float, CriticalPoint | None]:
    """A step, length of the gradient, sharpness, and all eigenvalues where they are few."""
    at = own.parameters(step)
    with jax.enable_x64(True):
        largest = sharpness(own.objective, at)
    if own.points.shape[1] > MOST_PARAMETERS:
        slope = float(np.linalg.norm(ravel_pytree(jax.grad(own.objective)(at))[0]))
        return step, slope, largest, None
    slope, eigenvalues = curvature_at(own.objective, at)
    point = CriticalPoint(own.points[step], float(own.values[step]), eigenvalues)
    return step, slope, largest, point


def _curvatures(
    own: Training, kinds: Sequence[tuple[int, float, float, CriticalPoint | None]]
) -> parts.Table:
    rows = tuple(
        (
            str(step),
            short(float(own.values[step]), 4),
            short(slope),
            short(largest, 4),
            "" if point is None else f"{point.index} of {len(point.eigenvalues)}",
        )
        for step, slope, largest, point in kinds
    )
    caption = (
        "The Hessian at the start and at the end, where the gradient is not quite zero. Sharpness "
        "is its largest eigenvalue, by Lanczos' method."
    )
    columns = ("step", "loss", "‖∇‖", "sharpness", "negative eigenvalues")
    return parts.Table(columns, rows, "rrrrr", caption)


def _data(
    own: Training,
    plane: Plane,
    far: np.ndarray,
    kinds: Sequence[tuple[int, float, float, CriticalPoint | None]],
) -> dict[str, Any]:
    return {
        "values": own.values.tolist(),
        "explained": list(plane.explained),
        "coordinates": plane.coordinates(own.points).tolist(),
        "distances": far.tolist(),
        "curvature": [
            {
                "step": step,
                "slope": slope,
                "sharpness": largest,
                "eigenvalues": None if point is None else point.eigenvalues.tolist(),
            }
            for step, slope, largest, point in kinds
        ],
    }
