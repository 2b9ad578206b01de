"""What recorded runs write: the probabilities they predict, and scores by other people's code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thalweg import Compare, Experiment, Laboratory, Training
from thalweg.catalogue.attention import AdditiveAttention, HeadsAttention
from thalweg.catalogue.cells import GRU
from thalweg.catalogue.decoders import Beam, Sampling
from thalweg.catalogue.networks import (
    EncoderDecoder,
    RecurrentNetwork,
    TransformerEncoderDecoder,
)
from thalweg.catalogue.optimizers import Adam
from thalweg.data import Moons, Names, Pairs, Reverse
from thalweg.errors import DataError, SpecError
from thalweg.report.parts import Figure, HeatPanel
from thalweg.spec import Seeds

TRAINING = Training(epochs=12, batch_size=20, probes=0, evaluate_every=12)


def ran(project: Path, **fields: Any) -> Laboratory:
    fields = {"training": TRAINING, "optimizer": Adam(learning_rate=0.03), "seeds": 1, **fields}
    laboratory = Laboratory(Experiment(**fields), project)
    for _ in laboratory.run():
        pass
    return laboratory


@pytest.fixture(scope="module")
def translator(tmp_path_factory: pytest.TempPathFactory) -> Laboratory:
    data = Reverse(samples=200, symbols=3, shortest=1, longest=3)
    network = EncoderDecoder(cell=GRU(), units=12, features=6, context="both")
    return ran(tmp_path_factory.mktemp("reverse"), data=data, network=network)


def test_what_is_right_has_the_probability_that_is_predicted(translator: Laboratory) -> None:
    (job,) = (trial.job for trial in translator.plan().trials)
    writing = translator.decode(Beam(width=3))[job.id]
    said, targets = translator.predict()[job.id], job.dataset.targets[job.split.test]
    right = [
        texts[0] == wanted
        for texts, (wanted,) in zip(writing.texts, writing.references, strict=True)
    ]
    assert sum(right) > 10
    for row in np.flatnonzero(right):
        steps = np.flatnonzero(targets[row] >= 0)
        expected = np.log(said[row, steps, targets[row, steps]]).sum()
        assert writing.log_probabilities[row, 0] == pytest.approx(expected, rel=1e-3, abs=1e-4)
        assert writing.prompts[row] == writing.texts[row][0][::-1]
    totals = np.nan_to_num(writing.log_probabilities, neginf=-1e9)
    ranked = np.diff(totals)
    assert (ranked <= 1e-6).all()


def test_scores(translator: Laboratory) -> None:
    sacrebleu = pytest.importorskip("sacrebleu")
    (writing,) = translator.decode().values()
    scores = writing.scores
    assert scores is not None
    said, wanted = [texts[0] for texts in writing.texts], [text for (text,) in writing.references]
    assert scores.rows == len(said) == 30
    exact = np.mean([a == b for a, b in zip(said, wanted, strict=True)])
    assert scores.sequence_accuracy == pytest.approx(exact)
    apart = [" ".join(text) for text in said], [" ".join(text) for text in wanted]
    bleu = sacrebleu.corpus_bleu(apart[0], [apart[1]], tokenize="none").score
    chrf = sacrebleu.corpus_chrf(said, [wanted]).score
    assert (scores.bleu, scores.chrf) == (pytest.approx(bleu), pytest.approx(chrf))
    assert [(one.shortest, one.longest) for one in writing.by_length]
    assert sum(one.rows for one in writing.by_length) <= 30
    for one in writing.by_length:
        own = [n for n, text in enumerate(wanted) if one.shortest <= len(text) <= one.longest]
        assert one.rows == len(own)
        faults = np.mean([said[n] != wanted[n] for n in own])
        assert one.sequence_accuracy == pytest.approx(1 - faults)


def test_levels_are_compared_by_what_they_write(tmp_path: Path) -> None:
    data = Reverse(samples=240, symbols=3, shortest=1, longest=4, split=(0.5, 0.1, 0.4))
    network = EncoderDecoder(cell=GRU(), units=12, features=6)
    laboratory = ran(
        tmp_path,
        data=data,
        network=network,
        optimizer=Adam(learning_rate=[0.0001, 0.03]),
        compare=Compare(factor="optimizer.learning_rate", seeds=Seeds(report=3)),
    )
    written = laboratory.decode()
    found = laboratory.compare_written(written, "error_rate")
    all_rows, *classes = found.contexts
    assert all_rows.label == "all lengths"
    assert [context.label for context in classes] == [
        f"{lengths} tokens read" for lengths in ("1–2", "3", "4")
    ]
    runs: dict[Any, dict[int, Any]] = {}
    for trial in laboratory.plan().trials:
        rate = trial.job.recipe.optimizer.learning_rate
        runs.setdefault(float(rate), {})[trial.job.seed] = written[trial.job.id]
    for number, context in enumerate(classes):
        errors = {
            rate: np.array([own[seed].by_length[number].error_rate for seed in range(3)])
            for rate, own in runs.items()
        }
        (pair,) = context.pairs
        difference = (errors[0.0001] - errors[0.03]).mean()
        assert pair.first.endswith("0.03")
        assert pair.difference.estimate == pytest.approx(difference)
        assert difference > 0.1
    with pytest.raises(SpecError, match=r"by one of token_accuracy, .*, got 'loss'"):
        laboratory.compare_written(written, "loss")


def test_without_a_comparison_no_levels_are_compared(translator: Laboratory) -> None:
    with pytest.raises(SpecError, match=r"where a spec has \[compare\]"):
        translator.compare_written(translator.decode())


def test_a_row_is_judged_beside_all_targets_of_its_source(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    sacrebleu = pytest.importorskip("sacrebleu")
    known = {"go": ["va là bas", "pars là", "va"], "stay": ["reste là", "reste"], "hi": ["salut"]}
    lines = [f"{source}\t{target}" for source, targets in known.items() for target in targets]
    path = tmp_path / "pairs.tsv"
    path.write_text("\n".join(lines * 12))
    data = Pairs(path=str(path), tokens="subwords", split=(1.0, 0.0, 0.0), subwords=30)
    network = EncoderDecoder(cell=GRU(), units=12, features=6)
    laboratory = ran(tmp_path, data=data, network=network)
    # A source is in one part of a split alone, so those that are known are in training.
    (writing,) = laboratory.decode(Sampling(), "train", seed=3).values()
    scores = writing.scores
    assert scores is not None
    assert [set(own) for own in writing.references] == [set(known[p]) for p in writing.prompts]
    said = [texts[0] for texts in writing.texts]
    assert scores.references == sum(len(known[prompt]) for prompt in writing.prompts)
    right = np.mean([text in known[p] for text, p in zip(said, writing.prompts, strict=True)])
    assert scores.sequence_accuracy == pytest.approx(right)
    assert 0.2 < right < 1
    # In their order: of references that fit equally badly, chrF takes the first.
    streams = [[(own * 3)[number] for own in writing.references] for number in range(3)]
    bleu = sacrebleu.corpus_bleu(said, streams, tokenize="none").score
    assert scores.bleu == pytest.approx(bleu)
    assert scores.chrf == pytest.approx(sacrebleu.corpus_chrf(said, streams).score)


def test_your_own_sequences(translator: Laboratory) -> None:
    (writing,) = translator.decode(inputs=["abc", "ba", "c"]).values()
    assert (writing.prompts, writing.scores, writing.references) == (("abc", "ba", "c"), None, ())
    assert all(set(text) <= set("abc") for (text,) in writing.texts)
    with pytest.raises(DataError, match="'x' is not one of the 3 tokens"):
        translator.decode(inputs=["ax"])
    with pytest.raises(DataError, match="must hold 1 to 3 tokens, got 4 in sequence 2"):
        translator.decode(inputs=["a", "abab"])
    with pytest.raises(DataError, match="must hold 1 to 3 tokens, got 0 in sequence 1"):
        translator.decode(inputs=[""])
    with pytest.raises(DataError, match="one of train, validation, test, got 'tets'"):
        translator.decode(inputs="tets")


def test_names_are_continued(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("\n".join(["ava", "anna", "nan"] * 20))
    network = RecurrentNetwork(cell=GRU(), hidden=(12,), returns="sequence")
    laboratory = ran(tmp_path, data=Names(path=str(path)), network=network)
    (writing,) = laboratory.decode(Sampling(samples=40), ["a", "n"], seed=1).values()
    known = [{"va", "nna"}, {"an"}]
    assert np.mean([text in known[0] for text in writing.texts[0]]) > 0.6
    assert np.mean([text in known[1] for text in writing.texts[1]]) > 0.6
    again = laboratory.decode(Sampling(samples=40), ["a", "n"], seed=1)
    assert next(iter(again.values())).texts == writing.texts
    assert len(set(writing.texts[0])) > 1


@pytest.mark.slow
def test_transformers_write_from_one_token(tmp_path: Path) -> None:
    data = Reverse(samples=60, symbols=3, shortest=1, longest=3)
    network = TransformerEncoderDecoder(width=4, heads=2, blocks=1)
    laboratory = ran(tmp_path, data=data, network=network, training=Training(epochs=1, probes=0))
    (writing,) = laboratory.decode(Beam(width=2)).values()
    totals = writing.log_probabilities
    assert totals.shape == (9, 2)
    assert (np.isfinite(totals) & (totals < 0)).all()


def test_tables_are_not_written(tmp_path: Path) -> None:
    laboratory = ran(tmp_path, data=Moons(samples=20), training=Training(epochs=1, probes=0))
    with pytest.raises(SpecError, match="Moons has no sequences of tokens"):
        laboratory.decode()


@pytest.mark.parametrize(
    "attention",
    [AdditiveAttention(), pytest.param(HeadsAttention(heads=2), marks=pytest.mark.slow)],
    ids=repr,
)
def test_attention_is_drawn(attention: Any, tmp_path: Path) -> None:
    data = Reverse(samples=60, symbols=3, shortest=1, longest=3)
    network = EncoderDecoder(
        cell=GRU(), units=4, features=3, context="attention", attention=attention
    )
    laboratory = ran(tmp_path, data=data, network=network, training=Training(epochs=1, probes=0))
    (job,) = (trial.job for trial in laboratory.plan().trials)
    dataset = job.dataset
    (section,) = [s for s in laboratory.page().sections if s.heading == "Attention"]
    figure = section.parts[0]
    assert isinstance(figure, Figure)
    for panel, row in zip(figure.panels, job.split.test, strict=False):
        assert isinstance(panel, HeatPanel)
        source = [dataset.vocabulary[x] for x in dataset.inputs[row, :3] if x >= 0]
        target = [dataset.class_names[x] for x in dataset.targets[row] if x >= 0]
        assert (list(panel.columns), list(panel.rows)) == (source, target)
        sums = [sum(cell.strength for cell in cells if cell) for cells in panel.cells]
        assert sums == pytest.approx([1.0] * len(target), abs=1e-5)
    assert len(figure.panels) == 2
