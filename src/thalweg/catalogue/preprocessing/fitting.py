"""The contract of preprocessing: what is fitted, what it does to inputs, and to their shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jax import Array

__all__ = [
    "Fitted",
    "Preprocessing",
    "as_table",
    "fits_in_blocks",
    "fitted_to",
    "keeps_features",
    "shape_after",
]


class Fitted(Protocol):
    """What fitting found: a named tuple of arrays that is applied inside programs.

    Laws: missing values (NaN) become finite; ``apply`` treats every row alone.
    """

    def apply(self, values: Array) -> Array: ...


@runtime_checkable
class Preprocessing(Protocol):
    """Something learned from training rows.

    Laws: fitting sees only the rows it is given; a feature that is constant, or that no row has,
    does not become non-finite. A part that mixes features says which shape examples of a shape
    have afterwards, by ``shape(shape)``; without it a part works feature by feature. What was
    fitted is made again from its arrays by ``fitted(**arrays)``. A part that can be fitted to rows
    that are never in memory together does so by ``fit_in_blocks``, given the rows in blocks, over
    which it may go again.
    """

    @property
    def fitted(self) -> Callable[..., Fitted]: ...

    def fit(self, inputs: np.ndarray) -> Fitted: ...


def keeps_features(preprocessing: Preprocessing) -> bool:
    """Whether every feature stays what it is: only such a part can be undone on targets."""
    return not hasattr(preprocessing, "shape")


def shape_after(preprocessing: Preprocessing | None, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of an example after preprocessing, from that of one before.

    Raises:
        SpecError: there are too few features for what is asked for.
    """
    change: Any = getattr(preprocessing, "shape", None)
    return shape if change is None else change(shape)


def fits_in_blocks(preprocessing: Preprocessing) -> bool:
    """Whether a part needs no more than some rows in memory at a time."""
    return hasattr(preprocessing, "fit_in_blocks")


def fitted_to(preprocessing: Preprocessing, blocks: Sequence[np.ndarray]) -> Fitted:
    """What a part is fitted to, given rows in blocks; in one, where it cannot but have all."""
    own: Any = preprocessing
    if fits_in_blocks(preprocessing):
        return own.fit_in_blocks(blocks)
    return own.fit(blocks[0] if len(blocks) == 1 else np.concatenate(list(blocks)))


def as_table(inputs: np.ndarray) -> np.ndarray:
    """Inputs as float64 [row, feature]; a feature that no row has counts as zero everywhere."""
    table = inputs.reshape(len(inputs), -1).astype(np.float64)
    table[:, np.isnan(table).all(axis=0)] = 0.0
    return table
