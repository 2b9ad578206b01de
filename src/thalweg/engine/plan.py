"""What has to be trained: runs resolved against their data, and grouped into programs.

Runs share a program when their parts have the same structure and everything that is compiled in
(batch size, numbers of rows and steps, shapes of the data) is the same. Nothing here trains.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import jax
import numpy as np

from thalweg.catalogue import schedules
from thalweg.catalogue.context import Context, Variables, Visit
from thalweg.catalogue.layers import BatchNormalization
from thalweg.catalogue.losses.chosen import chosen_for
from thalweg.catalogue.networks.outputs import with_outputs, with_tokens
from thalweg.catalogue.networks.summary import Summary, cost, summary
from thalweg.catalogue.preprocessing.fitting import Fitted, fitted_to, keeps_features, shape_after
from thalweg.catalogue.preprocessing.scaling import Affine, fill_only
from thalweg.catalogue.starts import Recorded
from thalweg.data import Dataset
from thalweg.data.split import Split, bootstrapped, split_rows
from thalweg.data.stored import in_blocks
from thalweg.engine.arithmetic import Arithmetic, data_type, in_precision
from thalweg.engine.carrying import check_carries
from thalweg.engine.devices import mesh
from thalweg.engine.lanes import Lane, Rows, Shape
from thalweg.engine.memory import recalls
from thalweg.engine.order import Cut, cuts_of
from thalweg.engine.program import stacked
from thalweg.engine.refusals import (
    check_activations,
    check_inputs,
    check_layers,
    check_portions,
    check_spread,
    check_stored,
    check_streams,
)
from thalweg.engine.streams import order_words
from thalweg.errors import SpecError
from thalweg.part import declarations, is_part, replace
from thalweg.spec.experiment import Precision, Recipe
from thalweg.spec.identity import run_id, run_spec

__all__ = ["Group", "Job", "group", "jobs_of", "resolve"]


@dataclass(frozen=True)
class Job:
    """One run to be trained.

    Args:
        id: its name in the record.
        spec: its canonical spec.
        recipe: with loss and outputs filled in from the data.
        dataset: what it trains on.
        seed: of its random streams.
        pictured: whether its decision boundary is to be kept.
        split_seed: of the split, where that is not its own.
        recorded: what the runs it starts from ended with: by id, arrays by name.
    """

    id: str
    spec: Mapping[str, Any]
    recipe: Recipe
    dataset: Dataset
    seed: int
    pictured: bool = False
    split_seed: int | None = None
    recorded: Recorded = field(default_factory=dict, repr=False, compare=False)

    @property
    def split(self) -> Split:
        """Which rows it trains, validates and tests on."""
        seed = self.seed if self.split_seed is None else self.split_seed
        split = _split(self.dataset, self.recipe.data.split, seed)
        return split if self.recipe.training.resample is None else _bootstrapped(split, self.seed)

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Rows in the training, validation and test splits; the same for every seed."""
        split = _split(self.dataset, self.recipe.data.split, 0)
        return len(split.train), len(split.validation), len(split.test)

    @property
    def in_streams(self) -> bool:
        """Whether its rows stay in order, and go on from one step to the next."""
        return self.recipe.training.order == "streams"

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example as the network sees it."""
        return shape_after(self.recipe.preprocessing, self.dataset.inputs.shape[1:])

    @property
    def precision(self) -> Precision:
        """Of what the network computes."""
        return self.recipe.training.precision

    @property
    def input_type(self) -> np.dtype:
        """Of inputs as a program holds them: tokens, or numbers of the precision asked for."""
        return data_type(self.dataset.inputs.dtype, self.precision)

    def example(self, rows: int = 1) -> jax.ShapeDtypeStruct:
        """Shape and type of some inputs as the network sees them."""
        return jax.ShapeDtypeStruct((rows, *self.input_shape), self.input_type)

    @property
    def batch_size(self) -> int:
        """Rows a step."""
        rows, size = self.sizes[0], self.recipe.training.batch_size
        return rows if size == "full" else min(size, rows)

    @property
    def cuts(self) -> tuple[Cut, ...]:
        """To which its mini-batches are cut, where they are of rows of like length."""
        return _cuts(self.dataset) if self.recipe.training.order == "by_length" else ()

    @property
    def steps(self) -> int:
        """Steps planned."""
        return self.recipe.training.epochs * -(-self.sizes[0] // self.batch_size)


@lru_cache(maxsize=4096)
def _split(dataset: Dataset, shares: tuple[float, float, float], seed: int) -> Split:
    # Data sets hash by identity, so runs that share one share its splits too.
    return split_rows(dataset, shares, seed)


@lru_cache(maxsize=256)
def _cuts(dataset: Dataset) -> tuple[Cut, ...]:
    return cuts_of(dataset)


@lru_cache(maxsize=4096)
def _bootstrapped(split: Split, seed: int) -> Split:
    return bootstrapped(split, seed)


@dataclass(frozen=True)
class Group:
    """Runs that share a program.

    Args:
        shape: what is compiled in.
        jobs: the runs, in the order of the plan.
        parameters: trained numbers per run.
        kept: numbers that the optimizer keeps per run.
        flops: floating-point operations of one step of one run, roughly.
        made: numbers that the network makes of one row on its way.
        epochs, evaluate_every, probes: of the training all of them share.
    """

    shape: Shape
    jobs: tuple[Job, ...]
    parameters: int
    kept: int
    flops: float
    made: int

    @property
    def training(self) -> Any:
        return self.jobs[0].recipe.training


def resolve(recipe: Recipe, dataset: Dataset) -> Recipe:
    """A recipe with everything filled in that its data decide.

    Raises:
        SpecError: the loss does not fit the task, a schedule needs validation data, or a part needs
            other data, activations or shapes than there are.
    """
    loss = recipe.loss or chosen_for(dataset.task)[0]
    if dataset.task not in loss.tasks:
        raise SpecError(
            f"{type(loss).__name__} fits {' and '.join(loss.tasks)} tasks, but the data of "
            f"{type(recipe.data).__name__} are {dataset.task}; leave loss out to have it chosen"
        )
    for start in recipe.start:
        start.check_loss(loss)
    _check_targets(loss, recipe, dataset)
    network = with_outputs(recipe.network, loss.outputs(dataset.outputs))
    if dataset.vocabulary:
        network = with_tokens(
            network, symbols=len(dataset.vocabulary), source_time=dataset.source_time
        )
    targets = recipe.target_preprocessing if dataset.facts.has_numbers else None
    filled = replace(recipe, loss=loss, network=network, target_preprocessing=targets)
    check_inputs(filled, dataset)
    check_activations(filled)
    needs = any(True for _ in plateaus(filled)) or recipe.training.early_stopping is not None
    if needs and recipe.data.split[1] == 0:
        raise SpecError(
            f"early stopping and plateau schedules need validation data; give "
            f"{type(recipe.data).__name__}.split a second share above 0"
        )
    return filled


def _check_targets(loss: Any, recipe: Recipe, dataset: Dataset) -> None:
    """Refuse targets that a loss cannot be given."""
    owner, data = type(loss).__name__, type(recipe.data).__name__
    for bound, sign, verb in (("least_target", ">=", "down"), ("most_target", "<=", "up")):
        limit = getattr(loss, bound, None)
        if limit is None:
            continue
        if recipe.target_preprocessing is not None:
            raise SpecError(f"{owner} needs targets as they are; leave target_preprocessing out")
        targets = dataset.whole_targets(owner)
        farthest = targets.min() if sign == ">=" else targets.max()
        if (farthest < limit) if sign == ">=" else (farthest > limit):
            raise SpecError(
                f"{owner} needs targets {sign} {limit:g}, but those of {data} go {verb} to "
                f"{farthest:g}"
            )


def jobs_of(
    recipe: Recipe, dataset: Dataset, seeds: range, pictured: bool = False, together: int = 1
) -> list[Job]:
    """The runs of a resolved recipe, one per seed; the first is pictured where asked for.


    Args:
        together: so many seeds in turn share the split of the first of them.
    """
    made = []
    shared = run_spec(recipe, dataset.fingerprint, seeds.start)
    for number, seed in enumerate(seeds):
        first = seed - number % together
        split = {} if first == seed else {"split": first}
        spec = {**shared, "seed": seed, **split}
        shown = pictured and not made
        made.append(Job(run_id(spec), spec, recipe, dataset, seed, shown, split.get("split")))
    return made


def group(jobs: Sequence[Job]) -> list[Group]:
    """Programs for runs, in order of their first run."""
    gathered: dict[Any, list[Job]] = {}
    for job in jobs:
        gathered.setdefault(_key(job), []).append(job)
    return [_group(members) for members in gathered.values()]


def lane_parts(recipe: Recipe) -> tuple[Any, Any, Any, Any, Any]:
    """The parts of a recipe that enter a program as trees."""
    return (
        recipe.network,
        recipe.loss,
        recipe.optimizer,
        recipe.regularizers,
        recipe.training.clipping,
    )


def _key(job: Job) -> Any:
    """Everything that runs of one program must have in common."""
    recipe, training = job.recipe, job.recipe.training
    return (
        jax.tree.structure((lane_parts(recipe), recipe.augmentation)),
        job.dataset.inputs.shape,
        job.dataset.inputs.dtype,
        job.dataset.is_stored,
        job.dataset.targets.shape,
        job.dataset.task,
        recipe.data.split,
        _way_in(job),
        recipe.target_preprocessing is not None,
        training.batch_size,
        training.epochs,
        job.cuts,
        training.order,
        _arithmetic(job),
        training.evaluate_every,
        training.probes,
        training.probe_also,
        training.early_stopping,
        training.spread,
    )


def is_scaled(job: Job) -> bool:
    """Whether inputs change on their way to the network: scaled, or missing values filled."""
    return job.recipe.preprocessing is not None or job.dataset.has_missing


def _way_in(job: Job) -> Any:
    """What of its preprocessing is compiled into a program: all scalings are one."""
    chosen = job.recipe.preprocessing
    if chosen is None or keeps_features(chosen):
        return is_scaled(job)
    return jax.tree.structure(chosen)


def _group(jobs: list[Job]) -> Group:
    first = jobs[0]
    patiences = tuple(sorted({s.patience for job in jobs for s in plateaus(job.recipe)}))
    adjustable = tuple(sorted({s.name for job in jobs for s in manual_schedules(job.recipe)}))
    sizes = first.batch_size, first.sizes[0], first.steps
    shape = Shape(
        *sizes,
        first.dataset.task,
        patiences,
        adjustable,
        first.cuts,
        first.in_streams,
        _arithmetic(first),
        first.recipe.training.spread,
    )
    with in_precision(first.precision):
        cost = _cost(first.recipe, first.example(), first.batch_size)
    return Group(shape, tuple(jobs), *cost)


def sees_batches(job: Job) -> bool:
    """Whether a layer of its network computes with all rows of a mini-batch together."""
    *_, layers = _outputs_for(job.recipe, job.example(job.batch_size))
    return any(isinstance(layer, BatchNormalization) for layer in layers)


def _arithmetic(job: Job) -> Arithmetic:
    training = job.recipe.training
    return Arithmetic(training.precision, training.portions, training.rematerialize)


def plateaus(value: Any) -> Iterator[Any]:
    """Every plateau schedule in a tree of parts."""
    return (held for held in _within(value) if isinstance(held, schedules.ReduceOnPlateau))


def manual_schedules(value: Any) -> Iterator[schedules.Manual]:
    """Every schedule in a tree of parts that is adjusted by hand."""
    return (held for held in _within(value) if isinstance(held, schedules.Manual))


def calibrates(network: Any) -> bool:
    """Whether a network asks for statistics of all training data before it is evaluated."""
    return any(getattr(held, "statistics", "") == "population" for held in _within(network))


def _within(value: Any) -> Iterator[Any]:
    """Everything in a tree of parts, itself included."""
    yield value
    held = value if isinstance(value, tuple) else ()
    if is_part(value):
        held = (getattr(value, name) for name in declarations(type(value)))
    for inner in held:
        yield from _within(inner)


def _cost(recipe: Recipe, example: Any, batch: int) -> tuple[int, int, float, int]:
    """Trained numbers of a network, numbers that the optimizer keeps, operations of one training
    step, and numbers made of one row, from shapes alone.

    A step costs about three forward passes (forward, and two products backward), a forward pass
    two operations per product, or per weight where that is more.

    Raises:
        SpecError: the optimizer refuses so many parameters.
    """
    variables = jax.eval_shape(lambda key: recipe.network.init(key, example), jax.random.key(0))
    kept = jax.eval_shape(recipe.optimizer.start, variables.parameters)
    trained, held = (
        sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))
        for tree in (variables.parameters, kept)
    )
    forward = partial(recipe.network.apply, context=Context("evaluate"))
    found = cost(forward, variables, example)
    return trained, held, 6.0 * max(trained, found.multiply_adds) * batch, found.made


def check_network(job: Job) -> None:
    """Refuse a network that does not fit its data, batches or task, before anything is compiled."""
    with in_precision(job.precision):
        _check_network(job)


def _check_network(job: Job) -> None:
    recipe, dataset = job.recipe, job.dataset
    check_rows = getattr(recipe.preprocessing, "check_rows", None)
    if check_rows is not None:
        check_rows(job.sizes[0], dataset.inputs.shape[1:])
    outputs, taps, parameters, layers = _outputs_for(recipe, job.example(job.batch_size))
    if recipe.training.probe_also == "state_gradient" and not any(map(recalls, layers)):
        raise SpecError(
            f"Training.probe_also asks for state_gradient, but {type(recipe.network).__name__} has "
            "no recurrent layer that runs forwards"
        )
    check_layers(recipe, parameters, taps)
    if dataset.is_stored:
        check_stored(recipe, job.batch_size == job.sizes[0], calibrates(recipe.network))
    for cut in job.cuts:
        _check_cut(job, cut)
    if recipe.training.spread:
        check_spread(job.batch_size, mesh().size)
    if job.in_streams:
        check_streams(job.sizes[0], job.batch_size)
        check_carries(recipe.network, job.example(job.batch_size))
    check_portions(recipe.training.portions, job.batch_size, job.in_streams)
    rest = job.sizes[0] % job.batch_size
    if rest:
        _outputs_for(recipe, job.example(rest))
    assert recipe.loss is not None
    steps = dataset.targets.shape[1:] if dataset.facts.has_steps else ()
    wanted = (*steps, recipe.loss.outputs(dataset.outputs))
    if outputs.shape[1:] != wanted:
        raise SpecError(
            f"{type(recipe.network).__name__} gives outputs of shape {outputs.shape[1:]}, but "
            f"{type(recipe.loss).__name__} on {type(recipe.data).__name__} needs {wanted}"
        )
    check_taps = getattr(recipe.loss, "check_taps", None)
    if check_taps is not None:
        check_taps({name: seen.shape[1:] for name, seen in taps.items()}, dataset.outputs)


def _check_cut(job: Job, cut: Cut) -> None:
    """Refuse a network whose parameters are for sequences of one length."""
    network, example = job.recipe.network, job.example()
    variables = jax.eval_shape(lambda key: network.init(key, example), jax.random.key(0))
    forward = partial(cut.network(network).apply, context=Context("evaluate"))
    try:
        jax.eval_shape(forward, variables, jax.eval_shape(cut.inputs, example))
    except (TypeError, ValueError) as error:
        raise SpecError(
            f'Training.order = "by_length" needs a network for sequences of any length, and '
            f"{type(network).__name__} is for {example.shape[1]} steps; leave it out"
        ) from error


def _outputs_for(recipe: Recipe, example: Any) -> Any:
    """Shapes and types of outputs, taps and parameters, for a training batch like an example; and
    the layers that were run.
    """
    visits: list[Visit] = []

    def forward(key: Any, x: Any) -> Any:
        variables: Variables = recipe.network.init(key, x)
        context = Context("train", key, taps={}, visits=visits)
        outputs, _ = recipe.network.apply(variables, x, context)
        return outputs, context.taps, variables.parameters

    shapes = jax.eval_shape(forward, jax.random.key(0), example)
    return *shapes, [visit.layer for visit in visits]


def summary_of(job: Job) -> Summary:
    """The network of a run, layer by layer."""
    return summary(job.recipe.network, job.example())


def scalings(job: Job) -> tuple[Fitted | None, Affine | None]:
    """What a run does to its inputs and targets, fitted on its training rows."""
    rows = job.split.train
    of_inputs = of_targets = None
    if is_scaled(job):
        chosen = job.recipe.preprocessing
        blocks = in_blocks(job.dataset.inputs, rows)
        fitted = fill_only(blocks) if chosen is None else fitted_to(chosen, blocks)
        of_inputs = _computed_with(job.precision, fitted)
    if job.recipe.target_preprocessing is not None:
        targets = job.dataset.whole_targets("target_preprocessing")
        fitted = job.recipe.target_preprocessing.fit(targets[rows])
        of_targets = _computed_with(job.precision, fitted)
    return of_inputs, of_targets


def _computed_with(precision: Precision, fitted: Any) -> Any:
    """In the precision that programs compute in."""
    dtype = data_type(np.dtype(np.float32), precision)
    return jax.tree.map(lambda array: np.asarray(array, dtype), fitted)


def stack_lanes(jobs: Sequence[Job], rows: Sequence[Rows]) -> Lane:
    """Lanes of several runs as one tree whose leaves have a leading run axis."""
    trees = [
        Lane(
            *lane_parts(job.recipe),
            np.uint32(job.seed),
            order_words(job.seed),
            row,
            *scalings(job),
            job.recipe.augmentation,
        )
        for job, row in zip(jobs, rows, strict=True)
    ]
    return stacked(trees)
