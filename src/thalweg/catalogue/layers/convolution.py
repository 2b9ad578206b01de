"""Convolution along time or over images."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import He, Initializer, Zero
from thalweg.catalogue.joined import joined, taken_apart
from thalweg.catalogue.layers.repetition import along_rows
from thalweg.catalogue.layers.windows import Padding, Windows, batch_first, channels_first
from thalweg.catalogue.products import product_of_columns
from thalweg.errors import SpecError
from thalweg.part import choice, part

__all__ = ["Convolution"]


@part
class Convolution:
    """Maps every window of the inputs linearly to filters, all windows alike.

    Formula: z_pf = b_f + Σ_i Σ_c x_{S p + D i − P, c} w_{i c f} for filter f at position p;
        outputs along an axis: ⌊(N + 2P − D (F − 1) − 1) / S⌋ + 1
    Choices: filters: number of output channels; size: F, one number for each axis, one axis for
        time and two for images; stride: S; padding: P cells of zeros on each side, ``valid`` for
        none, ``same`` for as many outputs as inputs over S; dilation: D, distance of the cells of
        a window; groups: so many parts of the channels are mapped apart; kernel: where w starts;
        bias: where b starts, none without
    Shapes: [batch, height, width, channel] → [batch, row, column, filter], or [batch, time,
        channel] → [batch, time, filter]; w [size ..., channel / groups, filter], b [filter]
    Watch for: windows that do not fit at the end are left out (the floor, which some texts omit).
        This is correlation: the kernel is not flipped, as in all neural network libraries. Padded
        sequences have the outputs they have alone: the steps that do not count are cells of zeros.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, section 9.1; output sizes: Dumoulin
        & Visin, A Guide to Convolution Arithmetic, 2016, relationship 15
    Example:
        >>> import jax, jax.numpy as jnp
        >>> layer, images = Convolution(filters=5, padding="same"), jnp.ones((1, 8, 8, 3))
        >>> variables = layer.init(jax.random.key(0), images)
        >>> sum(leaf.size for leaf in jax.tree.leaves(variables.parameters))
        140
    """

    filters: int = choice(low=1)
    size: tuple[int, ...] = choice(default=(3, 3), low=1)
    stride: int = choice(default=1, low=1)
    padding: Padding = choice(default="valid", low=0)
    dilation: int = choice(default=1, low=1)
    groups: int = choice(default=1, low=1)
    kernel: Initializer = choice(default=He())
    bias: Initializer | None = choice(default=Zero())

    def check(self) -> None:
        if len(self.size) not in (1, 2):
            raise SpecError(f"Convolution.size must hold 1 or 2 numbers, got {self.size}")
        if self.filters % self.groups:
            raise SpecError(
                f"Convolution.filters must be a multiple of groups, got {self.filters} filters in "
                f"{self.groups} groups"
            )

    @property
    def _windows(self) -> Windows:
        return Windows(self.size, self.stride, self.padding, self.dilation)

    def init(self, key: Array, example: Any) -> Variables:
        self._windows.check("Convolution", example.shape)
        channels = example.shape[-1]
        if channels % self.groups:
            raise SpecError(
                f"Convolution.groups must divide the {channels} channels of its inputs, "
                f"got {self.groups}"
            )
        for_kernel, for_bias = jax.random.split(key)
        shape = (*self.size, channels // self.groups, self.filters)
        parameters = {"kernel": self.kernel.sample(for_kernel, shape)}
        if self.bias is not None:
            parameters["bias"] = self.bias.sample(for_bias, (self.filters,))
        return Variables(parameters, {})

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        self._windows.check("Convolution", x.shape)
        windows, x = self._windows.along(context, x)
        # Or XLA computes what came before once for every position within a window.
        cells = jax.lax.optimization_barrier(channels_first(x))
        z = self._map(cells, variables.parameters["kernel"], windows)
        if self.bias is not None:
            columns = math.prod(z.shape[1:])
            bias = along_rows(variables.parameters["bias"], columns)
            z = z + taken_apart(bias, 1, z.shape[1:])
        return context.tap("z", batch_first(z)), {}

    def lengths_after(self, lengths: Array) -> Array:
        """How many steps count of what is given out, where so many count of what goes in."""
        return self._windows.lengths_after(lengths)

    def _map(self, x: Array, kernel: Array, windows: Windows) -> Array:
        """Every window as a column, and one matrix product (per group) for all of them.

        Args:
            x: [channel, space ..., batch].
            kernel: w.
            windows: that lie over x.

        Returns:
            [filter, space ..., batch]
        """
        cells, each = windows.cells(x), kernel.shape[-2]
        if self.groups == 1:
            columns = joined(cells, 2, cells.ndim).reshape(len(cells) * each, -1)
            z = product_of_columns(kernel.reshape(-1, self.filters), columns)
        else:
            columns = joined(cells, 2, cells.ndim)
            apart = columns.reshape(len(cells), self.groups, each, -1).swapaxes(0, 1)
            columns = apart.reshape(self.groups, len(cells) * each, -1)
            weights = kernel.reshape(len(cells) * each, self.groups, -1)
            z = jnp.einsum("kgf,gkn->gfn", weights, columns)
        return taken_apart(z.reshape(self.filters, -1), 1, cells.shape[2:])
