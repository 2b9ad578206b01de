"""Colours of figures: distinct ones for names, ordered ones for quantities, and two themes.

Names take the eight colours of Okabe and Ito (https://jfly.uni-koeln.de/color/), which people with
any common colour vision can tell apart; black follows the ink of the theme, and yellow is darkened
on white. Quantities take a ramp of even steps in OKLab (Ottosson 2020), so equal differences look
equal, and the ramp still reads in grey.

Drawing code asks a ``Theme`` for colours by role. The theme ``page`` answers with CSS custom
properties, so one drawing serves light and dark; ``light`` and ``dark`` answer with the colours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

__all__ = ["DASHES", "SERIES", "Theme", "on", "ordered", "ramp", "style_variables"]

ThemeName = Literal["page", "light", "dark"]

SERIES = 8
# One pattern per round of the colours, so that a ninth name differs from the first.
DASHES = ("", "7 3", "2 3")

_ROLES = {
    #           light      dark
    "paper": ("#ffffff", "#14171c"),
    "card": ("#f6f7f9", "#1b1f26"),
    "ink": ("#1c2128", "#e6e9ee"),
    "muted": ("#5b6572", "#9aa4b2"),
    "faint": ("#e3e6ea", "#2c323b"),
    "axis": ("#aab2bd", "#566070"),
    "accent": ("#0072b2", "#5db3ea"),
    "good": ("#00795a", "#3fc79a"),
    "caution": ("#9a5b00", "#f0b44c"),
    "series-0": ("#0072b2", "#4aa3e0"),
    "series-1": ("#d55e00", "#f07a2e"),
    "series-2": ("#009e73", "#1fc096"),
    "series-3": ("#cc79a7", "#dc8fba"),
    "series-4": ("#e69f00", "#f0b323"),
    "series-5": ("#56b4e9", "#9fd8fb"),
    "series-6": ("#30363d", "#d5dae1"),
    "series-7": ("#b3a100", "#f0e442"),
}


@dataclass(frozen=True)
class Theme:
    """Answers which colour a role has."""

    name: ThemeName

    def __call__(self, role: str) -> str:
        if self.name == "page":
            return f"var(--{role})"
        return _ROLES[role][self.name == "dark"]

    def series(self, index: int, place: float | None = None) -> str:
        """The colour of a series, or of a place (0 to 1) in a sequence."""
        return self(f"series-{index % SERIES}") if place is None else ordered(place)


def style_variables(theme: Literal["light", "dark"]) -> str:
    """The colours of a theme as CSS declarations."""
    return "".join(f"--{role}:{pair[theme == 'dark']};" for role, pair in _ROLES.items())


def ramp(share: float) -> str:
    """The colour of a quantity: dark indigo (0) to light yellow (1) in even steps of lightness."""
    share = min(max(share, 0.0), 1.0)
    return _oklch(0.30 + 0.61 * share, 0.10 + 0.04 * share, 290 - 185 * share)


def ordered(place: float) -> str:
    """The colour of a member of a sequence, legible on both themes: blue (0) to amber (1)."""
    place = min(max(place, 0.0), 1.0)
    return _oklch(0.52 + 0.22 * place, 0.13, 275 - 205 * place)


def on(background: str) -> str:
    """Black or white, whichever contrasts more with the background."""
    red, green, blue = (int(background[i : i + 2], 16) / 255 for i in (1, 3, 5))
    luminance = 0.2126 * _linear(red) + 0.7152 * _linear(green) + 0.0722 * _linear(blue)
    # The contrast ratio of WCAG 2: (lighter + 0.05) / (darker + 0.05).
    return "#ffffff" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 else "#000000"


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def _oklch(lightness: float, chroma: float, hue: float) -> str:
    """OKLCH to ``#rrggbb``, with less chroma where the screen has no such colour."""
    while True:
        a = chroma * math.cos(math.radians(hue))
        b = chroma * math.sin(math.radians(hue))
        # From OKLab to cone responses to linear sRGB; constants from Ottosson's definition.
        long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
        medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
        short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
        channels = (
            4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
        )
        if all(-1e-4 <= c <= 1 + 1e-4 for c in channels):
            return "#" + "".join(f"{round(255 * _gamma(c)):02x}" for c in channels)
        chroma -= 0.004


def _gamma(channel: float) -> float:
    channel = min(max(channel, 0.0), 1.0)
    return 12.92 * channel if channel <= 0.0031308 else 1.055 * channel ** (1 / 2.4) - 0.055
