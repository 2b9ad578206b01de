"""Regularizers: what holds a network back so that it generalizes.

``regularizer`` is the contract; read it first. ``weights`` penalizes, shrinks or bounds
parameters, ``activity`` asks for sparse activations, ``sensitivity`` for activations that change
little with the inputs, ``pruning`` removes connections. Dropout is a layer, noise on inputs an
augmentation, early stopping a rule of training.
"""

from __future__ import annotations

from thalweg.catalogue.regularizers.activity import (
    GroupActivity,
    KLSparsity,
    L1Activity,
    MeanActivity,
    NormalDivergence,
    StudentTActivity,
)
from thalweg.catalogue.regularizers.pruning import PruneBelow, PruneShare
from thalweg.catalogue.regularizers.sensitivity import Contractive, NoiseConsistency
from thalweg.catalogue.regularizers.weights import (
    L1,
    L2,
    DecoupledDecay,
    ElasticNet,
    LInfinity,
    LogSumExp,
    MaxNorm,
    ProximalL1,
)

__all__ = [
    "L1",
    "L2",
    "Contractive",
    "DecoupledDecay",
    "ElasticNet",
    "GroupActivity",
    "KLSparsity",
    "L1Activity",
    "LInfinity",
    "LogSumExp",
    "MaxNorm",
    "MeanActivity",
    "NoiseConsistency",
    "NormalDivergence",
    "ProximalL1",
    "PruneBelow",
    "PruneShare",
    "StudentTActivity",
]
