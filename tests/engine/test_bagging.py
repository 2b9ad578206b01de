"""Runs on rows drawn with replacement: which rows, what is learned of them, and in what company."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import BaggingClassifier, BaggingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPClassifier
from tests.engine.laboratory_setup import assert_same_bits, everything, jobs, recipe, trained

from thalweg import Ensemble, Experiment, Laboratory, Training
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import Adam, Newton
from thalweg.catalogue.preprocessing import Standardize
from thalweg.data import Diabetes, Digits, Moons, Split
from thalweg.data.split import bootstrapped
from thalweg.record.store import Record
from thalweg.spec.identity import run_id

BOOTSTRAP = {"resample": "bootstrap"}


def whole(rows: int) -> Split:
    empty = np.zeros(0, np.int32)
    return Split(np.arange(rows, dtype=np.int32), empty, empty)


def test_rows_are_drawn_as_scikit_learn_draws_them() -> None:
    rows, runs = 300, 400
    x = np.random.default_rng(0).normal(size=(rows, 1))
    theirs = BaggingRegressor(LinearRegression(), n_estimators=runs, random_state=0).fit(x, x[:, 0])
    drawn = [bootstrapped(whole(rows), seed).train for seed in range(runs)]
    shares = [
        [len(np.unique(own)) / rows for own in each] for each in (drawn, theirs.estimators_samples_)
    ]
    for own in shares:
        assert np.mean(own) == pytest.approx(1 - (1 - 1 / rows) ** rows, abs=0.004)
    assert np.std(shares[0]) == pytest.approx(np.std(shares[1]), rel=0.15)
    # Every row as often as any other: 400 draws each, with a standard deviation of 20.
    times = np.bincount(np.concatenate(drawn), minlength=rows)
    assert abs(times - runs).max() < 5 * 20
    assert np.std(times) == pytest.approx(20, rel=0.15)
    assert (np.diff(drawn[0]) >= 0).all()
    assert drawn[0].dtype == np.int32


def test_only_training_rows_change() -> None:
    plain, drawn = jobs([recipe(), recipe(training=BOOTSTRAP)])
    assert plain.id != drawn.id
    assert plain.sizes == drawn.sizes
    assert set(drawn.split.train) < set(plain.split.train)
    for part in ("validation", "test"):
        assert (getattr(drawn.split, part) == getattr(plain.split, part)).all()
    fields = plain.spec["recipe"]["training"]
    assert fields.pop("resample") is None  # a field that holds nothing is no part of an identity
    assert run_id(dict(plain.spec)) == plain.id
    other = jobs([recipe(training=BOOTSTRAP)], [1])[0]
    assert not np.array_equal(other.split.train, drawn.split.train)


def test_a_run_learns_each_row_as_often_as_it_was_drawn(tmp_path: Path) -> None:
    linear = recipe(
        data=Diabetes(),
        network=MLP(hidden=()),
        optimizer=Newton(),
        preprocessing=Standardize(),
        training={**BOOTSTRAP, "batch_size": "full", "epochs": 3},
    )
    runs = jobs([linear], range(3))
    with trained(runs, tmp_path) as record:
        outcome = record.experiment("test").runs
        for job, run in zip(runs, outcome, strict=True):
            kept, rows = record.arrays(job.id), job.split.train
            x, y = job.dataset.inputs[rows].astype(float), job.dataset.targets[rows].astype(float)
            assert len(np.unique(rows)) < 0.7 * len(rows)
            np.testing.assert_allclose(kept["preprocessing.shift"], x.mean(axis=0), rtol=1e-5)
            fitted = LinearRegression().fit((x - x.mean(0)) / x.std(0), y)
            kernel = kept["parameters.dense_0.kernel"]
            np.testing.assert_allclose(kernel[:, 0], fitted.coef_[0], rtol=2e-2, atol=0.2)
            assert run.finals["train.r2"] == pytest.approx(
                fitted.score((x - x.mean(0)) / x.std(0), y), abs=1e-3
            )


def test_bagging_gains_as_much_as_that_of_scikit_learn(tmp_path: Path) -> None:
    data = Digits(split=(0.06, 0.0, 0.94))
    laboratory = Laboratory(
        Experiment(
            data=data,
            network=MLP(hidden=(16,)),
            optimizer=Adam(learning_rate=0.01),
            training=Training(epochs=40, batch_size=16, probes=0, resample="bootstrap"),
            ensemble=Ensemble(size=5),
            seeds=10,
        ),
        tmp_path,
    )
    for _ in laboratory.run():
        pass
    found = laboratory.ensembles()
    assert found is not None
    accuracy = found.levels[0].gains[0]
    theirs, alone = [], []
    for trial in laboratory.plan().trials[::5]:
        split, x, y = trial.job.split, trial.job.dataset.inputs, trial.job.dataset.targets
        plain = jobs([recipe(data=data)], [trial.job.seed])[0].split
        single = MLPClassifier(
            (16,), batch_size=16, learning_rate_init=0.01, max_iter=40, n_iter_no_change=1000
        )
        bagging = BaggingClassifier(single, n_estimators=5, random_state=0)
        with pytest.warns(match="Maximum iterations"):
            bagging.fit(x[plain.train], y[plain.train])
        assert (split.test == plain.test).all()
        theirs.append(bagging.score(x[split.test], y[split.test]))
        alone += [each.score(x[split.test], y[split.test]) for each in bagging.estimators_]
    gain = np.mean(theirs) - np.mean(alone)
    assert accuracy.gain.estimate > 0.03
    assert accuracy.gain.estimate == pytest.approx(gain, abs=0.04)
    assert accuracy.ensembles.estimate == pytest.approx(np.mean(theirs), abs=0.04)


def test_company_changes_nothing(tmp_path: Path) -> None:
    runs = jobs([recipe(training=BOOTSTRAP), recipe()], range(4))
    watched, found = runs[2], []
    for name, company in (("alone", [watched]), ("all", runs)):
        with trained(company, tmp_path / name) as record:
            found.append(everything(record, watched.id))
            assert len(record.experiment("test").programs) == 1
    assert_same_bits(*found)


def test_a_picture_shows_which_rows_were_drawn(tmp_path: Path) -> None:
    laboratory = Laboratory(
        Experiment(
            data=Moons(samples=60, split=(0.5, 0.0, 0.5)),
            training=Training(epochs=1, probes=0, resample="bootstrap"),
        ),
        tmp_path,
    )
    for _ in laboratory.run():
        pass
    (job,) = (trial.job for trial in laboratory.plan().trials)
    with Record.open(tmp_path) as record:
        parts = record.arrays(job.id, ["decision_split"])["decision_split"]
    assert set(np.flatnonzero(parts == 0)) == set(job.split.train)
    assert (parts == 2).sum() == 30
    assert (parts == 3).sum() == 30 - len(set(job.split.train))
