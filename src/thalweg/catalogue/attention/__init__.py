"""Attention: how well each vector of a memory fits a query.

``attention.py`` has the contract and what all share: scores become weights that sum to 1, and
the weights a mean of the memory. ``scores`` holds the parts. Steps that attend to one another, all
at once, are a layer, ``MultiHeadAttention``.
"""

from thalweg.catalogue.attention.scores import (
    AdditiveAttention,
    DotAttention,
    GeneralAttention,
    HeadsAttention,
)

__all__ = ["AdditiveAttention", "DotAttention", "GeneralAttention", "HeadsAttention"]
