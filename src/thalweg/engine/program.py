"""Programs: the lane functions mapped over many runs, compiled, and spread over the devices.

The structure, the same on every device::

    split along runs over devices  →  chunks of a fixed number of lanes, one after the other
        →  steps, one after the other  →  lanes of the chunk together

The number of lanes in a chunk (the *width*) is fixed per program. It is at once the fastest shape
on a CPU, because a chunk's state stays in the cache, and what makes a run's numbers independent
of its company: the same lane in the same width computes the same bits whatever the other lanes
hold. How many steps a chunk takes is given at run time, so a chunk without live runs costs nothing.

Where all devices share one run (``Shape.spread``) there is one chunk of one lane, and XLA divides
its operations among them, as ``spreading`` says where arrays lie.

All functions here are module-level and compiled per structure and shape, so programs that differ
only in their optimizer share the compiled evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from thalweg.catalogue.clipping import norm
from thalweg.catalogue.context import Variables
from thalweg.catalogue.joined import shared_by
from thalweg.catalogue.layers.sequence import by_layer
from thalweg.catalogue.networks.network import Network
from thalweg.catalogue.optimizers.optimizer import Optimizer, chosen, evaluated
from thalweg.engine import lanes as lane_functions
from thalweg.engine.devices import (
    ALONG_RUNS,
    EVERYWHERE,
    Spread,
    brief_options,
    compiler_options,
    fetched,
    mesh,
    on_each,
    over_devices,
    put,
)
from thalweg.engine.lanes import Evaluation, Lane, Pool, Portions, Shape, State
from thalweg.engine.look import look, shift
from thalweg.engine.memory import recall
from thalweg.engine.orders import Orders, Readings
from thalweg.engine.spreading import held

__all__ = [
    "advance",
    "best_of",
    "calibrate",
    "evaluate",
    "evaluate_fed",
    "in_use",
    "looks",
    "predict",
    "recalls",
    "shifts",
    "stacked",
    "start",
    "width_for",
]

Tree = Any


def width_for(flops: float) -> int:
    """Lanes in a chunk, from the floating-point operations of one step of one lane.

    The smallest networks share the cost of each instruction over several lanes. Others are no
    faster together, and alone a run pays for all lanes of its chunk. The rule is part of a run's
    numerical identity, so it depends on nothing else.
    """
    return 1 if flops > 5e5 else 4


# The most steps one call can take: the length of the buffer in which objectives come back.
LONGEST = 1024


def _spread(
    function: Callable[..., Any],
    options: dict[str, Any] | None = None,
    spread: Spread = None,
) -> Any:
    """Compile a function of one chunk for all chunks of all devices.

    Args:
        function: takes one tree of arrays [lane, ...], and one that is the same for all chunks;
            returns a tree of arrays.
        options: for the compiler.
        spread: how the devices share it.

    Returns:
        A compiled function of the first tree [chunk, lane, ...] and the second.
    """

    def chunks(chunked: Tree, shared: Tree) -> Tree:
        return lax.map(lambda own: function(own, shared), chunked)

    def together(chunked: Tree, shared: Tree) -> Tree:
        with shared_by(mesh().size):
            return held(spread, chunks(chunked, shared), leading=2)

    mapped = (
        together
        if spread
        else jax.shard_map(
            chunks,
            mesh=mesh(),
            in_specs=(ALONG_RUNS, EVERYWHERE),
            out_specs=ALONG_RUNS,
            check_vma=False,
        )
    )
    return jax.jit(mapped, compiler_options=options or compiler_options())


def _where_used(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of a chunk, as one of (used, tree): zeros, at no cost, where it is not used."""

    def given_used(given: tuple[Array, Tree], shared: Tree) -> Tree:
        used, own = given
        blank = jax.eval_shape(function, own, shared)
        return lax.cond(
            used,
            lambda: function(own, shared),
            lambda: jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), blank),
        )

    return given_used


def _over_lanes(function: Callable[..., Tree], shared: int = 0) -> Callable[..., Tree]:
    """The function of one lane for all lanes of a chunk; its last arguments may be shared by them.

    A lane alone is not mapped: XLA joins arrays with a leading axis of one several times slower.
    """

    def of_chunk(*given: Tree) -> Tree:
        own, common = given[: len(given) - shared], given[len(given) - shared :]
        if jax.tree.leaves(own)[0].shape[0] > 1:
            axes = (0,) * len(own) + (None,) * shared
            return jax.vmap(function, axes)(*given)
        alone = jax.tree.map(lambda leaf: leaf[0], own)
        return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], function(*alone, *common))

    return of_chunk


