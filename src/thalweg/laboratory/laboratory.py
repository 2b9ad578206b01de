"""The order of things: plan; tune first, on tuning seeds and validation data; then report what was
chosen, on fresh seeds; then compare.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.catalogue.decoders import Decoder
from thalweg.catalogue.losses.chosen import chosen_for
from thalweg.data import Dataset
from thalweg.engine import devices
from thalweg.engine.measures import default_metric, higher_is_better, metric_names
from thalweg.engine.plan import Group, Job, check_network, group, jobs_of, resolve
from thalweg.engine.room import check_room, programs
from thalweg.engine.train import Train, train
from thalweg.engine.wave import Progress
from thalweg.errors import RecordError, SpecError
from thalweg.laboratory.by_length import compare_written
from thalweg.laboratory.design import Design, reached, settings
from thalweg.laboratory.drawings import drawings_of
from thalweg.laboratory.ensembles import ensemble_levels
from thalweg.laboratory.plan import FIRST_TUNING_SEED, Phase, Plan, Trial
from thalweg.laboratory.pretraining import pretrained
from thalweg.laboratory.recording import recorded_as
from thalweg.laboratory.trained import Trained
from thalweg.laboratory.writing import Writing
from thalweg.part import replace
from thalweg.record.store import Record
from thalweg.record.tables import Experiment as Recorded
from thalweg.report import build, to_html
from thalweg.report.parts import Page
from thalweg.spec.expand import Point, count_points, expand, varying
from thalweg.spec.experiment import Experiment, Recipe
from thalweg.spec.identity import experiment_id
from thalweg.statistics.compare import compare
from thalweg.statistics.comparison import Comparison, Observation
from thalweg.statistics.ensembles import Ensembles

__all__ = ["Laboratory"]

# How a run may have ended.
FINAL = ("finished", "diverged", "stopped")

# Share of the training rows that validate while tuning, where the spec has no validation split.
TUNING_VALIDATION = 0.2

SHARED = "members share the split of the first of them"
CLUSTERED = (
    "Members of one ensemble share a split, so seeds are not quite independent and intervals over "
    "single runs a little too short"
)


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
    _pretraining: dict[str, dict[int, str]] = field(default_factory=dict, init=False, repr=False)
    _after: tuple[str, ...] = field(default=(), init=False, repr=False)

    def __post_init__(self) -> None:
        devices.prepare()
        self.source = self.source or self.experiment.to_toml()

    # -------------------------------------------------------------------------------------- points

    def size(self) -> int:
        """How many runs there are at most, counted without making them."""
        compare_, seeds = self.experiment.compare, self.experiment.report_seeds
        if compare_ and compare_.tune:
            seeds = compare_.seeds.tune
        return count_points(self.experiment) * seeds

    @cached_property
    def points(self) -> list[Point]:
        """The points of the experiment."""
        return expand(self.experiment)

    @cached_property
    def design(self) -> Design | None:
        """The points as the comparison sees them, where one is asked for."""
        asked = self.experiment.compare
        if asked is None:
            return None
        return Design(asked, self.points, self.varied, "base" if self.experiment.vary else "")

    @cached_property
    def varied(self) -> list[str]:
        """Paths that take several values over the points."""
        return varying(self.points)

    def _dataset(self, recipe: Recipe) -> Dataset:
        source: Any = recipe.data
        if not getattr(source, "divides", False):
            source = replace(source, split=(1.0, 0.0, 0.0))  # what is loaded does not depend on it
        if source not in self._datasets:
            self._datasets[source] = source.load()
        return self._datasets[source]

    def _trials(self, phase: Phase) -> list[Trial]:
        """The runs of all points in one phase."""
        if phase not in self._made:
            asked = self.experiment.compare
            seeds = range(self.experiment.report_seeds)
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
        dataset, reports = self._dataset(recipe), phase == "report"
        together = self._sharing(recipe) if reports else 1
        jobs = jobs_of(resolve(recipe, dataset), dataset, seeds, reports, together)
        return pretrained(jobs, self.project, self._runs_by_seed)

    def _runs_by_seed(self, file: str) -> dict[int, str]:
        """The reported runs of another spec file, of which each seed must have one."""
        if file in self._after:
            raise SpecError(f"FromRun.run: the runs of {file} would start from themselves")
        if file not in self._pretraining:
            other = Laboratory(Experiment.from_file(file), self.project)
            other._after = (*self._after, file)
            trials = other._reported() if "tune" in other._phases else other._trials("report")
            runs = {trial.job.seed: trial.job.id for trial in trials}
            if len(runs) < len(trials) or not runs:
                raise SpecError(
                    f"FromRun.run: {file} must have one run of every seed, not "
                    f"{len(trials)} of {len(runs)} seeds; leave one configuration in it"
                )
            self._pretraining[file] = runs
        return self._pretraining[file]

    def _sharing(self, recipe: Recipe) -> int:
        """How many reported seeds share a split: members of an ensemble, if it is drawn by seed."""
        asked = self.experiment.ensemble
        return asked.size if asked is not None and recipe.data.split[2] else 1

    @property
    def _phases(self) -> tuple[Phase, ...]:
        asked = self.experiment.compare
        return ("tune", "report") if asked is not None and asked.tune else ("report",)

    @property
    def _first_phase(self) -> Phase:
        return self._phases[0]

    # ---------------------------------------------------------------------------------------- plan

    def plan(self) -> Plan:
        """What would run now, without running anything.

        Raises:
            SpecError: the experiment asks what its runs cannot answer.
        """
        design = self.design
        trials = self._trials(self._first_phase)
        for members in group([trial.job for trial in trials]):
            check_network(members.jobs[0])
        groups = programs([trial.job for trial in trials])
        for members in groups:
            check_room(members)
        self._check_metric()
        self._check_ensemble()
        reporting = 0
        if design is not None and design.asked.tune:
            chosen = {at[::2] for point in self.points for at in design.coordinates(point)}
            reporting = len(chosen) * design.asked.seeds.report
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
            notes=(*self._notes(), *_in_portions(groups)),
            adjusted=self._adjusted(trials),
        )

    def _notes(self) -> tuple[str, ...]:
        """What was inferred from the data, each once."""
        notes = [note for data in self._datasets.values() for note in data.notes]
        if self.experiment.loss is None:
            notes += [f"loss: {chosen_for(data.task)[1]}" for data in self._datasets.values()]
        if any(self._sharing(point.recipe) > 1 for point in self.points):
            notes.append(f"ensembles: {SHARED}")
        return tuple(dict.fromkeys(notes))

    def _recorded(self, trials: Sequence[Trial]) -> int:
        if not Record.exists(self.project):
            return 0
        with Record.open(self.project) as record:
            outcomes = record.outcomes([trial.job.id for trial in trials])
        return sum(outcomes.get(trial.job.id) in FINAL for trial in trials)

    def _adjusted(self, trials: Sequence[Trial]) -> int:
        """How many of them the record has as adjusted by hand."""
        if not Record.exists(self.project):
            return 0
        with Record.open(self.project) as record:
            return len(record.adjusted(trial.job.id for trial in trials))

    def _reported(self) -> list[Trial]:
        """The runs to be reported, where all that tune are recorded as this experiment's."""
        design = self.design
        assert design is not None
        with Record.open(self.project) as record:
            if experiment_id(self.experiment) not in (id for id, _, _ in record.experiments()):
                return []
            seen = self._observations(design, self._recorded_experiment(record))
        chosen = design.chosen(seen, higher_is_better=self.higher_is_better)
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
        return f"{split}.{default_metric(job.dataset.task)}"

    def _check_metric(self) -> None:
        """Refuse a metric that the runs which are reported, or those that tune, will not have."""
        job = self._jobs(self.points[0].recipe, "report", range(1))[0]
        splits = [s for s, n in zip(("train", "validation", "test"), job.sizes, strict=True) if n]
        valid = [f"{split}.{name}" for split in splits for name in metric_names(job.dataset.task)]
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

    def _check_ensemble(self) -> None:
        if self.experiment.ensemble is None:
            return
        for point in self.points:
            (job,) = self._jobs(point.recipe, "report", range(1))
            if job.dataset.facts.makes_samples:
                raise SpecError("ensembles average predictions, and samples are none; leave it out")
            if not job.sizes[2]:
                data = type(point.recipe.data).__name__
                raise SpecError(
                    f"ensembles are judged on test rows, of which there are none; give "
                    f"{data}.split a third share above 0"
                )

    # ----------------------------------------------------------------------------------------- run

    def run(self, train: Train = train) -> Generator[Progress]:
        """Train what the record does not have; a generator of progress.

        Ending it early, by an interrupt or otherwise, loses at most the chunk in flight.

        Args:
            train: trains runs into a record; elsewhere than here, where ``cluster.connected`` gave
                it.
        """
        self.plan()
        with Record.open(self.project, write=True) as record:
            trials, tunes = self._trials(self._first_phase), self._first_phase == "tune"
            # Where tuning is over, the record must not for a moment list its runs alone.
            if not tunes or self._recorded(trials) < len(trials) or not self._reported():
                yield from self._train(trials, record, train)
            if tunes:
                yield from self._train([*trials, *self._reported()], record, train)

    def _train(self, trials: Sequence[Trial], record: Record, train: Train) -> Iterator[Progress]:
        record.add_experiment(recorded_as(self.experiment, trials, self.varied, self.source))
        jobs = list({trial.job.id: trial.job for trial in trials}.values())
        outcomes = record.outcomes([job.id for job in jobs])
        done = [(job.id, outcomes[job.id]) for job in jobs if outcomes.get(job.id) in FINAL]
        if done:
            yield Progress(0, tuple(done))
        yield from train([job for job in jobs if outcomes.get(job.id) not in FINAL], record)

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

    def _observations(self, design: Design, recorded: Recorded) -> list[Observation]:
        """The recorded runs, as the comparison sees them: once in each context."""
        runs = {run.id: run for run in recorded.runs if run.outcome in FINAL}
        with Record.open(self.project) as record:
            met = reached(record, self.metric, list(runs), design.asked.target)
        return [
            observation
            for phase in self._phases
            for trial in self._trials(phase)
            if (run := runs.get(trial.job.id)) is not None
            for observation in design.observations(
                trial.point, phase, run, self.metric, met.get(run.id)
            )
        ]

    @property
    def higher_is_better(self) -> bool:
        """The direction of the metric."""
        return higher_is_better(self.metric)

    def compare(self) -> Comparison | None:
        """The comparison the experiment asks for, from the runs recorded so far.

        Raises:
            RecordError: none of the runs to be reported has ended yet.
        """
        design = self.design
        if design is None:
            return None
        seen = self._observations(design, self.record())
        if not any(run.phase == "report" for run in seen):
            raise RecordError(
                f"{self.project} holds no run to report of this experiment yet; `thalweg run` "
                "goes on with it"
            )
        found = compare(
            seen,
            factor=design.asked.factor,
            metric=self.metric,
            higher_is_better=self.higher_is_better,
            margin=design.asked.margin,
            alpha=design.asked.alpha,
            tuned=design.asked.tune,
            target=design.asked.target,
            baseline=design.asked.baseline,
            context_order=design.contexts,
        )
        if not any(self._sharing(point.recipe) > 1 for point in self.points):
            return found
        contexts = (
            dataclasses.replace(each, warnings=(*each.warnings, CLUSTERED))
            for each in found.contexts
        )
        return dataclasses.replace(found, contexts=tuple(contexts))

    def ensembles(self) -> Ensembles | None:
        """What averaging over runs gains, from the runs recorded so far; None if not asked for."""
        asked, design = self.experiment.ensemble, self.design
        if asked is None:
            return None
        outcomes = {run.id: run.outcome for run in self.record().runs if run.outcome in FINAL}
        tunes = design is not None and design.asked.tune
        trials = self._reported() if tunes else self._trials("report")
        alpha = design.asked.alpha if design else 0.05
        with Record.open(self.project) as record:
            levels = [*ensemble_levels(trials, outcomes, self._places, record, asked.size, alpha)]
        order = {context: place for place, context in enumerate(design.contexts if design else [])}
        shared = any(self._sharing(point.recipe) > 1 for point in self.points)
        levels.sort(key=lambda each: (order.get(each.context, 0), each.merit(self.metric)))
        return Ensembles(asked.size, alpha, shared, tuple(levels))

    def _places(self, point: Point) -> list[tuple[str, str, str]]:
        if self.design is not None:
            return self.design.coordinates(point)
        factors = {path: point.factors[path] for path in self.varied if path in point.factors}
        return [(settings(factors) or "all runs", "", "")]

    # --------------------------------------------------------------------------------- predictions

    def predict(
        self, inputs: np.ndarray | str = "test", runs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """What recorded runs say, with the parameters that the record keeps of them.

        Args:
            inputs: [row, feature, ...] as they come from the data; or the name of a split, for the
                rows of it that each run has.
            runs: ids of runs of this experiment; all that have ended where not given.

        Returns:
            By run, float32 probabilities [row, class], or in regression values [row, target] in
            their units. A run that diverged speaks as it last did before.

        Raises:
            DataError: the inputs have another shape than those of the data.
            RecordError: a run is not of this experiment, or has not ended.
        """
        return self._trained(runs).predict(inputs)

    def decide(
        self, inputs: np.ndarray | str = "test", runs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """The classes that recorded runs decide for; arguments and errors are as in ``predict``.

        Returns:
            By run, int32 [row], or for tokens [row, time], where what stands on padding means
            nothing. Labels that depend on each other are decided for together.
        """
        return self._trained(runs).decide(inputs)

    def decode(
        self,
        decoder: Decoder | None = None,
        inputs: Sequence[Sequence[str]] | str = "test",
        runs: Sequence[str] | None = None,
        length: int | None = None,
        seed: int = 0,
    ) -> dict[str, Writing]:
        """What recorded runs write, token by token.

        Args:
            decoder: how sequences are chosen; greedily where not given.
            inputs: what is to be translated or continued: your own sequences of tokens, each a
                list of their names; or the name of a split, for the rows of it that each run has.
            runs: ids of runs of this experiment; all that have ended where not given.
            length: most tokens of a text; as many as the longest of the data where not given.
            seed: of decoders that draw.

        Raises:
            DataError: a token is not in the vocabulary, or there are no rows.
            RecordError: a run is not of this experiment, or has not ended.
            SpecError: the data have no sequences, or a network cannot go on step by step.
        """
        return self._trained(runs).decode(decoder, inputs, length, seed)

    def compare_written(self, written: Mapping[str, Writing], metric: str = "bleu") -> Comparison:
        """Which level of the compared factor writes better, over all rows and by their length.

        Args:
            written: what ``decode`` gave of a split.
            metric: ``bleu``, ``chrf``, ``token_accuracy``, ``sequence_accuracy``, ``edit_distance``
                or ``error_rate``.

        Returns:
            A comparison whose contexts are classes of source lengths, the first all rows.

        Raises:
            SpecError: the experiment compares nothing, or texts have no such metric.
        """
        design = self.design
        if design is None:
            raise SpecError("levels are compared by what they write where a spec has [compare]")
        trials = self._reported() if design.asked.tune else self._trials("report")
        diverged = {run.id for run in self.record().runs if run.outcome == "diverged"}
        return compare_written(written, trials, frozenset(diverged), design, metric)

    def generate(
        self, count: int = 64, runs: Sequence[str] | None = None, seed: int = 0
    ) -> dict[str, np.ndarray]:
        """Samples that recorded runs make: those of a GAN, or of a variational autoencoder.

        Args:
            count: how many.
            runs: ids of runs of this experiment; all that have ended where not given.
            seed: of the random codes, the same for every run.

        Returns:
            By run, float32 [sample, feature, ...], shaped like inputs and in their units.

        Raises:
            SpecError: the network of a run makes no samples.
            RecordError: a run is not of this experiment, or has not ended.
        """
        return self._trained(runs).generate(count, seed)

    def _trained(self, runs: Sequence[str] | None) -> Trained:
        """The runs that are asked for, or all that have ended."""
        jobs = {trial.job.id: trial.job for phase in self._phases for trial in self._trials(phase)}
        if runs is None:
            runs = [run.id for run in self.record().runs if run.outcome in FINAL and run.id in jobs]
        for run in runs:
            if run not in jobs:
                raise RecordError(f"run {run} is not one of this experiment")
        return Trained({run: jobs[run] for run in runs}, self.project)

    # -------------------------------------------------------------------------------------- report

    def page(self) -> Page:
        """The page on the runs recorded so far."""
        comparison, ensembles = self.compare(), self.ensembles()
        with Record.open(self.project) as record:
            recorded = self._recorded_experiment(record)
            environment = dict(recorded.environment)
            source = environment.pop("source", "")
            recorded = dataclasses.replace(recorded, environment=environment)
            ended = [run.id for run in recorded.runs if run.outcome in FINAL]
            drawn = drawings_of(self._trials("report"), ended, record)
            return build(recorded, comparison, record, source, ensembles, *drawn)

    def report(self, out: Path) -> Path:
        """Write the page as one HTML file; returns its path."""
        out.write_text(to_html(self.page()), encoding="utf-8")
        return out


def _with_validation(recipe: Recipe) -> Recipe:
    """A recipe for tuning: where it has no validation rows, some of the training rows become so."""
    train_share, validation, test = recipe.data.split
    if validation:
        return recipe
    held = round(train_share * TUNING_VALIDATION, 12)
    data: Any = recipe.data
    return replace(recipe, data=replace(data, split=(1 - held - test, held, test)))


def _in_portions(groups: Sequence[Group]) -> Iterator[str]:
    """Which programs are computed in portions without having been asked for it."""
    for number, members in enumerate(groups, 1):
        portions = members.shape.arithmetic.portions
        if portions != members.training.portions:
            yield (
                f"memory: program {number} would not fit, so its mini-batches are computed in "
                f"{portions} portions"
            )
