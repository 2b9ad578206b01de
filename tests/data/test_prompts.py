"""What texts go on from, and what they should have been, in every layout of data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from thalweg.data import Copy, Names, Pairs, Text
from thalweg.data.prompts import end_of, prompts_from, prompts_of, reader, references_of
from thalweg.errors import DataError

PAIRS = "Go on.\tVa !\nGo.\tVa.\nStay here now.\tReste ici.\n"


def named(tokens: np.ndarray, names: tuple[str, ...]) -> list[list[str]]:
    return [[names[x] for x in row if x >= 0] for row in tokens]


def test_pairs_apart(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text(PAIRS)
    data = Pairs(path=str(path)).load()
    found = prompts_of(data, np.array([2, 1]))
    assert found.sources is not None
    assert named(found.sources, data.vocabulary) == [["stay", "here", "now", "."], ["go", "."]]
    assert named(found.begun, data.class_names) == [["<begin>"], ["<begin>"]]
    assert found.lengths.tolist() == [4, 2]
    references = references_of(data, np.array([2, 1]), found)
    end = end_of(data)
    assert end is not None
    assert data.class_names[end] == "<end>"
    said = [[reader(data.class_names, end)(row) for row in own] for own in references]
    assert said == [["reste ici ."], ["va ."]]
    own = prompts_from(data, [["stay", "."]])
    assert own.sources is not None
    assert named(own.sources, data.vocabulary) == [["stay", "."]]
    assert named(own.begun, data.class_names) == [["<begin>"]]


def test_pairs_joined(tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text(PAIRS)
    data = Pairs(path=str(path), layout="joined").load()
    found = prompts_of(data, np.array([0, 1]))
    assert found.sources is None
    begun = [["go", "on", ".", "<begin>"], ["go", ".", "<begin>"]]
    assert named(found.begun, data.vocabulary) == begun
    assert found.lengths.tolist() == [3, 2]
    references = references_of(data, np.array([0, 1]), found)
    (own,) = zip(*references, strict=True)
    assert named(own, data.class_names) == [["va", "!", "<end>"], ["va", ".", "<end>"]]


@pytest.mark.parametrize("layout", ["apart", "joined"])
def test_all_targets_of_a_source_are_its_references(tmp_path: Path, layout) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("Go.\tVa !\nHi.\tSalut.\nGo.\tMarche.\nGo.\tVa !\nGo.\tBouge !\n")
    data = Pairs(path=str(path), layout=layout).load()
    rows = np.array([0, 1, 2, 3])  # the last is in another part
    aloud = reader(data.class_names, end_of(data))
    found = references_of(data, rows, prompts_of(data, rows))
    assert [[aloud(one) for one in own] for own in found] == [
        ["va !", "marche ."],
        ["salut ."],
        ["marche .", "va !"],
        ["va !", "marche ."],
    ]


def test_names_begin_with_their_boundary(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("ava\nanna\n")
    data = Names(path=str(path)).load()
    assert named(prompts_of(data, np.array([0, 1])).begun, data.vocabulary) == [["."], ["."]]
    assert named(prompts_from(data, ["an", ""]).begun, data.vocabulary) == [[".", "a", "n"], ["."]]
    own = references_of(data, np.array([0, 1]), prompts_of(data, np.array([0, 1])))
    assert [len(row) for row in own] == [1, 1]
    end = end_of(data)
    assert reader(data.class_names, end)(data.targets[1].tolist()) == "anna"
    with pytest.raises(DataError, match="must hold 1 to 5 tokens, got 6 in sequence 1"):
        prompts_from(data, ["annan"])


def test_text_has_no_end(tmp_path: Path) -> None:
    path = tmp_path / "song.txt"
    path.write_text("la li la lo li la lo la li")
    data = Text(path=str(path), tokens="words", window=3).load()
    assert end_of(data) is None
    assert reader(data.class_names)([0, 1, -1]) == "la li"
    assert prompts_from(data, [["li", "la"]]).begun.shape == (1, 2)


def test_letters_are_read_side_by_side() -> None:
    data = Copy(samples=4, symbols=3, shortest=2, longest=2).load()
    row = data.targets[0].tolist()
    assert reader(data.class_names, end_of(data))(row) == "".join(
        data.class_names[x] for x in row[:2]
    )
