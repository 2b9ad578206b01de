"""Sizes of convolutions and poolings, worked out and checked on the layer itself."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from thalweg.catalogue.context import Context
from thalweg.catalogue.layers import AveragePooling, Convolution, MaxPooling
from thalweg.errors import SpecError
from thalweg.explain.explanation import Explanation
from thalweg.report import parts
from thalweg.report.words import short

__all__ = ["convolution", "pooling"]

#: Windows that are listed.
LISTED = 64


def convolution(
    size: int,
    window: int,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    filters: int = 1,
    channels: int = 1,
    axes: int = 2,
) -> Explanation:
    """What a convolution makes of an input: size of the output, windows, parameters.

    Args:
        size: of the input along each axis, N.
        window: of the kernel along each axis, F.
        stride: from window to window, S.
        padding: cells of zeros on each side, P.
        dilation: from cell to cell of a window, D.
        filters: how many, K.
        channels: of the input, C.
        axes: 1 for time, 2 for images.

    Raises:
        SpecError: one of these is too small, or no window fits.
    """
    given = {"channels": channels, "axes": axes, "size": size}
    _at_least_one(given)
    layer = Convolution(
        filters=filters,
        size=(window,) * axes,
        stride=stride,
        padding=padding,
        dilation=dilation,
    )
    side = _side(size, window, stride, padding, dilation)
    cells = window**axes * channels
    example = jnp.zeros((1, *(size,) * axes, channels))
    variables = layer.init(jax.random.key(0), example)
    output = layer.apply(variables, example, Context("evaluate"))[0].shape
    data = {
        "output": list(output[1:]),
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(variables.parameters)),
        "units": side**axes * filters,
        "multiplications": side**axes * filters * cells,
        "without_floor": _exact(size, window, stride, padding, dilation),
    }
    lines = [
        *_size_lines(size, window, stride, padding, dilation, side, output[1]),
        *_counts(window, axes, channels, filters, side, data["parameters"]),
    ]
    title = f"A convolution of {' × '.join([str(size)] * axes)} by {layer!r}"
    return _page(title, lines, (size, window, stride, padding, dilation), side, data)


def _counts(
    window: int, axes: int, channels: int, filters: int, side: int, counted: int
) -> list[parts.Formula]:
    """Parameters, units and multiplications, in numbers."""
    sizes = [str(window)] * axes + [str(channels)]
    cells, units = window**axes * channels, side**axes * filters
    parameters = (cells + 1) * filters
    product = r" \cdot ".join(sizes)
    return [
        parts.Formula(
            rf"(F^{{{axes}}} C + 1)\,K = ({product} + 1) \cdot {filters}"
            f" = {parameters}",
            f"parameters: ({'·'.join(sizes)} + 1)·{filters} = {parameters:,}",
            "weights of a window and a bias, for each filter",
            f"the layer has {counted:,}",
        ),
        parts.Formula(
            rf"{side}^{{{axes}}} \cdot {filters} = {units}",
            f"units: {'·'.join([str(side)] * axes)}·{filters} = {units:,}",
            "one for each window and filter",
        ),
        parts.Formula(
            rf"{units} \cdot {cells} = {units * cells}",
            f"multiplications: {units:,}·{cells} = {units * cells:,}",
            "one for each weight, at every window",
        ),
    ]


def pooling(
    size: int, window: int, *, stride: int | None = None, padding: int = 0, kind: str = "max"
) -> Explanation:
    """What a pooling makes of an image: size of the output and windows; it has no parameters.

    Args:
        size, window, stride, padding: as of ``convolution``; windows lie side by side if the
            stride is left out.
        kind: ``max`` or ``average``.

    Raises:
        SpecError: one of these is too small, or no window fits.
    """
    _at_least_one({"size": size})
    layer: Any = {"max": MaxPooling, "average": AveragePooling}[kind](
        size=(window, window), stride=stride or window, padding=padding
    )
    step = stride or window
    side = _side(size, window, step, padding, 1)
    example = jnp.zeros((1, size, size, 1))
    output = layer.apply(layer.init(jax.random.key(0), example), example, Context("evaluate"))[0]
    lines = _size_lines(size, window, step, padding, 1, side, output.shape[1])
    data = {"output": list(output.shape[1:3]), "parameters": 0}
    title = f"A pooling of {size} × {size} by {layer!r}"
    return _page(title, lines, (size, window, step, padding, 1), side, data)


def _at_least_one(given: dict[str, int]) -> None:
    problems = [f"{name} must be >= 1, got {value}" for name, value in given.items() if value < 1]
    if problems:
        raise SpecError(*problems)


def _exact(size: int, window: int, stride: int, padding: int, dilation: int) -> float:
    return (size + 2 * padding - dilation * (window - 1) - 1) / stride + 1


def _side(size: int, window: int, stride: int, padding: int, dilation: int) -> int:
    """Windows along an axis."""
    side = int(_exact(size, window, stride, padding, dilation) // 1)
    if side < 1:
        reach = dilation * (window - 1) + 1
        raise SpecError(
            f"a window reaches over {reach} cells, and there are {size + 2 * padding} with the "
            "padding; make it smaller, or the padding larger"
        )
    return side


def _size_lines(
    size: int, window: int, stride: int, padding: int, dilation: int, side: int, layer: int
) -> list[parts.Formula]:
    """The size of the output, in general and in numbers."""
    reach = dilation * (window - 1)
    exact = _exact(size, window, stride, padding, dilation)
    lines = [
        parts.Formula(
            r"\left\lfloor \frac{N + 2P - D(F-1) - 1}{S} \right\rfloor + 1",
            "⌊(N + 2P − D(F − 1) − 1)/S⌋ + 1",
            "outputs along an axis: places at which a whole window fits",
        ),
        parts.Formula(
            rf"= \left\lfloor \frac{{{size} + 2 \cdot {padding} - {reach} - 1}}{{{stride}}}"
            rf" \right\rfloor + 1 = {side}",
            f"= ⌊({size} + 2·{padding} − {reach} − 1)/{stride}⌋ + 1 = {side}",
            "",
            f"the layer makes {layer}",
        ),
    ]
    if exact != side:
        lines.insert(
            1,
            parts.Formula(
                rf"\frac{{N - F + 2P}}{{S}} + 1 = {exact:.4g}",
                f"(N − F + 2P)/S + 1 = {short(exact, 4)}",
                "printed without the floor; there is no part of a window",
                wrong=True,
            ),
        )
    return lines


def _page(
    title: str,
    lines: list[parts.Formula],
    shape: tuple[int, int, int, int, int],
    side: int,
    data: dict[str, Any],
) -> Explanation:
    size, window, stride, padding, dilation = shape
    rows = []
    for place in range(min(side, LISTED)):
        first = place * stride - padding
        cells = [first + dilation * cell for cell in range(window)]
        outside = sum(not 0 <= cell < size for cell in cells)
        said = " ".join(str(cell) if 0 <= cell < size else "·" for cell in cells)
        rows.append((str(place), said, str(outside) if outside else ""))
    read = {p * stride - padding + dilation * c for p in range(side) for c in range(window)}
    left = [cell for cell in range(size) if cell not in read]
    caption = "Which cells each window reads along an axis, from 0; · is a cell of zeros."
    windows: list[parts.Part] = [
        parts.Table(("window", "cells", "of zeros"), tuple(rows), "rlr", caption)
    ]
    if side > LISTED:
        windows.append(parts.Paragraph(f"{side - LISTED:,} more windows go on alike.", "note"))
    if left:
        cells = ", ".join(map(str, left[:12])) + (" and others" if len(left) > 12 else "")
        windows.append(parts.Paragraph(f"Not read by any window: {cells}.", "warning"))
    page = parts.Page(
        title,
        (parts.Section("Sizes", tuple(lines)), parts.Section("Windows", tuple(windows))),
        "Dumoulin & Visin, A Guide to Convolution Arithmetic, 2016",
    )
    return Explanation(page, {**data, "not_read": left})
