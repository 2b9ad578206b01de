"""What dropout costs: training steps with it beside the same steps without it.

    python benchmarks/noise.py [--rounds 9]

Random bits are nearly all of it. In every round each runs once, in turn; what counts is processor
time, and the ratios are medians over the rounds, compilation apart.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from steps import Call, engine, in_turn

from thalweg.catalogue.networks import MLP, Transformer
from thalweg.catalogue.optimizers import Adam
from thalweg.data import DelayedRecall, Digits, Moons
from thalweg.engine.devices import prepare
from thalweg.spec.experiment import Recipe, Training

RUNS, STEPS = 8, 40

Network = Callable[[float | None], Any]

WORKS: dict[str, tuple[Any, int, Network]] = {
    "2-32-16-2, batch 32": (Moons(), 32, lambda rate: MLP(hidden=(32, 16), dropout=rate)),
    "64-128-64-10, batch 64": (Digits(), 64, lambda rate: MLP(hidden=(128, 64), dropout=rate)),
    "64-512-512-10, batch 128": (Digits(), 128, lambda rate: MLP(hidden=(512, 512), dropout=rate)),
    "transformer of 2 blocks of 32, 20 steps, batch 32": (
        DelayedRecall(samples=600),
        32,
        lambda rate: Transformer(width=32, blocks=2, causal=True, returns="sequence", dropout=rate),
    ),
}


def steps_of(source: Any, batch: int, network: Any) -> Call:
    training = Training(batch_size=batch)
    recipe = Recipe(data=source, network=network, optimizer=Adam(), training=training)
    return engine(recipe, source.load(), RUNS, STEPS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    prepare()
    print("| network | µs a step without | with | ratio |")
    print("|---|--:|--:|--:|")
    for name, (source, batch, network) in WORKS.items():
        calls = {
            "without": steps_of(source, batch, network(None)),
            "with": steps_of(source, batch, network(0.2)),
        }
        spent = in_turn(calls, rounds, RUNS * STEPS, time.process_time)
        pairs = zip(spent["with"], spent["without"], strict=True)
        ratio = median(own / other for own, other in pairs)
        told = [1e3 * median(spent[which]) for which in ("without", "with")]
        print(f"| {name} | {told[0]:.1f} | {told[1]:.1f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
