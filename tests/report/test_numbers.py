"""Words, ticks, colours and images against what others say about them."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.report.boundaries import draw_boundary, png
from thalweg.report.colours import Theme, _oklch, on, ordered, ramp
from thalweg.report.frame import spread
from thalweg.report.parts import Axis, BoundaryPanel
from thalweg.report.scales import scale_of
from thalweg.report.svg import text_width, wrap
from thalweg.report.words import (
    decimals,
    digits,
    duration,
    fixed,
    interval,
    label,
    p_value,
    short,
)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.97412, "0.974"), (0.1, "0.1"), (0.0, "0"), (12345.6, "12,300"), (1e6, "10⁶"),
        (-0.5, "−0.5"), (3.2e-7, "3.2×10⁻⁷"), (-1e-9, "−10⁻⁹"), (999.96, "1,000"),
        (math.nan, "–"), (math.inf, "∞"), (-math.inf, "−∞"), (1e300, "10³⁰⁰"), (0.0005, "0.0005"),
    ],
)  # fmt: skip
def test_short(value: float, words: str) -> None:
    assert short(value) == words


@given(st.floats(-1e12, 1e12, allow_subnormal=False))
def test_short_says_the_value(value: float) -> None:
    text = short(value, 4).replace("−", "-").replace(",", "")
    if "10" in text and any(c in text for c in "⁰¹²³⁴⁵⁶⁷⁸⁹"):
        mantissa, _, power = text.rpartition("10")
        power = power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
        text = f"{mantissa.rstrip('×') or '1'}e{power}".replace("-e", "-1e")
    assert float(text) == pytest.approx(value, rel=5.1e-4, abs=1e-300)


def test_words_for_intervals() -> None:
    assert decimals([0.0025]) == 4
    assert decimals([0.004, math.nan, 0]) == 3
    assert decimals([]) == 3
    assert interval(0.97412, 0.9712, 0.9763, 3) == "0.974 [0.971,\xa00.976]"
    assert interval(0.97412, math.nan, math.nan, 3) == "0.974"
    assert interval(math.nan, math.nan, math.nan, 3) == "–"
    assert interval(1.7e-4, -0.0031, 0.0042, 3) == "0.000 [−0.003,\xa00.004]"
    assert interval(1.7e-4, 1.6e-4, 1.8e-4, 3).startswith("0.00017 ")  # too narrow to be zero
    assert fixed(-0.0125, 3) == "−0.013" or fixed(-0.0125, 3) == "−0.012"
    assert fixed(1e-9, 3) == "10⁻⁹"
    assert [digits(v) for v in (0.9, 61.234, 227.4, 0.0, math.inf)] == [
        "0.900", "61.2", "227", "0", "∞",
    ]  # fmt: skip
    assert digits(0.5, 4) == "0.5000"
    assert (p_value(0.0121), p_value(1e-5), p_value(math.nan)) == ("0.012", "< 0.001", "–")


def test_words_for_times_and_levels() -> None:
    assert [duration(s) for s in (0.34, 12.3, 250, 12300)] == [
        "340 ms", "12.3 s", "4 min 10 s", "3 h 25 min",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "words"),
    [("adam", "adam"), (0.01, "0.01"), (1.0, "1"), (16, "16"), (True, "true"), (None, "none"),
     ([32, 16], "32-16"), ([], "none")],
)  # fmt: skip
def test_levels_are_called_what_the_specification_calls_them(value, words: str) -> None:
    from thalweg.spec.expand import label as said

    assert label(value) == words
    assert said(value) == words


# ------------------------------------------------------------------------------------------- scales

limits = st.tuples(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9)).filter(lambda p: p[0] != p[1])


@given(limits, st.integers(2, 12))
def test_linear_ticks_are_round_and_inside(ends: tuple[float, float], count: int) -> None:
    scale = scale_of(Axis(), ends, 0, 100)
    values = [value for value, _ in scale.ticks(count)]
    span = scale.high - scale.low
    assert 2 <= len(values) <= max(count + 1, 4)
    assert all(scale.low - 1e-6 * span <= v <= scale.high + 1e-6 * span for v in values)
    gaps = np.diff(values)
    assert np.allclose(gaps, gaps[0])
    leading = float(f"{gaps[0]:.6e}".split("e")[0])
    assert min(abs(leading - m) for m in (1, 2, 5, 10)) < 1e-3


@given(st.floats(1e-12, 1e12), st.floats(10, 1e15), st.integers(2, 9))
def test_log_ticks_lie_inside_and_have_names(low: float, ratio: float, count: int) -> None:
    scale = scale_of(Axis(scale="log"), (low, low * ratio), 100, 0)
    ticks = scale.ticks(count)
    assert 1 <= len(ticks) <= 3 * count + 3
    assert len({name for _, name in ticks}) == len(ticks)
    assert all(0 - 1e-6 <= scale(value) <= 100 + 1e-6 for value, _ in ticks)


def test_names_of_ticks() -> None:
    def names(low: float, high: float, count: int = 4, **axis) -> list[str]:
        return [name for _, name in scale_of(Axis(**axis), (low, high), 0, 100).ticks(count)]

    assert names(0, 1) == ["0", "0.5", "1.0"]
    assert names(0, 1500, 3) == ["0", "500", "1,000", "1,500"]
    assert names(0, 60000, 3) == ["0", "20k", "40k", "60k"]
    assert names(0, 2.5e6, 5) == ["0", "0.5M", "1.0M", "1.5M", "2.0M", "2.5M"]
    assert names(1e6, 1e6 + 20, 4) == [
        "1,000,000",
        "1,000,005",
        "1,000,010",
        "1,000,015",
        "1,000,020",
    ]
    assert names(10, 1e7, scale="log") == ["100", "10k", "1M"]
    assert names(1, 4, whole=True, count=9) == ["1", "2", "3", "4"]
    assert names(-0.2, 0.2) == ["−0.2", "−0.1", "0", "0.1", "0.2"]
    assert names(1e-4, 10, scale="log") == ["0.0001", "0.01", "1"]
    assert names(0.02, 0.7, scale="log") == ["0.03", "0.1", "0.3"]
    assert names(0.12, 0.9, scale="log", count=5) == ["0.2", "0.4", "0.6", "0.8"]
    assert names(3, 3)  # a constant has an axis too


# ------------------------------------------------------------------------------------------ colours


@pytest.mark.parametrize(
    ("lightness", "chroma", "hue", "colour"),
    [  # sRGB primaries in OKLCH as CSS Color 4 lists them
        (0.62796, 0.25768, 29.234, "#ff0000"),
        (0.86644, 0.29483, 142.495, "#00ff00"),
        (0.45201, 0.31321, 264.052, "#0000ff"),
        (1.0, 0.0, 0.0, "#ffffff"),
    ],
)
def test_oklch(lightness: float, chroma: float, hue: float, colour: str) -> None:
    assert _oklch(lightness, chroma, hue) == colour


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def test_the_ramp_rises_in_even_steps_of_lightness() -> None:
    # CIE lightness, a scale the ramp was not made with.
    steps = np.diff([116 * luminance(ramp(s / 20)) ** (1 / 3) - 16 for s in range(21)])
    assert steps.min() > 0
    assert steps.max() / steps.min() < 2


def test_text_on_every_colour_of_the_ramp_is_legible() -> None:
    for share in np.linspace(0, 1, 41):
        background = ramp(float(share))
        one, other = sorted((luminance(background), luminance(on(background))))
        assert (other + 0.05) / (one + 0.05) >= 4.5  # WCAG 2, level AA


@pytest.mark.parametrize("name", ["light", "dark"])
def test_lines_stand_out_from_the_paper(name) -> None:
    theme = Theme(name)
    colours = [theme.series(i) for i in range(8)] + [ordered(p) for p in (0.0, 0.5, 1.0)]
    assert len(set(colours)) == 11
    for colour in colours:
        one, other = sorted((luminance(colour), luminance(theme("paper"))))
        assert (other + 0.05) / (one + 0.05) >= 2.0
    for role in ("ink", "muted", "accent", "good", "caution"):
        one, other = sorted((luminance(theme(role)), luminance(theme("paper"))))
        assert (other + 0.05) / (one + 0.05) >= 4.5


# ------------------------------------------------------------------------------- images and widths


def test_png_by_another_reader() -> None:
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 4), dtype=np.uint8)
    assert np.array_equal(np.array(image.open(io.BytesIO(png(pixels)))), pixels)


def test_the_first_row_of_a_grid_is_at_the_bottom() -> None:
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    import base64
    import re

    grid = np.zeros((4, 4, 2), np.uint8)
    grid[0, :, 0], grid[1:, :, 1] = 255, 255  # class 0 at the smallest second input
    drawing = draw_boundary(BoundaryPanel("", grid, (0, 1, 0, 1)), 300, Theme("light"))
    data = re.search(r"base64,([^\"]+)", drawing.body)[1]
    read = np.array(image.open(io.BytesIO(base64.b64decode(data))))
    assert tuple(read[-1, 0, :3]) == (0x00, 0x72, 0xB2)
    assert tuple(read[0, 0, :3]) == (0xD5, 0x5E, 0x00)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40))
def test_estimated_widths_cover_a_wide_font(text: str) -> None:
    truetype = pytest.importorskip("PIL.ImageFont", reason="Pillow is not installed").truetype
    matplotlib = pytest.importorskip("matplotlib", reason="no font to measure with")
    font = Path(matplotlib.__file__).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf"
    true = truetype(str(font), 100).getlength(text) / 100
    assert true <= text_width(text, 1.0) + 0.05
    assert text_width(text, 1.0) <= 1.25 * true + 0.1


@given(st.text("ab _", max_size=60), st.floats(20, 200))
def test_wrapping_loses_nothing(text: str, width: float) -> None:
    lines = wrap(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(text_width(line) <= width or len(line) == 1 for line in lines)


@given(st.lists(st.floats(0, 60), max_size=30))
def test_dots_of_a_swarm_do_not_hide_one_another(pixels: list[float]) -> None:
    offsets = spread(pixels, 4.0, 30)
    dots = list(zip(pixels, offsets, strict=True))
    for index, (x, y) in enumerate(dots):
        assert all(abs(x - a) >= 4 or abs(y - b) >= 4 for a, b in dots[index + 1 :])
