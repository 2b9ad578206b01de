"""Optimizers against torch, optax and loops of the printed formulas: 200 steps to 1e-9."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.reference.trajectories import (
    DRAWS,
    ORIGIN,
    RATE,
    Gradient,
    by_loop,
    by_optax,
    by_torch,
    close,
    lanes_of,
    ours,
    single,
    trajectory,
)

from thalweg.catalogue.clipping import ClipByNorm, ClipByValue
from thalweg.catalogue.optimizers import (
    AdaGrad,
    Adam,
    AdamW,
    GradientDescent,
    Momentum,
    Nesterov,
    RMSProp,
)
from thalweg.catalogue.regularizers import L2, DecoupledDecay

torch = pytest.importorskip("torch")
optax = pytest.importorskip("optax")

# ------------------------------------------------------------------------------- printed formulas


def momentum_in_velocity(g: Gradient) -> Any:
    v = np.zeros_like(ORIGIN)

    def step(t: int, theta: np.ndarray) -> np.ndarray:
        nonlocal v
        v = 0.9 * v + RATE * g(theta)
        return theta - v

    return step


def momentum_with_sign(g: Gradient) -> Any:
    velocity = np.zeros_like(ORIGIN)

    def step(t: int, theta: np.ndarray) -> np.ndarray:
        nonlocal velocity
        velocity = 0.9 * velocity - RATE * g(theta)
        return theta + velocity

    return step


def momentum_in_one_line(g: Gradient) -> Any:
    before = ORIGIN

    def step(t: int, theta: np.ndarray) -> np.ndarray:
        nonlocal before
        after = theta + 0.9 * (theta - before) - RATE * g(theta)
        before = theta
        return after

    return step


def nesterov_lookahead(g: Gradient) -> Any:
    v = np.zeros_like(ORIGIN)

    def step(t: int, theta: np.ndarray) -> np.ndarray:
        nonlocal v
        v = 0.9 * v + RATE * g(theta - 0.9 * v)
        return theta - v

    return step


def nesterov_with_sign(g: Gradient) -> Any:
    velocity = np.zeros_like(ORIGIN)

    def step(t: int, theta: np.ndarray) -> np.ndarray:
        nonlocal velocity
        velocity = 0.9 * velocity - RATE * g(theta + 0.9 * velocity)
        return theta + velocity

    return step


def adagrad_with_momentum(g: Gradient) -> Any:
    total, v = np.zeros_like(ORIGIN), np.zeros_like(ORIGIN)

    def step(t: int, theta: np.ndarray) -> np.ndarray:
        nonlocal total, v
        slope = g(theta)
        total = total + slope**2
        v = 0.8 * v - RATE / (np.sqrt(total) + 1e-7) * slope
        return theta + v

    return step


def rmsprop_root(momentum: float) -> Any:
    def make(g: Gradient) -> Any:
        square, v = np.zeros_like(ORIGIN), np.zeros_like(ORIGIN)

        def step(t: int, theta: np.ndarray) -> np.ndarray:
            nonlocal square, v
            slope = g(theta)
            square = 0.8 * square + 0.2 * slope**2
            v = momentum * v - RATE / np.sqrt(square + 1e-2) * slope
            return theta + v

        return step

    return make


def adam(correction: str, epsilon_in: str) -> Any:
    def make(g: Gradient) -> Any:
        m, v = np.zeros_like(ORIGIN), np.zeros_like(ORIGIN)

        def step(t: int, theta: np.ndarray) -> np.ndarray:
            nonlocal m, v
            slope = g(theta)
            m = 0.8 * m + (1 - 0.8) * slope
            v = 0.95 * v + (1 - 0.95) * slope**2
            m_hat = m if correction == "none" else m / (1 - 0.8**t)
            v_hat = v / (1 - 0.95**t) if correction == "both" else v
            root = np.sqrt(v_hat + 1e-4) if epsilon_in == "root" else np.sqrt(v_hat) + 1e-4
            return theta - RATE * m_hat / root

        return step

    return make


# ------------------------------------------------------------------------------------------ tables

SGD = torch.optim.SGD
BETAS = {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-4}

PAIRS: list[tuple[Any, Any]] = [
    (GradientDescent(learning_rate=RATE), by_torch(SGD, lr=RATE)),
    (GradientDescent(learning_rate=RATE), by_optax(optax.sgd(RATE))),
    (Momentum(learning_rate=RATE), by_loop(momentum_in_velocity)),
    (Momentum(learning_rate=RATE), by_loop(momentum_with_sign)),
    (Momentum(learning_rate=RATE), by_loop(momentum_in_one_line)),
    (
        Momentum(learning_rate=RATE, momentum=0.8, learning_rate_in="step"),
        by_torch(SGD, lr=RATE, momentum=0.8),
    ),
    (Momentum(learning_rate=RATE, momentum=0.8), by_optax(optax.sgd(RATE, momentum=0.8))),
    (Nesterov(learning_rate=RATE), by_loop(nesterov_lookahead)),
    (Nesterov(learning_rate=RATE), by_loop(nesterov_with_sign)),
    (
        Nesterov(learning_rate=RATE, momentum=0.8, form="stored_point"),
        by_torch(SGD, lr=RATE, momentum=0.8, nesterov=True),
    ),
    (
        Nesterov(learning_rate=RATE, momentum=0.8, form="stored_point"),
        by_optax(optax.sgd(RATE, momentum=0.8, nesterov=True)),
    ),
    (
        AdaGrad(learning_rate=RATE, epsilon=1e-4, initial=0.1),
        by_torch(torch.optim.Adagrad, lr=RATE, eps=1e-4, initial_accumulator_value=0.1),
    ),
    (
        AdaGrad(learning_rate=RATE, epsilon=1e-4, initial=0.1, epsilon_in="root"),
        by_optax(optax.adagrad(RATE, initial_accumulator_value=0.1, eps=1e-4)),
    ),
    (AdaGrad(learning_rate=RATE, momentum=0.8), by_loop(adagrad_with_momentum)),
    # Where gradients vanish a step is learning rate / epsilon of them, times curvatures up to 10:
    # above 2 the iteration is unstable there and blows rounding up in anybody's program, by 1e7.
    (
        RMSProp(learning_rate=RATE, rho=0.8, epsilon=0.1),
        by_torch(torch.optim.RMSprop, lr=RATE, alpha=0.8, eps=0.1),
    ),
    (
        RMSProp(learning_rate=RATE, rho=0.8, epsilon=0.1, momentum=0.7),
        by_torch(torch.optim.RMSprop, lr=RATE, alpha=0.8, eps=0.1, momentum=0.7),
    ),
    (
        RMSProp(learning_rate=RATE, rho=0.8, epsilon=1e-2, epsilon_in="root"),
        by_optax(optax.rmsprop(RATE, decay=0.8, eps=1e-2, eps_in_sqrt=True)),
    ),
    (
        RMSProp(learning_rate=RATE, rho=0.8, epsilon=1e-2, epsilon_in="root", momentum=0.7),
        by_loop(rmsprop_root(0.7)),
    ),
    (
        Adam(learning_rate=RATE, **BETAS),
        by_torch(torch.optim.Adam, lr=RATE, betas=(0.8, 0.95), eps=1e-4),
    ),
    (Adam(learning_rate=RATE, **BETAS), by_optax(optax.adam(RATE, b1=0.8, b2=0.95, eps=1e-4))),
    (
        Adam(learning_rate=RATE, **BETAS, epsilon_in="root"),
        by_optax(optax.adam(RATE, b1=0.8, b2=0.95, eps=0.0, eps_root=1e-4)),
    ),
    *[
        (
            Adam(learning_rate=RATE, **BETAS, bias_correction=correction, epsilon_in=epsilon_in),
            by_loop(adam(correction, epsilon_in)),
        )
        for correction in ("first", "none")
        for epsilon_in in ("sum", "root")
    ],
    (
        AdamW(learning_rate=RATE, **BETAS, weight_decay=0.1),
        by_torch(torch.optim.AdamW, lr=RATE, betas=(0.8, 0.95), eps=1e-4, weight_decay=0.1),
    ),
    (
        AdamW(learning_rate=RATE, **BETAS, weight_decay=0.1),
        by_optax(optax.adamw(RATE, b1=0.8, b2=0.95, eps=1e-4, weight_decay=0.1)),
    ),
]


@pytest.mark.parametrize(("rule", "reference"), PAIRS, ids=[repr(rule) for rule, _ in PAIRS])
def test_rules_are_those_of_others(rule: Any, reference: Any) -> None:
    expected = reference()
    assert np.abs(expected).max() < 1e3  # a run worth comparing has not diverged
    close(single(rule), expected)
    close(lanes_of(rule)[1][0], expected)


@pytest.mark.parametrize("rule", dict.fromkeys(rule for rule, _ in PAIRS), ids=repr)
def test_lanes_are_the_single_runs(rule: Any) -> None:
    lanes, together = lanes_of(rule)
    # Rounding differs with the number of lanes, and some problems double it every few steps.
    for lane, seen in zip(lanes, together, strict=True):
        close(single(lane)[:100], seen[:100])


# --------------------------------------------------------------------------------- relations


def test_both_forms_of_nesterov_are_one_sequence() -> None:
    rule = Nesterov(learning_rate=RATE, momentum=0.8)
    theta, states = jax.jit(ours)(rule)
    stored = single(Nesterov(learning_rate=RATE, momentum=0.8, form="stored_point"))
    close(theta - 0.8 * states[0]["velocity"], stored)
    assert np.abs(np.asarray(theta) - stored).max() > 1e-3  # what is reported does differ


def test_momentum_conventions_part_ways_when_the_rate_changes() -> None:
    slope = jnp.array([1.0])
    moved = {}
    for where in ("velocity", "step"):
        state, total = Momentum(learning_rate_in=where).init(slope), 0.0
        for rate in (1.0, 0.1):
            rule = Momentum(learning_rate=rate, momentum=0.5, learning_rate_in=where)
            update = rule.update(slope, state, slope, 1)
            state, total = update.state, total - float(update.increment[0])
        moved[where] = total
    # v = 1, then 0.5 · 1 + 0.1; and v = 1, then 0.1 · (0.5 · 1 + 1)
    assert moved == pytest.approx({"velocity": 1.6, "step": 1.15})


def test_adam_with_a_penalty_is_weight_decay_of_torch_adam() -> None:
    rule = Adam(learning_rate=RATE, **BETAS)
    mine = trajectory(rule, penalty=L2(strength=0.3, biases=True))
    adam_ = torch.optim.Adam
    theirs = by_torch(adam_, lr=RATE, betas=(0.8, 0.95), eps=1e-4, weight_decay=0.3)()
    close(mine, theirs)


def test_adam_with_decoupled_decay_is_torch_adamw() -> None:
    rule = Adam(learning_rate=RATE, **BETAS)
    mine = trajectory(rule, decay=DecoupledDecay(strength=0.3, biases=True))
    adamw = torch.optim.AdamW
    theirs = by_torch(adamw, lr=RATE, betas=(0.8, 0.95), eps=1e-4, weight_decay=0.3)()
    close(mine, theirs)
    penalized = trajectory(rule, penalty=L2(strength=0.3, biases=True))
    assert np.abs(mine - penalized).max() > 1e-2  # for Adam the two are different things


def test_for_gradient_descent_a_penalty_is_decay() -> None:
    rule = GradientDescent(learning_rate=RATE)
    penalized = trajectory(rule, penalty=L2(strength=0.3, factor=1, biases=True))
    share = 2 * RATE * 0.3
    decay = DecoupledDecay(strength=share, times_learning_rate=False, biases=True)
    close(trajectory(rule, decay=decay), penalized)
    close(penalized, by_torch(SGD, lr=RATE, weight_decay=2 * 0.3)())


def test_clipping_by_value_is_that_of_torch() -> None:
    def cut(w: Any) -> None:
        torch.nn.utils.clip_grad_value_([w], 0.2)

    mine = trajectory(GradientDescent(learning_rate=RATE), clip=ClipByValue(limit=0.2))
    close(mine, by_torch(SGD, cut, lr=RATE)())


def test_clipping_by_norm_is_that_of_torch() -> None:
    rows = DRAWS.normal(size=(5, 4))
    for limit in (0.5, 2.0, 100.0):
        tensors = [torch.nn.Parameter(torch.zeros(4, dtype=torch.float64)) for _ in rows]
        for tensor, row in zip(tensors, rows, strict=True):
            tensor.grad = torch.tensor(row)
        length = float(torch.nn.utils.clip_grad_norm_(tensors, limit))
        mine = np.stack(ClipByNorm(limit=limit).clip(list(jnp.asarray(rows))))
        # torch divides by the norm plus 1e-6, so that its result is shorter by that much.
        theirs = np.stack([tensor.grad.numpy() for tensor in tensors])
        close(mine, theirs * ((length + 1e-6) / length if length > limit else 1))
