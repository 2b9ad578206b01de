"""Networks: functions with parameters, from inputs to outputs."""

from thalweg.catalogue.networks.auxiliary import AuxiliaryHead
from thalweg.catalogue.networks.mlp import MLP

__all__ = ["MLP", "AuxiliaryHead"]
