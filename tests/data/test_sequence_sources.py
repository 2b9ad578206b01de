"""Sources of sequences: rules checked by other rules, files against counts, and their errors."""

from __future__ import annotations

import gzip
import os
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from num2words import num2words

from thalweg.data import (
    MNIST,
    Addition,
    Copy,
    Dataset,
    DelayedRecall,
    Dyck,
    Names,
    NumberWords,
    Pairs,
    Parity,
    Reverse,
    SequentialMNIST,
    Text,
    split_rows,
)
from thalweg.errors import DataError, MissingExtra, SpecError

SHARED = Path(os.environ.get("THALWEG_DATA", Path(__file__).parents[3] / "shared" / "data"))


def words(row: np.ndarray, names: tuple[str, ...]) -> list[str]:
    """The names of tokens, without padding."""
    return [names[token] for token in row if token >= 0]


def translations(data: Dataset) -> list[tuple[list[str], list[str]]]:
    """Source and target of every row; what leads to a target is the target, one step later."""
    found = []
    for row, target in zip(data.inputs, data.targets, strict=True):
        source = words(row[: data.source_time], data.vocabulary)
        begun = words(row[data.source_time :], data.class_names)
        said = words(target, data.class_names)
        assert (begun[0], said[-1]) == ("<begin>", "<end>")
        assert begun[1:] == said[:-1]
        found.append((source, said[:-1]))
    return found


# ------------------------------------------------------------------------------------------- rules


def test_copies_and_reversals() -> None:
    lengths = set()
    for source, target in translations(Copy(samples=50, shortest=2, longest=5).load()):
        assert source == target
        lengths.add(len(source))
    assert lengths == {2, 3, 4, 5}
    for source, target in translations(Reverse(samples=50, shortest=2, longest=5).load()):
        assert source == target[::-1]
    assert Copy(samples=50).load().vocabulary == Copy(samples=50, seed=1).load().vocabulary


def test_sums_are_those_of_python() -> None:
    pairs = translations(Addition(samples=100, digits=1).load())
    asked = {"".join(source): "".join(target) for source, target in pairs}
    assert len(asked) == 100
    assert all(eval(question) == int(answer) for question, answer in asked.items())


def test_a_joined_pair_is_one_sequence() -> None:
    apart, joined = (
        Reverse(samples=20, shortest=2, longest=4, layout=layout).load()
        for layout in ("apart", "joined")
    )
    assert joined.source_time == 0
    assert joined.vocabulary == joined.class_names
    for row, targets, (source, target) in zip(
        joined.inputs, joined.targets, translations(apart), strict=True
    ):
        assert words(row, joined.vocabulary) == [*source, "<begin>", *target]
        assert (targets[: len(source)] == -1).all()
        assert words(targets, joined.class_names) == [*target, "<end>"]


def test_parity_counts_ones() -> None:
    data = Parity(samples=200, shortest=1, longest=6).load()
    for row, target in zip(data.inputs, data.targets, strict=True):
        assert "".join(words(row, data.vocabulary)).count("1") % 2 == target
    assert 0.3 < data.targets.mean() < 0.7


@pytest.mark.parametrize("lag", [0, 1, 4])
def test_recall_is_a_shift(lag: int) -> None:
    data = DelayedRecall(samples=30, time=6, lag=lag).load()
    assert (data.targets[:, :lag] == -1).all()
    np.testing.assert_array_equal(data.targets[:, lag:], data.inputs[:, : 6 - lag])
    assert set(np.unique(data.inputs)) == {0, 1, 2, 3}


def reduced(brackets: str) -> str:
    """What is left when pairs that stand together are taken out again and again."""
    while (shorter := re.sub(r"\(\)|\[\]|\{\}|<>", "", brackets)) != brackets:
        brackets = shorter
    return brackets


def test_brackets_are_balanced() -> None:
    data = Dyck(samples=100, time=12, kinds=3, depth=3).load()
    for row, target in zip(data.inputs, data.targets, strict=True):
        brackets = "".join(words(target, data.class_names))
        assert reduced(brackets) == ""
        heights = np.cumsum([1 if bracket in "([{" else -1 for bracket in brackets])
        assert heights.max() <= 3
        assert words(row, data.vocabulary) == ["<begin>", *brackets[:-1]]


def test_the_note_on_brackets_is_the_entropy_of_the_rule() -> None:
    # Of four brackets of one kind there are ()() and (()), each with probability ½.
    data = Dyck(samples=400, time=4, kinds=1, depth=4).load()
    assert Counter("".join(words(row, data.class_names)) for row in data.targets).keys() == {
        "()()",
        "(())",
    }
    assert f"a loss of {np.log(2) / 4:.4f} on" in data.notes[0]
    # Of two brackets of four kinds the first is drawn among four.
    assert f"a loss of {np.log(4) / 2:.4f} on" in Dyck(time=2, kinds=4).load().notes[0]


