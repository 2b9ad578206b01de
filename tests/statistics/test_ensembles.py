"""Scores and gains of averaged predictions, against scikit-learn and numbers made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss, r2_score, root_mean_squared_error

from thalweg.statistics.ensembles import gains, scores

RANDOM = np.random.default_rng(3)


def probabilities(rows: int, classes: int) -> np.ndarray:
    return RANDOM.dirichlet(np.ones(classes), rows)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_scores_of_classes_are_those_of_scikit_learn(classes: int) -> None:
    said, targets = probabilities(60, classes), RANDOM.integers(0, classes, 60)
    found = scores(said, targets)
    assert found["accuracy"] == pytest.approx(accuracy_score(targets, said.argmax(axis=1)))
    loss = log_loss(targets, said, labels=range(classes))
    assert found["cross_entropy"] == pytest.approx(loss)


def test_scores_of_values_are_those_of_scikit_learn() -> None:
    targets = RANDOM.normal(5, 3, (40, 1))
    said = targets + RANDOM.normal(size=(40, 1))
    found = scores(said, targets)
    assert found["rmse"] == pytest.approx(root_mean_squared_error(targets, said))
    assert found["r2"] == pytest.approx(r2_score(targets, said))
    assert "r2" not in scores(said, np.ones((40, 1)))


def test_a_certain_mistake_has_a_finite_cross_entropy() -> None:
    assert 80 < scores(np.array([[1.0, 0.0]]), np.array([1]))["cross_entropy"] < 90


def test_gains_by_hand() -> None:
    # Two ensembles of three; each member is wrong about another row, together they are right.
    sure, wrong = [0.2, 0.8], [0.6, 0.4]
    members = [
        np.array([wrong if row == mistaken else sure for row in range(3)]) for mistaken in range(3)
    ]
    targets = np.ones(3, int)
    accuracy, entropy = gains([members, members[::-1]], [targets, targets], 0.95)
    assert (accuracy.metric, accuracy.higher_is_better) == ("test.accuracy", True)
    assert accuracy.members.estimate == pytest.approx(2 / 3)
    assert accuracy.ensembles.estimate == pytest.approx(1)
    assert accuracy.gain.estimate == pytest.approx(1 / 3)
    assert accuracy.values == (1, 1)
    assert (entropy.metric, entropy.higher_is_better) == ("test.cross_entropy", False)
    together, alone = -np.log(2 / 3), -(2 * np.log(0.8) + np.log(0.4)) / 3
    assert entropy.ensembles.estimate == pytest.approx(together)
    assert entropy.gain.estimate == pytest.approx(alone - together)


def test_a_lower_error_is_a_gain_and_intervals_are_over_ensembles() -> None:
    targets = [RANDOM.normal(size=(30, 1)) for _ in range(4)]
    said = [[own + RANDOM.normal(size=own.shape) for _ in range(5)] for own in targets]
    rmse, r2 = gains(said, targets, 0.95)
    for gain, score, sign in ((rmse, root_mean_squared_error, -1), (r2, r2_score, 1)):
        alone = [np.mean([score(t, s) for s in own]) for own, t in zip(said, targets, strict=True)]
        together = [score(t, np.mean(own, axis=0)) for own, t in zip(said, targets, strict=True)]
        better = sign * (np.array(together) - np.array(alone))
        assert gain.gain.estimate == pytest.approx(better.mean())
        assert better.mean() > 0
        half = better.std(ddof=1) / 2 * 3.182446  # Student's t at 97.5 % with 3 degrees of freedom
        assert gain.gain.high - gain.gain.estimate == pytest.approx(half, rel=1e-5)
    (alone_in_number, _) = gains(said[:1], targets[:1], 0.95)
    assert np.isnan(alone_in_number.gain.low)
