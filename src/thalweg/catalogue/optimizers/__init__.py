"""Optimizers: how parameters move.

``optimizer.py`` has the contract, and the two functions that make an optimizer of an update rule.
A first-order optimizer is a rule: the state it keeps for a parameter and the increment it makes of
a gradient, a few lines that read like the paper. Read ``descent.py`` first; ``steepest.py`` is the
shortest optimizer that is more than a rule, and ``around.py`` has those that hold another one.

Second-order optimizers: ``newton.py`` and ``damped.py`` solve with the curvature of the objective,
``conjugate.py`` and ``quasi_newton.py`` search along directions that know of it.
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
from thalweg.catalogue.optimizers.conjugate import ConjugateGradients, NonlinearConjugateGradients
from thalweg.catalogue.optimizers.damped import HessianFree, LevenbergMarquardt
from thalweg.catalogue.optimizers.descent import GradientDescent, Momentum, Nesterov
from thalweg.catalogue.optimizers.matrices import LAMB, Adafactor, Muon
from thalweg.catalogue.optimizers.moments import AdaMax, AMSGrad, NAdam, RAdam
from thalweg.catalogue.optimizers.newton import GaussNewton, Newton
from thalweg.catalogue.optimizers.quasi_newton import BFGS, LBFGS
from thalweg.catalogue.optimizers.signs import DeltaBarDelta, Lion, Rprop, SignDescent
from thalweg.catalogue.optimizers.sophia import Sophia
from thalweg.catalogue.optimizers.steepest import SteepestDescent

__all__ = [
    "BFGS",
    "LAMB",
    "LBFGS",
    "AMSGrad",
    "AdaDelta",
    "AdaGrad",
    "AdaMax",
    "Adafactor",
    "Adam",
    "AdamW",
    "ConjugateGradients",
    "DeltaBarDelta",
    "GaussNewton",
    "GradientAccumulation",
    "GradientDescent",
    "HessianFree",
    "LevenbergMarquardt",
    "Lion",
    "Lookahead",
    "Momentum",
    "Muon",
    "NAdam",
    "Nesterov",
    "Newton",
    "NonlinearConjugateGradients",
    "PolyakAveraging",
    "RAdam",
    "RMSProp",
    "Rprop",
    "ScheduleFree",
    "SharpnessAware",
    "SignDescent",
    "Sophia",
    "SteepestDescent",
]
