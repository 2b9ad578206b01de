"""Pooling: one number for each window of a channel."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.layers.lengths import counted_steps, without_padding
from thalweg.catalogue.layers.windows import (
    Padding,
    Windows,
    batch_first,
    channels_first,
    described,
)
from thalweg.errors import SpecError
from thalweg.part import choice, part

__all__ = ["AveragePooling", "GlobalPooling", "MaxPooling"]


@part
class MaxPooling:
    """Keeps the largest value of every window.

    Formula: y_pc = max_i x_{S p + i, c}
    Choices: size: of a window, one number for each axis; stride: S, the first of size where not
        given; padding: cells on each side that never win, ``valid`` for none, ``same`` for as many
        outputs as inputs over S
    Shapes: [batch, height, width, channel] → [batch, row, column, channel], or with time alone
    Watch for: has no parameters. Small shifts of the input change little: it adds invariance, and
        does not reduce it as some lecture notes say. Of equal values the first has the gradient.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, section 9.3
    Example:
        >>> images = jnp.arange(16.0).reshape(1, 4, 4, 1)
        >>> MaxPooling().apply(Variables({}, {}), images, Context("evaluate"))[0].ravel()
        Array([ 5.,  7., 13., 15.], dtype=float32)
    """

    size: tuple[int, ...] = choice(default=(2, 2), low=1)
    stride: int | None = choice(default=None, low=1)
    padding: Padding = choice(default="valid", low=0)

    def check(self) -> None:
        _check_axes(self)
        if isinstance(self.padding, int) and self.padding >= min(self.size):
            raise SpecError(
                f"MaxPooling.padding must be smaller than size, got {self.padding} with "
                f"{self.size}; a window of padding alone has no largest value"
            )

    def init(self, key: Array, example: Any) -> Variables:
        return Variables({}, {})

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        self._windows.check("MaxPooling", x.shape)
        windows, x = self._windows.along(context, x, -jnp.inf)
        cells = channels_first(x)
        largest = (
            _largest_of_tiles(cells, windows) if windows.are_tiles else _largest(cells, windows)[0]
        )
        y = batch_first(largest)
        if context.lengths is None:
            return y, {}
        # Windows of padding alone have no largest value, and infinity spoils the gradients behind.
        return without_padding(context.of_lengths(self.lengths_after(context.lengths)), y), {}

    def lengths_after(self, lengths: Array) -> Array:
        """How many steps count of what is given out, where so many count of what goes in."""
        return self._windows.lengths_after(lengths)

    @property
    def _windows(self) -> Windows:
        return Windows(self.size, self.stride or self.size[0], self.padding)


def _largest(x: Array, windows: Windows) -> tuple[Array, Array]:
    """The largest value of every window and its position there, the first of equal ones.

    The gradient goes to the first of equal ones too. Not a number beats all.

    Args:
        x: [channel, space ..., batch].
        windows: as many axes.
    """
    value, *others = windows.slices(x, -jnp.inf)
    position = jnp.zeros(value.shape, jnp.int32)
    for number, other in enumerate(others, 1):
        larger = (other > value) | jnp.isnan(other)
        value = jnp.where(larger, other, value)
        position = jnp.where(larger, number, position)
    return value, position


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _largest_of_tiles(x: Array, windows: Windows) -> Array:
    """The largest value of every window, where windows do not overlap."""
    return _largest(x, windows)[0]


@_largest_of_tiles.defjvp
def _slope(windows: Windows, primals: Any, tangents: Any) -> tuple[Array, Array]:
    # Backwards this is one pass that writes every gradient in its place; that of slices pads as
    # many arrays as a window has cells, and adds them up.
    (x,), (tangent,) = primals, jax.lax.optimization_barrier(tangents)
    # Barriers, or XLA looks for the largest once more, with all that came before, for the position.
    value, position = jax.lax.optimization_barrier(
        _largest(jax.lax.optimization_barrier(x), windows)
    )
    cells = windows.tiles(tangent)
    axes = tuple(range(2, cells.ndim - 1, 2))
    numbers = jnp.arange(math.prod(windows.size)).reshape(
        [cells.shape[axis] if axis in axes else 1 for axis in range(cells.ndim)]
    )
    return value, jnp.where(jnp.expand_dims(position, axes) == numbers, cells, 0).sum(axes)


@part
class AveragePooling:
    """Averages every window.

    Formula: y_pc = 1/|window| Σ_i x_{S p + i, c}
    Choices: size: of a window, one number for each axis; stride: S, the first of size where not
        given
    Shapes: [batch, height, width, channel] → [batch, row, column, channel], or with time alone
    Watch for: has no parameters; the subsampling of 1998 had a weight and a bias per channel.
    Source: LeCun et al., Gradient-Based Learning Applied to Document Recognition, 1998, section
        II.B
    Example:
        >>> images = jnp.arange(16.0).reshape(1, 4, 4, 1)
        >>> AveragePooling().apply(Variables({}, {}), images, Context("evaluate"))[0].ravel()
        Array([ 2.5,  4.5, 10.5, 12.5], dtype=float32)
    """

    size: tuple[int, ...] = choice(default=(2, 2), low=1)
    stride: int | None = choice(default=None, low=1)

    def check(self) -> None:
        _check_axes(self)

    def init(self, key: Array, example: Any) -> Variables:
        return Variables({}, {})

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        self._windows.check("AveragePooling", x.shape)
        windows, x = self._windows.along(context, x)
        slices = list(windows.slices(channels_first(x)))
        return batch_first(sum(slices[1:], slices[0]) / len(slices)), {}

    def lengths_after(self, lengths: Array) -> Array:
        """How many steps count of what is given out, where so many count of what goes in."""
        return self._windows.lengths_after(lengths)

    @property
    def _windows(self) -> Windows:
        return Windows(self.size, self.stride or self.size[0])


@part
class GlobalPooling:
    """Makes one number of all positions of a channel.

    Formula: y_c = mean_p x_pc, or max_p x_pc
    Choices: over: ``mean`` or ``max``
    Shapes: [batch, space ..., channel] → [batch, channel]
    Watch for: where things are is lost; a dense layer after it serves images of any size. Of
        padded sequences [batch, time, channel] the steps that count are pooled; 0 where none does.
    Source: Lin, Chen & Yan, Network in Network, 2014, section 3.2
    Example:
        >>> images = jnp.arange(8.0).reshape(1, 2, 2, 2)
        >>> GlobalPooling().apply(Variables({}, {}), images, Context("evaluate"))[0]
        Array([[3., 4.]], dtype=float32)
    """

    over: Literal["mean", "max"] = choice(default="mean")

    def init(self, key: Array, example: Any) -> Variables:
        return Variables({}, {})

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        if x.ndim < 3:
            raise SpecError(
                f"GlobalPooling needs inputs [batch, space ..., channel], got {described(x.shape)}"
            )
        space = tuple(range(1, x.ndim - 1))
        if context.lengths is not None and x.ndim == 3:
            return self._of_sequences(x, context.lengths), {}
        return (x.mean(space) if self.over == "mean" else x.max(space)), {}

    def _of_sequences(self, x: Array, lengths: Array) -> Array:
        counts = counted_steps(lengths, x.shape[1])[..., None]
        if self.over == "mean":
            return jnp.where(counts, x, 0).sum(1) / jnp.maximum(lengths, 1)[:, None].astype(x.dtype)
        return jnp.where(counts.any(1), jnp.where(counts, x, -jnp.inf).max(1), 0)


def _check_axes(pooling: Any) -> None:
    if len(pooling.size) not in (1, 2):
        raise SpecError(
            f"{type(pooling).__name__}.size must hold 1 or 2 numbers, got {pooling.size}"
        )
