"""Layers: the pieces networks are made of.

A layer keeps the contract of a network (``networks.Network``): ``init`` and ``apply``. Linear maps
and activations are separate layers. ``sequence`` runs named layers one after the other.
"""

from thalweg.catalogue.layers.activation import Activate
from thalweg.catalogue.layers.dense import Dense
from thalweg.catalogue.layers.dropout import Dropout

__all__ = ["Activate", "Dense", "Dropout"]
