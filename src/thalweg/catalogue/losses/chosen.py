"""The output unit and the loss that a task calls for."""

from __future__ import annotations

from collections.abc import Callable

from thalweg.catalogue.losses.distances import SquaredError
from thalweg.catalogue.losses.entropies import BinaryCrossEntropy, CategoricalCrossEntropy
from thalweg.catalogue.losses.games import Adversarial
from thalweg.catalogue.losses.loss import Loss
from thalweg.tasks import ByTask, Task

__all__ = ["chosen_for"]

CHOSEN: ByTask[tuple[Callable[[], Loss], str]] = {
    "binary": (
        BinaryCrossEntropy,
        "binary cross-entropy on one sigmoid output, because there are two classes: it is the "
        "negative log-likelihood of a Bernoulli distribution",
    ),
    "multiclass": (
        CategoricalCrossEntropy,
        "categorical cross-entropy on a softmax of one output per class, because there are several "
        "classes: it is the negative log-likelihood of a categorical distribution",
    ),
    "regression": (
        SquaredError,
        "squared error on linear outputs, because the targets are numbers: it is the negative "
        "log-likelihood of a normal distribution around the output",
    ),
    "tokens": (
        CategoricalCrossEntropy,
        "categorical cross-entropy on a softmax at every step, because a class is predicted "
        "there: its mean is the negative log-likelihood of a token, given what the network saw",
    ),
    "nodes": (
        CategoricalCrossEntropy,
        "categorical cross-entropy on a softmax at every node, because a class is predicted "
        "there: its mean is the negative log-likelihood of a node that has a label",
    ),
    "generation": (
        Adversarial,
        "the non-saturating adversarial loss, because there is nothing to predict: samples are "
        "judged by a discriminator that learns beside their generator",
    ),
}


def chosen_for(task: Task) -> tuple[Loss, str]:
    """The loss a task calls for, with the reason in words."""
    loss, reason = CHOSEN[task]
    return loss(), reason
