"""Compositions: what a node of a tree makes of its two children.

``composition.py`` has the contract. ``sums`` are one weighted sum and an activation, with or
without products of the children; ``gated`` decides what it keeps of each. The network ``Recursive``
runs any of them over trees.
"""

from thalweg.catalogue.compositions.gated import TreeLSTM
from thalweg.catalogue.compositions.sums import (
    AffineComposition,
    BilinearComposition,
    TensorComposition,
)

__all__ = ["AffineComposition", "BilinearComposition", "TensorComposition", "TreeLSTM"]
