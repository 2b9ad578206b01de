"""Classic measurements that scikit-learn carries: no download, no files.

scikit-learn takes seconds to import, so that is left until data are loaded.
"""

from __future__ import annotations

from typing import Any

from thalweg.data.dataset import Dataset, Shares
from thalweg.data.split import check_shares
from thalweg.part import choice, part
from thalweg.tasks import classification

__all__ = ["BreastCancer", "Diabetes", "Digits", "Iris", "Wine"]


@part
class Digits:
    """Handwritten digits on 8 × 8 pixels, the small stand-in for MNIST.

    Choices: flat: pixels in a row, or images, which convolutions and warps need; split: shares of
        the rows for training, validation and test
    Shapes: inputs [1797, 64], targets [1797]: multiclass; inputs [1797, 8, 8, 1] if not flat
    Watch for: pixels are divided by their maximum, 16. Writers are mixed across the split, so test
        accuracy is higher than for a writer never seen.
    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine
        Learning Repository, 1998, its test set, as shipped with scikit-learn. Licence: CC BY 4.0.
    Example:
        >>> Digits(flat=False).load().inputs.shape
        (1797, 8, 8, 1)
    """

    flat: bool = choice(default=True)
    split: Shares = choice(default=(0.7, 0.15, 0.15))
    check = check_shares

    def load(self) -> Dataset:
        from sklearn import datasets

        bunch: Any = datasets.load_digits()
        inputs = bunch.data / 16
        names = tuple(f"pixel {row},{column}" for row in range(8) for column in range(8))
        classes = tuple(map(str, range(10)))
        if self.flat:
            return Dataset(inputs, bunch.target, "multiclass", names, classes)
        images = inputs.reshape(-1, 8, 8, 1)
        return Dataset(images, bunch.target, "multiclass", class_names=classes)


@part
class Iris:
    """Three species of iris by the lengths and widths of sepals and petals, in cm.

    Choices: split: shares of the rows for training, validation and test
    Shapes: inputs [150, 4], targets [150]: multiclass
    Watch for: setosa is separable by one feature; versicolor and virginica overlap in a few rows,
        so with a small test set an accuracy of 1 is a matter of luck.
    Source: R. A. Fisher, The Use of Multiple Measurements in Taxonomic Problems, 1936, UCI Machine
        Learning Repository, as shipped with scikit-learn. Licence: CC BY 4.0.
    Example:
        >>> Iris().load().class_names
        ('setosa', 'versicolor', 'virginica')
    """

    split: Shares = choice((0.7, 0.15, 0.15))
    check = check_shares

    def load(self) -> Dataset:
        from sklearn import datasets

        return _classification(datasets.load_iris())


@part
class Wine:
    """Three cultivars by thirteen chemical measurements of their wine.

    Choices: split: shares of the rows for training, validation and test
    Shapes: inputs [178, 13], targets [178]: multiclass
    Watch for: proline is some thousand times larger than other features; standardize.
    Source: M. Forina et al., Wine, UCI Machine Learning Repository, 1991, as shipped with
        scikit-learn. Licence: CC BY 4.0.
    Example:
        >>> data = Wine().load()
        >>> data.feature_names[-1], float(data.inputs[:, -1].max())
        ('proline', 1680.0)
    """

    split: Shares = choice((0.7, 0.15, 0.15))
    check = check_shares

    def load(self) -> Dataset:
        from sklearn import datasets

        return _classification(datasets.load_wine())


@part
class BreastCancer:
    """Malignant or benign tumours by thirty measurements of cell nuclei in an image.

    Choices: split: shares of the rows for training, validation and test
    Shapes: inputs [569, 30], targets [569]: binary
    Watch for: class 1 is benign, so a "positive" prediction means healthy. Features differ in size
        by five orders of magnitude; standardize.
    Source: W. N. Street, W. H. Wolberg and O. L. Mangasarian, Breast Cancer Wisconsin (Diagnostic),
        UCI Machine Learning Repository, 1993, as shipped with scikit-learn. Licence: CC BY 4.0.
    Example:
        >>> BreastCancer().load().class_names
        ('malignant', 'benign')
    """

    split: Shares = choice((0.7, 0.15, 0.15))
    check = check_shares

    def load(self) -> Dataset:
        from sklearn import datasets

        return _classification(datasets.load_breast_cancer())


@part
class Diabetes:
    """How far diabetes progressed within a year, by age, sex, body and six blood values.

    Choices: split: shares of the rows for training, validation and test
    Shapes: inputs [442, 10], targets [442, 1]: regression
    Watch for: inputs are in their original units, not in the version scaled over all rows, which
        would let the test rows into training. Targets run from 25 to 346.
    Source: B. Efron, T. Hastie, I. Johnstone and R. Tibshirani, Least Angle Regression, 2004, as
        shipped with scikit-learn. Licence: none stated by the authors; scikit-learn distributes it
        under BSD 3-Clause.
    Example:
        >>> data = Diabetes().load()
        >>> data.feature_names[:3], data.inputs[0, :3].round(1).tolist()
        (('age', 'sex', 'bmi'), [59.0, 2.0, 32.099998474121094])
    """

    split: Shares = choice((0.7, 0.15, 0.15))
    check = check_shares

    def load(self) -> Dataset:
        from sklearn import datasets

        bunch: Any = datasets.load_diabetes(scaled=False)
        names = tuple(bunch.feature_names)
        return Dataset(bunch.data, bunch.target[:, None], "regression", names)


def _classification(bunch: Any) -> Dataset:
    classes = tuple(map(str, bunch.target_names))
    task = classification(len(classes))
    return Dataset(bunch.data, bunch.target, task, tuple(bunch.feature_names), classes)
