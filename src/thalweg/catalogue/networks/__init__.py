"""Networks: functions with parameters, from inputs to outputs."""

from thalweg.catalogue.networks.mlp import MLP

__all__ = ["MLP"]
