"""What one run does inside a program, as pure functions of one lane.

``start``, ``train_step``, ``evaluate`` and ``look`` know nothing of other runs, devices or the
host; ``program.py`` maps them over lanes and compiles them. Read ``Lane`` and ``State`` first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from thalweg.catalogue.augmentations.augmentation import Augmentation, Batch
from thalweg.catalogue.clipping import Clipping
from thalweg.catalogue.context import Context, Past, Variables
from thalweg.catalogue.losses.loss import Loss
from thalweg.catalogue.networks.network import Network
from thalweg.catalogue.networks.summary import cost
from thalweg.catalogue.objective import Composite
from thalweg.catalogue.optimizers.optimizer import Optimizer, as_is
from thalweg.catalogue.preprocessing.fitting import Fitted
from thalweg.catalogue.preprocessing.scaling import Affine
from thalweg.catalogue.regularizers.regularizer import Regularizer
from thalweg.catalogue.schedules import Progress, settle, settled
from thalweg.engine import carrying, measures, penalties, streams
from thalweg.engine.arithmetic import USUAL, Arithmetic, forward
from thalweg.engine.devices import Spread, mesh, on_each, over_devices
from thalweg.engine.order import WINDOWS, Cut, shortest
from thalweg.engine.shuffle import position_after_shuffle
from thalweg.tasks import Task

__all__ = [
    "Lane",
    "Pool",
    "Portions",
    "Rows",
    "Shape",
    "State",
    "evaluate",
    "evaluate_portions",
    "objective_at",
    "start",
    "train_step",
]


@dataclass(frozen=True)
class Shape:
    """The whole numbers a program is compiled for; the same for all its lanes.

    Args:
        batch_size: rows a step.
        training_rows: rows trained on.
        steps: steps planned.
        task: of the data.
        patiences: patiences of the plateau schedules in use.
        adjustable: names of the manual schedules in use.
        cuts: to which mini-batches are cut, where they are of rows of like length.
        in_streams: whether rows are not shuffled, and go on from one step to the next.
        arithmetic: how networks are computed.
        spread: how the devices share the program.
    """

    batch_size: int
    training_rows: int
    steps: int
    task: Task
    patiences: tuple[int, ...] = ()
    adjustable: tuple[str, ...] = ()
    cuts: tuple[Cut, ...] = ()
    in_streams: bool = False
    arithmetic: Arithmetic = USUAL
    spread: Spread = None

    @property
    def steps_per_epoch(self) -> int:
        return -(-self.training_rows // self.batch_size)

    @property
    def evaluation(self) -> Evaluation:
        """What its evaluation is compiled for, which programs that differ otherwise share."""
        return Evaluation(self.task, self.cuts, Arithmetic(self.arithmetic.precision), self.spread)


@dataclass(frozen=True)
class Evaluation:
    """What the evaluation of a program is compiled for; the fields are those of its shape."""

    task: Task
    cuts: tuple[Cut, ...]
    arithmetic: Arithmetic
    spread: Spread


# An array of numpy while lanes are gathered on the host, of JAX inside programs.
HostOrDevice = Any


class Rows(NamedTuple):
    """Row numbers of the splits of a run in the program's pool of data, int32 [row]."""

    train: HostOrDevice
    validation: HostOrDevice
    test: HostOrDevice


class Lane(NamedTuple):
    """What a run is given and does not change: its recipe's numbers, seeds, rows and scaling."""

    network: Network
    loss: Loss
    optimizer: Optimizer
    regularizers: tuple[Regularizer, ...]
    clipping: Clipping | None
    seed: HostOrDevice
    order: HostOrDevice
    rows: Rows
    scaling: Fitted | None
    target_scaling: Affine | None = None
    augmentation: tuple[Augmentation, ...] = ()


class State(NamedTuple):
    """What a run carries from step to step."""

    parameters: Any
    network_state: Any
    optimizer_state: Any


