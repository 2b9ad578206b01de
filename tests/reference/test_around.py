"""Optimizers around others: against torch and optax, and against the same written out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.reference.trajectories import (
    ORIGIN,
    RATE,
    STEPS,
    close,
    gradient,
    objective,
    torch,
)

from thalweg.catalogue.clipping import ClipByNorm
from thalweg.catalogue.optimizers import (
    Adam,
    GradientAccumulation,
    GradientDescent,
    Lookahead,
    Momentum,
    Nesterov,
    PolyakAveraging,
    ScheduleFree,
    SharpnessAware,
)
from thalweg.catalogue.optimizers.optimizer import evaluated

optax = pytest.importorskip("optax")

# What mini-batches add to the slope, so that no two steps see the same objective.
SLOPES = np.random.default_rng(5).normal(size=(STEPS, len(ORIGIN))) * 0.1


def noisy(t: Any, w: Any) -> Any:
    return objective(w) + jnp.asarray(SLOPES)[t] @ w


def ours(optimizer: Any, sees: Callable[[Any, Any], Any] = noisy) -> tuple[Any, Any]:
    """Trained and evaluated parameters at every step."""

    @jax.jit
    def run(optimizer: Any, begin: Any) -> Any:
        def advance(held: Any, count: Any) -> Any:
            step = optimizer.step(lambda w: (sees(count - 1, w), None), *held, count)
            used = evaluated(optimizer, step.parameters, step.state)
            return (step.parameters, step.state), (step.parameters, used)

        held = begin, optimizer.start(begin)
        return jax.lax.scan(advance, held, jnp.arange(1, STEPS + 1))[1]

    trained, used = run(optimizer, jnp.asarray(ORIGIN))
    return np.asarray(trained), np.asarray(used)


def by_optax(transform: Any, start: Any = None, at: Any = None) -> np.ndarray:
    @jax.jit
    def run(begin: Any) -> Any:
        def advance(held: Any, t: Any) -> Any:
            w, state = held
            slope = jax.grad(lambda w: noisy(t, w))(w if at is None else at(w))
            updates, state = transform.update(slope, state, w)
            w = optax.apply_updates(w, updates)
            return (w, state), (w, state)

        return jax.lax.scan(advance, (begin, transform.init(begin)), jnp.arange(STEPS))[1]

    return run(jnp.asarray(ORIGIN) if start is None else start)


# --------------------------------------------------------------------------- gradient accumulation


@pytest.mark.parametrize(
    "inner",
    [
        GradientDescent(learning_rate=RATE),
        Nesterov(learning_rate=RATE),
        Adam(learning_rate=RATE, epsilon=1e-3),
    ],
    ids=repr,
)
def test_small_batches_add_up_to_a_large_one(inner: Any) -> None:
    def large(t: Any, w: Any) -> Any:
        return sum(noisy(4 * t + i, w) for i in range(4)) / 4

    steps, _ = ours(inner, large)
    trained, _ = ours(GradientAccumulation(inner=inner, every=4))
    np.testing.assert_allclose(trained[3::4], steps[: STEPS // 4], rtol=1e-8, atol=1e-8)
    assert (trained[:3] == ORIGIN).all()
    assert (trained[4:7] == trained[3]).all()


def test_accumulation_is_that_of_optax() -> None:
    theirs, _ = by_optax(optax.MultiSteps(optax.adam(RATE, eps=1e-3), 3).gradient_transformation())
    mine, _ = ours(GradientAccumulation(inner=Adam(learning_rate=RATE, epsilon=1e-3), every=3))
    # The weights of optax's running mean are of single precision.
    np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-6)


def test_the_average_is_clipped_not_its_parts() -> None:
    rule = GradientAccumulation(inner=GradientDescent(learning_rate=1.0), every=2)
    state, w = rule.start(jnp.zeros(2)), jnp.zeros(2)
    for count, slope in enumerate(([30.0, 40.0], [-30.0, -38.0]), 1):
        at = jnp.array(slope)
        step = rule.step(lambda w, at=at: (at @ w, None), w, state, count, ClipByNorm(limit=5).clip)
        w, state = step.parameters, step.state
    close(w, [0.0, -1.0])


def test_the_objective_is_reported_as_it_is() -> None:
    for optimizer in (
        GradientAccumulation(inner=GradientDescent(), every=2),
        SharpnessAware(inner=GradientDescent()),
        ScheduleFree(),
    ):
        w = jnp.array([1.0, 2.0])
        step = optimizer.step(lambda w: ((w**2).sum(), "seen"), w, optimizer.start(w), 1)
        assert (float(step.value), step.auxiliary) == (5.0, "seen")


# ------------------------------------------------------------------------------ sharpness, averages


@pytest.mark.parametrize(
    ("inner", "theirs"),
    [
        (GradientDescent(learning_rate=RATE), optax.sgd(RATE)),
        (Adam(learning_rate=RATE, epsilon=1e-3), optax.adam(RATE, eps=1e-3)),
    ],
    ids=["descent", "adam"],
)
def test_sharpness_aware_steps_are_those_of_optax(inner: Any, theirs: Any) -> None:
    ascent = optax.chain(optax.contrib.normalize(), optax.sgd(0.3))
    transform = optax.contrib.sam(theirs, ascent, sync_period=2, opaque_mode=True)

    def run(begin: Any) -> Any:
        def advance(held: Any, t: Any) -> Any:
            w, state = held

            def slope(at: Any, _: Any) -> Any:
                return jax.grad(lambda w: noisy(t, w))(at)

            updates, state = transform.update(slope(w, 0), state, w, grad_fn=slope)
            w = optax.apply_updates(w, updates)
            return (w, state), w

        return jax.lax.scan(advance, (begin, transform.init(begin)), jnp.arange(STEPS))[1]

    close(ours(SharpnessAware(inner=inner, radius=0.3))[0], jax.jit(run)(jnp.asarray(ORIGIN)))


def test_lookahead_is_that_of_optax() -> None:
    start = optax.LookaheadParams.init_synced(jnp.asarray(ORIGIN))
    transform = optax.lookahead(optax.adam(RATE, eps=1e-3), sync_period=4, slow_step_size=0.3)

    @jax.jit
    def run(begin: Any) -> Any:
        def advance(held: Any, t: Any) -> Any:
            w, state = held
            slope = jax.grad(lambda w: noisy(t, w))(w.fast)
            updates, state = transform.update(slope, state, w)
            w = optax.apply_updates(w, updates)
            return (w, state), w

        return jax.lax.scan(advance, (begin, transform.init(begin)), jnp.arange(STEPS))[1]

    theirs = run(start)
    inner = Adam(learning_rate=RATE, epsilon=1e-3)
    trained, used = ours(Lookahead(inner=inner, share=0.3, every=4))
    close(trained, theirs.fast)
    close(used, theirs.slow)


def test_schedule_free_steps_are_those_of_optax() -> None:
    transform = optax.contrib.schedule_free(optax.sgd(RATE), learning_rate=RATE, b1=0.8)
    trained, states = by_optax(transform)
    used = jax.vmap(optax.contrib.schedule_free_eval_params)(states, trained)
    mine = ours(ScheduleFree(inner=GradientDescent(learning_rate=RATE), interpolation=0.8))
    close(mine[0], trained)
    close(mine[1], used)


@pytest.mark.parametrize("decay", [None, 0.9])
@pytest.mark.parametrize("after", [0, 7])
def test_averages_are_those_of_torch(decay: float | None, after: int) -> None:
    averaging = torch.optim.swa_utils

    def theirs() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        layer = torch.nn.Linear(1, len(ORIGIN), bias=False, dtype=torch.float64)
        layer.weight.data = torch.tensor(ORIGIN)[:, None]
        kind = averaging.get_ema_multi_avg_fn(decay) if decay else None
        model = averaging.AveragedModel(layer, multi_avg_fn=kind)
        optimizer = torch.optim.SGD(layer.parameters(), lr=RATE, momentum=0.8)
        for t in range(STEPS):
            w = layer.weight.detach().numpy()[:, 0]
            layer.weight.grad = torch.tensor(gradient()(w) + SLOPES[t])[:, None]
            optimizer.step()
            if t >= after:
                model.update_parameters(layer)
            used = model.module if t >= after else layer
            yield tuple(m.weight.detach().numpy()[:, 0].copy() for m in (layer, used))

    inner = Momentum(learning_rate=RATE, momentum=0.8)
    mine = ours(PolyakAveraging(inner=inner, decay=decay, after=after))
    for found, expected in zip(mine, zip(*theirs(), strict=True), strict=True):
        close(found, expected)


def test_an_inner_average_is_what_is_evaluated() -> None:
    inner = PolyakAveraging(inner=GradientDescent(learning_rate=RATE))
    _, used = ours(GradientAccumulation(inner=inner, every=1))
    close(used, ours(inner)[1])
    _, used = ours(SharpnessAware(inner=inner, radius=0.0))
    close(used, ours(inner)[1])
