"""Studies of landscapes: the numbers that lecture notes claim, and what is said in their place."""

from __future__ import annotations

import numpy as np
import pytest

from thalweg.errors import SpecError
from thalweg.explain.landscapes.asked import STUDIES, of_landscape
from thalweg.explain.landscapes.claims import acceleration, momentum, second_order
from thalweg.explain.landscapes.hard import (
    finite_steps,
    hard_places,
    many_starts,
    mini_batches,
    penalty,
)
from thalweg.explain.landscapes.surrogates import surrogate


def test_momentum_on_a_bowl() -> None:
    said = momentum().data
    assert list(said["steps"].values()) == [79, 26, 83, 45, 17, None, None]
    for own in said["limits"]:
        assert own["heavy_ball_outcomes"] == ["arrived", "diverged"]
        assert own["nesterov_outcomes"] == ["arrived", "diverged"]
    assert said["limits"][-1]["nesterov"] == pytest.approx(0.170, abs=5e-4)


def test_second_order_methods() -> None:
    said = second_order().data
    bowl = said["bowl"]
    np.testing.assert_allclose(bowl["Newton()"]["points"][1], [0, 0], atol=1e-12)
    damped = bowl["Newton(damping=1.0)"]["points"][1]
    np.testing.assert_allclose(damped, [1.3333, 0.1111], atol=5e-5)
    conjugate = bowl["ConjugateGradients()"]["points"]
    np.testing.assert_allclose(conjugate[1], [2.4, -0.6], atol=1e-9)
    np.testing.assert_allclose(conjugate[2], [0, 0], atol=1e-9)
    assert [own["arrived"] for own in bowl.values()] == [1, 8, 2, 17]
    kinds = [own["rests_at"] for own in said["saddle"].values()]
    assert kinds == ["saddle", None, None]


def test_acceleration_needs_momentum_that_grows() -> None:
    said = acceleration().data
    slopes = list(said["slopes"].values())
    np.testing.assert_allclose(slopes, [-0.51, -0.64, -0.59, -1.09], atol=0.005)
    # The bounds, by how far the start at 0 is from the minimum: x_i = 1 − i/401.
    distance = sum((1 - i / 401) ** 2 for i in range(1, 401))
    heights = list(said["heights"].values())
    assert 0 < heights[0] < distance / (2 * 180)
    assert 0 < heights[3] < 2 * distance / 181**2


def test_hard_places() -> None:
    said = hard_places().data
    outcomes = {name: list(own.values()) for name, own in said["outcomes"].items()}
    assert outcomes["cliff"] == ["diverged, step 5", "arrived at step 50"]
    assert outcomes["saddle"][1] == "rests at a saddle"
    assert outcomes["rastrigin"][0] == "rests at a minimum"
    assert outcomes["styblinski_tang"] == ["rests at a minimum"]
    assert outcomes["plateau"][0].startswith("still moving")
    # y grows by 1.2 with each step, until it is above 1.
    for height, steps in said["escapes"].items():
        assert 1.2**steps * float(height) > 1 >= 1.2 ** (steps - 1) * float(height) * (1 - 1e-9)


def test_longer_steps_go_up() -> None:
    said = finite_steps().data
    rates, changes = np.array(said["rates"]), np.array(said["changes"])
    inside = (rates > 0) & (rates < said["limit"])
    assert np.all(changes[inside] < 0)
    assert np.all(changes[rates > 1.001 * said["limit"]] > 0)


def test_weight_decay() -> None:
    said = penalty().data
    hessian, best = np.array([[2.6, 1.2], [1.2, 0.9]]), np.array([1.5, 2.0])
    for strength, minimum, kept in zip(
        said["strengths"], said["minima"], said["kept"], strict=True
    ):
        slope = hessian @ (np.array(minimum) - best) + strength * np.array(minimum)
        np.testing.assert_allclose(slope, 0, atol=1e-12)
        values, vectors = np.linalg.eigh(hessian)
        np.testing.assert_allclose(vectors.T @ minimum, kept * (vectors.T @ best), atol=1e-12)
        np.testing.assert_allclose(kept, values / (values + strength), rtol=1e-12)


