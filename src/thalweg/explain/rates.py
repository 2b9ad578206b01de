"""Schedules epoch by epoch: what a learning rate is after so many of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from thalweg.catalogue.card import card
from thalweg.catalogue.schedules import Manual, Progress, Schedule
from thalweg.engine.monitor import Monitor
from thalweg.engine.plan import plateaus
from thalweg.errors import SpecError
from thalweg.explain.explanation import Explanation
from thalweg.part import declarations, part_name
from thalweg.report import parts
from thalweg.report.words import short

__all__ = ["schedule"]

#: Epochs in a table.
LISTED = 25


def schedule(
    schedules: Sequence[Schedule], *, epochs: int = 20, losses: Sequence[float] = ()
) -> Explanation:
    """What schedules give at the start and after each epoch, side by side.

    Args:
        schedules: of the catalogue.
        epochs: how long the run is, each of one step.
        losses: on validation data after each epoch, for schedules that wait for a plateau.

    Raises:
        SpecError: there is no schedule, no epoch, or one that follows somebody's wishes.
    """
    if not schedules or epochs < 1:
        raise SpecError("a table of rates needs at least one schedule and one epoch")
    for own in schedules:
        if isinstance(own, Manual):
            raise SpecError("manual follows what somebody does, so it has no table")
    names = [f"{n}: {part_name(type(own))}" for n, own in enumerate(schedules, 1)]
    values = [_values(own, epochs, losses) for own in schedules]
    shown = sorted({round(at) for at in np.linspace(0, epochs, min(LISTED, epochs + 1))})
    heard = [(short(losses[t - 1], 4) if 0 < t <= len(losses) else "",) for t in shown]
    rows = tuple(
        (str(t), *(loss if losses else ()), *(short(own[t], 6) for own in values))
        for t, loss in zip(shown, heard, strict=True)
    )
    numbers = tuple(str(n) for n in range(1, len(schedules) + 1))
    columns = ("epoch", *(("validation loss",) if losses else ()), *numbers)
    lines = tuple(
        parts.Line(name, tuple(map(float, range(epochs + 1))), tuple(own), series=n, stairs=True)
        for n, (name, own) in enumerate(zip(names, values, strict=True))
    )
    axes = parts.Axis("epoch", whole=True), parts.Axis("", low=0.0)
    figure = parts.Figure(
        "Rates", ", ".join(names) + ".", (parts.LinePanel("rate after each epoch", *axes, lines),)
    )
    formulas = tuple((name, _written_out(own)) for name, own in zip(names, schedules, strict=True))
    page = parts.Page(
        f"Rates over {epochs} epochs",
        (
            parts.Section("Formulas", (parts.Facts(formulas),)),
            parts.Section("Epoch by epoch", (parts.Table(columns, rows, "r" * len(columns)),)),
            parts.Section("As curves", (figure,)),
        ),
    )
    data = {
        "schedules": [
            {"schedule": repr(own), "values": found}
            for own, found in zip(schedules, values, strict=True)
        ]
    }
    return Explanation(page, data)


def _written_out(schedule: Schedule) -> str:
    """Its formula, and what stands for the letters in it."""
    formula = card(type(schedule)).sections["Formula"].replace("`", "")
    held = (f"{name} = {getattr(schedule, name)}" for name in declarations(type(schedule)))
    return f"{formula}; {', '.join(held)}"


def _values(schedule: Schedule, epochs: int, losses: Sequence[float]) -> list[float]:
    """The value before the first epoch and after each."""
    patiences = tuple(sorted({held.patience for held in plateaus(schedule)}))
    if patiences and not losses:
        raise SpecError(
            f"{part_name(type(schedule))} waits for a plateau; give validation losses, one for "
            "each epoch"
        )
    monitor, found = Monitor(1, patiences), []
    with jax.enable_x64(True):
        for epoch in range(epochs + 1):
            if patiences and 0 < epoch <= len(losses):
                monitor.observe(np.array([losses[epoch - 1]]))
            told = dict(zip(patiences, monitor.reductions[0].tolist(), strict=True))
            progress: Any = Progress(epoch, 1, epochs, told)
            found.append(float(schedule.value_at(progress)))
    return found
