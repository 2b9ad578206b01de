"""What counts in a batch, and what is measured of outputs, for each task.

Of one row: its loss and whether it was hit, in regression the squared error in the units of the
data. Where a class is predicted at every step of a sequence, of all its steps that count: the sum
of losses, how many were hit, and the sum of negative log-probabilities. At the nodes of a tree: the
sum of losses, how many were hit, whether the last, the root, was, and 1 for it. Where samples are
made, the energy score: how far a row is from a sample, less half of how far samples are from one
another.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from thalweg.catalogue.losses.loss import Loss, decided, log_probabilities
from thalweg.catalogue.networks.gan import SCORES
from thalweg.catalogue.preprocessing.scaling import Affine

__all__ = [
    "classes",
    "counted",
    "default_metric",
    "higher_is_better",
    "mean",
    "metric_names",
    "metrics",
    "of_rows",
]

ENERGY = SCORES.index("energy")

# Tasks with many targets in a row, -1 where none counts.
STEPS = ("tokens", "nodes")


def mean(task: str, losses: Array, targets: Array, weights: Array | None) -> Array:
    """The mean of the losses of a mini-batch, over what counts.

    Args:
        task: of the data.
        losses: of rows [row], or of steps or nodes [row, time].
        targets: of the mini-batch.
        weights: of the rows, or None where all count alike.
    """
    if task in STEPS:
        steps = (targets >= 0).astype(losses.dtype)
        weights = steps if weights is None else steps * weights[:, None]
    return losses.mean() if weights is None else (weights * losses).sum() / weights.sum()


def of_rows(task: str, loss: Loss, outputs: Array, targets: Array, scaling: Affine | None) -> Array:
    """What is measured of some rows, [row, quantity]."""
    if task in STEPS:
        counts, hits = targets >= 0, classes(loss, outputs) == targets
        if task == "tokens":
            others = (_surprise(loss, outputs, targets),)
        else:
            # Every root has a target, and is the last node that has one.
            root = counts & (jnp.cumsum(counts[:, ::-1], axis=-1)[:, ::-1] == 1)
            others = (root & hits, root)
        each = (loss(outputs, targets), hits, *others)
        return jnp.stack([jnp.where(counts, one, 0).sum(axis=-1) for one in each], axis=-1)
    predicted = loss.probabilities(outputs)
    if task == "generation":
        second = outputs[:, ENERGY]
    elif task == "regression":
        unit = 1.0 if scaling is None else scaling.scale
        second = jnp.mean(((predicted - targets) / unit) ** 2, axis=-1)
    else:
        second = (decided(predicted) == targets).astype(outputs.dtype)
    return jnp.stack([loss(outputs, targets), second], axis=-1)


def classes(loss: Loss, outputs: Array) -> Array:
    """The classes decided for, int32 [row] or [row, time]: the likeliest, or as the loss says."""
    own: Any = loss
    if hasattr(own, "decided"):
        return own.decided(outputs)
    return decided(loss.probabilities(outputs))


def _surprise(loss: Any, outputs: Array, targets: Array) -> Array:
    """Negative log-probabilities of tokens; those of softmax, unless the loss has others."""
    if hasattr(loss, "surprise"):
        return loss.surprise(outputs, targets)
    log_p = log_probabilities(outputs)
    return -jnp.take_along_axis(log_p, jnp.maximum(targets, 0)[..., None], -1)[..., 0]


def counted(task: str, targets: np.ndarray) -> int:
    """How many of the targets of some rows count."""
    return int((targets >= 0).sum()) if task in STEPS else len(targets)


def metrics(
    task: str, sums: np.ndarray, counts: np.ndarray, spread: np.ndarray
) -> dict[str, np.ndarray]:
    """Metrics of one split by name, float64 [run].

    Args:
        task: of the data.
        sums: of what ``of_rows`` measured, [run, quantity].
        counts: of targets that count, [run].
        spread: sums of squares of the targets around their mean, [run].
    """
    loss, second = sums.T[:2] / counts
    if task == "generation":
        return {"loss": loss, "energy": second}
    if task == "regression":
        found = {"loss": loss, "rmse": np.sqrt(second)}
        return {**found, "r2": 1 - sums[:, 1] / spread} if spread.all() else found
    if task == "nodes":
        roots = sums[:, 2] / sums[:, 3]
        return {"loss": loss, "accuracy": second, "root_accuracy": roots}
    if task == "tokens":
        surprise = sums[:, 2] / counts
        with np.errstate(over="ignore"):  # of runs that diverge
            perplexity = np.exp(surprise)
        return {
            "loss": loss,
            "perplexity": perplexity,
            "bits_per_token": surprise / np.log(2),
            "accuracy": second,
        }
    return {"loss": loss, "accuracy": second}


def metric_names(task: str) -> tuple[str, ...]:
    """The metrics of a task."""
    if task == "generation":
        return ("loss", "energy")
    if task == "regression":
        return ("loss", "rmse", "r2")
    if task == "nodes":
        return ("loss", "accuracy", "root_accuracy")
    if task == "tokens":
        return ("loss", "perplexity", "bits_per_token", "accuracy")
    return ("loss", "accuracy")


def default_metric(task: str) -> str:
    """What runs are compared by where nothing is said."""
    chosen = {
        "regression": "r2",
        "tokens": "perplexity",
        "nodes": "root_accuracy",
        "generation": "energy",
    }
    return chosen.get(task, "accuracy")


def higher_is_better(metric: str) -> bool:
    """The direction of a metric, named with its split: ``test.accuracy``."""
    return metric.partition(".")[2] in ("accuracy", "root_accuracy", "r2")
