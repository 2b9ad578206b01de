"""In which layer each node stands: behind all that it is made from, and near to it.

Groups that one is made from another stand behind one another as well, wherever that can be: beside
one another they would make a wide picture, in which the order of reading is lost.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TypeAlias

from thalweg.report.layout.optimum import Differences
from thalweg.report.layout.shapes import Path

__all__ = ["layers_of"]

# Of layers that make edges equally short, those are taken that make groups short, and then those
# that are early.
COMPACT, EARLY = 1e-2, 1e-3

# What has to stand behind what: nodes, and the beginnings and ends of groups.
Behind: TypeAlias = dict[Hashable, list[Hashable]]


def layers_of(
    names: Sequence[str], edges: Sequence[tuple[str, str]], groups: Mapping[str, Path]
) -> dict[str, int]:
    """The layers in which edges are shortest in sum.

    Raises:
        ValueError: if the edges make a circle.
    """
    _refuse_circles(names, edges)
    problem = Differences()
    place = {name: problem.variable(EARLY) for name in names}
    for source, target in edges:
        problem.apart(place[source], place[target], 1)
        problem.near(place[source], place[target])
    ends: dict[Path, tuple[int, int]] = {}
    for name, path in groups.items():
        for depth in range(1, len(path) + 1):
            if path[:depth] not in ends:
                ends[path[:depth]] = problem.variable(-COMPACT), problem.variable(COMPACT)
            first, last = ends[path[:depth]]
            problem.apart(first, place[name], 0)
            problem.apart(place[name], last, 0)
    for one, other in _successions(edges, groups):
        problem.apart(ends[one][1], ends[other][0], 1)
    found = problem.solved(whole=True)
    return {name: round(found[index]) for name, index in place.items()}


def _refuse_circles(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> None:
    sorter: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(names, ()))
    for source, target in edges:
        sorter.add(target, source)
    try:
        sorter.prepare()
    except CycleError as error:
        circle = " → ".join(error.args[1])
        raise ValueError(
            f"a computation never goes in a circle, and this graph does: {circle}"
        ) from error


def _successions(
    edges: Sequence[tuple[str, str]], groups: Mapping[str, Path]
) -> list[tuple[Path, Path]]:
    """Pairs of groups side by side in one, of which the second can stand behind all of the first.

    One is taken after another, and left out where it would contradict what is already so.
    """
    behind: Behind = {}
    for source, target in edges:
        behind.setdefault(source, []).append(target)
    for name, path in groups.items():
        for depth in range(1, len(path) + 1):
            behind.setdefault((path[:depth], "start"), []).append(name)
            behind.setdefault(name, []).append((path[:depth], "end"))
    found: dict[tuple[Path, Path], None] = {}
    for source, target in edges:
        one, other = _siblings(groups.get(source, ()), groups.get(target, ()))
        if not one or not other or (one, other) in found:
            continue
        if not _leads(behind, (other, "start"), (one, "end")):
            behind.setdefault((one, "end"), []).append((other, "start"))
            found[one, other] = None
    return list(found)


def _siblings(one: Path, other: Path) -> tuple[Path, Path]:
    """The outermost groups that two paths do not share; empty where one has no more."""
    depth = 0
    while one[:depth] == other[:depth] and depth < max(len(one), len(other)):
        depth += 1
    return (one[:depth], other[:depth]) if min(len(one), len(other)) >= depth > 0 else ((), ())


def _leads(behind: Behind, start: Hashable, end: Hashable) -> bool:
    """Whether something has to stand behind something else, directly or not."""
    seen, pending = {start}, [start]
    while pending:
        for following in behind.get(pending.pop(), ()):
            if following == end:
                return True
            if following not in seen:
                seen.add(following)
                pending.append(following)
    return False
