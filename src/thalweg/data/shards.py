"""Text in many files, encoded once into one file of tokens, from which windows are read.

Files in the order of their names are one text. They are read a piece at a time, and what is made
of them is kept in the cache: a file of whole numbers as small as the vocabulary admits, one token
after the other, and beside it what was found on the way (vocabulary, counts, learned subwords).
Other files or choices make another one. Windows are cut as they are read, so that their length, and
how characters and bytes are divided into parts, change nothing that is kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from glob import glob
from itertools import accumulate, pairwise, takewhile
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from thalweg.data.dataset import Dataset, Shares
from thalweg.data.split import part_sizes
from thalweg.data.stored import (
    Files,
    Finding,
    Stored,
    cache_root,
    made_once,
    mapped,
    small_in_memory,
    written_whole,
)
from thalweg.data.subwords import learned, read_back
from thalweg.data.texts import byte_pieces, frequent, numbered, text_pieces
from thalweg.data.translation import UNKNOWN
from thalweg.errors import DataError

__all__ = ["Kind", "TokenFile", "Wanted", "files_at", "token_file", "windows"]

Kind: TypeAlias = Literal["characters", "bytes", "subwords"]

# Part of the name of what is kept; another number where the same text is to become other tokens.
FORMAT = 1
SUFFIXES = (".txt", ".txt.gz")
CODE_POINTS = 0x110000
# Characters of the longest word that is learned from.
LONGEST = 2**20

BYTES = tuple(chr(byte) if 32 < byte < 127 else f"<0x{byte:02X}>" for byte in range(256))


def files_at(path: str) -> Files:
    """The text files in a folder, or those that a pattern names, in the order of their names.

    Raises:
        DataError: there are none.
    """
    place = Path(path).expanduser()
    try:
        if place.is_dir():
            found = [file for file in place.iterdir() if file.name.endswith(SUFFIXES)]
            found = [file for file in found if not file.name.startswith(".")]
        else:
            found = [Path(name) for name in glob(str(place), recursive=True)]
        files = sorted(file for file in found if file.is_file())
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if not files:
        raise DataError(
            f"there are no text files at {path} (looked in {Path.cwd()}); name a folder that holds "
            "some, .txt or .txt.gz, or a pattern such as corpus/*.txt"
        )
    return Files.of(files)


@dataclass(frozen=True)
class Wanted:
    """How text becomes tokens.

    Args:
        tokens: what they are.
        least: as in ``Text``.
        subwords: how many there are at most.
        split: shares of the words; subwords are learned from the first.
    """

    tokens: Kind
    least: int
    subwords: int
    split: Shares

    @property
    def identity(self) -> list[Any]:
        """All of it that the tokens depend on."""
        learning = [self.subwords, self.split] if self.tokens == "subwords" else []
        return [self.tokens, self.least if self.tokens != "bytes" else 1, *learning]


class TokenFile(NamedTuple):
    """Tokens as they lie in the cache.

    Args:
        path: of the file.
        vocabulary: names of the tokens.
        counts: tokens of every stretch, which are one where they are divided nowhere yet.
        cut: from a text to names of tokens; None where they are what the eye sees.
    """

    path: Path
    vocabulary: tuple[str, ...]
    counts: tuple[int, ...]
    cut: Callable[[str], list[str]] | None

    @property
    def dtype(self) -> np.dtype:
        """Type of its numbers."""
        return np.min_scalar_type(len(self.vocabulary) - 1)


# --------------------------------------------------------------------------------------- encoding


def token_file(shards: Files, wanted: Wanted, owner: str) -> TokenFile:
    """The tokens of some files, which are encoded where that was not done yet.

    Args:
        shards: the files.
        wanted: how they become tokens.
        owner: what asks, for the error.

    Raises:
        DataError: a file cannot be read, holds no text, or changes meanwhile; or the cache cannot
            be written.
        MissingExtra: of subwords, tokenizers is not installed.
    """
    told = [FORMAT, shards.identity, wanted.identity]
    named = hashlib.sha256(json.dumps(told).encode()).hexdigest()
    path, finding = cache_root() / "data" / f"tokens-{named}.bin", Finding("tokens", named)

    def found() -> TokenFile | None:
        kept = finding.kept()
        if kept is None or not path.exists():
            return None
        there = _told(path, kept, owner)
        is_whole = path.stat().st_size == sum(there.counts) * there.dtype.itemsize
        return there if is_whole else None

    def make() -> TokenFile:
        return _told(path, finding.keep(_encoded(shards, wanted, path, owner)), owner)

    return made_once(path, found, make)


def _told(path: Path, kept: dict[str, Any], owner: str) -> TokenFile:
    cut = None
    if kept["tokens"] == "bytes":
        cut = _bytes_of
    if kept["tokens"] == "subwords":
        cut = read_back(kept["subwords"], owner).cut
    return TokenFile(path, tuple(kept["vocabulary"]), tuple(kept["counts"]), cut)


def _bytes_of(text: str) -> list[str]:
    return [BYTES[byte] for byte in text.encode()]


# What files become: a vocabulary, what was learned as text, how many stretches there are, and their
# tokens, some at a time, with the number of the stretch.
Encoding: TypeAlias = tuple[tuple[str, ...], str, int, Iterator[tuple[int, np.ndarray]]]


def _encoded(shards: Files, wanted: Wanted, to: Path, owner: str) -> dict[str, Any]:
    """Write the tokens of some files; what is told of them."""
    paths = [Path(path) for path in shards.paths]
    if wanted.tokens == "characters":
        vocabulary, subwords, stretches, tokens = _characters(paths, wanted.least)
    elif wanted.tokens == "bytes":
        vocabulary, subwords, stretches, tokens = _bytes(paths)
    else:
        vocabulary, subwords, stretches, tokens = _subwords(paths, wanted, owner)
    counts = [0] * stretches
    with written_whole(to) as file:
        for stretch, piece in tokens:
            file.write(piece.astype(np.min_scalar_type(len(vocabulary) - 1)).data)
            counts[stretch] += len(piece)
        shards.check(range(len(paths)))
    return {
        "tokens": wanted.tokens,
        "vocabulary": vocabulary,
        "counts": counts,
        "subwords": subwords,
    }


def _bytes(paths: Iterable[Path]) -> Encoding:
    pieces = (np.frombuffer(piece, np.uint8) for path in paths for piece in byte_pieces(path))
    return BYTES, "", 1, ((0, piece) for piece in pieces)


def _characters(paths: Iterable[Path], least: int) -> Encoding:
    counts = np.zeros(CODE_POINTS, int)
    for points in _code_points(paths):
        each = np.bincount(points)
        counts[: len(each)] += each
    there = np.flatnonzero(counts)
    known = frequent({chr(point): int(counts[point]) for point in there}, least)
    # Where all are known, nothing else stands in the vocabulary.
    vocabulary = tuple(known) if len(known) == len(there) else (UNKNOWN, *known)
    places = np.zeros(CODE_POINTS, np.int32)
    places[[ord(name) for name in known]] = np.arange(len(vocabulary) - len(known), len(vocabulary))
    return vocabulary, "", 1, ((0, places[points]) for points in _code_points(paths))


def _code_points(paths: Iterable[Path]) -> Iterator[np.ndarray]:
    """The characters of some files as numbers, a piece at a time."""
    for path in paths:
        for text in text_pieces(path):
            yield np.frombuffer(text.encode("utf-32-le"), np.uint32)


def _subwords(paths: Iterable[Path], wanted: Wanted, owner: str) -> Encoding:
    """Three stretches of words, of which subwords are learned from the first, as in ``Text``."""
    pieces = partial(_words, paths)
    words = sum(map(len, pieces()))
    if not words:
        raise DataError(f"there are no words in the files of {owner}, from which to learn subwords")
    sizes = part_sizes(words, wanted.split)
    first = takewhile(lambda given: given[0] == 0, _stretches(pieces(), sizes))
    found = learned((text for _, text in first), wanted.subwords, wanted.least, owner)

    def encoded() -> Iterator[tuple[int, np.ndarray]]:
        for stretch, text in _stretches(pieces(), sizes):
            (tokens,) = numbered([found.cut(text)], found.names)
            yield stretch, np.array(tokens, np.int32)

    return found.names, found.written, len(sizes), encoded()


def _words(paths: Iterable[Path]) -> Iterator[list[str]]:
    """The words of some files, some at a time; none goes on in another file."""
    for path in paths:
        rest = ""
        for piece in text_pieces(path):
            text = rest + piece
            words = text.split()
            rest = words.pop() if words and not text[-1].isspace() else ""
            if len(rest) > LONGEST:
                raise DataError(
                    f"{path} has a word of more than {LONGEST:,} characters, from which no "
                    "subwords can be learned; take characters or bytes as tokens"
                )
            yield words
        if rest:
            yield [rest]


def _stretches(pieces: Iterable[list[str]], sizes: Iterable[int]) -> Iterator[tuple[int, str]]:
    """Words side by side, each text of one stretch alone, with its number.

    Args:
        pieces: all words, some at a time.
        sizes: how many words every stretch has.
    """
    ends, at = [*accumulate(sizes, initial=0)], 0
    for words in pieces:
        for stretch, (begin, end) in enumerate(pairwise(ends)):
            if own := words[max(begin - at, 0) : max(end - at, 0)]:
                yield stretch, " ".join(own)
        at += len(words)


# ---------------------------------------------------------------------------------------- windows


@dataclass(frozen=True)
class _Windows:
    """Windows of tokens, which lie one after the other in every part of a file.

    Args:
        files: the file alone.
        stored: type of its numbers.
        tokens: how many there are.
        begins: the first token of every part.
        first_rows: the number of the first window of every part.
        window: tokens of each.
    """

    files: Files
    stored: np.dtype
    tokens: int
    begins: tuple[int, ...]
    first_rows: tuple[int, ...]
    window: int

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        lying = mapped(self.files, self.stored, 0, (self.tokens,))
        part = np.searchsorted(self.first_rows, rows, side="right") - 1
        within = rows - np.take(self.first_rows, part)
        starts = np.take(self.begins, part) + within * self.window
        return sliding_window_view(lying, self.window)[starts].astype(np.int32)


def windows(of: TokenFile, wanted: Wanted, window: int, place: str, owner: str) -> Dataset:
    """Tokens as a data set, in which each is to be predicted from those before it in its window.

    Every part is a stretch of the text, and none of its windows reaches into the next: what is left
    over at its end, less than a window, is in none.

    Args:
        of: the tokens.
        wanted: what they are, and how they are divided.
        window: tokens that a row predicts.
        place: where they come from, for errors and notes.
        owner: what asks.

    Raises:
        DataError: they are too few.
    """
    total = sum(of.counts)
    if len(of.vocabulary) < 2 or total < 2:
        raise DataError(f"{place} must hold at least two different {wanted.tokens}")
    counts = part_sizes(total, wanted.split) if len(of.counts) == 1 else of.counts
    # The last token of a window is predicted, and the first of the next.
    rows = [max(count - 1, 0) // window for count in counts]
    for share, count, many in zip(wanted.split, counts, rows, strict=True):
        if share and not many:
            raise DataError(
                f"{place} must hold more than {window} {wanted.tokens} for each part of "
                f"{owner}.split, got {count}; give shorter windows, or leave the part out"
            )
    begins, first_rows = ([0, *accumulate(sizes)][:-1] for sizes in (counts, rows))
    files, shape = Files.of([of.path]), (sum(rows), window)

    def stored(shift: int) -> Stored:
        own = tuple(begin + shift for begin in begins)
        read = _Windows(files, of.dtype, total, own, tuple(first_rows), window)
        reading = f"windows of {window} from {own}, rows from {first_rows}"
        return Stored(files, read, shape, np.dtype(np.int32), reading, checked=True)

    used = sum(many * window + 1 for many in rows if many)
    note = (
        f"{place}: {total:,} {wanted.tokens}, {len(of.vocabulary):,} different ones; "
        f"{total - used:,} at the ends of parts are left out"
    )
    return Dataset(
        small_in_memory(stored(0)),
        small_in_memory(stored(1)),
        "tokens",
        class_names=of.vocabulary,
        notes=(note,),
        vocabulary=of.vocabulary,
        parts=(rows[0], rows[1], rows[2]),
        running=True,
        cut=of.cut,
    )
