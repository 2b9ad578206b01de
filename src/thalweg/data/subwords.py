"""Words as sequences of learned subwords: ``learned`` joins what often stands side by side.

A subword that begins a word begins with ``WORD``, so that a text can be read from its subwords.
Where the end of a text is to be predicted, what is learned must not have seen it: sources learn
from their training rows alone, and so divide their rows themselves (``Dataset.parts``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

from thalweg.data.translation import UNKNOWN
from thalweg.errors import MissingExtra

__all__ = ["WORD", "Subwords", "is_subwords", "learned", "needs_tokenizers", "read_back"]

WORD = "▁"


class Subwords(NamedTuple):
    """What was learned.

    Args:
        names: of all subwords, ``<unknown>`` first, then letters, then what was joined, in order.
        cut: from a text to its subwords.
        written: all of it as text, from which ``read_back`` makes it again.
    """

    names: tuple[str, ...]
    cut: Callable[[str], list[str]]
    written: str


def needs_tokenizers(owner: str) -> str:
    """What to install before anything can be learned; empty where it is there."""
    if find_spec("tokenizers"):
        return ""
    return f"subwords of {owner} need tokenizers: pip install 'thalweg[subwords]'"


def learned(texts: Iterable[str], most: int, least: int, owner: str) -> Subwords:
    """Subwords of some texts by byte-pair encoding: what is side by side most often is joined.

    Args:
        texts: to learn from, words between spaces.
        most: subwords there may be; all letters of the texts are among them in any case.
        least: how often two subwords must stand side by side to be joined.
        owner: what asks, for the error.

    Raises:
        MissingExtra: tokenizers is not installed.

    Source: Sennrich, Haddow & Birch, Neural Machine Translation of Rare Words with Subword Units,
    2016, algorithm 1; as computed by tokenizers.
    """
    if missing := needs_tokenizers(owner):
        raise MissingExtra(missing)
    library = import_module("tokenizers")
    tokenizer = library.Tokenizer(library.models.BPE(unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = library.pre_tokenizers.Metaspace(WORD)
    trainer = library.trainers.BpeTrainer(
        vocab_size=most, min_frequency=least, special_tokens=[UNKNOWN], show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return _of(tokenizer)


def read_back(written: str, owner: str) -> Subwords:
    """What was learned, from its text; ``owner`` and errors as of ``learned``."""
    if missing := needs_tokenizers(owner):
        raise MissingExtra(missing)
    return _of(import_module("tokenizers").Tokenizer.from_str(written))


def _of(tokenizer: Any) -> Subwords:
    places = tokenizer.get_vocab()
    names = tuple(sorted(places, key=places.__getitem__))
    return Subwords(names, partial(_cut, tokenizer), tokenizer.to_str())


def _cut(tokenizer: Any, text: str) -> list[str]:
    return tokenizer.encode(text).tokens


def is_subwords(names: Sequence[str]) -> bool:
    """Whether tokens of such names are subwords."""
    return any(name.startswith(WORD) for name in names)
