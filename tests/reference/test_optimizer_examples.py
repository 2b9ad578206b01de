"""Worked examples on optimizers, with the numbers that others have computed or printed."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.catalogue.optimizers import (
    AdaGrad,
    Adam,
    GradientDescent,
    Momentum,
    Nesterov,
    RMSProp,
)
from thalweg.catalogue.regularizers import L2, DecoupledDecay
from thalweg.catalogue.schedules import GrowingMomentum, Progress, settled

BOWL = np.array([4.0, 1.0])


def bowl(w: Any) -> Any:
    return w[0] ** 2 + 4 * w[1] ** 2


def path(rule: Any, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Points and velocities of a rule on the bowl, the start first."""

    @jax.jit
    def run(rule: Any) -> Any:
        def advance(held: Any, count: Any) -> Any:
            step = rule.step(lambda w: (bowl(w), None), *held, count)
            return (step.parameters, step.state), (step.parameters, step.state)

        begin = jnp.asarray(BOWL)
        return jax.lax.scan(advance, (begin, rule.start(begin)), jnp.arange(1, steps + 1))[1]

    points, states = run(rule)
    velocities = np.asarray(states[0].get("velocity", jnp.zeros_like(points)))
    return np.vstack([BOWL, points]), np.vstack([np.zeros(2), velocities])


def sizes(rule: Any, slopes: Any) -> np.ndarray:
    """Sizes of the increments that a rule makes of given slopes of one parameter."""

    @jax.jit
    def run(rule: Any) -> Any:
        def advance(state: Any, given: Any) -> Any:
            slope, count = given
            update = rule.update(slope, state, jnp.zeros(1), count)
            return update.state, jnp.abs(update.increment[0])

        counted = jnp.asarray(slopes)[:, None], jnp.arange(1, len(slopes) + 1)
        return jax.lax.scan(advance, rule.init(jnp.zeros(1)), counted)[1]

    return np.asarray(run(rule))


# ----------------------------------------------------------------------------- momentum, Nesterov


@pytest.mark.parametrize(
    ("rule", "slope"),
    [
        (GradientDescent(learning_rate=1.0), -0.51),
        (Momentum(learning_rate=1.0, momentum=0.9), -0.64),
        (Nesterov(learning_rate=1.0, momentum=0.9), -0.59),
        (Nesterov(learning_rate=1.0, momentum=GrowingMomentum()), -1.09),
    ],
)
def test_nesterov_needs_growing_momentum_on_the_worst_function(rule: Any, slope: float) -> None:
    # The quadratic of Nesterov's lower bound in 400 dimensions, its largest curvature L = 1, and
    # steps of 1 / L: how fast the gap closes, as a slope in logarithms over steps 40 to 180.
    size, steps = 400, np.arange(1, 181)
    matrix = 0.25 * (2 * np.eye(size) - np.eye(size, k=1) - np.eye(size, k=-1))
    right = 0.25 * np.eye(size)[0]
    lowest = -0.5 * right @ np.linalg.solve(matrix, right)

    def objective(x: Any) -> Any:
        return 0.5 * x @ (matrix @ x) - right @ x, None

    @jax.jit
    def gaps(rule: Any) -> Any:
        def advance(held: Any, count: Any) -> Any:
            step = settled(rule, Progress(count - 1)).step(objective, *held, count)
            return (step.parameters, step.state), objective(step.parameters)[0] - lowest

        begin = jnp.zeros(size)
        return jax.lax.scan(advance, (begin, rule.start(begin)), jnp.asarray(steps))[1]

    late = steps >= 40
    fitted = np.polyfit(np.log(steps[late]), np.log(np.asarray(gaps(rule))[late]), 1)[0]
    assert fitted == pytest.approx(slope, abs=0.005)


def test_sums_over_all_gradients_are_the_recursions() -> None:
    """Of Nesterov's momentum, which a text calls Newton's; it loses the gradients in the sum of the
    velocity, and gives the point where the next gradient is taken as another form of θ.
    """
    # In V = βV − ηg, θ = θ + V; our velocity is −V.
    beta, rate = 0.9, 0.02
    theta, v = path(Nesterov(learning_rate=rate, momentum=beta), 8)
    ahead = theta[:-1] - beta * v[:-1]
    g = np.array([2.0, 8.0]) * ahead
    for t in range(1, 9):
        last = -rate * sum(beta ** (t - i) * g[i - 1] for i in range(1, t + 1))
        np.testing.assert_allclose(-v[t], last, rtol=1e-12)
        every = sum(beta ** (j - i) * g[i - 1] for j in range(1, t + 1) for i in range(1, j + 1))
        np.testing.assert_allclose(theta[t], BOWL - rate * every, rtol=1e-12)
        # With another sum over the last gradients it is the point where the next is taken.
        other = BOWL + beta * last - rate * every
        np.testing.assert_allclose(other, theta[t] - beta * v[t], rtol=1e-12)


