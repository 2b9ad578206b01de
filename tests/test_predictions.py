"""What recorded runs predict: the metrics they were recorded with, by scikit-learn's arithmetic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, r2_score, root_mean_squared_error

from thalweg import Experiment, Laboratory, Training
from thalweg.catalogue.layers import BatchNormalization
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import Adam, GradientDescent, ScheduleFree
from thalweg.catalogue.preprocessing import MinMax, SparseCode, Standardize, Whiten
from thalweg.data import CSV, BreastCancer, Diabetes, Digits, Moons, Unlabelled, Wine
from thalweg.engine.kept import decided
from thalweg.engine.plan import Job
from thalweg.errors import DataError, RecordError, SpecError
from thalweg.spec.experiment import Recipe

TRAINING = Training(epochs=4, batch_size=16, probes=0)


def ran(project: Path, **fields: Any) -> Laboratory:
    laboratory = Laboratory(Experiment(**{"training": TRAINING, "seeds": 2, **fields}), project)
    for _ in laboratory.run():
        pass
    return laboratory


def own_rows(laboratory: Laboratory, split: str) -> dict[str, np.ndarray]:
    """The targets of a split of every run."""
    jobs = [trial.job for trial in laboratory.plan().trials]
    return {job.id: job.dataset.targets[getattr(job.split, split)] for job in jobs}


CLASSIFIERS: dict[str, dict[str, Any]] = {
    "several classes, scaled": {"data": Wine(), "preprocessing": Standardize()},
    "two classes, projected": {"data": BreastCancer(), "preprocessing": Whiten(components=4)},
    "running averages": {
        "data": Wine(),
        "network": MLP(hidden=(8,), normalization=BatchNormalization()),
    },
    "statistics of all rows, dropout": {
        "data": Wine(),
        "network": MLP(
            hidden=(8,), normalization=BatchNormalization(statistics="population"), dropout=0.2
        ),
    },
    "images as sparse codes": {
        "data": Digits(flat=False),
        "preprocessing": SparseCode(atoms=32, nonzeros=6, dictionary="rows"),
    },
    "an optimizer that is evaluated elsewhere": {"data": Wine(), "optimizer": ScheduleFree()},
}


@pytest.mark.parametrize("fields", CLASSIFIERS.values(), ids=CLASSIFIERS.keys())
@pytest.mark.parametrize("split", ["train", "test"])
def test_predicted_classes_are_as_accurate_as_recorded(
    fields: dict[str, Any], split: str, tmp_path: Path
) -> None:
    laboratory = ran(tmp_path, **fields)
    said, targets = laboratory.predict(split), own_rows(laboratory, split)
    decided = laboratory.decide(split)
    runs = laboratory.record().runs
    assert len(said) == len(runs) == 2
    for run in runs:
        probabilities = said[run.id].astype(float)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
        accuracy = accuracy_score(targets[run.id], probabilities.argmax(axis=1))
        assert accuracy == pytest.approx(run.finals[f"{split}.accuracy"])
        assert accuracy == accuracy_score(targets[run.id], decided[run.id])
        right = probabilities[np.arange(len(probabilities)), targets[run.id]]
        assert -np.log(right).mean() == pytest.approx(run.finals[f"{split}.loss"], rel=1e-4)


def test_predicted_values_are_in_the_units_of_the_data(tmp_path: Path) -> None:
    laboratory = ran(
        tmp_path,
        data=Diabetes(),
        optimizer=Adam(learning_rate=0.01),
        preprocessing=MinMax(),
        target_preprocessing=Standardize(),
    )
    said, targets = laboratory.predict(), own_rows(laboratory, "test")
    for run in laboratory.record().runs:
        value = root_mean_squared_error(targets[run.id], said[run.id])
        assert value == pytest.approx(run.finals["test.rmse"], rel=1e-4)
        assert r2_score(targets[run.id], said[run.id]) == pytest.approx(
            run.finals["test.r2"], abs=1e-4
        )


def test_missing_values_become_the_means_of_the_training_rows(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    rows = np.random.default_rng(0).normal(size=(60, 2))
    lines = [f"{a if i % 7 else ''},{b},{int(a > b)}" for i, (a, b) in enumerate(rows)]
    table.write_text("\n".join(["a,b,y", *lines]))
    data = CSV(path=str(table), target="y")
    laboratory = ran(tmp_path, data=data, seeds=1)
    (job,) = (trial.job for trial in laboratory.plan().trials)
    mean = np.nanmean(job.dataset.inputs[job.split.train, 0])
    filled = laboratory.predict(np.array([[mean, 0.5]]))[job.id]
    missing = laboratory.predict(np.array([[np.nan, 0.5]]))[job.id]
    np.testing.assert_allclose(missing, filled, rtol=1e-5)


def test_rows_of_any_number_are_predicted_alike(tmp_path: Path) -> None:
    data = Wine(split=(0.7, 0.0, 0.3))
    laboratory = ran(tmp_path, data=data, preprocessing=Standardize(), seeds=1)
    (job,) = (trial.job for trial in laboratory.plan().trials)
    many = np.tile(job.dataset.inputs, (12, 1))  # 2136 rows: two whole portions and a bit
    found = laboratory.predict(many)[job.id]
    assert found.shape == (len(many), 3)
    alone = laboratory.predict(job.dataset.inputs[5:6])[job.id]
    np.testing.assert_allclose(found[5::178], np.repeat(alone, 12, axis=0), rtol=1e-5)
    assert laboratory.predict("validation")[job.id].shape == (0, 3)


def test_what_cannot_be_predicted_is_refused(tmp_path: Path) -> None:
    laboratory = ran(tmp_path, data=Wine(), seeds=1)
    with pytest.raises(DataError, match=r"shape \[row, 13\], got \(4, 2\)"):
        laboratory.predict(np.zeros((4, 2)))
    with pytest.raises(DataError, match="one of train, validation, test, got 'tets'"):
        laboratory.predict("tets")
    with pytest.raises(RecordError, match="run 0000 is not one of this experiment"):
        laboratory.predict(runs=["0000"])
    longer = Laboratory(Experiment(data=Wine(), training=Training(epochs=2000), seeds=1), tmp_path)
    training = longer.run()
    next(training)
    (waiting,) = (trial.job.id for trial in longer.plan().trials)
    with pytest.raises(RecordError, match=f"no parameters of run {waiting} .* has not ended"):
        longer.predict(runs=[waiting])
    assert longer.predict() == {}
    training.close()


@pytest.mark.parametrize(
    ("data", "remedy"), [(Diabetes(), "predict"), (Unlabelled(of=Moons(samples=60)), "generate")]
)
def test_where_nothing_is_decided_for_decisions_are_refused(data: Any, remedy: str) -> None:
    # Before anything is read that a run has left, so no run is needed.
    job = Job("a run", {}, Recipe(data=data), data.load(), seed=0)
    with pytest.raises(SpecError) as refused:
        decided(job, {}, "test")
    owner = type(data).__name__
    assert str(refused.value) == f"{owner} has no classes to decide for; use {remedy}"


def test_a_diverged_run_speaks_as_it_last_did(tmp_path: Path) -> None:
    laboratory = ran(tmp_path, data=Wine(), optimizer=GradientDescent(learning_rate=1e6), seeds=1)
    (run,) = laboratory.record().runs
    assert run.outcome == "diverged"
    (said,), (targets,) = laboratory.predict().values(), own_rows(laboratory, "test").values()
    accuracy = accuracy_score(targets, said.argmax(axis=1))
    assert accuracy == pytest.approx(run.finals["test.accuracy"])
