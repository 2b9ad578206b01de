"""Optimizers: how parameters move.

``optimizer.py`` has the contract and the one function that turns an update rule into a step. A
first-order optimizer is a rule: the state it keeps for a parameter and the increment it makes of
a gradient, a few lines that read like the paper. Read ``descent.py`` first.
"""

from thalweg.catalogue.optimizers.adam import Adam, AdamW
from thalweg.catalogue.optimizers.adaptive import AdaGrad, RMSProp
from thalweg.catalogue.optimizers.descent import GradientDescent, Momentum, Nesterov

__all__ = ["AdaGrad", "Adam", "AdamW", "GradientDescent", "Momentum", "Nesterov", "RMSProp"]
