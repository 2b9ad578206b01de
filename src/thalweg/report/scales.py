"""Axes: limits that leave air about the data, round ticks, and what the ticks are called."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from thalweg.report.parts import Axis
from thalweg.report.words import short

__all__ = ["Scale", "scale_of"]

_SUFFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True)
class Scale:
    """Maps values from [low, high] to pixels from ``start`` to ``end``."""

    low: float
    high: float
    log: bool
    start: float
    end: float
    whole: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of a value; infinite values lie far outside, on their side."""
        low, high = self._inner(self.low), self._inner(self.high)
        if math.isnan(value):
            return math.nan
        share = (self._inner(value) - low) / (high - low)
        return self.start + min(max(share, -9.0), 9.0) * (self.end - self.start)

    def clamped(self, value: float) -> float:
        """The pixel of a value, at the nearer edge where it lies outside."""
        return self(min(max(value, self.low), self.high))

    def _inner(self, value: float) -> float:
        if not self.log:
            return value
        return math.log10(value) if value > 0 else -math.inf

    def ticks(self, count: int) -> list[tuple[float, str]]:
        """About ``count`` round values within the limits, two at least, with their names."""
        if self.log and self.high / self.low >= 8:
            values = _decades(self.low, self.high, count)
            return [(value, _log_name(value)) for value in values]
        step = _round_step(self.high - self.low, count)
        step = max(step, 1.0) if self.whole else step
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        if first >= last and not self.whole:
            return self.ticks(count + 1)  # one tick says no scale
        values = [index * step for index in range(first, last + 1)]
        if self.log:
            values = [value for value in values if value > 0]
        largest = max(map(abs, values), default=0.0)
        return [(value, _name(value, step, largest)) for value in values]


def scale_of(axis: Axis, values: Iterable[float], start: float, end: float) -> Scale:
    """The scale of an axis: its own limits where given, otherwise those of the finite values."""
    log = axis.scale == "log"
    finite = [v for v in values if math.isfinite(v) and (v > 0 or not log)]
    low = min(finite, default=1.0 if log else 0.0) if axis.low is None else axis.low
    high = max(finite, default=1.0) if axis.high is None else axis.high
    low, high = min(low, high), max(low, high)
    log = log and low > 0
    if log:
        if high / low < 1.05:
            low, high = low / 1.5, high * 1.5
    elif axis.whole and low == high:
        high = low + 1
    elif high - low <= 1e-9 * max(abs(low), abs(high), 1e-30):
        air = 0.1 * abs(low) or 1.0
        low, high = low - air, high + air
    return Scale(low, high, log, start, end, axis.whole)


def _round_step(span: float, count: int) -> float:
    """The smallest of 1, 2, 5 times a power of ten that makes at most ``count`` intervals."""
    raw = span / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * m for m in (1, 2, 5, 10) if power * m >= raw * (1 - 1e-9))


def _decades(low: float, high: float, count: int) -> list[float]:
    """Powers of ten, every few where there are many, with 2 and 5 between where there are few."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    every = max(math.ceil((math.log10(high) - math.log10(low)) / max(count, 1)), 1)
    powers = [10.0**p for p in range(first, last + 1) if p % every == 0]
    for multiples in ((1,), (1, 3), (1, 2, 5)):
        finer = [m * p for p in powers for m in multiples] if every == 1 else powers
        inside = [v for v in finer if low * (1 - 1e-9) <= v <= high * (1 + 1e-9)]
        if len(inside) >= 3:
            break
    return inside


def _log_name(value: float) -> str:
    if 1e-3 * (1 - 1e-9) <= value < 1e3:
        return f"{value:g}"
    return short(value, 1) if value < 1 else _name(value, value, value)


def _name(value: float, step: float, largest: float) -> str:
    """The name of a tick: as many decimals as its step needs, thousands shortened for all alike."""
    if value == 0:
        return "0"
    for size, suffix in _SUFFIXES:
        if 1e4 <= largest < 1e12 and largest >= size and step >= 1e-2 * size:
            return f"{value / size:.{_places(step / size)}f}{suffix}".replace("-", "−")
    if step < 1e-4 or largest >= 1e9:
        return short(value, 2 + max(0, round(math.log10(largest / step))))
    return f"{value:,.{_places(step)}f}".replace("-", "−")


def _places(step: float) -> int:
    return max(0, -math.floor(math.log10(step) + 1e-9))
