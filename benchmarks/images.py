"""Training steps on images: a small convolutional network beside PyTorch, and augmentation.

    python benchmarks/images.py [--rounds 15]

Steps of ``examples/mnist_cnn.toml`` without augmentation are timed in turn with the same steps in
PyTorch (both memory formats), each on one thread; then steps with each augmentation alone. As in a
training, several steps are one call of the compiled program. The seconds are those the processor
spent on this process, so that other work on the machine counts little; medians over the rounds,
compilation apart.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from steps import Call, engine, for_pytorch, in_turn

from thalweg import Experiment
from thalweg.catalogue.augmentations import (
    AffineWarp,
    Crop,
    Cutout,
    ElasticWarp,
    Flip,
    Mixup,
    Noise,
)
from thalweg.engine.devices import mesh
from thalweg.part import replace

SPEC = Path(__file__).parents[1] / "examples" / "mnist_cnn.toml"
DATA = Path(os.environ.get("THALWEG_DATA", Path(__file__).parents[2] / "shared" / "data"))
BATCH, STEPS = 128, 8
AUGMENTATIONS = {
    "affine_warp": AffineWarp(shear=0.1),
    "elastic_warp": ElasticWarp(),
    "crop": Crop(),
    "flip": Flip(),
    "cutout": Cutout(),
    "noise": Noise(),
    "mixup": Mixup(),
}


def recipe() -> Any:
    """That of the example, without augmentation, on few digits."""
    overrides = ("data.mnist.samples=1280", f"data.mnist.folder={DATA / 'mnist'}")
    return replace(Experiment.from_file(SPEC, overrides).recipe(), augmentation=())


def thalweg(augmentation: tuple[Any, ...] = ()) -> Call:
    """Training steps of the engine for one run."""
    chosen = replace(recipe(), augmentation=augmentation)
    return engine(chosen, chosen.data.load(), 1, STEPS)


def pytorch(channels_last: bool) -> Call:
    """The same steps in PyTorch, as its users would write them."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    given, dataset = recipe(), recipe().data.load()
    order = torch.channels_last if channels_last else torch.contiguous_format
    layers: list[Any] = []
    channels = 1
    for filters in given.network.filters:
        for _ in range(given.network.convolutions):
            convolution = nn.Conv2d(channels, filters, 3, padding="same", bias=False)
            layers += [convolution, nn.BatchNorm2d(filters), nn.ReLU()]
            channels = filters
        layers.append(nn.MaxPool2d(2))
    layers += [nn.Flatten(), nn.Linear(9 * channels, 10)]
    network = nn.Sequential(*layers).to(memory_format=order)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    loss = nn.CrossEntropyLoss()
    x = for_pytorch(dataset.inputs, channels_last)
    y = torch.from_numpy(dataset.targets.astype(np.int64))

    def several() -> None:
        for _ in range(STEPS):
            rows = torch.randint(1280, (BATCH,))
            optimizer.zero_grad()
            loss(network(x[rows]), y[rows]).backward()
            optimizer.step()

    return several


def milliseconds(steps: dict[str, Call], rounds: int) -> dict[str, float]:
    """Of a step of each, timed in turn."""
    spent = in_turn(steps, rounds, STEPS, time.process_time)
    return {name: median(held) for name, held in spent.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    mesh()
    found = milliseconds(
        {
            "Thalweg": thalweg(),
            "PyTorch, channels last": pytorch(True),
            "PyTorch, channels first": pytorch(False),
        },
        rounds,
    )
    print("| | ms per step | × Thalweg |\n|---|--:|--:|")
    for name, spent in found.items():
        print(f"| {name} | {spent:.1f} | {spent / found['Thalweg']:.2f} |")
    steps = {name: thalweg((chosen,)) for name, chosen in AUGMENTATIONS.items()}
    found = milliseconds({"none": thalweg(), **steps}, rounds)
    print("\n| augmentation | ms more per step | share of a step |\n|---|--:|--:|")
    for name, spent in found.items():
        more = spent - found["none"]
        print(f"| {name} | {more:.1f} | {more / found['none']:.0%} |")


if __name__ == "__main__":
    main()
