"""Sequences and trees of tokens as arrays: how they are padded, what such arrays must keep to.

A token is a position in a vocabulary. Sequences of one data set are int32 [row, time], each padded
at its end with -1; so are targets at every step, where -1 also stands where nothing is predicted.
Trees are int32 [row, node, 3]: token, left child and right child of every node, -1 for none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from thalweg.errors import DataError

__all__ = ["PADDING", "check_nodes", "check_steps", "check_tokens", "check_trees", "padded"]

PADDING = -1


def padded(sequences: Sequence[Sequence[int]], time: int | None = None) -> np.ndarray:
    """Sequences of tokens as one array, int32 [row, time], as long as the longest or as asked."""
    longest = max(map(len, sequences), default=0)
    tokens = np.full((len(sequences), time or longest), PADDING, np.int32)
    for row, sequence in zip(tokens, sequences, strict=True):
        row[: len(sequence)] = sequence
    return tokens


def check_tokens(tokens: np.ndarray, vocabulary: Sequence[str], first: int = 0) -> None:
    """Refuse what are no sequences of tokens, with the row and step of the fault, from 1.

    Args:
        tokens: [row, time].
        vocabulary: names of the tokens.
        first: the step of the inputs with which they begin, to be named.
    """
    _check_vocabulary(vocabulary)
    _check_range("inputs", tokens, len(vocabulary), first)
    empty = np.flatnonzero((tokens < 0).all(axis=1))
    if len(empty):
        raise DataError(f"every sequence must hold a token, got an empty one in row {empty[0] + 1}")
    after = (tokens[:, 1:] >= 0) & (tokens[:, :-1] < 0)
    if after.any():
        row, step = np.argwhere(after)[0]
        raise DataError(
            f"sequences must be padded at their end alone, got a token after padding in row "
            f"{row + 1}, step {first + step + 2}"
        )


def check_trees(nodes: np.ndarray, vocabulary: Sequence[str]) -> None:
    """Refuse what are no trees of tokens, with the row and node of the fault, from 1.

    Args:
        nodes: [row, node, 3].
        vocabulary: names of the tokens.
    """
    _check_vocabulary(vocabulary)
    tokens, children = nodes[..., 0], nodes[..., 1:]
    _check_range("inputs", tokens, len(vocabulary), what="node")
    leaf, inner = tokens >= 0, (tokens < 0) & (children >= 0).any(axis=-1)
    sizes = (leaf | inner).sum(axis=1)
    if not sizes.all():
        raise DataError(f"every tree must hold a node, got none in row {sizes.argmin() + 1}")
    places = np.arange(nodes.shape[1])
    _refuse((leaf | inner) & (places >= sizes[:, None]), "trees must be padded at their end alone")
    _refuse(leaf & (children != PADDING).any(axis=-1), "a node must have a token or children")
    before = (children >= 0) & (children < places[:, None])
    _refuse(inner & ~before.all(axis=-1), "a node must have two children, which come before it")
    used = np.zeros(tokens.shape, int)
    rows = np.broadcast_to(np.arange(len(nodes))[:, None, None], children.shape)
    np.add.at(used, (rows[inner], children[inner]), 1)
    wanted = (places < sizes[:, None] - 1).astype(int)
    _refuse(used != wanted, "every node but the last must be the child of one other")


def _refuse(faults: np.ndarray, sentence: str) -> None:
    if faults.any():
        row, node = np.argwhere(faults)[0]
        raise DataError(f"{sentence}, which fails in row {row + 1}, node {node + 1}")


def check_nodes(targets: np.ndarray, nodes: np.ndarray, classes: int) -> None:
    """Refuse targets at the nodes of trees that do not go with them.

    Args:
        targets: [row, node].
        nodes: [row, node, 3], which are trees.
        classes: how many there are.
    """
    real = (nodes >= 0).any(axis=-1)
    if targets.shape != real.shape:
        raise DataError(
            f"targets of nodes must be [rows, node], here {real.shape}, got shape {targets.shape}"
        )
    _check_range("targets", targets, classes, what="node")
    _refuse((targets >= 0) & ~real, "a target must stand at a node")
    roots = np.arange(targets.shape[1]) == real.sum(axis=1)[:, None] - 1
    _refuse(roots & (targets < 0), "every root must have a target")


def check_steps(targets: np.ndarray, inputs: np.ndarray, classes: int) -> None:
    """Refuse targets at every step that do not go with their inputs.

    Args:
        targets: [row, time].
        inputs: of the same steps, [row, time] tokens or [row, time, feature].
        classes: how many there are.
    """
    if targets.shape != inputs.shape[:2]:
        raise DataError(
            f"targets of tokens must be [rows, time], here {inputs.shape[:2]}, "
            f"got shape {targets.shape}"
        )
    _check_range("targets", targets, classes)
    idle = np.flatnonzero((targets < 0).all(axis=1))
    if len(idle):
        raise DataError(f"every row must have something to predict, got none in row {idle[0] + 1}")
    if inputs.ndim == 2:
        lost = (targets >= 0) & (inputs < 0)
        if lost.any():
            row, step = np.argwhere(lost)[0]
            raise DataError(
                f"a target must stand where its sequence has a token, got one on padding in row "
                f"{row + 1}, step {step + 1}"
            )


def _check_vocabulary(vocabulary: Sequence[str]) -> None:
    if len(set(vocabulary)) < len(vocabulary):
        twice = next(name for name in vocabulary if vocabulary.count(name) > 1)
        raise DataError(f"the vocabulary must name every token once, got {twice!r} twice")


def _check_range(
    name: str, tokens: np.ndarray, count: int, first: int = 0, what: str = "step"
) -> None:
    outside = (tokens < PADDING) | (tokens >= count)
    if outside.any():
        row, step = np.argwhere(outside)[0]
        raise DataError(
            f"{name} must be tokens >= 0 and < {count}, or {PADDING} for padding, "
            f"got {tokens[row, step]} in row {row + 1}, {what} {first + step + 1}"
        )
