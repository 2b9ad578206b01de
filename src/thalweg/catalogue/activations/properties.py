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
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from thalweg.catalogue.activations.coupled import Max, Maxout, Softmax
from thalweg.catalogue.activations.gain import PLACES, gain_of, normal_mean
from thalweg.catalogue.activations.rectifiers import ReLU

__all__ = ["FLAT", "Curve", "Properties", "cost_of", "curve_of", "is_elementwise", "properties_of"]

# A derivative smaller than this is called flat.
FLAT = 0.01

NEAR = np.linspace(-20, 20, 20_001)  # 0 and all whole numbers are among them
JUMP = 1e-3

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
Samples: TypeAlias = Any  # arrays, of JAX or numpy, by name of their places


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
        sampled = _sampled(activation, {name: jnp.asarray(z) for name, z in PLACES_OF.items()})
        value, slope, jumps = jax.device_get(sampled)
        gain, factor = _gain(activation, slope["normal"])
        mean = _rounded(normal_mean(jnp.asarray(value["normal"])))
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
        kinks=tuple(sorted({round(float(z), 6) + 0.0 for z in jumps[~np.isnan(jumps)]})),
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
    with jax.enable_x64(True):
        both = jax.jit(lambda own, z: (own(z), own.derivative(z)))(activation, jnp.asarray(z))
    return Curve(*(tuple(np.asarray(column).tolist()) for column in (z, *both)))


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


@jax.jit
def _sampled(activation: Any, places: dict[str, Array]) -> tuple[Samples, Samples, Array]:
    """Values and derivatives by name of the places, and where either jumps; NaN between jumps."""
    functions = activation, activation.derivative
    values, slopes = ({name: f(z) for name, z in places.items()} for f in functions)
    jumps = [_jumps(function, places["near"]) for function in functions]
    return values, slopes, jnp.concatenate(jumps)


def _jumps(function: Callable[[Array], Array], z: Array) -> Array:
    """In each interval the place where a function jumps, by halving all of them; NaN without."""

    def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        between = function(middle)
        in_first = jnp.abs(between - function(low)) >= jnp.abs(function(high) - between)
        return jnp.where(in_first, low, middle), jnp.where(in_first, middle, high)

    low, high = jax.lax.fori_loop(0, 50, halve, (z[:-1], z[1:]))
    return jnp.where(jnp.abs(function(high) - function(low)) > JUMP, high, jnp.nan)


def _gain(activation: Any, slopes: np.ndarray) -> tuple[float | None, float | None]:
    gain = float(gain_of(activation))
    if not np.isfinite(gain):
        return None, None
    return _rounded(gain), _rounded(gain**2 * float(normal_mean(jnp.asarray(slopes**2))))


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
