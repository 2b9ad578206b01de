"""Texts that runs write, and how good they are beside those they should have written.

Where the same source has several targets in a split, each of its rows is judged beside them all:
by BLEU and chrF as they are defined, by all else beside the one it takes fewest edits to reach.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from thalweg.catalogue.decoders.decoder import Decoder, Lattice
from thalweg.catalogue.decoders.telling import Search, search_of
from thalweg.catalogue.metrics import (
    bleu,
    chrf,
    edit_distance,
    error_rate,
    sequence_accuracy,
    token_accuracy,
)
from thalweg.data import Dataset
from thalweg.data.prompts import (
    References,
    end_of,
    prompts_from,
    prompts_of,
    reader,
    references_of,
)
from thalweg.data.sequences import padded
from thalweg.data.stored import blocks
from thalweg.data.subwords import is_subwords
from thalweg.engine.kept import SPLITS, Arrays
from thalweg.engine.plan import Job
from thalweg.engine.writing import write
from thalweg.errors import DataError, SpecError

__all__ = ["Scores", "Writing", "written_by"]

# The metrics of fewer rows than this say little; so many length classes there are at most.
FEWEST, CLASSES = 10, 4


@dataclass(frozen=True)
class Scores:
    """How near texts come to their references.

    Args:
        rows: how many there are.
        references: how many different ones these have, counted for every row.
        shortest, longest: tokens read before the first was written, at least and at most.
        token_accuracy: share of the nearest reference's tokens that stand in their place.
        sequence_accuracy: share of rows without a fault, the end included.
        edit_distance: tokens to be mended, a row.
        error_rate: tokens to be mended, for one of the nearest references.
        bleu, chrf: 0 to 100; None where sacrebleu is not installed.
    """

    rows: int
    references: int
    shortest: int
    longest: int
    token_accuracy: float
    sequence_accuracy: float
    edit_distance: float
    error_rate: float
    bleu: float | None
    chrf: float | None


class Searches(NamedTuple):
    """How texts were found.

    Args:
        lattice: what was tried for all rows.
        tokens: of their hypotheses, [row, hypothesis, time].
        names: of tokens.
    """

    lattice: Lattice
    tokens: np.ndarray
    names: tuple[str, ...]

    def of(self, row: int) -> Search:
        """The search of one row."""
        return search_of(self.lattice, self.tokens[row, 0].tolist(), row)


@dataclass(frozen=True)
class Writing:
    """What a run wrote.

    Args:
        prompts: what it went on from, a text for each row.
        texts: for each row the texts of all hypotheses, the best first.
        tokens: int32 [row, hypothesis, time], positions among the classes of the data.
        log_probabilities: of the sequences, [row, hypothesis].
        searches: how each row was found.
        references: for each row what its split has for such a source, its own first; empty for
            sequences of your own.
        scores: of the best hypotheses; None for sequences of your own.
        by_length: scores of rows from the shortest sources to the longest, in classes of about
            equal size in all data, so that they are the same for every run.
    """

    prompts: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]
    tokens: np.ndarray
    log_probabilities: np.ndarray
    searches: Searches
    references: tuple[tuple[str, ...], ...] = ()
    scores: Scores | None = None
    by_length: tuple[Scores, ...] = ()


def written_by(
    job: Job,
    kept: Arrays,
    decoder: Decoder,
    inputs: str | Sequence[Sequence[str]],
    length: int | None,
    seed: int,
) -> Writing:
    """What a run writes; see ``Laboratory.decode``."""
    dataset = job.dataset
    if dataset.facts.at != "step" or not dataset.vocabulary:
        raise SpecError(
            f"{type(job.recipe.data).__name__} has no sequences of tokens that could be written"
        )
    rows = None
    if isinstance(inputs, str):
        if inputs not in SPLITS:
            raise DataError(f"a split is one of {', '.join(SPLITS)}, got {inputs!r}")
        rows = getattr(job.split, inputs)
        if not len(rows):
            raise DataError(f"there are no {inputs} rows; give a split that has some")
    prompts = prompts_of(dataset, rows) if rows is not None else prompts_from(dataset, inputs)
    end, longest = end_of(dataset), length or dataset.targets.shape[1]
    tokens, totals, lattice = write(job, kept, decoder, prompts, longest, end, seed)
    aloud = reader(dataset.class_names, end)
    read = prompts.begun if prompts.sources is None else prompts.sources
    made = Writing(
        tuple(map(reader(dataset.vocabulary), read)),
        tuple(tuple(map(aloud, row)) for row in tokens),
        tokens,
        totals,
        Searches(lattice, tokens, dataset.class_names),
    )
    if rows is None:
        return made
    known = references_of(dataset, rows, prompts)
    texts = tuple(tuple(map(aloud, row)) for row in known)
    scores, by_length = _judged(dataset, tokens[:, 0], known, prompts.lengths)
    return replace(made, references=texts, scores=scores, by_length=by_length)


def _judged(
    dataset: Dataset, written: np.ndarray, known: References, lengths: np.ndarray
) -> tuple[Scores, tuple[Scores, ...]]:
    """Scores of all rows, and by the length of what was read."""
    said = [row[row >= 0].tolist() for row in written]

    def of(chosen: np.ndarray, span: tuple[int, int]) -> Scores:
        pairs = [said[row] for row in chosen], [known[row] for row in chosen]
        return _scores(dataset, *pairs, span)

    all_lengths = np.concatenate(
        [
            prompts_of(dataset, np.arange(begin, begin + len(block))).lengths
            for begin, block in blocks(dataset.inputs)
        ]
    )
    shares = np.linspace(0, 1, CLASSES + 1)[1:]
    edges = np.unique(np.quantile(all_lengths, shares, method="lower")).tolist()
    spans = zip([all_lengths.min(), *(edge + 1 for edge in edges)], edges, strict=False)
    apart = (
        (np.flatnonzero((first <= lengths) & (lengths <= last)), first, last)
        for first, last in spans
    )
    enough = [(rows, (int(first), last)) for rows, first, last in apart if len(rows) >= FEWEST]
    by_length = tuple(of(*each) for each in enough) if len(enough) > 1 else ()
    whole = int(lengths.min()), int(lengths.max())
    return of(np.arange(len(written)), whole), by_length


def _scores(
    dataset: Dataset, said: list[list[int]], known: References, span: tuple[int, int]
) -> Scores:
    names, end = dataset.class_names, end_of(dataset)

    def bare(tokens: Sequence[int]) -> list[int]:
        return [token for token in tokens if token != end]

    nearest = [
        min(own, key=lambda each: edit_distance(bare(row), bare(each)))
        for row, own in zip(said, known, strict=True)
    ]
    time = max(map(len, [*said, *nearest]))
    places = padded(said, time), padded(nearest, time)
    written, wanted = ([*map(bare, rows)] for rows in (said, nearest))
    aloud = reader(names, end)
    # Subwords are parts of words, of which BLEU is to be.
    words = aloud if is_subwords(names) else partial(_apart, names, end)
    scored = find_spec("sacrebleu") is not None

    def of_texts(score: Callable[..., float], text: Callable[..., str], **options: Any) -> float:
        return score([*map(text, said)], [[*map(text, own)] for own in known], **options)

    return Scores(
        rows=len(said),
        references=sum(map(len, known)),
        shortest=span[0],
        longest=span[1],
        token_accuracy=token_accuracy(*places),
        sequence_accuracy=sequence_accuracy(*places),
        edit_distance=float(np.mean([*map(edit_distance, written, wanted)])),
        error_rate=error_rate(written, wanted) if any(wanted) else 0.0,
        bleu=of_texts(bleu, words, tokenize="none") if scored else None,
        chrf=of_texts(chrf, aloud) if scored else None,
    )


def _apart(names: Sequence[str], end: int | None, tokens: Sequence[int]) -> str:
    return " ".join(names[token] for token in tokens if token != end)
