"""Preprocessing: how inputs are scaled before a network sees them.

A part of this family is fitted on the training rows of a run, outside the program and by
scikit-learn, and applied inside it. What was fitted is stored with the run.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from thalweg.errors import SpecError
from thalweg.part import Number, number, part

__all__ = ["MinMax", "Standardize"]


class Affine(NamedTuple):
    """A fitted scaling per feature: x ← (x − shift) · scale, missing values becoming ``missing``.

    Args:
        shift, scale, missing: float64 [feature, ...], the shape of one example.
    """

    shift: Any
    scale: Any
    missing: Any


@runtime_checkable
class Preprocessing(Protocol):
    """A scaling learned from training rows.

    Laws: fitting sees only the rows it is given; a feature that is constant, or that no row has,
    does not become non-finite.
    """

    def fit(self, inputs: np.ndarray) -> Affine: ...


def fill_only(inputs: np.ndarray) -> Affine:
    """No scaling; missing values become the mean of the training rows."""
    mean = np.nanmean(_table(inputs), axis=0).reshape(inputs.shape[1:])
    return Affine(np.zeros_like(mean), np.ones_like(mean), mean)


@part
class Standardize:
    """Gives every feature mean 0 and standard deviation 1.

    Formula: x ← (x − mean) / deviation, over the training rows
    Shapes: [batch, feature, ...] → the same
    Watch for: a constant feature becomes 0, not infinite; missing values become the mean, 0.
    Source: scikit-learn StandardScaler
    Example:
        >>> fitted = Standardize().fit(np.array([[1.0], [3.0]]))
        >>> (np.array([[1.0], [3.0]]) - fitted.shift) * fitted.scale
        array([[-1.],
               [ 1.]])
    """

    def fit(self, inputs: np.ndarray) -> Affine:
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler().fit(_table(inputs))
        shape = inputs.shape[1:]
        mean, deviation = np.asarray(scaler.mean_), np.asarray(scaler.scale_)
        return Affine(mean.reshape(shape), 1 / deviation.reshape(shape), np.zeros(shape))


@part
class MinMax:
    """Maps every feature to a range.

    Formula: x ← low + (x − min) (high − low) / (max − min), over the training rows
    Numbers: low, high: ends of the range
    Shapes: [batch, feature, ...] → the same
    Watch for: one outlier squeezes all other values together; new rows may leave the range.
    Source: scikit-learn MinMaxScaler
    Example:
        >>> fitted = MinMax().fit(np.array([[1.0], [3.0]]))
        >>> (np.array([[1.0], [2.0]]) - fitted.shift) * fitted.scale
        array([[0. ],
               [0.5]])
    """

    low: Number = number(default=0.0)
    high: Number = number(default=1.0)

    def check(self) -> None:
        if not self.low < self.high:
            raise SpecError(f"MinMax.high must be > MinMax.low, got {self.low:g} and {self.high:g}")

    def fit(self, inputs: np.ndarray) -> Affine:
        from sklearn.preprocessing import MinMaxScaler

        table = _table(inputs)
        scaler = MinMaxScaler((self.low, self.high)).fit(table)
        shift = -scaler.min_ / scaler.scale_
        missing = (np.nanmean(table, axis=0) - shift) * scaler.scale_
        shape = inputs.shape[1:]
        return Affine(shift.reshape(shape), scaler.scale_.reshape(shape), missing.reshape(shape))


def _table(inputs: np.ndarray) -> np.ndarray:
    """Inputs as float64 [row, feature]; a feature that no row has counts as zero everywhere."""
    table = inputs.reshape(len(inputs), -1).astype(np.float64)
    table[:, np.isnan(table).all(axis=0)] = 0.0
    return table
