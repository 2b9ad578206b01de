"""Ensembles of recorded runs: who belongs together, on which rows, and what is said of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss

from thalweg import Compare, Ensemble, Experiment, Laboratory, Seeds, Training
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import Adam, Momentum
from thalweg.catalogue.preprocessing import Standardize
from thalweg.cli.app import app
from thalweg.data import Diabetes, Moons, Wine
from thalweg.errors import SpecError
from thalweg.report import to_html
from thalweg.spec.text import parse

MOONS = Moons(samples=80, noise=0.3, split=(0.4, 0.1, 0.5))


def experiment(**changes: Any) -> Experiment:
    fields = {
        "data": MOONS,
        "network": MLP(hidden=(6,)),
        "optimizer": Adam(learning_rate=0.05),
        "training": Training(epochs=4, batch_size=16, probes=0),
        "ensemble": Ensemble(size=3),
        "seeds": 6,
        **changes,
    }
    return Experiment(**fields)


def ran(project: Path, **changes: Any) -> Laboratory:
    laboratory = Laboratory(experiment(**changes), project)
    for _ in laboratory.run():
        pass
    return laboratory


def test_members_share_test_rows_that_none_was_trained_on(tmp_path: Path) -> None:
    trials = Laboratory(experiment(), tmp_path).plan().trials
    alone = Laboratory(experiment(ensemble=None), tmp_path).plan().trials
    splits = [trial.job.split for trial in trials]
    for first in (0, 3):
        test = set(splits[first].test)
        for split in splits[first : first + 3]:
            assert set(split.test) == test
            assert test.isdisjoint([*split.train, *split.validation])
    assert set(splits[0].test) != set(splits[3].test)
    # The first of each ensemble is the run it is without ensembles; the others trained elsewhere.
    same = [one.job.id == other.job.id for one, other in zip(trials, alone, strict=True)]
    assert same == [True, False, False, True, False, False]
    assert len({trial.job.id for trial in trials}) == 6


def test_runs_are_those_without_ensembles_where_nothing_is_drawn_for_testing(
    tmp_path: Path,
) -> None:
    from tests.data.official import Official

    found = [
        [trial.job.id for trial in Laboratory(experiment(**fields), tmp_path).plan().trials]
        for fields in ({"data": Official()}, {"data": Official(), "ensemble": None})
    ]
    assert found[0] == found[1]


def test_ensembles_are_averages_of_probabilities(tmp_path: Path) -> None:
    laboratory = ran(tmp_path, optimizer=[Adam(learning_rate=0.05), Momentum(learning_rate=0.05)])
    found = laboratory.ensembles()
    assert found is not None
    assert found.shared_split
    assert found.size == 3
    said = laboratory.predict("test")
    trials = laboratory.plan().trials
    assert {level.level for level in found.levels} == {"optimizer=adam", "optimizer=momentum"}
    for level in found.levels:
        assert level.seeds == ((0, 1, 2), (3, 4, 5))
        jobs = [t.job for t in trials if f"optimizer={t.point.factors['optimizer']}" == level.level]
        accuracy, entropy = level.gains
        for number, first in enumerate((0, 3)):
            own = jobs[first : first + 3]
            targets = own[0].dataset.targets[own[0].split.test]
            mean = np.mean([said[job.id] for job in own], axis=0)
            assert accuracy.values[number] == accuracy_score(targets, mean.argmax(axis=1))
            assert entropy.values[number] == pytest.approx(log_loss(targets, mean), rel=1e-5)
        finals = {run.id: run.finals for run in laboratory.record().runs}
        single = np.mean([finals[job.id]["test.accuracy"] for job in jobs])
        assert accuracy.members.estimate == pytest.approx(single)
        assert entropy.gain.estimate > 0  # by Jensen's inequality, whatever was learned
    best, second = (level.gains[0].ensembles.estimate for level in found.levels)
    assert best >= second


def test_values_are_averaged_in_their_units(tmp_path: Path) -> None:
    laboratory = ran(
        tmp_path,
        data=Diabetes(),
        preprocessing=Standardize(),
        target_preprocessing=Standardize(),
        ensemble=Ensemble(size=2),
        seeds=2,
    )
    found = laboratory.ensembles()
    assert found is not None
    ((level),) = found.levels
    rmse, r2 = level.gains
    finals = [run.finals for run in laboratory.record().runs]
    assert rmse.members.estimate == pytest.approx(
        np.mean([each["test.rmse"] for each in finals]), rel=1e-4
    )
    assert (rmse.metric, r2.metric, level.level) == ("test.rmse", "test.r2", "all runs")
    assert 0 < rmse.ensembles.estimate < rmse.members.estimate


def test_what_tuning_chose_is_averaged(tmp_path: Path) -> None:
    laboratory = ran(
        tmp_path,
        optimizer=[Adam(learning_rate=[1e-4, 0.1]), Momentum(learning_rate=[1e-4, 0.1])],
        compare=Compare(factor="optimizer", tune=("learning_rate",), seeds=Seeds(tune=2, report=4)),
        ensemble=Ensemble(size=2),
    )
    comparison, found = laboratory.compare(), laboratory.ensembles()
    assert comparison is not None
    assert found is not None
    chosen = {(level.level, level.configuration) for level in comparison.contexts[0].levels}
    assert {(level.level, level.configuration) for level in found.levels} == chosen
    means = {level.level: level.mean.estimate for level in comparison.contexts[0].levels}
    for level in found.levels:
        assert level.gains[0].members.estimate == pytest.approx(means[level.level])
    assert "not quite independent" in comparison.contexts[0].warnings[-1]


def test_an_ensemble_that_is_not_complete_is_left_out(tmp_path: Path) -> None:
    longer = {"training": Training(epochs=200, batch_size=16, probes=0), "seeds": 4}
    ran(tmp_path, **longer, ensemble=None, data=Wine(split=(0.5, 0.0, 0.5)))
    laboratory = Laboratory(
        experiment(**longer, ensemble=Ensemble(size=2), data=Wine(split=(0.5, 0.0, 0.5))), tmp_path
    )
    training = laboratory.run()
    next(training)  # what is recorded already: the first of each
    training.close()
    found = laboratory.ensembles()
    assert found is not None
    assert found.levels == ()
    assert "No ensemble is complete yet" in to_html(laboratory.page())


def test_what_cannot_be_averaged_is_refused(tmp_path: Path) -> None:
    text = "[data]\nmoons = {}\n[ensemble]\nsize = 3\n[compare]\nfactor = 'case'\n"
    with pytest.raises(SpecError) as caught:
        parse(text, "spec.toml")
    assert str(caught.value) == (
        "spec.toml:3: compare.seeds.report must be a multiple of ensemble.size, 3, got 10; "
        "write 9 or 12"
    )
    with pytest.raises(SpecError, match="got 2; write 3"):
        parse("seeds = 2\nensemble = {}\n[data]\nmoons = {}\n", "spec.toml")
    read = parse("seeds = 4\nensemble = { size = 2 }\n[data]\nmoons = {}\n", "spec.toml")
    assert read.ensemble == Ensemble(size=2)
    assert parse(read.to_toml(), "again.toml") == read
    untested = experiment(data=Moons(split=(0.7, 0.3, 0.0)))
    with pytest.raises(SpecError, match=r"test rows, of which there are none; give Moons\.split"):
        Laboratory(untested, tmp_path).plan()


SPEC = """
question = "Does averaging help?"
data = { moons = { samples = 60, noise = 0.3, split = [0.5, 0.0, 0.5] } }
network = { mlp = { hidden = [4] } }
optimizer = ["adam", "momentum"]
training = { epochs = 2, probes = 0 }
ensemble = { size = 2 }
compare = { factor = "optimizer", seeds = { report = 4 } }
"""


def test_commands_show_ensembles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    monkeypatch.chdir(tmp_path)
    Path("spec.toml").write_text(SPEC)
    said = {
        name: CliRunner().invoke(app, command.split(), catch_exceptions=False).output
        for name, command in {
            "run": "run spec.toml --report page.html",
            "run --json": "run spec.toml --json",
            "compare": "compare spec.toml",
            "compare --json": "compare spec.toml --json",
            "report": "report spec.toml --markdown page.md",
        }.items()
    }
    for text in (
        said["run"],
        said["compare"],
        *(Path(p).read_text() for p in ("page.html", "page.md")),
    ):
        assert "Ensembles" in text
        assert "ensembles of 2" in " ".join(text.split())
    for name in ("run --json", "compare --json"):
        found = json.loads(said[name])["ensembles"]
        assert (found["size"], found["shared_split"]) == (2, True)
        assert {level["level"] for level in found["levels"]} == {"adam", "momentum"}
        (accuracy, _) = found["levels"][0]["gains"]
        gain = accuracy["ensembles"]["estimate"] - accuracy["members"]["estimate"]
        assert accuracy["gain"]["estimate"] == pytest.approx(gain)
