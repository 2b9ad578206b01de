"""Seconds per completed run: Thalweg's sweeps and its peers, alternating in one process.

    python benchmarks/sweep.py [moons digits mnist] [--rounds 5] [--out FILE.json]

Every round times, in turn, a sweep of many runs by Thalweg, a single run by Thalweg, and one run
by each peer; the median over the rounds is reported, with the ratio to the PyTorch loop of the
same round. Thalweg's time is that of ``Laboratory.run`` from a spec to a complete record on disk:
initialization, shuffling, training, evaluation, probes, and records are in it. Compilation happens
once per program, is kept on disk, and is stated apart, cold. What the machine's matrix products
reach at best is measured in the same process.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import jax
import numpy as np
from peers import PEERS
from work import WORK, Work

from thalweg.catalogue.networks import MLP
from thalweg.catalogue.optimizers import Adam
from thalweg.engine import devices, wave
from thalweg.engine.compilation import compile_seconds
from thalweg.engine.devices import ALONG_RUNS
from thalweg.laboratory import Laboratory
from thalweg.spec import Experiment, Training


def sweep(work: Work, runs: int, **training: Any) -> tuple[float, float, float]:
    """Train runs of a work from spec to record: seconds, seconds of compilation, accuracy."""
    experiment = Experiment(
        data=work.source(),
        network=MLP(hidden=work.hidden),
        optimizer=Adam(),
        training=Training(
            epochs=work.epochs,
            batch_size=work.batch_size,
            **{"evaluate_every": work.epochs, **training},
        ),
        seeds=runs,
    )
    with tempfile.TemporaryDirectory() as folder:
        begin, compiled = time.perf_counter(), compile_seconds()
        laboratory = Laboratory(experiment, Path(folder))
        for _ in laboratory.run():
            pass
        seconds = time.perf_counter() - begin
        accuracies = [run.finals["test.accuracy"] for run in laboratory.record().runs]
    return seconds, compile_seconds() - compiled, float(np.mean(accuracies))


def peak() -> dict[str, float]:
    """Floating-point operations a second of large matrix products, on one core and on all."""
    size = 1024
    product = jax.jit(lambda a: a @ a)
    spread = devices.put(np.ones((devices.mesh().size, size, size), np.float32), ALONG_RUNS)
    given = {"one core": spread[0], "all cores": spread}
    reached = {}
    for name, matrices in given.items():
        seconds = []
        for _ in range(20):
            begin = time.perf_counter()
            jax.block_until_ready(product(matrices))
            seconds.append(time.perf_counter() - begin)
        reached[name] = 2 * size * matrices.size / min(seconds)
    return reached


def timed(work: Work, rounds: int) -> dict[str, Any]:
    """Median seconds per run of everybody, and ratios to the PyTorch loop."""
    arrays = work.arrays(0)
    _, compilation, _ = sweep(work, work.runs)
    for name, train in PEERS.items():
        if name != "PyTorch loop":
            train(work, arrays, 1, 0)  # what they compile is not timed either
    seconds: dict[str, list[float]] = {}
    accuracy: dict[str, list[float]] = {}
    names = (f"Thalweg, {work.runs} runs", "Thalweg, 1 run")
    for seed in range(rounds):
        for name, runs in zip(names, (work.runs, 1), strict=True):
            whole, compiled, mean = sweep(work, runs)
            seconds.setdefault(name, []).append((whole - compiled) / runs)
            accuracy.setdefault(name, []).append(mean)
        for name, train in PEERS.items():
            epochs = work.epochs if seed == 0 else work.peer_epochs
            begin = time.perf_counter()
            reached = train(work, arrays, epochs, seed)
            seconds.setdefault(name, []).append(
                (time.perf_counter() - begin) * work.epochs / epochs
            )
            if seed == 0:
                accuracy[name] = [reached]
        print(f"  round {seed + 1} of {rounds}", file=sys.stderr)
    loop = seconds["PyTorch loop"]
    return {
        "work": work.name,
        "compile_seconds": compilation,
        "flops_per_run": work.flops,
        "rows": {
            name: {
                "seconds_per_run": median(held),
                "times_faster_than_loop": median([a / b for a, b in zip(loop, held, strict=True)]),
                "flops_per_second": work.flops / median(held),
                "accuracy": float(np.mean(accuracy[name])),
            }
            for name, held in seconds.items()
        },
    }


def overhead(work: Work, rounds: int) -> float:
    """Share of the time that probes and records cost, at the default intervals of everything,
    beside a sweep that keeps evaluations and results only."""
    ratios = []
    for _ in range(rounds):
        with_all, compiled, _ = sweep(work, work.runs, evaluate_every=None)
        often, wave.WRITE_EVERY = wave.WRITE_EVERY, float("inf")
        bare, compiled_bare, _ = sweep(work, work.runs, evaluate_every=None, probes=0)
        wave.WRITE_EVERY = often
        ratios.append((with_all - compiled) / (bare - compiled_bare) - 1)
    return median(ratios)


def table(result: dict[str, Any], best: float) -> str:
    """Markdown."""
    lines = [
        f"### {result['work']}",
        "",
        "| | ms per run | × PyTorch loop | share of matrix-product peak | test accuracy |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, row in result["rows"].items():
        lines.append(
            f"| {name} | {1e3 * row['seconds_per_run']:,.1f} "
            f"| {row['times_faster_than_loop']:.3g} "
            f"| {row['flops_per_second'] / best:.1%} | {row['accuracy']:.3f} |"
        )
    lines += [
        "",
        f"Compilation, cold, once: {result['compile_seconds']:.1f} s. "
        f"Probes and records: {result['overhead']:+.1%}.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("works", nargs="*", metavar="WORK", help=", ".join(WORK))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    # A fresh cache, so that compilation is measured cold.
    os.environ["THALWEG_CACHE"] = tempfile.mkdtemp(prefix="thalweg-cache-")
    devices.prepare()
    reached = peak()
    results = []
    for name in asked.works or WORK:
        result = timed(WORK[name], asked.rounds)
        result["overhead"] = overhead(WORK[name], max(1, asked.rounds // 2))
        results.append(result)
        print(table(result, reached["all cores"]), flush=True)
    found = {"machine": devices.describe(), "peak_flops": reached, "results": results}
    print(json.dumps({"machine": found["machine"], "peak_flops": reached}, indent=1))
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
