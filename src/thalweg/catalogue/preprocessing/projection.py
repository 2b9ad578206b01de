"""Projection: features mixed into principal components, decorrelated or whitened."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from thalweg.catalogue.preprocessing.fitting import as_table
from thalweg.errors import DataError, SpecError
from thalweg.part import Number, choice, number, part

__all__ = ["PCA", "Projection", "Whiten"]

Shape = tuple[int, ...]


class Projection(NamedTuple):
    """A fitted linear map: x ← (x − mean) matrix, missing values becoming the mean.

    Args:
        mean: float64 [feature, ...], the shape of one example.
        matrix: float64 [feature, ..., output, ...].
    """

    mean: Any
    matrix: Any

    def apply(self, values: Array) -> Array:
        """Values [row, feature, ...] as the network sees them, [row, output, ...]."""
        centred = jnp.where(jnp.isnan(values), 0, values - self.mean)
        return jnp.tensordot(centred, self.matrix, axes=centred.ndim - 1)


def _principal(inputs: np.ndarray, components: int, part_name: str) -> Any:
    """scikit-learn's principal components of inputs whose missing values are their means."""
    from sklearn.decomposition import PCA as Analysis

    table = as_table(inputs)
    _check_rows(len(table), components, part_name)
    table = np.where(np.isnan(table), np.nanmean(table, axis=0), table)
    return Analysis(components, svd_solver="full").fit(table)


def _check_rows(rows: int, components: int, part_name: str) -> None:
    if components > rows:
        raise DataError(
            f"{part_name}.components must be at most the number of training rows, {rows}, "
            f"got {components}; the other directions are unknown"
        )


def _width(components: int | None, shape: Shape, part_name: str) -> int:
    features = math.prod(shape)
    if components is not None and components > features:
        raise SpecError(
            f"{part_name}.components must be at most the number of features, {features}, "
            f"got {components}"
        )
    return features if components is None else components


@part
class PCA:
    """Turns inputs into their principal components, which are uncorrelated.

    Formula: x ← (x − mean) V, with V the leading eigenvectors of the covariance of the training
        rows, largest variance first
    Choices: components: how many are kept, all where not given
    Shapes: [batch, feature, ...] → [batch, component]
    Watch for: features of large units make the components; scale features of different units
        first. Variance is not relevance: what separates classes may be left out. The sign of a
        component is arbitrary.
    Source: Bishop, Pattern Recognition and Machine Learning, 2006, section 12.1
    Example:
        >>> x = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
        >>> jnp.abs(PCA(components=1).fit(x).apply(jnp.asarray(x))).round(4)
        Array([[1.4142],
               [0.    ],
               [1.4142]], dtype=float32)
    """

    fitted = Projection

    components: int | None = choice(default=None, low=1)

    def shape(self, shape: Shape) -> Shape:
        return (_width(self.components, shape, "PCA"),)

    def check_rows(self, rows: int, shape: Shape) -> None:
        """Refuse to look for more directions than so many training rows can show."""
        _check_rows(rows, _width(self.components, shape, "PCA"), "PCA")

    def fit(self, inputs: np.ndarray) -> Projection:
        shape = inputs.shape[1:]
        (width,) = self.shape(shape)
        found = _principal(inputs, width, "PCA")
        return Projection(found.mean_.reshape(shape), found.components_.T.reshape(*shape, width))


@part
class Whiten:
    """Decorrelates inputs and gives every direction variance 1, but those of hardly any variance.

    Formula: x ← (x − mean) V Λ^(−1/2), with V and Λ the leading eigenvectors and eigenvalues of
        the covariance of the training rows; 0 for directions with λ_i ≤ floor · λ_1; ``zca``
        turns back by Vᵀ
    Numbers: floor: share of the largest variance up to which a direction is noise, and is silenced
    Choices: components: how many directions are kept, all where not given; form: whether outputs
        are components (``pca``) or lie as close to the inputs as whitening can (``zca``)
    Shapes: [batch, feature, ...] → [batch, component], for ``zca`` the same as before
    Watch for: whitening itself does not filter: it blows directions of low variance, mostly noise,
        up to the size of the others. That is what the floor is for. Silenced directions stay as
        zeros, so that the width is known beforehand; ``components`` leaves them out.
    Source: Hyvärinen, Karhunen & Oja, Independent Component Analysis, 2001, section 6.4; ZCA:
        Bell & Sejnowski, The Independent Components of Natural Scenes Are Edge Filters, 1997
    Example:
        >>> x = np.random.default_rng(0).normal(size=(500, 2)) @ np.array([[3.0, 1.0], [0.0, 0.1]])
        >>> np.cov(Whiten().fit(x).apply(jnp.asarray(x)).T).round(3) + 0
        array([[1., 0.],
               [0., 1.]])
    """

    fitted = Projection

    floor: Number = number(default=1e-4, low=0, below=1, scale="log", search=(1e-8, 1e-1))
    components: int | None = choice(default=None, low=1)
    form: Literal["pca", "zca"] = choice(default="pca")

    def shape(self, shape: Shape) -> Shape:
        width = _width(self.components, shape, "Whiten")
        return (width,) if self.form == "pca" else shape

    def check_rows(self, rows: int, shape: Shape) -> None:
        """Refuse to look for more directions than so many training rows can show."""
        _check_rows(rows, _width(self.components, shape, "Whiten"), "Whiten")

    def fit(self, inputs: np.ndarray) -> Projection:
        shape = inputs.shape[1:]
        width = _width(self.components, shape, "Whiten")
        found = _principal(inputs, width, "Whiten")
        variances = found.explained_variance_
        # Variances that rounding alone can make are none.
        none = variances <= np.finfo(np.float64).eps * width * variances[0]
        if self.floor == 0 and none.any():
            raise DataError(
                f"Whiten.floor must be > 0 for these data: {none.sum()} of {width} directions "
                "have no variance (a constant column, or one made of others) and cannot be given "
                "variance 1"
            )
        kept = ~none & (variances > self.floor * variances[0])
        scales = np.where(kept, 1 / np.sqrt(np.where(kept, variances, 1)), 0)
        matrix = found.components_.T * scales
        if self.form == "zca":
            matrix = matrix @ found.components_
        return Projection(found.mean_.reshape(shape), matrix.reshape(*shape, *self.shape(shape)))