def test_numbers_are_said_as_num2words_says_them() -> None:
    for language in ("en", "fr"):
        for source, target in translations(
            NumberWords(samples=40, below=2000, language=language).load()
        ):
            said = num2words(int("".join(source)), lang=language)
            assert "".join(target) == said.replace(" ", "")


@pytest.mark.parametrize(("below", "samples"), [(10**9, 900), (1200, 1100), (10, 10), (1001, 1001)])
def test_numbers_of_even_lengths(below: int, samples: int) -> None:
    pytest.importorskip("num2words")
    data = NumberWords(samples=samples, below=below, lengths="even").load()
    own = data.inputs[:, : data.source_time]
    said = ["".join(data.vocabulary[token] for token in row if token >= 0) for row in own]
    assert len(set(said)) == samples
    assert all(str(int(text)) == text and int(text) < below for text in said)
    counts = np.bincount([len(text) for text in said])[1:]
    sizes = [
        min(10**digits, below) - (10 ** (digits - 1) if digits > 1 else 0)
        for digits in range(1, len(counts) + 1)
    ]
    # Nobody has fewer than another unless there are no more.
    assert all(n == size or n >= counts.max() - 1 for n, size in zip(counts, sizes, strict=True))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Copy(shortest=9), "Copy.shortest must be <= Copy.longest, got 9 and 8"),
        (lambda: Parity(shortest=9), "Parity.shortest must be <= Parity.longest"),
        (lambda: Addition(digits=1, samples=101), "Addition.samples must be <= 100, the sums of 1"),
        (lambda: DelayedRecall(lag=20), "DelayedRecall.lag must be < DelayedRecall.time, got 20"),
        (lambda: Dyck(time=5), "Dyck.time must be even, as brackets come in pairs, got 5"),
        (lambda: NumberWords(below=5), "NumberWords.samples must be <= NumberWords.below"),
        (lambda: NumberWords(language="xx").load(), "NumberWords.language must be one of"),
        (lambda: Copy(split=(0.5, 0.2, 0.2)), "Copy.split must be three shares that add up to 1"),
    ],
)
def test_rules_that_cannot_be(make, sentence) -> None:
    with pytest.raises(SpecError, match=re.escape(sentence)):
        make()


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thalweg.data.sources.pairs.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=re.escape("pip install 'thalweg[numbers]'")):
        NumberWords().load()


# ------------------------------------------------------------------------------------------- files


def write(folder: Path, text: str, name: str = "file.txt") -> str:
    path = folder / name
    data = text.encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return str(path)


def test_names_have_the_published_numbers() -> None:
    if not (SHARED / "names").is_dir():
        pytest.skip(f"there are no names in {SHARED}; set THALWEG_DATA to the folder that has them")
    data = Names(path=str(SHARED / "names" / "names.txt")).load()
    assert data.rows == 32_033
    assert data.vocabulary == tuple(".abcdefghijklmnopqrstuvwxyz")
    counted = data.targets >= 0
    assert counted.sum() == 228_146  # as in the lectures that made these names known
    pairs = np.zeros((27, 27))
    np.add.at(pairs, (data.inputs[counted], data.targets[counted]), 1)
    chances = pairs / pairs.sum(axis=1, keepdims=True)
    there = pairs > 0
    loss = -(pairs[there] * np.log(chances[there])).sum() / pairs.sum()
    assert loss == pytest.approx(2.4540, abs=5e-5)


def test_some_names_are_from_the_whole_file(tmp_path: Path) -> None:
    path = write(tmp_path, "ab\nc\ndd\ne\n", "names.txt.gz")
    data = Names(path=path, samples=2).load()
    assert [words(row, data.vocabulary) for row in data.inputs] == [
        [".", "a", "b"],
        [".", "d", "d"],
    ]


def test_text_is_cut_into_windows(tmp_path: Path) -> None:
    text = "the cat and the dog"
    data = Text(path=write(tmp_path, text), window=5).load()
    letters = "".join(name for row in data.inputs for name in words(row, data.vocabulary))
    answers = "".join(name for row in data.targets for name in words(row, data.class_names))
    assert (letters, answers) == (text[:-1], text[1:])
    assert data.inputs.shape == (4, 5)
    rare = Text(path=write(tmp_path, text), tokens="words", window=9, least=2).load()
    assert rare.vocabulary == ("<unknown>", "the")
    assert rare.inputs.tolist() == [[1, 0, 0, 1]]
    assert rare.targets.tolist() == [[0, 0, 1, 0]]


