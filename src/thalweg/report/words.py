"""Numbers as words: rounded to what they are worth, short, and the same everywhere on a page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = [
    "alike",
    "count",
    "decimals",
    "digits",
    "duration",
    "fixed",
    "interval",
    "label",
    "p_value",
    "short",
]

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def short(value: float, digits: int = 3) -> str:
    """A number in at most ``digits`` significant digits: ``0.974``, ``12,300``, ``3.2×10⁻⁷``."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    power = int(exponent)
    if -4 <= power < 6:
        places = max(digits - 1 - power, 0)
        text = f"{float(f'{mantissa}e{power}'):,.{places}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        times = {"1": "", "-1": "-"}.get(mantissa, f"{mantissa}×")
        text = f"{times}10{str(power).translate(_SUPERSCRIPT)}"
    return text.replace("-", "−")


def decimals(widths: Iterable[float]) -> int:
    """How many decimals show intervals of these half-widths in one or two significant digits."""
    finite = sorted(w for w in widths if math.isfinite(w) and w > 0)
    if not finite:
        return 3
    return min(max(math.ceil(0.5 - math.log10(finite[len(finite) // 2])), 0), 8)


def alike(values: Iterable[float]) -> int | None:
    """Decimals that give all these values three digits or so; None where they differ too much."""
    sizes = [abs(v) for v in values if math.isfinite(v) and v]
    if not sizes or max(sizes) > 100 * min(sizes) or not 1e-3 <= max(sizes) < 1e6:
        return None
    return max(2 - math.floor(math.log10(max(sizes))), 0)


def digits(value: float, kept: int = 3) -> str:
    """A number with so many significant digits, zeros at its end included: ``0.900``, ``61.2``."""
    if not 1e-3 <= abs(value) < 1e6:  # nor where it is not finite
        return short(value, kept)
    return fixed(value, max(kept - 1 - math.floor(math.log10(abs(value))), 0))


def fixed(value: float, places: int) -> str:
    """A number with a fixed count of decimals, or in short form where that would be unreadable."""
    if not math.isfinite(value) or abs(value) >= 1e7 or (value and abs(value) < 0.5 * 10**-places):
        return short(value)
    return f"{value:,.{places}f}".replace("-", "−")


def interval(estimate: float, low: float, high: float, places: int) -> str:
    """``0.974 [0.971, 0.977]``, without brackets where there is no interval."""
    if math.isnan(low) or math.isnan(high):
        return fixed(estimate, places)
    # Numbers within an interval as wide as their last digit are zero where they round to it.
    zero = 0.5 * 10**-places if high - low >= 10**-places else 0.0
    words = (fixed(0.0 if abs(v) < zero else v, places) for v in (estimate, low, high))
    # A no-break space keeps the bounds on one line.
    return "{} [{},\xa0{}]".format(*words)


def p_value(p: float) -> str:
    """``0.012``; below a thousandth only that it is."""
    if math.isnan(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def count(number: float, noun: str, plural: str = "") -> str:
    """``1 run``, ``20 runs``, ``3,000 runs``."""
    return f"{number:,.0f} {noun if number == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """``340 ms``, ``12.3 s``, ``4 min 10 s``, ``3 h 25 min``."""
    if not math.isfinite(seconds):
        return "–"
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60:,} h {minutes % 60} min"


def label(value: Any) -> str:
    """A recorded value of a factor in a few characters: ``adam``, ``0.01``, ``32-16``.

    The same words as those of ``thalweg.spec.label``, from JSON data instead of parts.
    """
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return "-".join(map(label, value)) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{k}={label(v)}" if v else k for k, v in value.items())
    return str(value)
