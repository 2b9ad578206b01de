"""The output unit and the loss that a task calls for."""

from __future__ import annotations

from thalweg.catalogue.losses.distances import SquaredError
from thalweg.catalogue.losses.entropies import BinaryCrossEntropy, CategoricalCrossEntropy
from thalweg.catalogue.losses.games import Adversarial
from thalweg.catalogue.losses.loss import Loss, Task

__all__ = ["chosen_for"]


def chosen_for(task: Task) -> tuple[Loss, str]:
    """The loss a task calls for, with the reason in words."""
    if task == "regression":
        return SquaredError(), (
            "squared error on linear outputs, because the targets are numbers: it is the negative "
            "log-likelihood of a normal distribution around the output"
        )
    if task == "binary":
        return BinaryCrossEntropy(), (
            "binary cross-entropy on one sigmoid output, because there are two classes: it is the "
            "negative log-likelihood of a Bernoulli distribution"
        )
    if task == "tokens":
        return CategoricalCrossEntropy(), (
            "categorical cross-entropy on a softmax at every step, because a class is predicted "
            "there: its mean is the negative log-likelihood of a token, given what the network saw"
        )
    if task == "generation":
        return Adversarial(), (
            "the non-saturating adversarial loss, because there is nothing to predict: samples are "
            "judged by a discriminator that learns beside their generator"
        )
    if task == "nodes":
        return CategoricalCrossEntropy(), (
            "categorical cross-entropy on a softmax at every node, because a class is predicted "
            "there: its mean is the negative log-likelihood of a node that has a label"
        )
    return CategoricalCrossEntropy(), (
        "categorical cross-entropy on a softmax of one output per class, because there are several "
        "classes: it is the negative log-likelihood of a categorical distribution"
    )
