"""Pairs of sequences as data sets: a source, and the target that is to follow from it.

The target is predicted token by token from the source and its own tokens so far: its inputs are
``<begin>`` and the target, its outputs the target and ``<end>``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from thalweg.data.dataset import Dataset
from thalweg.data.sequences import PADDING, padded
from thalweg.data.texts import most_frequent, numbered

__all__ = ["BEGIN", "END", "UNKNOWN", "Layout", "known_words", "translation"]

BEGIN, END, UNKNOWN = "<begin>", "<end>", "<unknown>"

# ``apart``: first all steps of the source, then those of the target, for an encoder and a decoder.
# ``joined``: one sequence for a network that predicts at every step, with one vocabulary.
Layout: TypeAlias = Literal["apart", "joined"]


def known_words(sequences: Sequence[Sequence[str]], least: int) -> list[str]:
    """Tokens that occur so often at least, after ``<unknown>`` where others do not."""
    pieces = [piece for sequence in sequences for piece in sequence]
    known = most_frequent(pieces, least)
    return known if len(known) == len(set(pieces)) else [UNKNOWN, *known]


def translation(
    sources: Sequence[Sequence[str]],
    targets: Sequence[Sequence[str]],
    of_sources: Sequence[str],
    of_targets: Sequence[str],
    layout: Layout = "apart",
    notes: tuple[str, ...] = (),
) -> Dataset:
    """A data set of pairs.

    Args:
        sources, targets: the tokens of each sequence, none of them empty.
        of_sources, of_targets: the tokens there are; those left out become ``<unknown>``, which
            must be one of them then.
        layout: where the two stand.
        notes: to be shown to the user.
    """
    if layout == "joined":
        of_sources = of_targets = list(dict.fromkeys([*of_sources, *of_targets]))
    vocabulary = tuple(of_sources) if layout == "apart" else (BEGIN, END, *of_sources)
    class_names = (BEGIN, END, *of_targets)
    rows = (
        numbered(sources, vocabulary, _place(UNKNOWN, vocabulary)),
        numbered(targets, class_names, _place(UNKNOWN, class_names)),
    )
    inputs, outputs = (_apart if layout == "apart" else _joined)(*rows)
    return Dataset(
        inputs,
        outputs,
        "tokens",
        class_names=class_names,
        notes=notes,
        vocabulary=vocabulary,
        source_time=max(map(len, sources)) if layout == "apart" else 0,
    )


def _apart(
    sources: Sequence[list[int]], targets: Sequence[list[int]]
) -> tuple[np.ndarray, np.ndarray]:
    begun = padded([[0, *target] for target in targets])
    return np.hstack([padded(sources), begun]), padded([[*target, 1] for target in targets])


def _joined(
    sources: Sequence[list[int]], targets: Sequence[list[int]]
) -> tuple[np.ndarray, np.ndarray]:
    pairs = list(zip(sources, targets, strict=True))
    inputs = padded([[*source, 0, *target] for source, target in pairs])
    # Nothing is predicted while the source is read.
    return inputs, padded([[*[PADDING] * len(source), *target, 1] for source, target in pairs])


def _place(name: str, vocabulary: Sequence[str]) -> int:
    return vocabulary.index(name) if name in vocabulary else 0
