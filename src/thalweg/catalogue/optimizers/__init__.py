"""Optimizers: how parameters move.

``optimizer.py`` has the contract, and the two functions that make an optimizer of an update rule.
A first-order optimizer is a rule: the state it keeps for a parameter and the increment it makes of
a gradient, a few lines that read like the paper. Read ``descent.py`` first; ``steepest.py`` is the
shortest optimizer that is more than a rule, and ``around.py`` has those that hold another one.
"""

from thalweg.catalogue.optimizers.adam import Adam, AdamW
from thalweg.catalogue.optimizers.adaptive import AdaDelta, AdaGrad, RMSProp
from thalweg.catalogue.optimizers.around import (
    GradientAccumulation,
    Lookahead,
    PolyakAveraging,
    ScheduleFree,
    SharpnessAware,
)
from thalweg.catalogue.optimizers.descent import GradientDescent, Momentum, Nesterov
from thalweg.catalogue.optimizers.matrices import LAMB, Adafactor, Muon
from thalweg.catalogue.optimizers.moments import AdaMax, AMSGrad, NAdam, RAdam
from thalweg.catalogue.optimizers.signs import DeltaBarDelta, Lion, Rprop, SignDescent
from thalweg.catalogue.optimizers.steepest import SteepestDescent

__all__ = [
    "LAMB",
    "AMSGrad",
    "AdaDelta",
    "AdaGrad",
    "AdaMax",
    "Adafactor",
    "Adam",
    "AdamW",
    "DeltaBarDelta",
    "GradientAccumulation",
    "GradientDescent",
    "Lion",
    "Lookahead",
    "Momentum",
    "Muon",
    "NAdam",
    "Nesterov",
    "PolyakAveraging",
    "RAdam",
    "RMSProp",
    "Rprop",
    "ScheduleFree",
    "SharpnessAware",
    "SignDescent",
    "SteepestDescent",
]
