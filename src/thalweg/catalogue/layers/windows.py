"""Windows that slide over the spatial axes of a batch: their geometry, and what lies under them.

A batch is [batch, space ..., channel] with one spatial axis (time) or two (height, width). Within
the layers of images it is turned to [channel, space ..., batch], and back: so every position within
a window is one slice of long contiguous pieces, windows are the columns of a matrix, and what is
summed over batch and space lies along rows. Turning costs nothing between such layers, nor where
only elementwise ones lie between them, as XLA then keeps what is batch first in this order too.
Windows are cut out of a turned batch by position within the window.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from thalweg.catalogue.context import Context
from thalweg.catalogue.layers.lengths import counted_steps
from thalweg.errors import SpecError

__all__ = ["Padding", "Windows", "batch_first", "channels_first"]

Padding: TypeAlias = int | Literal["valid", "same"]

AXES = {1: "[batch, time, channel]", 2: "[batch, height, width, channel]"}


class Windows(NamedTuple):
    """Windows of one size, equally spaced.

    Args:
        size: along every spatial axis.
        stride: distance of neighbouring windows.
        padding: cells added on each side; ``valid`` none, ``same`` so many that there is an output
            for every ``stride``-th input, the odd one behind.
        dilation: distance of neighbouring cells within a window.
    """

    size: tuple[int, ...]
    stride: int
    padding: Padding = "valid"
    dilation: int = 1

    @property
    def extents(self) -> tuple[int, ...]:
        """Cells from the first to the last of a window, along every axis."""
        return tuple((size - 1) * self.dilation + 1 for size in self.size)

    def margins(self, space: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
        """Cells to add before and behind, along every axis."""
        if self.padding == "same":
            added = (
                max((-(-n // self.stride) - 1) * self.stride + extent - n, 0)
                for n, extent in zip(space, self.extents, strict=True)
            )
            return tuple((each // 2, each - each // 2) for each in added)
        each = 0 if self.padding == "valid" else self.padding
        return ((each, each),) * len(space)

    def output(self, space: tuple[int, ...]) -> tuple[int, ...]:
        """Windows along every axis: ⌊(N + P_before + P_behind − F) / S⌋ + 1."""
        return tuple(
            (n + before + behind - extent) // self.stride + 1
            for n, (before, behind), extent in zip(
                space, self.margins(space), self.extents, strict=True
            )
        )

    def reach(self, space: tuple[int, ...]) -> tuple[int, ...]:
        """Cells from where the first window starts to where the last does, along every axis."""
        return tuple((count - 1) * self.stride + 1 for count in self.output(space))

    def lengths_after(self, lengths: Array) -> Array:
        """Windows along time of sequences of so many steps, int32 [batch]; none of no steps."""
        if self.padding == "same":
            return -(-lengths // self.stride)
        added = 0 if self.padding == "valid" else 2 * self.padding
        found = (lengths + added - self.extents[0]) // self.stride + 1
        return jnp.where(lengths > 0, jnp.maximum(found, 0), 0)

    def along(self, context: Context, x: Array, fill: Any = 0.0) -> tuple[Windows, Array]:
        """Windows and inputs for which padded steps are like the cells that windows add.

        Each sequence gets the windows it has alone, in front; those behind them are of no meaning.
        """
        lengths = context.lengths
        if lengths is None or x.ndim != 3:
            return self, x
        if self.padding != "same" or self.stride == 1:
            real = counted_steps(lengths, x.shape[1])
            return self, jnp.where(real[..., None], x, fill)
        # How many cells are added before the first depends on the length: each has its own shift.
        extent, outputs = self.extents[0], self.output(x.shape[1:-1])[0]
        added = jnp.maximum((-(-lengths // self.stride) - 1) * self.stride + extent - lengths, 0)
        places = jnp.arange((outputs - 1) * self.stride + extent) - (added // 2)[:, None]
        moved = jnp.take_along_axis(x, jnp.clip(places, 0, x.shape[1] - 1)[..., None], axis=1)
        real = (places >= 0) & (places < lengths[:, None])
        return self._replace(padding="valid"), jnp.where(real[..., None], moved, fill)

    @property
    def are_tiles(self) -> bool:
        """Whether they lie side by side, without gaps, overlap or padding."""
        spaced = all(size == self.stride for size in self.size)
        return spaced and self.dilation == 1 and self.padding in (0, "valid")

    def tiles(self, x: Array) -> Array:
        """The cells of windows that are tiles, [channel, window, cell, ..., batch] by axis."""
        counts = self.output(x.shape[1:-1])
        for axis, (count, size) in enumerate(zip(counts, self.size, strict=True), 1):
            x = lax.slice_in_dim(x, 0, count * size, axis=axis)
        pairs = (n for pair in zip(counts, self.size, strict=True) for n in pair)
        return x.reshape(x.shape[0], *pairs, x.shape[-1])

    def check(self, owner: str, shape: tuple[int, ...]) -> None:
        """Refuse inputs without these spatial axes, or smaller than a window.

        Args:
            owner: class of the layer, for the message.
            shape: of the inputs.
        """
        check_axes(owner, self.size, shape)
        if min(self.output(shape[1:-1])) < 1:
            raise SpecError(
                f"{owner}.size must fit into the inputs, got {self.size} on {described(shape)}; "
                'make it smaller, or give padding = "same"'
            )

    def cells(self, x: Array) -> Array:
        """The cells of all windows, [position, channel, window ..., batch], zeros where padded.

        Args:
            x: [channel, space ..., batch].
        """
        return _cells(x, self)

    def positions(self) -> Iterator[tuple[int, ...]]:
        """Where the cells of the first window lie, along every axis."""
        for position in itertools.product(*map(range, self.size)):
            yield tuple(step * self.dilation for step in position)

    def padded(self, x: Array, fill: Any = 0.0) -> Array:
        """[channel, space ..., batch] with the cells that are added before and behind."""
        margins = self.margins(x.shape[1:-1])
        if not any(map(any, margins)):
            return x
        return jnp.pad(x, ((0, 0), *margins, (0, 0)), constant_values=fill)

    def slices(self, x: Array, fill: Any = 0.0) -> Iterator[Array]:
        """For every position within a window, the cells there of all windows.

        Args:
            x: [channel, space ..., batch].
            fill: what padding holds.
        """
        reach, x = self.reach(x.shape[1:-1]), self.padded(x, fill)
        strides = (1, *(self.stride for _ in reach), 1)
        for starts in self.positions():
            ends = [start + length for start, length in zip(starts, reach, strict=True)]
            yield lax.slice(x, (0, *starts, 0), (x.shape[0], *ends, x.shape[-1]), strides)


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _cells(x: Array, windows: Windows) -> Array:
    # One pass over memory. Slices that are stacked take two, one for each slice and one for all.
    reach, axes = windows.reach(x.shape[1:-1]), len(windows.size)
    starts = np.array(list(windows.positions()), np.int32)
    dimensions = lax.GatherDimensionNumbers(
        offset_dims=tuple(range(1, axes + 3)),
        collapsed_slice_dims=(),
        start_index_map=tuple(range(1, axes + 1)),
    )
    sizes = (x.shape[0], *reach, x.shape[-1])
    found = lax.gather(windows.padded(x), starts, dimensions, sizes, mode="promise_in_bounds")
    found = found[(..., *(slice(None, None, windows.stride),) * axes, slice(None))]
    # Or XLA joins what comes after, and divides to find the place of every single number.
    return lax.optimization_barrier(found)


@_cells.defjvp
def _slope(windows: Windows, primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    # The gradient of slices is a sum of padded pieces, that of indices a far slower scatter. Axis
    # by axis, as sums of very many pieces keep a processor from adding several numbers at once.
    reach, found = windows.reach(tangents[0].shape[1:-1]), windows.padded(*tangents)
    for axis, (size, length) in enumerate(zip(windows.size, reach, strict=True)):
        pieces = [
            lax.slice_in_dim(found, start, start + length, windows.stride, axis=2 * axis + 1)
            for start in range(0, size * windows.dilation, windows.dilation)
        ]
        found = lax.optimization_barrier(jnp.stack(pieces, axis))
    axes = len(windows.size)
    return _cells(*primals, windows), found.reshape(-1, *found.shape[axes:])


def channels_first(x: Array) -> Array:
    """[batch, space ..., channel] → [channel, space ..., batch]"""
    return jnp.swapaxes(x, 0, -1)


# The way back exchanges the same two axes.
batch_first = channels_first


def check_axes(owner: str, size: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Refuse inputs that have not as many spatial axes as windows.

    Args:
        owner: class of the layer, for the message.
        size: of the windows.
        shape: of the inputs.
    """
    if len(shape) != len(size) + 2:
        raise SpecError(
            f"{owner} with windows of {len(size)} "
            f"{'axes' if len(size) > 1 else 'axis'} needs inputs {AXES[len(size)]}, "
            f"got {described(shape)}; put a Reshape before it, or take images from the data "
            "(flat = false)"
        )


def described(shape: tuple[int, ...]) -> str:
    """A shape with the batch left open: ``[batch, 28, 28, 1]``."""
    return f"[{', '.join(['batch', *map(str, shape[1:])])}]"
