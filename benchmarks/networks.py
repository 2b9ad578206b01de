"""Training steps of structured networks beside PyTorch: a run alone, and eight runs together.

    python benchmarks/networks.py [--rounds 9] [--only lstm_64]

The same steps of Adam on the same shapes. Alone, one run of the engine takes one core, so PyTorch
has one thread and what counts is the time of the processor; together, eight runs fill all cores,
and PyTorch takes eight of its steps one after the other, with one thread and with all; what counts
then is wall time. Images it is given in both of its layouts. In every round each runs once, in
turn, so that they share whatever else the machine does; the ratios are medians over the rounds,
compilation apart.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
from steps import Call, engine, for_pytorch, in_turn

from thalweg.catalogue.cells import LSTM
from thalweg.catalogue.networks import VGG, RecurrentNetwork
from thalweg.catalogue.optimizers import Adam
from thalweg.data import Dataset, Moons
from thalweg.engine.devices import cores, prepare
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


def recurrent(time: int, units: int, inputs: int, batch: int, steps: int = 8) -> Work:
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
    return Work(network, (time, inputs), batch, steps, peer)


def convolutions(size: int, filters: tuple[int, int], batch: int, steps: int) -> Work:
    def peer() -> Any:
        from torch import nn

        layers: list[Any] = []
        for before, after in pairwise((1, *filters)):
            convolution = nn.Conv2d(before, after, 3, padding="same")
            layers += [convolution, nn.ReLU(), nn.MaxPool2d(2)]
        left = filters[-1] * (size // 4) ** 2
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(left, CLASSES))

    network = VGG(filters=filters, convolutions=1, hidden=())
    return Work(network, (size, size, 1), batch, steps, peer)


WORKS = {
    "lenet": lambda: convolutions(28, (16, 32), 64, 8),
    "convolutions_8": lambda: convolutions(8, (8, 16), 32, 200),
    "lstm_16": lambda: recurrent(20, 16, 4, 16, steps=200),
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


def pytorch(work: Work, runs: int) -> dict[str, Call]:
    """The same steps in PyTorch, one run after the other: every layout, and number of threads."""
    counts = sorted({1, cores()}) if runs > 1 else [1]
    return {
        f"{layout}, {threads} thread{'s' * (threads > 1)}": peer(work, runs, threads, layout)
        for layout in layouts(work)
        for threads in counts
    }


def layouts(work: Work) -> list[str]:
    """In which PyTorch may be given images; its own name where there are none."""
    return ["channels first", "channels last"] if len(work.shape) == 3 else ["PyTorch"]


def peer(work: Work, runs: int, threads: int, layout: str) -> Call:
    """The same steps in PyTorch, as its users would write them."""
    import torch

    dataset = data(work)
    network = work.peer()
    if layout == "PyTorch":
        x = torch.from_numpy(np.array(dataset.inputs))
    else:
        last = layout == "channels last"
        network = network.to(memory_format=torch.channels_last if last else torch.contiguous_format)
        x = for_pytorch(dataset.inputs, last)
    y = torch.from_numpy(dataset.targets.astype(np.int64))
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
    prepare()
    print("| | runs | Thalweg, ms a step | PyTorch | its ms a step | × PyTorch |")
    print("|---|--:|--:|---|--:|--:|")
    for name, make in WORKS.items():
        if given.only in (None, name):
            work = make()
            for runs, clock in ((1, time.process_time), (TOGETHER, time.perf_counter)):
                calls = {"thalweg": thalweg(work, runs), **pytorch(work, runs)}
                tell(name, runs, in_turn(calls, given.rounds, work.steps * runs, clock))


def tell(name: str, runs: int, spent: dict[str, list[float]]) -> None:
    """Lines of the table: medians, and those of the ratios to PyTorch, of every kind of call."""
    own = spent.pop("thalweg")
    for peer, theirs in spent.items():
        ratio = median(their / our for their, our in zip(theirs, own, strict=True))
        line = f"{name} | {runs} | {median(own):.2f} | {peer} | {median(theirs):.2f} | {ratio:.2f}"
        print(f"| {line} |", flush=True)


if __name__ == "__main__":
    main()
