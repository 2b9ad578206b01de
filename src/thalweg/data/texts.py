"""Text as sequences of tokens: reading files by line, counting vocabularies, shifting by one."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from thalweg.data.dataset import Dataset
from thalweg.data.sequences import padded
from thalweg.errors import DataError

__all__ = ["language_model", "most_frequent", "numbered", "read_lines", "read_text", "spread"]

T = TypeVar("T")


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, gzipped or not.

    Raises:
        DataError: it is absent, empty, or holds something else.
    """
    try:
        text = (gzip.decompress if path.suffix == ".gz" else bytes)(path.read_bytes()).decode()
    except FileNotFoundError:
        raise DataError(f"there is no file {path}") from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder; name a file in it") from None
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise DataError(f"{path} is not a whole gzip file") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} must be text in UTF-8, got byte {error.start + 1}") from None
    if not text.strip():
        raise DataError(f"{path} is empty")
    return text


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, none of which may be empty, without space around them."""
    lines = [line.strip() for line in read_text(path).splitlines()]
    for number, line in enumerate(lines, 1):
        if not line:
            raise DataError(f"{path}, line {number} is empty")
    return lines


def spread(lines: Sequence[T], samples: int | None, place: str) -> list[T]:
    """So many lines, evenly from the whole file; all where no number is asked for.

    Args:
        lines: of the file, or what was made of each.
        samples: how many to keep.
        place: the field that asks, for the error.
    """
    if samples is None:
        return list(lines)
    if samples > len(lines):
        raise DataError(f"{place} must be <= {len(lines)}, the lines there are, got {samples}")
    return [lines[row * len(lines) // samples] for row in range(samples)]


def most_frequent(words: Iterable[str], least: int = 1) -> list[str]:
    """Words that occur at least so often, the most frequent first, equals in their order."""
    counts = sorted(Counter(words).items(), key=lambda item: (-item[1], item[0]))
    return [word for word, count in counts if count >= least]


def numbered(
    sequences: Iterable[Sequence[str]], vocabulary: Sequence[str], unknown: int = 0
) -> list[list[int]]:
    """Sequences of words as positions in a vocabulary; those not in it are the unknown one's."""
    places = {word: place for place, word in enumerate(vocabulary)}
    return [[places.get(word, unknown) for word in sequence] for sequence in sequences]


def language_model(
    sequences: list[list[int]], vocabulary: tuple[str, ...], notes: tuple[str, ...] = ()
) -> Dataset:
    """A data set in which every token is to be predicted from those before it."""
    whole = padded(sequences)
    # The last token of each sequence is predicted, and leads to nothing.
    inputs = np.where(whole[:, 1:] >= 0, whole[:, :-1], -1)
    return Dataset(
        inputs,
        whole[:, 1:],
        "tokens",
        class_names=vocabulary,
        notes=notes,
        vocabulary=vocabulary,
    )
