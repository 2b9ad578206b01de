"""Recurrence over images: four directions in place of two."""

from __future__ import annotations

from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array

from thalweg.catalogue.cells import GRU
from thalweg.catalogue.cells.cell import Cell
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.layers.recurrent import Recurrent
from thalweg.catalogue.layers.sequence import apply_layer, init_layer
from thalweg.catalogue.layers.windows import described
from thalweg.errors import SpecError
from thalweg.part import choice, part

__all__ = ["PlaneRecurrent"]


@part
class PlaneRecurrent:
    """Runs a cell over an image to the right, left, down and up.

    Formula: y_ij = [right_ij, left_ij, down_ij, up_ij], each along its row or column with weights
        of its own
    Choices: cell: what a step does; units: width of its state; order: all four read the image,
        ``side_by_side``, or the columns read what the rows give, ``in_turn``
    Shapes: [batch, height, width, channel] → the same with 4 unit channels, or 2 unit in turn
    Watch for: side by side, a position knows of its own row and column; in turn, of the whole
        image. It costs more than convolution and reaches farther.
    Source: Goodfellow, Bengio & Courville, Deep Learning, 2016, section 10.3; Visin et al., ReNet,
        2015 (in turn)
    Example:
        >>> layer, x = PlaneRecurrent(units=3), jnp.ones((2, 5, 4, 1))
        >>> layer.apply(layer.init(jax.random.key(0), x), x, Context("evaluate"))[0].shape
        (2, 5, 4, 12)
    """

    cell: Cell = choice(default=GRU())
    units: int = choice(low=1)
    order: Literal["side_by_side", "in_turn"] = choice(default="side_by_side")

    def named_layers(self) -> tuple[tuple[str, Any], ...]:
        """Names and layers, in order."""
        layer = Recurrent(cell=self.cell, units=self.units, direction="both")
        return (("rows", layer), ("columns", layer))

    def init(self, key: Array, example: Any) -> Variables:
        if len(example.shape) != 4:
            raise SpecError(
                "PlaneRecurrent needs inputs [batch, height, width, channel], "
                f"got {described(example.shape)}"
            )
        parameters, channels = {}, example.shape[-1]
        for name, layer in self.named_layers():
            line = jax.ShapeDtypeStruct((1, 1, channels), example.dtype)
            parameters[name] = init_layer(name, layer, key, line).parameters
            if self.order == "in_turn":
                channels = 2 * next(iter(self.cell.states(self.units).values()))
        return Variables(parameters, {})

    def apply(self, variables: Variables, x: Array, context: Context) -> tuple[Array, Any]:
        (rows, across), (columns, down) = self.named_layers()
        wide = _along_rows(rows, across, variables, x, context)
        read = x if self.order == "side_by_side" else wide
        turned = _along_rows(columns, down, variables, read.swapaxes(1, 2), context)
        tall = turned.swapaxes(1, 2)
        joined = tall if self.order == "in_turn" else jnp.concatenate([wide, tall], axis=-1)
        return context.tap("a", joined), {}


def _along_rows(name: str, layer: Any, variables: Variables, x: Array, context: Context) -> Array:
    """A layer along every row of every image."""
    lines = x.reshape(-1, *x.shape[2:])
    y, _ = apply_layer(name, layer, variables, lines, context.of_lengths(None))
    return y.reshape(*x.shape[:-1], y.shape[-1])
