"""Properties of an activation, computed from its values and derivatives and not written down.

``properties_of`` samples the function in double precision: densely within ±20, where everything
of interest happens, at a few places far outside, where limits show, and halving intervals where
the function or its derivative jumps. ``curve_of`` gives the points of a plot, and ``cost_of``
measures time, which no other function here does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.catalogue.activations.coupled import Max, Maxout, Softmax
from thalweg.catalogue.activations.gain import PLACES, gain_of, normal_mean
from thalweg.catalogue.activations.rectifiers import ReLU

__all__ = ["FLAT", "Curve", "Properties", "cost_of", "curve_of", "is_elementwise", "properties_of"]

# A derivative smaller than this is called flat.
FLAT = 0.01

NEAR = np.linspace(-20, 20, 20_001)  # 0 and all whole numbers are among them
FAR = np.array([1e2, 1e3, 1e4])
FARTHEST = 1e6 * np.array([1.0, 1.1, 1.3, 1.7])  # several: a wave may be flat at one
JUMP = 1e-3

Evaluate = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Properties:
    """What can be said of a function of single units; Z is a standard normal throughout.

    Args:
        range: between which values it lies; infinite where it has no bound.
        mean: E[f(Z)].
        zero_centred: whether the mean is zero.
        saturates_below, saturates_above: whether the derivative goes to zero on either side.
        flat_below, flat_above: beyond which z it is smaller than ``FLAT``; None where it is not,
            or everywhere is.
        kinks: where it is not differentiable, within ±20.
        identity_near_zero: whether f(z) ≈ z for small z.
        trainable: whether any gradient passes at all.
        can_die: whether no gradient passes on a whole half-line, so that a unit can get stuck.
        derivative_range: between which values the derivative lies.
        gain: factor on weights that keeps the variance; None where it does not exist.
        gradient_factor: share of a gradient's variance that a layer with this gain passes on,
            gain² E[f′(Z)²]; below 1 gradients vanish with depth, above 1 they explode.
    """

    range: tuple[float, float]
    mean: float
    zero_centred: bool
    saturates_below: bool
    saturates_above: bool
    flat_below: float | None
    flat_above: float | None
    kinks: tuple[float, ...]
    identity_near_zero: bool
    trainable: bool
    can_die: bool
    derivative_range: tuple[float, float]
    gain: float | None
    gradient_factor: float | None


class Curve(NamedTuple):
    """Points of a plot: arguments, values and derivatives."""

    z: tuple[float, ...]
    values: tuple[float, ...]
    derivatives: tuple[float, ...]


def is_elementwise(activation: Any) -> bool:
    """Whether it treats every unit alone, so that it has a curve and properties."""
    return not isinstance(activation, Max | Maxout | Softmax)


def properties_of(activation: Any) -> Properties:
    """The properties of an activation that treats every unit alone."""
    with jax.enable_x64(True):
        value, slope = _evaluated(activation), _evaluated(activation.derivative)
        steepness = np.abs(slope(NEAR))
        below, above = (bool((np.abs(slope(end * FARTHEST)) < JUMP).all()) for end in (-1, 1))
        mean = _rounded(_mean(value(PLACES)))
        trainable = bool(np.nanmax(steepness) > 0)
        around = slope(np.array([-1e-5, 1e-5]))
        gain, factor = _gain(activation, slope)
        return Properties(
            range=_range(value),
            mean=mean,
            zero_centred=abs(mean) < 1e-4,
            saturates_below=below,
            saturates_above=above,
            flat_below=_first_steep(steepness, NEAR) if below and trainable else None,
            flat_above=_first_steep(steepness[::-1], NEAR[::-1]) if above and trainable else None,
            kinks=_kinks(value, slope),
            identity_near_zero=bool(
                abs(value(np.zeros(1))[0]) < 1e-9 and (np.abs(around - 1) < JUMP).all()
            ),
            trainable=trainable,
            # Close to zero: farther out, derivatives that are small only are rounded to zero.
            can_die=any(not slope(side * np.linspace(2.5, 5, 101)).any() for side in (-1, 1)),
            derivative_range=_range(slope),
            gain=gain,
            gradient_factor=factor,
        )


def curve_of(activation: Any, low: float = -5, high: float = 5, points: int = 401) -> Curve:
    """Values and derivatives on a grid, for a plot."""
    z = np.linspace(low, high, points)
    with jax.enable_x64(True):
        columns = z, _evaluated(activation)(z), _evaluated(activation.derivative)(z)
    return Curve(*(tuple(column.tolist()) for column in columns))


def cost_of(activation: Any, size: int = 2**20, rounds: int = 15) -> float:
    """Time of value and gradient together relative to ReLU, measured here and now.

    Args:
        size: values at once.
        rounds: how often both are timed, in turns; the shortest times count.
    """
    z = jax.random.normal(jax.random.key(0), (size,))
    timed = [jax.jit(jax.value_and_grad(lambda z, f=f: f(z).sum())) for f in (activation, ReLU())]
    shortest = [float("inf"), float("inf")]
    for number in range(rounds + 1):
        for i, function in enumerate(timed):
            begin = time.perf_counter()
            jax.block_until_ready(function(z))
            if number:  # the first compiles
                shortest[i] = min(shortest[i], time.perf_counter() - begin)
    return shortest[0] / shortest[1]


def _evaluated(function: Any) -> Evaluate:
    compiled = jax.jit(function)
    return lambda z: np.asarray(compiled(jnp.asarray(z, float)))


def _mean(values: np.ndarray) -> float:
    return float(normal_mean(jnp.asarray(values)))


def _gain(activation: Any, slope: Evaluate) -> tuple[float | None, float | None]:
    gain = float(gain_of(activation))
    if not np.isfinite(gain):
        return None, None
    return _rounded(gain), _rounded(gain**2 * _mean(slope(PLACES) ** 2))


def _range(function: Evaluate) -> tuple[float, float]:
    """The bounds of a function; infinite where it still grows between far and farthest."""
    known = np.concatenate([function(NEAR), function(FAR), function(-FAR)])
    farthest = np.concatenate([function(FARTHEST), function(-FARTHEST)])
    low, high = np.nanmin(known), np.nanmax(known)
    lowest, highest = np.nanmin([low, *farthest]), np.nanmax([high, *farthest])
    return (
        -np.inf if lowest < low - 0.1 else _rounded(lowest),
        np.inf if highest > high + 0.1 or np.isinf(high) else _rounded(highest),
    )


def _first_steep(steepness: np.ndarray, z: np.ndarray) -> float | None:
    """Coming from a side, where the derivative is first larger than ``FLAT``."""
    index = int(np.argmax(steepness >= FLAT))
    return _rounded(z[index]) if index else None


def _kinks(value: Evaluate, slope: Evaluate) -> tuple[float, ...]:
    """Where the function or its derivative jumps, by halving every interval of the grid."""
    found: set[float] = set()
    for function in (value, slope):
        low, high = NEAR[:-1], NEAR[1:]
        for _ in range(50):
            middle = (low + high) / 2
            first = np.abs(function(middle) - function(low))
            left = first >= np.abs(function(high) - function(middle))
            low, high = np.where(left, low, middle), np.where(left, middle, high)
        jumps = np.abs(function(high) - function(low)) > JUMP
        found |= {round(float(z), 6) + 0.0 for z in high[jumps]}
    return tuple(sorted(found))


def _rounded(value: Any) -> float:
    """To four digits: what sampling is good for."""
    return float(f"{value:.4g}") + 0.0
