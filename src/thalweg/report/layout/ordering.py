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
    above, below, kin = web.above, web.below, _kin(web)
    rows = _swept(web, _first(web, above), kin)
    best, fewest, since = rows, crossings(rows, below), 0
    for sweep in range(SWEEPS):
        if not fewest or since == PATIENCE:
            break
        down = sweep % 2 == 0
        neighbours = [a or b for a, b in zip(above if down else below, kin, strict=True)]
        rows = _swept(web, rows, neighbours, down=down)
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


def _kin(web: Web) -> list[list[int]]:
    """For what no edge leads to or through, such as names of groups: its group one rank away."""
    by_rank: list[list[int]] = [[] for _ in web.holds_nodes]
    for number, vertex in enumerate(web.vertices):
        by_rank[vertex.rank].append(number)
    kin: list[list[int]] = [[] for _ in web.vertices]
    for number, vertex in enumerate(web.vertices):
        if not vertex.node and vertex.edge < 0:
            depth, (_, last) = len(vertex.path), web.spans[vertex.path]
            near = vertex.rank + (1 if vertex.rank < last else -1)
            kin[number] = [v for v in by_rank[near] if web.vertices[v].path[:depth] == vertex.path]
    return kin


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
            vertex: _mean([place[v] for v in neighbours[vertex]] or [place[vertex]])
            for vertex in rows[rank]
        }
        swept[rank] = _arranged(web, rows[rank], wishes, order)
        place |= {vertex: index for index, vertex in enumerate(swept[rank])}
    return swept


def _mean(places: Sequence[float]) -> float:
    return sum(places) / len(places)


def _order_of_groups(web: Web, rows: Sequence[Sequence[int]]) -> dict[Path, float]:
    """Where each group stands on the whole: the order that it keeps to its siblings everywhere."""
    shares: dict[Path, list[float]] = {}
    for row in rows:
        for index, vertex in enumerate(row):
            path = web.vertices[vertex].path
            for depth in range(1, len(path) + 1):
                shares.setdefault(path[:depth], []).append((index + 0.5) / len(row))
    return {path: _mean(found) for path, found in shares.items()}


def _arranged(
    web: Web,
    row: Iterable[int],
    wishes: Mapping[int, float],
    order: Mapping[Path, float],
    depth: int = 0,
) -> list[int]:
    """A rank sorted by wishes, each group in one piece, its name first, siblings in their order."""
    blocks: dict[Path | int, list[int]] = {}
    for vertex in row:
        path = web.vertices[vertex].path
        blocks.setdefault(path[: depth + 1] if len(path) > depth else vertex, []).append(vertex)

    ranked = sorted(blocks, key=lambda key: _mean([wishes[v] for v in blocks[key]]))
    # Siblings that stand equally far must not change places from rank to rank.
    groups = sorted((key for key in ranked if isinstance(key, tuple)), key=lambda k: (order[k], k))
    following = iter(groups)
    arranged: list[int] = []
    for key in ranked:
        if isinstance(key, tuple):
            arranged += _arranged(web, blocks[next(following)], wishes, order, depth + 1)
        else:
            arranged.append(key)
    names = [v for v in arranged if web.vertices[v].title and len(web.vertices[v].path) == depth]
    return [*names, *(vertex for vertex in arranged if vertex not in names)]


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
