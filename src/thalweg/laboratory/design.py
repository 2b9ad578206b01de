"""What a comparison compares: the level, the tuned configuration and the context of every point.

Of all that varies over the points of an experiment, one factor is compared, some numbers are
tuned, and what is left makes the contexts in which the question is asked again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from thalweg.engine.measures import higher_is_better
from thalweg.errors import SpecError
from thalweg.laboratory.plan import Phase
from thalweg.record.store import Record
from thalweg.record.tables import Run
from thalweg.report.words import level_words
from thalweg.spec.expand import Point, label
from thalweg.spec.experiment import Compare
from thalweg.statistics.comparison import Observation
from thalweg.statistics.tuning import choose

__all__ = ["Design", "reached", "settings"]


class Design:
    """The points of an experiment as a comparison sees them.

    Args:
        asked: what is to be compared.
        points: of the experiment.
        varied: paths that take several values over the points.
        base: what the context is called in which nothing else varies.

    Raises:
        SpecError: the factor or a tuned number does not vary, or the baseline is not one of its
            levels.
    """

    def __init__(
        self, asked: Compare, points: Sequence[Point], varied: Sequence[str], base: str
    ) -> None:
        self.asked, self._points, self._varied, self._base = asked, points, varied, base
        if asked.factor not in varied:
            options = ", ".join(varied) or "nothing varies"
            raise SpecError(
                f"Compare.factor must be something that varies ({options}), got {asked.factor!r}"
            )
        levels = dict.fromkeys(level for point in points for level, _, _ in self._places(point))
        if asked.baseline is not None and asked.baseline not in levels:
            raise SpecError(
                f"Compare.baseline must be a level of {asked.factor} ({', '.join(levels)}), "
                f"got {asked.baseline!r}"
            )
        for name in asked.tune:
            if not any(_is_named(path, name) for path in varied):
                raise SpecError(f"Compare.tune must name numbers that vary, got {name!r}")

    def coordinates(self, point: Point) -> list[tuple[str, str, str]]:
        """Level, configuration and context of a point, once for each context it is part of."""
        return [each for each in self._places(point) if each[2] in self._kept]

    def _places(self, point: Point) -> list[tuple[str, str, str]]:
        return [self._coordinates(point, factors) for factors in point.occurrences]

    def observations(
        self, point: Point, phase: Phase, run: Run, metric: str, target_step: int | None
    ) -> list[Observation]:
        """A recorded run of a point, as the comparison sees it: once in each context.

        Args:
            metric: ``<split>.<name>``; tuning chooses by the same on the validation rows.
            target_step: first step at which the target was met, if it was.
        """
        selection = f"validation.{metric.partition('.')[2]}"
        return [
            Observation(
                level=level,
                configuration=configuration,
                context=context,
                seed=run.seed,
                phase=phase,
                value=run.finals.get(metric, float("nan")),
                selection=run.finals.get(selection, float("nan")),
                failed=run.outcome == "diverged",
                steps=run.step,
                seconds=run.train_seconds,
                target_step=target_step,
                run=run.id,
            )
            for level, configuration, context in self.coordinates(point)
        ]

    def chosen(self, seen: Sequence[Observation], *, higher_is_better: bool) -> list[Point]:
        """The points that tuning chose, of every level in every context."""
        choices = choose(seen, higher_is_better=higher_is_better)
        return [
            point
            for point in self._points
            if any(
                choices[context, level].configuration == configuration
                for level, configuration, context in self.coordinates(point)
            )
        ]

    @property
    def contexts(self) -> list[str]:
        """The base, then factor after factor as the spec has them, numbers rising.

        Contexts that hold the same runs are one, under the name of the first: the value that the
        base has is written once more in most groups of ``vary``.
        """
        return list(self._kept)

    @cached_property
    def _kept(self) -> dict[str, None]:
        held: dict[str, set[Any]] = {}
        order: dict[str, Any] = {}
        for number, point in enumerate(self._points):
            for factors in point.occurrences:
                level, configuration, context = self._coordinates(point, factors)
                held.setdefault(context, set()).add((number, level, configuration))
                order.setdefault(context, self._place(factors, len(order)))
        kept: dict[str, None] = {}
        for context in sorted(order, key=order.__getitem__):
            if not any(held[context] == held[other] for other in kept):
                kept[context] = None
        return kept

    def _coordinates(self, point: Point, factors: Mapping[str, Any]) -> tuple[str, str, str]:
        # Of this occurrence: where cases coincide, a point is one level here, another there.
        factor = self.asked.factor
        level = level_words(factor, factors.get(factor, point.factors.get(factor)))
        tuned = {path: factors[path] for path in self._varied if self._tuned(path, factors)}
        return level, settings(tuned), settings(self._fixed(factors)) or self._base

    def _tuned(self, path: str, factors: Mapping[str, Any]) -> bool:
        return path in factors and any(_is_named(path, name) for name in self.asked.tune)

    def _fixed(self, factors: Mapping[str, Any]) -> dict[str, Any]:
        """Those of some factors that vary, and are neither compared nor tuned."""
        return {
            path: factors[path]
            for path in self._varied
            if path in factors and path != self.asked.factor and not self._tuned(path, factors)
        }

    def _place(self, factors: Mapping[str, Any], appeared: int) -> Any:
        fixed = self._fixed(factors)
        values = [(0, v) if _is_number(v) else (1, appeared) for v in fixed.values()]
        return len(fixed), [self._varied.index(path) for path in fixed], values


def _is_named(path: str, name: str) -> bool:
    """Whether a path is meant by a name: the whole of it, or its end."""
    return path == name or path.endswith(f".{name}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def settings(factors: Mapping[str, Any]) -> str:
    """Factors in a few words: ``learning_rate=0.01, batch_size=32``."""
    return ", ".join(f"{path.rpartition('.')[2]}={label(value)}" for path, value in factors.items())


def reached(
    record: Record, metric: str, runs: Sequence[str], target: float | None
) -> dict[str, int]:
    """For each run that met a target, if there is one, the first evaluated step at which it did."""
    met: dict[str, int] = {}
    if target is None:
        return met
    for run, (steps, values) in record.series(metric, runs).items():
        there = values >= target if higher_is_better(metric) else values <= target
        if there.any():
            met[run] = int(steps[there.argmax()])
    return met