def test_pairs_of_sentences(tmp_path: Path) -> None:
    lines = ["I go.\tJe vais.\tby A", "I'm out!\tJ'ai dit.\tby B", "I go!\tJe vais !\tby C"]
    data = Pairs(path=write(tmp_path, "\n".join(lines)), least=2).load()
    assert data.vocabulary == ("<unknown>", "!", "go", "i")
    assert data.class_names == ("<begin>", "<end>", "<unknown>", ".", "je", "vais")
    assert translations(data) == [
        (["i", "go", "<unknown>"], ["je", "vais", "."]),
        (["<unknown>", "<unknown>", "!"], ["<unknown>", "<unknown>", "."]),
        (["i", "go", "!"], ["je", "vais", "<unknown>"]),
    ]


def test_the_sentences_that_are_shared() -> None:
    path = SHARED / "eng-fra" / "eng-fra.tsv.gz"
    if not path.exists():
        pytest.skip(f"there is no {path}; set THALWEG_DATA to the folder that has it")
    data = Pairs(path=str(path)).load()
    assert data.rows == 5000
    assert translations(data)[0] == (["go", "."], ["va", "!"])
    split = split_rows(data, Pairs().split, seed=0)
    assert [len(split.train), len(split.validation), len(split.test)] == [4000, 500, 500]
    parts = (split.train, split.validation, split.test)
    heard = [{tuple(row) for row in data.inputs[part, : data.source_time]} for part in parts]
    assert sum(map(len, heard)) == len(set.union(*heard)) < data.rows


@pytest.mark.parametrize(
    ("source", "text", "sentence"),
    [
        (Names, "", "is empty"),
        (Names, "\n \n", "is empty"),
        (Names, "ava\n\nanna\n", "line 2 is empty"),
        (Names, "ava\nst.john\n", "must hold names without '.', which stands for begin and end"),
        (Text, "", "is empty"),
        (Text, "aaaa", "must hold at least two different characters"),
        (Pairs, "", "is empty"),
        (Pairs, "go\tva\nstay\n", "line 2 must hold a sentence, a tab and its translation, got 1"),
        (Pairs, "go\tva\n\nstay\treste", "line 2 must hold a sentence, a tab and its translation"),
        (Pairs, "go\tva\nstay\t \n", "line 2 has an empty sentence in its second column"),
        (Pairs, "\tva\n", "line 1 has an empty sentence in its first column"),
    ],
)
def test_files_that_hold_no_sentences_are_refused(tmp_path, source, text, sentence) -> None:
    with pytest.raises(DataError, match=re.escape(sentence)):
        source(path=write(tmp_path, text)).load()


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=re.escape("there is no file nowhere.txt")):
        Text(path="nowhere.txt").load()
    with pytest.raises(DataError, match=re.escape("there is no file nowhere.txt; put one name")):
        Names(path="nowhere.txt").load()
    with pytest.raises(DataError, match="is a folder; name a file in it"):
        Text(path=str(tmp_path)).load()
    (tmp_path / "latin.txt").write_bytes("né".encode("latin-1"))
    with pytest.raises(DataError, match="must be text in UTF-8, got byte 2"):
        Text(path=str(tmp_path / "latin.txt")).load()
    packed = gzip.compress(b"text" * 50)
    for held in (packed[:-10], packed[:10] + b"\xff" * 10):
        (tmp_path / "cut.gz").write_bytes(held)
        with pytest.raises(DataError, match="is not a whole gzip file"):
            Text(path=str(tmp_path / "cut.gz")).load()
    with pytest.raises(DataError, match=r"Names\.samples must be <= 2, the lines"):
        Names(path=write(tmp_path, "a\nb"), samples=3).load()


def test_names_are_looked_for_where_data_are(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("THALWEG_DATA", str(tmp_path))
    assert "names/names.txt" in Names().missing()
    assert "eng-fra/eng-fra.tsv.gz" in Pairs().missing()
    (tmp_path / "names").mkdir()
    write(tmp_path / "names", "ava\nbob\n", "names.txt")
    assert Names().missing() == ""
    assert Names().load().rows == 2


def test_digits_as_sequences(mnist_folder: Path) -> None:
    fields = {"folder": str(mnist_folder), "samples": 20}
    flat = MNIST(**fields).load()
    by_row = SequentialMNIST(**fields).load()
    by_pixel = SequentialMNIST(**fields, steps="pixels").load()
    mixed = SequentialMNIST(**fields, steps="pixels", permutation=1).load()
    assert by_row.inputs.shape == (10_020, 28, 28)
    assert by_pixel.inputs.shape == (10_020, 784, 1)
    assert (by_row.targets == flat.targets).all()
    np.testing.assert_array_equal(by_pixel.inputs[..., 0], flat.inputs)
    np.testing.assert_array_equal(by_row.inputs[3, 5], flat.inputs[3, 5 * 28 : 6 * 28])
    order = np.random.default_rng(1).permutation(784)
    np.testing.assert_array_equal(mixed.inputs[7, :, 0], flat.inputs[7][order])
    with pytest.raises(SpecError, match=r"must give 0 to the test set"):
        SequentialMNIST(split=(0.8, 0.1, 0.1))
