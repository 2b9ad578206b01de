"""What counts in a batch, and what is measured of outputs, for each task.

``MEASURED`` has a row for every task: what is measured of a row of the data inside a program, whose
sums over the rows of a split it gives back, and the metrics that are made of these sums.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from thalweg.catalogue.losses.loss import Loss, decided, log_probabilities
from thalweg.catalogue.networks.gan import SCORES
from thalweg.catalogue.preprocessing.scaling import Affine
from thalweg.tasks import FACTS, ByTask, Task

__all__ = [
    "classes",
    "default_metric",
    "higher_is_better",
    "mean",
    "metric_names",
    "metrics",
    "of_rows",
]

ENERGY = SCORES.index("energy")


def mean(task: Task, losses: Array, targets: Array, weights: Array | None) -> Array:
    """The mean of the losses of a mini-batch, over what counts.

    Args:
        task: of the data.
        losses: of rows [row], or of steps or nodes [row, time].
        targets: of the mini-batch.
        weights: of the rows, or None where all count alike.
    """
    if FACTS[task].has_steps:
        steps = (targets >= 0).astype(losses.dtype)
        weights = steps if weights is None else steps * weights[:, None]
    return losses.mean() if weights is None else (weights * losses).sum() / weights.sum()


def of_rows(
    task: Task, loss: Loss, outputs: Array, targets: Array, scaling: Affine | None
) -> Array:
    """What is measured of some rows, [row, quantity]."""
    return jnp.stack(MEASURED[task].of_rows(loss, outputs, targets, scaling), axis=-1)


def classes(loss: Loss, outputs: Array) -> Array:
    """The classes decided for, int32 [row] or [row, time]: the likeliest, or as the loss says."""
    own: Any = loss
    if hasattr(own, "decided"):
        return own.decided(outputs)
    return decided(loss.probabilities(outputs))


def metrics(
    task: Task, sums: np.ndarray, counts: np.ndarray, spread: np.ndarray
) -> dict[str, np.ndarray]:
    """Metrics of one split by name, float64 [run].

    Args:
        task: of the data.
        sums: of what ``of_rows`` measured, [run, quantity].
        counts: of targets that count, [run].
        spread: sums of squares of the targets around their mean, [run].
    """
    made = {name: of(Sums(sums, counts, spread)) for name, of in MEASURED[task].metrics.items()}
    return {name: values for name, values in made.items() if values is not None}


def metric_names(task: Task) -> tuple[str, ...]:
    """The metrics of a task."""
    return tuple(MEASURED[task].metrics)


def default_metric(task: Task) -> str:
    """What runs are compared by where nothing is said."""
    return MEASURED[task].compared_by


def higher_is_better(metric: str) -> bool:
    """The direction of a metric, named with its split: ``test.accuracy``."""
    return metric.partition(".")[2] in ("accuracy", "root_accuracy", "r2")


# ---------------------------------------------------------------------- quantities, inside programs


def _of_classes(loss: Loss, outputs: Array, targets: Array, scaling: Affine | None) -> list[Array]:
    """The loss, and whether the class was hit."""
    hits = decided(loss.probabilities(outputs)) == targets
    return [loss(outputs, targets), hits.astype(outputs.dtype)]


def _of_numbers(loss: Loss, outputs: Array, targets: Array, scaling: Affine | None) -> list[Array]:
    """The loss, and the squared error in the units of the data."""
    unit = 1.0 if scaling is None else scaling.scale
    errors = (loss.probabilities(outputs) - targets) / unit
    return [loss(outputs, targets), jnp.mean(errors**2, axis=-1)]


def _of_tokens(loss: Loss, outputs: Array, targets: Array, scaling: Affine | None) -> list[Array]:
    """Over all steps that count: losses, how many were hit, and negative log-probabilities."""
    hits, surprise = classes(loss, outputs) == targets, _surprise(loss, outputs, targets)
    return _over_steps(targets, loss(outputs, targets), hits, surprise)


def _of_nodes(loss: Loss, outputs: Array, targets: Array, scaling: Affine | None) -> list[Array]:
    """Over all nodes that count: losses, how many were hit, whether the root was, and 1 for it."""
    counts, hits = targets >= 0, classes(loss, outputs) == targets
    # Every root has a target, and is the last node that has one.
    root = counts & (jnp.cumsum(counts[:, ::-1], axis=-1)[:, ::-1] == 1)
    return _over_steps(targets, loss(outputs, targets), hits, root & hits, root)


def _of_samples(loss: Loss, outputs: Array, targets: Array, scaling: Affine | None) -> list[Array]:
    """The loss, and the energy score: how far a row is from a sample, less half of how far samples
    are from one another.
    """
    return [loss(outputs, targets), outputs[:, ENERGY]]


def _over_steps(targets: Array, *each: Array) -> list[Array]:
    return [jnp.where(targets >= 0, one, 0).sum(axis=-1) for one in each]


def _surprise(loss: Any, outputs: Array, targets: Array) -> Array:
    """Negative log-probabilities of tokens; those of softmax, unless the loss has others."""
    if hasattr(loss, "surprise"):
        return loss.surprise(outputs, targets)
    log_p = log_probabilities(outputs)
    return -jnp.take_along_axis(log_p, jnp.maximum(targets, 0)[..., None], -1)[..., 0]


# ------------------------------------------------------------------------------- metrics, from sums


class Sums(NamedTuple):
    """What metrics are made of; see ``metrics``."""

    sums: np.ndarray
    counts: np.ndarray
    spread: np.ndarray


def _mean_of(quantity: int) -> Callable[[Sums], np.ndarray]:
    return lambda of: of.sums[:, quantity] / of.counts


def _rmse(of: Sums) -> np.ndarray:
    return np.sqrt(of.sums[:, 1] / of.counts)


def _r2(of: Sums) -> np.ndarray | None:
    return 1 - of.sums[:, 1] / of.spread if of.spread.all() else None


def _perplexity(of: Sums) -> np.ndarray:
    with np.errstate(over="ignore"):  # of runs that diverge
        return np.exp(of.sums[:, 2] / of.counts)


def _bits_per_token(of: Sums) -> np.ndarray:
    return of.sums[:, 2] / of.counts / np.log(2)


def _root_accuracy(of: Sums) -> np.ndarray:
    return of.sums[:, 2] / of.sums[:, 3]


# ------------------------------------------------------------------------------------------- tables


class Measured(NamedTuple):
    """What is measured for a task.

    Args:
        of_rows: quantities of some rows, each [row], given the loss, outputs, targets and how
            targets are scaled.
        metrics: how each is made of sums of these quantities; None where it says nothing.
        compared_by: the metric that runs are compared by where nothing is said.
    """

    of_rows: Callable[[Loss, Array, Array, Affine | None], list[Array]]
    metrics: Mapping[str, Callable[[Sums], np.ndarray | None]]
    compared_by: str


CLASSES = Measured(_of_classes, {"loss": _mean_of(0), "accuracy": _mean_of(1)}, "accuracy")

MEASURED: ByTask[Measured] = {
    "binary": CLASSES,
    "multiclass": CLASSES,
    "regression": Measured(
        _of_numbers, {"loss": _mean_of(0), "rmse": _rmse, "r2": _r2}, compared_by="r2"
    ),
    "tokens": Measured(
        _of_tokens,
        {
            "loss": _mean_of(0),
            "perplexity": _perplexity,
            "bits_per_token": _bits_per_token,
            "accuracy": _mean_of(1),
        },
        compared_by="perplexity",
    ),
    "nodes": Measured(
        _of_nodes,
        {"loss": _mean_of(0), "accuracy": _mean_of(1), "root_accuracy": _root_accuracy},
        compared_by="root_accuracy",
    ),
    "generation": Measured(
        _of_samples, {"loss": _mean_of(0), "energy": _mean_of(1)}, compared_by="energy"
    ),
}
