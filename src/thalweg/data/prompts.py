"""What of data a network is to go on from when it writes, and what it should have written.

A row with a source is begun by its begin token; a row without by its tokens up to the first that
is predicted, which for a joined pair are the source and ``<begin>``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from thalweg.data.dataset import Dataset
from thalweg.data.sequences import PADDING, padded
from thalweg.data.stored import blocks
from thalweg.data.subwords import WORD, is_subwords
from thalweg.data.translation import BEGIN, UNKNOWN
from thalweg.errors import DataError

__all__ = [
    "Prompts",
    "end_of",
    "pieces_of",
    "prompts_from",
    "prompts_of",
    "reader",
    "references_of",
]


# For each row the sequences it may be, each once.
References: TypeAlias = list[list[tuple[int, ...]]]


class Prompts(NamedTuple):
    """Sequences that are to be continued, padded at their end.

    Args:
        sources: what is read first, int32 [row, source time]; None where nothing is.
        begun: tokens that are there already, at least one in each row, int32 [row, time].
    """

    sources: np.ndarray | None
    begun: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Tokens that are read before the first is written, int [row]."""
        read = self.begun[:, 1:] if self.sources is None else self.sources
        return (read >= 0).sum(axis=1)


def prompts_of(dataset: Dataset, rows: np.ndarray) -> Prompts:
    """What some rows begin with."""
    own, inputs = dataset.source_time, dataset.inputs[rows]
    if own:
        return Prompts(inputs[:, :own], inputs[:, own : own + 1])
    first = (dataset.targets[rows] >= 0).argmax(axis=1)
    begun = np.where(np.arange(inputs.shape[1]) <= first[:, None], inputs, PADDING)
    return Prompts(None, begun[:, : first.max(initial=0) + 1])


def prompts_from(dataset: Dataset, sequences: Sequence[Sequence[str]]) -> Prompts:
    """Your own sequences of tokens as such data have them.

    Raises:
        DataError: a token is not in the vocabulary, or a sequence is empty or too long.
    """
    tokens = [[_token(dataset, name) for name in sequence] for sequence in sequences]
    own, inputs = dataset.source_time, dataset.inputs
    first = inputs[:1][0, own]
    # Where all rows begin alike, so do yours.
    alike = all((block[:, own] == first).all() for _, block in blocks(inputs))
    opening = first if alike else None
    if not own:
        tokens = [[*([] if opening is None else [int(opening)]), *row] for row in tokens]
    for row, sequence in enumerate(tokens, 1):
        longest = own or inputs.shape[1]
        if not 0 < len(sequence) <= longest:
            raise DataError(
                f"a sequence must hold 1 to {longest} tokens, got {len(sequence)} in sequence {row}"
            )
    if not own:
        return Prompts(None, padded(tokens))
    return Prompts(padded(tokens, own), np.full((len(tokens), 1), first, np.int32))


def _token(dataset: Dataset, name: str) -> int:
    if name in dataset.vocabulary:
        return dataset.vocabulary.index(name)
    if UNKNOWN in dataset.vocabulary:
        return dataset.vocabulary.index(UNKNOWN)
    raise DataError(f"{name!r} is not one of the {len(dataset.vocabulary)} tokens of the data")


def references_of(dataset: Dataset, rows: np.ndarray, prompts: Prompts) -> References:
    """What is predicted in some rows: for each its own, then others where as much was read.

    Args:
        rows: which.
        prompts: what they begin with. Where nothing is read, rows have their own reference alone:
            that all names begin alike does not make them names for one another.
    """
    own = [tuple(row[row >= 0].tolist()) for row in dataset.targets[rows]]
    read = prompts.begun if prompts.sources is None else prompts.sources
    alike: dict[bytes, dict[tuple[int, ...], None]] = {}
    for source, target in zip(read, own, strict=True):
        alike.setdefault(source.tobytes(), {})[target] = None
    return [
        [target, *(other for other in alike[source.tobytes()] if length and other != target)]
        for source, target, length in zip(read, own, prompts.lengths, strict=True)
    ]


def end_of(dataset: Dataset) -> int | None:
    """The token with which every row ends; None where they end in different ones."""
    ends: set[int] = set()
    for _, targets in blocks(dataset.targets):
        last = targets.shape[1] - 1 - (targets[:, ::-1] >= 0).argmax(axis=1)
        ends.update(np.take_along_axis(targets, last[:, None], axis=1).ravel().tolist())
        if len(ends) > 1:
            return None
    return ends.pop()


def pieces_of(dataset: Dataset, text: str) -> list[str]:
    """A text in the tokens of data, those not in the vocabulary among them."""
    if dataset.cut is not None:
        return dataset.cut(text)
    return list(text) if _are_letters(dataset.vocabulary) else text.split()


def reader(names: Sequence[str], end: int | None = None) -> Callable[[Sequence[int]], str]:
    """What reads tokens aloud, as a text without begin and end.

    Letters stand side by side, words have spaces between them, and subwords where a word begins.
    """
    apart = is_subwords(names)
    between = "" if apart or _are_letters(names) else " "

    def read_aloud(tokens: Sequence[int]) -> str:
        said = [names[token] for token in tokens if token >= 0 and token != end]
        text = between.join(name for name in said if name != BEGIN)
        return text.replace(WORD, " ").strip() if apart else text

    return read_aloud


def _are_letters(names: Sequence[str]) -> bool:
    return all(len(name) == 1 or name.startswith("<") for name in names)
