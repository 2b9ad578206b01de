"""What ``show`` says of a schedule beyond its card: its value at every step of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg.catalogue.schedules import Manual, Progress, ReduceOnPlateau, Schedule
from thalweg.report import figure_svg
from thalweg.report.braille import curve_rows
from thalweg.report.parts import Axis, Figure, Line, LinePanel

__all__ = ["Course", "course"]

# The run that is drawn: long enough for all that the defaults of schedules do.
STEPS_PER_EPOCH, STEPS = 10, 1000
# What no schedule does by itself: a plateau after so many steps, and a wish in the middle.
PLATEAU, ASKED = 250, STEPS // 2

TOLD = {
    ReduceOnPlateau: f", as if the validation loss met a plateau every {PLATEAU} steps",
    Manual: f", as if somebody asked for a tenth at step {ASKED}",
}


@dataclass(frozen=True)
class Course:
    """The values of a schedule, step by step."""

    name: str
    schedule: Schedule
    values: tuple[float, ...]

    def data(self) -> dict[str, Any]:
        """As it is printed in JSON, beside the card."""
        curve = {"step": tuple(range(STEPS)), "values": self.values}
        return {"properties": None, "curve": curve, "cost": None}

    def text(self, width: int) -> str:
        """The curve drawn with characters."""
        panel = self._panel(f"{self.name} over {self._run}")
        return "\n".join(["", *curve_rows(panel, min(width, 72))])

    def drawing(self) -> str:
        """The curve as SVG."""
        caption = f"Values over {self._run}, as computed from {self.schedule!r}."
        return figure_svg(Figure(self.name, caption, (self._panel(""),)))

    @property
    def _run(self) -> str:
        return f"{STEPS // STEPS_PER_EPOCH} epochs of {STEPS_PER_EPOCH} steps" + TOLD.get(
            type(self.schedule), ""
        )

    def _panel(self, title: str) -> LinePanel:
        shown = range(0, STEPS, 4)  # as fine as a picture can tell
        line = Line(self.name, tuple(map(float, shown)), self.values[::4])
        high = max(self.values)
        air = 0.05 * (high or 1.0)  # a plateau must not lie upon the frame
        return LinePanel(title, Axis("step"), Axis(low=-air, high=high + air), (line,))


def course(name: str, schedule: Schedule) -> Course:
    """Compute the values of a schedule.

    Args:
        name: its name in spec files.
        schedule: the schedule.
    """
    steps, told = np.arange(STEPS), {}
    if isinstance(schedule, ReduceOnPlateau):
        told["reductions"] = {schedule.patience: steps // PLATEAU}
    if isinstance(schedule, Manual):
        told["factors"] = {schedule.name: np.where(steps >= ASKED, 0.1, 1.0)}
    values = schedule.value_at(Progress(steps, STEPS_PER_EPOCH, STEPS, **told))
    return Course(name, schedule, tuple(map(float, np.asarray(values, np.float32))))
