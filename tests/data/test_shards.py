"""Text in many files: the tokens are those of the joined text, windows keep to their parts."""

from __future__ import annotations

import gzip
import signal
import subprocess
import sys
import threading
import tracemalloc
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thalweg.data import Dataset, Text, TextShards, shards, split_rows, stored, texts
from thalweg.data.prompts import end_of, pieces_of, prompts_from, prompts_of, reader
from thalweg.errors import DataError

LETTERS = list("abc dé\n€𝄞")
SPLIT = (0.5, 0.3, 0.2)


@pytest.fixture(autouse=True)
def _a_little_at_a_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Pieces end within characters and words, and all tokens stay on disk."""
    monkeypatch.setattr(texts, "PIECE", 7)
    monkeypatch.setattr(stored, "WHOLE", 0)
    monkeypatch.setattr(stored, "BLOCK", 1000)
    monkeypatch.setenv("THALWEG_CACHE", str(tmp_path / "cache"))


def corpus(folder: Path, files: int = 3, letters: int = 400, packed: bool = False) -> list[str]:
    """Some files of random letters; no word goes on in another file."""
    folder.mkdir(exist_ok=True)
    random, made = np.random.default_rng(0), []
    for number in range(files):
        end = "ab" if number == files - 1 else "\n"
        made.append("".join(random.choice(LETTERS, letters)) + end)
        held = made[-1].encode()
        name = f"{number}.txt.gz" if packed else f"{number}.txt"
        (folder / name).write_bytes(gzip.compress(held) if packed else held)
    return made


def cache(folder: Path) -> list[str]:
    """Endings of the names of the files that hold tokens."""
    found = (folder / "cache/thalweg/data").glob("tokens-*.bin*")
    return sorted(path.name.partition(".")[2] for path in found)


def cut_by_hand(tokens: list[int], window: int) -> tuple[list[list[int]], list[list[int]], list]:
    """Windows of each of three stretches, and how many each has, in plain Python."""
    inputs, targets, counts = [], [], []
    held, last = (int(share * len(tokens) + 0.5) for share in SPLIT[1:])
    first = len(tokens) - held - last
    for part in (tokens[:first], tokens[first : first + held], tokens[first + held :]):
        before = len(inputs)
        while len(part) > window:
            inputs.append(part[:window])
            targets.append(part[1 : window + 1])
            part = part[window:]
        counts.append(len(inputs) - before)
    return inputs, targets, counts


# ------------------------------------------------------------------------------------ what is read


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("tokens", ["characters", "bytes"])
def test_rows_are_those_cut_from_the_joined_text(
    tokens: Any, packed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined = "".join(corpus(tmp_path / "corpus", packed=packed))
    source = TextShards(path=str(tmp_path / "corpus"), tokens=tokens, window=11, split=SPLIT)
    data = source.load()
    if tokens == "bytes":
        numbers = list(joined.encode())
    else:
        counts = Counter(joined)
        names = sorted(counts, key=lambda name: (-counts[name], name))
        assert data.vocabulary == tuple(names)
        numbers = [names.index(letter) for letter in joined]
    inputs, targets, rows = cut_by_hand(numbers, 11)
    assert data.is_stored
    assert isinstance(data.targets, stored.Stored)
    assert data.parts == tuple(rows)
    np.testing.assert_array_equal(data.inputs[:], inputs)
    np.testing.assert_array_equal(data.targets[:], targets)
    chosen = np.array([rows[0], 0, len(inputs) - 1, rows[0]])
    np.testing.assert_array_equal(data.targets[chosen], np.array(targets)[chosen])
    assert data.counted is not None
    assert data.counted.tolist() == [11] * len(inputs)
    monkeypatch.setattr(stored, "WHOLE", 2**20)
    whole = source.load()
    assert isinstance(whole.inputs, np.ndarray)
    assert isinstance(whole.targets, np.ndarray)
    assert (whole.inputs.dtype, whole.targets.dtype) == (np.int32, np.int32)
    assert whole.fingerprint == data.fingerprint
    assert whole.inputs.tobytes() == data.inputs[:].tobytes()


def test_subwords_are_those_of_the_joined_text(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    path = tmp_path / "joined.txt"
    path.write_text("".join(corpus(tmp_path / "corpus")))
    given: Any = {"tokens": "subwords", "subwords": 40, "window": 11, "split": SPLIT}
    data = TextShards(path=str(tmp_path / "corpus"), **given).load()
    joined = Text(path=str(path), **given).load()
    assert any(len(name) > 2 for name in data.vocabulary[1:])
    assert data.vocabulary == joined.vocabulary
    full = (joined.targets[:] >= 0).all(axis=1)  # Text keeps what is left over, padded
    for own, other in ((data.inputs, joined.inputs), (data.targets, joined.targets)):
        np.testing.assert_array_equal(own[:], other[np.flatnonzero(full)])
    again = TextShards(path=str(tmp_path / "corpus"), **given).load()
    assert pieces_of(again, "abc a") == pieces_of(joined, "abc a")


def test_no_window_reaches_into_another_part(tmp_path: Path) -> None:
    # Every character is another one, so that a token says where it stands.
    (tmp_path / "a.txt").write_text("".join(map(chr, range(0x4E00, 0x4E00 + 1003))))
    data = TextShards(path=str(tmp_path / "*.txt"), window=10, split=SPLIT).load()
    ends = np.cumsum([0, 501, 301, 201])
    split = split_rows(data, SPLIT, 5)
    for part, rows in enumerate((split.train, split.validation, split.test)):
        seen = np.concatenate([data.inputs[rows], data.targets[rows]], axis=1)
        assert seen.min() == ends[part]
        assert ends[part + 1] - 10 <= seen.max() < ends[part + 1]
    assert len(split.train) + len(split.validation) + len(split.test) == data.rows
    # Rows go on from one another, as streams have it.
    assert data.running
    np.testing.assert_array_equal(
        data.targets[:][: len(split.train) - 1, -1], data.inputs[:][1 : len(split.train), 0]
    )


def test_rare_characters_are_one(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("abab" * 9 + "xyz")
    data = TextShards(path=str(tmp_path), window=3, least=2, split=(1.0, 0.0, 0.0)).load()
    assert data.vocabulary == ("<unknown>", "a", "b")
    assert data.targets[:][-1].tolist() == [1, 2, 0]


def test_targets_on_disk_may_be_padded(tmp_path: Path) -> None:
    tokens = np.array([[0, 1, 2], [1, 2, -1], [2, -1, -1]], np.int32)
    targets = np.where(tokens == 0, -1, tokens)
    held = []
    for name, array in (("x", tokens), ("y", targets)):
        array.tofile(tmp_path / name)
        files = stored.Files.of([tmp_path / name])
        read = stored.MappedRows(files, array.dtype, 0, array.shape, array.dtype)
        held.append(stored.Stored(files, read, array.shape, array.dtype, checked=True))
    names: Any = {"class_names": ("a", "b", "c"), "vocabulary": ("a", "b", "c")}
    lying, whole = (Dataset(*both, "tokens", **names) for both in (held, (tokens, targets)))
    assert lying.fingerprint == whole.fingerprint
    assert lying.counted is not None
    assert lying.counted.tolist() == [2, 2, 1]
    with pytest.raises(DataError, match="a pool needs all targets at once, but they take 3"):
        lying.whole_targets("a pool")
    with pytest.raises(DataError, match="targets may stay on disk only beside tokens that do"):
        Dataset(tokens, held[1], "tokens", **names)


def test_files_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    for place, held in {"b.txt": "bb", "a.txt": "aa", ".hidden.txt": "x", "c.md": "y"}.items():
        (tmp_path / place).write_text(held)
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "c.txt").write_text("ab")
    every = {"window": 1, "split": (1.0, 0.0, 0.0)}
    flat = TextShards(path=str(tmp_path), **every).load()
    assert flat.inputs[:].ravel().tolist() == [0, 0, 1]
    deep = TextShards(path=f"{tmp_path}/**/*.txt", **every).load()
    assert deep.inputs[:].ravel().tolist() == [0, 0, 1, 1, 0]


def test_prompts_of_text_on_disk(tmp_path: Path) -> None:
    corpus(tmp_path / "corpus")
    data = TextShards(path=str(tmp_path / "corpus"), tokens="bytes", window=6).load()
    assert end_of(data) is None
    said = prompts_from(data, [pieces_of(data, "aé")])
    assert said.begun.tolist() == [[0x61, 0xC3, 0xA9]]
    assert reader(data.vocabulary)(said.begun[0]) == "a<0xC3><0xA9>"
    np.testing.assert_array_equal(prompts_of(data, np.arange(3)).begun, data.inputs[:3][:, :1])


# ------------------------------------------------------------------------------------ what is kept


def test_text_is_encoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus(tmp_path / "corpus")
    source = TextShards(path=str(tmp_path / "corpus"), window=9)
    first = source.load()
    with monkeypatch.context() as patched:
        patched.setattr(shards, "text_pieces", None)  # no text is read
        assert source.load().fingerprint == first.fingerprint
        other = TextShards(path=str(tmp_path / "corpus"), window=4, split=SPLIT).load()
        assert other.inputs.shape[1] == 4
    assert cache(tmp_path) == ["bin", "bin.lock"]
    (tmp_path / "corpus" / "1.txt").write_text("other text of another length\n" * 20)
    assert source.load().fingerprint != first.fingerprint


def test_tokens_are_small(tmp_path: Path) -> None:
    (made,) = corpus(tmp_path / "corpus", files=1)
    TextShards(path=str(tmp_path / "corpus"), window=9).load()
    (path,) = (tmp_path / "cache/thalweg/data").glob("tokens-*.bin")
    assert path.stat().st_size == len(made)


def test_a_file_that_changes_while_it_is_encoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus(tmp_path / "corpus")

    def pieces(path: Path) -> Any:
        yield "ab" * 500
        (tmp_path / "corpus" / "0.txt").write_text("changed")

    monkeypatch.setattr(shards, "text_pieces", pieces)
    with pytest.raises(DataError, match=r"0\.txt has changed since the data were loaded; give the"):
        TextShards(path=str(tmp_path / "corpus")).load()
    assert cache(tmp_path) == ["bin.lock"]


def test_tokens_that_change_after_loading_are_not_read(tmp_path: Path) -> None:
    corpus(tmp_path / "corpus")
    data = TextShards(path=str(tmp_path / "corpus"), window=9).load()
    (path,) = (tmp_path / "cache/thalweg/data").glob("tokens-*.bin")
    path.write_bytes(b"\0" * 3)
    with pytest.raises(DataError, match="has changed since the data were loaded"):
        data.targets[:1]
    again = TextShards(path=str(tmp_path / "corpus"), window=9).load()
    assert again.fingerprint == data.fingerprint
    assert path.stat().st_size > 3
    path.unlink()
    with pytest.raises(DataError, match="cannot be read: No such file"):
        again.inputs[:1]


KILLED = """
import os, signal, sys
from thalweg.data import TextShards, stored
# At the end of encoding all files are looked at again: all is written, and nothing has its name.
stored.Files.check = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
TextShards(path=sys.argv[1]).load()
"""


def test_a_killed_process_leaves_nothing_that_is_taken_for_whole(tmp_path: Path) -> None:
    corpus(tmp_path / "corpus")
    given = [sys.executable, "-c", KILLED, str(tmp_path / "corpus")]
    assert subprocess.run(given, check=False).returncode == -signal.SIGKILL
    (left,) = (name for name in cache(tmp_path) if name != "bin.lock")
    assert left.endswith(".partial")
    data = TextShards(path=str(tmp_path / "corpus")).load()
    assert cache(tmp_path) == ["bin", "bin.lock"]
    (tmp_path / "corpus").rename(tmp_path / "moved")  # which is encoded anew
    assert TextShards(path=str(tmp_path / "moved")).load().fingerprint == data.fingerprint


def test_whoever_comes_second_waits(tmp_path: Path) -> None:
    path, made = tmp_path / "cache" / "made", []

    def found() -> bytes | None:
        return path.read_bytes() if path.exists() else None

    def make() -> bytes:
        made.append(threading.current_thread().name)
        second.start()
        second.join(0.2)
        with stored.written_whole(path) as file:
            file.write(b"all")
        return b"all"

    def again() -> None:
        assert stored.made_once(path, found, make) == b"all"
        made.append("found")

    second = threading.Thread(target=again)
    assert stored.made_once(path, found, make) == b"all"
    second.join(10)
    assert made == [threading.current_thread().name, "found"]


def test_tokens_that_are_there_need_no_cache_that_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus(tmp_path / "corpus")
    source = TextShards(path=str(tmp_path / "corpus"), window=9)
    first = source.load()
    monkeypatch.setattr(stored.fcntl, "flock", None)
    assert source.load().fingerprint == first.fingerprint


def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "PIECE", 2**18)
    monkeypatch.setattr(stored, "BLOCK", 2**20)
    size = 2**26
    (tmp_path / "long.txt").write_bytes(b"a line of text \n" * (size // 16))
    tracemalloc.start()
    try:
        data = TextShards(path=str(tmp_path / "long.txt"), window=1024).load()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert data.rows * 1024 > 0.99 * size
    assert peak < size / 2


# ----------------------------------------------------------------------------------- what is wrong


def of_file(name: str, held: bytes, **fields: Any) -> Callable[[Path], Dataset]:
    def load(folder: Path) -> Dataset:
        (folder / name).write_bytes(held)
        return TextShards(path=str(folder), **fields).load()

    return load


WORDS = b"some words " * 400
PACKED = gzip.compress(np.random.default_rng(0).bytes(9000).hex().encode())
BAD = {
    "no files": (lambda folder: TextShards(path=str(folder)).load(), "there are no text files at"),
    "no match": (of_file("a.md", WORDS), r"no text files at .*; name a folder that holds some"),
    "empty": (of_file("a.txt", b""), "must hold at least two different characters"),
    "one letter": (of_file("a.txt", b"aaaa" * 99), "must hold at least two different characters"),
    "latin": (of_file("a.txt", b"n\xe9"), r"a\.txt must be text in UTF-8, got byte 2$"),
    "cut off": (of_file("a.txt", b"abcdefgh\xc3"), "must be text in UTF-8, got byte 9$"),
    "far": (of_file("a.txt", b"abcdef\xc3\xa9hi\xff"), "must be text in UTF-8, got byte 11$"),
    "no gzip": (of_file("a.txt.gz", WORDS), r"a\.txt\.gz is not a whole gzip file"),
    "half": (of_file("a.txt.gz", PACKED[:-900]), "is not a whole gzip file"),
    "damaged": (of_file("a.txt.gz", PACKED[:99] + b"\xff" * 99 + PACKED[198:]), "not a whole gzip"),
    "bomb": (
        of_file("a.txt.gz", gzip.compress(b"ab" * 10**6)),
        r"a\.txt\.gz unpacks to more than 100 times its size, which text does not; unpack it",
    ),
    "short": (
        of_file("a.txt", b"abcdefgh" * 9, window=8),
        r"more than 8 characters for each part of TextShards\.split, got 7; give shorter windows",
    ),
    "no words": (of_file("a.txt", b" \n" * 99, tokens="subwords"), "there are no words in the fi"),
    "long word": (
        of_file("a.txt", WORDS + b"x" * 99, tokens="subwords"),
        r"a\.txt has a word of more than 50 characters, from which no subwords",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_text(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "UNPACKED", 10**5)
    monkeypatch.setattr(shards, "LONGEST", 50)
    load, sentence = BAD[name]
    (tmp_path / "corpus").mkdir()
    with pytest.raises(DataError, match=sentence):
        load(tmp_path / "corpus")
    if name not in ("short", "empty", "one letter"):
        assert set(cache(tmp_path)) <= {"bin.lock"}


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus(tmp_path / "corpus")
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("THALWEG_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="cannot be written: Not a directory"):
        TextShards(path=str(tmp_path / "corpus")).load()


def test_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus(tmp_path / "corpus")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stored.os, "fsync", full)
    with pytest.raises(DataError, match="cannot be written: No space left on device"):
        TextShards(path=str(tmp_path / "corpus")).load()
    assert cache(tmp_path) == ["bin.lock"]
