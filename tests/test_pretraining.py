"""Runs that start where others ended: autoencoders before classifiers, by id and by spec file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thalweg import Experiment, Laboratory, Training
from thalweg.catalogue.layers import BatchNormalization
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import Adam, GradientDescent
from thalweg.catalogue.starts import FromRun
from thalweg.data import Moons, Wine
from thalweg.engine.plan import Job
from thalweg.errors import RecordError, SpecError, ThalwegError
from thalweg.record.store import Record

NORMALIZED = MLP(hidden=(4, 3), normalization=BatchNormalization())


def experiment(**changes: Any) -> Experiment:
    fields = {
        "data": Moons(samples=60, split=(0.5, 0.0, 0.5)),
        "network": NORMALIZED,
        "optimizer": Adam(learning_rate=0.05),
        "training": Training(epochs=2, batch_size=10, probes=0),
        **changes,
    }
    return Experiment(**fields)


STILL = {"optimizer": GradientDescent(learning_rate=0.0)}


def ran(project: Path, asked: Experiment) -> list[Job]:
    laboratory = Laboratory(asked, project)
    for _ in laboratory.run():
        pass
    return [trial.job for trial in laboratory.plan().trials]


def kept(project: Path, job: Job) -> dict[str, np.ndarray]:
    with Record.open(project) as record:
        return record.arrays(job.id)


def test_named_layers_start_where_they_ended_and_others_as_drawn(tmp_path: Path) -> None:
    (before,) = ran(tmp_path, experiment())
    layers = ("dense_0", "batch_normalization_0")
    (after,) = ran(tmp_path, experiment(start=(FromRun(run=before.id, layers=layers),), **STILL))
    (plain,) = ran(tmp_path, experiment(**STILL))
    assert before.id in str(after.spec)
    old, new, drawn = (kept(tmp_path, job) for job in (before, after, plain))
    names = [name for name in new if name.startswith("parameters.")]
    assert any(name.startswith("parameters.batch_normalization_0.") for name in names)
    for name in names:
        expected = old if name.split(".")[1] in layers else drawn
        assert new[name].tobytes() == expected[name].tobytes(), name
    assert not np.array_equal(old["parameters.dense_0.kernel"], drawn["parameters.dense_0.kernel"])


def test_running_averages_are_taken_too(tmp_path: Path) -> None:
    (before,) = ran(tmp_path, experiment())
    (after,) = ran(tmp_path, experiment(start=(FromRun(run=before.id),), **STILL))
    with Record.open(tmp_path) as record:
        first = record.series("test.loss", [after.id])[after.id][1][0]
        last = record.experiment(record.experiments()[-1][0]).runs[0].finals["test.loss"]
    assert first == pytest.approx(last, rel=1e-6)


def test_every_seed_takes_that_of_a_spec_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pretraining = experiment(seeds=3)
    Path("pretraining.toml").write_text(pretraining.to_toml())
    start = (FromRun(run="pretraining.toml", layers=("dense_0", "dense_1")),)
    with pytest.raises(RecordError, match="no record"):
        Laboratory(experiment(seeds=3, start=start), tmp_path).plan()
    before = ran(tmp_path, pretraining)
    after = ran(tmp_path, experiment(seeds=3, start=start, **STILL))
    for old, new in zip(before, after, strict=True):
        assert old.id in str(new.spec)
        assert "pretraining.toml" not in str(new.spec)
        for name in ("parameters.dense_0.kernel", "parameters.dense_1.kernel"):
            np.testing.assert_array_equal(kept(tmp_path, old)[name], kept(tmp_path, new)[name])
    # In a file it is written as in Python, and a run by its id is the same run.
    text = experiment(seeds=3, start=start, **STILL).to_toml()
    Path("tuned.toml").write_text(text)
    assert 'from_run = { run = "pretraining.toml", layers = ["dense_0", "dense_1"] }' in text
    read = Laboratory(Experiment.from_file("tuned.toml"), tmp_path).plan()
    assert [trial.job.id for trial in read.trials] == [job.id for job in after]
    by_id = experiment(start=(FromRun(run=before[0].id, layers=start[0].layers),), **STILL)
    assert Laboratory(by_id, tmp_path).plan().trials[0].job.id == after[0].id


def test_what_cannot_be_started_from_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (before,) = ran(tmp_path, experiment())
    Path("one.toml").write_text(experiment().to_toml())
    Path("two.toml").write_text(experiment(optimizer=[Adam(), GradientDescent()]).to_toml())
    Path("self.toml").write_text(experiment(start=(FromRun(run="self.toml"),)).to_toml())
    wider = experiment(network=MLP(hidden=(5, 3), normalization=BatchNormalization()))
    cases: list[tuple[Experiment, type[ThalwegError], str]] = [
        (experiment(start=(FromRun(run="0" * 16),)), RecordError, "has no run 0000000000000000"),
        (
            experiment(start=(FromRun(run=before.id, layers=("dense_7",)),)),
            SpecError,
            "there is no layer 'dense_7' here; did you mean 'dense_",
        ),
        (
            Experiment(
                **{name: getattr(wider, name) for name in ("data", "network")},
                start=(FromRun(run=before.id),),
            ),
            SpecError,
            rf"FromRun: \S+ has shape \(.*5.*\) here, but \(.*4.*\) in run {before.id}",
        ),
        (
            experiment(network=MLP(hidden=(4, 3)), start=(FromRun(run=before.id),)),
            SpecError,
            rf"run {before.id} has no dense_0\.bias; its layers are batch_normalization_0, ",
        ),
        (experiment(seeds=2, start=(FromRun(run="one.toml"),)), SpecError, "of seed 0 alone"),
        (experiment(start=(FromRun(run="two.toml"),)), SpecError, "not 2 of 1 seeds"),
        (experiment(start=(FromRun(run="self.toml"),)), SpecError, "start from themselves"),
        (experiment(start=(FromRun(run="none.toml"),)), SpecError, "none.toml does not exist"),
    ]
    for asked, kind, words in cases:
        with pytest.raises(kind, match=words):
            Laboratory(asked, tmp_path).plan()


def test_an_interrupted_training_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    (before,) = ran(tmp_path, experiment(data=Wine()))
    long = {"training": Training(epochs=60, batch_size=10, probes=0), "data": Wine()}
    asked = experiment(start=(FromRun(run=before.id),), **long)
    training = Laboratory(asked, tmp_path).run()
    next(training)
    training.close()
    (cut,) = ran(tmp_path, asked)
    (other,) = ran(tmp_path / "whole", experiment(data=Wine()))
    assert other.id == before.id
    (whole,) = ran(tmp_path / "whole", asked)
    first, second = kept(tmp_path, cut), kept(tmp_path / "whole", whole)
    assert {name: a.tobytes() for name, a in first.items()} == {
        name: a.tobytes() for name, a in second.items()
    }


AUTOENCODER = """
network = { mlp = { hidden = [32], activation = "tanh" } }
optimizer = { adam = { learning_rate = 0.01 } }
training = { epochs = 15, batch_size = 64, probes = 0 }
seeds = 2

