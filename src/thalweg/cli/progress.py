"""What is shown while training: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.text import Text

from thalweg.cli.output import interactive, roughly, takes_control_codes
from thalweg.engine.wave import Progress
from thalweg.laboratory import Plan
from thalweg.report.words import count, short

__all__ = ["Tally", "followed"]

# Seconds between plain lines, and over which the rate is taken.
LINE_EVERY = 5.0
RATE_OVER = 20.0


@dataclass
class Tally:
    """What is known of a training under way.

    Args:
        plan: what will run.
        metric: the reported metric; while tuning, its value on validation data is looked at.
        higher_is_better: its direction.
        clock: seconds since any moment.
    """

    plan: Plan
    metric: str
    higher_is_better: bool
    clock: Callable[[], float] = time.monotonic
    outcomes: dict[str, str] = field(default_factory=dict, init=False)
    recorded: int = field(default=0, init=False)
    best: tuple[str, float] | None = field(default=None, init=False)
    factor: float = field(default=1.0, init=False)
    waited: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._planned = {j.id: g.shape.steps for g in self.plan.groups for j in g.jobs}
        self._typical = sum(self._planned.values()) / max(len(self._planned), 1)
        self._tuning = set(self._planned) if self.plan.reporting else set()
        self._in_flight = 0  # steps of runs that have not ended
        self._steps = 0
        self._seen: deque[tuple[float, int]] = deque()

    def add(self, progress: Progress) -> None:
        """Take in what happened."""
        new = [run for run, _ in progress.finished if run not in self.outcomes]
        self.outcomes.update(progress.finished)
        if progress.finished and not progress.finals:  # these were in the record
            self.recorded += len(new)
            return
        self.factor = progress.factor
        self.waited += progress.waited
        ended = sum(self._planned.get(run, self._typical) for run, _ in progress.finished)
        self._in_flight = max(0, self._in_flight + progress.steps - ended)
        self._steps += progress.steps
        now = self.clock()
        self._seen.append((now, self._steps))
        while now - self._seen[0][0] > RATE_OVER and len(self._seen) > 2:
            self._seen.popleft()
        for (run, outcome), finals in zip(progress.finished, progress.finals, strict=True):
            if outcome != "diverged":
                self._see(run, finals)

    def _see(self, run: str, finals: dict[str, float]) -> None:
        split, _, name = self.metric.partition(".")
        metric = f"{'validation' if run in self._tuning else split}.{name}"
        value = finals.get(metric)
        if value is None:
            return
        known = self.best[1] if self.best is not None and self.best[0] == metric else value
        self.best = metric, (max if self.higher_is_better else min)(known, value)

    @property
    def adjustable(self) -> tuple[str, ...]:
        """Names of the manual schedules that runs have."""
        return tuple(dict.fromkeys(n for g in self.plan.groups for n in g.shape.adjustable))

    @property
    def total(self) -> int:
        """Runs in all, as far as is known."""
        return max(self.plan.runs, len(self.outcomes))

    @property
    def diverged(self) -> int:
        """Runs that diverged."""
        return sum(outcome == "diverged" for outcome in self.outcomes.values())

    @property
    def rate(self) -> float | None:
        """Run-steps a second of late; None before there is anything to tell it from."""
        if len(self._seen) < 2:
            return None
        (begin, before), (end, after) = self._seen[0], self._seen[-1]
        return (after - before) / (end - begin) if end > begin and after > before else None

    @property
    def remaining(self) -> float | None:
        """Seconds that remain at this rate, compilation aside."""
        if self.rate is None:
            return None
        steps = sum(self._planned.values()) + self.plan.reporting * self._typical
        steps -= sum(self._planned.get(run, self._typical) for run in self.outcomes)
        return max(steps - self._in_flight, 0.0) / self.rate

    def facts(self) -> Iterator[str]:
        """All of it in words, the most telling first."""
        yield f"{len(self.outcomes):,} of {count(self.total, 'run')}"
        if not self._seen and len(self.outcomes) < self.total:
            yield "compiling"
        if self.remaining:
            yield f"about {roughly(self.remaining)} left"
        if self.rate is not None:
            yield f"{short(self.rate)} run-steps/s"
        if self.best is not None:
            yield f"best {self.best[0]} {short(self.best[1])}"
        if self.diverged:
            yield f"{self.diverged:,} diverged"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width, 60)
        yield ProgressBar(total=self.total, completed=len(self.outcomes), width=width)
        yield Segment.line()
        yield Text(" · ".join(self.facts()))
        if self.adjustable and interactive():
            now = f" (now × {short(self.factor)})" if self.factor != 1 else ""
            yield Text(f"keys: - halves and + doubles {', '.join(self.adjustable)}{now}")


@contextmanager
def followed(tally: Tally, given: TextIO | None = None) -> Iterator[Callable[[Progress], None]]:
    """Show a training on a stream, standard error if none is given.

    Returns:
        A function to be called with each progress.
    """
    stream = sys.stderr if given is None else given
    if not takes_control_codes(stream):
        yield _lines(tally, stream)
        return
    console = Console(file=stream, highlight=False)
    with Live(tally, console=console, refresh_per_second=5, transient=True):
        yield tally.add


def _lines(tally: Tally, stream: TextIO) -> Callable[[Progress], None]:
    """Say how far it is every few seconds."""
    due = tally.clock() + LINE_EVERY

    def add(progress: Progress) -> None:
        nonlocal due
        tally.add(progress)
        if tally.clock() >= due:
            print(" · ".join(tally.facts()), file=stream, flush=True)
            due = tally.clock() + LINE_EVERY

    return add
