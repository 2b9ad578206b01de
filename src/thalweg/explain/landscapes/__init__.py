"""Landscapes: functions and losses as hills and valleys, and what optimizers do on them.

functions.py  functions to walk on, with their minima
critical.py   where there is no slope, and what those points are
fields.py     which way is down
races.py      optimizers on one landscape, step by step
slices.py     losses of many parameters along lines and over planes
training.py   the way of a network, its slices and its curvature
pages.py      pages about races; asked.py: pages asked for in words, and which studies there are
claims.py     studies of what lecture notes say of momentum, second order and acceleration
hard.py       studies of what makes descent hard; surrogates.py: of losses that are not what counts
"""

from thalweg.explain.landscapes.asked import STUDIES, of_landscape, of_training_run
from thalweg.explain.landscapes.critical import critical_points
from thalweg.explain.landscapes.functions import LANDSCAPES, Landscape, landscape_of
from thalweg.explain.landscapes.pages import landscape
from thalweg.explain.landscapes.races import Run, race
from thalweg.explain.landscapes.training import of_training

__all__ = [
    "LANDSCAPES",
    "STUDIES",
    "Landscape",
    "Run",
    "critical_points",
    "landscape",
    "landscape_of",
    "of_landscape",
    "of_training",
    "of_training_run",
    "race",
]
