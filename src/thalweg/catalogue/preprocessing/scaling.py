"""Scaling: every feature moved and stretched by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from thalweg.catalogue.preprocessing.fitting import as_table, tables
from thalweg.errors import SpecError
from thalweg.part import Number, number, part

__all__ = ["Affine", "Center", "MaxAbs", "MinMax", "Robust", "Standardize", "fill_only"]


class Affine(NamedTuple):
    """A fitted scaling per feature: x ← (x − shift) · scale, missing values becoming ``missing``.

    Args:
        shift, scale, missing: float64 [feature, ...], the shape of one example.
    """

    shift: Any
    scale: Any
    missing: Any

    def apply(self, values: Array) -> Array:
        """Values [row, feature, ...] as the network sees them."""
        return jnp.where(jnp.isnan(values), self.missing, (values - self.shift) * self.scale)


# Inputs in blocks of rows.
Blocks = Sequence[np.ndarray]


def _affine(blocks: Blocks, shift: Any, scale: Any) -> Affine:
    """A scaling of inputs by values per feature; missing values become the mean's."""
    shape, mean = blocks[0].shape[1:], _mean(blocks)
    shift = np.broadcast_to(np.asarray(shift, np.float64), mean.shape)
    scale = np.broadcast_to(np.asarray(scale, np.float64), mean.shape)
    missing = (mean - shift) * scale
    return Affine(shift.reshape(shape), scale.reshape(shape), missing.reshape(shape))


def _mean(blocks: Blocks) -> np.ndarray:
    """The mean of every feature over the rows that have it, float64 [feature]."""
    sums, counts = 0.0, 0
    for table in tables(blocks):
        sums = sums + np.nansum(table, axis=0)
        counts = counts + (~np.isnan(table)).sum(axis=0)
    return sums / np.asarray(counts)


def _scaler(scaler: Any, blocks: Blocks) -> Any:
    """A scaler of scikit-learn that has seen all blocks."""
    for table in tables(blocks):
        scaler.partial_fit(table)
    return scaler


def fill_only(blocks: Blocks) -> Affine:
    """No scaling; missing values become the mean of the training rows."""
    return _affine(blocks, 0.0, 1.0)


@part
class Center:
    """Gives every feature mean 0.

    Formula: x ← x − mean, over the training rows
    Shapes: [batch, feature, ...] → the same
    Watch for: features keep their spreads, and steps their different sizes: see Standardize.
    Source: LeCun, Bottou, Orr & Müller, Efficient BackProp, 1998, section 4.3
    Example:
        >>> Center().fit(np.array([[1.0], [3.0]])).apply(jnp.array([[1.0], [3.0]]))
        Array([[-1.],
               [ 1.]], dtype=float32)
    """

    fitted = Affine

    def fit(self, inputs: np.ndarray) -> Affine:
        return self.fit_in_blocks([inputs])

    def fit_in_blocks(self, blocks: Blocks) -> Affine:
        return _affine(blocks, _mean(blocks), 1.0)


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

    fitted = Affine

    def fit(self, inputs: np.ndarray) -> Affine:
        return self.fit_in_blocks([inputs])

    def fit_in_blocks(self, blocks: Blocks) -> Affine:
        from sklearn.preprocessing import StandardScaler

        scaler, shape = _scaler(StandardScaler(), blocks), blocks[0].shape[1:]
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

    fitted = Affine

    low: Number = number(default=0.0)
    high: Number = number(default=1.0)

    def check(self) -> None:
        if not self.low < self.high:
            raise SpecError(f"MinMax.high must be > MinMax.low, got {self.low:g} and {self.high:g}")

    def fit(self, inputs: np.ndarray) -> Affine:
        return self.fit_in_blocks([inputs])

    def fit_in_blocks(self, blocks: Blocks) -> Affine:
        from sklearn.preprocessing import MinMaxScaler

        scaler = _scaler(MinMaxScaler((self.low, self.high)), blocks)
        return _affine(blocks, -scaler.min_ / scaler.scale_, scaler.scale_)


@part
class MaxAbs:
    """Divides every feature by its largest absolute value.

    Formula: x ← x / max |x|, over the training rows
    Shapes: [batch, feature, ...] → the same
    Watch for: zeros stay zeros, so it suits sparse features; new rows may leave [−1, 1].
    Source: scikit-learn MaxAbsScaler
    Example:
        >>> MaxAbs().fit(np.array([[1.0], [-4.0]])).apply(jnp.array([[2.0], [-4.0]]))
        Array([[ 0.5],
               [-1. ]], dtype=float32)
    """

    fitted = Affine

    def fit(self, inputs: np.ndarray) -> Affine:
        return self.fit_in_blocks([inputs])

    def fit_in_blocks(self, blocks: Blocks) -> Affine:
        from sklearn.preprocessing import MaxAbsScaler

        return _affine(blocks, 0.0, 1 / np.asarray(_scaler(MaxAbsScaler(), blocks).scale_))


@part
class Robust:
    """Gives every feature median 0 and a middle half of width 1.

    Formula: x ← (x − median) / (upper quartile − lower quartile), over the training rows
    Shapes: [batch, feature, ...] → the same
    Watch for: outliers do not squeeze the others together, but stay far out themselves. A feature
        whose quartiles are equal is only moved.
    Source: scikit-learn RobustScaler
    Example:
        >>> fitted = Robust().fit(np.array([[0.0], [1.0], [2.0], [3.0], [1000.0]]))
        >>> fitted.apply(jnp.array([[4.0], [1000.0]]))
        Array([[  1.],
               [499.]], dtype=float32)
    """

    fitted = Affine

    def fit(self, inputs: np.ndarray) -> Affine:
        from sklearn.preprocessing import RobustScaler

        scaler = RobustScaler().fit(as_table(inputs))
        return _affine([inputs], scaler.center_, 1 / np.asarray(scaler.scale_))
