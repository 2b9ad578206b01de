"""Sentences in two languages: ``Pairs`` from a file, ``NumberWords`` by a rule."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace as with_fields
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np

from thalweg.data.dataset import Dataset, Shares
from thalweg.data.fetch import data_folder
from thalweg.data.sources.generated import LARGEST_SEED
from thalweg.data.split import check_shares, split_groups
from thalweg.data.subwords import learned, needs_tokenizers
from thalweg.data.texts import read_text, spread
from thalweg.data.translation import Layout, known_words, translation
from thalweg.errors import DataError, MissingExtra, SpecError
from thalweg.part import choice, part

__all__ = ["NumberWords", "Pairs"]

# Words, with the apostrophes and hyphens in them, and every other sign by itself.
PIECE = re.compile(r"\w+(?:['’-]\w+)*['’]?|[^\w\s]")


def _words(text: str) -> list[str]:
    return PIECE.findall(text.lower())


def _cut_words(cut: Callable[[str], list[str]], text: str) -> list[str]:
    return cut(" ".join(_words(text)))


def _same_sources(pairs: list[tuple[list[str], list[str]]]) -> np.ndarray:
    """Of every pair a number, the same where the first sentence is."""
    numbers: dict[tuple[str, ...], int] = {}
    return np.array([numbers.setdefault(tuple(source), len(numbers)) for source, _ in pairs])


@part
class Pairs:
    r"""Sentences and their translations, in words or subwords, from a file of two columns.

    Choices: path: a text file, gzipped or not, with a tab between a sentence and its translation;
        further columns are left out; eng-fra/eng-fra.tsv.gz within $THALWEG_DATA or
        ~/.local/share/thalweg where omitted; samples: pairs to keep, evenly from the file, all
        where omitted; tokens: ``words``, or ``subwords`` that are learned for each language
        (byte-pair encoding), for both together where they are joined; least: how often a word must
        occur, rarer ones becoming ``<unknown>``, and rarer subwords staying apart; subwords: how
        many there are at most; layout: ``apart`` for an encoder and a decoder, or ``joined`` as one
        sequence; split: shares of the pairs for training, validation and test
    Shapes: inputs [pairs, source + target], targets [pairs, target]: tokens
    Watch for: words are in lower case, signs are words. A sentence may have several translations;
        its pairs are all for training, or none is. Two sentences may have one translation, which
        may so stand in both. Subwords are learned from the training rows alone, which are the same
        for every seed then.
    Source: your own file; by default English and French, Tatoeba, CC BY 2.0 FR. Licence: yours.
    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "pairs.tsv"
        ...     _ = path.write_text("Go on.\tVa !\nGo.\tVa.\n")
        ...     data = Pairs(path=str(path)).load()
        >>> data.vocabulary, data.class_names
        (('.', 'go', 'on'), ('<begin>', '<end>', 'va', '!', '.'))
        >>> data.inputs.tolist(), data.targets.tolist()
        ([[1, 2, 0, 0, 2, 3], [1, 0, -1, 0, 2, 4]], [[2, 3, 1], [2, 4, 1]])
    """

    path: str | None = choice(None)
    samples: int | None = choice(None, low=1)
    tokens: Literal["words", "subwords"] = choice(default="words")
    least: int = choice(1, low=1)
    subwords: int = choice(1000, low=1)
    layout: Layout = choice(default="apart")
    split: Shares = choice((0.8, 0.1, 0.1))
    check = check_shares

    @property
    def divides(self) -> bool:
        """Whether rows are divided here, and the same for every seed."""
        return self.tokens == "subwords"

    def missing(self) -> str:
        """What is not there and how to get it; empty where the file is."""
        if not self._file.exists():
            return (
                f"there is no file {self._file}; put a sentence, a tab and its translation in a "
                "line"
            )
        return needs_tokenizers("Pairs") if self.divides else ""

    def load(self) -> Dataset:
        if not self._file.exists():
            raise DataError(self.missing())
        lines = read_text(self._file).splitlines()
        pairs = [self._pair(line, number) for number, line in enumerate(lines, 1)]
        chosen = spread(pairs, self.samples, "Pairs.samples")
        if self.divides:
            return self._of_subwords(chosen)
        sources, targets = ([pair[side] for pair in chosen] for side in (0, 1))
        read, said = (known_words(side, self.least) for side in (sources, targets))
        note = f"{self._file.name}: {len(chosen)} pairs of {len(read)} and {len(said)} words"
        made = translation(sources, targets, read, said, self.layout, (note,))
        return with_fields(made, groups=_same_sources(chosen), cut=_words)

    def _of_subwords(self, pairs: list[tuple[list[str], list[str]]]) -> Dataset:
        """Pairs in an order of their own, of which the first are for training."""
        # Files have short sentences first; so would training.
        random = np.random.default_rng(0)
        divided = split_groups(_same_sources(pairs), self.split, 0)
        rows = (divided.train, divided.validation, divided.test)
        order = np.concatenate([random.permutation(part) for part in rows])
        parts = len(rows[0]), len(rows[1]), len(rows[2])
        texts = [[" ".join(pairs[row][side]) for row in order] for side in (0, 1)]
        heard = [side[: parts[0]] for side in texts]
        if self.layout == "joined":
            heard = [heard[0] + heard[1]] * 2
        read, said = (learned(side, self.subwords, self.least, "Pairs") for side in heard)
        sources, targets = map(read.cut, texts[0]), map(said.cut, texts[1])
        note = (
            f"{self._file.name}: {len(pairs)} pairs of {len(read.names)} and {len(said.names)} "
            f"subwords, learned from {parts[0]} of them"
        )
        made = translation([*sources], [*targets], read.names, said.names, self.layout, (note,))
        return with_fields(made, parts=parts, cut=partial(_cut_words, read.cut))

    def _pair(self, line: str, number: int) -> tuple[list[str], list[str]]:
        columns = line.split("\t")
        if len(columns) < 2:
            raise DataError(
                f"{self._file}, line {number} must hold a sentence, a tab and its translation, got "
                f"{len(columns)} column"
            )
        source, target = (_words(column) for column in columns[:2])
        if not (source and target):
            side = "second" if source else "first"
            raise DataError(
                f"{self._file}, line {number} has an empty sentence in its {side} column"
            )
        return source, target

    @property
    def _file(self) -> Path:
        if self.path is not None:
            return Path(self.path).expanduser()
        return data_folder() / "eng-fra" / "eng-fra.tsv.gz"


@part
class NumberWords:
    """Numbers in digits, to be said in words: translation whose every answer is known.

    Choices: samples: numbers, all different; below: what they are smaller than; language: code of
        a language, such as en, fr or de; lengths: ``even`` for about as many of one digit as of
        two, and so on, as far as there are so many; of all numbers alike where omitted, so that
        most are as long as can be; layout: ``apart`` for an encoder and a decoder, or
        ``joined`` as one sequence; seed: of the numbers; split: shares of the rows for training,
        validation and test
    Shapes: inputs [samples, source + target], targets [samples, target]: tokens
    Watch for: in French 80 is four times twenty, and in German the ones come before the tens.
    Source: num2words by Savoir-faire Linux. Licence: LGPL 2.1.
    Example:
        >>> data = NumberWords(samples=1, below=100, seed=1).load()
        >>> "".join(data.vocabulary[x] for x in data.inputs[0, :2])
        '47'
        >>> [data.class_names[y] for y in data.targets[0]]
        ['forty', '-', 'seven', '<end>']
    """

    samples: int = choice(2000, low=1)
    below: int = choice(10_000, low=2, high=10**9)
    language: str = choice("en")
    lengths: Literal["even"] | None = choice(None)
    layout: Layout = choice(default="apart")
    seed: int = choice(0, low=0, high=LARGEST_SEED)
    split: Shares = choice((0.7, 0.15, 0.15))

    def check(self) -> None:
        check_shares(self)
        if self.samples > self.below:
            raise SpecError(
                f"NumberWords.samples must be <= NumberWords.below, got {self.samples} and "
                f"{self.below}"
            )

    def missing(self) -> str:
        """What is not there and how to get it; empty where num2words is installed."""
        if find_spec("num2words"):
            return ""
        return "NumberWords needs num2words: pip install 'thalweg[numbers]'"

    def load(self) -> Dataset:
        if missing := self.missing():
            raise MissingExtra(missing)
        named = import_module("num2words")
        if self.language not in named.CONVERTER_CLASSES:
            raise SpecError(
                f"NumberWords.language must be one of {', '.join(named.CONVERTER_CLASSES)}, got "
                f"{self.language!r}"
            )
        random = np.random.default_rng(self.seed)
        if self.lengths is None:
            chosen = random.choice(self.below, self.samples, replace=False).tolist()
        else:
            chosen = self._of_even_lengths(random)
        sources = [list(str(number)) for number in chosen]
        said = [named.num2words(number, lang=self.language) for number in chosen]
        targets = [re.findall(r"\w+|[^\w\s]", words.lower()) for words in said]
        return translation(sources, targets, "0123456789", known_words(targets, 1), self.layout)

    def _of_even_lengths(self, random: np.random.Generator) -> list[int]:
        """Numbers of every length, in random order; what rare ones lack the others make up for."""
        ends = [*(10**digits for digits in range(1, len(str(self.below - 1)))), self.below]
        spans = sorted(zip([0, *ends], ends, strict=False), key=lambda span: span[1] - span[0])
        chosen: list[int] = []
        for number, (first, end) in enumerate(spans):
            fair = -(-(self.samples - len(chosen)) // (len(spans) - number))
            size = min(fair, end - first)
            chosen += (first + random.choice(end - first, size, replace=False)).tolist()
        return random.permutation(chosen).tolist()
