"""A small data set with an official test set, as MNIST has one."""

from __future__ import annotations

import numpy as np

from thalweg.data import Dataset
from thalweg.data.dataset import Shares
from thalweg.part import choice, part


@part
class Official:
    """Forty points, the last sixteen for testing."""

    split: Shares = choice(default=(1.0, 0.0, 0.0))

    def load(self) -> Dataset:
        inputs = np.random.default_rng(0).normal(size=(40, 2))
        targets = np.arange(40) % 2
        return Dataset(inputs, targets, "binary", class_names=("a", "b"), fixed_test=16)
