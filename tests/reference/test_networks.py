"""Whole networks against torch: forward, gradients, and a hundred steps of the real engine.

Torch is given our starting weights and, where batches are not full, our order of the rows; the
rest is its own. The engine computes in single precision; most runs here are put into double, where
two right programs agree to 1e-9 and a wrong one does not.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler
from tests.engine.laboratory_setup import jobs, trained

from thalweg.catalogue.activations import ELU, GELU, LeakyReLU, ReLU, Sigmoid, Tanh
from thalweg.catalogue.clipping import ClipByValue
from thalweg.catalogue.context import Context, Variables
from thalweg.catalogue.initializers import Normal
from thalweg.catalogue.losses import CategoricalCrossEntropy
from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import Adam, AdamW, Momentum
from thalweg.catalogue.preprocessing import Standardize
from thalweg.catalogue.regularizers import L1, L2, DecoupledDecay
from thalweg.catalogue.schedules import CosineDecay, ReduceOnPlateau
from thalweg.data import Diabetes, Moons, Wine
from thalweg.engine.plan import Job
from thalweg.engine.shuffle import position_after_shuffle
from thalweg.engine.streams import initialization_key, order_words
from thalweg.part import replace
from thalweg.spec import Recipe, Training

torch = pytest.importorskip("torch")
nn, functional, schedulers = torch.nn, torch.nn.functional, torch.optim.lr_scheduler

STEPS = 100
DRAWS = np.random.default_rng(20240229)
Parameters = dict[str, Any]


def close(actual: Any, expected: Any) -> None:
    np.testing.assert_allclose(actual, expected, rtol=1e-9, atol=1e-9)


def in_torch(parameters: Parameters, activation: Any) -> Any:
    """The same network: a list of linear maps with an activation after all but the last."""
    layers = []
    for layer in parameters.values():
        kernel, bias = (np.array(layer[name], np.float64) for name in ("kernel", "bias"))
        linear = nn.Linear(*kernel.shape, dtype=torch.float64)
        linear.weight = nn.Parameter(torch.tensor(kernel.T.copy()))
        linear.bias = nn.Parameter(torch.tensor(bias))
        layers += [linear, activation]
    return nn.Sequential(*layers[:-1])


def flat(parameters: Parameters) -> Any:
    """All numbers of a network of ours, in torch's order and orientation."""
    return jnp.concatenate(
        [x for p in parameters.values() for x in (p["kernel"].T.ravel(), p["bias"])]
    )


def flat_of(network: Any, what: Callable[[Any], Any] = lambda w: w) -> np.ndarray:
    return torch.cat([what(w).detach().ravel() for w in network.parameters()]).numpy()


# ---------------------------------------------------------------------------- forward and gradient

ACTIVATIONS = [
    (ReLU(), nn.ReLU()),
    (Tanh(), nn.Tanh()),
    (Sigmoid(), nn.Sigmoid()),
    (LeakyReLU(slope=0.2), nn.LeakyReLU(0.2)),
    (ELU(alpha=0.7), nn.ELU(0.7)),
    (GELU(), nn.GELU()),
]


@pytest.mark.parametrize(("ours", "theirs"), ACTIVATIONS, ids=[repr(a) for a, _ in ACTIVATIONS])
def test_forward_and_gradient_are_those_of_torch(ours: Any, theirs: Any) -> None:
    network = MLP(hidden=(7, 5), activation=ours, bias=Normal(deviation=0.5), outputs=3)
    inputs, classes = DRAWS.normal(size=(20, 4)), DRAWS.integers(3, size=20)

    def both(parameters: Parameters, x: Any) -> Any:
        def objective(parameters: Parameters) -> Any:
            outputs, _ = network.apply(Variables(parameters, {}), x, Context("train"))
            return CategoricalCrossEntropy()(outputs, jnp.asarray(classes)).mean(), outputs

        (_, outputs), gradient = jax.value_and_grad(objective, has_aux=True)(parameters)
        return outputs, flat(gradient)

    def start(key: Any) -> Parameters:
        return network.init(key, jnp.asarray(inputs)).parameters

    lanes = jax.vmap(start)(jax.random.split(jax.random.key(0), 3))
    together = jax.jit(jax.vmap(both, (0, None)))(lanes, inputs)
    alone = jax.jit(both)
    for i in range(3):
        parameters = jax.tree.map(lambda x, i=i: x[i], lanes)
        other = in_torch(parameters, theirs)
        expected = other(torch.tensor(inputs))
        functional.cross_entropy(expected, torch.tensor(classes)).backward()
        for outputs, gradient in (alone(parameters, inputs), (together[0][i], together[1][i])):
            close(outputs, expected.detach().numpy())
            close(gradient, flat_of(other, lambda w: w.grad))


# -------------------------------------------------------------------------------------- the engine


