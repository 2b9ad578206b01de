"""A recursive network over its tree: values node by node, and the gradients that come back.

What runs is a composition of the catalogue, with the same weights at every node.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.ad_checkpoint import checkpoint_name
from jax.flatten_util import ravel_pytree

from thalweg.catalogue.compositions import AffineComposition
from thalweg.catalogue.compositions.composition import Composition
from thalweg.errors import SpecError
from thalweg.explain.backward import Backward, backward
from thalweg.explain.explanation import Explanation
from thalweg.explain.graphs import Graph
from thalweg.explain.sequences.unrolled import by_use, drawn, off_from_jax, values_of
from thalweg.explain.tracing import graph as traced
from thalweg.explain.words import amount
from thalweg.part import part_name
from thalweg.report import parts
from thalweg.report.words import count, short

__all__ = ["recursive"]

UNITS = 2
MOST_LEAVES = 8
EXAMPLE = "((the cat) (sat still))"

Node: TypeAlias = "str | tuple[Node, Node]"


def recursive(
    tree: str = EXAMPLE,
    composition: Composition | None = None,
    target: float = 1.0,
    seed: int = 0,
) -> Explanation:
    """A recursive network over a tree of words: forward node by node, then backward.

    Args:
        tree: words in brackets, two in each: ``((the cat) (sat still))``.
        composition: of the catalogue; a weighted sum and tanh if left out.
        target: what the output of the root, o = v · h + c, is compared with.
        seed: of weights and of the vectors of words.

    Raises:
        SpecError: the tree is none.
    """
    parsed = _parsed(tree)
    words = list(_leaves(parsed))
    if not 2 <= len(words) <= MOST_LEAVES:
        raise SpecError(f"a tree needs 2 to {MOST_LEAVES} words to be shown, got {len(words)}")
    with jax.enable_x64(True):
        return _explained(parsed, words, composition or AffineComposition(), target, seed)


def _parsed(text: str) -> Node:
    """A tree from its words in brackets.

    Raises:
        SpecError: brackets do not fit, or do not have two parts.
    """
    tokens = text.replace("(", " ( ").replace(")", " ) ").split()
    stack: list[list[Node]] = [[]]
    for token in tokens:
        if token == "(":
            stack.append([])
        elif token == ")":
            inside = stack.pop()
            if not stack:
                raise SpecError(f"there is a bracket too many in {text!r}")
            if len(inside) != 2:
                raise SpecError(f"every bracket must have two parts, got {len(inside)} in {text!r}")
            stack[-1].append((inside[0], inside[1]))
        else:
            if ">" in token:
                raise SpecError(f"words must be without '>', got {token!r}")
            stack[-1].append(token)
    if len(stack) > 1:
        raise SpecError(f"a bracket is not closed in {text!r}")
    if len(stack[0]) != 1:
        raise SpecError(f"a tree has one root; write it in brackets, such as {EXAMPLE}")
    return stack[0][0]


def _leaves(node: Node) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    else:
        yield from _leaves(node[0])
        yield from _leaves(node[1])


def _depth(node: Node) -> int:
    return 0 if isinstance(node, str) else 1 + max(map(_depth, node))


def _names(words: list[str]) -> list[str]:
    """Words; with their places where one comes twice, or is what a value is called already."""
    taken = {"θ", "v", "o", "L"}
    names = [
        w if words.count(w) == 1 and w not in taken else f"{w}·{n}" for n, w in enumerate(words, 1)
    ]
    if len(set(names)) == len(names):
        return names
    return [f"{w}·{n}" for n, w in enumerate(words, 1)]


@dataclass(frozen=True, eq=False)
class _Network:
    """A composition with the numbers that the program over the tree needs."""

    composition: Composition
    root: Node
    names: list[str]
    unravel: Any
    target: float

    def loss(self, weights: Any, readout: Any, *vectors: Any) -> Any:
        """½ (o − target)² of the root, from its leaves up."""
        held = list(zip(self.names, vectors, strict=True))
        parts_of_graph = itertools.count(1)

        def at(node: Node) -> tuple[str, Any]:
            if isinstance(node, str):
                name, x = held.pop(0)
                # A part of its own for every node, in which one that they share is folded.
                with jax.named_scope(f"node {next(parts_of_graph)}"), jax.named_scope("leaf"):
                    made = self.composition.leaf(self.unravel(weights), x)
                    return name, checkpoint_name(made, f"h[{name}]")
            (one, left), (other, right) = at(node[0]), at(node[1])
            with jax.named_scope(f"node {next(parts_of_graph)}"), jax.named_scope("compose"):
                made = self.composition.compose(self.unravel(weights), left, right)
                return f"{one} {other}", checkpoint_name(made, f"h[{one} {other}]")

        _, top = at(self.root)
        with jax.named_scope("output"):
            o = checkpoint_name(jnp.dot(readout[:-1], top[:UNITS]) + readout[-1], "o")
        with jax.named_scope("loss"):
            return checkpoint_name(0.5 * (o - self.target) ** 2, "L")


def _explained(
    root: Node, words: list[str], composition: Composition, target: float, seed: int
) -> Explanation:
    numbers = np.random.default_rng(seed)
    start = composition.draw(jax.random.key(seed, impl="rbg"), UNITS, UNITS)
    flat, unravel = ravel_pytree(jax.tree.map(lambda leaf: leaf.astype(jnp.float64), start))
    names = _names(words)
    network = _Network(composition, root, names, unravel, target)
    given: dict[str, Any] = {
        "θ": numbers.normal(size=flat.shape).round(2),
        "v": numbers.normal(size=UNITS + 1).round(2),
    }
    by_word = {word: numbers.normal(size=UNITS).round(2) for word in dict.fromkeys(words)}
    given |= {name: by_word[word] for name, word in zip(names, words, strict=True)}
    whole = traced(network.loss, *given.values(), names=tuple(given)).without_plumbing()
    shown = whole.folded("leaf", "compose", "output", "loss")
    shown = Graph(tuple(replace(value, groups=()) for value in shown.values), shown.output)
    back = backward(shown)
    off = off_from_jax(back, network.loss, given)
    scope = part_name(composition)
    deep = _depth(root)
    page = parts.Page(
        f"A recursive network over {len(words)} words",
        (
            parts.Section(
                "The tree",
                (
                    parts.Paragraph(
                        "Every word becomes a state by the same leaf, every two states one by "
                        "the same composition. From the farthest word up to the root it takes "
                        f"{count(deep, 'composition')}; a chain of the same words, which is what a "
                        f"recurrent network makes, takes {len(words) - 1}, a balanced tree "
                        f"{math.ceil(math.log2(len(words)))}."
                    ),
                    drawn(shown, back, "The tree", ("θ", "v")),
                ),
            ),
            parts.Section("Node by node", (_nodes(shown, back, composition.width(UNITS)),)),
            parts.Section("One set of weights", (by_use(shown, back, "θ", unravel, _SHARED),)),
            parts.Section(
                "Check",
                (parts.Facts((("jax.grad", f"all gradients differ by at most {short(off, 2)}"),)),),
            ),
        ),
        f"{scope}, {UNITS} units; weights and vectors of seed {seed}",
    )
    data = values_of(shown, back, given) | {"depth": deep, "largest_difference": off}
    return Explanation(page, data)


_SHARED = "All nodes use the same weights θ; the gradient is the sum over all uses."


def _states(graph: Graph) -> list[tuple[int, str]]:
    """Numbers and words of all nodes of the tree, children first."""
    return [
        (number, value.name[2:-1])
        for number, value in enumerate(graph.values)
        if value.name.startswith("h[")
    ]


def _nodes(graph: Graph, back: Backward, width: int) -> parts.Table:
    rows = []
    for number, words in _states(graph):
        value = graph.values[number]
        inner = [
            graph.values[source].name[2:-1]
            for source in value.sources
            if graph.values[source].name.startswith("h[")
        ]
        made = f"compose: {' with '.join(inner)}" if inner else "leaf"
        gradient = back.gradients[number]
        length = short(float(np.linalg.norm(gradient)), 3)
        rows.append((words, made, amount(value.value), amount(gradient), length))
    columns = ("words", "made by", "state h", "∂L/∂h", "length of that")
    caption = "From the words up; gradients come down the other way, each node's from its parent."
    if width > UNITS:
        caption += f" Of a state the first {UNITS} numbers are given out, the others are its cell."
    return parts.Table(columns, tuple(rows), "llllr", caption)
