"""Statistics of a tensor, entry by entry, as batch, layer and instance normalization take them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.catalogue.context import Context
from thalweg.catalogue.layers import BatchNormalization, InstanceNormalization, LayerNormalization
from thalweg.errors import SpecError
from thalweg.explain.explanation import Explanation
from thalweg.explain.words import shape as shape_of
from thalweg.report import parts
from thalweg.report.words import short

__all__ = ["normalization"]

# What each takes together, of axes sample, channel and feature, and its layer.
KINDS: dict[str, tuple[tuple[int, ...], Any, str]] = {
    "batch": ((0, 2), BatchNormalization, "all samples and features of a channel"),
    "layer": ((1, 2), LayerNormalization, "all channels and features of a sample"),
    "instance": ((2,), InstanceNormalization, "all features of a channel of a sample"),
}


def normalization(tensor: Any, epsilon: float = 1e-5) -> Explanation:
    """What batch, layer and instance normalization make of a tensor.

    Args:
        tensor: numbers [sample, channel, feature].
        epsilon: added to variances before the root.

    Raises:
        SpecError: it has not three axes, is empty, or holds what is no number.
    """
    try:
        given = np.asarray(tensor, float)
    except (TypeError, ValueError):
        raise SpecError("a tensor must be lists of lists of numbers, all of one length") from None
    if given.ndim != 3 or not given.size:
        raise SpecError(
            f"a tensor must have the axes sample, channel and feature, got {shape_of(given)}"
        )
    if not np.isfinite(given).all():
        raise SpecError("a tensor must be of finite numbers")
    sections, data = [], {}
    for name, (axes, layer, taken) in KINDS.items():
        mean, variance = given.mean(axes, keepdims=True), given.var(axes, keepdims=True)
        made = (given - mean) / np.sqrt(variance + epsilon)
        count = int(np.prod([given.shape[axis] for axis in axes]))
        by_layer = _by_layer(layer, given, epsilon, name)
        apart = float(np.max(np.abs(made - by_layer)))
        unbiased = variance * count / (count - 1) if count > 1 else variance * np.nan
        sections.append(
            parts.Section(
                f"{name.capitalize()} normalization",
                (
                    parts.Paragraph(
                        f"Taken together: {taken}, {count} numbers. Variances divide by {count}, "
                        f"as in training; the unbiased ones by {count - 1}."
                    ),
                    _table(name, given, axes, mean, variance, unbiased),
                    _entries(made, "Minus the mean, over the root of the variance."),
                    parts.Paragraph(
                        f"The layer of the catalogue gives the same, up to {short(apart, 2)}.",
                        "note",
                    ),
                ),
            )
        )
        data[name] = {
            "mean": mean.squeeze(axes).tolist(),
            "variance": variance.squeeze(axes).tolist(),
            "unbiased_variance": unbiased.squeeze(axes).tolist(),
            "normalized": made.tolist(),
            "layer_differs_by": apart,
        }
    title = f"Normalizations of a tensor, {shape_of(given)}"
    shown = parts.Section("The tensor", (_entries(given),))
    return Explanation(parts.Page(title, (shown, *sections)), data)


def _by_layer(layer: Any, given: np.ndarray, epsilon: float, name: str) -> np.ndarray:
    """What the layer of the catalogue makes of it; layers have channels last."""
    with jax.enable_x64(True):
        x = jnp.asarray(given.transpose(0, 2, 1))
        if name == "layer":  # which takes the last axis of the layer's input together
            x = x.reshape(len(x), -1)
        made = layer(epsilon=epsilon)
        y, _ = made.apply(made.init(jax.random.key(0), x), x, Context("train"))
        batch, channels, features = given.shape
        return np.asarray(y).reshape(batch, features, channels).transpose(0, 2, 1)


def _entries(array: np.ndarray, caption: str = "") -> parts.Table:
    rows = tuple(
        (str(sample), str(channel), *(_number(entry) for entry in row))
        for sample, channels in enumerate(array)
        for channel, row in enumerate(channels)
    )
    columns = ("sample", "channel", *(f"feature {n}" for n in range(array.shape[2])))
    return parts.Table(columns, rows, "r" * len(columns), caption)


def _table(
    name: str,
    given: np.ndarray,
    axes: tuple[int, ...],
    mean: np.ndarray,
    variance: np.ndarray,
    unbiased: np.ndarray,
) -> parts.Table:
    words = ("sample", "channel", "feature")
    kept = [axis for axis in range(3) if axis not in axes]
    rows = []
    for place in np.ndindex(*(given.shape[axis] for axis in kept)):
        index = dict(zip(kept, place, strict=True))
        at = tuple(index.get(axis, slice(None)) for axis in range(3))
        one = tuple(index.get(axis, 0) for axis in range(3))
        taken = " ".join(_number(entry) for entry in given[at].ravel()[:12])
        taken += " …" if given[at].size > 12 else ""
        numbers = (mean[one], variance[one], unbiased[one])
        rows.append((*map(str, place), taken, *(_exactly(float(own)) for own in numbers)))
    columns = (*(words[axis] for axis in kept), "numbers", "mean", "variance", "unbiased")
    return parts.Table(columns, tuple(rows), "r" * len(kept) + "lrrr")


def _number(value: float) -> str:
    return short(float(value), 4)


def _exactly(value: float) -> str:
    """A number in six digits, with the fraction that it is, if that is a short one."""
    fraction = Fraction(float(value)).limit_denominator(1000) if np.isfinite(value) else None
    if fraction is None or fraction.denominator == 1:
        return short(float(value), 6)
    exact = abs(float(fraction) - value) < 1e-12
    return f"{short(float(value), 6)}{f' = {fraction}' if exact else ''}"
