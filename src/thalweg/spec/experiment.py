"""What shall run: an experiment, and the recipe that each of its runs follows.

An ``Experiment`` is a recipe in which fields may hold several values (lists, ranges), together
with a question, the seeds, and what is to be compared. A ``Recipe`` is one point of it: a tree of
parts without lists, from which the engine trains.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from thalweg.catalogue.augmentations.augmentation import Augmentation
from thalweg.catalogue.clipping import Clipping
from thalweg.catalogue.losses.loss import Loss
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.networks.network import Network
from thalweg.catalogue.optimizers import Adam
from thalweg.catalogue.optimizers.optimizer import Optimizer
from thalweg.catalogue.preprocessing.fitting import Preprocessing
from thalweg.catalogue.regularizers.regularizer import Regularizer
from thalweg.catalogue.starts import Start
from thalweg.data import Source
from thalweg.part import Number, choice, number, part

if TYPE_CHECKING:
    from thalweg.laboratory import Laboratory

__all__ = [
    "Compare",
    "EarlyStopping",
    "Ensemble",
    "Experiment",
    "Precision",
    "Recipe",
    "Seeds",
    "Training",
]

Precision: TypeAlias = Literal["bfloat16", "float32", "float64"]

RECIPE_FIELDS = (
    "data",
    "network",
    "start",
    "loss",
    "optimizer",
    "regularizers",
    "preprocessing",
    "target_preprocessing",
    "augmentation",
    "training",
)


@part
class EarlyStopping:
    """Ends a run when the validation loss has not improved for a while.

    Choices: patience: evaluations without a new lowest validation loss; restore_best: whether
        the parameters of the best evaluation are the result, or the last ones
    """

    patience: int = choice(default=5, low=1)
    restore_best: bool = choice(default=True)


@part
class Training:
    """How long and in what portions a network is trained.

    Numbers: diverged_above: a run has diverged when a mini-batch objective exceeds this many times
        its first one, or this number if the first is below 1
    Choices: epochs: passes over the training data; batch_size: examples a step, ``"full"`` for all
        of them, 1 for stochastic descent; clipping: limit on gradients; early_stopping: when to end
        early; order: of the training rows, shuffled where not given; ``"by_length"`` makes mini-
        batches of sequences of like length, in random order, and cuts off what all of a mini-batch
        is padded with, which saves time where lengths differ; ``"streams"`` reads stretches of
        running text on and on: the training rows are cut into as many stretches as batch_size, a
        step takes the next row of each, and recurrent layers go on from where the step before left
        them, over which no gradient goes back (truncated backpropagation through time); rows are
        evaluated in streams too; resample: ``"bootstrap"`` trains every run on as many rows, drawn
        from its training rows with replacement by its seed, and takes training metrics on these
        (bagging, where an ensemble averages the runs); evaluate_every: epochs between evaluations
        on the whole data; where not given, at most 20 evaluations that cost about a fifth of the
        training; probes: how many times per run, at steps spaced by ratios, gradients and
        activations are looked at (0: never); probe_also: what else is looked at then, at more cost:
        ``input_shift``, how far a step moves the means and deviations of the inputs of every layer,
        takes one more step and two more forward passes; ``state_gradient``, how far the state of a
        recurrent layer at the end of a sequence depends on that so many steps before, and how many
        outputs of its gates are saturated; precision: of what networks compute: ``bfloat16`` rounds
        parameters and what layers make to 8 bits, which accelerators multiply twice as fast and
        processors do not, and keeps parameters, gradients, sums and the loss in ``float32``;
        ``float64`` computes everything in double precision; portions: parts of a mini-batch that
        are computed one after the other and whose gradients add up (gradient accumulation), for a
        third more arithmetic and the memory of one part; batch normalization sees a part at a time;
        rematerialize: whether what the blocks and layers of a network make is made again for the
        gradient, in place of being kept until then, for a third more arithmetic; spread: what the
        devices share: where not given, runs, each of which is trained by one device; ``"batch"``
        trains one run after the other, and divides the rows of each mini-batch among the devices;
        ``"parameters"`` divides parameters and what optimizers keep for them as well, for a run
        that no device has the memory for
    """

    epochs: int = choice(default=20, low=1)
    batch_size: int | Literal["full"] = choice(default=32, low=1)
    clipping: Clipping | None = choice(default=None)
    early_stopping: EarlyStopping | None = choice(default=None)
    order: Literal["by_length", "streams"] | None = choice(default=None)
    resample: Literal["bootstrap"] | None = choice(default=None)
    evaluate_every: int | None = choice(default=None, low=1)
    probes: int = choice(default=8, low=0)
    probe_also: Literal["input_shift", "state_gradient"] | None = choice(default=None)
    precision: Precision = choice(default="float32")
    portions: int = choice(default=1, low=1)
    rematerialize: bool = choice(default=False)
    spread: Literal["batch", "parameters"] | None = choice(default=None)
    diverged_above: Number = number(default=1e6, above=0, scale="log")


@part
class Recipe:
    """One point of an experiment: everything about a run but its seed."""

    data: Source = choice()
    network: Network = choice(default=MLP())
    start: tuple[Start, ...] = choice(default=())
    loss: Loss | None = choice(default=None)
    optimizer: Optimizer = choice(default=Adam())
    regularizers: tuple[Regularizer, ...] = choice(default=())
    preprocessing: Preprocessing | None = choice(default=None)
    target_preprocessing: Preprocessing | None = choice(default=None)
    augmentation: tuple[Augmentation, ...] = choice(default=())
    training: Training = choice(default=Training())


@part
class Seeds:
    """How many seeds each phase has.

    Choices: tune: seeds with which tuned numbers are chosen; report: fresh seeds whose results
        are reported. The two sets are disjoint, and more seeds extend the sets already run.
    """

    tune: int = choice(default=3, low=1, high=1000)
    report: int = choice(default=10, low=1, high=1000)


@part
class Compare:
    """What is to be decided, before anything runs.

    Numbers: margin: differences up to this size do not matter; alpha: family-wise error rate;
        target: value of the metric whose first crossing is timed
    Choices: factor: the path whose levels are compared (``optimizer``, ``case``); baseline: the
        level that every other is held against, where not every pair matters: fewer questions need
        fewer seeds; tune: names of numbers chosen separately for every level, on validation data;
        metric: ``<split>.<name>``, taken from the task where not given; seeds: how many for each
        phase
    """

    factor: str = choice()
    baseline: str | None = choice(default=None)
    tune: tuple[str, ...] = choice(default=())
    metric: str | None = choice(default=None)
    margin: Number = number(default=0.0, low=0)
    alpha: Number = number(default=0.05, above=0, below=1)
    target: Number = number(default=None)
    seeds: Seeds = choice(default=Seeds())


@part
class Ensemble:
    """Averages the predictions of runs that differ in nothing but their seed.

    The reported seeds of every configuration are taken in turn, so many for each ensemble, and its
    predictions on the test rows are the mean of those of its members. Where test rows are drawn by
    seed, the members of one ensemble share the split of the first of them, so that none was
    trained on rows that another is tested on.

    Choices: size: runs in an ensemble
    """

    size: int = choice(default=3, low=2, high=1000)


@part
class Experiment:
    """A question, a recipe with things to vary, and what is to be compared.

    A list in a field of the recipe, or of a part in it, means each of its values.

    Choices: question: the sentence to be answered; data: what is learned; network: what learns;
        start: what its parameters owe to the data before the first step; loss: what is minimised,
        chosen for the task where not given; optimizer: how it is minimised; regularizers: what
        holds parameters back; preprocessing: how inputs are scaled; target_preprocessing: how the
        targets of a regression are scaled (rmse and r2 stay in the units of the data; classes are
        left alone); augmentation: how training examples are changed at random; training: how long,
        and in what portions; cases: named alternatives that change several fields together, as
        tables of changes; vary: groups of changes tried one group at a time around the base; zip:
        groups of paths whose lists advance together; compare: what is to be decided; ensemble: how
        many runs are averaged, where ensembles are to be judged beside single runs; seeds: seeds
        of every run where nothing is compared
    """

    question: str = choice(default="")
    data: Source = choice()
    network: Network = choice(default=MLP())
    start: tuple[Start, ...] = choice(default=())
    loss: Loss | None = choice(default=None)
    optimizer: Optimizer = choice(default=Adam())
    regularizers: tuple[Regularizer, ...] = choice(default=())
    preprocessing: Preprocessing | None = choice(default=None)
    target_preprocessing: Preprocessing | None = choice(default=None)
    augmentation: tuple[Augmentation, ...] = choice(default=())
    training: Training = choice(default=Training())
    cases: tuple[Any, ...] = choice(default=())
    vary: tuple[Any, ...] = choice(default=())
    zip: tuple[Any, ...] = choice(default=())
    compare: Compare | None = choice(default=None)
    ensemble: Ensemble | None = choice(default=None)
    seeds: int = choice(default=1, low=1, high=1000)

    @classmethod
    def from_file(cls, path: str | Path, overrides: tuple[str, ...] = ()) -> Experiment:
        """Read a spec file.

        Args:
            path: a TOML file.
            overrides: ``"training.epochs=5"`` and the like, applied before anything is checked.

        Raises:
            SpecError: naming every problem with file and line.
        """
        from thalweg.spec.text import read_file

        return read_file(Path(path), overrides)

    def to_toml(self) -> str:
        """The text of a spec file that gives this experiment again."""
        from thalweg.spec.text import to_toml

        return to_toml(self)

    def recipe(self) -> Recipe:
        """The recipe of an experiment whose fields hold one value each."""
        return Recipe(**{name: getattr(self, name) for name in RECIPE_FIELDS})

    @property
    def report_seeds(self) -> int:
        """How many seeds every reported configuration has."""
        return self.compare.seeds.report if self.compare else self.seeds

    # The verbs below need the engine, which lies above this package; they are here because an
    # experiment is what a user has in hand.

    def laboratory(self, project: str | Path = ".thalweg") -> Laboratory:
        """The place where this experiment is planned, run, compared and reported."""
        from thalweg.laboratory import Laboratory

        return Laboratory(self, Path(project), self.to_toml())

    def plan(self, project: str | Path = ".thalweg") -> Any:
        """What would run: see ``Laboratory.plan``."""
        return self.laboratory(project).plan()

    def run(self, project: str | Path = ".thalweg") -> Any:
        """Train what the record does not have yet: see ``Laboratory.run``."""
        laboratory = self.laboratory(project)
        for _ in laboratory.run():
            pass
        return laboratory.record()

    def verdict(self, project: str | Path = ".thalweg") -> Any:
        """The comparison of recorded runs: see ``Laboratory.compare``."""
        return self.laboratory(project).compare()

    def report(self, out: str | Path = "report.html", project: str | Path = ".thalweg") -> Path:
        """Write the report of recorded runs: see ``Laboratory.report``."""
        return self.laboratory(project).report(Path(out))
