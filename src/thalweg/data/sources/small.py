"""Tables one can work through by hand: all their rows are here.

Everything is for training by default: a share of six rows says nothing about generalization.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from thalweg.data.dataset import Dataset, Shares
from thalweg.data.split import check_shares
from thalweg.part import choice, part

__all__ = ["Houses", "Insurance13", "Insurance15", "Line5", "SixPoints"]


@part
class SixPoints:
    """Six points on a line through the origin, to see batch, mini-batch and single steps.

    Formula: y = 2x for x = 1, …, 6
    Choices: split: shares of the rows for training, validation and test
    Shapes: inputs [6, 1], targets [6, 1]: regression
    Watch for: in the order given, batches of 2 are pairs of neighbours, and the later ones have the
        larger gradients.
    Source: a customary classroom table. Licence: none needed, the numbers are plain facts.
    Example:
        >>> data = SixPoints().load()
        >>> (data.targets / data.inputs).ravel().tolist()
        [2.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    """

    split: Shares = choice((1.0, 0.0, 0.0))
    check = check_shares

    def load(self) -> Dataset:
        x = np.arange(1.0, 7.0)[:, None]
        return Dataset(x, 2 * x, "regression", ("x",))


@part(name="line_5")
class Line5:
    """Five points on a line with an intercept, for gradient descent to recover.

    Formula: y = 0.5x − 1.5 for x = 2, 3, 5, 7, 9
    Choices: split: shares of the rows for training, validation and test
    Shapes: inputs [5, 1], targets [5, 1]: regression
    Watch for: x is not centred, so slope and intercept are coupled and gradient descent is slow.
    Source: a customary classroom table. Licence: none needed, the numbers are plain facts.
    Example:
        >>> Line5().load().targets.ravel().tolist()
        [-0.5, 0.0, 1.0, 2.0, 3.0]
    """

    split: Shares = choice((1.0, 0.0, 0.0))
    check = check_shares

    def load(self) -> Dataset:
        x = np.array([[2.0], [3.0], [5.0], [7.0], [9.0]])
        return Dataset(x, 0.5 * x - 1.5, "regression", ("x",))


@part(name="insurance_15")
class Insurance15:
    """Whether fifteen people bought insurance, by age: why a line is no model of a probability.

    Choices: task: classes no and yes, or the numbers 0 and 1 for a straight line to fit; split:
        shares of the rows for training, validation and test
    Shapes: inputs [15, 1], targets [15]: binary; [15, 1] for regression
    Watch for: 52 and 55 did not buy while 46, 47 and 49 did, so no threshold on age is right on
        more than 13 rows.
    Source: D. Patel, codebasics, github.com/codebasics/py, ML/7_logistic_reg/insurance_data.csv,
        first 15 rows. Licence: none stated there; fifteen pairs of numbers.
    Example:
        >>> data = Insurance15().load()
        >>> data.inputs[data.targets == 1].ravel().tolist()
        [47.0, 46.0, 56.0, 60.0, 62.0, 61.0, 49.0]
    """

    task: Literal["binary", "regression"] = choice("binary")
    split: Shares = choice((1.0, 0.0, 0.0))
    check = check_shares

    def load(self) -> Dataset:
        age = [22, 25, 47, 52, 46, 56, 55, 60, 62, 61, 18, 28, 27, 29, 49]
        bought = [0, 0, 1, 0, 1, 1, 0, 1, 1, 1, 0, 0, 0, 0, 1]
        inputs, targets = np.array(age)[:, None], np.array(bought)
        if self.task == "regression":
            return Dataset(inputs, targets[:, None], "regression", ("age",))
        return Dataset(inputs, targets, "binary", ("age",), ("no", "yes"))


@part(name="insurance_13")
class Insurance13:
    """Whether thirteen people bought insurance, by age and whether they could afford it.

    Choices: split: shares of the rows for training, validation and test
    Shapes: inputs [13, 2], targets [13]: binary
    Watch for: a line separates the classes, so without a penalty the weights of a single neuron
        grow for ever. With raw ages its sigmoid saturates at once.
    Source: D. Patel, codebasics, github.com/codebasics/py,
        DeepLearningML/6_gradient_descent/insurance_data.csv, first 13 rows. Licence: none stated
        there; thirteen rows of numbers.
    Example:
        >>> Insurance13().load().inputs[:3].tolist()
        [[22.0, 1.0], [25.0, 0.0], [47.0, 1.0]]
    """

    split: Shares = choice((1.0, 0.0, 0.0))
    check = check_shares

    def load(self) -> Dataset:
        age = [22, 25, 47, 52, 46, 56, 55, 60, 62, 61, 18, 28, 27]
        affordability = [1, 0, 1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0]
        bought = [0, 0, 1, 0, 1, 1, 0, 1, 1, 1, 0, 0, 0]
        return Dataset(
            np.stack([age, affordability], axis=1),
            np.array(bought),
            "binary",
            ("age", "affordability"),
            ("no", "yes"),
        )


@part
class Houses:
    """Six house prices by area and bedrooms: what unscaled inputs do to gradient descent.

    Formula: least squares gives price = 0.1 · area + 20 · bedrooms − 73.33
    Choices: split: shares of the rows for training, validation and test
    Shapes: inputs [6, 2], targets [6, 1]: regression
    Watch for: area is some 500 times bedrooms; on raw inputs gradient descent diverges for learning
        rates above 5·10⁻⁷, standardized inputs bear a million times that.
    Source: a customary classroom table. Licence: none needed, six rows of numbers.
    Example:
        >>> Houses().load().inputs.mean(axis=0).tolist()
        [1350.0, 2.5]
    """

    split: Shares = choice((1.0, 0.0, 0.0))
    check = check_shares

    def load(self) -> Dataset:
        area = [1200, 1500, 2100, 1100, 1300, 900]
        bedrooms = [2, 3, 4, 3, 2, 1]
        price = [70, 120, 230, 105, 90, 55]
        return Dataset(
            np.stack([area, bedrooms], axis=1),
            np.array(price)[:, None],
            "regression",
            ("area", "bedrooms"),
        )
