"""Texts that runs write, and how good they are beside those they should have written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from thalweg.catalogue.decoders.decoder import Decoder
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
    Prompts,
    end_of,
    prompts_from,
    prompts_of,
    reader,
    references_of,
)
from thalweg.data.sequences import PADDING
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
        shortest, longest: tokens read before the first was written.
        token_accuracy: share of the reference's tokens that stand in their place.
        sequence_accuracy: share of rows without a fault, the end included.
        edit_distance: tokens to be mended, a row.
        error_rate: tokens to be mended, for one of the references.
        bleu, chrf: 0 to 100; None where sacrebleu is not installed.
    """

    rows: int
    shortest: int
    longest: int
    token_accuracy: float
    sequence_accuracy: float
    edit_distance: float
    error_rate: float
    bleu: float | None
    chrf: float | None


@dataclass(frozen=True)
class Writing:
    """What a run wrote.

    Args:
        prompts: what it went on from, a text for each row.
        texts: for each row the texts of all hypotheses, the best first.
        tokens: int32 [row, hypothesis, time], positions among the classes of the data.
        log_probabilities: of the sequences, [row, hypothesis].
        references: what should have been written; empty for sequences of your own.
        scores: of the best hypotheses; None for sequences of your own.
        by_length: scores of rows from the shortest sources to the longest, in classes of about
            equal size.
    """

    prompts: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]
    tokens: np.ndarray
    log_probabilities: np.ndarray
    references: tuple[str, ...] = ()
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
    if dataset.task != "tokens" or not dataset.vocabulary:
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
    tokens, totals = write(job, kept, decoder, prompts, longest, end, seed)
    aloud = reader(dataset.class_names, end)
    read = prompts.begun if prompts.sources is None else prompts.sources
    made = Writing(
        tuple(map(reader(dataset.vocabulary), read)),
        tuple(tuple(map(aloud, row)) for row in tokens),
        tokens,
        totals,
    )
    if rows is None:
        return made
    references = references_of(dataset, rows)
    scores, by_length = _judged(dataset, tokens[:, 0], references, prompts)
    texts = tuple(map(aloud, references))
    return Writing(made.prompts, made.texts, tokens, totals, texts, scores, by_length)


def _judged(
    dataset: Dataset, written: np.ndarray, references: np.ndarray, prompts: Prompts
) -> tuple[Scores, tuple[Scores, ...]]:
    """Scores of all rows, and by the length of what was read."""
    time = max(written.shape[1], references.shape[1])
    written, references = (
        np.pad(x, ((0, 0), (0, time - x.shape[1])), constant_values=PADDING)
        for x in (written, references)
    )
    lengths = prompts.lengths

    def of(chosen: np.ndarray) -> Scores:
        return _scores(dataset, written[chosen], references[chosen], lengths[chosen])

    edges = np.unique(np.quantile(lengths, np.linspace(0, 1, CLASSES + 1)[1:], method="lower"))
    classes = np.searchsorted(edges, lengths)
    apart = (np.flatnonzero(classes == number) for number in range(len(edges)))
    enough = [rows for rows in apart if len(rows) >= FEWEST]
    by_length = tuple(of(rows) for rows in enough) if len(enough) > 1 else ()
    return of(np.arange(len(written))), by_length


def _scores(
    dataset: Dataset, written: np.ndarray, references: np.ndarray, lengths: np.ndarray
) -> Scores:
    names, left_out = dataset.class_names, (PADDING, end_of(dataset))
    said, wanted = (
        [[token for token in row if token not in left_out] for row in tokens.tolist()]
        for tokens in (written, references)
    )
    words, meant = ([" ".join(names[t] for t in row) for row in rows] for rows in (said, wanted))
    texts, given = ([*map(reader(names), rows)] for rows in (said, wanted))
    scored = find_spec("sacrebleu") is not None
    return Scores(
        rows=len(written),
        shortest=int(lengths.min()),
        longest=int(lengths.max()),
        token_accuracy=token_accuracy(written, references),
        sequence_accuracy=sequence_accuracy(written, references),
        edit_distance=float(np.mean([*map(edit_distance, said, wanted)])),
        error_rate=error_rate(said, wanted) if any(wanted) else 0.0,
        bleu=bleu(words, [[text] for text in meant], tokenize="none") if scored else None,
        chrf=chrf(texts, [[text] for text in given]) if scored else None,
    )
