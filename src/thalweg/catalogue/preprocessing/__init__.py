"""Preprocessing: what happens to inputs before a network sees them.

A part of this family is fitted on the training rows of a run, outside the program and by
scikit-learn, and applied inside it. What was fitted is stored with the run. ``fitting`` is the
contract; ``scaling`` moves and stretches every feature by itself, ``projection`` mixes features
and may change their number, ``sparse`` writes inputs as sums of few atoms.
"""

from __future__ import annotations

from thalweg.catalogue.preprocessing.projection import PCA, Whiten
from thalweg.catalogue.preprocessing.scaling import Center, MaxAbs, MinMax, Robust, Standardize
from thalweg.catalogue.preprocessing.sparse import SparseCode

__all__ = ["PCA", "Center", "MaxAbs", "MinMax", "Robust", "SparseCode", "Standardize", "Whiten"]