# ------------------------------------------------------------------------------------------- start


@cache
def _start_network() -> Callable[..., Variables]:
    return jax.jit(lane_functions.start, static_argnums=2, compiler_options=brief_options())


@cache
def _start_optimizer() -> Callable[..., Any]:
    def begin(optimizer: Optimizer, parameters: Tree) -> Tree:
        return optimizer.start(parameters)

    return jax.jit(jax.vmap(begin), compiler_options=brief_options())


def start(
    lanes: Sequence[tuple[Network, Optimizer, int]],
    example: Any,
    adapted: Callable[[int, Variables], Variables] = lambda run, drawn: drawn,
) -> State:
    """States before the first step, [run, ...] on one device.

    Runs are started one by one: what is drawn once takes longer to compile than to run, and the
    drawing of parameters is compiled for one lane, once for all optimizers.

    Args:
        lanes: network, optimizer and seed of every run.
        example: shape and type of one input, with a batch axis.
        adapted: what a run makes of what was drawn for it, given its position.
    """
    drawn: dict[Any, Variables] = {}
    for network, _, seed in lanes:
        if (network, seed) not in drawn:
            drawn[network, seed] = jax.device_get(_start_network()(network, seed, example))
    variables = stacked(
        [adapted(run, drawn[network, seed]) for run, (network, _, seed) in enumerate(lanes)]
    )
    optimizers = stacked([optimizer for _, optimizer, _ in lanes])
    begun = _start_optimizer()(optimizers, variables.parameters)
    return State(variables.parameters, variables.state, begun)


def stacked(trees: Sequence[Tree]) -> Tree:
    """Trees of numbers and arrays as one whose leaves have a leading axis."""
    return jax.tree.map(lambda *leaves: np.stack([_leaf(leaf) for leaf in leaves]), *trees)


def _leaf(leaf: Any) -> np.ndarray:
    """A number as an array of the type programs compute in."""
    array = np.asarray(leaf)
    return array.astype(jax.dtypes.canonicalize_dtype(array.dtype))


# ----------------------------------------------------------------------------------------- advance


@cache
def _advance(shape: Shape) -> Callable[..., Any]:
    return _spread(partial(_advance_chunk, shape), spread=shape.spread)


# Steps whose mini-batches are drawn together, before they are taken: drawing many rows at once
# costs far less per row, and a call that ends early wastes less than a block.
BLOCK = 16


