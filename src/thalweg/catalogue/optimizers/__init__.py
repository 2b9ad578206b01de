"""Optimizers: how parameters move.

``optimizer.py`` has the contract, and the two functions that make an optimizer of an update rule.
A first-order optimizer is a rule: the state it keeps for a parameter and the increment it makes of
a gradient, a few lines that read like the paper. Read ``descent.py`` first; ``steepest.py`` is the
shortest optimizer that is more than a rule, ``around.py`` has those that hold another one, and
``apart.py`` one that holds two, for different layers.

Second-order optimizers: ``newton.py`` and ``damped.py`` solve with the curvature of the objective,
``conjugate.py`` and ``quasi_newton.py`` search along directions that know of it.
"""

from thalweg.catalogue.optimizers import (
    adam,
    adaptive,
    apart,
    around,
    conjugate,
    damped,
    descent,
    matrices,
    moments,
    newton,
    quasi_newton,
    signs,
    sophia,
    steepest,
)
from thalweg.catalogue.optimizers.adam import *
from thalweg.catalogue.optimizers.adaptive import *
from thalweg.catalogue.optimizers.apart import *
from thalweg.catalogue.optimizers.around import *
from thalweg.catalogue.optimizers.conjugate import *
from thalweg.catalogue.optimizers.damped import *
from thalweg.catalogue.optimizers.descent import *
from thalweg.catalogue.optimizers.matrices import *
from thalweg.catalogue.optimizers.moments import *
from thalweg.catalogue.optimizers.newton import *
from thalweg.catalogue.optimizers.quasi_newton import *
from thalweg.catalogue.optimizers.signs import *
from thalweg.catalogue.optimizers.sophia import *
from thalweg.catalogue.optimizers.steepest import *

# What the modules list is the family: a part is added in one of them.
__all__: list[str] = []
__all__ += adam.__all__
__all__ += adaptive.__all__
__all__ += apart.__all__
__all__ += around.__all__
__all__ += conjugate.__all__
__all__ += damped.__all__
__all__ += descent.__all__
__all__ += matrices.__all__
__all__ += moments.__all__
__all__ += newton.__all__
__all__ += quasi_newton.__all__
__all__ += signs.__all__
__all__ += sophia.__all__
__all__ += steepest.__all__