class Case(NamedTuple):
    """A recipe and what torch does instead.

    Args:
        recipe: what the engine is given.
        activation, loss: of torch's network; the loss averages over the batch.
        optimizer: made of the weights and biases apart.
        penalty: of the weights.
        scheduler: made of the optimizer, called after every step.
        plateau: made of the optimizer, called with the validation loss after every epoch.
    """

    recipe: Recipe
    activation: Any
    loss: Callable[[Any, Any], Any]
    optimizer: Callable[[list[Any], list[Any]], Any]
    penalty: Callable[[list[Any]], Any] = lambda weights: 0.0
    scheduler: Callable[[Any], Any] | None = None
    plateau: Callable[[Any], Any] | None = None
    clip: Callable[[list[Any]], Any] = lambda parameters: None


def recipe(**fields: Any) -> Recipe:
    training = {"epochs": STEPS, "batch_size": "full", "evaluate_every": STEPS, "probes": 0}
    training |= {"precision": "float64"} | fields.pop("training", {})
    return Recipe(training=Training(**training), **fields)


def logistic(outputs: Any, targets: Any) -> Any:
    return functional.binary_cross_entropy_with_logits(outputs[:, 0], targets.to(outputs.dtype))


def squared(outputs: Any, targets: Any) -> Any:
    return functional.mse_loss(outputs, targets.to(outputs.dtype))


MOONS = Moons(samples=120, noise=0.2, split=(0.5, 0.25, 0.25))

CASES = {
    "adam with L2": Case(
        recipe(
            data=MOONS,
            network=MLP(hidden=(8,), activation=Tanh()),
            optimizer=Adam(learning_rate=0.02),
            regularizers=(L2(strength=0.01),),
        ),
        nn.Tanh(),
        logistic,
        lambda weights, biases: torch.optim.Adam([*weights, *biases], lr=0.02),
        penalty=lambda weights: 0.005 * sum((w**2).sum() for w in weights),
    ),
    "momentum along a cosine, clipped": Case(
        recipe(
            data=Wine(),
            preprocessing=Standardize(),
            network=MLP(hidden=(16, 8)),
            loss=CategoricalCrossEntropy(smoothing=0.1),
            optimizer=Momentum(
                learning_rate=CosineDecay(initial=0.05), momentum=0.8, learning_rate_in="step"
            ),
            regularizers=(L1(strength=1e-3),),
            training={"clipping": ClipByValue(limit=0.05)},
        ),
        nn.ReLU(),
        lambda z, y: functional.cross_entropy(z, y, label_smoothing=0.1),
        lambda weights, biases: torch.optim.SGD([*weights, *biases], lr=0.05, momentum=0.8),
        penalty=lambda weights: 1e-3 * sum(w.abs().sum() for w in weights),
        scheduler=lambda optimizer: schedulers.CosineAnnealingLR(optimizer, STEPS),
        clip=lambda parameters: nn.utils.clip_grad_value_(parameters, 0.05),
    ),
    "decoupled decay in regression": Case(
        recipe(
            data=Diabetes(),
            preprocessing=Standardize(),
            network=MLP(hidden=(8,), activation=ELU()),
            optimizer=Adam(learning_rate=0.1),
            regularizers=(DecoupledDecay(strength=0.2),),
        ),
        nn.ELU(),
        squared,
        lambda weights, biases: torch.optim.AdamW(
            [
                {"params": weights, "weight_decay": 0.2},
                {"params": biases, "weight_decay": 0.0},
            ],
            lr=0.1,
        ),
    ),
    "mini-batches, the last one short": Case(
        recipe(
            data=MOONS,
            network=MLP(hidden=(8, 4), activation=GELU()),
            optimizer=AdamW(learning_rate=0.01, weight_decay=0.1),
            training={"epochs": 25, "batch_size": 16},  # 60 rows: 16, 16, 16, 12
        ),
        nn.GELU(),
        logistic,
        lambda weights, biases: torch.optim.AdamW([*weights, *biases], lr=0.01, weight_decay=0.1),
    ),
    "a rate that falls on plateaus": Case(
        recipe(
            data=MOONS,
            network=MLP(hidden=(8,), activation=Tanh()),
            optimizer=Momentum(
                learning_rate=ReduceOnPlateau(initial=3.0, factor=0.7, patience=2),
                momentum=0.5,
                learning_rate_in="step",
            ),
            training={"evaluate_every": 1},
        ),
        nn.Tanh(),
        logistic,
        lambda weights, biases: torch.optim.SGD([*weights, *biases], lr=3.0, momentum=0.5),
        plateau=lambda optimizer: schedulers.ReduceLROnPlateau(
            optimizer, factor=0.7, patience=1, threshold=0, eps=0
        ),
    ),
}


class Outcome(NamedTuple):
    """Final parameters, objective before each step, final test loss and metric, final rate."""

    parameters: np.ndarray
    objectives: np.ndarray
    test_loss: float
    rate: float


def inputs_of(job: Job) -> np.ndarray:
    """What the network sees."""
    inputs = job.dataset.inputs.astype(job.recipe.training.precision)
    if job.recipe.preprocessing is None:
        return inputs
    scaler = StandardScaler().fit(inputs[job.split.train].astype(np.float64))
    return (inputs - scaler.mean_) * (1 / scaler.scale_)


