"""Trees: read from brackets and dependencies, made by rules, and refused where they are none."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thalweg.data import Agreement, Dataset, ListOperations, SentimentTrees, Trees, split_rows
from thalweg.errors import DataError, SpecError


def written(data: Dataset, row: int, node: int | None = None, labels: bool = True) -> str:
    """A tree in brackets, read off its arrays."""
    if node is None:
        node = int((data.inputs[row] >= 0).any(axis=-1).sum()) - 1
    token, left, right = (int(x) for x in data.inputs[row, node])
    target = int(data.targets[row, node])
    label = f"{data.class_names[target]} " if labels and target >= 0 else ""
    if left < 0:
        return f"({label}{data.vocabulary[token]})" if labels else data.vocabulary[token]
    inside = " ".join(written(data, row, child, labels) for child in (left, right))
    return f"({label}{inside})"


def source(folder: Path, text: str, **given: Any) -> Trees:
    path = folder / "trees.txt"
    path.write_text(text)
    return Trees(path=str(path), **given)


# ------------------------------------------------------------------------------------------- files


def test_brackets_read_and_written_are_the_same(tmp_path: Path) -> None:
    lines = ["(3 (2 It) (4 (4 's) (2 fine)))", "(1 (1 (2 so) (0 dull)) (2 .))", "(2 It)"]
    data = source(tmp_path, "\n".join(lines)).load()
    assert [written(data, row) for row in range(3)] == lines
    assert data.class_names == ("0", "1", "2", "3", "4")
    assert data.notes == ("trees.txt: 3 trees of 6 words",)
    roots = source(tmp_path, "\n".join(lines), labels="root").load()
    assert roots.class_names == ("1", "2", "3")
    assert (roots.targets >= 0).sum(axis=1).tolist() == [1, 1, 1]
    words = source(tmp_path, "\n".join(lines), layout="sequences", labels="root").load()
    assert words.task == "multiclass"
    assert [words.vocabulary[x] for x in words.inputs[1]] == ["so", "dull", "."]
    assert words.targets.tolist() == [2, 0, 1]


def test_nodes_with_one_child_or_many(tmp_path: Path) -> None:
    """As in treebanks: over several lines, upper labels win, several are joined from the left."""
    text = "(S (NP (NN dogs))\n  (VP (V see) (NP cats) now))\n((X (S a)) b c)\n"
    with pytest.raises(DataError, match=r"line 3, column 1: the root must have a label among"):
        source(tmp_path, text).load()
    data = source(tmp_path, text.replace("((X", "(T (X")).load()
    assert written(data, 0) == "(S (NP dogs) (VP ((V see) (NP cats)) (now)))"
    assert written(data, 1) == "(T ((X a) (b)) (c))"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("(1 a)\n(0 (1 a) (0 b)", r"trees.txt, line 2, column 1: the bracket that opens here is n"),
        ("(1 a)\n(1 (1 a)) )", r"trees.txt, line 2, column 11: this bracket opened nowhere"),
        ("(1 a)\n  a (1 b)", r"trees.txt, line 2, column 3: 'a' stands alone"),
        ("(1 a)\n(1 (0) b)", r"line 2, column 4: the bracket that opens here holds nothing but th"),
        ("(1 a) ()", r"line 1, column 7: the bracket that opens here holds nothing$"),
        ("", r"trees.txt is empty"),
        ("(1 a) (1 b)", r"at least two classes are needed, got \('1',\)"),
    ],
)
def test_brackets_that_are_no_trees(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        source(tmp_path, text).load()


def test_rare_words_are_unknown(tmp_path: Path) -> None:
    data = source(tmp_path, "(1 (1 a) (0 a))\n(0 (0 a) (0 b))", least=2).load()
    assert data.vocabulary == ("<unknown>", "a")
    assert written(data, 1) == "(0 (0 a) (0 <unknown>))"


def conllu(rows: list[str], label: str = "good") -> str:
    """Sentences of ``form head`` in the ten columns of CoNLL-U."""
    lines = [f"# label = {label}"]
    for number, row in enumerate(rows, 1):
        form, head = row.split()
        lines.append("\t".join([str(number), form, *"____", head, *"___"]))
    return "\n".join(lines) + "\n\n"


def test_dependencies_become_trees(tmp_path: Path) -> None:
    """A word takes what hangs on its right side first, then its left; nearest first."""
    first = conllu(["the 2", "dog 3", "saw 0", "a 5", "cat 3", "today 3"])
    # An empty node, a span of two words, and dependencies that cross.
    span = "1-2\tdu\t" + "\t".join("_" * 8) + "\n1.1\tx\t" + "\t".join("_" * 8) + "\n"
    second = conllu(["who 4", "did 0", "she 2", "see 2"], "bad").replace("1\twho", span + "1\twho")
    data = source(tmp_path, first + second, form="conllu").load()
    assert written(data, 0) == "(good ((the) (dog)) ((((saw) ((a) (cat))) (today))))".replace(
        "((((saw) ((a) (cat))) (today)))", "(((saw) ((a) (cat))) (today))"
    )
    assert written(data, 1) == "(bad ((did) (she)) ((who) (see)))"
    assert [data.vocabulary[x] for x in data.inputs[1, :4, 0]] == ["who", "did", "she", "see"]
    other = (first + second).replace("label", "mood")
    named = source(tmp_path, other, form="conllu", comment="mood").load()
    np.testing.assert_array_equal(named.inputs, data.inputs)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1\ta\n", r"line 1 must have the ten columns of CoNLL-U, got 2"),
        (conllu(["a x"]), r"line 2 must have whole numbers as ID and HEAD, got '1' and 'x'"),
        (conllu(["a 0", "b 7"]), r"line 3: 'b' depends on 7, which is no word"),
        (conllu(["a 0", "b 0"]), r"line 2: one word of a sentence must have HEAD 0, got 2"),
        (conllu(["a 0", "b 3", "c 2"]), r"line 3: the word depends on itself, by way of others"),
        (
            conllu(["a 0", "b 1"]).replace("\n2\t", "\n1\t"),
            r"line 3: word 1 of its sentence comes twice",
        ),
        (
            conllu(["a 0"]).replace("label", "mood"),
            r"line 2: the root must have a label.* got none",
        ),
    ],
)
def test_dependencies_that_are_no_trees(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        source(tmp_path, text, form="conllu").load()


def treebank(folder: Path) -> str:
    """A treebank of a few sentences, with dev at the end of train as in some copies."""
    dev = ["(2 (2 a) (2 film))", "(4 (4 good) (2 film))"]
    train = ["(0 (0 bad) (2 film))", "(3 (2 a) (3 (4 good) (2 one)))", *dev]
    for name, lines in (("train", train), ("dev", dev), ("test", ["(1 (0 bad) (2 plot))"] * 2)):
        (folder / f"{name}.txt.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    return str(folder)


def test_sentiment_of_five_or_two_kinds(tmp_path: Path) -> None:
    folder = treebank(tmp_path)
    data = SentimentTrees(folder=folder).load()
    assert (data.rows, data.fixed_test) == (6, 2)
    assert data.vocabulary == ("<unknown>", "film", "a", "good")
    assert [data.class_names[y] for y in data.targets[1, :5]] == [
        *("neutral", "very positive", "neutral", "positive", "positive")
    ]
    two = SentimentTrees(folder=folder, classes="two").load()
    assert (two.rows, two.class_names) == (5, ("negative", "positive"))
    assert two.targets[0].tolist() == [0, -1, 0, -1, -1]
    assert len(split_rows(two, (0.5, 0.5, 0.0), 0).test) == 2
    with pytest.raises(DataError, match=r"there is no file nowhere/train.txt\(.gz\)"):
        SentimentTrees(folder="nowhere").load()
    with pytest.raises(SpecError, match=r"SentimentTrees.split must give 0 to the test set"):
        SentimentTrees(split=(0.8, 0.1, 0.1))
    with pytest.raises(DataError, match=r"SentimentTrees.samples must be <= 4"):
        SentimentTrees(folder=folder, samples=5).load()


@pytest.mark.slow
def test_the_treebank_has_its_published_sizes(data_folder: Path) -> None:
    if not (data_folder / "sst").exists():
        pytest.skip("no treebank there")
    data = SentimentTrees(folder=str(data_folder / "sst")).load()
    assert (data.rows, data.fixed_test) == (8544 + 1101 + 2210, 2210)
    sizes = (data.inputs >= 0).any(axis=-1).sum(axis=1)
    # Socher and others, 2013: 215,154 different phrases, trees of 2 n - 1 nodes.
    assert (sizes % 2 == 1).all()
    assert ((data.inputs[..., 0] >= 0).sum(axis=1) * 2 - 1 == sizes).all()
    roots = data.targets[np.arange(data.rows), sizes - 1]
    assert np.bincount(roots[-2210:]).tolist() == [279, 633, 389, 510, 399]
    assert int((roots[:-2210] != 2).sum()) == 6920 + 872


# ------------------------------------------------------------------------------------------- rules


def worth(text: str) -> int:
    """The value of a list, read with a stack."""
    stack: list[list[Any]] = []
    for piece in text.replace("(", " ").replace(")", " ").split():
        if piece.startswith("["):
            stack.append([piece[1:]])
            continue
        value = int(piece) if piece != "]" else 0
        if piece == "]":
            name, *held = stack.pop()
            middle = sorted(held)
            half = len(held) // 2
            median = middle[half] if len(held) % 2 else (middle[half - 1] + middle[half]) // 2
            value = {"MAX": max(held), "MIN": min(held), "MED": median, "SM": sum(held) % 10}[name]
        if not stack:
            return value
        stack[-1].append(value)
    raise AssertionError(text)


def test_lists_come_to_their_values() -> None:
    data = ListOperations(samples=200, depth=3, labels="nodes", seed=2).load()
    for row in range(200):
        for node in np.flatnonzero(data.targets[row] >= 0):
            text = written(data, row, int(node), labels=False)
            assert worth(text) == data.targets[row, node]
    assert (data.targets >= 0).sum(axis=1).max() > 4
    words = ListOperations(samples=200, depth=3, layout="sequences", seed=2).load()
    assert (words.task, words.rows) == ("multiclass", 200)
    for row, target in zip(words.inputs, words.targets, strict=True):
        assert worth(" ".join(words.vocabulary[x] for x in row if x >= 0)) == target


def test_verbs_agree_with_the_first_noun() -> None:
    data = Agreement(samples=400, layout="sequences").load()
    assert data.targets.mean() == 0.5
    for row, target in zip(data.inputs, data.targets, strict=True):
        said = [data.vocabulary[x] for x in row if x >= 0]
        plural = said[1] in ("dogs", "cats", "children", "teachers")
        assert (plural != said[-1].endswith("s")) == bool(target)
    trees = Agreement(samples=3, depth=1, further=1.0).load()
    assert written(trees, 0, labels=False).count("(") == 5
    assert (trees.targets >= 0).sum(axis=1).tolist() == [1, 1, 1]


# ------------------------------------------------------------------------------------------ arrays


def tree_data(**changes: Any) -> Dataset:
    inputs = np.array([[[0, -1, -1], [1, -1, -1], [-1, 0, 1]], [[1, -1, -1], [-1] * 3, [-1] * 3]])
    fields = {"inputs": inputs, "targets": np.array([[-1, 0, 1], [0, -1, -1]]), "task": "nodes"}
    names = {"class_names": ("a", "b"), "vocabulary": ("x", "y")}
    return Dataset(**{**fields, **names, **changes})


def changed(row: int, node: int, column: int, value: int) -> np.ndarray:
    inputs = np.array(tree_data().inputs)
    inputs[row, node, column] = value
    return inputs


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"inputs": changed(0, 1, 0, 2)},
            "inputs must be tokens >= 0 and < 2, .* got 2 in row 1, n",
        ),
        ({"inputs": changed(1, 0, 0, -1)}, "every tree must hold a node, got none in row 2"),
        (
            {"inputs": changed(1, 2, 0, 1)},
            "padded at their end alone, which fails in row 2, node 3",
        ),
        ({"inputs": changed(0, 1, 1, 0)}, "a node must have a token or children, .* row 1, node 2"),
        ({"inputs": changed(0, 2, 2, -1)}, "a node must have two children, which come before it"),
        ({"inputs": changed(0, 2, 2, 2)}, "a node must have two children, which come before it"),
        ({"inputs": changed(0, 2, 2, 0)}, "every node but the last must be the child of one other"),
        ({"inputs": changed(1, 1, 0, 1)}, "every node but the last must be the child of one other"),
        (
            {"targets": np.array([[-1, 0, -1], [0, -1, -1]])},
            "every root must have a target, .* 1, n",
        ),
        (
            {"targets": np.array([[-1, 0, 1], [0, 1, -1]])},
            "a target must stand at a node, .* row 2",
        ),
        (
            {"targets": np.array([[0], [1]])},
            r"targets of nodes must be \[rows, node\], here \(2, 3",
        ),
        ({"targets": np.array([[-1, 0, 7], [0, -1, -1]])}, "targets must be .* row 1, node 3"),
        ({"task": "tokens"}, "task nodes and trees with a vocabulary go together, got task tokens"),
        ({"inputs": np.zeros((2, 3, 2), int)}, r"tokens \[rows, time\] or trees \[rows, node, 3\]"),
        ({"vocabulary": ("x", "x")}, "the vocabulary must name every token once"),
    ],
)
def test_arrays_that_are_no_trees(changes: Any, sentence: str) -> None:
    assert tree_data().facts.has_steps
    with pytest.raises(DataError, match=sentence):
        tree_data(**changes)
