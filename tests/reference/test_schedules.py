"""Schedules against torch and optax, or the printed formula: 100 steps to 1e-9, alone and in lanes.

Torch counts calls of ``step``; where a schedule counts epochs, torch's is called once an epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg.catalogue.optimizers import Momentum
from thalweg.catalogue.schedules import (
    CosineDecay,
    CosineRestarts,
    ExponentialDecay,
    GrowingMomentum,
    InverseDecay,
    OneCycle,
    Piecewise,
    PolynomialDecay,
    Progress,
    ReduceOnPlateau,
    StepDecay,
    Warmup,
    settle,
    settled,
)
from thalweg.engine.monitor import Monitor

torch = pytest.importorskip("torch")
optax = pytest.importorskip("optax")
schedulers = torch.optim.lr_scheduler

STEPS, PER_EPOCH, RATE = 100, 7, 0.3
TIMES = np.arange(STEPS)
EPOCHS = TIMES // PER_EPOCH


def close(actual: Any, expected: Any) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-12)


# --------------------------------------------------------------------------------- ours and theirs


@jax.jit
def ours(schedule: Any) -> Any:
    """Values at every step, as a function of the schedule's numbers."""
    return jax.vmap(
        lambda step: jnp.asarray(settle(schedule, Progress(step, PER_EPOCH, STEPS)), float)
    )(jnp.arange(STEPS))


def by_torch(make: Callable[[Any], Any], per: str = "step", rate: float = RATE) -> Any:
    def run() -> Iterator[float]:
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
        scheduler = make(optimizer)
        for step in range(1, STEPS + 1):
            yield optimizer.param_groups[0]["lr"]
            optimizer.step()
            if per == "step" or step % PER_EPOCH == 0:
                scheduler.step()

    return lambda: np.array(list(run()))


def by_optax(schedule: Any) -> Any:
    return lambda: np.array([float(schedule(jnp.asarray(t))) for t in TIMES])


def printed(values: Any) -> Any:
    return lambda: np.broadcast_to(values, STEPS)


