"""Landscapes: functions and losses as hills and valleys, and what optimizers do on them.

functions.py  functions to walk on, with their minima
critical.py   where there is no slope, and what those points are
races.py      optimizers on one landscape, step by step
pages.py      pages about them
"""

from thalweg.explain.landscapes.critical import critical_points
from thalweg.explain.landscapes.functions import LANDSCAPES, Landscape, landscape_of
from thalweg.explain.landscapes.pages import landscape
from thalweg.explain.landscapes.races import Run, race

__all__ = [
    "LANDSCAPES",
    "Landscape",
    "Run",
    "critical_points",
    "landscape",
    "landscape_of",
    "race",
]
