"""Graphs made by chance: of any size, with groups in groups and labels of any length."""

from __future__ import annotations

import random

from thalweg.report.parts import GraphEdge, GraphNode, GraphPanel, NodeKind

__all__ = ["by_chance"]

WORDS = ("w", "sin", "+", "×", "matmul", "m̂", "a label of several words", "parameter_with_a_name")
KINDS: tuple[NodeKind, ...] = ("operation", "operation", "operation", "constant", "output", "fold")


def by_chance(seed: int, largest: int = 30) -> GraphPanel:
    """A graph without circles, of at most so many nodes; the same for the same seed.

    Every second seed has groups, and two of four make wide graphs: most nodes are inputs.
    """
    chance = random.Random(seed)
    count = chance.randint(1, largest)
    parts = chance.randint(1, 4)
    nodes, edges = [], []
    for number in range(count):
        wide = seed % 4 > 1
        before = range(max(0, number - 8), number)
        if wide:
            before = range(2 * count // 3) if number > 2 * count // 3 else range(0)
        operands = [chance.choice(before) for _ in range(chance.randint(0, 3)) if before]
        groups = (f"part {number * parts // count}", f"inner {chance.randint(0, 1)}")
        nodes.append(
            GraphNode(
                f"n{number}",
                chance.choice(WORDS),
                tuple("0123456789"[: chance.randint(1, 10)] for _ in range(chance.randint(0, 2))),
                chance.choice(KINDS) if operands else "input",
                groups[: chance.choice((0, 1, 1, 2))] if seed % 2 else (),
            )
        )
        labels = ("", "", "−0.25", "1", "a label of an edge that goes on")
        edges += [GraphEdge(f"n{o}", f"n{number}", chance.choice(labels)) for o in operands]
    names = [node.name for node in nodes]
    lit = tuple(chance.sample(names, min(2, count)))
    return GraphPanel("By chance", tuple(nodes), tuple(edges), lit)
