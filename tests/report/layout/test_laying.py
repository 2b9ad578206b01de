"""Layouts as wholes: nothing upon anything else, edges from their source to their target."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from tests.report.graphs_by_chance import by_chance

from thalweg.report.layout import Box, Layout, Room, Sketch, Spacing, lay_out

SPACING = Spacing(across=10, lines=4, along=20, beside=6, slope=0.2, widest=40, pad=5, port=6)
SEEDS = (*range(30), 371)  # in the last, two groups stand equally far from the left
SLACK = 1e-6


def sketch(seed: int, strips: bool = False) -> Sketch:
    panel = by_chance(seed)
    groups = {node.name: node.groups for node in panel.nodes if node.groups}
    paths = dict.fromkeys(p[:depth] for p in groups.values() for depth in range(1, len(p) + 1))
    return Sketch(
        {
            n.name: Room(3 * len(n.label), 2 * len(n.label), 8 + len(n.lines), 9)
            for n in panel.nodes
        },
        tuple((edge.source, edge.target) for edge in panel.edges),
        groups,
        {i: Room(0, 5 * len(e.label), 6) for i, e in enumerate(panel.edges) if e.label},
        {path: Room(0, 30, 7) if not strips else Room(0, 7, 60) for path in paths},
        strips,
    )


def boxes(asked: Sketch, found: Layout) -> dict[object, Box]:
    """The rectangles of nodes, labels and names of groups."""
    held: dict[object, Box] = {}
    places: list[tuple[object, Room, tuple[float, float]]] = []
    places += [(name, asked.nodes[name], place) for name, place in found.nodes.items()]
    places += [(number, asked.labels[number], place) for number, place in found.labels.items()]
    places += [(path, asked.titles[path], place) for path, place in found.titles.items()]
    for key, room, (across, along) in places:
        before, after = room.before, room.after
        if key in found.before:
            before, after = after, before
        half = room.along / 2
        held[key] = Box(across - before, along - half, across + after, along + half)
    return held


def apart(one: Box, other: Box) -> bool:
    return (
        one.across_end <= other.across + SLACK
        or other.across_end <= one.across + SLACK
        or one.along_end <= other.along + SLACK
        or other.along_end <= one.along + SLACK
    )


def holds(outer: Box, inner: Box) -> bool:
    return (
        outer.across <= inner.across + SLACK
        and outer.along <= inner.along + SLACK
        and inner.across_end <= outer.across_end + SLACK
        and inner.along_end <= outer.along_end + SLACK
    )


@pytest.mark.parametrize("strips", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_lies_upon_anything_else(seed: int, strips: bool) -> None:
    asked = sketch(seed, strips)
    found = lay_out(asked, SPACING)
    held = boxes(asked, found)
    assert set(found.nodes) == set(asked.nodes)
    assert set(found.labels) == set(asked.labels)
    assert set(found.titles) == (set() if strips else set(asked.titles))
    for one, other in combinations(held, 2):
        assert apart(held[one], held[other]), (one, other)
    whole = Box(0, 0, found.across, found.along)
    assert all(holds(whole, box) for box in [*held.values(), *found.boxes.values()])


@pytest.mark.parametrize("strips", [False, True])
@pytest.mark.parametrize("seed", range(1, 40, 2))
def test_groups_hold_what_is_theirs_and_nothing_else(seed: int, strips: bool) -> None:
    asked = sketch(seed, strips)
    found = lay_out(asked, SPACING)
    held = boxes(asked, found)
    for path, box in found.boxes.items():
        for name in asked.nodes:
            inside = asked.groups.get(name, ())[: len(path)] == path
            assert holds(box, held[name]) if inside else apart(box, held[name]), (path, name)
        for other, theirs in found.boxes.items():
            if other[: len(path)] == path:
                assert holds(box, theirs)
            elif path[: len(other)] != other:
                assert apart(box, theirs), (path, other)
        if not strips:
            assert holds(box, held[path])
            assert held[path].across == pytest.approx(box.across + SPACING.pad)
        else:
            assert box.along_end - box.along >= asked.titles[path].along - SLACK


@pytest.mark.parametrize("seed", SEEDS)
def test_edges_run_from_their_source_to_their_target_and_past_all_else(seed: int) -> None:
    asked = sketch(seed)
    found = lay_out(asked, SPACING)
    held = boxes(asked, found)
    for number, (source, target) in enumerate(asked.edges):
        way = found.ways[number]
        assert way[0].across == pytest.approx(found.nodes[source][0])
        assert way[0].start == pytest.approx(held[source].along_end)
        assert way[-1].end == pytest.approx(held[target].along)
        spread = asked.nodes[target].spread / 2
        assert abs(way[-1].across - found.nodes[target][0]) <= spread + SLACK
        assert all(one.end <= other.start + SLACK for one, other in pairwise(way))
        for run in way:
            line = Box(run.across, run.start, run.across, run.end)
            mine = (source, target, number)
            assert all(apart(line, box) for key, box in held.items() if key not in mine), number


def test_edges_into_one_node_end_apart() -> None:
    edges = (("a", "c"), ("a", "c"), ("b", "c"))
    found = lay_out(Sketch(dict.fromkeys("abc", Room(9, 9, 5, 12)), edges), SPACING)
    ends = sorted(way[-1].across - found.nodes["c"][0] for way in found.ways)
    assert ends == pytest.approx([-6, 0, 6])


def test_a_long_edge_is_straight() -> None:
    names = [str(number) for number in range(12)]
    edges = (*pairwise(names), ("0", "11"))
    found = lay_out(Sketch(dict.fromkeys(names, Room(5, 5, 5, 8)), edges), SPACING)
    across = {round(run.across, 3) for run in found.ways[-1][1:-1]}
    assert len(across) == 1


def test_a_node_stands_amid_what_is_made_from_it() -> None:
    edges = (("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"))
    found = lay_out(Sketch(dict.fromkeys("abcd", Room(5, 5, 5, 6)), edges), SPACING)
    middle = (found.nodes["b"][0] + found.nodes["c"][0]) / 2
    assert found.nodes["a"][0] == pytest.approx(middle)
    assert found.nodes["d"][0] == pytest.approx(middle)


def test_the_same_graph_is_laid_out_the_same() -> None:
    assert lay_out(sketch(7), SPACING) == lay_out(sketch(7), SPACING)


def test_nothing_takes_no_room() -> None:
    found = lay_out(Sketch({}, ()), SPACING)
    assert (found.across, found.along) == (0, 0)
