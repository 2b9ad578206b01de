"""Figures of how training went: learning curves of all groups, of each group, and inside layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from thalweg.report.aggregate import Summary, summarise
from thalweg.report.groups import Curves, Group, View
from thalweg.report.parts import Axis, Figure, Line, LinePanel, Panel, Paragraph, Part, Section
from thalweg.report.words import count

__all__ = ["layers", "learning_curves"]

STEPS = Axis("steps", whole=True)
MOST_GROUPS = 8
MOST_SINGLE = 9
MOST_LAYERS = 10
MOST_LAYER_PANELS = 6

_SPLITS = ("train", "validation", "test")
_QUANTITIES = {
    "gradient_norm": (
        "Gradient norms",
        "Norm of the gradient in each layer, first to last "
        "(blue to amber). Lines that drift apart by powers of ten are gradients that "
        "vanish or explode on their way through the network.",
    ),
    "update_ratio": (
        "Update ratios",
        "Size of a step over the size of the parameters, by layer. "
        "Around 10⁻³ is usual; far less barely learns, far more is unstable.",
    ),
    "input_shift": (
        "Shift of layer inputs",
        "How far one step moves the means and deviations of what a layer reads, "
        "relative to their spread: internal covariate shift.",
    ),
    "state_gradient": (
        "What is left of earlier states",
        "Spectral norm of the derivative of a recurrent layer's last state by that so many steps "
        "before: far below 1 what came then is forgotten, far above 1 it explodes.",
    ),
    "state_gradient_bound": (
        "Bound on what is left of earlier states",
        "Largest slope of the activation times the norm of the recurrent weights, to the power of "
        "the lag: below 1, gradients must vanish.",
    ),
    "zero_share": ("Share of zero activations", "Share of a layer's activations that are zero."),
    "saturated_share": (
        "Share of saturated activations",
        "Share of a layer's activations in the "
        "flat part of its activation function, where gradients vanish.",
    ),
    "dead_units": (
        "Dead units",
        "Share of a layer's units that are zero for every example of a mini-batch.",
    ),
}


def learning_curves(view: View, curves: Curves) -> Section | None:
    """Median and band of losses and of the metric against steps, all groups and then each."""
    shown = view.groups[:MOST_GROUPS]
    panels = [
        panel
        for measure in dict.fromkeys(("loss", view.measure))
        for panel in _measure_panels(view, shown, measure, curves)
    ]
    if not panels:
        return None
    if not _any_curve(panels):
        lost = sum(group.diverged for group in view.groups)
        why = f", and {count(lost, 'run')} diverged before a second time" if lost else ""
        text = f"There are no curves: no run was evaluated more than once{why}."
        return Section("Learning curves", (Paragraph(text),))
    # One column per split, so that losses stand above the metric on the same data.
    splits = len({panel.title.split()[0] for panel in panels})
    columns = splits if len(panels) % splits == 0 else 3
    parts: list[Part] = [Figure("Learning curves", _caption(view, shown), tuple(panels), columns)]
    if len(view.groups) > len(shown):
        parts.insert(0, _left_out(view, len(shown)))
    single = _one_by_one(view, curves)
    if single is not None:
        parts.append(single)
    return Section("Learning curves", tuple(parts))


def layers(view: View, curves: Curves) -> Section | None:
    """What probes saw in every layer, a panel for each group and a figure for each quantity."""
    shown = [group for group in view.groups if _layer_names(group)][:MOST_LAYER_PANELS]
    figures: list[Figure] = []
    for quantity, (heading, caption) in _QUANTITIES.items():
        panels = _quantity_panels(quantity, shown, curves)
        if panels and not (figures and _same_curves(panels, figures[-1].panels)):
            figures.append(Figure(heading, caption, panels, 3))
    if not figures:
        return None
    parts: list[Part] = [*(figures if len(shown) > 1 else [_side_by_side(figures)])]
    carried = sum(bool(_layer_names(group)) for group in view.groups)
    if carried > len(shown):
        note = f"Shown for the first {len(shown)} of {carried} by rank."
        parts.insert(0, Paragraph(note, "note"))
    return Section("Inside the network", tuple(parts))


# ------------------------------------------------------------------------------- learning curves


def _measure_panels(
    view: View, groups: Sequence[Group], measure: str, curves: Curves
) -> list[LinePanel]:
    """One panel per split, on the same axes."""
    worst = view.worst if measure == view.measure else math.inf
    panels = []
    for split in _SPLITS:
        lines = _lines(groups, f"{split}.{measure}", curves, worst)
        name = f"{split.capitalize()} {measure.replace('_', ' ')}"
        if not lines and (split, measure) == ("train", "loss"):
            lines, name = _lines(groups, "batch.loss", curves, worst), "Mini-batch loss"
        if lines:
            panels.append(LinePanel(name, STEPS, Axis(), lines))
    kept = _worth_showing(panels)
    return _alike(kept, log_from=10, cap=3) if worst > 0 else _alike(kept)


def _lines(groups: Sequence[Group], name: str, curves: Curves, worst: float) -> tuple[Line, ...]:
    lines = (_line(group, name, curves, worst) for group in groups)
    return tuple(line for line in lines if line is not None)


def _line(group: Group, name: str, curves: Curves, worst: float) -> Line | None:
    summary = summarise(name, group, curves, worst)
    if summary is None:
        return None
    note = f"{group.diverged} of {len(group.runs)} diverged" if group.diverged else ""
    return _drawn(summary, Line(group.name, (), (), series=group.rank, note=note))


def _drawn(summary: Summary, line: Line) -> Line:
    return replace(
        line,
        x=_numbers(summary.steps),
        y=_numbers(summary.median),
        low=_numbers(summary.low),
        high=_numbers(summary.high),
        crosses=summary.crosses,
    )


def _numbers(values: np.ndarray) -> tuple[float, ...]:
    """Four significant digits: more is less than a pixel, and the page carries these numbers."""
    return tuple(float(f"{value:.4g}") for value in values)


def _alike(
    panels: Sequence[LinePanel], *, log_from: float = math.inf, cap: float = math.inf
) -> list[LinePanel]:
    """Panels with common axes, so that they can be compared by eye.

    Args:
        panels: to be shown beside one another.
        log_from: ratio of the largest to the smallest value from which the axis is logarithmic.
        cap: how many times its first value a curve may rise before it leaves the panel; one on its
            way to infinity would flatten all others.
    """
    lines = [line for panel in panels for line in panel.lines]
    medians = [v for line in lines for v in line.y if math.isfinite(v)]
    bands = [v for line in lines for v in (*line.low, *line.high) if math.isfinite(v)]
    if not medians:
        return list(panels)
    starts = [line.y[0] for line in lines if line.y and math.isfinite(line.y[0])]
    low, high, limit = min(medians + bands), max(medians + bands), cap * max(starts, default=0.0)
    high = limit if low < limit < high else high
    log = min(medians) > 0 and high / min(medians) > log_from
    low = min(v for v in medians + bands if v > 0) if log else low
    axis = Axis(scale="log" if log else "linear", low=low, high=high)
    steps = [v for line in lines for v in line.x]
    across = replace(STEPS, low=min(steps), high=max(steps))
    return [replace(panel, x=across, y=axis) for panel in panels]


def _worth_showing(panels: list[LinePanel]) -> list[LinePanel]:
    """Without those of a split that was evaluated once, where others have curves."""
    longest = [max(len(line.x) for line in panel.lines) for panel in panels]
    most = max(longest, default=0)
    return [panel for panel, length in zip(panels, longest, strict=True) if length > 1 or most <= 1]


def _caption(view: View, groups: Sequence[Group]) -> str:
    seeds = sorted({len(group.runs) for group in groups})
    number = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    if seeds == [1]:
        return f"One run{' each' if len(groups) > 1 else ''}, against training steps."
    caption = f"Median (line) and 10–90\xa0% band over {number} seeds, against training steps."
    if any(group.diverged for group in groups):
        caption += (
            " A cross marks where a run diverged; from there on it counts as worse than every"
            " other, so a band that runs off the panel means that more than a tenth are lost."
        )
    return caption


def _left_out(view: View, shown: int) -> Paragraph:
    rest = len(view.groups) - shown
    return Paragraph(
        f"Shown are the best {shown} of {len(view.groups)}; the other {rest} are in the tables.",
        "note",
    )


def _one_by_one(view: View, curves: Curves) -> Figure | None:
    """Training against held-out loss of each group: the gap is what a model learned by heart."""
    held_out = next(
        (
            split
            for split in ("validation", "test")
            if any(
                len(line.x) > 1
                for group in view.groups[:1]
                if (line := _line(group, f"{split}.loss", curves, math.inf))
            )
        ),
        None,
    )
    if held_out is None or len(view.groups) < 2:
        return None
    panels = []
    for group in view.groups[:MOST_SINGLE]:
        lines = []
        for split, series, dashed in ((held_out, 1, False), ("train", 0, True)):
            summary = summarise(f"{split}.loss", group, curves, math.inf)
            if summary is not None:
                # Crosses once per run, on the curve that matters.
                crosses = summary.crosses if split == held_out else ()
                line = Line(f"{split} loss", (), (), series=series, dashed=dashed)
                lines.append(_drawn(replace(summary, crosses=crosses), line))
        if lines:
            title = f"{group.name}"
            if group.diverged:
                title += f" ({group.diverged} of {len(group.runs)} diverged)"
            panels.append(LinePanel(title, STEPS, Axis(), tuple(lines)))
    caption = (
        f"Training (dashed) and {held_out} loss of each on the same axes. Where the two part, the "
        "network goes on learning what does not carry over."
    )
    alike = tuple(_alike(panels, log_from=10, cap=3))
    return Figure("One by one", caption, alike, 3) if len(panels) > 1 else None


# ------------------------------------------------------------------------------------------ layers


def _layer_names(group: Group) -> list[str]:
    """Layers of a group in the order of the network, thinned evenly where they are many."""
    names = list(dict.fromkeys(layer for run in group.runs for layer in run.layers))
    if len(names) <= MOST_LAYERS:
        return names
    places = np.linspace(0, len(names) - 1, MOST_LAYERS).round().astype(int)
    return [names[place] for place in places]


def _quantity_panels(
    quantity: str, groups: Sequence[Group], curves: Curves
) -> tuple[LinePanel, ...]:
    """A panel for each group, or one for all where there is but one layer to show."""
    found = [(group, _layer_lines(quantity, group, curves)) for group in groups]
    panels = [LinePanel(group.name, STEPS, Axis(), lines) for group, lines in found if lines]
    if not _any_curve(panels):
        return ()
    if len(panels) > 1 and len({tuple(line.name for line in lines) for _, lines in found}) == 1:
        layer, *others = (line.name for line in panels[0].lines)
        if not others:
            lines = (
                replace(lines[0], name=g.name, series=g.rank, place=None) for g, lines in found
            )
            panels = [LinePanel(layer, STEPS, Axis(), tuple(lines))]
    panels = _alike(panels, log_from=10)
    shares = quantity.endswith("_share")
    return tuple(replace(p, y=Axis(low=0.0, high=1.0)) if shares else p for p in panels)


def _layer_lines(quantity: str, group: Group, curves: Curves) -> tuple[Line, ...]:
    """The curve of every layer that has one; bands only where they do not hide one another."""
    names = _layer_names(group)
    found = [(name, summarise(f"{quantity}.{name}", group, curves, math.inf)) for name in names]
    kept = [(name, replace(each, crosses=())) for name, each in found if each is not None]
    lines = []
    for index, (name, summary) in enumerate(kept):
        line = _drawn(summary, Line(name, (), (), place=index / max(len(kept) - 1, 1)))
        lines.append(replace(line, low=(), high=()) if len(kept) > 3 else line)
    return tuple(lines)


def _side_by_side(figures: Sequence[Figure]) -> Figure:
    """One panel of each figure, named by its quantity."""
    panels = [replace(panel, title=f.title) for f in figures for panel in f.panels]
    captions = (
        f"{figure.title}: {figure.caption[0].lower()}{figure.caption[1:]}" for figure in figures
    )
    return Figure("Layer by layer", " ".join(captions), tuple(panels), 3)


def _same_curves(panels: Sequence[LinePanel], before: Sequence[Panel]) -> bool:
    """Whether panels show what the figure before shows: a ReLU is saturated where it is zero."""
    lines, others = (
        [line for panel in some if isinstance(panel, LinePanel) for line in panel.lines]
        for some in (panels, before)
    )
    return len(lines) == len(others) and all(
        line.name == other.name and line.x == other.x and np.allclose(line.y, other.y, atol=0.02)
        for line, other in zip(lines, others, strict=True)
    )


def _any_curve(panels: Sequence[LinePanel]) -> bool:
    """Whether any line has more than a point."""
    return any(len(line.x) > 1 for panel in panels for line in panel.lines)
