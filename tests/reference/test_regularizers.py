"""Penalties, decay and dropout against torch."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from thalweg.catalogue.activations import PReLU
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.layers import Dropout
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import Adam
from thalweg.catalogue.optimizers.optimizer import init_state, take_step
from thalweg.catalogue.regularizers import (
    L1,
    L2,
    DecoupledDecay,
    ElasticNet,
    LInfinity,
    LogSumExp,
    MaxNorm,
    PruneBelow,
    PruneShare,
)
from thalweg.catalogue.schedules import Progress
from thalweg.engine.penalties import after_step

torch = pytest.importorskip("torch")

STEPS, RATE = 100, 0.01
DRAWS = np.random.default_rng(20240229)
INPUTS = DRAWS.normal(size=(20, 3))
VALUES = DRAWS.normal(size=(20, 2))
START = {"dense": {"kernel": DRAWS.normal(size=(3, 2)), "bias": DRAWS.normal(size=2)}}
START["dense"]["kernel"][0, 0] = 0.0  # the kink of the absolute value
KEY = jax.random.key(20240229)


def close(actual: Any, expected: Any) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9)


def tensors() -> dict[str, Any]:
    return {name: torch.tensor(array, requires_grad=True) for name, array in START["dense"].items()}


# ---------------------------------------------------------------------------------------- penalties

PENALTIES = [
    (L1(strength=0.3), lambda w: 0.3 * w["kernel"].abs().sum()),
    (L1(strength=0.3, biases=True), lambda w: 0.3 * sum(x.abs().sum() for x in w.values())),
    (L2(strength=0.3), lambda w: 0.15 * (w["kernel"] ** 2).sum()),
    (L2(strength=0.3, factor=1.0), lambda w: 0.3 * (w["kernel"] ** 2).sum()),
    (L2(strength=0.3, biases=True), lambda w: 0.15 * sum((x**2).sum() for x in w.values())),
    (
        ElasticNet(strength=0.3, ratio=0.2),
        lambda w: 0.06 * w["kernel"].abs().sum() + 0.12 * (w["kernel"] ** 2).sum(),
    ),
    (LInfinity(strength=0.3), lambda w: 0.3 * torch.linalg.vector_norm(w["kernel"], torch.inf)),
    (LogSumExp(strength=0.3), lambda w: 0.3 * w["kernel"].logsumexp((0, 1))),
    (
        LogSumExp(strength=0.3, of="sizes", biases=True),
        lambda w: 0.3 * torch.cat([x.abs().flatten() for x in w.values()]).logsumexp(0),
    ),
]


@pytest.mark.parametrize(("ours", "theirs"), PENALTIES, ids=[repr(ours) for ours, _ in PENALTIES])
def test_penalties_and_their_gradients_are_those_of_torch(ours: Any, theirs: Any) -> None:
    value, slope = jax.value_and_grad(ours.penalty)(jax.tree.map(jnp.asarray, START))
    weights = tensors()
    expected = theirs(weights)
    expected.backward()
    close(value, expected.item())
    for name, tensor in weights.items():
        close(slope["dense"][name], np.zeros(2) if tensor.grad is None else tensor.grad.numpy())


REGULARIZERS = [*(ours for ours, _ in PENALTIES), DecoupledDecay(strength=0.2)]


def trained(regularizer: Any) -> Any:
    """Weights of a linear map at every step of Adam with a regularizer."""
    rule = Adam(learning_rate=RATE)

    def objective(parameters: Any) -> Any:
        layer = parameters["dense"]
        error = INPUTS @ layer["kernel"] + layer["bias"] - VALUES
        added = regularizer.penalty(parameters) if hasattr(regularizer, "penalty") else 0.0
        return jnp.mean(error**2) + added, None

    def advance(held: Any, count: Any) -> Any:
        parameters, state = held
        step = take_step(rule, objective, parameters, state, count)
        moved = after_step([regularizer], step.parameters, parameters, RATE, None)
        return (moved, step.state), moved["dense"]

    start = jax.tree.map(jnp.asarray, START)
    return jax.lax.scan(advance, (start, init_state(rule, start)), jnp.arange(1, STEPS + 1))[1]


def by_torch(theirs: Any, decay: float = 0.0) -> dict[str, np.ndarray]:
    weights = tensors()
    groups = [
        {"params": [weights["kernel"]], "weight_decay": decay},
        {"params": [weights["bias"]], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=RATE)
    seen: dict[str, list[np.ndarray]] = {name: [] for name in weights}
    for _ in range(STEPS):
        optimizer.zero_grad()
        error = torch.tensor(INPUTS) @ weights["kernel"] + weights["bias"] - torch.tensor(VALUES)
        (torch.mean(error**2) + theirs(weights)).backward()
        optimizer.step()
        for name, tensor in weights.items():
            seen[name].append(tensor.detach().numpy().copy())
    return {name: np.stack(values) for name, values in seen.items()}


@pytest.mark.parametrize(("ours", "theirs"), PENALTIES, ids=[repr(ours) for ours, _ in PENALTIES])
def test_a_hundred_penalized_steps_are_those_of_torch(ours: Any, theirs: Any) -> None:
    jax.tree.map(close, trained(ours), by_torch(theirs))


def test_a_hundred_steps_with_decay_are_those_of_torch_with_two_groups() -> None:
    expected = by_torch(lambda w: 0.0, decay=0.2)
    jax.tree.map(close, trained(DecoupledDecay(strength=0.2)), expected)
    # The paper's form is torch's at strength / learning rate.
    paper = DecoupledDecay(strength=0.2 * RATE, times_learning_rate=False)
    jax.tree.map(close, trained(paper), expected)


@pytest.mark.parametrize("biases", [False, True])
def test_slopes_of_prelu_do_not_decay(biases: bool) -> None:
    # As torch asks for, by a group of parameters without decay.
    network = MLP(hidden=(4,), activation=PReLU(), outputs=2)
    start = network.init(KEY, jnp.asarray(INPUTS)).parameters
    regularizer, rule = DecoupledDecay(strength=0.2, biases=biases), Adam(learning_rate=RATE)

    def objective(parameters: Any) -> Any:
        outputs, _ = network.apply(Variables(parameters, {}), INPUTS, Context("train"))
        return jnp.mean((outputs - VALUES) ** 2), None

    def advance(held: Any, count: Any) -> Any:
        step = take_step(rule, objective, *held, count)
        return (after_step([regularizer], step.parameters, held[0], RATE, None), step.state), None

    counts = jnp.arange(1, STEPS + 1)
    (ours, _), _ = jax.lax.scan(advance, (start, init_state(rule, start)), counts)

    theirs = torch.nn.Sequential(
        torch.nn.Linear(3, 4), torch.nn.PReLU(4), torch.nn.Linear(4, 2)
    ).double()
    named = dict(theirs.named_parameters())
    places = {
        "0.weight": ("dense_0", "kernel"),
        "0.bias": ("dense_0", "bias"),
        "1.weight": ("activation_0", "slope"),
        "2.weight": ("dense_1", "kernel"),
        "2.bias": ("dense_1", "bias"),
    }

    def of_ours(name: str, parameters: Any) -> np.ndarray:
        layer, kind = places[name]
        return np.asarray(parameters[layer][kind]).T

    with torch.no_grad():
        for name, tensor in named.items():
            tensor.copy_(torch.tensor(of_ours(name, start)))
    decays = ("0.weight", "2.weight", *(("0.bias", "2.bias") if biases else ()))
    groups = [
        {"params": [t], "weight_decay": 0.2 if n in decays else 0.0} for n, t in named.items()
    ]
    optimizer = torch.optim.AdamW(groups, lr=RATE)
    for _ in range(STEPS):
        optimizer.zero_grad()
        torch.mean((theirs(torch.tensor(INPUTS)) - torch.tensor(VALUES)) ** 2).backward()
        optimizer.step()
    for name, tensor in named.items():
        close(of_ours(name, ours), tensor.detach().numpy())


@pytest.mark.parametrize(
    "regularizer",
    [PruneShare(share=1.0, after=1), PruneBelow(threshold=9.0, after=1), MaxNorm(limit=1e-3)],
    ids=repr,
)
def test_what_is_done_to_weights_is_not_done_to_slopes(regularizer: Any) -> None:
    w = {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2), "scale": jnp.ones(2)}
    given = {**w, "slope": jnp.ones(2)}
    made = regularizer.project(given, given, RATE, Progress(step=0))
    assert (np.abs(made["kernel"]) < 1e-3).all()
    for name in ("bias", "scale", "slope"):
        assert (made[name] == 1).all()


@pytest.mark.parametrize("regularizer", REGULARIZERS, ids=repr)
def test_lanes_are_the_single_runs(regularizer: Any) -> None:
    lanes = [jax.tree.map(lambda x, s=share: s * x, regularizer) for share in (1.0, 0.1, 0.0)]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *lanes)
    together = jax.jit(jax.vmap(trained))(stacked)
    for i, lane in enumerate(lanes):
        jax.tree.map(close, trained(lane), jax.tree.map(lambda x, i=i: x[i], together))


# ------------------------------------------------------------------------------------------ dropout

RATES = [0.125, 0.3, 0.5, 0.9]  # 0.3 and 0.9 are rounded to multiples of 1/65536
UNITS = (500, 400)


def dropped(rate: Any, key: Any, x: Any) -> Any:
    return Dropout(rate=rate).apply(Variables({}, {}), x, Context("train", key))[0]


@pytest.mark.parametrize("rate", RATES)
def test_dropout_has_the_law_of_torch(rate: float) -> None:
    x = np.ones(UNITS)
    mine = np.asarray(dropped(rate, KEY, jnp.asarray(x)))
    torch.manual_seed(0)
    theirs = torch.nn.functional.dropout(torch.tensor(x), rate, training=True).numpy()
    # Survivors are scaled alike, but for the rounded rate and for a factor in single precision.
    values = [np.unique(a) for a in (mine, theirs)]
    assert values[0][0] == values[1][0] == 0
    assert len(values[0]) == len(values[1]) == 2
    np.testing.assert_allclose(values[0], values[1], rtol=1 / 65536 / (1 - rate))
    silent = [int((a == 0).sum()) for a in (mine, theirs)]
    for count in silent:
        assert stats.binomtest(count, x.size, rate).pvalue > 0.01
    assert abs(mine.mean() - 1) < 4 * np.sqrt(rate / (1 - rate) / x.size)  # the mean is kept
    # Units and examples are silenced apart: counts by row and by column are binomial.
    for axis in (0, 1):
        counts = (mine == 0).sum(axis=axis)
        spread = counts.var(ddof=1) / (x.shape[axis] * rate * (1 - rate)) * (len(counts) - 1)
        assert 0.005 < stats.chi2(len(counts) - 1).cdf(spread) < 0.995


@pytest.mark.parametrize("rate", RATES)
def test_gradients_pass_where_values_pass(rate: float) -> None:
    x = jnp.asarray(DRAWS.normal(size=(50, 40)))
    values, pull = jax.vjp(lambda x: dropped(rate, KEY, x), x)
    close(pull(jnp.ones_like(x))[0] * x, values)


def test_dropout_in_lanes_is_the_single_one() -> None:
    x = jnp.asarray(DRAWS.normal(size=(50, 40)))
    keys = jax.random.split(KEY, len(RATES))
    together = jax.jit(jax.vmap(dropped, (0, 0, None)))(jnp.asarray(RATES), keys, x)
    for rate, key, seen in zip(RATES, keys, together, strict=True):
        close(dropped(rate, key, x), seen)
