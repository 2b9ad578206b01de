"""Data made by a formula and a little noise: ``Moons``, ``Circles``, ``Spirals``, ``Blobs``.

``noise`` is a number: data sets that differ in it alone have the same shape. ``seed`` is that of
the data, not of a run, so all runs see the same points and differ in how they are divided.

scikit-learn takes seconds to import, so that is left until data are loaded.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.data.dataset import Dataset, Shares
from thalweg.data.split import check_shares
from thalweg.part import Number, choice, number, part
from thalweg.tasks import classification

__all__ = ["Blobs", "Circles", "Moons", "Spirals"]

# scikit-learn's generators take seeds below this.
LARGEST_SEED = 2**32 - 1


@part
class Moons:
    """Two interleaved half circles, the smallest problem that no straight line solves.

    Formula: upper (cos t, sin t), lower (1 − cos t, ½ − sin t), t evenly from 0 to π;
        noise · N(0, 1) is added to each coordinate
    Numbers: noise: standard deviation of a coordinate
    Choices: samples: points in all; seed: of the noise; split: shares of the rows for training,
        validation and test
    Shapes: inputs [samples, 2], targets [samples]: binary
    Watch for: the moons overlap; no network gets beyond an accuracy of about 0.97 at noise 0.2
        and 0.91 at 0.3.
    Source: scikit-learn, make_moons. Licence: BSD 3-Clause.
    Example:
        >>> Moons(samples=4, noise=0).load().inputs.round(2).tolist()
        [[0.0, 0.5], [2.0, 0.5], [-1.0, 0.0], [1.0, 0.0]]
    """

    samples: int = choice(1000, low=2)
    noise: Number = number(0.1, low=0, search=(0, 0.5))
    seed: int = choice(0, low=0, high=LARGEST_SEED)
    split: Shares = choice((0.7, 0.15, 0.15))
    check = check_shares

    def load(self) -> Dataset:
        from sklearn import datasets

        made: Any = datasets.make_moons(self.samples, noise=self.noise, random_state=self.seed)
        return Dataset(made[0], made[1], "binary", ("x", "y"), ("upper moon", "lower moon"))


@part
class Circles:
    """One circle around another: linear in the squared radius and in nothing simpler.

    Formula: outer (cos t, sin t), inner factor · (cos t, sin t), t evenly over a full turn;
        noise · N(0, 1) is added to each coordinate
    Numbers: noise: standard deviation of a coordinate; factor: radius of the inner circle
    Choices: samples: points in all; seed: of the noise; split: shares of the rows for training,
        validation and test
    Shapes: inputs [samples, 2], targets [samples]: binary
    Watch for: the circles overlap; no network gets beyond an accuracy of about 0.99 at noise 0.1
        and 0.89 at 0.2.
    Source: scikit-learn, make_circles. Licence: BSD 3-Clause.
    Example:
        >>> data = Circles(samples=4, noise=0, factor=0.5).load()
        >>> (data.inputs**2).sum(axis=1).round(2).tolist(), data.targets.tolist()
        ([0.25, 0.25, 1.0, 1.0], [1, 1, 0, 0])
    """

    samples: int = choice(1000, low=2)
    noise: Number = number(0.1, low=0, search=(0, 0.5))
    factor: Number = number(0.5, low=0, below=1)
    seed: int = choice(0, low=0, high=LARGEST_SEED)
    split: Shares = choice((0.7, 0.15, 0.15))
    check = check_shares

    def load(self) -> Dataset:
        from sklearn import datasets

        made: Any = datasets.make_circles(
            self.samples, noise=self.noise, factor=self.factor, random_state=self.seed
        )
        return Dataset(made[0], made[1], "binary", ("x", "y"), ("outer circle", "inner circle"))


@part
class Spirals:
    """Arms that wind around each other, a test of how far a boundary can bend.

    Formula: (r cos φ, r sin φ), φ = 2π (turns · r + arm / arms), r evenly from 0 to 1 without 0;
        noise · N(0, 1) is added to each coordinate
    Numbers: noise: standard deviation of a coordinate; turns: of each arm around the centre
    Choices: samples: points in all, each arm having as many as another or one more; arms: number
        of classes; seed: of the noise; split: shares of the rows for training, validation and test
    Shapes: inputs [samples, 2], targets [samples]: binary; multiclass for more than two arms
    Watch for: neighbouring arms are 1 / (arms · turns) apart; no network gets beyond an
        accuracy of about 0.97 at noise 0.05 and 0.93 at 0.08. Near the centre they meet.
    Source: our own; after K. Lang and M. Witbrock, Learning to Tell Two Spirals Apart, 1988.
        Licence: that of this package.
    Example:
        >>> Spirals(samples=4, turns=1, noise=0).load().inputs.round(2).tolist()
        [[-0.5, 0.0], [1.0, -0.0], [0.5, -0.0], [-1.0, 0.0]]
    """

    samples: int = choice(1000, low=2)
    arms: int = choice(2, low=2)
    turns: Number = number(1.5, above=0, search=(0.25, 3))
    noise: Number = number(0.02, low=0, search=(0, 0.1))
    seed: int = choice(0, low=0, high=LARGEST_SEED)
    split: Shares = choice((0.7, 0.15, 0.15))
    check = check_shares

    def load(self) -> Dataset:
        targets = np.arange(self.samples) * self.arms // self.samples
        sizes = np.bincount(targets, minlength=self.arms)
        radius = np.concatenate([np.arange(1, size + 1) / size for size in sizes])
        angle = 2 * np.pi * (self.turns * radius + targets / self.arms)
        curve = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        noise = self.noise * np.random.default_rng(self.seed).standard_normal(curve.shape)
        return Dataset(
            curve + noise,
            targets,
            classification(self.arms),
            ("x", "y"),
            tuple(f"arm {arm + 1}" for arm in range(self.arms)),
        )


@part
class Blobs:
    """Round clouds of points, which straight lines tell apart where they do not overlap.

    Formula: centre of the class + noise · N(0, I); centres uniform in [−10, 10] per feature
    Numbers: noise: standard deviation of each cloud
    Choices: samples: points in all; classes: number of clouds; features: of each point; seed: of
        centres and noise; split: shares of the rows for training, validation and test
    Shapes: inputs [samples, features], targets [samples]: multiclass; binary for two classes
    Watch for: another seed moves the centres, and with them how hard the problem is.
    Source: scikit-learn, make_blobs. Licence: BSD 3-Clause.
    Example:
        >>> near, far = (Blobs(noise=noise).load().inputs.std() for noise in (0.1, 10))
        >>> bool(near < far)
        True
    """

    samples: int = choice(1000, low=2)
    classes: int = choice(3, low=2)
    features: int = choice(2, low=1)
    noise: Number = number(1.0, low=0, search=(0, 5))
    seed: int = choice(0, low=0, high=LARGEST_SEED)
    split: Shares = choice((0.7, 0.15, 0.15))
    check = check_shares

    def load(self) -> Dataset:
        from sklearn import datasets

        made: Any = datasets.make_blobs(
            self.samples,
            self.features,
            centers=self.classes,
            cluster_std=self.noise,
            random_state=self.seed,
        )
        return Dataset(
            made[0],
            made[1],
            classification(self.classes),
            tuple(f"x{feature + 1}" for feature in range(self.features)),
            tuple(f"blob {blob + 1}" for blob in range(self.classes)),
        )
