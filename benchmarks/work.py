"""The work that is timed: data, network, batch, epochs; the same for Thalweg and its peers."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.data import MNIST, Dataset, Digits, Moons
from thalweg.data.split import split_rows

__all__ = ["WORK", "Work"]

DATA = Path(os.environ.get("THALWEG_DATA", Path(__file__).parents[2] / "shared" / "data"))


@dataclass(frozen=True)
class Work:
    """One training, to be repeated with other seeds.

    Args:
        name: its name in tables.
        source: makes the data source; called late, as files may be missing.
        hidden: widths of the hidden layers; ReLU between them, cross-entropy on the last.
        batch_size, epochs: of Adam with learning rate 0.001.
        runs: how many runs Thalweg trains at once.
        threads: of PyTorch; on small networks one is faster than several.
        peer_epochs: epochs that slow peers are timed for; their seconds are scaled up.
    """

    name: str
    source: Callable[[], Any]
    hidden: tuple[int, ...]
    batch_size: int
    epochs: int
    runs: int
    threads: int
    peer_epochs: int

    def arrays(self, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]:
        """Training inputs and labels, test inputs and labels, number of classes."""
        source = self.source()
        data: Dataset = source.load()
        split = split_rows(data, source.split, seed)
        x, y = data.inputs, data.targets.astype(np.int64)
        return x[split.train], y[split.train], x[split.test], y[split.test], data.outputs

    @property
    def flops(self) -> float:
        """Multiplications and additions of the matrix products of one training."""
        x, _, _, _, classes = self.arrays(0)
        widths = (x[0].size, *self.hidden, classes)
        products = [a * b for a, b in pairwise(widths)]
        # Forward, gradient of the weights, gradient of the inputs (not of the first layer's).
        return 2.0 * (3 * sum(products) - products[0]) * len(x) * self.epochs


SPLIT = (0.7, 0.0, 0.3)

WORK = {
    "moons": Work(
        "moons, 2-32-16-2, batch 32, 100 epochs",
        lambda: Moons(samples=1000, noise=0.2, split=SPLIT),
        (32, 16),
        32,
        100,
        64,
        1,
        20,
    ),
    "digits": Work(
        "digits, 64-128-64-10, batch 64, 30 epochs",
        lambda: Digits(split=(0.8, 0.0, 0.2)),
        (128, 64),
        64,
        30,
        32,
        1,
        10,
    ),
    "mnist": Work(
        "MNIST, 784-256-128-10, batch 128, 5 epochs",
        lambda: MNIST(folder=str(DATA / "mnist"), split=(1.0, 0.0, 0.0)),
        (256, 128),
        128,
        5,
        8,
        os.cpu_count() or 1,
        1,
    ),
}
