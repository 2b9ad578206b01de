"""Losses: how wrong outputs are, one value per example.

A part of this family is called with the network's outputs and the targets of a batch and returns
a vector; the objective averages it over the batch. Losses for classes work on logits, never on
probabilities, so that they stay finite.

``loss`` holds the contract. The parts: ``distances`` between numbers, ``entropies`` of classes,
``margins`` between classes, ``densities`` with a spread of their own, ``chain`` for labels that
depend on each other, ``games`` of two players, ``comparing`` of examples, and ``attached`` for
losses on hidden layers. ``chosen`` picks the loss a task calls for.
"""

from thalweg.catalogue.losses.attached import DeepSupervision
from thalweg.catalogue.losses.chain import LinearChainLikelihood
from thalweg.catalogue.losses.comparing import Contrastive, Triplet
from thalweg.catalogue.losses.densities import (
    BernoulliLikelihood,
    GaussianLikelihood,
    PoissonLikelihood,
)
from thalweg.catalogue.losses.distances import AbsoluteError, Huber, IndicatorError, SquaredError
from thalweg.catalogue.losses.entropies import (
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    ClippedCrossEntropy,
    Focal,
)
from thalweg.catalogue.losses.games import Adversarial, Wasserstein
from thalweg.catalogue.losses.margins import Hinge, SigmoidHinge, SquaredHinge, ZeroOne

__all__ = [
    "AbsoluteError",
    "Adversarial",
    "BernoulliLikelihood",
    "BinaryCrossEntropy",
    "CategoricalCrossEntropy",
    "ClippedCrossEntropy",
    "Contrastive",
    "DeepSupervision",
    "Focal",
    "GaussianLikelihood",
    "Hinge",
    "Huber",
    "IndicatorError",
    "LinearChainLikelihood",
    "PoissonLikelihood",
    "SigmoidHinge",
    "SquaredError",
    "SquaredHinge",
    "Triplet",
    "Wasserstein",
    "ZeroOne",
]
