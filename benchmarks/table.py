"""The cost of a step of one run, by network and by how many runs there are, beside PyTorch.

    python benchmarks/table.py [--rounds 5] [--only lstm] [--runs 1 8 64 512]

All of a network is timed in one session, in turn: Thalweg with so many runs of it; a PyTorch loop,
whose runs come one after the other, so a step costs the same however many there are; and ensembles
of ``torch.func``, which map one step over stacked parameters. PyTorch takes one thread or all,
whichever is faster. Wall time, medians over the rounds, compilation apart.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from copy import deepcopy
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
from networks import WORKS, Work, pytorch, recurrent, thalweg
from networks import data as rows_of
from steps import Call, in_turn

from thalweg.catalogue.networks import MLP, Transformer
from thalweg.engine.devices import prepare

CLASSES = 10
# Runs of one ensemble of ``torch.func``.
ENSEMBLES = (8, 64)


def dense(widths: tuple[int, ...], batch: int, steps: int) -> Work:
    def peer() -> Any:
        from torch import nn

        layers: list[Any] = []
        for inputs, outputs in pairwise((*widths, CLASSES)):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    return Work(MLP(hidden=widths[1:]), widths[:1], batch, steps, peer)


def transformer(time: int, width: int, blocks: int, inputs: int, batch: int) -> Work:
    def peer() -> Any:
        import torch

        class Mean(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.vectors = torch.nn.Linear(inputs, width)
                block = torch.nn.TransformerEncoderLayer(
                    width, 4, 4 * width, dropout=0.0, batch_first=True, norm_first=True
                )
                self.blocks = torch.nn.TransformerEncoder(
                    block, blocks, torch.nn.LayerNorm(width), enable_nested_tensor=False
                )
                self.out = torch.nn.Linear(width, CLASSES)

            def forward(self, x: Any) -> Any:
                return self.out(self.blocks(self.vectors(x)).mean(dim=-2))

        return Mean()

    network = Transformer(width=width, blocks=blocks, heads=4, positions=None)
    return Work(network, (time, inputs), batch, 8, peer)


TABLE: dict[str, Callable[[], Work]] = {
    "tiny dense, 2-32-16-10, batch 32": lambda: dense((2, 32, 16), 32, 200),
    "small dense, 64-128-64-10, batch 64": lambda: dense((64, 128, 64), 64, 50),
    "medium dense, 784-256-128-10, batch 128": lambda: dense((784, 256, 128), 128, 8),
    "convolutions, 28 × 28, 16 and 32 filters, batch 64": WORKS["lenet"],
    "lstm of 64, 50 steps, batch 32": lambda: recurrent(50, 64, 16, 32),
    "transformer, 2 blocks of 32, 20 steps, batch 32": lambda: transformer(20, 32, 2, 8, 32),
}


def ensemble(work: Work, runs: int) -> Call:
    """The same steps of several runs in PyTorch, one step mapped over stacked parameters."""
    import torch
    from torch.func import functional_call, grad, stack_module_state, vmap

    dataset, base = rows_of(work), work.peer()
    parameters, buffers = stack_module_state([deepcopy(base) for _ in range(runs)])
    held = {name: value.detach().requires_grad_() for name, value in parameters.items()}
    inputs = np.moveaxis(dataset.inputs, -1, 1) if len(work.shape) == 3 else dataset.inputs
    x = torch.from_numpy(np.array(inputs, order="C"))
    y = torch.from_numpy(dataset.targets.astype(np.int64))
    optimizer = torch.optim.Adam(held.values())

    def loss(own: Any, beside: Any, x: Any, y: Any) -> Any:
        return torch.nn.functional.cross_entropy(functional_call(base, (own, beside), (x,)), y)

    slope = vmap(grad(loss))

    def several() -> None:
        for _ in range(work.steps):
            rows = torch.randint(len(x), (runs, work.batch))
            found = slope(held, buffers, x[rows], y[rows])
            for name, value in held.items():
                value.grad = found[name].detach()
            optimizer.step()

    return several


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="networks with this in their name")
    parser.add_argument("--runs", type=int, nargs="+", default=[1, 8, 64, 512])
    given = parser.parse_args()
    prepare()
    print("| network | who | runs | µs a step of one run | × PyTorch loop |")
    print("|---|---|--:|--:|--:|")
    for name, make in TABLE.items():
        if given.only in name:
            tell(name, make(), given.runs, given.rounds)


def tell(name: str, work: Work, counts: list[int], rounds: int) -> None:
    """The rows of one network."""
    calls: dict[tuple[str, int], tuple[Call, int]] = {}
    for runs in counts:
        calls["Thalweg", runs] = thalweg(work, runs), runs * work.steps
    for who, call in pytorch(work, 2).items():
        calls[f"PyTorch loop, {who}", 1] = call, 2 * work.steps
    for runs in ENSEMBLES:
        calls["torch.func ensemble", runs] = ensemble(work, runs), runs * work.steps
    spent = in_turn({key: call for key, (call, _) in calls.items()}, rounds, 1, time.perf_counter)
    each = {key: [t / calls[key][1] for t in times] for key, times in spent.items()}
    loops = [times for (who, _), times in each.items() if who.startswith("PyTorch")]
    loop = min(loops, key=median)
    for (who, runs), times in each.items():
        ratio = median(theirs / own for theirs, own in zip(loop, times, strict=True))
        cost = 1e3 * median(times)
        print(f"| {name} | {who} | {runs} | {cost:,.1f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