def test_wide_networks_end_alike() -> None:
    said = many_starts((1, 2, 16), starts=8, steps=150)
    ends, text = said.data["ends"], " ".join(said.text().split())
    spread = {width: np.ptp(own) for width, own in ends.items()}
    assert f"differ most with {max(spread, key=lambda width: spread[width])} units" in text
    assert spread["16"] < spread["2"]
    assert max(ends["16"]) < min(ends["1"])


def test_mini_batches_are_noisy_and_not_biased() -> None:
    said = mini_batches(64, 1500).data
    np.testing.assert_allclose(said["errors"][:-1], said["expected"][:-1], rtol=0.06)
    for error, bias in zip(said["errors"], said["biases"], strict=True):
        # The mean of so many draws is off by the root of their number less.
        assert bias < 2 * error / 1500**0.5 + 1e-12
    assert said["errors"][-1] < 1e-12


def test_a_surrogate_has_a_slope() -> None:
    said = surrogate().data
    weights, counted = np.array(said["weights"]), np.array(said["zero_one"])
    # One apple and one orange are on the wrong side of either answer.
    assert set(counted[weights > 0]) == {0.25}
    assert set(counted[weights < 0]) == {0.75}
    entropy = np.array(said["cross_entropy"])
    assert np.abs(np.diff(entropy)).min() > 0
    assert said["least_at"] == pytest.approx(2, abs=0.5)


def test_what_is_trained_is_not_what_should_be_low() -> None:
    said = surrogate().data["early_stopping"]
    assert 0 < said["stop_at"] < 300
    assert said["loss_there"] < 0.8 * said["loss_at_the_end"]
    # All answers in training are right at the end, and more in validation are wrong than before.
    assert said["training_wrong_at_the_end"] == 0
    assert said["wrong_there"] < said["wrong_at_the_end"]


# ----------------------------------------------------------------------------------------- in words


def test_what_is_asked_for() -> None:
    said = of_landscape("bowl", "momentum = { momentum = 0.5, learning_rate = 0.05 }, adam", "4, 1")
    assert said.data["runs"][0]["arrived"] == 26
    named = of_landscape("y**2 + x", "adam", "y=3, x=1", 5)
    assert named.data["runs"][0]["points"][0] == [1.0, 3.0]
    clip = "clip_by_norm = { limit = 1 }"
    held = of_landscape("cliff", "gradient_descent = { learning_rate = 0.5 }", clip=clip)
    assert held.data["runs"][0]["outcome"] == "arrived"
    # A rate that is not written is chosen, and the page says so.
    asked = 'momentum = { learning_rate_in = "step" }, adam = { "learning_rate" = 0.05 }'
    chosen = of_landscape("bowl", asked, steps=20)
    used = [run["optimizer"] for run in chosen.data["runs"]]
    assert used == [
        "Momentum(learning_rate=0.1, learning_rate_in='step')",
        "Adam(learning_rate=0.05)",
    ]
    assert "that were not given (momentum) are, of 15" in " ".join(chosen.text().split())
    assert "were not given" not in held.text()
    listed = of_landscape("list")
    assert set(listed.data["studies"]) == set(STUDIES)
    assert "rosenbrock" in listed.text(100)
    assert of_landscape("finite_steps").page.title == finite_steps().page.title


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"optimizers": "adamm"}, "adam"),
        ({"optimizers": "adam = { learning_rate = [1.0, 2.0] }"}, "one value"),
        ({"start": "1, two"}, "must be numbers"),
        ({"start": "1"}, "is 2 finite numbers"),
        ({"start": "x=1"}, "no value for y"),
        ({"clip": "clip_by"}, "--clip"),
    ],
)
def test_what_is_asked_for_wrongly(given: dict[str, str], said: str) -> None:
    with pytest.raises(SpecError, match=said):
        of_landscape("bowl", **given)
