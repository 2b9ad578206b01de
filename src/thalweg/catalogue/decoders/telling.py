"""What a search did, step by step, as a table to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from thalweg.catalogue.decoders.decoder import Decoded, Lattice

__all__ = ["step_table"]


def step_table(decoded: Decoded, words: Sequence[str], row: int = 0, digits: int = 2) -> str:
    """The candidates of every step, best first, those that were kept in bold; in Markdown.

    Args:
        words: what the tokens are called.
        row: which row of the batch.
        digits: of log-probabilities, after the point.
    """
    lines = ["| step | candidates, with log-probabilities |", "| --- | --- |"]
    for step, (entries, kept) in enumerate(_steps(decoded.lattice, row)):
        if not entries:
            break
        said = [f"{' '.join(words[i] for i in path)} {total:.{digits}f}" for path, total in entries]
        bold = [f"**{text}**" if yes else text for text, yes in zip(said, kept, strict=True)]
        lines.append(f"| {step + 1} | {', '.join(bold)} |")
    return "\n".join(lines)


Entries = list[tuple[tuple[int, ...], float]]


def _steps(lattice: Lattice, row: int) -> Iterator[tuple[Entries, list[bool]]]:
    """Paths and log-probabilities of the candidates of each step, and which of them were kept."""
    tokens, parents = np.asarray(lattice.tokens[row]), np.asarray(lattice.parents[row])
    tried, begun, totals, kept = (np.asarray(x[row]) for x in lattice.candidates)
    before: list[tuple[int, ...]] = [()] * tokens.shape[1]
    for time in range(len(tokens)):
        there = np.flatnonzero(tried[time] >= 0)
        entries = [
            ((*before[begun[time, i]], int(tried[time, i])), float(totals[time, i])) for i in there
        ]
        yield entries, kept[time, there].tolist()
        before = [
            (*before[parent], int(token)) if token >= 0 else ()
            for token, parent in zip(tokens[time], parents[time], strict=True)
        ]
