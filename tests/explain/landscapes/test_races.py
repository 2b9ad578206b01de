"""Races: step for step against optax, and what the lecture notes say of their bowl by numbers."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from thalweg.catalogue.clipping import ClipByNorm
from thalweg.catalogue.line_searches import ExactSearch
from thalweg.catalogue.optimizers import (
    Adam,
    ConjugateGradients,
    GaussNewton,
    GradientDescent,
    Momentum,
    Nesterov,
    Newton,
    SteepestDescent,
)
from thalweg.errors import SpecError
from thalweg.explain.landscapes import LANDSCAPES, landscape, landscape_of, race
from thalweg.explain.landscapes.races import RATES, tuned

BOWL = LANDSCAPES["bowl"]


@pytest.mark.parametrize("name", ["rosenbrock", "beale", "himmelblau", "shelf"])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (GradientDescent(learning_rate=1e-3), optax.sgd(1e-3)),
        (Momentum(learning_rate=5e-4, momentum=0.8), optax.sgd(5e-4, 0.8)),
        (
            Nesterov(learning_rate=5e-4, momentum=0.8, form="stored_point"),
            optax.sgd(5e-4, 0.8, nesterov=True),
        ),
        (Adam(learning_rate=0.05), optax.adam(0.05)),
    ],
    ids=["descent", "momentum", "nesterov", "adam"],
)
def test_trajectories_are_those_of_optax(name: str, ours: Any, theirs: Any) -> None:
    ground = LANDSCAPES[name]
    (run,) = race(ground, [ours], steps=60)
    with jax.enable_x64(True):
        point = jnp.asarray(ground.start)
        state, slope = theirs.init(point), jax.jit(jax.grad(ground))
        points = [point]
        for _ in range(60):
            moved, state = theirs.update(slope(point), state, point)
            point = optax.apply_updates(point, moved)
            points.append(point)
        values = [float(ground(at)) for at in points]
    np.testing.assert_allclose(run.points, points, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(run.values, values, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    ("optimizer", "arrived"),
    [
        (GradientDescent(learning_rate=0.05), 79),
        (Momentum(learning_rate=0.05, momentum=0.5), 26),
        (Momentum(learning_rate=0.05, momentum=0.9), 83),
        (Nesterov(learning_rate=0.05, momentum=0.9), 45),
        (GradientDescent(learning_rate=0.2), 17),
        (Newton(), 1),
        (ConjugateGradients(), 2),
        (GaussNewton(damping=0.0), 1),
        (SteepestDescent(search=ExactSearch(trials=60)), 17),
    ],
    ids=repr,
)
def test_steps_until_the_bowl_is_solved(optimizer: Any, arrived: int) -> None:
    (run,) = race(BOWL, [optimizer], steps=100)
    assert run.arrived == arrived
    assert run.values[arrived] < 1e-6 <= run.values[arrived - 1]


def test_runs_do_not_depend_on_their_company() -> None:
    several = [Momentum(learning_rate=rate) for rate in (0.001, 0.01, 0.2, 0.6)]
    together = race(BOWL, [*several, Adam()], steps=50)
    for run, optimizer in zip(together, several, strict=False):
        (alone,) = race(BOWL, [optimizer], steps=50)
        np.testing.assert_array_equal(run.points, alone.points)
    assert [run.name for run in together[:2]] == [
        "momentum (learning_rate 0.001)",
        "momentum (learning_rate 0.01)",
    ]
    assert together[-1].name == "adam"


def test_that_one_diverges_is_a_result() -> None:
    rates = (0.2, 0.2499, 0.25, 0.2501, 0.3)
    runs = race(BOWL, [GradientDescent(learning_rate=rate) for rate in rates], steps=20_000)
    assert [run.outcome for run in runs] == ["arrived", "arrived", "moves", "diverged", "diverged"]
    assert np.isfinite(runs[-1].points).all()
    assert runs[-1].steps < 60
    (lost,) = race(landscape_of("exp(x**2)"), [GradientDescent(learning_rate=1.0)], [2.0])
    assert (lost.outcome, lost.steps) == ("diverged", 1)


def test_newton_goes_to_the_saddle_and_descent_leaves_it() -> None:
    newton, descent = race(LANDSCAPES["saddle"], [Newton(), GradientDescent(learning_rate=0.1)])
    assert (newton.outcome, newton.rests_at) == ("rests", "saddle")
    np.testing.assert_allclose(newton.points[1], 0, atol=1e-15)
    assert (descent.outcome, descent.arrived) == ("falls without end", None)


def test_momentum_passes_the_hollow_that_holds_descent() -> None:
    both = [GradientDescent(learning_rate=0.3), Momentum(learning_rate=0.3)]
    descent, momentum = race(LANDSCAPES["shelf"], both)
    assert (descent.outcome, descent.rests_at) == ("rests", "minimum")
    assert descent.points[-1, 0] == pytest.approx(2.35014, abs=1e-5)
    assert momentum.outcome == "arrived"


def test_clipping_helps_at_a_cliff() -> None:
    cliff, rule = LANDSCAPES["cliff"], [GradientDescent(learning_rate=0.5)]
    (free,), (held,) = race(cliff, rule), race(cliff, rule, clip=ClipByNorm(limit=1.0))
    assert (free.outcome, held.outcome) == ("diverged", "arrived")
    lengths = np.linalg.norm(np.diff(held.points, axis=0), axis=1)
    assert lengths.max() == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("optimizers", "start", "steps", "said"),
    [
        ([Adam()], (1.0,), 10, "is 2 finite numbers"),
        ([Adam()], (1.0, float("nan")), 10, "is 2 finite numbers"),
        ([], None, 10, "at least one"),
        ([Adam()], None, 0, "from 1 to 100,000"),
        ([Adam()], (1e300, 1.0), 10, r"no finite value at the start, x=1e\+300, y=1"),
    ],
)
def test_what_is_no_race(optimizers: Any, start: Any, steps: int, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        race(BOWL, optimizers, start, steps)


def test_the_rate_that_is_chosen_is_lowest_on_average() -> None:
    def rosenbrock(x: float, y: float) -> tuple[float, float, float]:
        off = y - x**2
        return (1 - x) ** 2 + 100 * off**2, -2 * (1 - x) - 400 * x * off, 200 * off

    def mean(rate: float, momentum: float) -> float:
        x, y, u, v, values = -1.5, 2.0, 0.0, 0.0, []
        for _ in range(101):
            value, a, b = rosenbrock(x, y)
            if value > 1e8:
                return np.inf
            values.append(value)
            u, v = momentum * u + rate * a, momentum * v + rate * b
            x, y = x - u, y - v
        return float(np.mean(values))

    for rule, momentum in ((GradientDescent(), 0.0), (Momentum(), 0.9)):
        own = tuned(LANDSCAPES["rosenbrock"], rule, steps=100)
        assert own.learning_rate == min(RATES, key=lambda rate: mean(rate, momentum))
        assert own.learning_rate not in (RATES[0], RATES[-1], rule.learning_rate)


def test_what_has_no_rate_to_choose_stays_as_it_is() -> None:
    for rule in (Newton(), ConjugateGradients()):
        assert tuned(BOWL, rule, steps=5) is rule
    rule = GradientDescent()
    assert tuned(landscape_of("-exp(exp(x**2))"), rule, [2.0], 50) is rule


# -------------------------------------------------------------------------------------------- pages


def test_a_page_says_who_arrived() -> None:
    said = landscape("bowl", [GradientDescent(learning_rate=0.05), Nesterov(learning_rate=0.2)])
    text, html = said.text(100), said.html()
    assert "arrived at step 79" in text
    assert "diverged, step 21" in text
    assert max(map(len, text.splitlines())) <= 100
    assert html.count("<animate ") == 2 * 2 * 3
    assert "<animate " not in said.svg()
    assert "arrived at step 79" in said.markdown()
    runs = said.data["runs"]
    assert [run["outcome"] for run in runs] == ["arrived", "diverged"]
    assert runs[0]["points"][0] == [4.0, 1.0]
    assert said.data["landscape"]["critical_points"][0]["eigenvalues"] == pytest.approx([2, 8])


def test_a_page_about_a_line_and_one_about_an_expression() -> None:
    said = landscape("valley", [GradientDescent(learning_rate=0.1)], steps=10)
    assert "still moving after 10 steps" in said.text(100)
    assert max(map(len, said.text(60).splitlines())) <= 60
    said = landscape("x*y", [Adam()], (0.5, -0.5), 5)
    assert "no lowest value is known" in said.text()
    assert [point["kind"] for point in said.data["landscape"]["critical_points"]] == ["saddle"]