def _advance_chunk(shape: Shape, given: Tree, pool: Pool) -> Tree:
    lane, state, written = given
    live, begin, count, told = Orders.of_chunk(written)
    # One step more is begun than is taken, for the objective of the state that the last one left;
    # a chunk without live runs takes no time.
    begun = jnp.where(live.any(), count + 1, 0)

    def draw(own: Lane, first: Array) -> Array:
        rows_at = jax.vmap(partial(lane_functions.rows_at, own, shape))
        return pool.places(rows_at(first + jnp.arange(BLOCK)))

    def one(own: Lane, rows: Array, at: State, told: Array, step: Array) -> Any:
        at = at._replace(parameters=on_each(shape.spread, at.parameters))
        rows = over_devices(shape.spread, rows)
        moved, value = lane_functions.train_step(own, pool, shape, at, step, rows, told)
        return held(shape.spread, moved), value

    def stretch(first: Array, end: Array, carried: tuple[State, Array]) -> tuple[State, Array]:
        def block(number: Array, carried: tuple[State, Array]) -> tuple[State, Array]:
            start = first + number * BLOCK
            rows = jax.vmap(draw, (0, None))(lane, begin + start)

            def body(i: Array, carried: tuple[State, Array]) -> tuple[State, Array]:
                state, objectives = carried
                moved, value = _over_lanes(one, shared=1)(
                    lane, rows[:, i], state, told, begin + start + i
                )
                moves = live & (start + i < count)
                return chosen(moves, moved, state), objectives.at[start + i].set(value)

            return lax.fori_loop(0, jnp.minimum(BLOCK, end - start), body, carried)

        return lax.fori_loop(0, -(-(end - first) // BLOCK), block, carried)

    # The first step is a stretch of its own, so that what it changed can be looked at outside the
    # loop over steps, which would otherwise have to keep the parameters of two steps.
    def part(number: Array, carried: Tree) -> Tree:
        state, objectives, ratios = carried
        first, end = number, jnp.where(number == 0, 1, begun)
        moved, objectives = stretch(first, end, (state, objectives))
        seen = lax.cond(
            number == 0,
            lambda: _update_ratios(state.parameters, moved.parameters),
            lambda: ratios,
        )
        return moved, objectives, seen

    objectives = jnp.zeros((LONGEST + 1, live.shape[0]), pool.number_type)
    ratios = jax.tree.map(jnp.zeros_like, _update_ratios(state.parameters, state.parameters))
    return lax.fori_loop(0, jnp.minimum(begun, 2), part, (state, objectives, ratios))


def _update_ratios(before: Tree, after: Tree) -> Readings:
    """Length of an update over length of what it changed, per layer, [lane]."""

    def ratio(old: Tree, new: Tree) -> Array:
        length = norm(old)
        tiny = jnp.finfo(length.dtype).tiny
        return norm(jax.tree.map(jnp.subtract, new, old)) / jnp.maximum(length, tiny)

    layers = zip(by_layer(before), by_layer(after), strict=True)
    return Readings.of(
        {f"update_ratio.{layer}": jax.vmap(ratio)(old, new) for (layer, old), (_, new) in layers}
    )


def advance(
    shape: Shape, lane: Lane, state: State, orders: Array, pool: Pool
) -> tuple[State, Array, Readings]:
    """Take some steps in every chunk that has live runs.

    Args:
        shape: what the program is compiled for.
        lane, state: [chunk, lane, ...].
        orders: ``Orders``, written, [chunk, lane, ...]; the states of lanes that are not live stay
            as they are.
        pool: the data.

    Returns:
        States; objectives [chunk, LONGEST + 1, lane], before each step and after the last; and what
        the first step changed relative to what was there, ``update_ratio.<layer>``, [chunk, lane].
    """
    return _advance(shape)((lane, state, orders), pool)


# ------------------------------------------------------------------------------ evaluation, probes


@cache
def _evaluate(asked: Evaluation) -> Callable[..., Any]:
    def chunk(given: Tree, pool: Pool) -> Array:
        def one(lane: Lane, state: State) -> Array:
            return lane_functions.evaluate(lane, pool, asked, on_each(asked.spread, state))

        return _over_lanes(one)(*given)

    return _spread(_where_used(chunk), spread=asked.spread)


def in_use(lane: Lane, state: State) -> State:
    """States with the parameters that are meant to be used, where optimizers train others."""
    used = evaluated(lane.optimizer, state.parameters, state.optimizer_state)
    return state._replace(parameters=used)


def _bare(lane: Lane, state: State) -> tuple[Lane, State]:
    """Without what only steps read, so that programs with different optimizers share the rest."""
    lane = lane._replace(optimizer=None, regularizers=(), clipping=None, augmentation=())
    return lane, State(state.parameters, state.network_state, ())


def evaluate(shape: Shape, used: Array, lane: Lane, state: State, pool: Pool) -> Array:
    """Sums over each split, float [chunk, lane, split, quantity]; see ``lanes.evaluate``."""
    return _evaluate(shape.evaluation)((used, _bare(lane, in_use(lane, state))), pool)


@cache
def _evaluate_portions(asked: Evaluation, of: Portions, many: int) -> Callable[..., Any]:
    def chunk(given: Tree, shared: Tree) -> tuple[Array, Tree]:
        pool, first = shared

        def one(lane: Lane, state: State) -> tuple[Array, Tree]:
            state = on_each(asked.spread, state)
            return lane_functions.evaluate_portions(lane, pool, asked, state, of, first, many)

        return _over_lanes(one)(*given)

    return _spread(_where_used(chunk), spread=asked.spread)


@cache
def _total(count: int, spread: Spread) -> Callable[..., Any]:
    def chunk(sums: Array, shared: Tree) -> Array:
        return _over_lanes(lambda own: own[:count].sum(axis=0))(sums)

    return _spread(chunk, spread=spread)


def evaluate_fed(
    shape: Shape,
    used: Array,
    lane: Lane,
    state: State,
    of: Portions,
    many: int,
    pools: Iterable[tuple[int, Pool]],
) -> Array:
    """As ``evaluate``, of rows that are not in one pool.

    Args:
        of: what all rows are divided into.
        many: portions that are evaluated in one call.
        pools: the first of so many portions, and a pool with their rows, from the first to the
            last.
    """
    bare, at = _bare(lane, in_use(lane, state))
    evaluate, sums = _evaluate_portions(shape.evaluation, of, many), []
    for first, pool in pools:
        found, held = evaluate((used, (bare, at)), (pool, np.int32(first)))
        at = at._replace(network_state=held)
        sums.append(fetched(found))
    lie = ALONG_RUNS if shape.spread is None else EVERYWHERE
    return _total(of.count, shape.spread)(put(np.concatenate(sums, axis=2), lie), ())


@cache
def _seen(by: Callable[..., dict[str, Array]], shape: Shape) -> Callable[..., Any]:
    def chunk(given: Tree, pool: Pool) -> Readings:
        lane, state, written = given
        orders = Orders.of_chunk(written)

        def one(own: Lane, at: State, told: Array) -> dict[str, Array]:
            return by(own, pool, shape, on_each(shape.spread, at), orders.begin, told)

        return Readings.of(_over_lanes(one)(lane, state, orders.told))

    return _spread(_where_used(chunk), brief_options(), shape.spread)


def looks(
    shape: Shape, used: Array, lane: Lane, state: State, orders: Array, pool: Pool
) -> Readings:
    """What probes see before the first step that is ordered, [chunk, lane]."""
    bare, state = _bare(lane, state)
    bare = bare._replace(regularizers=lane.regularizers, augmentation=lane.augmentation)
    return _seen(look, shape)((used, (bare, state, orders)), pool)


@cache
def _shifts(shape: Shape) -> Callable[..., Any]:
    def chunk(given: Tree, pool: Pool) -> Readings:
        lane, state, moved, written = given
        orders = Orders.of_chunk(written)

        def one(own: Lane, at: State, after: Tree, told: Array) -> dict[str, Array]:
            at, after = on_each(shape.spread, (at, after))
            return shift(own, pool, shape, at, after, orders.begin, told)

        return Readings.of(_over_lanes(one)(lane, state, moved, orders.told))

    return _spread(_where_used(chunk), brief_options(), shape.spread)


def shifts(
    shape: Shape, used: Array, lane: Lane, state: State, after: State, orders: Array, pool: Pool
) -> Readings:
    """What the first step that is ordered does to the inputs of layers, [chunk, lane]."""
    bare, state = _bare(lane, state)
    bare = bare._replace(augmentation=lane.augmentation)
    return _shifts(shape)((used, (bare, state, after.parameters, orders)), pool)


def recalls(
    shape: Shape, used: Array, lane: Lane, state: State, orders: Array, pool: Pool
) -> Readings:
    """What recurrent layers remember at the first step that is ordered, [chunk, lane]."""
    bare, state = _bare(lane, state)
    bare = bare._replace(augmentation=lane.augmentation)
    return _seen(recall, shape)((used, (bare, state, orders)), pool)


@cache
def _calibrate(spread: Spread) -> Callable[..., Any]:
    def chunk(given: Tree, pool: Pool) -> State:
        return _over_lanes(lambda lane, state: lane_functions.calibrate(lane, pool, state))(*given)

    return _spread(chunk, spread=spread)


def calibrate(shape: Shape, lane: Lane, state: State, pool: Pool) -> State:
    """States whose networks hold the statistics of all their training data, [chunk, lane, ...]."""
    bare, without = _bare(lane, state)
    return _calibrate(shape.spread)((bare, without), pool)._replace(
        optimizer_state=state.optimizer_state
    )


@cache
def _predict(spread: Spread) -> Callable[..., Any]:
    def chunk(given: Tree, inputs: Array) -> Array:
        return _over_lanes(lambda lane, state: lane_functions.predict(lane, state, inputs))(*given)

    return _spread(_where_used(chunk), spread=spread)


def predict(
    used: Array, lane: Lane, state: State, inputs: Array | np.ndarray, spread: Spread = None
) -> Array:
    """Probabilities or values for the same inputs from every lane, [chunk, lane, row, output]."""
    lane, state = _bare(lane, in_use(lane, state))
    return _predict(spread)((used, (lane._replace(rows=None), state)), inputs)


#: The new trees where a run improved, the best so far elsewhere; improved [chunk, lane].
best_of = jax.jit(chosen)
