"""Trees of a batch, composed together: ``composed`` runs a composition over all their nodes.

Real nodes of all rows are put in one order, leaves first, then inner nodes by their distance from
the root, the farthest first, and run in blocks of so many nodes whose children are ready. So work
follows the number of nodes, and no tree waits for the largest one. ``Order`` is that plan. Going
back, blocks are computed again one by one in reverse, and every node gathers its gradient from its
parent.

``balanced`` makes trees from lengths alone, ``merged`` as it goes, by scores that are learned.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from thalweg.catalogue.compositions.composition import Composition

__all__ = ["balanced", "composed", "depths", "merged"]

Parameters = Mapping[str, Array]


class Order(NamedTuple):
    """In what order the nodes of a batch are run; places are positions in it.

    Args:
        nodes: row and node of every place, as one number, int32 [place].
        places: the inverse.
        left, right: places of children, 0 for leaves.
        above: twice the place of the parent, and 1 more for right children; -1 for roots.
        first, end: places where each block begins, and where its nodes end, int32 [block].
        leaves: how many there are; they come first.
        blocks: of inner nodes, how many there are.
    """

    nodes: Array
    places: Array
    left: Array
    right: Array
    above: Array
    first: Array
    end: Array
    leaves: Array
    blocks: Array


def composed(
    composition: Composition,
    parameters: Parameters,
    x: Array,
    leaf: Array,
    left: Array,
    right: Array,
) -> Array:
    """States of all nodes [row, node, width]; 0 where there is none.

    Args:
        composition: what is run; its numbers may be traced.
        parameters: of the composition.
        x: vectors [row, node, feature], of which those of leaves count.
        leaf: where leaves are, bool [row, node].
        left, right: positions of children in the same row, -1 where there are none; parents are
            no one's child twice.
    """
    rows, nodes, features = x.shape
    block = min(max(8, 1 << (rows - 1).bit_length()), 128)
    order = ordered(leaf, left, right, block)
    weights = jax.tree.map(jnp.asarray, (composition, dict(parameters)))
    states = _run(block, weights, x.reshape(-1, features), order)
    real = (leaf | (left >= 0)).reshape(-1, 1)
    found = jnp.where(real, states[order.places], 0)
    return found.reshape(rows, nodes, -1)


def depths(left: Array, right: Array) -> Array:
    """Distance of every node from its root, int32 [row, node]; 0 for roots and padding."""
    above = _above(left, right)
    return _depths(above, left.shape[1])[:-1].reshape(left.shape)


def ordered(leaf: Array, left: Array, right: Array, block: int) -> Order:
    """The plan for some trees, as in ``composed``, in blocks of so many nodes."""
    rows, nodes = left.shape
    count, deepest = rows * nodes, nodes
    above = _above(left, right)
    depth = _depths(above, nodes)[:-1]
    inner = (left >= 0).reshape(-1)
    level = jnp.where(inner, 1 + deepest - depth, deepest + 2)
    level = jnp.where(leaf.reshape(-1), 0, level)
    own = jnp.arange(count, dtype=jnp.int32)
    levels, order = lax.sort((level, own), num_keys=1, is_stable=True)
    places = jnp.zeros(count, jnp.int32).at[order].set(own)
    starts = jnp.searchsorted(levels, jnp.arange(deepest + 3)).astype(jnp.int32)
    # Blocks of inner nodes, level by level, the last of each level short.
    own = -(-jnp.diff(starts[1:]) // block)
    ends = jnp.cumsum(own)
    number = jnp.arange(max(count // 2, 1))
    at = jnp.searchsorted(ends, number, side="right").astype(jnp.int32)
    real = number < ends[-1]
    at = jnp.where(real, at, 0)
    first = starts[1 + at] + (number - (ends - own)[at]) * block
    end = jnp.minimum(first + block, starts[2 + at])
    last = starts[-1]
    row = (order // nodes) * nodes

    def placed(children: Array) -> Array:
        own = children.reshape(-1)[order]
        return jnp.where(own >= 0, places[row + jnp.maximum(own, 0)], 0)

    parent, side = above[order] // 2, above[order] % 2
    places_above = 2 * jnp.append(places, 0)[parent] + side
    return Order(
        order,
        places,
        placed(left),
        placed(right),
        jnp.where(parent < count, places_above, -1),
        jnp.where(real, first, last),
        jnp.where(real, end, last),
        starts[1],
        ends[-1],
    )


def _above(left: Array, right: Array) -> Array:
    """Twice the number of the parent of each node, 1 more for right children; without a parent
    twice the number of nodes. The last entry stands for none."""
    rows, nodes = left.shape
    count = rows * nodes
    row, own = (jnp.arange(size, dtype=jnp.int32) for size in (rows, count))
    row = row[:, None] * nodes
    children = jnp.stack([jnp.where(c >= 0, row + c, count + 1).reshape(-1) for c in (left, right)])
    numbers = jnp.stack([2 * own, 2 * own + 1])
    return jnp.full(count + 1, 2 * count, jnp.int32).at[children].set(numbers, mode="drop")


def _depths(above: Array, nodes: int) -> Array:
    """Distance from the root by leaps that double."""
    parent = above // 2
    depth = (parent < len(parent) - 1).astype(jnp.int32)

    def leap(_: Any, held: tuple[Array, Array]) -> tuple[Array, Array]:
        depth, parent = held
        return depth + depth[parent], parent[parent]

    # A loop, as leaps that are compiled into one would each compute all before them twice.
    return lax.fori_loop(0, max(nodes - 1, 1).bit_length(), leap, (depth, parent))[0]


# --------------------------------------------------------------------------------- there and back


@jax.custom_batching.custom_vmap
def _most(count: Array) -> Array:
    """The number itself; of lanes that run together the largest, one number for all of them.

    A loop that each lane would end for itself must keep what the others have in every turn.
    """
    return count


@_most.def_vmap
def _most_of_lanes(size: int, batched: Any, count: Array) -> tuple[Array, bool]:
    return _most(count.max() if batched[0] else count), False


def _slice(array: Array, first: Array, block: int) -> Array:
    return lax.dynamic_slice_in_dim(array, first, block)


def _write(array: Array, values: Array, first: Array) -> Array:
    return lax.dynamic_update_slice_in_dim(array, values, first, 0)


def _longer(array: Array, block: int) -> Array:
    return jnp.pad(array, [(0, block), *[(0, 0)] * (array.ndim - 1)])


def _amid(array: Array, block: int) -> Array:
    return jnp.pad(array, [(block, block), *[(0, 0)] * (array.ndim - 1)])


def _leaf_loop(order: Order, block: int) -> Array:
    return _most(-(-order.leaves // block))


def _values(block: int, weights: Any, x: Array, order: Order) -> Array:
    """States by place, [place + block, width]; those of places without a node are not defined."""
    composition, parameters = weights
    nodes, left, right = (_longer(a, block) for a in (order.nodes, order.left, order.right))
    within = jnp.arange(block)

    def leaves(number: Array, states: Array) -> Array:
        first = number * block
        chosen = (first + within < order.leaves)[:, None]
        values = jnp.where(chosen, x[_slice(nodes, first, block)], 0)
        return _write(states, composition.leaf(parameters, values), first)

    def inner(number: Array, states: Array) -> Array:
        first = order.first[number]
        # What is written beyond the end of a level is written again by the next.
        children = (_children(order, side, number, block) for side in (left, right))
        made = composition.compose(parameters, *(states[child] for child in children))
        return _write(states, made, first)

    one = jax.eval_shape(composition.leaf, parameters, x[:block])
    states = jnp.zeros((len(x) + block, one.shape[1]), one.dtype)
    states = lax.fori_loop(0, _leaf_loop(order, block), leaves, states)
    return lax.fori_loop(0, _most(order.blocks), inner, states)


def _children(order: Order, side: Array, number: Array, block: int) -> Array:
    """Places of the left or right children of a block, the first leaf beyond its end."""
    first = order.first[number]
    chosen = first + jnp.arange(block) < order.end[number]
    return jnp.where(chosen, _slice(side, first, block), 0)


def _run_forward(block: int, weights: Any, x: Array, order: Order) -> tuple[Array, Any]:
    states = _values(block, weights, x, order)
    return states, (weights, x, order, states)


def _run_backward(block: int, kept: Any, slopes: Array) -> tuple[Any, Array, None]:
    weights, x, order, states = kept
    width, within = states.shape[1], jnp.arange(block)
    # All have a block of nothing before and after them: place p is row block + p.
    nodes, left, right, above = (_amid(a, block) for a in (*order[:1], *order[2:5]))
    slopes = _amid(slopes[: len(x)], block)

    def slope(start: Array, chosen: Array, handed: Array) -> Array:
        """The gradient by the states of a block: what is asked of them, and by their parents."""
        by = _slice(above, start, block)
        # Two to a row: what goes to the left child, and what to the right one.
        to_child = handed.reshape(-1, width)[2 * block + by]
        from_above = jnp.where((by >= 0)[:, None], to_child, 0)
        return jnp.where(chosen[:, None], _slice(slopes, start, block) + from_above, 0)

    def inner(turn: Array, carried: Any) -> Any:
        handed, total = carried
        number = jnp.maximum(order.blocks - 1 - turn, 0)
        first, end = order.first[number], order.end[number]
        # Lanes with fewer blocks than others end with empty ones, before the places of leaves,
        # from which nothing is handed down.
        end = jnp.where(turn < order.blocks, end, order.leaves)
        # A block is seen as the places before its end: what is written before its beginning will
        # be written again, and what parents have handed down is not lost.
        children = [states[_slice(side, end, block)] for side in (left, right)]
        _, pull = jax.vjp(lambda w, a, b: w[0].compose(w[1], a, b), weights, *children)
        own, *to_children = pull(slope(end, end - block + within >= first, handed))
        handed = _write(handed, jnp.concatenate(to_children, axis=1), end)
        return handed, jax.tree.map(jnp.add, total, own)

    def leaves(number: Array, carried: Any) -> Any:
        handed, by_x, total = carried
        first = number * block
        chosen, start = first + within < order.leaves, block + first
        values = jnp.where(chosen[:, None], x[_slice(nodes, start, block)], 0)
        _, pull = jax.vjp(lambda w, values: w[0].leaf(w[1], values), weights, values)
        own, by_values = pull(slope(start, chosen, handed))
        return handed, _write(by_x, by_values, start), jax.tree.map(jnp.add, total, own)

    handed = jnp.zeros((block + len(states), 2 * width), states.dtype)
    total = jax.tree.map(jnp.zeros_like, weights)
    handed, total = lax.fori_loop(0, _most(order.blocks), inner, (handed, total))
    by_x = jnp.zeros((block + len(states), x.shape[1]), x.dtype)
    _, by_x, total = lax.fori_loop(0, _leaf_loop(order, block), leaves, (handed, by_x, total))
    is_leaf = (order.places < order.leaves)[:, None]
    return total, jnp.where(is_leaf, by_x[block + order.places], 0), None


_run = jax.custom_vjp(_values, nondiff_argnums=(0,))
_run.defvjp(_run_forward, _run_backward)


# --------------------------------------------------------------------- trees that are not given


def balanced(lengths: Array, time: int) -> tuple[Array, Array, Array]:
    """The balanced tree over each sequence: neighbours are joined two by two, until one is left.

    Args:
        lengths: of the sequences, int32 [row].
        time: steps there are, which are the first nodes; inner nodes come after them.

    Returns:
        Left and right children, int32 [row, node], -1 where there is no inner node, and the
        position of the root, int32 [row].
    """
    none = jnp.full((len(lengths), time), -1, jnp.int32)
    left, right, made, width = [none], [none], 0, time
    # Of a level: how many nodes it has, and the last one, which may be the odd one of those below.
    alive, last = lengths.astype(jnp.int32), lengths.astype(jnp.int32) - 1
    while width > 1:
        pair = jnp.arange((width + 1) // 2, dtype=jnp.int32)
        joined = 2 * pair + 1 < alive[:, None]
        first, second = (
            jnp.where(place == alive[:, None] - 1, last[:, None], made + place)
            for place in (2 * pair, 2 * pair + 1)
        )
        left.append(jnp.where(joined, first, -1))
        right.append(jnp.where(joined, second, -1))
        made += width
        width = len(pair)
        above = (alive + 1) // 2
        last = jnp.where(alive % 2 == 0, made + above - 1, last)
        alive = above
    return jnp.concatenate(left, axis=1), jnp.concatenate(right, axis=1), last


def merged(
    composition: Composition,
    parameters: Parameters,
    states: Array,
    lengths: Array,
    units: int,
    key: Array | None,
) -> Array:
    """States of the roots [row, width] of trees that are made by merging the best two neighbours.

    With a key choices are drawn, and what was not chosen gets a gradient as if it had been chosen
    in part (straight through); without one the best pair is taken.

    Args:
        composition: what joins two neighbours.
        parameters: of the composition, and ``query_kernel`` [units], which scores what they become.
        states: of the leaves [row, time, width].
        lengths: of the sequences.
        units: leading numbers of a state that are scored.
        key: for the draws.
    """
    rows, time, width = states.shape
    if time == 1:  # a word alone has no neighbour
        return states[:, 0]
    pair = jnp.arange(time - 1)

    def merge(states: Array, given: tuple[Array, Any]) -> tuple[Array, None]:
        turn, key = given
        both = (states[:, side].reshape(-1, width) for side in (slice(0, -1), slice(1, None)))
        candidates = composition.compose(parameters, *both).reshape(rows, time - 1, width)
        scores = candidates[..., :units] @ parameters["query_kernel"]
        valid = pair < (lengths - turn)[:, None] - 1
        chosen = _chosen(jnp.where(valid, scores, -jnp.inf), valid, key)[..., None]
        reached = jnp.cumsum(chosen, axis=1)
        moved = (1 - reached) * states[:, :-1] + (reached - chosen) * states[:, 1:]
        new = jnp.concatenate([moved + chosen * candidates, states[:, -1:]], axis=1)
        return jnp.where(valid.any(axis=1)[:, None, None], new, states), None

    keys = None if key is None else jax.random.split(key, time - 1)
    states, _ = lax.scan(merge, states, (jnp.arange(time - 1), keys))
    return states[:, 0]


def _chosen(scores: Array, valid: Array, key: Array | None) -> Array:
    """1 for one pair of each row and 0 for the others, with the gradient of a softmax."""
    if key is not None:
        # The same draws in any precision.
        scores = scores + jax.random.gumbel(key, scores.shape, jnp.float32).astype(scores.dtype)
    hard = jax.nn.one_hot(jnp.argmax(scores, axis=1), scores.shape[1], dtype=scores.dtype)
    if key is None:
        return hard
    # Rows that are done have no valid pair, and a softmax of nothing else would be not-a-number.
    safe = jnp.where(valid.any(axis=1, keepdims=True), scores, 0.0)
    soft = jax.nn.softmax(safe, axis=1)
    return lax.stop_gradient(hard - soft) + soft