def test_the_stored_point_is_where_momentum_leads() -> None:
    beta, rate = 0.9, 0.02
    theta, v = path(Nesterov(learning_rate=rate, momentum=beta), 8)
    stored, _ = path(Nesterov(learning_rate=rate, momentum=beta, form="stored_point"), 8)
    np.testing.assert_allclose(stored, theta - beta * v, rtol=1e-12)


def test_momentum_with_adaptive_rates_is_a_double_sum() -> None:
    slopes = np.array([0.3, -1.0, 0.2, 0.7, -0.1])
    for rule, squares in (
        (AdaGrad(learning_rate=0.1, momentum=0.8), np.cumsum(slopes**2)),
        (
            RMSProp(learning_rate=0.1, rho=0.9, momentum=0.8, epsilon=1e-7),
            [sum(0.1 * 0.9 ** (t - i) * slopes[i] ** 2 for i in range(t + 1)) for t in range(5)],
        ),
    ):
        state, moved = rule.init(jnp.zeros(1)), 0.0
        for t, slope in enumerate(slopes):
            update = rule.update(jnp.array([slope]), state, jnp.zeros(1), t + 1)
            state, moved = update.state, moved + float(update.increment[0])
            scaled = 0.1 * slopes / (np.sqrt(squares) + 1e-7)
            terms = (0.8 ** (j - i) * scaled[i] for j in range(t + 1) for i in range(j + 1))
            assert moved == pytest.approx(-sum(terms), rel=1e-12)


@pytest.mark.parametrize(
    ("rule", "steps"),
    [
        (GradientDescent(learning_rate=0.05), 79),
        (Momentum(learning_rate=0.05, momentum=0.5), 26),
        (Momentum(learning_rate=0.05, momentum=0.9), 83),
        (Nesterov(learning_rate=0.05, momentum=0.9), 45),
        (GradientDescent(learning_rate=0.2), 17),
    ],
    ids=repr,
)
def test_steps_until_the_bowl_is_solved(rule: Any, steps: int) -> None:
    points, _ = path(rule, 120)
    solved = np.array([bowl(w) for w in points]) < 1e-6
    assert int(solved.argmax()) == steps


@pytest.mark.parametrize(
    ("rule", "converges"),
    [
        (GradientDescent(learning_rate=0.249), True),
        (GradientDescent(learning_rate=0.251), False),
        # 2 (1 + β) / (8 (1 + 2 β)) = 0.1696 at β = 0.9
        (Nesterov(learning_rate=0.169, momentum=0.9), True),
        (Nesterov(learning_rate=0.171, momentum=0.9), False),
        (Nesterov(learning_rate=0.2, momentum=0.5), False),
    ],
    ids=repr,
)
def test_largest_stable_rates(rule: Any, converges: bool) -> None:
    points, _ = path(rule, 2000)
    assert (np.abs(points[-1]).max() < np.abs(points[1000]).max()) == converges


# ----------------------------------------------------------------------------- sizes of the steps


def test_where_epsilon_stands() -> None:
    for slope, beside, under in (
        (1e-4, 0.99990, 0.70711),
        (1e-6, 0.99010, 0.01000),
        (1e-8, 0.5, 1e-4),
    ):
        for where, expected in (("sum", beside), ("root", under)):
            rule = AdaGrad(learning_rate=1.0, epsilon=1e-8, epsilon_in=where)
            assert sizes(rule, [slope])[0] == pytest.approx(expected, abs=6e-6)


def test_the_moments_of_adam_stay_uncorrected() -> None:
    ones = np.ones(50)
    np.testing.assert_allclose(sizes(Adam(learning_rate=0.01), ones), 0.01, rtol=1e-6)
    # What comes of storing the corrected ones.
    m = v = 0.0
    literal = []
    for t in range(1, 51):
        m, v = (0.9 * m + 0.1) / (1 - 0.9**t), (0.999 * v + 0.001) / (1 - 0.999**t)
        literal.append(0.01 * m / (np.sqrt(v) + 1e-8))
    assert literal[:3] == pytest.approx([0.01, 0.00235, 0.00044], rel=0.02)
    assert literal[9] == pytest.approx(6.6e-10, rel=0.02)
    assert literal[49] == pytest.approx(2e-41, rel=0.2)


def test_without_correction_first_steps_are_long() -> None:
    for rule, length in (
        (Adam(learning_rate=1.0), 1.0),
        (Adam(learning_rate=1.0, bias_correction="none"), 3.1623),
        (RMSProp(learning_rate=1.0), 3.1623),
    ):
        assert sizes(rule, [1.0])[0] == pytest.approx(length, abs=1e-4)


