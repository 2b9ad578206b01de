"""Training on data that stay on disk, beside the same data in memory.

    python benchmarks/feeding.py [--rows N] [--features N] [--rounds N] [--runs N]

Writes an array of random numbers to a folder of its own, which it removes, and trains the same runs
for one epoch in two ways, each in a process of its own, in turn: fed from disk, and with all data
in memory. What is told is the wall and processor time of training and evaluation, without loading
and compiling; how long the fed wave waited for data; and the most memory that each process took
beyond what it had before it loaded the data, apart from pages of files, which the system can take
back at any time. The final losses must be the same to the last bit.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

CLASSES = 10


def write(folder: Path, rows: int, features: int) -> None:
    """Random inputs, and classes that a hundred of them tell."""
    random = np.random.default_rng(0)
    inputs = np.lib.format.open_memmap(
        folder / "x.npy", "w+", dtype=np.float32, shape=(rows, features)
    )
    weights = random.normal(size=(100, CLASSES)).astype(np.float32)
    targets = []
    for begin in range(0, rows, 10_000):
        block = random.normal(size=(min(10_000, rows - begin), features)).astype(np.float32)
        inputs[begin : begin + len(block)] = block
        targets.append((block[:, :100] @ weights).argmax(axis=1))
    inputs.flush()
    np.save(folder / "y.npy", np.concatenate(targets))


def taken() -> int:
    """Bytes that this process has in memory, pages of files apart."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def watch(seen: dict[str, int], stop: threading.Event) -> None:
    """Note the most memory this process takes."""
    while not stop.wait(0.02):
        seen["most"] = max(seen["most"], taken())


def one(folder: Path, runs: int, *, fed: bool) -> dict[str, Any]:
    """Train, in this process."""
    from thalweg.catalogue.networks import MLP
    from thalweg.data import Arrays, stored
    from thalweg.engine import devices
    from thalweg.engine.plan import group, jobs_of, resolve
    from thalweg.engine.room import capacity
    from thalweg.engine.train import Pools, made, planned
    from thalweg.record.store import Record
    from thalweg.record.tables import Experiment, Run
    from thalweg.spec import Recipe, Training

    devices.prepare()
    stored.WHOLE = 2**28 if fed else 2**40
    before, stop = taken(), threading.Event()
    seen = {"most": before}
    threading.Thread(target=partial(watch, seen, stop), daemon=True).start()
    training = Training(epochs=1, batch_size=128, probes=0)
    source = Arrays(inputs=str(folder / "x.npy"), targets=str(folder / "y.npy"))
    recipe = Recipe(data=source, network=MLP(hidden=(256, 128)), training=training)
    data = source.load()
    jobs = jobs_of(resolve(recipe, data), data, range(runs))
    with tempfile.TemporaryDirectory() as project, Record.open(project, write=True) as record:
        told = tuple(Run(job.id, job.spec, job.seed) for job in jobs)
        record.add_experiment(Experiment("feeding", "", {}, None, {}, told))
        (members,) = group(jobs)
        (plan,) = planned(members, {}, capacity(members).lanes)
        wave = made(Pools([members]), record, plan)
        record.add_programs([wave.program])
        clock, processor = time.perf_counter(), time.process_time()
        waited = sum(progress.waited for progress in wave.train())
        wall, spent = time.perf_counter() - clock, time.process_time() - processor
        finals = [run.finals for run in record.experiment("feeding").runs]
    stop.set()
    most = seen["most"] - before
    return {"wall": wall, "spent": spent, "waited": waited, "memory": most, "finals": finals}


def main() -> None:
    """Write the data, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--features", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--one", choices=("fed", "memory"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(one(given.folder, given.runs, fed=given.one == "fed")))
        return
    with tempfile.TemporaryDirectory() as held:
        folder = Path(held)
        write(folder, given.rows, given.features)
        size = (folder / "x.npy").stat().st_size
        found: dict[str, list[dict[str, Any]]] = {"fed": [], "memory": []}
        for _ in range(given.rounds):
            for way, rounds in found.items():
                command = [sys.executable, __file__, "--one", way, "--folder", held]
                command += ["--runs", str(given.runs)]
                told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                rounds.append(json.loads(told))
    assert all(a["finals"] == b["finals"] for a, b in zip(*found.values(), strict=True))
    print(f"{given.rows} rows of {given.features} numbers, {size / 1e9:.2f} GB; {given.runs} runs")
    for way, rounds in found.items():
        of = {name: median(each[name] for each in rounds) for name in rounds[0] if name != "finals"}
        print(
            f"  {way:7} {of['wall']:6.1f} s, {of['spent']:6.1f} s of processors, "
            f"{of['waited']:5.1f} s waiting for data, {of['memory'] / 1e9:.2f} GB of memory"
        )
    for name in ("wall", "spent"):
        ratios = [f[name] / m[name] for f, m in zip(*found.values(), strict=True)]
        print(
            f"  {name}: fed is {median(ratios):.2f} × in memory ({min(ratios):.2f} to "
            f"{max(ratios):.2f})"
        )


if __name__ == "__main__":
    main()
