"""Where an experiment is planned, run, compared and reported.

The only module that knows spec, engine, record, statistics and report at once; it holds no
mathematics of its own, only the order of things: tune first, on tuning seeds and validation data;
then report what was chosen, on fresh seeds; then compare.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from thalweg.catalogue.losses import chosen_for
from thalweg.data import Dataset
from thalweg.engine import devices
from thalweg.engine.plan import Group, Job, check_network, group, jobs_of, resolve
from thalweg.engine.train import capacity, now, train
from thalweg.engine.wave import Progress
from thalweg.errors import RecordError, SpecError
from thalweg.part import replace
from thalweg.record.store import Record
from thalweg.record.tables import Experiment as Recorded
from thalweg.record.tables import Run
from thalweg.report import build, to_html
from thalweg.report.parts import Page
from thalweg.report.words import level_words
from thalweg.spec.expand import Point, count_points, expand, label, varying
from thalweg.spec.experiment import Experiment, Recipe
from thalweg.spec.identity import experiment_id
from thalweg.spec.text import to_data
from thalweg.statistics.compare import compare
from thalweg.statistics.comparison import Comparison, Observation
from thalweg.statistics.tuning import choose

__all__ = ["FIRST_TUNING_SEED", "Laboratory", "Plan"]

Phase = Literal["tune", "report"]

# Tuning seeds start here, so that they never meet the reporting seeds 0, 1, 2, ...
FIRST_TUNING_SEED = 1000

# Share of the training rows that validate while tuning, where the spec has no validation split.
TUNING_VALIDATION = 0.2


@dataclass(frozen=True)
class Trial:
    """One run of an experiment: a point, a phase, and the job that trains it."""

    point: Point
    phase: Phase
    job: Job


@dataclass(frozen=True)
class Plan:
    """What an experiment will train.

    Args:
        points: distinct points.
        duplicates: points that were written more than once.
        trials: the runs of the phases known so far; of the reporting phase of a tuned comparison,
            those of every configuration are counted but only the chosen ones will run.
        groups: programs.
        varied: paths that take several values.
        reporting: runs that the reporting phase adds once tuning has chosen.
        recorded: how many of all runs the record has already; those of the reporting phase are
            known once tuning has ended.
        notes: what was inferred: task, loss, losses of rows.
    """

    points: int
    duplicates: int
    trials: tuple[Trial, ...]
    groups: tuple[Group, ...]
    varied: tuple[str, ...]
    reporting: int
    recorded: int
    notes: tuple[str, ...] = ()

    @property
    def runs(self) -> int:
        """All runs, those of the reporting phase included."""
        return len(self.trials) + self.reporting

    @property
    def steps(self) -> int:
        """Run-steps of the trials known so far."""
        return sum(g.shape.steps * len(g.jobs) for g in self.groups)

    @property
    def memory(self) -> int:
        """Bytes that the largest wave and the data need, roughly."""
        waves = [capacity(g).lanes * 4 * 14 * g.parameters for g in self.groups]
        data = {id(t.job.dataset): t.job.dataset.inputs.nbytes for t in self.trials}
        return max(waves, default=0) + sum(data.values())


@dataclass
class Laboratory:
    """An experiment, and the project folder that has its record.

    Args:
        experiment: what shall run.
        project: folder of the record.
        source: text of the spec file, to be shown in the report; written from the experiment where
            there is none.
    """

    experiment: Experiment
    project: Path = Path(".thalweg")
    source: str = ""
    _datasets: dict[Any, Dataset] = field(default_factory=dict, init=False, repr=False)
    _made: dict[Phase, list[Trial]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        devices.prepare()
        self.source = self.source or self.experiment.to_toml()

    # -------------------------------------------------------------------------------------- points

    def size(self) -> int:
        """How many runs there are at most, counted without making them."""
        compare_ = self.experiment.compare
        seeds = compare_.seeds.report if compare_ else self.experiment.seeds
        if compare_ and compare_.tune:
            seeds = compare_.seeds.tune
        return count_points(self.experiment) * seeds

    @cached_property
    def points(self) -> list[Point]:
        """The points of the experiment, checked against what is to be compared."""
        points = expand(self.experiment)
        asked = self.experiment.compare
        if asked is not None:
            self._check_compare(varying(points))
        return points

    def _check_compare(self, varied: list[str]) -> None:
        asked = self.experiment.compare
        assert asked is not None
        if asked.factor not in varied:
            options = ", ".join(varied) or "nothing varies"
            raise SpecError(
                f"Compare.factor must be something that varies ({options}), got {asked.factor!r}"
            )
        for name in asked.tune:
            if not any(_is_named(path, name) for path in varied):
                raise SpecError(f"Compare.tune must name numbers that vary, got {name!r}")

    @cached_property
    def varied(self) -> list[str]:
        """Paths that take several values over the points."""
        return varying(self.points)

    def _dataset(self, recipe: Recipe) -> Dataset:
        source: Any = recipe.data
        source = replace(source, split=(1.0, 0.0, 0.0))  # what is loaded does not depend on it
        if source not in self._datasets:
            self._datasets[source] = source.load()
        return self._datasets[source]

    def _tuned(self, path: str) -> bool:
        asked = self.experiment.compare
        return asked is not None and any(_is_named(path, name) for name in asked.tune)

    def _trials(self, phase: Phase) -> list[Trial]:
        """The runs of all points in one phase."""
        if phase not in self._made:
            asked = self.experiment.compare
            seeds = range(asked.seeds.report if asked else self.experiment.seeds)
            if phase == "tune":
                assert asked is not None
                seeds = range(FIRST_TUNING_SEED, FIRST_TUNING_SEED + asked.seeds.tune)
            self._made[phase] = [
                Trial(point, phase, job)
                for point in self.points
                for job in self._jobs(point.recipe, phase, seeds)
            ]
        return self._made[phase]

    def _jobs(self, recipe: Recipe, phase: Phase, seeds: range) -> list[Job]:
        recipe = _with_validation(recipe) if phase == "tune" else recipe
        dataset = self._dataset(recipe)
        return jobs_of(resolve(recipe, dataset), dataset, seeds, pictured=phase == "report")

    @property
    def _first_phase(self) -> Phase:
        asked = self.experiment.compare
        return "tune" if asked is not None and asked.tune else "report"

    # ---------------------------------------------------------------------------------------- plan

    def plan(self) -> Plan:
        """What would run now, without running anything."""
        trials = self._trials(self._first_phase)
        groups = group([trial.job for trial in trials])
        for members in groups:
            check_network(members.jobs[0])
        self._check_metric()
        asked = self.experiment.compare
        reporting = 0
        if asked is not None and asked.tune:
            chosen = {at[::2] for point in self.points for at in self._coordinates(point)}
            reporting = len(chosen) * asked.seeds.report
        recorded = self._recorded(trials)
        if reporting and recorded == len(trials):
            recorded += self._recorded(self._reported())
        return Plan(
            points=len(self.points),
            duplicates=count_points(self.experiment) - len(self.points),
            trials=tuple(trials),
            groups=tuple(groups),
            varied=tuple(self.varied),
            reporting=reporting,
            recorded=recorded,
            notes=self._notes(),
        )

    def _notes(self) -> tuple[str, ...]:
        """What was inferred from the data, each once."""
        notes = [note for data in self._datasets.values() for note in data.notes]
        if self.experiment.loss is None:
            notes += [f"loss: {chosen_for(data.task)[1]}" for data in self._datasets.values()]
        return tuple(dict.fromkeys(notes))

    def _recorded(self, trials: Sequence[Trial]) -> int:
        if not (self.project / "record.sqlite").exists():
            return 0
        with Record.open(self.project) as record:
            outcomes = record.outcomes([trial.job.id for trial in trials])
        return sum(outcomes.get(trial.job.id) in FINAL for trial in trials)

    def _reported(self) -> list[Trial]:
        """The runs to be reported, where all that tune are recorded as this experiment's."""
        with Record.open(self.project) as record:
            if experiment_id(self.experiment) not in (id for id, _, _ in record.experiments()):
                return []
            chosen = self._chosen(self._recorded_experiment(record))
        return [trial for trial in self._trials("report") if trial.point in chosen]

    @cached_property
    def metric(self) -> str:
        """The metric that is compared, or that runs are ranked by."""
        asked = self.experiment.compare
        if asked is not None and asked.metric is not None:
            return asked.metric
        job = self._jobs(self.points[0].recipe, "report", range(1))[0]
        split = ("test", "validation", "train")[
            next(i for i, size in enumerate(job.sizes[::-1]) if size)
        ]
        return f"{split}.{'r2' if job.dataset.task == 'regression' else 'accuracy'}"

    def _check_metric(self) -> None:
        """Refuse a metric that the runs which are reported, or those that tune, will not have."""
        job = self._jobs(self.points[0].recipe, "report", range(1))[0]
        names = ("loss", "rmse", "r2") if job.dataset.task == "regression" else ("loss", "accuracy")
        splits = [s for s, n in zip(("train", "validation", "test"), job.sizes, strict=True) if n]
        valid = [f"{split}.{name}" for split in splits for name in names]
        if self.metric not in valid:
            raise SpecError(
                f"Compare.metric must be one of {', '.join(valid)}, got {self.metric!r}"
            )
        split, _, name = self.metric.partition(".")
        tuned = self._first_phase == "tune"
        if tuned and name == "r2" and self._trials("tune")[0].job.sizes[1] == 1:
            raise SpecError(
                "tuning chooses by validation.r2, which says nothing of 1 row; give validation a "
                f'larger share of data.split, or write metric = "{split}.loss"'
            )

    # ----------------------------------------------------------------------------------------- run

    def run(self) -> Generator[Progress]:
        """Train what the record does not have; a generator of progress.

        Ending it early, by an interrupt or otherwise, loses at most the chunk in flight.
        """
        self.plan()
        with Record.open(self.project, write=True) as record:
            trials, tunes = self._trials(self._first_phase), self._first_phase == "tune"
            # Where tuning is over, the record must not for a moment list its runs alone.
            if not tunes or self._recorded(trials) < len(trials) or not self._reported():
                yield from self._train(trials, record)
            if tunes:
                yield from self._train([*trials, *self._reported()], record)

    def _train(self, trials: Sequence[Trial], record: Record) -> Iterator[Progress]:
        record.add_experiment(self._experiment(trials))
        jobs = list({trial.job.id: trial.job for trial in trials}.values())
        outcomes = record.outcomes([job.id for job in jobs])
        done = [(job.id, outcomes[job.id]) for job in jobs if outcomes.get(job.id) in FINAL]
        if done:
            yield Progress(0, tuple(done))
        yield from train([job for job in jobs if outcomes.get(job.id) not in FINAL], record)

    def _experiment(self, trials: Sequence[Trial]) -> Recorded:
        """The experiment as the record keeps it."""
        runs = {}
        for trial in trials:
            factors = {
                path: _plain(value)
                for path, value in trial.point.factors.items()
                if path in self.varied
            }
            job = trial.job
            runs[job.id] = Run(
                job.id,
                job.spec,
                job.seed,
                steps=job.steps,
                phase=trial.phase,
                factors=factors,  # type: ignore[arg-type]
            )
        spec = to_data(self.experiment, full=False)
        asked = to_data(self.experiment.compare) if self.experiment.compare else None
        environment = {**devices.describe(), "date": now(), "source": self.source}
        return Recorded(
            experiment_id(self.experiment),
            self.experiment.question,
            spec,
            asked,
            environment,
            tuple(runs.values()),
        )

    # ------------------------------------------------------------------------------------- compare

    def _recorded_experiment(self, record: Record) -> Recorded:
        identity = experiment_id(self.experiment)
        if identity not in (known for known, _, _ in record.experiments()):
            raise RecordError(
                f"{self.project} does not hold this experiment; `thalweg run` it first (runs it "
                "shares with others are not trained again)"
            )
        return record.experiment(identity)

    def record(self) -> Recorded:
        """The experiment as recorded."""
        with Record.open(self.project) as record:
            return self._recorded_experiment(record)

    def _coordinates(self, point: Point) -> list[tuple[str, str, str]]:
        """Level, configuration and context of a point, once for each context it is part of."""
        asked = self.experiment.compare
        assert asked is not None
        found = []
        for factors in point.occurrences:
            # Of this occurrence: where cases coincide, a point is one level here, another there.
            value = factors.get(asked.factor, point.factors.get(asked.factor))
            name = level_words(asked.factor, value)
            tuned = {
                path: value
                for path, value in factors.items()
                if path in self.varied and self._tuned(path)
            }
            found.append((name, _settings(tuned), self._context(factors)))
        return found

    def _fixed(self, factors: Mapping[str, Any]) -> dict[str, Any]:
        """Those of some factors that vary, and are neither compared nor tuned."""
        asked = self.experiment.compare
        assert asked is not None
        return {
            path: factors[path]
            for path in self.varied
            if path in factors and path != asked.factor and not self._tuned(path)
        }

    def _context(self, factors: Mapping[str, Any]) -> str:
        return _settings(self._fixed(factors)) or ("base" if self.experiment.vary else "")

    @cached_property
    def _contexts(self) -> list[str]:
        """All contexts: the base, then factor after factor as the spec has them, numbers rising."""
        keys: dict[str, Any] = {}
        for point in self.points:
            for factors in point.occurrences:
                fixed = self._fixed(factors)
                values = [(0, v) if _is_number(v) else (1, len(keys)) for v in fixed.values()]
                place = (len(fixed), [self.varied.index(path) for path in fixed], values)
                keys.setdefault(self._context(factors), place)
        return sorted(keys, key=keys.__getitem__)

    def _observations(self, recorded: Recorded) -> list[Observation]:
        """The recorded runs, as the comparison sees them: once in each context."""
        asked = self.experiment.compare
        assert asked is not None
        runs = {run.id: run for run in recorded.runs if run.outcome in FINAL}
        selection = "validation." + self.metric.partition(".")[2]
        met = self._target_steps(runs)
        seen = []
        phases: tuple[Phase, ...] = ("tune", "report") if asked.tune else ("report",)
        for phase in phases:
            for trial in self._trials(phase):
                run = runs.get(trial.job.id)
                if run is None:
                    continue
                for level, configuration, context in self._coordinates(trial.point):
                    seen.append(
                        Observation(
                            level=level,
                            configuration=configuration,
                            context=context,
                            seed=run.seed,
                            phase=phase,
                            value=run.finals.get(self.metric, float("nan")),
                            selection=run.finals.get(selection, float("nan")),
                            failed=run.outcome == "diverged",
                            steps=run.step,
                            seconds=run.train_seconds,
                            target_step=met.get(run.id),
                            run=run.id,
                        )
                    )
        return seen

    def _target_steps(self, runs: dict[str, Run]) -> dict[str, int]:
        """For each run that met the target, the first evaluated step at which it did."""
        asked = self.experiment.compare
        if asked is None or asked.target is None:
            return {}
        with Record.open(self.project) as record:
            curves = record.series(self.metric, list(runs))
        met = {}
        for run, (steps, values) in curves.items():
            there = values >= asked.target if self.higher_is_better else values <= asked.target
            if there.any():
                met[run] = int(steps[there.argmax()])
        return met

    def _chosen(self, recorded: Recorded) -> list[Point]:
        """For every level and context, the point that tuning chose."""
        chosen = choose(self._observations(recorded), higher_is_better=self.higher_is_better)
        return [
            point
            for point in self.points
            if any(
                chosen[context, level].configuration == configuration
                for level, configuration, context in self._coordinates(point)
            )
        ]

    @property
    def higher_is_better(self) -> bool:
        """The direction of the metric."""
        return self.metric.partition(".")[2] in ("accuracy", "r2")

    def compare(self) -> Comparison | None:
        """The comparison the experiment asks for, from the runs recorded so far.

        Raises:
            RecordError: none of the runs to be reported has ended yet.
        """
        if self.experiment.compare is None:
            return None
        asked = self.experiment.compare
        seen = self._observations(self.record())
        if not any(run.phase == "report" for run in seen):
            raise RecordError(
                f"{self.project} holds no run to report of this experiment yet; `thalweg run` "
                "goes on with it"
            )
        return compare(
            seen,
            factor=asked.factor,
            metric=self.metric,
            higher_is_better=self.higher_is_better,
            margin=asked.margin,
            alpha=asked.alpha,
            tuned=asked.tune,
            target=asked.target,
            context_order=self._contexts,
        )

    # -------------------------------------------------------------------------------------- report

    def page(self) -> Page:
        """The page on the runs recorded so far."""
        comparison = self.compare()
        with Record.open(self.project) as record:
            recorded = self._recorded_experiment(record)
            environment = dict(recorded.environment)
            source = environment.pop("source", "")
            return build(replace(recorded, environment=environment), comparison, record, source)

    def report(self, out: Path) -> Path:
        """Write the page as one HTML file; returns its path."""
        out.write_text(to_html(self.page()), encoding="utf-8")
        return out


FINAL = ("finished", "diverged", "stopped")


def _with_validation(recipe: Recipe) -> Recipe:
    """A recipe for tuning: where it has no validation rows, some of the training rows become so."""
    train_share, validation, test = recipe.data.split
    if validation:
        return recipe
    held = round(train_share * TUNING_VALIDATION, 12)
    data: Any = recipe.data
    return replace(recipe, data=replace(data, split=(1 - held - test, held, test)))


def _is_named(path: str, name: str) -> bool:
    """Whether a path is meant by a name: the whole of it, or its end."""
    return path == name or path.endswith(f".{name}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _settings(factors: dict[str, Any]) -> str:
    """Factors in a few words: ``learning_rate=0.01, batch_size=32``."""
    return ", ".join(f"{path.rpartition('.')[2]}={label(value)}" for path, value in factors.items())


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=label))
