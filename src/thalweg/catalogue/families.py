"""Families: which parts can stand in for one another.

A family is a module whose ``__all__`` lists its parts, and the protocol they keep. Listings, spec
files and cards find parts here; data sources are a family too, which ``thalweg.spec`` adds.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

from thalweg.catalogue import (
    activations,
    attention,
    augmentations,
    cells,
    clipping,
    compositions,
    decoders,
    initializers,
    layers,
    line_searches,
    losses,
    networks,
    optimizers,
    preprocessing,
    regularizers,
    schedules,
    starts,
)
from thalweg.catalogue.attention.attention import Attention
from thalweg.catalogue.augmentations.augmentation import Augmentation
from thalweg.catalogue.cells.cell import Cell
from thalweg.catalogue.compositions.composition import Composition
from thalweg.catalogue.decoders.decoder import Decoder
from thalweg.catalogue.losses.loss import Loss
from thalweg.catalogue.networks.network import Network
from thalweg.catalogue.optimizers.optimizer import Optimizer
from thalweg.catalogue.preprocessing.fitting import Preprocessing
from thalweg.catalogue.regularizers.regularizer import Regularizer

__all__ = ["FAMILIES", "Family", "family_of", "members"]


class Family(NamedTuple):
    """Parts that keep one protocol.

    Args:
        name: in listings, in the plural.
        protocol: what its members keep; fields that admit the family are annotated with it.
        module: the module or package whose ``__all__`` lists them.
    """

    name: str
    protocol: Any
    module: ModuleType


# Layers keep the protocol of networks; networks come first, so that they are found by it.
FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("networks", Network, networks),
        Family("layers", Network, layers),
        Family("cells", Cell, cells),
        Family("compositions", Composition, compositions),
        Family("attention", Attention, attention),
        Family("activations", activations.Activation, activations),
        Family("initializers", initializers.Initializer, initializers),
        Family("starts", starts.Start, starts),
        Family("losses", Loss, losses),
        Family("optimizers", Optimizer, optimizers),
        Family("line_searches", line_searches.LineSearch, line_searches),
        Family("schedules", schedules.Schedule, schedules),
        Family("regularizers", Regularizer, regularizers),
        Family("clipping", clipping.Clipping, clipping),
        Family("preprocessing", Preprocessing, preprocessing),
        Family("augmentations", Augmentation, augmentations),
        Family("decoders", Decoder, decoders),
    )
}


@cache
def members(family: Family) -> dict[str, type]:
    """The parts of a family by their names in spec files, in the order of ``__all__``."""
    listed = [getattr(family.module, name) for name in family.module.__all__]
    return {cls.part_name: cls for cls in listed if hasattr(cls, "part_name")}


def family_of(protocol: Any) -> Family:
    """The family whose members keep a protocol, as fields are annotated with it.

    Raises:
        LookupError: it is the protocol of no family.
    """
    for family in FAMILIES.values():
        if family.protocol is protocol:
            return family
    raise LookupError(f"{protocol!r} is the protocol of no family")
