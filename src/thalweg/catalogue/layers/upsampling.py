"""Layers that make images and sequences larger: the way back from pooling and strides."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import He, Initializer, Zero
from thalweg.catalogue.layers.lengths import without_padding
from thalweg.catalogue.layers.windows import Padding, check_axes, described
from thalweg.errors import SpecError
from thalweg.part import choice, part

__all__ = ["TransposedConvolution", "Upsample"]


@part
class Upsample:
    """Repeats every cell of an image or sequence along its axes.

    Formula: y_p = x_⌊p / factor⌋ along every axis (nearest neighbour)
    Choices: factor: how many times longer every axis becomes
    Shapes: [batch, space ..., channel] → the same, each spatial axis factor times as long
    Watch for: it learns nothing; a Convolution with padding ``same`` after it smooths the blocks,
        and leaves none of the checkerboards of TransposedConvolution.
    Source: Odena, Dumoulin & Olah, Deconvolution and Checkerboard Artifacts, 2016
    Example:
        >>> x = jnp.array([[[1.0], [2.0]]])
        >>> Upsample().apply(Variables({}, {}), x, Context("evaluate"))[0].ravel().tolist()
        [1.0, 1.0, 2.0, 2.0]
    """

    factor: int = choice(default=2, low=1)

    def init(self, key: Array, example: Any) -> Variables:
        if len(example.shape) < 3:
            raise SpecError(
                f"Upsample needs inputs [batch, space ..., channel], got {described(example.shape)}"
                "; put a Reshape before it"
            )
        return Variables({}, {})

    def lengths_after(self, lengths: Array) -> Array:
        """How many steps count of what is given out, where so many count of what goes in."""
        return lengths * self.factor

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        for axis in range(1, x.ndim - 1):
            x = jnp.repeat(x, self.factor, axis=axis)
        return x, {}


@part
class TransposedConvolution:
    """Spreads every cell over a window, and adds up where windows overlap.

    Formula: z_qf = b_f + Σ_p Σ_c [q = S p + i − P] x_pc w_icf for i within a window: the transpose
        of Convolution;  outputs along an axis: S (N − 1) + F − 2P
    Choices: filters: number of output channels; size: F, one number for each axis, one axis for
        time and two for images; stride: S; padding: P cells cut off on each side, ``valid`` for
        none, ``same`` for S outputs to each input; kernel: where w starts; bias: where b starts,
        none without
    Shapes: [batch, height, width, channel] → [batch, row, column, filter], or [batch, time,
        channel] → [batch, time, filter]; w [size ..., channel, filter], b [filter]
    Watch for: often called deconvolution, which it is not. Where the stride does not divide the
        size, some outputs are reached by more windows than others and a checkerboard shows. An
        output is reached by S times fewer cells along an axis than the fan of the kernel counts.
        Of padded sequences, the steps that do not count reach no output.
    Source: Dumoulin & Visin, A Guide to Convolution Arithmetic, 2016, relationship 13
    Example:
        >>> layer, images = TransposedConvolution(filters=5), jnp.ones((1, 7, 7, 3))
        >>> variables = layer.init(jax.random.key(0), images)
        >>> layer.apply(variables, images, Context("evaluate"))[0].shape
        (1, 14, 14, 5)
    """

    filters: int = choice(low=1)
    size: tuple[int, ...] = choice(default=(4, 4), low=1)
    stride: int = choice(default=2, low=1)
    padding: Padding = choice(default="same", low=0)
    kernel: Initializer = choice(default=He())
    bias: Initializer | None = choice(default=Zero())

    def check(self) -> None:
        if len(self.size) not in (1, 2):
            raise SpecError(f"TransposedConvolution.size must hold 1 or 2 numbers, got {self.size}")

    def init(self, key: Array, example: Any) -> Variables:
        check_axes("TransposedConvolution", self.size, example.shape)
        space = [
            self._length(n, size) for n, size in zip(example.shape[1:-1], self.size, strict=True)
        ]
        if min(space) < 1:
            raise SpecError(
                "TransposedConvolution.padding must leave something, got "
                f"{self.padding} for windows {self.size} on {described(example.shape)}"
            )
        for_kernel, for_bias = jax.random.split(key)
        shape = (*self.size, example.shape[-1], self.filters)
        parameters = {"kernel": self.kernel.sample(for_kernel, shape)}
        if self.bias is not None:
            parameters["bias"] = self.bias.sample(for_bias, (self.filters,))
        return Variables(parameters, {})

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        z = self._map(without_padding(context, x), variables.parameters["kernel"])
        if self.bias is not None:
            z = z + variables.parameters["bias"]
        return context.tap("z", z), {}

    def lengths_after(self, lengths: Array) -> Array:
        """How many steps count of what is given out, where so many count of what goes in."""
        reached: Any = self._length(lengths, self.size[0])
        return jnp.where(lengths > 0, jnp.maximum(reached, 0), 0)

    def _length(self, cells: Any, size: int) -> Any:
        """Outputs along an axis."""
        if self.padding == "same":
            return cells * self.stride
        cut = 0 if self.padding == "valid" else self.padding
        return (cells - 1) * self.stride + size - 2 * cut

    def _cut(self, size: int) -> int:
        """Cells cut off before the first output: as many as Convolution adds."""
        if self.padding == "same":
            return max(size - self.stride, 0) // 2
        return 0 if self.padding == "valid" else self.padding

    def _map(self, x: Array, kernel: Array) -> Array:
        """One matrix product for all windows, whose cells are then put where they belong."""
        channels, cells = x.shape[-1], list(itertools.product(*map(range, self.size)))
        turned = jnp.moveaxis(kernel.reshape(len(cells), channels, self.filters), 0, 1)
        made = x.reshape(-1, channels) @ turned.reshape(channels, -1)
        made = made.reshape(*x.shape[:-1], len(cells), self.filters)

        def placed(number: int, cell: tuple[int, ...]) -> Array:
            margins = []
            for n, size, at in zip(x.shape[1:-1], self.size, cell, strict=True):
                before = at - self._cut(size)
                covered = before + (n - 1) * self.stride + 1
                margins.append((before, self._length(n, size) - covered, self.stride - 1))
            zero = jnp.zeros((), made.dtype)
            return lax.pad(made[..., number, :], zero, ((0, 0, 0), *margins, (0, 0, 0)))

        first, *rest = (placed(number, cell) for number, cell in enumerate(cells))
        return sum(rest, first)
