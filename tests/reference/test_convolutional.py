"""Whole convolutional networks against torch: 21 steps of the real engine in double precision.

The networks are written anew in torch, given our starting weights and our order of the rows. The
last batch of every epoch is short, so batch normalization must not count the rows that fill it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from tests.engine.laboratory_setup import jobs, trained
from tests.reference.test_networks import batches

from thalweg.catalogue.layers import BatchNormalization
from thalweg.catalogue.networks import VGG, LeNet, ResNet
from thalweg.catalogue.optimizers import Momentum
from thalweg.data import Digits
from thalweg.data.dataset import Dataset, Shares
from thalweg.engine.plan import Job
from thalweg.engine.streams import initialization_key
from thalweg.part import choice, part
from thalweg.spec import Recipe, Training

torch = pytest.importorskip("torch")
nn, functional = torch.nn, torch.nn.functional

RATE, MOMENTUM = 0.02, 0.9
STEPS = 21  # seven epochs of 64, 64 and 52 rows


@part
class FramedDigits:
    """Digits with two pixels around them, so that they survive two poolings; 180 to train on."""

    split: Shares = choice((0.1, 0.0, 0.9))

    def load(self) -> Dataset:
        digits = Digits(flat=False).load()
        images = np.pad(digits.inputs, ((0, 0), (2, 2), (2, 2), (0, 0)))
        return Dataset(images, digits.targets, "multiclass", class_names=digits.class_names)


class Block(nn.Module):
    """Two convolutions with a way around them, halving the image from the second stage on."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(after)
        self.second = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(after)
        self.around: Any = nn.Identity()
        if stride > 1:
            convolution = nn.Conv2d(before, after, 1, stride, bias=False)
            self.around = nn.Sequential(convolution, nn.BatchNorm2d(after))

    def forward(self, x: Any) -> Any:
        y = functional.relu(self.first_norm(self.first(x)))
        return functional.relu(self.second_norm(self.second(y)) + self.around(x))


class ChannelsLast(nn.Module):
    """Flattens as we do."""

    def forward(self, x: Any) -> Any:
        return x.permute(0, 2, 3, 1).flatten(1)


def small_resnet() -> Any:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, 1, 1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        Block(4, 4, 1),
        Block(4, 6, 2),
        nn.AdaptiveAvgPool2d(1),
        ChannelsLast(),
        nn.Linear(6, 10),
    )


def small_lenet() -> Any:
    return nn.Sequential(
        nn.Conv2d(1, 3, 5, padding=2),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Conv2d(3, 5, 5),
        nn.Tanh(),
        nn.AvgPool2d(2),
        ChannelsLast(),
        nn.Linear(5, 7),
        nn.Tanh(),
        nn.Linear(7, 10),
    )


def small_vgg() -> Any:
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1, bias=False),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Conv2d(3, 3, 3, padding=1, bias=False),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        ChannelsLast(),
        nn.Linear(108, 5),
        nn.ReLU(),
        nn.Linear(5, 10),
    )


def convolution_and_norm(layer: str, number: int) -> list[str]:
    names = (f"convolution_{number}.kernel", *(f"batch_normalization_{number}.{n}" for n in TERMS))
    return [f"{layer}{name}" for name in names]


TERMS, MAPPED = ("scale", "bias"), ("kernel", "bias")

# Our parameters in torch's order.
CASES: dict[str, tuple[Any, Callable[[], Any], list[str]]] = {
    "resnet": (
        ResNet(filters=(4, 6), blocks=1),
        small_resnet,
        [
            *convolution_and_norm("", 0),
            *convolution_and_norm("residual_0.", 0),
            *convolution_and_norm("residual_0.", 1),
            *convolution_and_norm("residual_1.", 0),
            *convolution_and_norm("residual_1.", 1),
            *convolution_and_norm("residual_1.projection.", 0),
            *(f"dense_0.{name}" for name in MAPPED),
        ],
    ),
    "vgg": (
        VGG(filters=(3,), hidden=(5,), normalization=BatchNormalization()),
        small_vgg,
        [
            *convolution_and_norm("", 0),
            *convolution_and_norm("", 1),
            *(f"dense_{i}.{name}" for i in (0, 1) for name in MAPPED),
        ],
    ),
    "lenet": (
        LeNet(filters=(3, 5), hidden=(7,)),
        small_lenet,
        [
            *(f"convolution_{i}.{name}" for i in (0, 1) for name in MAPPED),
            *(f"dense_{i}.{name}" for i in (0, 1) for name in MAPPED),
        ],
    ),
}


