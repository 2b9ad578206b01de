"""The contract every network keeps; it is that of layers."""

from __future__ import annotations

from thalweg.catalogue.layers.contract import Network

__all__ = ["Network"]
