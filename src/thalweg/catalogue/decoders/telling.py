"""What a search did, step by step: as data, ``search_of``, and as a table to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from thalweg.catalogue.decoders.decoder import Decoded, Lattice

__all__ = ["Search", "Tried", "search_of", "step_table"]


class Tried(NamedTuple):
    """A sequence that a search has tried.

    Args:
        path: its tokens.
        total: its log-probability.
        kept: whether it went on or was complete; all others were pruned at their last token.
    """

    path: tuple[int, ...]
    total: float
    kept: bool


class Search(NamedTuple):
    """A search of one row.

    Args:
        steps: what was tried at each step, the best first.
        best: tokens of the sequence that was found.
    """

    steps: tuple[tuple[Tried, ...], ...]
    best: tuple[int, ...]


def search_of(lattice: Lattice, best: Sequence[int], row: int = 0) -> Search:
    """What was tried for a row of a batch, as ``Decoded.lattice`` has it.

    Args:
        lattice: of the search.
        best: tokens that were found, -1 after the last.
        row: which row of the batch.
    """
    tokens, parents = np.asarray(lattice.tokens[row]), np.asarray(lattice.parents[row])
    tried, begun, totals, kept = (np.asarray(x[row]) for x in lattice.candidates)
    before: list[tuple[int, ...]] = [()] * tokens.shape[1]
    steps = []
    for time in range(len(tokens)):
        there = np.flatnonzero(tried[time] >= 0)
        if not len(there):
            break
        steps.append(
            tuple(
                Tried(
                    (*before[begun[time, i]], int(tried[time, i])),
                    float(totals[time, i]),
                    bool(kept[time, i]),
                )
                for i in there
            )
        )
        before = [
            (*before[parent], int(token)) if token >= 0 else ()
            for token, parent in zip(tokens[time], parents[time], strict=True)
        ]
    return Search(tuple(steps), tuple(int(token) for token in best if token >= 0))


def step_table(decoded: Decoded, words: Sequence[str], row: int = 0, digits: int = 2) -> str:
    """The candidates of every step, best first, those that were kept in bold; in Markdown.

    Args:
        words: what the tokens are called.
        row: which row of the batch.
        digits: of log-probabilities, after the point.
    """
    lines = ["| step | candidates, with log-probabilities |", "| --- | --- |"]
    search = search_of(decoded.lattice, np.asarray(decoded.tokens[row, 0]).tolist(), row)
    for number, entries in enumerate(search.steps, 1):
        said = [
            (f"{' '.join(words[i] for i in path)} {total:.{digits}f}", kept)
            for path, total, kept in entries
        ]
        lines.append(
            f"| {number} | {', '.join(f'**{text}**' if kept else text for text, kept in said)} |"
        )
    return "\n".join(lines)
