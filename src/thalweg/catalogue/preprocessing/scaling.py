"""Scaling: every feature moved and stretched by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from thalweg.catalogue.preprocessing.fitting import as_table
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


class Seen(NamedTuple):
    """What was seen of every feature in all blocks, float64 [feature]; zero of one that no row has.

    Args:
        mean: over the rows that have it.
        low, high: the least and the largest value.
        shape: of one example.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    shape: tuple[int, ...]


def _seen(blocks: Blocks) -> Seen:
    low, high, sums, counts = np.inf, -np.inf, 0.0, 0
    for block in blocks:
        table = _flat(block)
        low = np.fmin(low, np.fmin.reduce(table, axis=0))
        high = np.fmax(high, np.fmax.reduce(table, axis=0))
        sums = sums + np.nansum(table, axis=0)
        counts = counts + (~np.isnan(table)).sum(axis=0)
    there = np.asarray(counts) > 0
    mean = np.asarray(sums) / np.maximum(counts, 1)
    return Seen(mean, np.where(there, low, 0), np.where(there, high, 0), blocks[0].shape[1:])


def _flat(block: np.ndarray) -> np.ndarray:
    return block.reshape(len(block), -1).astype(np.float64)


def _alike(blocks: Blocks) -> np.ndarray:
    """Rows with the mean and the deviation of all rows of all blocks: themselves, if in one."""
    if len(blocks) == 1:
        return as_table(blocks[0])
    seen, sums, counts = _seen(blocks), 0.0, 0
    # The mean of equal numbers may differ from them in its last digit.
    mean = np.where(seen.low == seen.high, seen.low, seen.mean)
    for block in blocks:
        distance = _flat(block) - mean
        sums = sums + np.nansum(distance**2, axis=0)
        counts = counts + (~np.isnan(distance)).sum(axis=0)
    deviation = np.sqrt(np.asarray(sums) / np.maximum(counts, 1))
    return np.stack([mean - deviation, mean + deviation])


def _affine(seen: Seen, shift: Any, scale: Any) -> Affine:
    """A scaling by values per feature; missing values become the mean's."""
    shift = np.broadcast_to(np.asarray(shift, np.float64), seen.mean.shape)
    scale = np.broadcast_to(np.asarray(scale, np.float64), seen.mean.shape)
    missing = (seen.mean - shift) * scale
    return Affine(*(each.reshape(seen.shape) for each in (shift, scale, missing)))


def fill_only(blocks: Blocks) -> Affine:
    """No scaling; missing values become the mean of the training rows."""
    return _affine(_seen(blocks), 0.0, 1.0)


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
        seen = _seen(blocks)
        return _affine(seen, seen.mean, 1.0)


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

        scaler, shape = StandardScaler().fit(_alike(blocks)), blocks[0].shape[1:]
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

        seen = _seen(blocks)
        scaler = MinMaxScaler((self.low, self.high)).fit(np.stack([seen.low, seen.high]))
        return _affine(seen, -scaler.min_ / scaler.scale_, scaler.scale_)


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

        seen = _seen(blocks)
        scaler = MaxAbsScaler().fit(np.stack([seen.low, seen.high]))
        return _affine(seen, 0.0, 1 / np.asarray(scaler.scale_))


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
        return _affine(_seen([inputs]), scaler.center_, 1 / np.asarray(scaler.scale_))