[data.reconstruction]
of = { digits = {} }
split = [0.7, 0.0, 0.3]
"""

CLASSIFIER = """
data = { digits = { split = [0.05, 0.65, 0.3] } }
network = { mlp = { hidden = [32], activation = "tanh" } }
optimizer = { adam = { learning_rate = 0.01 } }
training = { epochs = 15, batch_size = 16, probes = 0 }
seeds = 2
"""


def test_an_autoencoder_before_a_classifier_with_few_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("autoencoder.toml").write_text(AUTOENCODER)
    start = '[start]\nfrom_run = { run = "autoencoder.toml", layers = ["dense_0"] }\n'
    Path("classifier.toml").write_text(CLASSIFIER + start)
    encoders = ran(tmp_path, Experiment.from_file("autoencoder.toml"))
    classifiers = ran(tmp_path, Experiment.from_file("classifier.toml"))
    record = Record.open(tmp_path)
    with record:
        finals = {
            run.id: run.finals
            for id_, _, _ in record.experiments()
            for run in record.experiment(id_).runs
        }
    for encoder, classifier in zip(encoders, classifiers, strict=True):
        assert finals[encoder.id]["test.r2"] > 0.6
        assert finals[classifier.id]["test.accuracy"] > 0.75  # of 90 labels
        # No row that the classifier is tested on was seen before, with a label or without.
        test = set(classifier.split.test)
        assert test == set(encoder.split.test)
        assert test.isdisjoint(encoder.split.train)