class Pool(NamedTuple):
    """Rows of the data sets of a program: inputs [row, feature, ...], targets [row, ...].

    All of them; or some, whose ascending ``numbers`` say which, int32 [row].
    """

    inputs: Array
    targets: Array
    numbers: Array | None = None

    @property
    def number_type(self) -> Any:
        """The type of the numbers computed with: that of the inputs, unless these are tokens."""
        own = self.inputs.dtype
        return own if jnp.issubdtype(own, jnp.floating) else jnp.result_type(float)

    def places(self, rows: Array) -> Array:
        """Where rows with these numbers lie, int32 [...]."""
        return rows if self.numbers is None else jnp.searchsorted(self.numbers, rows)


def scaled(scaling: Fitted | None, values: Array) -> Array:
    """Inputs or targets as the network and the loss see them."""
    return values if scaling is None else scaling.apply(values)


def _rows_of(lane: Lane, pool: Pool, rows: Array, cut: Cut | None = None) -> tuple[Array, Array]:
    """Inputs and targets of the rows at some places, scaled, or of tokens cut."""
    inputs, targets = pool.inputs[rows], pool.targets[rows]
    if cut is not None:
        return cut.inputs(inputs), targets[:, : cut.steps] if targets.ndim > 1 else targets
    return scaled(lane.scaling, inputs), scaled(lane.target_scaling, targets)


def training_batch(
    lane: Lane, pool: Pool, rows: Array, progress: Progress, cut: Cut | None = None
) -> Batch:
    """The mini-batch of a step, augmented: images before preprocessing, all else after it."""
    if not lane.augmentation:
        return Batch(*_rows_of(lane, pool, rows, cut))
    key = streams.augmentation_key(lane.seed, progress.step)
    batch = Batch(pool.inputs[rows], scaled(lane.target_scaling, pool.targets[rows]))
    for of_images in (True, False):
        for number, augmentation in enumerate(lane.augmentation):
            if augmentation.of_images is of_images:
                own = jax.random.fold_in(key, number)
                batch = settled(augmentation, progress).augment(batch, own)
        if of_images:
            batch = batch._replace(inputs=scaled(lane.scaling, batch.inputs))
    return batch


def _of_targets(losses: Callable[[Array], Array], batch: Batch) -> Array:
    """Losses of the rows of a mini-batch; of two examples mixed, the mixture of their losses."""
    if batch.others is None:
        return losses(batch.targets)
    return batch.share * losses(batch.targets) + (1 - batch.share) * losses(batch.others)


def start(network: Network, seed: Array, example: Any) -> Variables:
    """What a network holds before the first step, for inputs like the example [1, feature, ...]."""
    return network.init(streams.initialization_key(seed), example)


def rows_at(lane: Lane, shape: Shape, step: Array) -> Array:
    """Row numbers of the mini-batch of a step, int32 [batch].

    The last batch of an epoch, or that of the longest rows, may be short; it is filled with
    repeated rows, whose weight is zero.
    """
    return over_devices(shape.spread, _rows_at(lane, shape, step))


def _rows_at(lane: Lane, shape: Shape, step: Array) -> Array:
    if shape.batch_size == shape.training_rows:
        return lane.rows.train
    return lane.rows.train[places_at(lane.order, shape, step)]


