"""Line searches: how far to go in a direction.

A search is given the objective along a line, as a function of the step length, and differentiates
it itself where it needs a slope. Optimizers that find a direction go along it by ``search_along``;
``optimizers.steepest`` is the shortest of them. A lane that has found its step waits, unchanged,
for those beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax import Array, lax

from thalweg.part import Number, choice, number, part

__all__ = ["Backtracking", "ExactSearch", "WolfeSearch"]

# Differences of the objective below so many times its rounding error are taken for none.
ROUNDING = 4

Along = Callable[[Array], Array]


@runtime_checkable
class LineSearch(Protocol):
    """A rule for the length of a step.

    Laws: the length is not negative; the objective there is finite and not above where it was, up
    to rounding, unless no trial was any better; scaling the objective changes nothing.
    """

    def step_length(self, along: Along, value: Array, slope: Array) -> Array:
        """Find a step length.

        Args:
            along: maps a step length to the objective there.
            value, slope: objective and its derivative at length 0; the slope is negative.
        """
        ...


@part
class Backtracking:
    """Shortens a step until the objective falls by a fair share of what its slope promises.

    Formula: t = longest · shrink^k with the first k for which f(t) ≤ f(0) + c t f'(0)
    Numbers: longest: step that is tried first; sufficient: c; shrink: ratio of trials
    Choices: trials: most steps that are tried; the last is taken as it is
    Shapes: scalar
    Watch for: never tries more than ``longest``, so make that generous. Costs one evaluation of
        the objective per trial, and no gradient.
    Source: Armijo, Minimization of Functions Having Lipschitz Continuous First Partial
        Derivatives, 1966; Nocedal & Wright, Numerical Optimization, 2006, algorithm 3.1
    Example:
        >>> search = Backtracking(longest=8.0, shrink=0.5)
        >>> search.step_length(lambda t: (t - 1.0) ** 2, jnp.array(1.0), jnp.array(-2.0))
        Array(1., dtype=float32, weak_type=True)
    """

    longest: Number = number(default=1.0, above=0, scale="log", search=(1e-2, 1e2))
    sufficient: Number = number(default=1e-4, low=0, below=1, scale="log", search=(1e-6, 0.5))
    shrink: Number = number(default=0.5, above=0, below=1)
    trials: int = choice(default=30, low=1)

    def step_length(self, along: Along, value: Array, slope: Array) -> Array:
        def too_long(held: tuple[Array, Array]) -> Array:
            trial, length = held
            fine = along(length) <= value + self.sufficient * length * slope
            return ~fine & (trial < self.trials)  # no number is not fine either

        def shorter(held: tuple[Array, Array]) -> tuple[Array, Array]:
            trial, length = held
            return trial + 1, self.shrink * length

        first = self.longest * jnp.ones_like(value)
        return lax.while_loop(too_long, shorter, (jnp.asarray(1), first))[1]


@part
class WolfeSearch:
    """Brackets a step where the objective has fallen enough and its slope has flattened.

    Formula: f(t) ≤ f(0) + c₁ t f'(0) and f'(t) ≥ c₂ f'(0) (weak), or |f'(t)| ≤ c₂ |f'(0)| (strong)
    Numbers: first: step that is tried first; sufficient: c₁; flat: c₂, above c₁
    Choices: condition: ``weak`` or ``strong``; trials: most steps that are tried; the last is
        taken as it is
    Shapes: scalar
    Watch for: every trial costs an evaluation and a gradient. Trials are doubled until bracketed
        and halved within; a line without a lower bound is followed for all trials. Where a fall is
        lost in rounding, f'(t) ≤ (2 c₁ − 1) f'(0) stands in for it (the approximate condition).
    Source: Wolfe, Convergence Conditions for Ascent Methods, 1969; Nocedal & Wright, Numerical
        Optimization, 2006, equations 3.6–3.7; Burke, Lewis & Overton, A Robust Gradient Sampling
        Algorithm, 2005, section 4 (bracketing); Hager & Zhang, A New Conjugate Gradient Method,
        2005, equation 4.1 (approximate)
    Example:
        >>> search = WolfeSearch(first=0.01, flat=0.1)
        >>> search.step_length(lambda t: (t - 1.0) ** 2, jnp.array(1.0), jnp.array(-2.0))
        Array(0.96, dtype=float32, weak_type=True)
    """

    first: Number = number(default=1.0, above=0, scale="log", search=(1e-2, 1e2))
    sufficient: Number = number(default=1e-4, above=0, below=1, scale="log", search=(1e-6, 0.5))
    flat: Number = number(default=0.9, above=0, below=1)
    condition: Literal["weak", "strong"] = choice(default="strong")
    trials: int = choice(default=30, low=1)

    def step_length(self, along: Along, value: Array, slope: Array) -> Array:
        differentiated = jax.value_and_grad(along)

        def verdict(length: Array) -> tuple[Array, Array]:
            """Whether a length is too long, and whether it is too short."""
            now, rise = differentiated(length)
            fallen = now <= value + self.sufficient * length * slope
            # Close to a minimum the fall is lost in rounding, and slopes must stand in for it.
            level = now <= value + ROUNDING * jnp.finfo(now.dtype).eps * jnp.abs(value)
            fallen |= level & (rise <= (2 * self.sufficient - 1) * slope)
            too_long = ~fallen
            if self.condition == "strong":
                too_long |= rise > -self.flat * slope
            return too_long, ~too_long & (rise < self.flat * slope)

        def go_on(held: tuple[Array, ...]) -> Array:
            trial, _, _, _, done = held
            return ~done & (trial < self.trials)

        def next_trial(held: tuple[Array, ...]) -> tuple[Array, ...]:
            trial, length, low, high, _ = held
            too_long, too_short = verdict(length)
            low, high = jnp.where(too_short, length, low), jnp.where(too_long, length, high)
            done = ~(too_long | too_short)
            within = jnp.where(jnp.isinf(high), 2 * low, (low + high) / 2)
            return trial + 1, jnp.where(done, length, within), low, high, done

        first, zero = self.first * jnp.ones_like(value), jnp.zeros_like(value)
        held = (jnp.asarray(0), first, zero, zero + jnp.inf, jnp.asarray(False))
        return lax.while_loop(go_on, next_trial, held)[1]


@part
class ExactSearch:
    """Goes to where the objective stops falling.

    Formula: t with f'(t) = 0: bracketed by doubling, then found by false position, in which an end
        that stays has its slope halved
    Numbers: first: step that is tried first
    Choices: trials: most slopes that are evaluated
    Shapes: scalar
    Watch for: finds the first minimum it can bracket, which need not be the lowest. Every trial
        costs a gradient; on a quadratic three suffice, and successive directions of steepest
        descent are then orthogonal, which makes it zigzag.
    Source: Cauchy, 1847; Dowell & Jarratt, A Modified Regula Falsi Method, 1971
    Example:
        >>> search = ExactSearch()
        >>> search.step_length(lambda t: (t - 3.0) ** 2, jnp.array(9.0), jnp.array(-6.0))
        Array(3., dtype=float32, weak_type=True)
    """

    first: Number = number(default=1.0, above=0, scale="log", search=(1e-2, 1e2))
    trials: int = choice(default=40, low=3)

    def step_length(self, along: Along, value: Array, slope: Array) -> Array:
        seen_at = jax.value_and_grad(along)
        enough = 64 * jnp.finfo(value.dtype).eps

        def go_on(held: tuple[Array, ...]) -> Array:
            trial, *_, done = held
            return ~done & (trial < self.trials)

        def next_trial(held: tuple[Array, ...]) -> tuple[Array, ...]:
            trial, length, low, high, at_low, at_high, side, _ = held
            there, now = seen_at(length)
            # Where the objective is no finite number, and where its slope is very steep, the slope
            # says nothing of where it is 0.
            known = jnp.isfinite(there)
            beyond = ~(known & (now <= 0))
            now = jnp.where(known & (now < -1000 * slope), now, -1000 * slope)
            # The slope of an end that stays for a second time counts half: the other end moves.
            at_low = jnp.where(beyond & (side > 0), at_low / 2, at_low)
            at_high = jnp.where(~beyond & (side < 0), at_high / 2, at_high)
            low, at_low = jnp.where(beyond, low, length), jnp.where(beyond, at_low, now)
            high, at_high = jnp.where(beyond, length, high), jnp.where(beyond, now, at_high)
            bracketed = at_high > 0
            share = at_low / jnp.where(bracketed, at_low - at_high, -1.0)
            following = jnp.where(bracketed, low + (high - low) * share, 2 * length)
            narrow = bracketed & (high - low <= enough * high)
            done = (jnp.abs(now) <= -enough * slope) | narrow
            length = jnp.where(done, length, following)
            return trial + 1, length, low, high, at_low, at_high, jnp.where(beyond, 1, -1), done

        first, zero = self.first * jnp.ones_like(value), jnp.zeros_like(value)
        trial, side, done = jnp.asarray(0), jnp.asarray(0), jnp.asarray(False)
        held = (trial, first, zero, zero, slope, zero, side, done)
        return lax.while_loop(go_on, next_trial, held)[1]


def search_along(
    search: LineSearch,
    objective: Callable[[Any], tuple[Array, Any]],
    parameters: Any,
    direction: Any,
    value: Array,
    slope: Array,
) -> tuple[Any, Array]:
    """The parameters that a search finds in a direction, and how far that was.

    Args:
        objective: maps parameters to a scalar and auxiliary results.
        direction: a tree like the parameters.
        value, slope: of the objective at the parameters, the slope in that direction.
    """

    def at(length: Array) -> Any:
        return jax.tree.map(lambda w, d: w + length * d, parameters, direction)

    length = search.step_length(lambda t: objective(at(t))[0], value, slope)
    return at(length), length
