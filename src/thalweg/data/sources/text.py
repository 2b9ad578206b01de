"""Text of which every token is predicted from those before it: ``Names``, and your own ``Text``."""

from __future__ import annotations

from dataclasses import replace as with_fields
from itertools import accumulate, chain, pairwise
from pathlib import Path
from typing import Literal

from thalweg.data.dataset import Dataset, Shares
from thalweg.data.fetch import data_folder
from thalweg.data.split import check_shares, part_sizes
from thalweg.data.subwords import learned, needs_tokenizers
from thalweg.data.texts import (
    language_model,
    most_frequent,
    numbered,
    read_lines,
    read_text,
    spread,
)
from thalweg.data.translation import UNKNOWN
from thalweg.errors import DataError
from thalweg.part import choice, part

__all__ = ["Names", "Text"]

BOUNDARY = "."


@part
class Names:
    r"""Given names, letter by letter: the smallest language to model.

    Formula: of a name c_1 … c_n the inputs are ``.`` c_1 … c_n, the targets c_1 … c_n ``.``
    Choices: path: a text file of one name a line; names/names.txt within $THALWEG_DATA or
        ~/.local/share/thalweg where omitted; samples: names to keep, evenly from the file, all
        where omitted; split: shares of the names for training, validation and test
    Shapes: inputs [32033, 16], targets [32033, 16]: tokens
    Watch for: one token, ``.``, stands for begin and end. Tokens alone have an entropy of 2.82
        nats; given the letter before 2.45, the best any network of one letter can do.
    Source: makemore by A. Karpathy, from records of the US Social Security Administration.
        Licence: MIT.
    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "names.txt"
        ...     _ = path.write_text("ava\nanna\n")
        ...     data = Names(path=str(path)).load()
        >>> data.vocabulary, data.inputs.tolist()
        (('.', 'a', 'n', 'v'), [[0, 1, 3, 1, -1], [0, 1, 2, 2, 1]])
        >>> data.targets.tolist()
        [[1, 3, 1, 0, -1], [1, 2, 2, 1, 0]]
    """

    path: str | None = choice(None)
    samples: int | None = choice(None, low=1)
    split: Shares = choice((0.8, 0.1, 0.1))
    check = check_shares

    def missing(self) -> str:
        """What is not there and how to get it; empty where the file is."""
        if self._file.exists():
            return ""
        return f"there is no file {self._file}; put one name a line there, or give Names.path"

    def load(self) -> Dataset:
        if missing := self.missing():
            raise DataError(missing)
        names = spread(read_lines(self._file), self.samples, "Names.samples")
        for name in names:
            if BOUNDARY in name:
                raise DataError(
                    f"{self._file} must hold names without {BOUNDARY!r}, which stands for begin "
                    f"and end, got {name!r}"
                )
        vocabulary = (BOUNDARY, *sorted(set("".join(names))))
        return language_model(
            numbered((f"{BOUNDARY}{name}{BOUNDARY}" for name in names), vocabulary), vocabulary
        )

    @property
    def _file(self) -> Path:
        if self.path is not None:
            return Path(self.path).expanduser()
        return data_folder() / "names" / "names.txt"


@part
class Text:
    r"""Your own text, cut into windows, of which every character, word or subword is predicted.

    Choices: path: a text file in UTF-8, gzipped or not; tokens: ``characters``, ``words`` between
        spaces, or ``subwords`` that are learned (byte-pair encoding); window: tokens a row
        predicts; least: how often a token must occur, rarer ones becoming ``<unknown>``, and rarer
        subwords staying apart; subwords: how many there are at most; stretches: whether the parts
        of the split are one stretch of the text each, the last for the test, as those of subwords
        always are; split: shares of the windows for training, validation and test, of subwords
        those of the words
    Shapes: inputs and targets [rows, window]: tokens
    Watch for: windows do not overlap, and none knows what came before it, unless stretches are read
        in streams (``training.order``). Windows of the test are drawn from all over the text where
        parts are no stretches, so a passage may have its neighbours in training. Subwords are
        learned from the first words. Losses a token of different tokens are of different things.
    Source: your own file. Licence: yours.
    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "song.txt"
        ...     _ = path.write_text("la la la li\nla la\n")
        ...     data = Text(path=str(path), tokens="words", window=3).load()
        >>> data.vocabulary, data.inputs.tolist(), data.targets.tolist()
        (('la', 'li'), [[0, 0, 0], [1, 0, -1]], [[0, 0, 1], [0, 0, -1]])
    """

    path: str = choice()
    tokens: Literal["characters", "words", "subwords"] = choice(default="characters")
    window: int = choice(64, low=1)
    least: int = choice(1, low=1)
    subwords: int = choice(1000, low=1)
    stretches: bool = choice(default=False)
    split: Shares = choice((0.8, 0.1, 0.1))
    check = check_shares

    @property
    def divides(self) -> bool:
        """Whether rows are divided here, and the same for every seed."""
        return self.stretches or self.tokens == "subwords"

    def missing(self) -> str:
        """What is not there and how to get it; empty where nothing is missing."""
        return needs_tokenizers("Text") if self.tokens == "subwords" else ""

    def load(self) -> Dataset:
        path = Path(self.path).expanduser()
        text = read_text(path)
        if self.tokens == "subwords":
            return self._of_subwords(text.split(), path)
        pieces = text.split() if self.tokens == "words" else list(text)
        known = most_frequent(pieces, self.least)
        # Where all are known, nothing else stands in the vocabulary.
        rare = len(known) < len(set(pieces))
        vocabulary = (UNKNOWN, *known) if rare else tuple(known)
        if len(vocabulary) < 2 or len(pieces) < 2:
            raise DataError(f"{path} must hold at least two different {self.tokens}, got {known}")
        (tokens,) = numbered([pieces], vocabulary)
        note = f"{path.name}: {len(pieces)} {self.tokens}, {len(vocabulary)} different ones"
        made = language_model(self._windows(tokens), vocabulary, (note,))
        if not self.stretches:
            return made
        return with_fields(made, parts=part_sizes(made.rows, self.split), running=True)

    def _windows(self, tokens: list[int]) -> list[list[int]]:
        starts = range(0, len(tokens) - 1, self.window)
        return [tokens[start : start + self.window + 1] for start in starts]

    def _of_subwords(self, words: list[str], path: Path) -> Dataset:
        """Three stretches of words, of which subwords are learned from the first."""
        begins = [0, *accumulate(part_sizes(len(words), self.split))]
        stretches = [" ".join(words[slice(*ends)]) for ends in pairwise(begins)]
        known, cut, _ = learned(stretches[:1], self.subwords, self.least, "Text")
        pieces = [cut(stretch) for stretch in stretches]
        windows = [self._windows(tokens) for tokens in numbered(pieces, known)]
        parts = tuple(map(len, windows))
        for stretch, rows, share in zip(pieces, parts, self.split, strict=True):
            if share and not rows:
                raise DataError(
                    f"{path} must hold at least two subwords for each of Text.split, got {stretch}"
                )
        note = (
            f"{path.name}: {sum(map(len, pieces))} subwords, {len(known)} different ones, learned "
            f"from the first {begins[1]} words"
        )
        made = language_model([*chain(*windows)], known, (note,))
        return with_fields(made, parts=parts, running=True, cut=cut)