def places_at(order: Array, shape: Shape, step: Array) -> Array:
    """Where the rows of the mini-batch of a step lie among those for training, int32 [batch].

    Args:
        order: the words of the run that decide.
    """
    if shape.in_streams:
        within = step % shape.steps_per_epoch
        return carrying.next_rows(shape.training_rows, shape.batch_size, within)
    epoch, position = step // shape.steps_per_epoch, _positions(order, shape, step)
    position = jnp.minimum(position, shape.training_rows - 1)
    if not shape.cuts:
        return position_after_shuffle(position, shape.training_rows, order, epoch)
    # All of a mini-batch lie in one window, whose rows change places among themselves.
    batches = -(-shape.steps_per_epoch // WINDOWS)
    window = position[0] // (batches * shape.batch_size)
    begin = window * batches * shape.batch_size
    rows = jnp.minimum(shape.training_rows - begin, batches * shape.batch_size)
    words = order + jnp.array([0, 1], jnp.uint32) * window.astype(jnp.uint32)
    return begin + position_after_shuffle(position - begin, rows, words, epoch)


def _positions(order: Array, shape: Shape, step: Array) -> Array:
    """Where the rows of the mini-batch of a step lie before they are shuffled, int32 [batch]."""
    epoch, within = step // shape.steps_per_epoch, step % shape.steps_per_epoch
    if shape.cuts:
        within = position_after_shuffle(within, shape.steps_per_epoch, ~order, epoch)
    return within * shape.batch_size + jnp.arange(shape.batch_size)


def weights_at(lane: Lane, shape: Shape, step: Array, dtype: Any) -> Array | None:
    """Weights of the rows of a mini-batch; None where every batch is whole."""
    if shape.training_rows % shape.batch_size == 0:
        return None
    return (_positions(lane.order, shape, step) < shape.training_rows).astype(dtype)


def past_at(shape: Shape, network_state: Any, step: Array) -> Past | None:
    """What a network remembers before a step; None where nothing is carried from step to step."""
    return carrying.past_of(network_state, step % shape.steps_per_epoch == 0)


def progress_at(shape: Shape, step: Array, told: Array) -> Progress:
    """Where a run is at a step; ``told`` as in ``Orders``, of one run."""
    counts = {patience: told[i] for i, patience in enumerate(shape.patiences)}
    written = told[len(shape.patiences) :]
    factors = {
        name: lax.bitcast_convert_type(written[i], jnp.float32)
        for i, name in enumerate(shape.adjustable)
    }
    return Progress(step, shape.steps_per_epoch, shape.steps, counts, factors)


def objective_at(
    lane: Lane,
    pool: Pool,
    shape: Shape,
    network_state: Any,
    step: Array,
    rows: Array,
    progress: Progress,
    taps: dict[str, Array] | None = None,
    cut: Cut | None = None,
) -> Composite:
    """The objective on the mini-batch of a step, as a function of the parameters."""
    batch = training_batch(lane, pool, rows, progress, cut)
    weights = weights_at(lane, shape, step, pool.number_type)
    network, loss = settled(lane.network, progress), settled(lane.loss, progress)
    network = network if cut is None else cut.network(network)
    compute = partial(forward, network, shape.arithmetic)
    regularizers = [settled(regularizer, progress) for regularizer in lane.regularizers]
    key = streams.noise_key(lane.seed, step)
    attached: Any = getattr(loss, "attached", None)
    collects = attached is not None or penalties.reads_activations(regularizers)

    def mean(losses_of: Callable[[Array], Array]) -> Array:
        losses = _of_targets(losses_of, batch)
        return measures.mean(shape.task, losses, batch.targets, weights)

    def outputs_of(parameters: Any) -> tuple[Array, Any]:
        seen = {} if taps is None and collects else taps
        past = past_at(shape, network_state, step)
        context = Context("train", key, seen, weights=weights, past=past)
        variables = Variables(parameters, network_state)
        outputs, new_state = compute(variables, batch.inputs, context)
        return outputs, (carrying.with_past(new_state, past), seen)

    def loss_of(outputs: Array) -> Array:
        return mean(partial(loss, outputs))

    def penalty_of(parameters: Any) -> Any:
        def activations_at(inputs: Array) -> dict[str, Array]:
            seen: dict[str, Array] = {}
            context = Context("train", key, seen, weights=weights)
            compute(Variables(parameters, network_state), inputs, context)
            return penalties.hidden(seen)

        return penalties.of_parameters(
            regularizers, parameters, activations_at, batch.inputs, weights, key
        )

    def of_pass(auxiliary: Any) -> Any:
        _, seen = auxiliary
        value = penalties.of_activations(regularizers, seen, weights)
        return value if attached is None else value + mean(partial(attached, seen))

    return Composite(outputs_of, loss_of, penalty_of, of_pass if collects else None)


def train_step(
    lane: Lane, pool: Pool, shape: Shape, state: State, step: Array, rows: Array, told: Array
) -> tuple[State, Array]:
    """One optimizer step, with what regularizers do to parameters after it.

    Args:
        step: number of steps before this one.
        rows: places of the mini-batch in the pool.
        told: what the host says of the run, as in ``Orders``.

    Returns:
        The state after the step, and the objective before it.
    """
    take = partial(_step, lane, pool, shape, state, step, rows, told)
    return shortest(shape.cuts, pool.inputs[rows], take) if shape.cuts else take(None)


def _step(
    lane: Lane,
    pool: Pool,
    shape: Shape,
    state: State,
    step: Array,
    rows: Array,
    told: Array,
    cut: Cut | None,
) -> tuple[State, Array]:
    progress = progress_at(shape, step, told)
    clip = as_is
    if lane.clipping is not None:
        clip = partial(settled(lane.clipping, progress).clip, parameters=state.parameters)

    def whole(gradient: Any) -> Any:
        return clip(on_each(shape.spread, gradient))

    taken = settled(lane.optimizer, progress).step(
        objective_at(lane, pool, shape, state.network_state, step, rows, progress, cut=cut),
        state.parameters,
        state.optimizer_state,
        step + 1,
        whole,
    )
    parameters = penalties.after_step(
        [settled(regularizer, progress) for regularizer in lane.regularizers],
        taken.parameters,
        state.parameters,
        settle(getattr(lane.optimizer, "learning_rate", 1.0), progress),
        progress,
    )
    network_state, _ = taken.auxiliary
    return State(parameters, network_state, taken.state), taken.value


# Rows evaluated at once: enough for large products, little enough to stay in the cache; and the
# numbers that the largest array on the way may then hold.
EVALUATION_ROWS, EVALUATION_NUMBERS = 1024, 2**23


def evaluation_rows(lane: Lane, pool: Pool, state: State) -> int:
    """Rows that are evaluated at once; fewer where the network makes large arrays of them."""
    variables = Variables(state.parameters, state.network_state)
    shape = (EVALUATION_ROWS, *pool.inputs.shape[1:])

    def forward(inputs: Array) -> Any:
        return lane.network.apply(variables, scaled(lane.scaling, inputs), Context("evaluate"))

    largest = cost(forward, jax.ShapeDtypeStruct(shape, pool.inputs.dtype)).largest
    fitting = EVALUATION_NUMBERS * EVALUATION_ROWS // max(largest, 1)
    return max(16, min(EVALUATION_ROWS, fitting))


def evaluate(
    lane: Lane,
    pool: Pool,
    asked: Evaluation,
    state: State,
) -> Array:
    """Sums over the rows of each split of what ``measures.of_rows`` measures, [split, quantity]."""
    of = Portions.of(lane, pool, state, asked.spread)
    sums, _ = evaluate_portions(lane, pool, asked, state, of, 0, of.count)
    return sums.sum(axis=0)


@dataclass(frozen=True)
class Portions:
    """How the rows of all splits are divided to be evaluated.

    Args:
        sizes: rows of the splits.
        size: rows of a portion.
        in_streams: whether each row of a portion goes on where that of the portion before ended.
    """

    sizes: tuple[int, ...]
    size: int
    in_streams: bool

    @classmethod
    def of(cls, lane: Lane, pool: Pool, state: State, spread: Spread = None) -> Portions:
        """The portions of a lane; the same for all lanes of a program."""
        sizes = tuple(rows.shape[0] for rows in lane.rows)
        streams = carrying.count_of(state.network_state)
        devices = 1 if spread is None else mesh().size  # that share the rows evaluated at once
        each = min(evaluation_rows(lane, pool, state), -(-sum(sizes) // devices))
        return cls(sizes, streams or each * devices, streams is not None)

    @property
    def count(self) -> int:
        """How many portions there are."""
        return -(-sum(self.sizes) // self.size)

    def places(self, first: int | Array, many: int) -> HostOrDevice:
        """Where the rows of some portions stand among all rows, split after split, int
        [portion, row]; those beyond them are padding.
        """
        portion, row = first + np.arange(many)[:, None], np.arange(self.size)
        # Each stream is a stretch of the whole text.
        return row * self.count + portion if self.in_streams else portion * self.size + row


def evaluate_portions(
    lane: Lane,
    pool: Pool,
    asked: Evaluation,
    state: State,
    of: Portions,
    first: int | Array,
    many: int,
) -> tuple[Array, Any]:
    """Some portions of what is evaluated, of which the pool has the rows.

    Args:
        of: all portions.
        first, many: which of them.

    Returns:
        Sums [portion, split, quantity]; and the state of the network with what streams remember
        after them.
    """
    place, total = of.places(first, many), sum(of.sizes)
    # Which split a row belongs to; a row of padding, any one, belongs to none.
    split = (place[..., None] >= np.cumsum(of.sizes)).sum(axis=-1)
    rows = jnp.concatenate(lane.rows)[jnp.minimum(place, total - 1)]
    rows = pool.places(jnp.where(place < total, rows, 0))

    def portion(given: tuple[Array, Array], past: Past | None = None) -> Array:
        chosen, split = over_devices(asked.spread, given[0]), given[1]
        variables = Variables(state.parameters, state.network_state)

        def measured(cut: Cut | None) -> Array:
            inputs, targets = _rows_of(lane, pool, chosen, cut)
            network = lane.network if cut is None else cut.network(lane.network)
            context = Context("evaluate", past=past)
            outputs, _ = forward(network, asked.arithmetic, variables, inputs, context)
            return measures.of_rows(asked.task, lane.loss, outputs, targets, lane.target_scaling)

        cuts = asked.cuts
        both = shortest(cuts, pool.inputs[chosen], measured) if cuts else measured(None)
        own = split[:, None] == jnp.arange(len(of.sizes))
        # Not a product with a mask: a loss that is infinite in one split must not reach another.
        return jnp.where(own[:, :, None], both[:, None, :], 0).sum(axis=0)

    if of.in_streams:

        def further(held: Any, given: Any) -> tuple[Any, Array]:
            past = carrying.past_of(held, given[2])
            sums = portion(given[:2], past)
            return carrying.with_past(held, past), sums

        begins = first + np.arange(many) == 0
        held, sums = lax.scan(further, state.network_state, (rows, split, begins))
        return sums, held
    if many == 1:
        return portion((rows[0], split[0]))[None], state.network_state
    return lax.map(portion, (rows, jnp.asarray(split))), state.network_state


def calibrate(lane: Lane, pool: Pool, state: State) -> State:
    """The state with statistics of the whole training data, taken with its parameters."""
    inputs, _ = _rows_of(lane, pool, pool.places(lane.rows.train))
    variables = Variables(state.parameters, state.network_state)
    _, network_state = lane.network.apply(variables, inputs, Context("calibrate"))
    # What is carried from step to step stays as it is.
    return state._replace(network_state={**state.network_state, **network_state})


def _outputs(lane: Lane, state: State, inputs: Array, past: Past | None) -> Array:
    variables = Variables(state.parameters, state.network_state)
    inputs = scaled(lane.scaling, inputs)
    return lane.network.apply(variables, inputs, Context("evaluate", past=past))[0]


def predict(lane: Lane, state: State, inputs: Array, past: Past | None = None) -> Array:
    """Probabilities (or values) for inputs [row, feature, ...] as they come from the data."""
    outputs = _outputs(lane, state, inputs, past)
    predicted = lane.loss.probabilities(outputs)
    if lane.target_scaling is not None:
        predicted = predicted / lane.target_scaling.scale + lane.target_scaling.shift
    return predicted


def decide(lane: Lane, state: State, inputs: Array, past: Past | None = None) -> Array:
    """Classes decided for, from inputs [row, feature, ...] as they come from the data."""
    return measures.classes(lane.loss, _outputs(lane, state, inputs, past))
