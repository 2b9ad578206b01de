"""Properties of an activation, computed from its values and derivatives and not written down.

``properties_of`` samples the function in double precision: densely within ±20, where everything
of interest happens, at a few places far outside, where limits show, and halving intervals where
the function or its derivative jumps. All of it goes through one compiled function of one shape.
``curve_of`` gives the points of a plot, and ``cost_of`` measures time, which no other function
here does.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np
from jax import Array

from thalweg.catalogue.activations.coupled import Max, Maxout, Softmax
from thalweg.catalogue.activations.gain import PLACES, WEIGHTS
from thalweg.catalogue.activations.rectifiers import ReLU

__all__ = ["FLAT", "Curve", "Properties", "cost_of", "curve_of", "is_elementwise", "properties_of"]

# A derivative smaller than this is called flat.
FLAT = 0.01

NEAR = np.linspace(-20, 20, 20_001)  # 0 and all whole numbers are among them
JUMP = 1e-3
# So many leave 1e-12 of an interval.
HALVINGS = 30

# Where functions are sampled, by name; those with two sides have the lower one first.
PLACES_OF = {
    "near": NEAR,
    "far": np.array([-1e4, -1e3, -1e2, 1e2, 1e3, 1e4]),
    # Several: a wave may be flat at one.
    "farthest": np.outer([-1e6, 1e6], [1.0, 1.1, 1.3, 1.7]).ravel(),
    "zero": np.array([-1e-5, 0, 1e-5]),
    # Close to zero: farther out, derivatives that are small are rounded to zero.
    "sides": np.outer([-1, 1], np.linspace(2.5, 5, 101)).ravel(),
    "normal": PLACES,
}
ALL_PLACES = np.concatenate(list(PLACES_OF.values()))
ENDS = np.cumsum([places.size for places in PLACES_OF.values()])[:-1]
Samples: TypeAlias = dict[str, np.ndarray]  # by name of their places


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


@np.errstate(invalid="ignore", over="ignore")  # functions may grow beyond all bounds
def properties_of(activation: Any) -> Properties:
    """The properties of an activation that treats every unit alone."""
    value, slope = (
        dict(zip(PLACES_OF, np.split(samples, ENDS), strict=True))
        for samples in _sampled(activation, ALL_PLACES)
    )
    jumps = [
        _jumps(activation, which, samples["near"]) for which, samples in enumerate((value, slope))
    ]
    gain, factor = _gain(value["normal"], slope["normal"])
    mean = _rounded(round(float(WEIGHTS @ value["normal"]), 12))
    steepness = np.abs(slope["near"])
    below, above = ((np.abs(half) < JUMP).all() for half in np.split(slope["farthest"], 2))
    trainable = bool(np.nanmax(steepness) > 0)
    is_identity = abs(value["zero"][1]) < 1e-9 and (np.abs(slope["zero"][[0, 2]] - 1) < JUMP).all()
    return Properties(
        range=_range(value),
        mean=mean,
        zero_centred=abs(mean) < 1e-4,
        saturates_below=bool(below),
        saturates_above=bool(above),
        flat_below=_last_flat(steepness, NEAR) if below and trainable else None,
        flat_above=_last_flat(steepness[::-1], NEAR[::-1]) if above and trainable else None,
        kinks=tuple(sorted({round(float(z), 6) + 0.0 for z in np.concatenate(jumps)})),
        identity_near_zero=bool(is_identity),
        trainable=trainable,
        can_die=any(not half.any() for half in np.split(slope["sides"], 2)),
        derivative_range=_range(slope),
        gain=gain,
        gradient_factor=factor,
    )


def curve_of(activation: Any, low: float = -5, high: float = 5, points: int = 401) -> Curve:
    """Values and derivatives on a grid, for a plot."""
    z = np.linspace(low, high, points)
    return Curve(*(tuple(column.tolist()) for column in (z, *_sampled(activation, z))))


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


def _sampled(activation: Any, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values and derivatives in double precision, at up to as many places as ``ALL_PLACES``."""
    with jax.enable_x64(True):
        values, slopes = _both(activation, np.pad(z, (0, ALL_PLACES.size - z.size)))
    return np.asarray(values)[: z.size], np.asarray(slopes)[: z.size]


@jax.jit
def _both(activation: Any, z: Array) -> tuple[Array, Array]:
    return activation(z), activation.derivative(z)


def _jumps(activation: Any, which: int, at_ends: np.ndarray) -> np.ndarray:
    """Where the function (0) or its derivative (1) jumps, by halving the intervals of ``NEAR``.

    Few intervals are left after some halvings: those with a jump, or a slope in the hundreds.
    """
    low, high, at_low, at_high = NEAR[:-1], NEAR[1:], at_ends[:-1], at_ends[1:]
    for halving in range(HALVINGS):
        middle = (low + high) / 2
        between = _sampled(activation, middle)[which]
        in_first = np.abs(between - at_low) >= np.abs(at_high - between)
        low, at_low = np.where(in_first, (low, at_low), (middle, between))
        high, at_high = np.where(in_first, (middle, between), (high, at_high))
        if halving >= 6:
            left = np.abs(at_high - at_low) > JUMP
            low, high, at_low, at_high = (ends[left] for ends in (low, high, at_low, at_high))
            if not left.any():
                break
    return high


def _gain(values: np.ndarray, slopes: np.ndarray) -> tuple[float | None, float | None]:
    """The gain, as ``gain_of`` has it, and what a layer of this gain passes on of a gradient."""
    square = float(WEIGHTS @ values**2)
    if not (0 < square < np.inf):
        return None, None
    return _rounded(square**-0.5), _rounded(WEIGHTS @ slopes**2 / square)


def _range(samples: Samples) -> tuple[float, float]:
    """The bounds of a function; infinite where it still grows between far and farthest."""
    known = np.concatenate([samples["near"], samples["far"]])
    low, high = np.nanmin(known), np.nanmax(known)
    lowest, highest = np.nanmin(samples["farthest"]), np.nanmax(samples["farthest"])
    return (
        -np.inf if lowest < low - 0.1 else _rounded(min(low, lowest)),
        np.inf if highest > high + 0.1 or np.isinf(high) else _rounded(max(high, highest)),
    )


def _last_flat(steepness: np.ndarray, z: np.ndarray) -> float | None:
    """Coming from a side, the last place before the derivative is larger than ``FLAT``."""
    index = int(np.argmax(steepness >= FLAT))
    return _rounded(z[index - 1]) if index else None


def _rounded(value: Any) -> float:
    """To four digits: what sampling is good for."""
    return float(f"{value:.4g}") + 0.0
