"""Beam search as explained, on the tree whose numbers are known and on random ones."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thalweg.errors import SpecError
from thalweg.explain.sequences.beams import beam, beam_of
from thalweg.explain.sequences.files import Tree, read_tree, tree_of
from thalweg.explain.sequences.trellis import viterbi
from thalweg.report import parts


def by_name(data: Any) -> dict[str, Any]:
    return {each["name"]: each for each in data["searches"]}


def first(search: Any) -> tuple[str, float]:
    return " ".join(search["sequences"][0]), round(search["log_probabilities"][0], 6)


def test_what_each_search_finds_on_the_tree_of_shapes() -> None:
    found = by_name(beam().data)
    assert first(found["exhaustive"]) == ("the green rectangle", -8.2)
    assert first(found["greedy"]) == ("the red rectangle", -9.1)
    widths = {n: first(found[f"beam, B = {n}"])[1] for n in (1, 2, 3, 4)}
    assert widths == {1: -9.1, 2: -9.3, 3: -9.1, 4: -8.2}
    assert math.exp(-8.2) == pytest.approx(2.75e-4, rel=2e-3)
    both = found["beam, B = 2"]
    assert [" ".join(own) for own in both["sequences"]] == ["a blue square", "a red circle"]
    assert both["log_probabilities"] == pytest.approx([-9.3, -9.4])


def test_where_the_likeliest_was_left() -> None:
    found = by_name(beam().data)
    for name, rank in (("greedy", 2), ("beam, B = 2", 4), ("beam, B = 3", 4)):
        lost = found[name]["likeliest_left"]
        assert (lost["step"], lost["path"], lost["rank"]) == (2, ["the", "green"], rank)
        assert lost["log_probability"] == pytest.approx(-4.9)
    assert found["beam, B = 4"]["likeliest_left"] is None


def test_the_step_table() -> None:
    (table,) = (
        section.parts[1]
        for section in beam().page.sections
        if section.heading == "Step by step, B = 2"
    )
    assert isinstance(table, parts.Table)
    said = [(row[1], row[4], row[5][0]) for row in table.rows]
    assert said == [
        ("the", "−1.50", "●"),
        ("a", "−2.00", "●"),
        ("a blue", "−4.30", "●"),
        ("a red", "−4.50", "●"),
        ("the red", "−4.60", "·"),
        ("the green", "−4.90", "·"),
        ("a blue square", "−9.30", "●"),
        ("a red circle", "−9.40", "●"),
        ("a red square", "−9.60", "·"),
        ("a blue ellipse", "−9.70", "·"),
    ]


def test_the_unprinted_number_changes_nothing() -> None:
    tree = read_tree().edges
    for unprinted in (-1.501, -3.0, -3.69):
        shift = unprinted - tree[("a",)]
        edges = {
            " ".join(path): edge + shift * ((path == ("a",)) - (path[:-1] == ("a",)))
            for path, edge in tree.items()
        }
        found = by_name(beam_of(tree_of(edges)).data)
        assert [first(found[f"beam, B = {n}"])[1] for n in (1, 2, 3, 4)] == [-9.1, -9.3, -9.1, -8.2]


def test_the_page() -> None:
    explanation = beam()
    text = explanation.text(80)
    assert all(len(line) <= 80 for line in text.splitlines())
    said = text.replace("\n", " ")
    assert "A wider beam is not always better: with B = 2" in said
    assert "what follows 'the red' is not what follows 'a red'" in said
    assert "N^T = 729" in text
    assert "1 distinct of 2 sequences" in text
    assert explanation.data["literal_beam"]["distinct"] == 1
    assert "A wider beam is not" not in beam_of(tree_of({"a": 0.5, "b": 0.4})).text()


def test_drawn_are_the_searches_that_prune() -> None:
    (figure,) = (
        part
        for section in beam(width=5).page.sections
        for part in section.parts
        if isinstance(part, parts.Figure)
    )
    names = [panel.title for panel in figure.panels if isinstance(panel, parts.LatticePanel)]
    assert names == ["greedy", *(f"beam, B = {width}" for width in (2, 3, 4, 5))]


def test_the_drawing() -> None:
    (stepper,) = (
        part
        for section in beam().page.sections
        for part in section.parts
        if isinstance(part, parts.Stepper)
    )
    assert stepper.graph.highlighted[-2:] == ("the>the green", "the green>the green rectangle")
    assert stepper.steps[1].nodes["the green"] == ("−4.90", "pruned")
    assert set(stepper.steps[1].active) == {"a blue", "a>a blue", "a red", "a>a red"}
    assert "lost here: 'the green' −4.90 is number 4" in stepper.steps[1].text
    assert stepper.steps[3].nodes["the green rectangle"] == ("−8.20", "exhaustive", "B = 4")


# ------------------------------------------------------------------------------------ random trees


def random_tree(seed: int) -> Tree:
    """A tree of words whose sequences are of one to three words."""
    numbers = np.random.default_rng(seed)
    edges: dict[str, float] = {}

    def grow(path: str, depth: int) -> None:
        shares = numbers.dirichlet(np.ones(3))
        for word, share in zip("xyz", shares, strict=True):
            own = f"{path} {word}".strip()
            edges[own] = float(share)
            if depth < 3 and numbers.random() < 0.6:
                grow(own, depth + 1)

    grow("", 1)
    return tree_of(edges)


def searched(tree: Tree, width: int) -> list[tuple[str, float]]:
    """Beam search in plain Python: complete sequences take part while they are among the best."""
    live: list[tuple[float, tuple[str, ...]]] = [(0.0, ())]
    done: list[tuple[float, tuple[str, ...]]] = []
    longest = tree.depth
    uneven = any(len(p) < longest and not tree.after(p) for p in tree.edges)
    for _ in range(longest + uneven):
        longer = [(tree.total(p), p) for _, own in live for p in tree.after(own)]
        ends = [(total, p) for total, p in live if p and not tree.after(p)] if uneven else []
        ranked = sorted([*longer, *[(total, (*p, "")) for total, p in ends]], reverse=True)
        done += [(total, p[:-1]) for total, p in ranked[:width] if p[-1] == ""]
        live = [(total, p) for total, p in ranked if p[-1] != ""][:width]
    if not uneven:
        done = live
    return [(" ".join(p), round(total, 9)) for total, p in sorted(done, reverse=True)[:width]]


@pytest.mark.parametrize("seed", range(3))
def test_searches_of_random_trees(seed: int) -> None:
    tree = random_tree(seed)
    leaves = [path for path in tree.edges if not tree.after(path)]
    best = max(leaves, key=tree.total)
    data = beam_of(tree, 2).data
    assert [word for word in data["likeliest"] if word != "(end)"] == list(best)
    assert data["log_probability"] == pytest.approx(tree.total(best))
    for width in (1, 2, 3, 4):
        own = by_name(data)[f"beam, B = {width}"]
        said = [
            (" ".join(word for word in words if word != "(end)"), round(total, 9))
            for words, total in zip(own["sequences"], own["log_probabilities"], strict=True)
        ]
        assert said == searched(tree, width)
        lost = own["likeliest_left"]
        assert (lost is None) == (said[0][1] == pytest.approx(tree.total(best)))


def test_a_tree_too_large_for_all_sequences() -> None:
    edges = {}
    for number in range(20):
        path = ""
        for depth in range(6):
            path = f"{path} w{number}{'abcdef'[depth]}".strip()
            edges[path] = 0.5 if depth else 0.01
    edges |= {"x": 0.3, **{" ".join("x" * n): 0.9 for n in range(2, 7)}}
    data = beam_of(tree_of(edges)).data
    assert data["likeliest"] == ["x"] * 6
    assert by_name(data)["exhaustive"]["steps"] == []


# ------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[tree]\n"the" = -1\n"a red" = -2', "'a red' is there, but not its beginning, 'a'"),
        ('[tree]\n"the" = 0.7\n"a" = 0.7', "what follows the beginning has probabilities of 1.4"),
        ('[tree]\n"the" = -1\n"a" = 0.7', "some numbers are negative and some"),
        ('[tree]\n"the" = "x"', "'the' must be numbers, got 'x'"),
        ('[tree]\n"the" = 0.0', "'the' must be a probability above 0, got 0"),
        ('[tree]\n"" = 0.5', "a sequence has at least one word"),
        ('[tree]\n"(end) a" = 0.5', "nothing can follow (end)"),
        ('[tree]\n"(start)" = 0.5', "(start) stands for what is before the first word"),
        ('[tree]\n"a>b" = 0.5', "words must be without '>', got 'a>b'"),
        ('[tree]\n"a" = -inf', "every sequence of the tree has probability 0"),
        ("[tree]", "a tree needs at least one word"),
        ("x = 1", "it must have one table, [tree]"),
    ],
)
def test_files_that_are_wrong_get_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "tree.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        beam(path)
    assert said in str(caught.value)


@pytest.mark.parametrize("width", [0, 51])
def test_widths_that_cannot_be_shown(width: int) -> None:
    for explained in (beam, viterbi):
        with pytest.raises(SpecError, match=f"shown with 1 to 50 beams, got {width}"):
            explained(width=width)
