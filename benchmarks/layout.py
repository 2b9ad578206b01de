"""How long it takes to lay out the graph of a computation.

    python benchmarks/layout.py [--rounds 5]

Graphs are made by chance: every node is made from one or two of the nodes before it. Printed are
the vertices that are placed (nodes, labels, and pieces of long edges) and the median of the
processor time.
"""

from __future__ import annotations

import argparse
import random
import time
from statistics import median

from thalweg.report.graphs import SPACING
from thalweg.report.layout import Room, Sketch, lay_out

# Nodes, how far back their operands lie, and whether edges have labels.
WORKS = ((100, 12, True), (300, 12, True), (1000, 12, False), (1000, 12, True), (1000, 200, False))


def sketch(count: int, back: int, labelled: bool) -> Sketch:
    """A graph of so many nodes."""
    chance = random.Random(0)
    edges = tuple(
        (str(chance.randrange(max(0, number - back), number)), str(number))
        for number in range(1, count)
        for _ in range(chance.randint(1, 2))
    )
    nodes = {str(number): Room(20, 20, 30, 20) for number in range(count)}
    labels = {number: Room(0, 30, 12) for number in range(len(edges) if labelled else 0)}
    return Sketch(nodes, edges, labels=labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    lay_out(sketch(10, 3, True), SPACING)  # imports SciPy
    for work in WORKS:
        asked = sketch(*work)
        taken = []
        for _ in range(rounds):
            start = time.process_time()
            found = lay_out(asked, SPACING)
            taken.append(time.process_time() - start)
        vertices = len(asked.nodes) + sum(len(way) - 2 for way in found.ways)
        labels = "labels" if work[2] else "no labels"
        print(
            f"{work[0]:5,} nodes, {len(asked.edges):5,} edges with {labels}, operands up to "
            f"{work[1]} back: {vertices:5,} vertices, {1000 * median(taken):5.0f} ms"
        )


if __name__ == "__main__":
    main()
