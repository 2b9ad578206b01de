"""Optimizers: how parameters move.

``optimizer.py`` has the contract and the one function that turns an update rule into a step. A
first-order optimizer is a rule: the state it keeps for a parameter and the increment it makes of
a gradient, a few lines that read like the paper. Read ``descent.py`` first.

Second-order optimizers use the objective itself: ``newton.py`` and ``damped.py`` solve with its
curvature, ``conjugate.py`` and ``quasi_newton.py`` search along a line (``line_search.py``).
"""

from thalweg.catalogue.optimizers.adam import Adam, AdamW
from thalweg.catalogue.optimizers.adaptive import AdaGrad, RMSProp
from thalweg.catalogue.optimizers.conjugate import ConjugateGradients, NonlinearConjugateGradients
from thalweg.catalogue.optimizers.damped import HessianFree, LevenbergMarquardt
from thalweg.catalogue.optimizers.descent import GradientDescent, Momentum, Nesterov
from thalweg.catalogue.optimizers.newton import GaussNewton, Newton
from thalweg.catalogue.optimizers.quasi_newton import BFGS, LBFGS

__all__ = [
    "BFGS",
    "LBFGS",
    "AdaGrad",
    "Adam",
    "AdamW",
    "ConjugateGradients",
    "GaussNewton",
    "GradientDescent",
    "HessianFree",
    "LevenbergMarquardt",
    "Momentum",
    "Nesterov",
    "Newton",
    "NonlinearConjugateGradients",
    "RMSProp",
]
