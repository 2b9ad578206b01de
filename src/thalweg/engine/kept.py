"""What the record keeps of a trained run, and what is made of it again: its predictions.

Arrays have their names from ``Variables.named`` and ``named_fitted``, and are found again by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from typing import Any

import jax
import numpy as np

from thalweg.catalogue.context import Variables
from thalweg.catalogue.networks.generation import generate
from thalweg.catalogue.preprocessing.scaling import Affine
from thalweg.data.stored import Inputs
from thalweg.engine import devices
from thalweg.engine import lanes as lane_functions
from thalweg.engine.carrying import beginning, past_of, with_past
from thalweg.engine.lanes import EVALUATION_ROWS, Lane, State
from thalweg.engine.plan import Job, is_scaled
from thalweg.engine.program import stacked
from thalweg.errors import DataError, RecordError, SpecError

__all__ = ["decided", "generated", "has_way_back", "named_fitted", "restored", "said"]

SPLITS = ("train", "validation", "test")
Arrays = Mapping[str, np.ndarray]


def named_fitted(prefix: str, fitted: Any) -> dict[str, Any]:
    """What preprocessing was fitted to, by the names of its fields."""
    leaves = jax.tree_util.tree_leaves_with_path(fitted)
    return {f"{prefix}.{path[-1].name}": leaf for path, leaf in leaves}


def said(job: Job, kept: Arrays, inputs: np.ndarray | str) -> np.ndarray:
    """What a trained run says of inputs as they come from the data.

    Args:
        job: the run.
        kept: its arrays, from the record.
        inputs: [row, feature, ...], or the name of one of its splits.

    Returns:
        Float32 probabilities [row, class], of tokens [row, time, class], of nodes
        [row, node, class], or in regression values [row, target] in their units.

    Raises:
        DataError: the inputs have another shape than those it was trained on.
        RecordError: the record has no parameters of it.
    """
    found = _in_portions(lane_functions.predict, job, kept, inputs)
    steps = job.dataset.targets.shape[1:] if job.dataset.facts.has_steps else ()
    return np.zeros((0, *steps, job.dataset.outputs), np.float32) if found is None else found


def decided(job: Job, kept: Arrays, inputs: np.ndarray | str) -> np.ndarray:
    """The classes that a trained run decides for; arguments and errors are those of ``said``.

    Returns:
        Int32 [row], of tokens [row, time], where what stands on padding means nothing.

    Raises:
        SpecError: its data have no classes.
    """
    if not job.dataset.facts.has_classes:
        remedy = "generate" if job.dataset.facts.makes_samples else "predict"
        owner = type(job.recipe.data).__name__
        raise SpecError(f"{owner} has no classes to decide for; use {remedy}")
    found = _in_portions(lane_functions.decide, job, kept, inputs)
    steps = job.dataset.targets.shape[1:]
    return np.zeros((0, *steps), np.int32) if found is None else found


def _in_streams(function: Any, job: Job, kept: Arrays, rows: np.ndarray) -> np.ndarray:
    """A function of a lane on some rows of a text, all of which are read, each going on from the
    one before it.
    """
    lane, state = restored(job, kept)
    held = Variables(state.parameters, state.network_state)
    held = beginning(job.recipe.network, held, job.example(job.batch_size))

    def further(lane: Lane, held: Variables, rows: Any, begins: Any) -> tuple[Variables, Any]:
        past = past_of(held.state, begins)
        made = function(lane, State(*held, ()), rows, past)
        return held._replace(state=with_past(held.state, past)), made

    compiled = jax.jit(further, compiler_options=devices.brief_options())
    # Each stream is a stretch of the text; the last may end early, and is filled with any rows.
    length, found = -(-job.dataset.rows // job.batch_size), None
    numbers = np.arange(job.batch_size * length).reshape(job.batch_size, length).T
    place = np.full(numbers.size, -1)
    place[rows] = np.arange(len(rows))
    for number, together in enumerate(numbers):
        inputs = job.dataset.inputs[np.minimum(together, job.dataset.rows - 1)]
        held, made = compiled(lane, held, inputs, number == 0)
        if found is None:
            found = np.empty((len(rows), *made.shape[1:]), made.dtype)
        own = place[together]
        found[own[own >= 0]] = np.asarray(made)[own >= 0]
    assert found is not None
    return found


def _in_portions(
    function: Any, job: Job, kept: Arrays, inputs: np.ndarray | str
) -> np.ndarray | None:
    """A function of a lane on all rows; None where a split has none."""
    if isinstance(inputs, str):
        if inputs not in SPLITS:
            raise DataError(f"a split is one of {', '.join(SPLITS)}, got {inputs!r}")
        rows = getattr(job.split, inputs)
        if not len(rows):
            return None
        if job.in_streams:
            return _in_streams(function, job, kept, rows)
        return _on_rows(function, job, kept, job.dataset.inputs, rows)
    shape = job.dataset.inputs.shape[1:]
    if np.shape(inputs)[1:] != shape or not np.size(inputs):
        wanted = ", ".join(map(str, ("row", *shape)))
        raise DataError(f"inputs must have the shape [{wanted}], got {np.shape(inputs)}")
    inputs = job.dataset.checked(inputs)
    return _on_rows(function, job, kept, inputs, np.arange(len(inputs)))


def _on_rows(function: Any, job: Job, kept: Arrays, inputs: Inputs, rows: np.ndarray) -> np.ndarray:
    """A function of a lane on some rows, a portion after the other."""
    lane, state = restored(job, kept)
    size = min(len(rows), EVALUATION_ROWS)
    found = []
    for begin in range(0, len(rows), size):
        portion = inputs[rows[begin : begin + size]]
        # All portions have one shape, for which the program is compiled.
        padded = np.pad(portion, [(0, size - len(portion)), *[(0, 0)] * (portion.ndim - 1)])
        found.append(np.asarray(_compiled(function)(lane, state, padded))[: len(portion)])
    return np.concatenate(found)


def generated(job: Job, kept: Arrays, count: int, seed: int) -> np.ndarray:
    """What a trained run makes of random codes.

    Args:
        job: the run, of a network that makes samples.
        kept: its arrays, from the record.
        count: how many samples.
        seed: of the codes.

    Returns:
        Float32 [sample, feature, ...], shaped like the inputs of the data and in their units.

    Raises:
        SpecError: its network makes no samples, or the way back to units of the data is not known.
        RecordError: the record has no parameters of it.
    """
    if count < 1:
        raise DataError(f"the number of samples must be >= 1, got {count}")
    lane, state = restored(job, kept)
    variables = Variables(state.parameters, state.network_state)
    make = jax.jit(partial(generate, lane.network, count=count, example=job.example()))
    made = make(variables, jax.random.key(seed))
    if not job.dataset.facts.makes_samples:
        made = lane.loss.probabilities(made)
    back = _way_back(job, lane)
    if not isinstance(back, Affine | None):
        raise SpecError(
            f"samples cannot be brought back through {type(job.recipe.preprocessing).__name__}; "
            "use Standardize or another scaling"
        )
    found = np.asarray(made).reshape(count, -1)
    if back is not None:
        found = found / np.reshape(back.scale, -1) + np.reshape(back.shift, -1)
    return found.reshape(count, *job.dataset.inputs.shape[1:]).astype(np.float32)


def has_way_back(job: Job, kept: Arrays) -> bool:
    """Whether samples of a run can be brought back to units of the data."""
    return isinstance(_way_back(job, restored(job, kept)[0]), Affine | None)


def _way_back(job: Job, lane: Lane) -> Any:
    """What was done to what a run makes samples of; None for nothing."""
    return lane.scaling if job.dataset.facts.makes_samples else lane.target_scaling


@cache
def _compiled(function: Any) -> Any:
    return jax.jit(function, compiler_options=devices.compiler_options())


def restored(job: Job, kept: Arrays) -> tuple[Lane, State]:
    """The run as it was when its training ended."""
    recipe = job.recipe
    blank: Variables = jax.eval_shape(recipe.network.init, jax.random.key(0), job.example())
    if not kept.keys() >= blank.named().keys():
        raise RecordError(
            f"the record has no parameters of run {job.id} (seed {job.seed}), which has not ended "
            "yet; `thalweg run` goes on with it"
        )
    of_inputs = of_targets = None
    if is_scaled(job):
        made: Any = Affine if recipe.preprocessing is None else recipe.preprocessing.fitted
        of_inputs = made(**_fitted("preprocessing", kept))
    if recipe.target_preprocessing is not None:
        of_targets = recipe.target_preprocessing.fitted(**_fitted("target_preprocessing", kept))
    network, loss = jax.tree.map(lambda leaf: leaf[0], stacked([(recipe.network, recipe.loss)]))
    lane = Lane(network, loss, None, (), None, None, None, None, of_inputs, of_targets)  # type: ignore[arg-type]
    return lane, State(*blank.replaced(kept), ())


def _fitted(prefix: str, kept: Arrays) -> dict[str, np.ndarray]:
    names = (name.removeprefix(f"{prefix}.") for name in kept if name.startswith(f"{prefix}."))
    return {name: kept[f"{prefix}.{name}"] for name in names}