PAIRS: list[tuple[Any, Any]] = [
    (RATE, printed(RATE)),
    (RATE, by_torch(lambda o: schedulers.ConstantLR(o, factor=1.0))),
    (RATE, by_optax(optax.constant_schedule(RATE))),
    (
        ExponentialDecay(initial=RATE, rate=0.03, per="step"),
        by_torch(lambda o: schedulers.ExponentialLR(o, np.exp(-0.03))),
    ),
    (
        ExponentialDecay(initial=RATE, rate=0.03, per="step"),
        by_optax(optax.exponential_decay(RATE, 1, np.exp(-0.03))),
    ),
    (
        ExponentialDecay(initial=RATE, rate=0.2),
        by_torch(lambda o: schedulers.ExponentialLR(o, np.exp(-0.2)), per="epoch"),
    ),
    (
        ExponentialDecay(initial=RATE, rate=0.2),
        by_optax(optax.exponential_decay(RATE, PER_EPOCH, np.exp(-0.2), staircase=True)),
    ),
    (
        InverseDecay(initial=RATE, rate=0.05, per="step"),
        by_torch(lambda o: schedulers.LambdaLR(o, lambda t: 1 / (1 + 0.05 * t))),
    ),
    (InverseDecay(initial=RATE, rate=0.4), printed(RATE / (1 + 0.4 * EPOCHS))),
    (
        StepDecay(initial=RATE, factor=0.6, every=9, per="step"),
        by_torch(lambda o: schedulers.StepLR(o, 9, gamma=0.6)),
    ),
    (
        StepDecay(initial=RATE, factor=0.6, every=9, per="step"),
        by_optax(optax.exponential_decay(RATE, 9, 0.6, staircase=True)),
    ),
    (
        StepDecay(initial=RATE, factor=0.6, every=3),
        by_torch(lambda o: schedulers.StepLR(o, 3, gamma=0.6), per="epoch"),
    ),
    (
        CosineDecay(initial=RATE, final=0.02),
        by_torch(lambda o: schedulers.CosineAnnealingLR(o, STEPS, eta_min=0.02)),
    ),
    (
        CosineDecay(initial=RATE, final=0.02),
        by_optax(optax.cosine_decay_schedule(RATE, STEPS, alpha=0.02 / RATE)),
    ),
    *[
        (
            CosineRestarts(initial=RATE, final=0.02, length=7, growth=growth, per=per),
            by_torch(
                lambda o, growth=growth: schedulers.CosineAnnealingWarmRestarts(
                    o, 7, growth, eta_min=0.02
                ),
                per=per,
            ),
        )
        for growth, per in ((1, "step"), (2, "step"), (3, "step"), (1, "epoch"))
    ],
    (GrowingMomentum(), printed((TIMES + 1 - 1) / (TIMES + 1 + 2))),
    (GrowingMomentum(limit=0.9, delay=50), printed(0.9 * TIMES / (TIMES + 50))),
    *[
        (
            PolynomialDecay(initial=RATE, power=power),
            by_torch(lambda o, power=power: schedulers.PolynomialLR(o, STEPS, power=power)),
        )
        for power in (1.0, 2.5)
    ],
    (
        PolynomialDecay(initial=RATE, final=0.02, power=2),
        by_optax(optax.polynomial_schedule(RATE, 0.02, 2, STEPS)),
    ),
    (
        PolynomialDecay(initial=RATE, final=0.02),
        by_torch(lambda o: schedulers.LinearLR(o, 1.0, 0.02 / RATE, total_iters=STEPS)),
    ),
    *[
        (
            OneCycle(peak=RATE, start=0.1, end=0.01, rise=0.4, shape=shape),
            by_torch(
                lambda o, name=name: schedulers.OneCycleLR(
                    o,
                    RATE,
                    total_steps=STEPS,
                    pct_start=0.4,
                    anneal_strategy=name,
                    cycle_momentum=False,
                    div_factor=10,
                    final_div_factor=10,
                )
            ),
        )
        for shape, name in (("cosine", "cos"), ("linear", "linear"))
    ],
    (
        Piecewise(initial=RATE, at=(30, 60), factors=(0.5, 0.05), per="step"),
        by_optax(optax.piecewise_constant_schedule(RATE, {30: 0.5, 60: 0.1})),
    ),
    (
        Piecewise(initial=RATE, at=(3, 6), factors=(0.2, 0.04)),
        by_torch(lambda o: schedulers.MultiStepLR(o, [3, 6], gamma=0.2), per="epoch"),
    ),
    # The first step already takes 1 / length: a rate of 0 would waste it. torch and optax name
    # the first factor, and count the steps in between.
    (
        Warmup(after=RATE, length=20),
        by_torch(lambda o: schedulers.LinearLR(o, 1 / 20, 1.0, total_iters=19)),
    ),
    (Warmup(after=RATE, length=20), by_optax(optax.linear_schedule(RATE / 20, RATE, 19))),
    (
        Warmup(after=RATE, length=5, per="epoch"),
        by_torch(lambda o: schedulers.LinearLR(o, 1 / 5, 1.0, total_iters=4), per="epoch"),
    ),
    (
        Warmup(after=ExponentialDecay(initial=RATE, rate=0.03, per="step"), length=20),
        by_torch(
            lambda o: schedulers.ChainedScheduler(
                [
                    schedulers.LinearLR(o, 1 / 20, 1.0, total_iters=19),
                    schedulers.ExponentialLR(o, np.exp(-0.03)),
                ]
            )
        ),
    ),
    (
        Warmup(after=CosineDecay(initial=RATE), length=20),
        by_torch(
            lambda o: schedulers.ChainedScheduler(
                [
                    schedulers.LinearLR(o, 1 / 20, 1.0, total_iters=19),
                    schedulers.CosineAnnealingLR(o, STEPS),
                ]
            )
        ),
    ),
]


