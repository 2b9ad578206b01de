"""Your own text in many files, which may be larger than memory: ``TextShards``."""

from __future__ import annotations

from thalweg.data.dataset import Dataset, Shares
from thalweg.data.shards import Kind, Wanted, files_at, token_file, windows
from thalweg.data.split import check_shares
from thalweg.data.subwords import needs_tokenizers
from thalweg.part import choice, part

__all__ = ["TextShards"]


@part
class TextShards:
    r"""Your own text in many files, more than memory holds, of which every token is predicted.

    Choices: path: a folder of text files in UTF-8, ``.txt`` or ``.txt.gz``, or a pattern such as
        ``corpus/**/*.txt``; tokens: ``characters``, ``bytes``, or ``subwords`` that are learned
        (byte-pair encoding); window: tokens a row predicts; least: how often a token must occur,
        rarer ones becoming ``<unknown>``, and rarer subwords staying apart; subwords: how many
        there are at most; split: shares of the text for training, validation and test, of subwords
        those of the words
    Shapes: inputs and targets [rows, window]: tokens
    Watch for: files in the order of their names are one text, and parts of the split are stretches
        of it, the last for the test. No window reaches into another part; what is left over at the
        end of a part, less than a window, is in none. Tokens are encoded once, into a file in the
        cache of 1 to 4 bytes for each. Subwords are learned from all words for training, of which
        the different ones must fit into memory; no word goes on in another file.
    Source: your own files. Licence: yours.
    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     for number, line in enumerate(("la la ", "li la")):
        ...         _ = Path(folder, f"{number}.txt").write_text(line)
        ...     data = TextShards(path=folder, window=3, split=(0.6, 0.0, 0.4)).load()
        >>> data.vocabulary, data.parts
        (('l', ' ', 'a', 'i'), (2, 0, 1))
    """

    path: str = choice()
    tokens: Kind = choice(default="characters")
    window: int = choice(64, low=1)
    least: int = choice(1, low=1)
    subwords: int = choice(1000, low=1)
    split: Shares = choice((0.8, 0.1, 0.1))
    check = check_shares

    @property
    def divides(self) -> bool:
        """Whether rows are divided here, and the same for every seed: always."""
        return True

    def missing(self) -> str:
        """What is not there and how to get it; empty where nothing is missing."""
        return needs_tokenizers("TextShards") if self.tokens == "subwords" else ""

    def load(self) -> Dataset:
        wanted = Wanted(self.tokens, self.least, self.subwords, self.split)
        found = token_file(files_at(self.path), wanted, "TextShards")
        return windows(found, wanted, self.window, self.path, "TextShards")
