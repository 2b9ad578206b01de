"""Learned subwords: the published example, what they are learned from, and the way back."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from thalweg.data import Pairs, Text, TextShards, split_rows
from thalweg.data.prompts import end_of, pieces_of, prompts_from, reader
from thalweg.data.subwords import learned
from thalweg.errors import DataError, MissingExtra

pytest.importorskip("tokenizers")

LINES = [
    f"{subject} {verb} {where} now.\t{sujet} {verbe} {ici} !"
    for subject, sujet in (("I", "Je"), ("we", "nous"), ("they", "ils"), ("you", "tu"))
    for verb, verbe in (("stay", "reste"), ("sing", "chante"), ("stand", "tiens"))
    for where, ici in (("here", "ici"), ("there", "là"), ("outside", "dehors"))
]


def pairs(folder: Path, lines: list[str] = LINES, **fields) -> Pairs:
    path = folder / "pairs.tsv"
    path.write_text("\n".join(lines))
    return Pairs(path=str(path), tokens="subwords", **fields)


def test_the_published_example() -> None:
    # Sennrich et al. 2016, section 3.2, but that here the begin of a word is marked, not its end:
    # e s and es t stand together 9 times, l o and lo w 7; "lowest" was not in the dictionary.
    text = " ".join(["low"] * 5 + ["lower"] * 2 + ["newest"] * 6 + ["widest"] * 3)
    letters = len(set(text) - {" "}) + 2  # and the mark, and what is unknown
    found = learned([text], letters + 5, 1, "Text")
    assert found.names[letters:] == ("es", "est", "lo", "▁lo", "▁low")
    assert found.cut("lowest lower") == ["▁low", "est", "▁low", "e", "r"]
    assert found.cut("lox") == ["▁lo", "<unknown>"]


@pytest.mark.parametrize("layout", ["apart", "joined"])
def test_sentences_come_back(tmp_path: Path, layout) -> None:
    source = pairs(tmp_path, subwords=34, layout=layout)
    data = source.load()
    plain = Pairs(path=source.path, layout=layout).load()
    assert data.targets.shape[1] > plain.targets.shape[1]
    assert len(data.class_names) <= 36
    said = [reader(data.class_names, end_of(data))(row) for row in data.targets]
    words = [reader(plain.class_names, end_of(plain))(row) for row in plain.targets]
    assert sorted(said) == sorted(words)
    assert said != words
    own = pieces_of(data, "They sing outside.")
    read = prompts_from(data, [own])
    asked = read.begun if read.sources is None else read.sources
    assert reader(data.vocabulary)(asked[0]) == "they sing outside ."


def test_data_of_subwords_are_sent_to_other_machines(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("the ants stand, the bats sat, the cats stand " * 9)
    given = {"path": str(path), "tokens": "subwords", "subwords": 24, "window": 5}
    for source in (Text(**given), TextShards(**given), pairs(tmp_path, subwords=34)):
        data = source.load()
        sent = pickle.loads(pickle.dumps(data))
        assert sent.fingerprint == data.fingerprint
        said = pieces_of(data, "the ants stay")
        assert len(said) > 3
        assert pieces_of(sent, "the ants stay") == said


def test_only_training_rows_are_learned_from(tmp_path: Path) -> None:
    data = pairs(tmp_path, split=(0.5, 0.25, 0.25), subwords=80).load()
    assert data.parts == (18, 9, 9)
    for seed in (0, 1):
        split = split_rows(data, (0.5, 0.25, 0.25), seed)
        assert [*split.train, *split.validation, *split.test] == list(range(36))
    aloud = reader(data.vocabulary)
    held = {aloud(row[: data.source_time]) for row in data.inputs[18:]}
    # Whatever else stands in the other rows, the same is learned.
    other = [
        line
        if " ".join(re.findall(r"\w+|\.", line.split("\t")[0].lower())) not in held
        else f"{'q' * (5 + number)} qqqq\tqqqq qqqq"
        for number, line in enumerate(LINES)
    ]
    again = pairs(tmp_path, other, split=(0.5, 0.25, 0.25), subwords=80).load()
    assert other != LINES
    assert (again.vocabulary, again.class_names) == (data.vocabulary, data.class_names)
    np.testing.assert_array_equal(again.inputs[:18, 0], data.inputs[:18, 0])
    assert "<unknown>" in [again.vocabulary[x] for x in again.inputs[20]]


def test_pairs_of_one_sentence_stay_together(tmp_path: Path) -> None:
    lines = [f"{line}\n{line} !" for line in LINES]  # two translations of each
    data = pairs(tmp_path, lines, split=(0.5, 0.25, 0.25), subwords=80).load()
    assert data.parts == (36, 18, 18)
    sources = [row.tobytes() for row in data.inputs[:, : data.source_time]]
    assert len(set(sources)) == 36
    held = [set(sources[:36]), set(sources[36:54]), set(sources[54:])]
    assert [len(own) for own in held] == [18, 9, 9]


def test_text_is_divided_by_its_order(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("one two three four five six seven eight nine ten\n" * 20)
    data = Text(path=str(path), tokens="subwords", subwords=30, window=7).load()
    assert data.parts is not None
    assert sum(data.parts) == data.rows
    assert min(data.parts) > 0
    aloud = reader(data.vocabulary)
    first, second, third = np.split(np.arange(data.rows), np.cumsum(data.parts[:2]))
    stretches = []
    for rows in (first, second, third):
        tokens = [data.inputs[rows[0], 0], *(x for row in data.targets[rows] for x in row)]
        stretches.append(aloud(tokens))
    assert " ".join(stretches) == " ".join(path.read_text().split())
    assert len(stretches[1].split()) == len(stretches[2].split()) == 20
    path.write_text("one two three four five six seven eight nine one")
    with pytest.raises(DataError, match="must hold at least two subwords for each of"):
        Text(path=str(path), tokens="subwords", subwords=99).load()


def test_every_process_learns_the_same(tmp_path: Path) -> None:
    source = pairs(tmp_path, subwords=60)
    code = f"from thalweg.data import Pairs; print({source!r}.load().fingerprint)"
    found = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        for _ in range(2)
    }
    assert found == {source.load().fingerprint}


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("thalweg.data.subwords.find_spec", lambda name: None)
    source = pairs(tmp_path)
    assert source.missing() == "subwords of Pairs need tokenizers: pip install 'thalweg[subwords]'"
    with pytest.raises(MissingExtra, match=re.escape("pip install 'thalweg[subwords]'")):
        source.load()
    assert Pairs(path=source.path).missing() == ""
