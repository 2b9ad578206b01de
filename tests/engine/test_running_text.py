"""Running text in streams: which rows a step takes, what is learned, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.engine.laboratory_setup import assert_same_bits, cut_off, everything, jobs, trained

from thalweg import Experiment, Laboratory, Training
from thalweg.catalogue.cells import GRU
from thalweg.catalogue.layers import Convolution, Dense, Embedding, MultiHeadAttention, Recurrent
from thalweg.catalogue.networks import MLP, RecurrentNetwork, Sequential, Transformer
from thalweg.catalogue.optimizers import Adam
from thalweg.data import Names, Text, split_rows
from thalweg.engine import devices, program, wave
from thalweg.engine import train as train_module
from thalweg.engine.carrying import next_rows
from thalweg.engine.plan import Job, check_network
from thalweg.errors import DataError, SpecError
from thalweg.spec import Recipe

NETWORK = RecurrentNetwork(cell=GRU(), hidden=(4, 3), residual=True, returns="sequence")


@pytest.fixture(autouse=True)
def _compiled_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "compiler_options", devices.brief_options)


def text(folder: Path, letters: str | None = None, **fields: Any) -> Text:
    path = folder / ("random.txt" if letters is None else "given.txt")
    if letters is None:
        letters = "".join(np.random.default_rng(5).choice(list("abcd"), 98))
    path.write_text(letters)
    given = {"window": 5, "split": (0.6, 0.2, 0.2), "stretches": True, **fields}
    return Text(path=str(path), **given)


def recipe(folder: Path, rate: float = 0.01, **changes: Any) -> Recipe:
    training = {"epochs": 4, "batch_size": 5, "order": "streams", "probes": 2}
    training |= changes.pop("training", {})
    given = {"data": text(folder), "network": NETWORK, **changes}
    return Recipe(**given, optimizer=Adam(learning_rate=rate), training=Training(**training))


# -------------------------------------------------------------------------------------------- rows


@pytest.mark.parametrize(("rows", "streams"), [(12, 5), (12, 4), (13, 6), (7, 3), (8, 1), (9, 4)])
def test_every_row_is_taken_once_an_epoch_and_streams_are_stretches(
    rows: int, streams: int
) -> None:
    longest = -(-rows // streams)
    taken = np.array([next_rows(rows, streams, np.int32(step)) for step in range(longest)])
    assert taken.shape == (longest, streams)
    # At the last step those streams count that are left, which are the first: see weights_at.
    counts = np.arange(longest * streams).reshape(longest, streams) < rows
    stretches = [taken[counts[:, stream], stream] for stream in range(streams)]
    assert np.concatenate(stretches).tolist() == list(range(rows))
    assert taken.max() < rows


def test_parts_are_stretches_of_the_text(tmp_path: Path) -> None:
    (job,) = jobs([recipe(tmp_path)], [3])
    assert job.split.train.tolist() == list(range(12))
    assert job.split.validation.tolist() == list(range(12, 16))
    assert job.split.test.tolist() == list(range(16, 20))
    drawn = text(tmp_path, stretches=False).load()
    assert (drawn.inputs == job.dataset.inputs).all()
    split = split_rows(drawn, (0.6, 0.2, 0.2), 3)
    assert len(split.test) == 4
    assert split.test.tolist() != job.split.test.tolist()
    subwords = text(tmp_path, "so la la so la li " * 40, tokens="subwords", subwords=12).load()
    assert subwords.running
    with pytest.raises(DataError, match="go on from one another must be divided into parts"):
        replace(subwords, parts=None)


# ------------------------------------------------------------------------------------- whole runs


def test_what_came_before_a_window_is_known(tmp_path: Path) -> None:
    # In windows of one token a network sees that token alone. After a there is an a or a b.
    data = text(tmp_path, "aab" * 60, window=1)
    network = RecurrentNetwork(cell=GRU(), hidden=(8,), returns="sequence", features=2)
    losses = {}
    for order in ("streams", None):
        training = {"order": order, "epochs": 40, "batch_size": 10, "probes": 0}
        (job,) = jobs([recipe(tmp_path, 0.02, data=data, network=network, training=training)])
        with trained([job], tmp_path / str(order)) as record:
            losses[order] = record.experiment("test").runs[0].finals["test.loss"]
    assert losses["streams"] < 0.05
    assert losses[None] > 0.9 * 2 / 3 * np.log(2)


def test_predictions_of_a_split_are_those_that_were_recorded(tmp_path: Path) -> None:
    training = Training(epochs=3, batch_size=6, order="streams", probes=0)
    experiment = Experiment(data=text(tmp_path), network=NETWORK, training=training, seeds=1)
    laboratory = Laboratory(experiment, tmp_path / "project")
    for _ in laboratory.run():
        pass
    (run,), (trial,) = laboratory.record().runs, laboratory.plan().trials
    data, split = trial.job.dataset, trial.job.split
    for name in ("train", "validation", "test"):
        targets = data.targets[getattr(split, name)]
        (said,), (decided,) = laboratory.predict(name).values(), laboratory.decide(name).values()
        rows, steps = np.nonzero(targets >= 0)
        likelihoods = said[rows, steps, targets[rows, steps]]
        assert run.finals[f"{name}.loss"] == pytest.approx(-np.log(likelihoods).mean(), rel=1e-4)
        assert (decided == said.argmax(-1)).all()
    # A window of one's own is read from the beginning, as is the first of every stream.
    (own,), (said,) = (laboratory.predict(given).values() for given in (data.inputs[:2], "train"))
    np.testing.assert_allclose(own[0], said[0], rtol=1e-4)
    assert np.abs(own[1] - said[1]).max() > 1e-4


RATES = np.geomspace(1e-3, 0.1, 9)


def test_alone_and_in_company(tmp_path: Path) -> None:
    runs = jobs(recipe(tmp_path, float(rate)) for rate in RATES)
    found = []
    for name, company in (("alone", runs[3:4]), ("all", runs), ("reversed", runs[::-1])):
        with trained(company, tmp_path / name) as record:
            found.append(everything(record, runs[3].id))
    for other in found[1:]:
        assert_same_bits(found[0], other)


def test_interrupted_and_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = jobs(recipe(tmp_path, float(rate)) for rate in RATES[3:6])
    with trained(watched, tmp_path / "whole") as record:
        whole = [everything(record, job.id) for job in watched]
    monkeypatch.setattr(wave, "WRITE_EVERY", 0.0)
    monkeypatch.setattr(train_module, "call_length", lambda *_: 1)  # in the midst of epochs too
    for stop_after in (1, 3, 4):
        cut_off(watched, tmp_path / "cut", stop_after)
    with trained(watched, tmp_path / "cut") as record:
        resumed = [everything(record, job.id) for job in watched]
    for first, second in zip(whole, resumed, strict=True):
        assert_same_bits(first, second)


@pytest.mark.parametrize("also", ["input_shift", "state_gradient"])
def test_probes_do_not_disturb(also: Any, tmp_path: Path) -> None:
    asked = ({"probes": 3, "probe_also": also}, {"probes": 0})
    looked, unseen = jobs([recipe(tmp_path, training=training) for training in asked])
    with trained([looked, unseen], tmp_path / "project") as record:
        first, second = record.arrays(looked.id), record.arrays(unseen.id)
        assert any(name.startswith(also) for name in record.series_names([looked.id]))
    assert_same_bits(first, second)


# ---------------------------------------------------------------------------------------- refusals


def of_layers(*layers: Any) -> Sequential:
    return Sequential(layers=(Embedding(features=4), *layers, Dense()))


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no recurrent layer": (
        {"network": MLP()},
        'Training.order = "streams" needs recurrent layers, but MLP has none; leave it out',
    ),
    "attention": (
        {"network": Transformer(causal=True, returns="sequence")},
        'Training.order = "streams" needs recurrent layers, but Transformer has none',
    ),
    "both directions": (
        {"network": RecurrentNetwork(direction="both", returns="sequence")},
        "needs a network that reads forwards, but what recurrent_0 of RecurrentNetwork gives may "
        "depend on steps to come",
    ),
    "windows beside": (
        {"network": of_layers(Convolution(filters=4, size=(3,), padding=1), Recurrent(units=3))},
        "but what convolution_0 of Sequential gives may depend on steps to come; leave it out",
    ),
    "attention beside": (
        {"network": of_layers(MultiHeadAttention(heads=1, causal=True), Recurrent(units=3))},
        "needs recurrent layers alone to remember what was before, but Sequential has "
        "multi_head_attention_0, for which the text would have no end; leave it out",
    ),
    "streams of one row": (
        {"training": {"batch_size": 7}},
        "Training.batch_size must be <= half of the rows for training where Training.order is "
        '"streams", or a stream is one row and nothing goes on, got 7 of 12 rows',
    ),
    "all rows at once": ({"training": {"batch_size": "full"}}, "got 12 of 12 rows"),
    "rows drawn anew": (
        {"training": {"resample": "bootstrap"}},
        'Training.order = "streams" reads rows in their order, and Training.resample draws them '
        "anew; leave one of the two out",
    ),
}


def checked(folder: Path, **changes: Any) -> Job:
    (job,) = jobs([recipe(folder, **changes)])
    check_network(job)
    return job


@pytest.mark.parametrize(("changes", "message"), REFUSED.values(), ids=REFUSED)
def test_nonsense_is_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    assert checked(tmp_path).in_streams
    with pytest.raises(SpecError) as refused:
        checked(tmp_path, **changes)
    assert message in str(refused.value)


@pytest.mark.parametrize("owner", ["Names", "Text"])
def test_rows_that_do_not_go_on_are_refused(owner: str, tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("ava\nanna\n" * 20)
    data = Names(path=str(path)) if owner == "Names" else text(tmp_path, stretches=False)
    with pytest.raises(SpecError) as refused:
        checked(tmp_path, data=data)
    assert str(refused.value) == (
        'Training.order = "streams" needs stretches of running text, such as those of Text with '
        f"stretches = true, but the rows of {owner} do not go on from one another; leave it out"
    )
