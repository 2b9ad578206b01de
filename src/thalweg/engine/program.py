"""Programs: the lane functions mapped over many runs, compiled, and spread over the devices.

The structure, the same on every device::

    split along runs over devices  →  chunks of a fixed number of lanes, one after the other
        →  steps, one after the other  →  lanes of the chunk together

The number of lanes in a chunk (the *width*) is fixed per program. It is at once the fastest shape
on a CPU, because a chunk's state stays in the cache, and what makes a run's numbers independent
of its company: the same lane in the same width computes the same bits whatever the other lanes
hold. How many steps a chunk takes is given at run time, so a chunk without live runs costs nothing.

All functions here are module-level and compiled per structure and shape, so programs that differ
only in their optimizer share the compiled evaluation.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from thalweg.catalogue.optimizers.optimizer import init_state
from thalweg.engine import lanes as lane_functions
from thalweg.engine.devices import ALONG_RUNS, EVERYWHERE, compiler_options, mesh
from thalweg.engine.lanes import Lane, Pool, Shape, State
from thalweg.engine.look import look

__all__ = ["advance", "best_of", "evaluate", "looks", "predict", "start", "width_for"]

Tree = Any


def width_for(flops: float) -> int:
    """Lanes in a chunk, from the floating-point operations of one step of one lane.

    Small networks share the cost of each instruction over several lanes; large ones fill the
    cache alone. The rule is part of a run's numerical identity, so it depends on nothing else.
    """
    if flops > 8e6:
        return 1
    return 4


# The most steps one call can take: the length of the buffer in which objectives come back.
LONGEST = 1024


def _spread(function: Callable[..., Any], *static: Any) -> Callable[..., Any]:
    """Compile a function of one chunk for all chunks of all devices.

    Args:
        function: takes the static arguments, one tree of arrays [lane, ...], and one tree that is
            the same for all chunks; returns a tree of arrays.

    Returns:
        A compiled function of ``used`` bool [chunk], the first tree [chunk, lane, ...] and the
        second. Chunks that are not used yield zeros and cost nothing.
    """

    def local(used: Array, chunked: Tree, shared: Tree) -> Tree:
        def one(given: tuple[Array, Tree]) -> Tree:
            used, own = given
            compute = partial(function, *static, own, shared)
            blank = jax.eval_shape(compute)
            return lax.cond(
                used, compute, lambda: jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), blank)
            )

        return lax.map(one, (used, chunked))

    mapped = jax.shard_map(
        local,
        mesh=mesh(),
        in_specs=(ALONG_RUNS, ALONG_RUNS, EVERYWHERE),
        out_specs=ALONG_RUNS,
        check_vma=False,
    )
    return jax.jit(mapped, compiler_options=compiler_options())


# ------------------------------------------------------------------------------------------- start


@cache
def _start() -> Callable[..., Any]:
    def chunk(given: Tree, pool: Pool) -> Any:
        return jax.vmap(lambda network, seed: lane_functions.start(network, seed, pool))(*given)

    return _spread(chunk)


@cache
def _start_optimizer() -> Callable[..., Any]:
    return _spread(lambda given, _: jax.vmap(init_state)(*given))


def start(used: Array, lane: Lane, pool: Pool) -> State:
    """States before the first step, [chunk, lane, ...]."""
    # Two programs, so that the drawing of parameters is compiled once for all optimizers; it
    # needs one row of the pool for its shape, and no more.
    row = Pool(pool.inputs[:1], pool.targets[:1])
    parameters, network_state = _start()(used, (lane.network, lane.seed), row)
    optimizer_state = _start_optimizer()(used, (lane.optimizer, parameters), ())
    return State(parameters, network_state, optimizer_state)


# ----------------------------------------------------------------------------------------- advance


@cache
def _advance(shape: Shape) -> Callable[..., Any]:
    return _spread(_advance_chunk, shape)


# Steps whose mini-batches are drawn together, before they are taken: drawing many rows at once
# costs far less per row, and a call that ends early wastes less than a block.
BLOCK = 64


def _advance_chunk(shape: Shape, given: Tree, pool: Pool) -> Tree:
    lane, state, live, reductions, begin, count = given

    def draw(own: Lane, first: Array) -> Array:
        return jax.vmap(partial(lane_functions.rows_at, own, shape))(first + jnp.arange(BLOCK))

    def one(own: Lane, rows: Array, at: State, plateaus: Array, step: Array) -> Any:
        return lane_functions.train_step(own, pool, shape, at, step, rows, plateaus)

    def block(number: Array, carried: tuple[State, Array]) -> tuple[State, Array]:
        first = number * BLOCK
        rows = jax.vmap(draw, (0, None))(lane, begin + first)

        def body(i: Array, carried: tuple[State, Array]) -> tuple[State, Array]:
            state, objectives = carried
            step = begin + first + i
            state, value = jax.vmap(one, (0, 0, 0, 0, None))(
                lane, rows[:, i], state, reductions, step
            )
            return state, objectives.at[first + i].set(value)

        return lax.fori_loop(0, jnp.minimum(BLOCK, count - first), body, carried)

    buffer = jnp.zeros((LONGEST, live.shape[0]), pool.inputs.dtype)
    moved, objectives = lax.fori_loop(0, -(-count // BLOCK), block, (state, buffer))
    after = jax.vmap(
        lambda own, at, plateaus: lane_functions.next_objective(
            own, pool, shape, at, begin + count, plateaus
        )
    )(lane, moved, reductions)
    return moved, objectives, after


def _where_lane(mask: Array, new: Array, old: Array) -> Array:
    return jnp.where(mask.reshape(mask.shape + (1,) * (new.ndim - mask.ndim)), new, old)


def advance(
    shape: Shape,
    lane: Lane,
    state: State,
    live: Array,
    reductions: Array,
    begin: Array,
    count: Array,
    pool: Pool,
) -> tuple[State, Array, Array]:
    """Take some steps in every chunk that has live runs.

    Args:
        shape: what the program is compiled for.
        lane, state: [chunk, lane, ...].
        live: bool [chunk, lane]; the states of other lanes stay as they are.
        reductions: int32 [chunk, lane, patience].
        begin, count: int32 [chunk]: first step, and number of steps (at most ``LONGEST``).
        pool: the data.

    Returns:
        States, the objective before each step [chunk, LONGEST, lane], and the objective that the
        step after the last would start from [chunk, lane].
    """
    used = live.any(axis=1)
    moved, objectives, after = _advance(shape)(
        used, (lane, state, live, reductions, begin, count), pool
    )
    return best_of(live, moved, state), objectives, after


# ------------------------------------------------------------------------------ evaluation, probes


@cache
def _evaluate(task: str) -> Callable[..., Any]:
    def chunk(task: str, given: Tree, pool: Pool) -> Array:
        return jax.vmap(lambda lane, state: lane_functions.evaluate(lane, pool, task, state))(
            *given
        )

    return _spread(chunk, task)


def _bare(lane: Lane, state: State) -> tuple[Lane, State]:
    """Only what evaluation reads, so that programs with different optimizers share it."""
    lane = lane._replace(optimizer=None, regularizers=(), clipping=None)
    return lane, State(state.parameters, state.network_state, ())


def evaluate(task: str, used: Array, lane: Lane, state: State, pool: Pool) -> np.ndarray:
    """Sums over each split, float [chunk, lane, split, 2]; see ``lanes.evaluate``."""
    return np.asarray(_evaluate(task)(used, _bare(lane, state), pool))


@cache
def _looks(shape: Shape) -> Callable[..., Any]:
    def chunk(shape: Shape, given: Tree, pool: Pool) -> dict[str, Array]:
        lane, state, reductions, begin = given
        return jax.vmap(lambda own, at, plateaus: look(own, pool, shape, at, begin, plateaus))(
            lane, state, reductions
        )

    return _spread(chunk, shape)


def looks(
    shape: Shape,
    used: Array,
    lane: Lane,
    state: State,
    reductions: Array,
    begin: Array,
    pool: Pool,
) -> dict[str, np.ndarray]:
    """What probes see before the step ``begin``, by name, float [chunk, lane]."""
    seen = _looks(shape)(used, (lane, state, reductions, begin), pool)
    return {name: np.asarray(value) for name, value in seen.items()}


@cache
def _predict() -> Callable[..., Any]:
    def chunk(given: Tree, inputs: Array) -> Array:
        return jax.vmap(lambda lane, state: lane_functions.predict(lane, state, inputs))(*given)

    return _spread(chunk)


def predict(used: Array, lane: Lane, state: State, inputs: Array) -> np.ndarray:
    """Probabilities or values for the same inputs from every lane, [chunk, lane, row, output]."""
    lane, state = _bare(lane, state)
    return np.asarray(_predict()(used, (lane._replace(rows=None), state), inputs))


@jax.jit
def best_of(improved: Array, new: Tree, best: Tree) -> Tree:
    """The new trees where a run improved, the best so far elsewhere; improved [chunk, lane]."""
    return jax.tree.map(partial(_where_lane, improved), new, best)
