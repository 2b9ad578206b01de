"""Attention: how well each vector of a memory fits a query.

``attention.py`` has the contract and what all share: scores become weights that sum to 1, and
the weights a mean of the memory. ``scores`` holds the parts; attention of many heads, which is a
layer, uses the scaled product of ``attention.py`` alone.
"""

from thalweg.catalogue.attention.scores import (
    AdditiveAttention,
    DotAttention,
    GeneralAttention,
)

__all__ = ["AdditiveAttention", "DotAttention", "GeneralAttention"]
