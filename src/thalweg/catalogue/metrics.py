"""Metrics: what is measured beside the loss, of what was predicted or generated.

Plain functions on the host.

``token_accuracy`` and ``sequence_accuracy`` ask what was right, ``edit_distance`` and
``error_rate`` how much would have to be mended, ``bleu`` and ``chrf`` how much a translation shares
with others of the same text, ``span_f1`` how many marked spans were found, ``perplexity`` and
``bits_per_character`` how surprised a model was.

``reconstruction_errors`` are how strange an autoencoder finds every row, ``auroc`` how well such
scores tell anomalies, ``energy_distance`` how far samples are from data.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from importlib import import_module
from itertools import zip_longest
from typing import Any

import numpy as np

from thalweg.errors import MissingExtra

__all__ = [
    "auroc",
    "bits_per_character",
    "bleu",
    "chrf",
    "edit_distance",
    "energy_distance",
    "error_rate",
    "perplexity",
    "reconstruction_errors",
    "sequence_accuracy",
    "span_f1",
    "token_accuracy",
]


def token_accuracy(predicted: np.ndarray, targets: np.ndarray) -> float:
    """Share of tokens that are right.

    Args:
        predicted, targets: tokens [row, time]; where the target is negative nothing counts.

    Raises:
        ValueError: their shapes differ, or nothing counts.
    """
    right, counts = _right(predicted, targets)
    return float(right[counts].mean())


def sequence_accuracy(predicted: np.ndarray, targets: np.ndarray) -> float:
    """Share of sequences of which every token is right.

    Args:
        predicted, targets: tokens [row, time]; where the target is negative nothing counts, and a
            row in which nothing counts is left out.

    Raises:
        ValueError: their shapes differ, or nothing counts.
    """
    right, counts = _right(predicted, targets)
    whole = np.asarray((right | ~counts).all(axis=1))
    return float(whole[counts.any(axis=1)].mean())


def _right(predicted: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    predicted, targets = np.asarray(predicted), np.asarray(targets)
    if predicted.shape != targets.shape or targets.ndim != 2:
        raise ValueError(
            f"predictions and targets must both be [row, time], got shapes {predicted.shape} and "
            f"{targets.shape}"
        )
    counts = targets >= 0
    if not counts.any():
        raise ValueError("there is no target to be right about: all are negative")
    return np.equal(predicted, targets), counts


def edit_distance(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """Fewest insertions, deletions and substitutions that make one sequence another.

    Source: Levenshtein, Binary Codes Capable of Correcting Deletions, Insertions, and Reversals,
    1966; by the recursion of Wagner and Fischer, 1974.
    """
    above = list(range(len(other) + 1))
    for number, token in enumerate(one, 1):
        row = [number]
        for place, to in enumerate(other):
            row.append(min(above[place] + (token != to), above[place + 1] + 1, row[place] + 1))
        above = row
    return above[-1]


def error_rate(
    predicted: Sequence[Sequence[Hashable]], references: Sequence[Sequence[Hashable]]
) -> float:
    """Edit distances of all pairs over the length of all references.

    Of words it is the word error rate, of characters the character error rate; it can exceed 1.

    Raises:
        ValueError: there are not as many references as predictions, or these hold nothing.
    """
    length = sum(map(len, references))
    if len(predicted) != len(references) or not length:
        raise ValueError(
            f"every prediction needs a reference, and these a token: got {len(predicted)} "
            f"predictions and {len(references)} references of {length} tokens"
        )
    return sum(map(edit_distance, predicted, references)) / length


def bleu(predicted: Sequence[str], references: Sequence[Sequence[str]], **options: Any) -> float:
    """BLEU of a corpus, 0 to 100: how many runs of one to four words others have used too.

    Args:
        predicted: a text for each row.
        references: for each row its translations, one at least.
        options: of sacrebleu, such as ``tokenize="none"`` where words stand between spaces.

    Raises:
        MissingExtra: sacrebleu is not installed.
        ValueError: a row has no reference.

    Source: Papineni, Roukos, Ward & Zhu, BLEU, 2002; as computed by sacrebleu (Post, A Call for
    Clarity in Reporting BLEU Scores, 2018).
    """
    return _scored("corpus_bleu", predicted, references, options)


def chrf(predicted: Sequence[str], references: Sequence[Sequence[str]], **options: Any) -> float:
    """chrF of a corpus, 0 to 100: the F-score of runs of one to six characters, recall twice.

    Args:
        predicted: a text for each row.
        references: for each row its translations, one at least.
        options: of sacrebleu, such as ``word_order=2`` for chrF++.

    Raises:
        MissingExtra: sacrebleu is not installed.
        ValueError: a row has no reference.

    Source: Popović, chrF: Character n-gram F-score for Automatic MT Evaluation, 2015; as computed
    by sacrebleu.
    """
    return _scored("corpus_chrf", predicted, references, options)


def _scored(
    name: str, predicted: Sequence[str], references: Sequence[Sequence[str]], options: Any
) -> float:
    try:
        sacrebleu = import_module("sacrebleu")
    except ImportError as error:
        raise MissingExtra(
            "BLEU and chrF need sacrebleu: pip install 'thalweg[translation]'"
        ) from error
    if len(predicted) != len(references) or not predicted or not all(references):
        raise ValueError(
            f"every text needs a reference at least, got {len(predicted)} texts and references of "
            f"{sorted({len(texts) for texts in references})} for {len(references)}"
        )
    # As sacrebleu wants them: by translator, with None where one has not translated a row.
    by_translator = [list(texts) for texts in zip_longest(*references)]
    return float(getattr(sacrebleu, name)(list(predicted), by_translator, **options).score)


def span_f1(
    predicted: Sequence[Sequence[str]], references: Sequence[Sequence[str]], **options: Any
) -> float:
    """F1 of the spans that labels mark, such as ``B-PER I-PER O``: right are whole ones alone.

    Args:
        predicted: the labels of each row.
        references: as many for each row.
        options: of seqeval, such as ``mode="strict"`` with a ``scheme``.

    Raises:
        MissingExtra: seqeval is not installed.
        ValueError: there are no rows, or one has not as many labels as its reference.

    Source: Tjong Kim Sang & De Meulder, Introduction to the CoNLL-2003 Shared Task, 2003; as
    computed by seqeval (Nakayama, 2018), which agrees with the task's own script.
    """
    try:
        seqeval = import_module("seqeval.metrics")
    except ImportError as error:
        raise MissingExtra("F1 of spans needs seqeval: pip install 'thalweg[tagging]'") from error
    if [*map(len, predicted)] != [*map(len, references)]:
        raise ValueError("every row must have as many labels as its reference")
    if not len(references):
        raise ValueError("span_f1 needs a row at least, got none")
    # Where there is no span at all, none was found.
    options = {"zero_division": 0, **options}
    return float(seqeval.f1_score(list(references), list(predicted), **options))


def perplexity(log_probabilities: np.ndarray) -> float:
    """How many equally likely tokens would surprise as much: exp of their mean surprise.

    Args:
        log_probabilities: natural logarithms of what was given to each token that came, any shape.

    Raises:
        ValueError: no token came.

    Source: Jelinek, Mercer, Bahl & Baker, Perplexity: A Measure of the Difficulty of Speech
    Recognition Tasks, 1977.
    """
    if not np.size(log_probabilities):
        raise ValueError("perplexity needs a token at least, got none")
    return float(np.exp(-np.mean(log_probabilities, dtype=np.float64)))


def bits_per_character(log_probabilities: np.ndarray, characters: int | None = None) -> float:
    """The bits in which a model would write a character of the text.

    Args:
        log_probabilities: natural logarithms of what was given to each token that came, any shape.
        characters: of the text; as many as tokens where not given.

    Raises:
        ValueError: there is no character.

    Source: Shannon, Prediction and Entropy of Printed English, 1951.
    """
    characters = np.size(log_probabilities) if characters is None else characters
    if characters < 1:
        raise ValueError(f"bits_per_character needs a character at least, got {characters}")
    return float(-np.sum(log_probabilities, dtype=np.float64) / np.log(2) / characters)


def reconstruction_errors(inputs: np.ndarray, reconstructed: np.ndarray) -> np.ndarray:
    """Mean squared differences of rows from what became of them: scores of anomalies, [row].

    Args:
        inputs: [row, ...].
        reconstructed: of the same rows, of this or another shape, as a run on ``Reconstruction``
            predicts it.

    Raises:
        ValueError: there are not as many rows, or numbers in them.
    """
    given, made = (np.asarray(x, np.float64).reshape(len(x), -1) for x in (inputs, reconstructed))
    if given.shape != made.shape:
        raise ValueError(
            "inputs and what was reconstructed must hold as many rows and numbers, got shapes "
            f"{np.shape(inputs)} and {np.shape(reconstructed)}"
        )
    return ((given - made) ** 2).mean(axis=1)


def auroc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Area under the receiver operating characteristic: how often a positive row scores higher.

    Args:
        scores: [row], higher for what is more likely positive, as an anomaly.
        positive: whether it is, bool [row].

    Raises:
        ValueError: their shapes differ, a score is no number, or only one kind of rows is there.

    Source: Hanley & McNeil, The Meaning and Use of the Area under a Receiver Operating
    Characteristic Curve, 1982; as computed by scikit-learn.
    """
    from sklearn.metrics import roc_auc_score

    scores, positive = np.asarray(scores, np.float64), np.asarray(positive)
    if scores.ndim != 1 or scores.shape != positive.shape:
        raise ValueError(
            "scores and whether rows are positive must both be [row], got shapes "
            f"{scores.shape} and {positive.shape}"
        )
    if np.isnan(scores).any():
        raise ValueError(f"scores must be numbers, got NaN in row {np.isnan(scores).argmax() + 1}")
    count = int(positive.astype(bool).sum())
    if count in (0, len(positive)):
        raise ValueError(
            f"positive and other rows must both be there, got {count} positive of {len(positive)}"
        )
    return float(roc_auc_score(positive.astype(bool), scores))


def energy_distance(samples: np.ndarray, data: np.ndarray) -> float:
    """Energy distance of the distributions that samples and data come from, 0 where they agree.

    √(2 E‖X − Y‖ − E‖X − X′‖ − E‖Y − Y′‖), each mean over all pairs of rows.

    Args:
        samples, data: [row, ...].

    Raises:
        ValueError: their rows do not hold as many numbers.

    Source: Székely & Rizzo, Energy Statistics, 2013, equation 5.
    """
    from scipy.spatial.distance import cdist

    x, y = (np.asarray(rows, np.float64).reshape(len(rows), -1) for rows in (samples, data))
    if x.shape[1] != y.shape[1]:
        raise ValueError(
            "rows of samples and data must hold as many numbers, got shapes "
            f"{np.shape(samples)} and {np.shape(data)}"
        )
    squared = 2 * cdist(x, y).mean() - cdist(x, x).mean() - cdist(y, y).mean()
    return float(np.sqrt(max(squared, 0.0)))
