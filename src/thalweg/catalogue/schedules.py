"""Schedules: numbers that change while training goes on.

A part of this family can stand wherever a number can (most often as a learning rate). It maps the
progress of a run to a value. A constant needs no part: it is the number itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

import jax.numpy as jnp

from thalweg.errors import SpecError
from thalweg.part import Number, choice, declarations, is_part, number, part, replace

__all__ = [
    "CosineDecay",
    "CosineRestarts",
    "ExponentialDecay",
    "GrowingMomentum",
    "InverseDecay",
    "Manual",
    "OneCycle",
    "Piecewise",
    "PolynomialDecay",
    "ReduceOnPlateau",
    "StepDecay",
    "Warmup",
]

P = TypeVar("P")


class Progress(NamedTuple):
    """Where a run is.

    Args:
        step: steps taken so far, from 0.
        steps_per_epoch: steps in one pass over the training data.
        steps: steps planned in all.
        reductions: for each patience in use, how often the validation loss has by now failed to
            improve for that many evaluations in a row.
        factors: by name, what somebody who looks on has made of an initial value, as a factor.
    """

    step: Any
    steps_per_epoch: int = 1
    steps: int = 1
    reductions: Mapping[int, Any] = {}  # never written to
    factors: Mapping[str, Any] = {}  # never written to

    @property
    def epoch(self) -> Any:
        """Whole passes completed."""
        return self.step // self.steps_per_epoch


@runtime_checkable
class Schedule(Protocol):
    """A value for every moment of training.

    Laws: finite and of the sign of its numbers for every step from 0 to the last; scaling the
    starting value scales all values.
    """

    def value_at(self, progress: Progress) -> Any: ...


def settle(value: Any, progress: Progress) -> Any:
    """The value of a number that may be a schedule."""
    return value.value_at(progress) if hasattr(type(value), "value_at") else value


def settled(value: P, progress: Progress) -> P:
    """A part with every schedule in its numbers, and in those of its parts, replaced by its value.

    A part without schedules is given back as it is.
    """
    changes = {}
    for name, declared in declarations(type(value)).items():
        held = getattr(value, name)
        if is_part(held):
            now = (settle if declared.kind == "number" else settled)(held, progress)
            if now is not held:
                changes[name] = now
    return replace(value, **changes) if changes else value


def _elapsed(progress: Progress, per: str) -> Any:
    return progress.epoch if per == "epoch" else progress.step


@part
class ExponentialDecay:
    """Falls by the same ratio in every unit of time.

    Formula: α_t = initial · e^(−rate · t)
    Numbers: initial: value at t = 0; rate: relative fall per unit of time
    Choices: per: whether t counts epochs or steps
    Shapes: scalar
    Watch for: falls faster than InverseDecay at the same rate, at every t.
    Source: standard; Aggarwal, Neural Networks and Deep Learning, 2018, section 3.5.1
    Example:
        >>> float(ExponentialDecay(initial=1.0, rate=0.5).value_at(Progress(step=2)).round(4))
        0.3679
    """

    initial: Number = number(default=0.1, low=0, scale="log", search=(1e-4, 1))
    rate: Number = number(default=0.01, low=0, scale="log", search=(1e-4, 1))
    per: Literal["epoch", "step"] = choice(default="epoch")

    def value_at(self, progress: Progress) -> Any:
        return settle(self.initial, progress) * jnp.exp(-self.rate * _elapsed(progress, self.per))


@part
class InverseDecay:
    """Falls like one over time.

    Formula: α_t = initial / (1 + rate · t)
    Numbers: initial: value at t = 0; rate: how soon the fall sets in
    Choices: per: whether t counts epochs or steps
    Shapes: scalar
    Watch for: gentler than ExponentialDecay at equal rate, from the first step on, although some
        texts call it the more aggressive one at the start.
    Source: standard; Aggarwal, Neural Networks and Deep Learning, 2018, section 3.5.1
    Example:
        >>> InverseDecay(initial=1.0, rate=0.5).value_at(Progress(step=2))
        0.5
    """

    initial: Number = number(default=0.1, low=0, scale="log", search=(1e-4, 1))
    rate: Number = number(default=0.01, low=0, scale="log", search=(1e-4, 1))
    per: Literal["epoch", "step"] = choice(default="epoch")

    def value_at(self, progress: Progress) -> Any:
        return settle(self.initial, progress) / (1 + self.rate * _elapsed(progress, self.per))


@part
class StepDecay:
    """Drops by a factor at regular intervals.

    Formula: α_t = initial · factor^⌊t / every⌋
    Numbers: initial: value at t = 0; factor: what remains after each drop
    Choices: every: units of time between drops; per: whether t counts epochs or steps
    Shapes: scalar
    Watch for: drops too early freeze a run for good; look at the loss curve first.
    Source: standard; He et al., Deep Residual Learning, 2016, section 3.4
    Example:
        >>> float(StepDecay(initial=1.0, every=5).value_at(Progress(step=10)))
        0.25
    """

    initial: Number = number(default=0.1, low=0, scale="log", search=(1e-4, 1))
    factor: Number = number(default=0.5, above=0, high=1)
    every: int = choice(default=5, low=1)
    per: Literal["epoch", "step"] = choice(default="epoch")

    def value_at(self, progress: Progress) -> Any:
        drops = _elapsed(progress, self.per) // self.every
        return settle(self.initial, progress) * jnp.power(1.0 * self.factor, drops)


@part
class ReduceOnPlateau:
    """Drops by a factor whenever the validation loss stops improving.

    Formula: α = initial · factor^(number of plateaus so far); a plateau is ``patience``
        evaluations in a row without a new lowest validation loss, and then counting starts anew
    Numbers: initial: value at the start; factor: what remains after each drop
    Choices: patience: evaluations to wait
    Shapes: scalar
    Watch for: needs validation data, and counts evaluations: with ``evaluate_every = 1`` these
        are epochs.
    Source: torch.optim.lr_scheduler.ReduceLROnPlateau is the same rule at threshold 0 and a
        patience of one less: torch drops at the evaluation after ``patience``
    Example:
        >>> schedule = ReduceOnPlateau(initial=1.0)
        >>> float(schedule.value_at(Progress(step=9, reductions={3: 2})).round(4))
        0.01
    """

    initial: Number = number(default=0.1, low=0, scale="log", search=(1e-4, 1))
    factor: Number = number(default=0.1, above=0, below=1)
    patience: int = choice(default=3, low=1)

    def value_at(self, progress: Progress) -> Any:
        plateaus = progress.reductions.get(self.patience, 0)
        return settle(self.initial, progress) * jnp.power(1.0 * self.factor, plateaus)


@part
class CosineDecay:
    """Falls along half a cosine from the first step to the last.

    Formula: α_t = final + (initial − final) (1 + cos(π t / T)) / 2, T all planned steps
    Numbers: initial: value at the start; final: value at the end
    Shapes: scalar
    Watch for: depends on the planned length, so a run cut short ends above ``final``.
    Source: Loshchilov & Hutter, SGDR, 2017, equation 5 (one cycle)
    Example:
        >>> float(CosineDecay(initial=1.0).value_at(Progress(step=5, steps=10)).round(4))
        0.5
    """

    initial: Number = number(default=0.1, low=0, scale="log", search=(1e-4, 1))
    final: Number = number(default=0.0, low=0)

    def value_at(self, progress: Progress) -> Any:
        initial = settle(self.initial, progress)
        share = jnp.minimum(progress.step / progress.steps, 1.0)
        return self.final + (initial - self.final) * (1 + jnp.cos(jnp.pi * share)) / 2


@part
class CosineRestarts:
    """Falls along half a cosine, again and again.

    Formula: α_t = final + (initial − final) (1 + cos(π s / n)) / 2, s units of time into the
        current cycle, n its length: ``length``, then ``growth`` times that of the cycle before
    Numbers: initial: value at the start of every cycle; final: value at its end
    Choices: length: units of time in the first cycle; growth: ratio of one cycle to the one
        before; per: whether they are epochs or steps
    Shapes: scalar
    Watch for: the loss rises after every restart; compare runs at the ends of cycles.
    Source: Loshchilov & Hutter, SGDR, 2017, equation 5
    Example:
        >>> schedule = CosineRestarts(initial=1.0, length=2, growth=3, per="step")
        >>> [float(schedule.value_at(Progress(step=t, steps=20)).round(3)) for t in (1, 2, 5, 8)]
        [0.5, 1.0, 0.5, 1.0]
    """

    initial: Number = number(default=0.1, low=0, scale="log", search=(1e-4, 1))
    final: Number = number(default=0.0, low=0)
    length: int = choice(default=10, low=1)
    growth: int = choice(default=1, low=1)
    per: Literal["epoch", "step"] = choice(default="epoch")

    def value_at(self, progress: Progress) -> Any:
        initial, elapsed = settle(self.initial, progress), _elapsed(progress, self.per)
        share = elapsed % self.length / self.length
        if self.growth > 1:
            share, begin, length = elapsed / self.length, self.length, self.length * self.growth
            # Cycle by cycle in whole numbers, as a logarithm would miss restarts by rounding.
            while begin < progress.steps:
                share = jnp.where(elapsed >= begin, (elapsed - begin) / length, share)
                begin, length = begin + length, length * self.growth
        return self.final + (initial - self.final) * (1 + jnp.cos(jnp.pi * share)) / 2


@part
class PolynomialDecay:
    """Falls in a straight line, or along a power of one.

    Formula: α_t = final + (initial − final) (1 − t / T)^power, T all planned steps
    Numbers: initial: value at the start; final: value at the end; power: 1 for a straight line
    Shapes: scalar
    Watch for: depends on the planned length, so a run cut short ends above ``final``.
    Source: standard; Goodfellow, Bengio & Courville, Deep Learning, 2016, equation 8.14 (power 1)
    Example:
        >>> float(PolynomialDecay(initial=1.0).value_at(Progress(step=3, steps=10)).round(3))
        0.7
    """

    initial: Number = number(default=0.1, low=0, scale="log", search=(1e-4, 1))
    final: Number = number(default=0.0, low=0)
    power: Number = number(default=1.0, above=0, search=(0.5, 3))

    def value_at(self, progress: Progress) -> Any:
        left = 1 - jnp.minimum(progress.step / progress.steps, 1.0)
        initial = settle(self.initial, progress)
        return self.final + (initial - self.final) * left**self.power


@part
class GrowingMomentum:
    """Rises towards a limit, fast at first: the momentum that Nesterov's rate is proved with.

    Formula: β_t = limit · t / (t + delay), t steps taken before; with delay 3 and steps counted
        from 1 it is (t − 1) / (t + 2)
    Numbers: limit: approached, never reached; delay: steps after which half of it is reached
    Shapes: scalar
    Watch for: a schedule for ``momentum``, not for learning rates: the first step has none. On
        smooth convex functions, with full gradients and learning rates up to 1 / L, Nesterov
        falls as 1 / t² with it, and hardly faster than gradient descent with a constant 0.9. Close
        to a minimum of known curvature it overshoots in waves; a limit below 1 calms them.
    Source: Nesterov, A Method of Solving a Convex Programming Problem with Convergence Rate
        O(1/k²), 1983; Su, Boyd & Candès, A Differential Equation for Modeling Nesterov's
        Accelerated Gradient Method, 2016, equation 1 (delay 3) and section 4 (others)
    Example:
        >>> momentum = GrowingMomentum()
        >>> [float(momentum.value_at(Progress(step=t))) for t in (0, 1, 3, 27)]
        [0.0, 0.25, 0.5, 0.9]
    """

    limit: Number = number(default=1.0, low=0, high=1, search=(0.9, 1))
    delay: Number = number(default=3.0, above=0, scale="log", search=(2, 100))

    def value_at(self, progress: Progress) -> Any:
        return settle(self.limit, progress) * progress.step / (progress.step + self.delay)


@part
class Manual:
    """Changes when somebody who looks on asks for it.

    Formula: α = initial · factor, factor 1 until asked
    Numbers: initial: value until asked
    Choices: name: under which it is asked for, ``thalweg adjust learning_rate=0.01``, in another
        terminal, or by the keys that ``thalweg run`` shows; schedules of one name move together
    Shapes: scalar
    Watch for: the run keeps its identity: the record and the report say which runs were adjusted,
        when, and by what factor, and that Piecewise with ``per = "step"`` does the same again. It
        takes effect between two calls of the program, some tenths of a second.
    Source: standard; Goodfellow, Bengio & Courville, Deep Learning, 2016, section 8.3.1 (rates are
        best chosen by looking at learning curves)
    Example:
        >>> schedule = Manual(initial=0.5)
        >>> schedule.value_at(Progress(step=9)), schedule.value_at(
        ...     Progress(step=10, factors={"learning_rate": 0.1})
        ... )
        (0.5, 0.05)
    """

    initial: Number = number(default=0.1, low=0, scale="log", search=(1e-4, 1), constant=True)
    name: str = choice(default="learning_rate")

    def value_at(self, progress: Progress) -> Any:
        return self.initial * progress.factors.get(self.name, 1.0)


@part
class OneCycle:
    """Rises to a peak, then falls far below where it began.

    Formula: from start · peak to peak in the first ``rise`` T − 1 steps, then to end · peak in the
        rest of the T planned steps, along half cosines or straight lines
    Numbers: peak: largest value; start, end: shares of it at both ends; rise: share of the steps
        that the rise takes
    Choices: shape: ``cosine`` or ``linear``
    Shapes: scalar
    Watch for: the momentum that the paper lets fall as the rate rises stays as it is. Steps are
        counted as in torch, where the last one has the value of the end; optax ends a step later.
    Source: Smith & Topin, Super-Convergence, 2018; Smith, A Disciplined Approach to Neural Network
        Hyper-Parameters, 2018
    Example:
        >>> cycle = OneCycle(peak=1.0, rise=0.5, shape="linear")
        >>> [float(cycle.value_at(Progress(step=t, steps=10)).round(2)) for t in (0, 4, 9)]
        [0.04, 1.0, 0.0]
    """

    peak: Number = number(default=0.1, low=0, scale="log", search=(1e-4, 1))
    start: Number = number(default=0.04, low=0, high=1)
    end: Number = number(default=4e-6, low=0, high=1)
    rise: Number = number(default=0.3, above=0, below=1)
    shape: Literal["cosine", "linear"] = choice(default="cosine")

    def value_at(self, progress: Progress) -> Any:
        top, last = self.rise * progress.steps - 1, progress.steps - 1
        up = jnp.clip(progress.step / jnp.maximum(top, 1e-6), 0, 1)
        down = jnp.clip((progress.step - top) / (last - top), 0, 1)
        if self.shape == "cosine":
            up, down = ((1 - jnp.cos(jnp.pi * share)) / 2 for share in (up, down))
        rising = self.start + (1 - self.start) * up
        falling = 1 + (self.end - 1) * down
        return settle(self.peak, progress) * jnp.where(progress.step <= top, rising, falling)


@part
class Piecewise:
    """Holds one value after another, as one would by hand.

    Formula: α_t = initial · factors[i], i the last with at[i] ≤ t; initial before at[0]
    Numbers: initial: value at the start
    Choices: at: times of the changes, rising; factors: what ``initial`` is multiplied by from each
        of them on (of one, not of all up to it); per: whether times are epochs or steps
    Shapes: scalar
    Watch for: StepDecay says the same where the changes are regular. In torch and optax factors
        are multiplied with one another.
    Source: standard; Goodfellow, Bengio & Courville, Deep Learning, 2016, section 8.3.1
    Example:
        >>> schedule = Piecewise(initial=0.5, at=(10, 15), factors=(0.2, 0.1))
        >>> [float(schedule.value_at(Progress(step=t)).round(3)) for t in (9, 10, 20)]
        [0.5, 0.1, 0.05]
    """

    initial: Number = number(default=0.1, low=0, scale="log", search=(1e-4, 1))
    at: tuple[int, ...] = choice(default=(10,), low=1)
    factors: tuple[float, ...] = choice(default=(0.1,), above=0)
    per: Literal["epoch", "step"] = choice(default="epoch")

    def check(self) -> None:
        if len(self.at) != len(self.factors) or any(a >= b for a, b in pairwise(self.at)):
            raise SpecError(
                f"Piecewise.at must be rising and have one time for each of Piecewise.factors, got "
                f"{self.at} and {self.factors}"
            )

    def value_at(self, progress: Progress) -> Any:
        elapsed, factor = _elapsed(progress, self.per), jnp.ones(())
        for time, following in zip(self.at, self.factors, strict=True):
            factor = jnp.where(elapsed >= time, following, factor)
        return settle(self.initial, progress) * factor


@part
class Warmup:
    """Rises in a straight line before another value or schedule takes over.

    Formula: α_t = after(t) · min(1, (t + 1) / length)
    Numbers: after: the value, or a schedule, that is reached
    Choices: length: units of time the rise takes; per: whether they are epochs or steps
    Shapes: scalar
    Watch for: the schedule after it runs from the start too; it is multiplied, not delayed.
    Source: Goyal et al., Accurate, Large Minibatch SGD, 2017, section 2.2
    Example:
        >>> float(Warmup(after=1.0, length=4).value_at(Progress(step=1)))
        0.5
    """

    after: Number = number(default=0.1, low=0, scale="log", search=(1e-4, 1))
    length: int = choice(default=100, low=1)
    per: Literal["epoch", "step"] = choice(default="step")

    def value_at(self, progress: Progress) -> Any:
        rise = jnp.minimum((_elapsed(progress, self.per) + 1) / self.length, 1.0)
        return settle(self.after, progress) * rise
