"""The order of things: tune, choose, report on fresh seeds, compare; train only what is missing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thalweg import Compare, Experiment, Laboratory, Seeds, Training
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import Adam, GradientDescent, Momentum
from thalweg.data import Moons
from thalweg.errors import RecordError, SpecError
from thalweg.laboratory import FIRST_TUNING_SEED
from thalweg.record.store import Record

MOONS = Moons(samples=60, noise=0.1, split=(0.7, 0.0, 0.3))


def experiment(**changes: Any) -> Experiment:
    fields = {
        "data": MOONS,
        "network": MLP(hidden=(4,)),
        "training": Training(epochs=3, batch_size=16, probes=0),
        **changes,
    }
    return Experiment(**fields)


def trained(laboratory: Laboratory) -> int:
    """Train all of it; how many runs were not in the record before."""
    seen = Counter(
        finals is not None
        for progress in laboratory.run()
        for finals in (progress.finals or (None,) * len(progress.finished))
    )
    return seen[True]


TUNED = experiment(
    optimizer=[Adam(learning_rate=[0.001, 0.1]), Momentum(learning_rate=[0.01, 0.1])],
    compare=Compare(factor="optimizer", tune=("learning_rate",), seeds=Seeds(tune=2, report=10)),
)


def test_tuned_on_validation_reported_on_fresh_seeds(tmp_path: Path) -> None:
    laboratory = Laboratory(TUNED, tmp_path)
    plan = laboratory.plan()
    assert (len(plan.trials), plan.reporting, plan.runs) == (8, 20, 28)
    trained(laboratory)
    runs = laboratory.record().runs
    tuning = [run for run in runs if run.phase == "tune"]
    reporting = [run for run in runs if run.phase == "report"]
    assert {run.seed for run in tuning} == {FIRST_TUNING_SEED, FIRST_TUNING_SEED + 1}
    assert {run.seed for run in reporting} == set(range(10))
    comparison = laboratory.compare()
    assert comparison is not None
    (context,) = comparison.contexts
    for level in context.levels:
        scores: dict[float, list[float]] = {}
        for run in tuning:
            if run.factors["optimizer"] == level.level:
                rate = float(run.factors["optimizer.learning_rate"])  # type: ignore[arg-type]
                scores.setdefault(rate, []).append(run.finals["validation.accuracy"])
        best = max(scores, key=lambda rate: np.mean(scores[rate]))
        chosen = [run for run in reporting if run.factors["optimizer"] == level.level]
        assert {run.factors["optimizer.learning_rate"] for run in chosen} == {best}
        assert sorted(level.values) == sorted(run.finals["test.accuracy"] for run in chosen)


def test_levels_are_paired_by_seed(tmp_path: Path) -> None:
    laboratory = Laboratory(
        experiment(
            optimizer=[Adam(learning_rate=0.05), GradientDescent(learning_rate=0.05)],
            compare=Compare(factor="optimizer", seeds=Seeds(report=10)),
        ),
        tmp_path,
    )
    trained(laboratory)
    comparison = laboratory.compare()
    assert comparison is not None
    (pair,) = comparison.contexts[0].pairs
    values = {
        (run.factors["optimizer"], run.seed): run.finals["test.accuracy"]
        for run in laboratory.record().runs
    }
    differences = [values[pair.first, seed] - values[pair.second, seed] for seed in range(10)]
    assert pair.difference.estimate == pytest.approx(np.mean(differences))
    # Where the two agree in what they start from, a seed's difference is theirs alone.
    with Record.open(tmp_path) as record:
        runs = {(run.factors["optimizer"], run.seed): run.id for run in laboratory.record().runs}
        first, second = (
            record.series("train.loss", [runs[level, 3]])[runs[level, 3]][1][0]
            for level in (pair.first, pair.second)
        )
    assert first == second


VARIED = experiment(
    optimizer=Adam(learning_rate=0.1),
    cases=({"name": "adam"}, {"name": "momentum", "optimizer": {"momentum": {}}}),
    vary=({"optimizer": {"learning_rate": [0.01, 0.1]}}, {"training": {"batch_size": [16, 32]}}),
    compare=Compare(factor="case", target=0.6, seeds=Seeds(report=10)),
)


def test_a_run_in_several_contexts_is_paid_for_once_and_equal_contexts_are_one(
    tmp_path: Path,
) -> None:
    laboratory = Laboratory(VARIED, tmp_path)
    count = trained(laboratory)
    comparison = laboratory.compare()
    assert comparison is not None
    assert [context.label for context in comparison.contexts] == [
        "base",
        "learning_rate=0.01",
        "learning_rate=0.1",  # the base of one case only
        "batch_size=32",
    ]
    assert comparison.budget["total"]["runs"] == count == len(laboratory.record().runs)


def test_time_to_target_is_read_off_the_curves(tmp_path: Path) -> None:
    laboratory = Laboratory(VARIED, tmp_path)
    trained(laboratory)
    comparison = laboratory.compare()
    assert comparison is not None
    runs = {
        run.id
        for run in laboratory.record().runs
        if run.factors["case"] == "adam"
        and run.factors.get("optimizer.learning_rate", 0.1) == 0.1
        and run.factors.get("training.batch_size", 16) == 32
    }
    with Record.open(tmp_path) as record:
        curves = record.series("test.accuracy", sorted(runs))
    met = sum(bool((values >= 0.6).any()) for _, values in curves.values())
    base = next(context for context in comparison.contexts if context.label == "batch_size=32")
    curve = next(each for each in base.survival if each.level == "adam")
    assert (curve.reached, curve.runs) == (met, 10)


def test_only_what_is_missing_is_trained(tmp_path: Path) -> None:
    rates = [0.001, 0.01]
    small = experiment(optimizer=Adam(learning_rate=rates), seeds=2)
    assert trained(Laboratory(small, tmp_path)) == 4
    assert trained(Laboratory(small, tmp_path)) == 0
    more_seeds = experiment(optimizer=Adam(learning_rate=rates), seeds=3)
    assert Laboratory(more_seeds, tmp_path).plan().recorded == 4
    assert trained(Laboratory(more_seeds, tmp_path)) == 2
    wider = experiment(optimizer=Adam(learning_rate=[*rates, 0.1]), seeds=3)
    assert trained(Laboratory(wider, tmp_path)) == 3
    runs = Laboratory(wider, tmp_path).record().runs
    assert all(run.steps == run.step == 3 * 3 for run in runs)  # 42 rows by 16, three epochs


def test_asking_for_what_has_not_run(tmp_path: Path) -> None:
    trained(Laboratory(experiment(), tmp_path))
    with pytest.raises(RecordError, match="does not hold this experiment"):
        Laboratory(TUNED, tmp_path).compare()


@pytest.mark.parametrize(
    ("compare", "words"),
    [
        (Compare(factor="optimzer"), "must be something that varies"),
        (Compare(factor="optimizer", tune=("momentum",)), "tune must name numbers that vary"),
        (Compare(factor="optimizer", baseline="sgd"), "baseline must be a level of optimizer"),
        (Compare(factor="optimizer", metric="test.f1"), "must be one of"),
        (Compare(factor="optimizer", metric="validation.accuracy"), "must be one of"),
    ],
)
def test_questions_that_cannot_be_answered(compare: Compare, words: str, tmp_path: Path) -> None:
    asked = experiment(optimizer=[Adam(), Momentum()], compare=compare)
    with pytest.raises(SpecError, match=words):
        Laboratory(asked, tmp_path).plan()


def test_interrupted_while_tuning(tmp_path: Path) -> None:
    whole = Laboratory(TUNED, tmp_path / "whole")
    trained(whole)
    cut = Laboratory(TUNED, tmp_path / "cut")
    training = cut.run()
    while not next(training).finals:
        pass
    training.close()
    assert 0 < len([run for run in cut.record().runs if run.outcome == "finished"]) < 8
    trained(Laboratory(TUNED, tmp_path / "cut"))
    found = []
    for laboratory in (whole, Laboratory(TUNED, tmp_path / "cut")):
        comparison = laboratory.compare()
        assert comparison is not None
        levels = comparison.contexts[0].levels
        found.append([(level.level, level.configuration, level.values) for level in levels])
    assert found[0] == found[1]


def test_cases_that_coincide_somewhere_are_levels_of_their_own_there(tmp_path: Path) -> None:
    laboratory = Laboratory(
        experiment(
            cases=(
                {"name": "large", "training": {"batch_size": 32}},
                {"name": "small", "training": {"batch_size": 8}},
            ),
            vary=(
                {"training": {"batch_size": [8, 32]}},
                {"regularizers": {"l2": {"strength": [0.0, 0.1]}}},
            ),
            compare=Compare(factor="case", seeds=Seeds(report=2)),
        ),
        tmp_path,
    )
    trained(laboratory)
    comparison = laboratory.compare()
    assert comparison is not None
    assert [context.label for context in comparison.contexts] == [
        "base",
        "batch_size=8",
        "batch_size=32",
        "regularizers=l2, strength=0",
        "regularizers=l2, strength=0.1",
    ]
    for context in comparison.contexts:
        assert {level.level for level in context.levels} == {"large", "small"}
    same = next(context for context in comparison.contexts if context.label == "batch_size=8")
    assert same.levels[0].values == same.levels[1].values
