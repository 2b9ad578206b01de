"""How far to go along a direction: the strong conditions of Wolfe.

A search evaluates the objective inside the compiled step, as often as it needs to. Lanes that are
done wait for the others of their chunk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

__all__ = ["Point", "strong_wolfe"]

# The fall that is asked for, as a share of what the slope promises.
FALL = 1e-4

# Far more than a smooth objective needs; a direction that is still refused then leads nowhere.
MOST_TRIALS = 30


class Point(NamedTuple):
    """The objective at θ + rate · direction.

    Args:
        rate: how far along; 0 is where the search began.
        value: the objective.
        slope: its derivative along the direction.
        gradient: its gradient [parameter].
    """

    rate: Array
    value: Array
    slope: Array
    gradient: Array


class _Search(NamedTuple):
    """A bracket: the best point so far, and a point beyond the minimum, at infinity at first."""

    low: Point
    high: Point
    rate: Array
    trials: Array
    found: Array


def strong_wolfe(
    evaluate: Callable[[Array], tuple[Array, Array]],
    value: Array,
    gradient: Array,
    direction: Array,
    first: Array,
    flatness: float,
) -> Point:
    """A point that is lower by enough, and where the slope has become flat enough.

    With φ(t) = J(θ + t d): φ(t) ≤ φ(0) + c₁ t φ'(0) and |φ'(t)| ≤ c₂ |φ'(0)|.
    (Nocedal & Wright, Numerical Optimization, 2006, section 3.5)

    Args:
        evaluate: maps rates to value and gradient [parameter] there.
        value, gradient: at rate 0.
        direction: a direction of descent [parameter].
        first: the first rate to try.
        flatness: c₂; 0.9 where directions are well scaled, 0.1 where minima along them matter.

    Returns:
        Such a point; where none was found the lowest that was met, which may be the start.
    """
    start = Point(jnp.zeros_like(value), value, gradient @ direction, gradient)
    # Near a minimum all differences are rounding errors, and only slopes can still be trusted.
    slack = 4 * jnp.finfo(value.dtype).eps * jnp.abs(value)

    def unfinished(search: _Search) -> Array:
        return ~search.found & (search.trials < MOST_TRIALS)

    def body(search: _Search) -> _Search:
        at, slopes = evaluate(search.rate)
        trial = Point(search.rate, at, slopes @ direction, slopes)
        falls = at <= value + FALL * trial.rate * start.slope + slack  # not where it is NaN
        found = falls & (jnp.abs(trial.slope) <= -flatness * start.slope)
        low = _where(found | (falls & (trial.slope < 0)), trial, search.low)
        high = _where(falls & (trial.slope < 0), search.high, trial)
        following = jnp.where(jnp.isinf(high.rate), 3 * trial.rate, _between(low, high))
        return _Search(low, high, following, search.trials + 1, found)

    nowhere = Point(*(jnp.full_like(leaf, jnp.inf) for leaf in start))
    first = jnp.asarray(first, value.dtype)
    begun = _Search(start, nowhere, first, jnp.zeros((), int), start.slope >= 0)
    return lax.while_loop(unfinished, body, begun).low


def _where(mask: Array, new: Point, old: Point) -> Point:
    return jax.tree.map(lambda a, b: jnp.where(mask, a, b), new, old)


def _between(low: Point, high: Point) -> Array:
    """The minimum of the cubic through two points and their slopes, kept away from both."""
    width = high.rate - low.rate
    bend = low.slope + high.slope - 3 * (high.value - low.value) / width
    root = jnp.sqrt(bend**2 - low.slope * high.slope)
    cubic = high.rate - width * (high.slope + root - bend) / (high.slope - low.slope + 2 * root)
    kept = jnp.clip(cubic, low.rate + 0.1 * width, high.rate - 0.1 * width)
    return jnp.where(jnp.isfinite(kept), kept, low.rate + 0.5 * width)