RULES = {
    "descent": GradientDescent(learning_rate=0.01),
    "momentum": Momentum(learning_rate=0.01),
    "adagrad": AdaGrad(learning_rate=0.01),
    "rmsprop": RMSProp(learning_rate=0.01),
    "rmsprop with momentum": RMSProp(learning_rate=0.01, momentum=0.9),
    "adam": Adam(learning_rate=0.01),
    "adam uncorrected": Adam(learning_rate=0.01, bias_correction="none"),
}


@pytest.mark.parametrize(
    ("slopes", "step", "expected"),
    [
        (
            np.full(1000, 1e-4),
            1000,
            {
                "rmsprop with momentum": 1.0e-1,
                "adam uncorrected": 1.26e-2,
                "adam": 1.0e-2,
                "rmsprop": 1.0e-2,
                "adagrad": 3.2e-4,
                "momentum": 1.0e-5,
                "descent": 1.0e-6,
            },
        ),
        (
            np.append(np.ones(50), np.full(1000, 1e-4)),
            70,
            {"momentum": 1.2e-2, "adam": 1.4e-3, "adagrad": 1.4e-7},
        ),
        (
            np.append(np.ones(50), np.full(1000, 1e-4)),
            1050,
            {"momentum": 1.0e-5, "adam": 6.0e-6, "adagrad": 1.4e-7},
        ),
        (
            0.9 ** np.arange(50),
            50,
            {
                "rmsprop with momentum": 1.45e-2,
                "adam uncorrected": 4.0e-3,
                "momentum": 2.9e-3,
                "adam": 9.0e-4,
                "rmsprop": 7.6e-4,
                "descent": 5.7e-5,
                "adagrad": 2.5e-5,
            },
        ),
    ],
    ids=["plateau", "plateau entered", "plateau crossed", "vanishing"],
)
def test_sizes_of_steps(slopes: Any, step: int, expected: dict[str, float]) -> None:
    """Orders in print, each for all cases, hold for some.

    On a plateau momentum is said to lead Adam and AdaGrad: only just after it is entered. Where
    gradients vanish, momentum and plain descent are said to lead RMSProp and AdaGrad, and Adam to
    gain by its correction: steps of adaptive rules do not shrink with the gradient, and Adam's are
    longer without it.
    """
    found = {name: sizes(RULES[name], slopes)[step - 1] for name in expected}
    assert found == pytest.approx(expected, rel=0.1)
    assert sorted(found, key=found.get, reverse=True)[0] == next(iter(expected))  # type: ignore[arg-type]


def test_the_effective_rate_of_adagrad_never_rises() -> None:
    slopes = np.random.default_rng(0).normal(size=200) * np.repeat([1.0, 0.01], 100)
    seen = {}
    for rule in (AdaGrad(learning_rate=0.01), RMSProp(learning_rate=0.01)):
        state, rates = rule.init(jnp.zeros(1)), []
        for t, slope in enumerate(slopes, 1):
            update = rule.update(jnp.array([slope]), state, jnp.zeros(1), t)
            state = update.state
            rates.append(float(update.quantities["effective_learning_rate"][0]))
        seen[type(rule)] = np.diff(rates)
    assert (seen[AdaGrad] <= 0).all()
    assert (seen[RMSProp] > 0).any()


# -------------------------------------------------------------------------------- penalty and decay


def test_a_penalty_under_adam_holds_small_gradients_back_the_most() -> None:
    """A text that says so for g + 2γθ argues with the formula of the decoupled decay instead."""
    noise = np.random.default_rng(1).normal(size=(3000, 2)) * [0.01, 1.0]
    rule, penalty = Adam(learning_rate=1e-3), L2(strength=0.01, factor=1.0, biases=True)
    decay = DecoupledDecay(strength=1e-4, times_learning_rate=False, biases=True)

    def run(penalized: bool) -> np.ndarray:
        def advance(held: Any, given: Any) -> Any:
            w, state = held
            slope, count = given

            def objective(w: Any) -> Any:
                return slope @ w + (penalty.penalty(w) if penalized else 0.0), None

            step = rule.step(objective, w, state, count)
            moved = step.parameters
            if not penalized:
                moved = moved - decay.shrinkage(w, rule.learning_rate)
            return (moved, step.state), None

        start = jnp.ones(2)
        given = jnp.asarray(noise), jnp.arange(1, 3001)
        return np.asarray(jax.lax.scan(advance, (start, rule.start(start)), given)[0][0])

    small, large = run(penalized=True)
    assert small == pytest.approx(-0.0016, abs=0.05)
    assert large == pytest.approx(0.93, abs=0.12)
    np.testing.assert_allclose(run(penalized=False), 0.741, atol=0.12)  # (1 − 1e-4)^3000