def batches(job: Job, epoch: int) -> list[np.ndarray]:
    """Rows of each step of an epoch."""
    rows = job.split.train
    size = job.recipe.training.batch_size
    if size == "full":
        return [rows]
    words = jnp.asarray(order_words(job.seed).astype(np.uint32))
    order = position_after_shuffle(jnp.arange(len(rows)), len(rows), words, jnp.int32(epoch))
    shuffled = rows[np.asarray(order)]
    return [shuffled[i : i + size] for i in range(0, len(rows), size)]


def by_torch(case: Case, job: Job, dtype: Any) -> Outcome:
    inputs, targets = torch.tensor(inputs_of(job), dtype=dtype), torch.tensor(job.dataset.targets)
    targets = targets if targets.is_floating_point() else targets.long()
    start = job.recipe.network.init(
        initialization_key(jnp.uint32(job.seed)), jnp.zeros((1, inputs.shape[1]))
    )
    network = in_torch(start.parameters, case.activation).to(dtype)
    weights = [w for w in network.parameters() if w.ndim == 2]
    biases = [w for w in network.parameters() if w.ndim == 1]
    optimizer = case.optimizer(weights, biases)
    scheduler = case.scheduler(optimizer) if case.scheduler else None
    plateau = case.plateau(optimizer) if case.plateau else None
    objectives = []

    def loss_on(rows: np.ndarray) -> Any:
        return case.loss(network(inputs[rows]), targets[rows])

    for epoch in range(job.recipe.training.epochs):
        if plateau:
            plateau.step(loss_on(job.split.validation).item())  # the start is an evaluation too
        for rows in batches(job, epoch):
            optimizer.zero_grad()
            objective = loss_on(rows) + case.penalty(weights)
            objective.backward()
            case.clip([*weights, *biases])
            optimizer.step()
            objectives.append(objective.item())
            if scheduler:
                scheduler.step()
    rate = optimizer.param_groups[0]["lr"]
    test_loss = loss_on(job.split.test).item()
    return Outcome(flat_of(network), np.array(objectives), test_loss, rate)


def by_engine(company: list[Job], watched: Job, folder: Path) -> Outcome:
    with trained(company, folder) as record:
        arrays = record.arrays(watched.id)
        layers = range(len(watched.recipe.network.hidden) + 1)
        parameters = {
            i: {name: arrays[f"parameters.dense_{i}.{name}"] for name in ("kernel", "bias")}
            for i in layers
        }
        steps, objectives = record.series("batch.loss", [watched.id])[watched.id]
        assert steps.tolist() == list(range(1, STEPS + 1))
        runs = {run.id: run for run in record.experiment("test").runs}
        finals = runs[watched.id].finals
    return Outcome(np.asarray(flat(parameters)), objectives, finals["test.loss"], np.nan)


def companies(case: Case) -> tuple[Job, list[list[Job]]]:
    """The run that is watched, and it alone and among others that differ in their numbers."""
    optimizer = case.recipe.optimizer
    shares = (1.0, 0.3, 0.1, 0.01, 2e-3)
    recipes = [
        replace(case.recipe, optimizer=jax.tree.map(lambda x, s=share: s * x, optimizer))
        for share in shares
    ]
    watched, *others = jobs(recipes)
    return watched, [[watched], [*others[:2], watched, *others[2:], *jobs(recipes[:1], [1, 2])]]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_hundred_steps_in_double_precision(case: Case, tmp_path: Path) -> None:
    watched, gathered = companies(case)
    expected = by_torch(case, watched, torch.float64)
    assert case.plateau is None or expected.rate < 3.0 * 0.7  # there were plateaus
    for i, company in enumerate(gathered):
        found = by_engine(company, watched, tmp_path / str(i))
        close(found.parameters, expected.parameters)
        np.testing.assert_allclose(found.objectives, expected.objectives, rtol=1e-6)
        np.testing.assert_allclose(found.test_loss, expected.test_loss, rtol=1e-6)


# In single precision two right programs round differently, 6e-8 at a time; Adam, which divides by
# small gradients, makes the most of it. An error in a formula is hundreds of times larger.
def test_a_hundred_steps_in_single_precision(tmp_path: Path) -> None:
    case = CASES["adam with L2"]
    single = replace(case.recipe.training, precision="float32")
    case = case._replace(recipe=replace(case.recipe, training=single))
    with jax.enable_x64(False):
        watched, gathered = companies(case)
        expected = by_torch(case, watched, torch.float32)
        for i, company in enumerate(gathered):
            found = by_engine(company, watched, tmp_path / str(i))
            np.testing.assert_allclose(found.parameters, expected.parameters, atol=1e-5)
            np.testing.assert_allclose(found.objectives, expected.objectives, rtol=1e-5)
            np.testing.assert_allclose(found.test_loss, expected.test_loss, rtol=1e-5)
