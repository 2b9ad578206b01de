"""Trees: how they are read from text, and how they travel as arrays.

``read_brackets`` reads ``(3 (2 a) (4 fine film))``, ``read_dependencies`` reads CoNLL-U; both give
``Tree``, in which every inner node has two children. ``of_trees`` makes a data set of them, either
of the trees or of their words alone. ``check_trees`` is what arrays of trees must keep to.

A tree is a row int32 [node, 3] of token, left child and right child, children before parents, the
root last, padded with -1 at the end. A leaf has a token and no children, an inner node has -1 for
a token. Leaves stand in the order of the sentence.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from thalweg.data.dataset import Dataset
from thalweg.data.sequences import PADDING, padded
from thalweg.data.texts import numbered
from thalweg.errors import DataError
from thalweg.tasks import classification

__all__ = ["Labels", "Layout", "Tree", "of_trees", "read_brackets", "read_dependencies"]

# A class at every node that has a label, or at the root alone.
Labels: TypeAlias = Literal["nodes", "root"]

# ``trees``, or ``sequences`` of their words, each with the class of its root.
Layout: TypeAlias = Literal["trees", "sequences"]


class Tree(NamedTuple):
    """A tree as columns, one entry for each node, children before parents, the root last.

    Args:
        place: file and line it comes from, for errors.
        words: of leaves; None for inner nodes.
        left, right: positions of the children of inner nodes, -1 for leaves.
        labels: None where a node has none.
    """

    place: str
    words: list[str | None]
    left: list[int]
    right: list[int]
    labels: list[str | None]

    @classmethod
    def empty(cls, place: str = "") -> Tree:
        """A tree without nodes, to which they are added."""
        return cls(place, [], [], [], [])

    @property
    def sentence(self) -> list[str]:
        """The words of its leaves, in order."""
        return [word for word in self.words if word is not None]

    def leaf(self, word: str) -> int:
        """The position of a new leaf."""
        return self._added(word, -1, -1, None)

    def joined(self, left: int, right: int, label: str | None = None) -> int:
        """The position of a new node with these children."""
        return self._added(None, left, right, label)

    def _added(self, word: str | None, left: int, right: int, label: str | None) -> int:
        for column, value in zip(self[1:], (word, left, right, label), strict=True):
            column.append(value)  # type: ignore[arg-type]
        return len(self.words) - 1


# ---------------------------------------------------------------------------------------- brackets


def read_brackets(text: str, path: Path) -> list[Tree]:
    """Trees written with brackets, such as those of treebanks.

    ``(label child child)``; a child is a bracket or a word, and a label stands directly after its
    bracket. A node with one child is that child, whose label gives way to its own; more than two
    are joined from the left, by nodes without a label.

    Raises:
        DataError: brackets that do not match, or an empty one, with line and column.
    """
    lines = [0, *(found.end() for found in re.finditer("\n", text))]

    def place(start: int) -> str:
        line = bisect_right(lines, start)
        return f"{path}, line {line}, column {start - lines[line - 1] + 1}"

    trees: list[Tree] = []
    # Where a bracket stands that is not closed yet, its label, and its children so far.
    opened: list[tuple[int, list[str], list[int]]] = []
    last = ""
    for found in re.finditer(r"[()]|[^()\s]+", text):
        piece, start = found[0], found.start()
        if piece == "(":
            if not opened:
                trees.append(Tree.empty(place(start)))
            opened.append((start, [], []))
        elif not opened:
            what = "this bracket opened nowhere" if piece == ")" else f"{piece!r} stands alone"
            raise DataError(f"{place(start)}: {what}; a tree is (label child child)")
        elif piece == ")":
            begin, label, children = opened.pop()
            if not children:
                held = f" but the label {label[0]!r}" if label else ""
                raise DataError(f"{place(begin)}: the bracket that opens here holds nothing{held}")
            root = _joined(trees[-1], children, label)
            if opened:
                opened[-1][2].append(root)
        elif last == "(":
            opened[-1][1].append(piece)
        else:
            opened[-1][2].append(trees[-1].leaf(piece))
        last = piece
    if opened:
        raise DataError(f"{place(opened[0][0])}: the bracket that opens here is never closed")
    return trees


def _joined(tree: Tree, children: list[int], label: list[str]) -> int:
    """The position of the node that a bracket stands for."""
    root, *others = children
    for child in others:
        root = tree.joined(root, child)
    if label:
        tree.labels[root] = label[0]
    return root


# -------------------------------------------------------------------------------------- CoNLL-U


def read_dependencies(text: str, path: Path, label: str) -> list[Tree]:
    """Trees of sentences in CoNLL-U: a word is joined with what depends on it, nearest first.

    First come the dependents to its right, then those to its left.

    Args:
        text: sentences, one word a line, an empty line after each.
        path: its file, for errors.
        label: name of the comment ``# name = …`` that holds the class of a sentence.

    Raises:
        DataError: lines of another form, or dependencies that are no tree, with the line.
    """
    trees, rows, classes = [], {}, {}
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.startswith("#"):
            name, _, value = line[1:].partition("=")
            classes[name.strip()] = value.strip()
        elif line.strip():
            word = _word(line, f"{path}, line {number}")
            if word is not None and word[0] in rows:
                raise DataError(
                    f"{path}, line {number}: word {word[0]} of its sentence comes twice"
                )
            if word is not None:
                rows[word[0]] = (number, *word[1:])
        else:
            if rows:
                trees.append(_dependency_tree(rows, classes.get(label), path))
            rows, classes = {}, {}
    return trees


def _word(line: str, place: str) -> tuple[int, str, int] | None:
    """Number, form and head of the word in a line; None for a span of words or an empty node."""
    columns = line.split("\t")
    if len(columns) != 10:
        raise DataError(f"{place} must have the ten columns of CoNLL-U, got {len(columns)}")
    if "-" in columns[0] or "." in columns[0]:
        return None
    if not (columns[0].isdigit() and columns[6].isdigit()):
        raise DataError(
            f"{place} must have whole numbers as ID and HEAD, got {columns[0]!r} and {columns[6]!r}"
        )
    return int(columns[0]), columns[1], int(columns[6])


def _dependency_tree(
    rows: Mapping[int, tuple[int, str, int]], label: str | None, path: Path
) -> Tree:
    """The tree of one sentence.

    Args:
        rows: line, form and head of every word, by its number.
        label: class of the sentence.
    """
    first = next(iter(rows.values()))[0]
    for line, word, head in rows.values():
        if head and head not in rows:
            raise DataError(f"{path}, line {line}: {word!r} depends on {head}, which is no word")
    dependents = {number: [n for n, row in rows.items() if row[2] == number] for number in rows}
    roots = [number for number, row in rows.items() if row[2] == 0]
    if len(roots) != 1:
        raise DataError(
            f"{path}, line {first}: one word of a sentence must have HEAD 0, got {len(roots)}"
        )
    below = list(_below(roots[0], dependents))
    if len(below) < len(rows):
        line = next(row[0] for number, row in rows.items() if number not in below)
        raise DataError(f"{path}, line {line}: the word depends on itself, by way of others")
    places = {number: place for place, number in enumerate(rows)}
    tree = Tree.empty(f"{path}, line {first}")
    for _, word, _ in rows.values():
        tree.leaf(word)
    for number in reversed(below):
        right = [n for n in dependents[number] if n > number]
        left = [n for n in dependents[number] if n < number]
        for other in right:
            places[number] = tree.joined(places[number], places[other])
        for other in reversed(left):
            places[number] = tree.joined(places[other], places[number])
    tree.labels[-1] = label
    return tree


def _below(number: int, dependents: Mapping[int, list[int]]) -> Iterator[int]:
    """A word and all that depend on it, heads first."""
    waiting = [number]
    while waiting:
        number = waiting.pop()
        yield number
        waiting += dependents[number]


# ------------------------------------------------------------------------------------------ arrays


def of_trees(
    trees: Sequence[Tree],
    vocabulary: Sequence[str],
    class_names: Sequence[str],
    labels: Labels,
    layout: Layout,
    unknown: int = 0,
    *,
    fixed_test: int = 0,
    notes: tuple[str, ...] = (),
) -> Dataset:
    """A data set of trees.

    Args:
        trees: the label of every root is a class.
        vocabulary: words there are.
        class_names: labels that are classes; nodes with another label have no target.
        labels: what is to be predicted.
        layout: what of the trees is kept.
        unknown: position of the word that stands for those that are not in the vocabulary.
        fixed_test: this many of the last trees are an official test set.
        notes: to be shown to the user.
    """
    classes = {name: place for place, name in enumerate(class_names)}
    for tree in trees:
        if tree.labels[-1] not in classes:
            raise DataError(
                f"{tree.place}: the root must have a label among {', '.join(class_names)}, "
                f"got {'none' if tree.labels[-1] is None else repr(tree.labels[-1])}"
            )
    roots = np.array([classes[str(tree.labels[-1])] for tree in trees])
    words = numbered([tree.sentence for tree in trees], vocabulary, unknown)
    known: dict[str, Any] = {
        "vocabulary": tuple(vocabulary),
        "class_names": tuple(class_names),
        "fixed_test": fixed_test,
        "notes": notes,
    }
    if layout == "sequences":
        return Dataset(padded(words), roots, classification(len(class_names)), **known)
    longest = max(len(tree.words) for tree in trees)
    inputs = np.full((len(trees), longest, 3), PADDING, np.int32)
    targets = np.full((len(trees), longest), PADDING, np.int32)
    for row, target, tree, tokens, root in zip(inputs, targets, trees, words, roots, strict=True):
        size, left = len(tree.words), np.array(tree.left)
        row[:size, 1], row[:size, 2] = left, tree.right
        row[:size, 0][left < 0] = tokens
        if labels == "nodes":
            target[:size] = [classes.get(label, PADDING) for label in tree.labels]  # type: ignore[arg-type]
        target[size - 1] = root
    return Dataset(inputs, targets, "nodes", **known)
