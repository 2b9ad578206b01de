"""Schedules: numbers that change while training goes on.

A part of this family can stand wherever a number can (most often as a learning rate). It maps the
progress of a run to a value. A constant needs no part: it is the number itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

import jax.numpy as jnp

from thalweg.part import Number, choice, declarations, is_part, number, part, replace

__all__ = [
    "CosineDecay",
    "ExponentialDecay",
    "InverseDecay",
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
    """

    step: Any
    steps_per_epoch: int = 1
    steps: int = 1
    reductions: Mapping[int, Any] = {}  # never written to

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
