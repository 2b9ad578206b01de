"""Training steps of structured networks beside PyTorch: a run alone, and eight runs together.

    python benchmarks/networks.py [--rounds 9] [--only lstm_64]

The same steps of Adam on the same shapes. Alone, one run of the engine takes one core, so PyTorch
has one thread and what counts is the time of the processor; together, eight runs fill all cores,
and PyTorch takes eight of its steps one after the other, with the number of threads that suits it
best; what counts then is wall time. In every round each runs once, in turn, so that they share
whatever else the machine does; the ratios are medians over the rounds, compilation apart.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from steps import Call, engine, in_turn

from thalweg.catalogue.cells import LSTM
from thalweg.catalogue.networks import VGG, RecurrentNetwork
from thalweg.catalogue.optimizers import Adam
from thalweg.data import Dataset, Moons
from thalweg.engine.devices import mesh
from thalweg.spec.experiment import Recipe, Training

ROWS, CLASSES, TOGETHER = 512, 10, 8


@dataclass(frozen=True)
class Work:
    """A network, and what it is given.

    Args:
        network: of the engine.
        shape: of one row.
        batch: rows of a step.
        steps: steps of one call.
        peer: the same network in PyTorch, from nothing.
    """

    network: Any
    shape: tuple[int, ...]
    batch: int
    steps: int
    peer: Callable[[], Any]


def recurrent(time: int, units: int, inputs: int, batch: int) -> Work:
    def peer() -> Any:
        import torch

        class Last(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.cells = torch.nn.LSTM(inputs, units, batch_first=True)
                self.out = torch.nn.Linear(units, CLASSES)

            def forward(self, x: Any) -> Any:
                return self.out(self.cells(x)[0][:, -1])

        return Last()

    network = RecurrentNetwork(cell=LSTM(), hidden=(units,))
    return Work(network, (time, inputs), batch, 8, peer)


def le_net() -> Work:
    def peer() -> Any:
        from torch import nn

        layers: list[Any] = []
        for channels, filters in ((1, 16), (16, 32)):
            convolution = nn.Conv2d(channels, filters, 3, padding="same")
            layers += [convolution, nn.ReLU(), nn.MaxPool2d(2)]
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * 49, CLASSES))

    network = VGG(filters=(16, 32), convolutions=1, hidden=())
    return Work(network, (28, 28, 1), 64, 8, peer)


WORKS = {
    "lenet": le_net,
    "lstm_16": lambda: recurrent(20, 16, 4, 16),
    "lstm_64": lambda: recurrent(50, 64, 16, 32),
    "lstm_128": lambda: recurrent(50, 128, 32, 64),
}


def data(work: Work) -> Dataset:
    """Random rows of random classes."""
    generator = np.random.default_rng(0)
    inputs = generator.standard_normal((ROWS, *work.shape)).astype(np.float32)
    targets = np.arange(ROWS, dtype=np.int32) % CLASSES
    names = tuple(str(i) for i in range(CLASSES))
    return Dataset(inputs, targets, "multiclass", (), names)


def thalweg(work: Work, runs: int) -> Call:
    """Steps of some runs of the engine."""
    training = Training(batch_size=work.batch)
    # The recipe names a source, which is not what the rows are from.
    recipe = Recipe(data=Moons(), network=work.network, optimizer=Adam(), training=training)
    return engine(recipe, data(work), runs, work.steps)


def pytorch(work: Work, runs: int, threads: int) -> Call:
    """The same steps in PyTorch, as its users would write them, one run after the other."""
    import torch

    dataset = data(work)
    x = torch.from_numpy(np.array(dataset.inputs))
    if len(work.shape) == 3:
        x = x.movedim(-1, 1).contiguous()
    y = torch.from_numpy(dataset.targets.astype(np.int64))
    network = work.peer()
    optimizer = torch.optim.Adam(network.parameters())
    loss = torch.nn.CrossEntropyLoss()

    def several() -> None:
        torch.set_num_threads(threads)
        for _ in range(work.steps * runs):
            rows = torch.randint(ROWS, (work.batch,))
            optimizer.zero_grad()
            loss(network(x[rows]), y[rows]).backward()
            optimizer.step()

    return several


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", choices=sorted(WORKS))
    given = parser.parse_args()
    cores = mesh().size
    print("| | runs | Thalweg, ms a step | PyTorch | × PyTorch |\n|---|--:|--:|--:|--:|")
    for name, make in WORKS.items():
        if given.only in (None, name):
            work = make()
            alone = {"thalweg": thalweg(work, 1), "1": pytorch(work, 1, 1)}
            tell(name, 1, in_turn(alone, given.rounds, work.steps, time.process_time))
            threads = sorted({1, min(cores, os.cpu_count() or 1)})
            together = {str(count): pytorch(work, TOGETHER, count) for count in threads}
            together = {"thalweg": thalweg(work, TOGETHER), **together}
            steps = work.steps * TOGETHER
            tell(name, TOGETHER, in_turn(together, given.rounds, steps, time.perf_counter))


def tell(name: str, runs: int, spent: dict[str, list[float]]) -> None:
    """A line of the table: medians, and that of the ratios to PyTorch at its best."""
    own = spent.pop("thalweg")
    best = min(spent.values(), key=median)
    ratio = median(theirs / ours for theirs, ours in zip(best, own, strict=True))
    print(f"| {name} | {runs} | {median(own):.2f} | {median(best):.2f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
