"""Manual schedules while runs train: what has been asked of them, taken up between two calls."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from thalweg.engine.plan import Job, manual_schedules
from thalweg.engine.recorder import Recorder
from thalweg.record import requests
from thalweg.record.tables import Adjustment

__all__ = ["Adjusting"]


class Adjusting:
    """The factors of the manual schedules of a wave, and where they come from.

    Nothing is looked for where no run has such a schedule. Else each look is one listing of a
    folder that is mostly empty.

    Args:
        jobs: the runs.
        names: of their manual schedules.
        record: where what was done will be written, and in whose project requests are left.

    Attributes:
        factors: float32 [run, name].
        latest: the factor that was changed last.
    """

    def __init__(self, jobs: Sequence[Job], names: tuple[str, ...], record: Recorder) -> None:
        self.names = names
        self.factors = np.ones((len(jobs), len(names)), np.float32)
        self.latest = 1.0
        self._runs = [job.id for job in jobs]
        self._initial = [
            {s.name: float(s.initial) for s in manual_schedules(job.recipe)} for job in jobs
        ]
        self._record = record
        self._unwritten: list[Adjustment] = []
        self._answered: set[str] | None = None  # read late: a wave is made in another thread

    def listen(self, step: int, live: np.ndarray) -> None:
        """Take up what has been asked of runs that go on; it holds from this step on."""
        if not self.names:
            return
        if self._answered is None:
            self._answered = self._record.answered()
        project = self._record.project
        followed = {made.request for made in self._unwritten}
        for request in requests.pending(project):
            if request.id in followed:
                continue
            if request.id in self._answered:  # recorded, but killed before the file was deleted
                requests.forget(project, request.id)
                continue
            live_runs = np.flatnonzero(live).tolist()
            meant = [run for run in live_runs if self._concerns(request, run)]
            if meant and requests.take(project, request):
                self._follow(request, step, meant)

    def _concerns(self, request: requests.Request, run: int) -> bool:
        named = not request.runs or self._runs[run].startswith(request.runs)
        return named and request.name in self._initial[run]

    def _follow(self, request: requests.Request, step: int, meant: list[int]) -> None:
        column = self.names.index(request.name)
        for run in meant:
            if request.value is None:
                factor = float(self.factors[run, column]) * request.times
            else:
                factor = request.value / self._initial[run][request.name]
            self.factors[run, column] = factor
            self.latest = factor
            self._unwritten.append(
                Adjustment(
                    self._runs[run],
                    step,
                    request.name,
                    float(self.factors[run, column]),
                    request.origin,
                    request.time,
                    request.id,
                )
            )

    def told(self) -> np.ndarray:
        """The factors as they are told to a program: their bits, int32 [run, name]."""
        return self.factors.view(np.int32)

    def unwritten(self) -> tuple[Adjustment, ...]:
        """What was done and is not recorded yet."""
        return tuple(self._unwritten)

    def written(self) -> None:
        """All of it has been recorded."""
        for request in {made.request for made in self._unwritten}:
            requests.forget(self._record.project, request)
            if self._answered is not None:
                self._answered.add(request)
        self._unwritten.clear()
