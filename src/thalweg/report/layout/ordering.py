"""The order within every rank: few crossings, groups in one piece and in the same order everywhere.

Ranks are swept down and up; each is ordered by where its neighbours in the rank before stand, then
neighbours in one rank are exchanged wherever that leaves fewer crossings (Sugiyama, Tagawa and Toda
1981; Gansner et al. 1993). The best order seen is kept. Nothing is left to chance.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from thalweg.report.layout.shapes import Path
from thalweg.report.layout.vertices import Web

__all__ = ["crossings", "rows_of"]

SWEEPS = 24
# After so many sweeps without fewer crossings there is nothing more to be hoped for.
PATIENCE = 6
EXCHANGES = 4


def rows_of(web: Web) -> list[list[int]]:
    """The vertices of every rank, in order."""
    above, below = web.above, web.below
    rows = _first(web, above)
    rows = _swept(web, rows, [[] for _ in web.vertices])
    best, fewest, since = rows, crossings(rows, below), 0
    for sweep in range(SWEEPS):
        if not fewest or since == PATIENCE:
            break
        down = sweep % 2 == 0
        rows = _swept(web, rows, above if down else below, down=down)
        rows = _exchanged(web, rows, above, below)
        found = crossings(rows, below)
        since += 1
        if found < fewest:
            best, fewest, since = rows, found, 0
    return best


def crossings(rows: Sequence[Sequence[int]], below: Sequence[Sequence[int]]) -> int:
    """How many pairs of segments cross."""
    count = 0
    for row, next_row in pairwise(rows):
        place = {vertex: index for index, vertex in enumerate(next_row)}
        ends: list[int] = []
        for vertex in row:
            reached = sorted(place[other] for other in below[vertex])
            count += sum(len(ends) - bisect_right(ends, end) for end in reached)
            for end in reached:
                insort(ends, end)
    return count


def _first(web: Web, above: Sequence[Sequence[int]]) -> list[list[int]]:
    """Operands from left to right, as each computation names them, from the last results on."""
    rows: list[list[int]] = [[] for _ in web.holds_nodes]
    seen: set[int] = set()
    read = {segment.above for segment in web.segments}
    roots = [vertex for vertex in range(len(web.vertices)) if vertex not in read]
    pending = roots[::-1]
    while pending:
        vertex = pending.pop()
        if vertex not in seen:
            seen.add(vertex)
            rows[web.vertices[vertex].rank].append(vertex)
            pending += above[vertex][::-1]
    return rows


def _swept(
    web: Web,
    rows: Sequence[Sequence[int]],
    neighbours: Sequence[Sequence[int]],
    *,
    down: bool = True,
) -> list[list[int]]:
    """Every rank ordered by where neighbours stand in the one before it, in one direction."""
    place = {vertex: index for row in rows for index, vertex in enumerate(row)}
    order = _order_of_groups(web, rows)
    swept: list[list[int]] = [list(row) for row in rows]
    for rank in range(len(rows)) if down else reversed(range(len(rows))):
        wishes = {
            vertex: _wish(web, vertex, place[vertex], [place[v] for v in neighbours[vertex]])
            for vertex in rows[rank]
        }
        swept[rank] = _arranged(web, rows[rank], wishes, order)
        place |= {vertex: index for index, vertex in enumerate(swept[rank])}
    return swept


def _wish(web: Web, vertex: int, place: int, places: Sequence[int]) -> float:
    """Where a vertex would stand: amid its neighbours, names of groups before all else."""
    if web.vertices[vertex].title:
        return float("-inf")
    return sum(places) / len(places) if places else float(place)


def _order_of_groups(web: Web, rows: Sequence[Sequence[int]]) -> dict[Path, float]:
    """Where each group stands on the whole: the order that it keeps to its siblings everywhere."""
    shares: dict[Path, list[float]] = {}
    for row in rows:
        for index, vertex in enumerate(row):
            path = web.vertices[vertex].path
            for depth in range(1, len(path) + 1):
                shares.setdefault(path[:depth], []).append((index + 0.5) / len(row))
    return {path: sum(found) / len(found) for path, found in shares.items()}


def _arranged(
    web: Web,
    row: Iterable[int],
    wishes: Mapping[int, float],
    order: Mapping[Path, float],
    depth: int = 0,
) -> list[int]:
    """A rank sorted by wishes, each group in one piece, and siblings in their order."""
    blocks: dict[Path | int, list[int]] = {}
    for vertex in row:
        path = web.vertices[vertex].path
        blocks.setdefault(path[: depth + 1] if len(path) > depth else vertex, []).append(vertex)

    def wish(block: Sequence[int]) -> float:
        known = [wishes[v] for v in block if not web.vertices[v].title]
        return sum(known) / len(known) if known else wishes[block[0]]

    ranked = sorted(blocks, key=lambda key: wish(blocks[key]))
    groups = iter(sorted((k for k in ranked if isinstance(k, tuple)), key=lambda k: order[k]))
    arranged: list[int] = []
    for key in ranked:
        if isinstance(key, tuple):
            arranged += _arranged(web, blocks[next(groups)], wishes, order, depth + 1)
        else:
            arranged.append(key)
    return arranged


def _exchanged(
    web: Web,
    rows: Sequence[Sequence[int]],
    above: Sequence[Sequence[int]],
    below: Sequence[Sequence[int]],
) -> list[list[int]]:
    """Neighbours exchanged, within their group, as long as that leaves fewer crossings."""
    rows = [list(row) for row in rows]
    place = [0] * len(web.vertices)
    for row in rows:
        for index, vertex in enumerate(row):
            place[vertex] = index
    for _ in range(EXCHANGES):
        better = False
        for row in rows:
            for index in range(len(row) - 1):
                one, other = row[index], row[index + 1]
                first, second = web.vertices[one], web.vertices[other]
                if first.path != second.path or first.title:
                    continue
                if _saved(one, other, above, place) + _saved(one, other, below, place) > 0:
                    row[index], row[index + 1] = other, one
                    place[one], place[other] = index + 1, index
                    better = True
        if not better:
            break
    return rows


def _saved(one: int, other: int, neighbours: Sequence[Sequence[int]], place: Sequence[int]) -> int:
    """How many crossings fewer there are towards one side, if two neighbours are exchanged."""
    return sum(
        (place[mine] > place[theirs]) - (place[mine] < place[theirs])
        for mine in neighbours[one]
        for theirs in neighbours[other]
    )