@pytest.mark.parametrize(("schedule", "reference"), PAIRS, ids=[repr(s) for s, _ in PAIRS])
def test_schedules_are_those_of_others(schedule: Any, reference: Any) -> None:
    close(ours(schedule), reference())


@pytest.mark.parametrize("schedule", dict.fromkeys(s for s, _ in PAIRS), ids=repr)
def test_lanes_are_the_single_runs(schedule: Any) -> None:
    leaves, structure = jax.tree.flatten(schedule)
    lanes = [structure.unflatten([share * leaf for leaf in leaves]) for share in (1, 0.7, 0.1)]
    stacked = jax.tree.map(lambda *values: jnp.asarray(values), *lanes)
    together = jax.jit(jax.vmap(ours))(stacked)
    for lane, seen in zip(lanes, together, strict=True):
        close(ours(lane), seen)


def test_after_the_planned_end_the_cosine_stays_down() -> None:
    at = [float(CosineDecay(initial=1.0, final=0.1).value_at(Progress(t, 1, 10))) for t in (10, 15)]
    theirs = optax.cosine_decay_schedule(1.0, 10, alpha=0.1)
    close(at, [float(theirs(t)) for t in (10, 15)])  # torch's rises again


# ----------------------------------------------------------------------------------------- plateau


def losses_of(seed: int) -> np.ndarray:
    """Validation losses that fall, stall, repeat themselves, and once are no number."""
    draws = np.random.default_rng(seed)
    losses = 1 / (1 + np.arange(STEPS) // 13) + 0.1 * draws.normal(size=STEPS).round(1)
    losses[30] = np.nan
    return losses


@pytest.mark.parametrize("patience", [1, 2, 5])
def test_plateaus_are_those_of_torch_with_one_less_patience(patience: int) -> None:
    # "patience" evaluations in a row here; the one after "patience" of them in torch.
    lanes = [losses_of(seed) for seed in range(4)]
    rates = np.array([1.0, 0.3, 0.1, 0.02])

    def by_torch_() -> Iterator[list[float]]:
        for losses, rate in zip(lanes, rates, strict=True):
            optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
            scheduler = schedulers.ReduceLROnPlateau(
                optimizer, factor=0.7, patience=patience - 1, threshold=0, eps=0
            )
            seen = []
            for loss in losses:
                optimizer.step()
                scheduler.step(loss)
                seen.append(optimizer.param_groups[0]["lr"])
            yield seen

    def by_us(which: list[int]) -> np.ndarray:
        monitor, seen = Monitor(len(which), (patience,)), []
        schedule = ReduceOnPlateau(initial=jnp.asarray(rates[which]), factor=0.7, patience=patience)
        for evaluation in range(STEPS):
            monitor.observe(np.array([lanes[i][evaluation] for i in which]))
            progress = Progress(evaluation, reductions={patience: monitor.reductions[:, 0]})
            seen.append(schedule.value_at(progress))
        return np.stack(seen, axis=1)

    theirs = np.array(list(by_torch_()))
    assert len(np.unique(theirs[0])) > 3  # there were plateaus
    close(by_us([0, 1, 2, 3]), theirs)
    close(by_us([2]), theirs[[2]])


# ----------------------------------------------------------------------------- inside an optimizer


def test_a_scheduled_rate_enters_the_step_it_belongs_to() -> None:
    rule = Momentum(learning_rate=CosineDecay(initial=RATE), momentum=0.8, learning_rate_in="step")
    curvatures = np.array([0.1, 1.0, 3.0])
    weights = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))
    optimizer = torch.optim.SGD([weights], lr=RATE, momentum=0.8)
    scheduler = schedulers.CosineAnnealingLR(optimizer, STEPS)
    mine = jnp.ones(3)
    state = rule.init(mine)
    for t in range(STEPS):
        now = settled(rule, Progress(t, 1, STEPS))
        update = now.update(curvatures * mine, state, mine, t + 1)
        mine, state = mine + update.increment, update.state
        weights.grad = torch.tensor(curvatures) * weights.detach()
        optimizer.step()
        scheduler.step()
        close(mine, weights.detach().numpy())