def turned(array: Any) -> np.ndarray:
    """A kernel [size ..., input, output] as torch has it, or back from a dense one."""
    array = np.asarray(array, np.float64)
    axes = (array.ndim - 1, array.ndim - 2, *range(array.ndim - 2))
    return array.transpose(axes).copy() if array.ndim > 1 else array.copy()


def held_at(tree: Any, path: str) -> Any:
    for name in path.split("."):
        tree = tree[name]
    return tree


def by_torch(job: Job, make: Callable[[], Any], names: list[str]) -> tuple[Any, list[float], float]:
    """The trained network, the objective before each step, and the test loss after the last."""
    network = make().double()
    start = job.recipe.network.init(
        initialization_key(jnp.uint32(job.seed)), jnp.zeros((1, 12, 12, 1))
    )
    with torch.no_grad():
        for parameter, name in zip(network.parameters(), names, strict=True):
            parameter.copy_(torch.tensor(turned(held_at(start.parameters, name))))
    images = torch.tensor(np.moveaxis(job.dataset.inputs, -1, 1), dtype=torch.float64)
    targets = torch.tensor(job.dataset.targets).long()
    optimizer = torch.optim.SGD(network.parameters(), lr=RATE, momentum=MOMENTUM)
    objectives = []
    for epoch in range(job.recipe.training.epochs):
        for rows in batches(job, epoch):
            optimizer.zero_grad()
            objective = functional.cross_entropy(network(images[rows]), targets[rows])
            objective.backward()
            optimizer.step()
            objectives.append(objective.item())
    test = job.split.test
    return (
        network,
        objectives,
        functional.cross_entropy(network.eval()(images[test]), targets[test]),
    )


@pytest.mark.filterwarnings("ignore:scatter inputs have incompatible types:FutureWarning")
@pytest.mark.parametrize("case", CASES)
def test_steps_of_the_engine_are_those_of_torch(case: str, tmp_path: Path) -> None:
    network, make, names = CASES[case]
    training = Training(epochs=7, batch_size=64, evaluate_every=7, probes=2, precision="float64")
    recipe = Recipe(
        data=FramedDigits(),
        network=network,
        optimizer=Momentum(learning_rate=RATE, momentum=MOMENTUM, learning_rate_in="step"),
        training=training,
    )
    (job,) = jobs([recipe])
    assert [len(rows) for rows in batches(job, 0)] == [64, 64, 52]
    theirs, objectives, test_loss = by_torch(job, make, names)
    with trained([job], tmp_path) as record:
        arrays = record.arrays(job.id)
        steps, found = record.series("batch.loss", [job.id])[job.id]
        (run,) = record.experiment("test").runs
    assert steps.tolist() == list(range(1, STEPS + 1))
    np.testing.assert_allclose(found, objectives, rtol=1e-6)
    for parameter, name in zip(theirs.parameters(), names, strict=True):
        ours = turned(arrays[f"parameters.{name}"])
        np.testing.assert_allclose(ours, parameter.detach().numpy(), rtol=1e-8, atol=1e-9)
    buffers = {name: held for name, held in theirs.named_buffers() if "running" in name}
    ours = {
        name.removeprefix("state."): held
        for name, held in arrays.items()
        if name.startswith("state.")
    }
    expected = sorted(float(held.sum()) for held in buffers.values())
    np.testing.assert_allclose(sorted(float(h.sum()) for h in ours.values()), expected, rtol=1e-8)
    np.testing.assert_allclose(run.finals["test.loss"], test_loss.item(), rtol=1e-6)
