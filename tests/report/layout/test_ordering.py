"""Orders: few crossings, counted rightly, and groups that stay in one piece."""

from __future__ import annotations

from itertools import combinations

import pytest
from tests.report.graphs_by_chance import by_chance

from thalweg.report.layout import Room, Sketch, ordering
from thalweg.report.layout.ordering import _first, crossings, rows_of
from thalweg.report.layout.vertices import Web, web_of


def web(edges: list[tuple[str, str]], groups: dict[str, tuple[str, ...]] | None = None) -> Web:
    names = dict.fromkeys(name for edge in edges for name in edge)
    return web_of(Sketch(dict.fromkeys(names, Room(1, 1, 1)), tuple(edges), groups or {}))


def counted(found: Web, rows: list[list[int]]) -> int:
    """Crossings, pair by pair."""
    place = {vertex: index for row in rows for index, vertex in enumerate(row)}
    count = 0
    for one, other in combinations(found.segments, 2):
        if found.vertices[one.above].rank == found.vertices[other.above].rank:
            up = place[one.above] - place[other.above]
            down = place[one.below] - place[other.below]
            count += up * down < 0
    return count


def sketch_by_chance(seed: int) -> Sketch:
    panel = by_chance(seed)
    return Sketch(
        {node.name: Room(1, 1, 1) for node in panel.nodes},
        tuple((edge.source, edge.target) for edge in panel.edges),
        {node.name: node.groups for node in panel.nodes if node.groups},
    )


@pytest.mark.parametrize("seed", range(12))
def test_crossings_are_counted_as_pairs_are(seed: int) -> None:
    found = web_of(sketch_by_chance(seed))
    rows = rows_of(found)
    assert crossings(rows, found.below) == counted(found, rows)
    backwards = [row[::-1] for row in rows[::2]]
    rows = [backwards[rank // 2] if rank % 2 == 0 else row for rank, row in enumerate(rows)]
    assert crossings(rows, found.below) == counted(found, rows)


def test_a_tree_and_a_ladder_have_no_crossings() -> None:
    tree = [(f"{n}", f"{2 * n + k}") for n in range(1, 16) for k in (0, 1)]
    ladder = [e for n in range(9) for e in ((f"a{n}", f"a{n + 1}"), (f"b{n}", f"b{n + 1}"))]
    ladder += [("x", "b0"), ("x", "a0")]
    for edges in (tree, tree[::-1], ladder, ladder[::-1]):
        found = web(edges)
        assert crossings(rows_of(found), found.below) == 0


def test_what_can_be_untangled_is() -> None:
    """Three operands, each read by one of three nodes that are named in another order."""
    edges = [("a", "z"), ("b", "x"), ("c", "y"), ("x", "r"), ("y", "r"), ("z", "r")]
    found = web(edges)
    assert crossings(rows_of(found), found.below) == 0


def test_sweeps_leave_fewer_crossings_than_there_were() -> None:
    webs = [web_of(sketch_by_chance(seed)) for seed in range(0, 40, 2)]
    before = [crossings(_first(web, web.above), web.below) for web in webs]
    after = [crossings(rows_of(web), web.below) for web in webs]
    assert all(a <= b for a, b in zip(after, before, strict=True))
    assert sum(after) < 0.6 * sum(before)


def test_exchanges_leave_fewer_still(monkeypatch: pytest.MonkeyPatch) -> None:
    webs = [web_of(sketch_by_chance(seed)) for seed in range(40)]

    def total() -> int:
        return sum(crossings(rows_of(web), web.below) for web in webs)

    found = total()
    monkeypatch.setattr(ordering, "_exchanged", lambda web, rows, above, below: rows)
    assert found < total()


def test_operands_stand_as_they_are_named() -> None:
    found = web([("left", "minus"), ("right", "minus")])
    first = [found.vertices[vertex].node for vertex in rows_of(found)[0]]
    assert first == ["left", "right"]


@pytest.mark.parametrize("seed", range(1, 40, 2))
def test_groups_are_in_one_piece_and_in_one_order(seed: int) -> None:
    found = web_of(sketch_by_chance(seed))
    rows = rows_of(found)
    before: set[tuple[object, object]] = set()
    for row in rows:
        paths = [found.vertices[vertex].path for vertex in row]
        for depth in (1, 2):
            held = [path[:depth] for path in paths if len(path) >= depth]
            # Whoever comes twice has nobody else between.
            runs = [p for i, p in enumerate(paths) if i == 0 or p[:depth] != paths[i - 1][:depth]]
            again = [p[:depth] for p in runs if len(p) >= depth]
            assert len(again) == len(set(again)), (depth, paths)
            order = list(dict.fromkeys(held))
            before |= {(a, b) for a, b in combinations(order, 2) if a[:-1] == b[:-1]}
    assert not any((b, a) in before for a, b in before)
    assert sorted(v for row in rows for v in row) == list(range(len(found.vertices)))
