"""Images as sequences: ``SequentialMNIST``."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np

from thalweg.data.dataset import Dataset, Shares
from thalweg.data.sources.generated import LARGEST_SEED
from thalweg.data.sources.mnist import MNIST
from thalweg.part import choice, part

__all__ = ["SequentialMNIST"]


@part
class SequentialMNIST:
    """The digits of MNIST, seen a pixel or a row of pixels at a time.

    Choices: steps: ``pixels``, 784 of one number, or ``rows``, 28 of 28 numbers; permutation: seed
        of an order in which all images have their pixels, theirs where omitted; folder: where the
        files are, samples: training digits to keep, split: shares of them, all as in MNIST
    Shapes: inputs [70000, 28, 28], targets [70000]: multiclass; inputs [70000, 784, 1] for pixels
    Watch for: pixel by pixel what decides was mostly seen hundreds of steps before the end. Another
        permutation is another problem.
    Source: Q. Le, N. Jaitly and G. Hinton, A Simple Way to Initialize Recurrent Networks, 2015,
        section 4.2; images: MNIST, as there. Licence: CC BY-SA 3.0, as commonly stated.
    Example:
        >>> SequentialMNIST(folder="nowhere").missing().split("(")[0]
        'nowhere does not hold train-images-idx3-ubyte'
    """

    steps: Literal["pixels", "rows"] = choice(default="rows")
    permutation: int | None = choice(None, low=0, high=LARGEST_SEED)
    folder: str | None = choice(None)
    samples: int | None = choice(None, low=10)
    split: Shares = choice((0.9, 0.1, 0.0))

    def check(self) -> None:
        self._images().check()

    def missing(self) -> str:
        """What is not there and how to get it; empty where all files are."""
        return self._images().missing()

    def load(self) -> Dataset:
        data = self._images().load()
        pixels = data.whole("SequentialMNIST")
        if self.permutation is not None:
            pixels = pixels[:, np.random.default_rng(self.permutation).permutation(784)]
        shape = (784, 1) if self.steps == "pixels" else (28, 28)
        return dataclasses.replace(data, inputs=pixels.reshape(-1, *shape))

    def _images(self) -> MNIST:
        return MNIST(folder=self.folder, samples=self.samples, flat=True, split=self.split)
