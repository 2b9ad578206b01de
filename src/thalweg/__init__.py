"""Thalweg: a laboratory for training neural networks.

``thalweg.Experiment`` says what shall run; ``thalweg.optimizers``, ``thalweg.networks`` and the
other families hold the parts it is made of. Names are imported when they are first used, so that
``import thalweg`` takes no time and JAX is loaded only where something computes.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thalweg import data
    from thalweg.catalogue import (
        activations,
        attention,
        augmentations,
        cells,
        clipping,
        compositions,
        curvature,
        decoders,
        initializers,
        layers,
        line_searches,
        losses,
        markov,
        networks,
        optimizers,
        preprocessing,
        regularizers,
        schedules,
        starts,
    )
    from thalweg.laboratory import Laboratory
    from thalweg.spec import Compare, EarlyStopping, Ensemble, Experiment, Recipe, Seeds, Training

__version__ = "0.1.0"

__all__ = [
    "Compare",
    "EarlyStopping",
    "Ensemble",
    "Experiment",
    "Laboratory",
    "Recipe",
    "Seeds",
    "Training",
    "__version__",
    "activations",
    "attention",
    "augmentations",
    "cells",
    "clipping",
    "compositions",
    "curvature",
    "data",
    "decoders",
    "initializers",
    "layers",
    "line_searches",
    "losses",
    "markov",
    "networks",
    "optimizers",
    "preprocessing",
    "regularizers",
    "schedules",
    "starts",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'thalweg' has no attribute {name!r}")
    if name == "data":
        return import_module("thalweg.data")
    if name == "Laboratory":
        return import_module("thalweg.laboratory").Laboratory
    if name[0].isupper():
        return getattr(import_module("thalweg.spec"), name)
    return import_module(f"thalweg.catalogue.{name}")


def __dir__() -> list[str]:
    return __all__
