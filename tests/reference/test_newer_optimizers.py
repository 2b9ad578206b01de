"""Adam's relatives, rules by sign, and rules for whole parameters, as others have them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.reference.trajectories import (
    CURVATURES,
    DRAWS,
    ORIGIN,
    RATE,
    STEPS,
    Gradient,
    by_loop,
    by_optax,
    by_torch,
    close,
    lanes_of,
    single,
)

from thalweg.catalogue.clipping import ClipAdaptively
from thalweg.catalogue.optimizers import (
    LAMB,
    AdaDelta,
    Adafactor,
    AdaMax,
    AMSGrad,
    DeltaBarDelta,
    GradientDescent,
    Lion,
    Muon,
    NAdam,
    RAdam,
    RMSProp,
    Rprop,
    SignDescent,
)

torch = pytest.importorskip("torch")
optax = pytest.importorskip("optax")

BETAS = {"beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3}
THEIRS = {"b1": 0.8, "b2": 0.95, "eps": 1e-3}
# Where gradients vanish, as they do here, a smaller one makes steps that blow rounding up.
WIDE = BETAS | {"epsilon": 0.1}
TORCHS = {"betas": (0.8, 0.95), "eps": 1e-3}


# -------------------------------------------------------------------------------- printed formulas


def delta_bar_delta(g: Gradient) -> Any:
    rates, bar = np.full_like(ORIGIN, 0.01), np.zeros_like(ORIGIN)

    def step(t: int, theta: np.ndarray) -> np.ndarray:
        nonlocal rates, bar
        slope = g(theta)
        for i, product in enumerate(bar * slope):
            if product > 0:
                rates[i] += 0.0005
            elif product < 0:
                rates[i] *= 1 - 0.3
        bar = (1 - 0.6) * slope + 0.6 * bar
        return theta - rates * slope

    return step


def rprop_without_waiting(g: Gradient) -> Any:
    lengths, before = np.full_like(ORIGIN, 0.01), np.zeros_like(ORIGIN)

    def step(t: int, theta: np.ndarray) -> np.ndarray:
        nonlocal before
        slope = g(theta)
        for i, product in enumerate(before * slope):
            if product > 0:
                lengths[i] = min(lengths[i] * 1.1, 0.5)
            elif product < 0:
                lengths[i] = max(lengths[i] * 0.4, 1e-4)
        before = slope
        return theta - lengths * np.sign(slope)

    return step


def nadam_with_decay(g: Gradient) -> Any:
    m, v, product = np.zeros_like(ORIGIN), np.zeros_like(ORIGIN), 1.0

    def step(t: int, theta: np.ndarray) -> np.ndarray:
        nonlocal m, v, product
        slope = g(theta)
        mu, following = (0.8 * (1 - 0.5 * 0.96 ** (0.004 * i)) for i in (t, t + 1))
        product *= mu
        m = 0.8 * m + (1 - 0.8) * slope
        v = 0.95 * v + (1 - 0.95) * slope**2
        leading = following * m / (1 - product * following) + (1 - mu) * slope / (1 - product)
        return theta - RATE * leading / (np.sqrt(v / (1 - 0.95**t)) + 0.1)

    return step


def amsgrad_as_printed(g: Gradient) -> Any:
    m, v, largest = (np.zeros_like(ORIGIN) for _ in range(3))

    def step(t: int, theta: np.ndarray) -> np.ndarray:
        nonlocal m, v, largest
        slope = g(theta)
        m = 0.8 * m + (1 - 0.8) * slope
        v = 0.95 * v + (1 - 0.95) * slope**2
        largest = np.maximum(largest, v)
        return theta - RATE * m / (np.sqrt(largest) + 1e-3)

    return step


# ------------------------------------------------------------------------------------ elementwise

PAIRS: list[tuple[Any, Any]] = [
    (
        RMSProp(learning_rate=RATE, rho=0.8, epsilon=0.1, centred=True),
        by_torch(torch.optim.RMSprop, lr=RATE, alpha=0.8, eps=0.1, centered=True),
    ),
    (
        RMSProp(learning_rate=RATE, rho=0.8, epsilon=0.1, centred=True, momentum=0.7),
        by_torch(torch.optim.RMSprop, lr=RATE, alpha=0.8, eps=0.1, centered=True, momentum=0.7),
    ),
    (
        RMSProp(learning_rate=RATE, rho=0.8, epsilon=1e-2, epsilon_in="root", centred=True),
        by_optax(optax.rmsprop(RATE, decay=0.8, eps=1e-2, centered=True)),
    ),
    (
        AdaDelta(learning_rate=0.05, rho=0.85, epsilon=1e-2),
        by_torch(torch.optim.Adadelta, lr=0.05, rho=0.85, eps=1e-2),
    ),
    (
        AdaDelta(learning_rate=0.05, rho=0.85, epsilon=1e-2),
        by_optax(optax.adadelta(0.05, rho=0.85, eps=1e-2)),
    ),
    (
        AMSGrad(learning_rate=RATE, **BETAS),
        by_torch(torch.optim.Adam, lr=RATE, **TORCHS, amsgrad=True),
    ),
    (
        AMSGrad(learning_rate=RATE, **BETAS, correction="before"),
        by_optax(optax.amsgrad(RATE, **THEIRS)),
    ),
    (AMSGrad(learning_rate=RATE, **BETAS, correction="none"), by_loop(amsgrad_as_printed)),
    (
        NAdam(learning_rate=RATE, **WIDE, momentum_decay=0.004),
        by_loop(nadam_with_decay),
    ),
    (NAdam(learning_rate=RATE, **BETAS), by_optax(optax.nadam(RATE, **THEIRS))),
    (RAdam(learning_rate=RATE, **BETAS), by_optax(optax.radam(RATE, **THEIRS))),
    (
        RAdam(learning_rate=RATE, **BETAS, threshold=8),
        by_optax(optax.radam(RATE, **THEIRS, threshold=8)),
    ),
    (
        AdaMax(learning_rate=RATE, **WIDE),
        by_torch(torch.optim.Adamax, lr=RATE, betas=(0.8, 0.95), eps=0.1),
    ),
    (AdaMax(learning_rate=RATE, **WIDE), by_optax(optax.adamax(RATE, b1=0.8, b2=0.95, eps=0.1))),
    (SignDescent(learning_rate=RATE), by_optax(optax.sign_sgd(RATE))),
    (
        Lion(learning_rate=RATE, beta1=0.8, beta2=0.95, weight_decay=0.1),
        by_optax(optax.lion(RATE, b1=0.8, b2=0.95, weight_decay=0.1)),
    ),
    (
        Rprop(learning_rate=RATE, increase=1.1, decrease=0.4, shortest=1e-4, longest=0.5),
        by_torch(torch.optim.Rprop, lr=RATE, etas=(0.4, 1.1), step_sizes=(1e-4, 0.5)),
    ),
    (
        Rprop(
            learning_rate=RATE,
            increase=1.1,
            decrease=0.4,
            shortest=1e-4,
            longest=0.5,
            after_flip="move",
        ),
        by_loop(rprop_without_waiting),
    ),
    (
        DeltaBarDelta(learning_rate=RATE, increase=0.0005, decrease=0.3, memory=0.6),
        by_loop(delta_bar_delta),
    ),
]


@pytest.mark.parametrize(("rule", "reference"), PAIRS, ids=[repr(rule) for rule, _ in PAIRS])
def test_rules_are_those_of_others(rule: Any, reference: Any) -> None:
    expected = reference()
    assert np.abs(expected).max() < 1e3  # a run worth comparing has not diverged
    close(single(rule), expected)


@pytest.mark.parametrize("rule", dict.fromkeys(rule for rule, _ in PAIRS), ids=repr)
def test_lanes_are_the_single_runs(rule: Any) -> None:
    lanes, together = lanes_of(rule)
    close(together[0], single(rule))
    close(together[-1], single(lanes[-1]))


def test_nadam_with_decay_is_that_of_torch() -> None:
    theirs = by_torch(torch.optim.NAdam, lr=RATE, betas=(0.8, 0.95), eps=0.1, momentum_decay=0.004)
    # torch keeps the product of momenta in single precision.
    mine = single(NAdam(learning_rate=RATE, **WIDE, momentum_decay=0.004))
    np.testing.assert_allclose(mine, theirs(), rtol=1e-6, atol=1e-7)


# ------------------------------------------------------------------------------- whole parameters

START = {"kernel": DRAWS.normal(size=(3, 6)), "wide": DRAWS.normal(size=(6, 2))}
BIAS = {"bias": DRAWS.normal(size=6)}
INPUTS, VALUES = DRAWS.normal(size=(20, 3)), DRAWS.normal(size=(20, 2))


# Matrices for a quadratic whose curvatures span four decades, and for Rosenbrock's valley: by rows.
OTHERS = {"bent": DRAWS.normal(size=(3, 2)), "valley": np.array([[-1.2, 1.0], [0.3, 0.5]])}


def layered(w: Any) -> Any:
    """A small network; beside it, where there are parameters for them, the other two problems."""
    hidden = jnp.tanh(INPUTS @ w["kernel"] + w.get("bias", 0.0))
    value = jnp.mean((hidden @ w["wide"] - VALUES) ** 2)
    if "bent" in w:
        flat, (x, y) = w["bent"].ravel(), w["valley"].T
        # Rosenbrock's valley, lower by 50 so that the same steps suit it.
        valley = ((1 - x) ** 2 + 100 * (y - x**2) ** 2).sum() / 50
        value = value + 0.5 * flat @ CURVATURES @ flat + valley
    return value


def ours(optimizer: Any, start: Any, clip: Any = None) -> Any:
    @jax.jit
    def run(optimizer: Any, begin: Any) -> Any:
        def advance(held: Any, count: Any) -> Any:
            kept = (lambda g: clip.clip(g, held[0])) if clip else (lambda g: g)
            step = optimizer.step(lambda w: (layered(w), None), *held, count, kept)
            return (step.parameters, step.state), step.parameters

        held = begin, optimizer.start(begin)
        return jax.lax.scan(advance, held, jnp.arange(1, STEPS + 1))[1]

    return run(optimizer, jax.tree.map(jnp.asarray, start))


def layers_by_optax(transform: Any, start: Any) -> Any:
    @jax.jit
    def run(begin: Any) -> Any:
        def advance(held: Any, _: Any) -> Any:
            w, state = held
            updates, state = transform.update(jax.grad(layered)(w), state, w)
            w = optax.apply_updates(w, updates)
            return (w, state), w

        return jax.lax.scan(advance, (begin, transform.init(begin)), length=STEPS)[1]

    return run(jax.tree.map(jnp.asarray, start))


def all_close(mine: Any, theirs: Any) -> None:
    assert mine.keys() == theirs.keys()
    for name, values in mine.items():
        close(values, theirs[name])


def test_lamb_is_that_of_optax() -> None:
    start = START | OTHERS | {"bias": np.zeros(6)}  # of no length, as biases are at first
    mine = ours(LAMB(learning_rate=RATE, **BETAS, weight_decay=0.1), start)
    all_close(mine, layers_by_optax(optax.lamb(RATE, **THEIRS, weight_decay=0.1), start))


def along(rule: Any, start: Any, path: Any) -> Any:
    """Our steps from every point of another's path, with what we keep of the gradients on it.

    Two paths of a rule that divides by what gets small would part: near a minimum, and in the
    valley, every step multiplies the smallest differences.
    """
    before = jax.tree.map(
        lambda first, rest: jnp.concatenate([first[None], rest[:-1]]), start, path
    )

    def advance(state: Any, given: Any) -> Any:
        point, count = given
        step = rule.step(lambda w: (layered(w), None), point, state, count)
        return step.state, step.parameters

    scan = jax.jit(lambda held, given: jax.lax.scan(advance, held, given)[1])
    return scan(rule.start(start), (before, jnp.arange(1, STEPS + 1)))


def test_muon_of_matrices_is_that_of_optax() -> None:
    start = jax.tree.map(jnp.asarray, START | OTHERS)
    theirs = layers_by_optax(optax.contrib.muon(RATE, beta=0.9, weight_decay=0.1), start)
    rule = Muon(learning_rate=RATE, momentum=0.9, weight_decay=0.1)
    all_close(along(rule, start, theirs), theirs)


def test_muon_makes_diagonal_matrices_signs() -> None:
    diagonal = np.array([3.0, -0.7, 1.1])
    rule = Muon(learning_rate=1.0, rounds=5)
    matrix, vector = jnp.diag(jnp.asarray(diagonal)), jnp.asarray(diagonal)
    moved = rule.update(matrix, rule.init(matrix), matrix, jnp.asarray(1)).increment
    close(
        rule.update(vector, rule.init(vector), vector, jnp.asarray(1)).increment, -np.sign(diagonal)
    )
    np.testing.assert_allclose(moved, -np.diag(np.sign(diagonal)), atol=0.35)


def test_adafactor_is_that_of_torch() -> None:
    start = jax.tree.map(jnp.asarray, START | BIAS | OTHERS)
    tensors = {k: torch.nn.Parameter(torch.tensor(np.array(v))) for k, v in start.items()}
    optimizer = torch.optim.Adafactor(
        tensors.values(), lr=0.05, beta2_decay=-0.7, eps=(None, 1e-2), d=1.1, weight_decay=0.0
    )
    slope, seen = jax.jit(jax.grad(layered)), []
    for _ in range(STEPS):
        gradients = slope({k: jnp.asarray(v.detach().numpy()) for k, v in tensors.items()})
        for name, tensor in tensors.items():
            tensor.grad = torch.tensor(np.asarray(gradients[name]))
        optimizer.step()
        seen.append({name: tensor.detach().numpy().copy() for name, tensor in tensors.items()})
    theirs = jax.tree.map(lambda *steps: jnp.stack(steps), *seen)
    rule = Adafactor(learning_rate=0.05, decay=0.7, smallest=1e-2, limit=1.1)
    all_close(along(rule, start, theirs), theirs)


def test_adaptive_clipping_is_that_of_optax() -> None:
    start = START | BIAS | OTHERS
    mine = ours(GradientDescent(learning_rate=0.1), start, ClipAdaptively(limit=0.05, floor=1e-2))
    clipped = optax.chain(optax.adaptive_grad_clip(0.05, 1e-2), optax.sgd(0.1))
    all_close(mine, layers_by_optax(clipped, start))
    free = ours(GradientDescent(learning_rate=0.1), start)
    assert np.abs(mine["kernel"] - free["kernel"]).max() > 1e-3  # the limit was reached
