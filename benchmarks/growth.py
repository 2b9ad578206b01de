"""What a command costs as its runs become more: seconds, memory, and the size of its record.

    python benchmarks/growth.py [--runs 1 10 100 1000 10000] [--picture benchmarks/growth.svg]

The command is ``thalweg run`` of a tiny network on moons, up to 100 learning rates of 100 seeds
each, from its start as a process to its report, with its programs in the cache as after a first
time. Beside it a process in which a PyTorch loop trains as many runs one after the other, as far as
that takes a minute. Memory is the most a process held at once.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from thalweg.report.figure import figure_svg
from thalweg.report.parts import Axis, Figure, Line, LinePanel

SPEC = """\
question = "What do so many runs cost?"
seeds = {seeds}

[data]
moons = {{ samples = 300, noise = 0.2 }}

[network]
mlp = {{ hidden = [8] }}

[optimizer]
adam = {{ learning_rate = {rates} }}

[training]
epochs = 20
batch_size = 32
"""

# Runs of a PyTorch loop that are waited for.
PATIENCE = 1_000

PEER = """\
import sys
import torch
from torch import nn

torch.set_num_threads(1)
x, y = torch.randn(210, 2), torch.randint(2, (210,))
for seed in range(int(sys.argv[1])):
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
    optimizer, loss = torch.optim.Adam(network.parameters(), lr=0.01), nn.CrossEntropyLoss()
    for _ in range(20):
        for rows in torch.randperm(len(x)).split(32):
            optimizer.zero_grad()
            loss(network(x[rows]), y[rows]).backward()
            optimizer.step()
"""


@dataclass(frozen=True)
class Cost:
    """Of one process: wall time, the most it held, and what it left on disk."""

    seconds: float
    megabytes: float
    disk: float = 0.0


def taken(command: list[str], left: Path | None = None) -> Cost:
    """Run a process to its end."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    files = [path for path in left.rglob("*") if path.is_file()] if left else []
    return Cost(seconds, used.ru_maxrss / 1e3, sum(path.stat().st_size for path in files) / 1e6)


def thalweg(runs: int, folder: Path) -> Cost:
    """A whole command: training, comparing, the record and the report."""
    spec, project = folder / f"{runs}.toml", folder / f"project {runs}"
    rates = max(runs // 100, 1)
    asked = f'"0.001..0.1 log {rates}"' if rates > 1 else "0.01"
    spec.write_text(SPEC.format(seeds=runs // rates, rates=asked))
    given = ["run", spec, "--project", project, "--report", folder / "report.html"]
    return taken([sys.executable, "-m", "thalweg", *map(str, given)], project)


def peer(runs: int) -> Cost:
    """The same runs in a PyTorch loop."""
    return taken([sys.executable, "-c", PEER, str(runs)])


def picture(own: dict[int, Cost], theirs: dict[int, Cost]) -> str:
    """Seconds and memory against runs."""

    def lines(what: str) -> tuple[Line, ...]:
        found = []
        for series, (name, costs) in enumerate((("Thalweg", own), ("PyTorch loop", theirs))):
            y = tuple(getattr(cost, what) for cost in costs.values())
            found.append(Line(name, tuple(map(float, costs)), y, series=series, dashed=series > 0))
        return tuple(found)

    x = Axis("runs", scale="log")
    seconds = LinePanel("Time", x, Axis("seconds", scale="log"), lines("seconds"))
    memory = LinePanel("Memory", x, Axis("megabytes", low=0.0), lines("megabytes"))
    caption = (
        "A whole command, from the start of the process to the report, programs in the cache. "
        "2-8-2 on moons, 20 epochs of 210 rows."
    )
    return figure_svg(Figure("What so many runs cost", caption, (seconds, memory), columns=2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, nargs="+", default=[1, 10, 100, 1_000, 10_000])
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    own: dict[int, Cost] = {}
    theirs: dict[int, Cost] = {}
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder) / "before"
        before.mkdir()
        for runs in {given.runs[0], given.runs[-1]}:  # so that programs are in the cache
            thalweg(runs, before)
        print("| runs | Thalweg: s | ms a run | memory, MB | record, MB | PyTorch loop: s | MB |")
        print("|--:|--:|--:|--:|--:|--:|--:|")
        for runs in given.runs:
            cost = own[runs] = thalweg(runs, Path(folder))
            line = f"{cost.seconds:,.1f} | {1e3 * cost.seconds / runs:,.1f} | "
            line += f"{cost.megabytes:,.0f} | {cost.disk:,.1f}"
            if runs <= PATIENCE:
                other = theirs[runs] = peer(runs)
                line += f" | {other.seconds:,.1f} | {other.megabytes:,.0f}"
            else:
                line += " | | "
            print(f"| {runs:,} | {line} |", flush=True)
    for (few, a), (many, b) in pairwise(own.items()):
        print(f"from {few:,} to {many:,} runs: {b.seconds / a.seconds:.1f} times the seconds")
    if given.picture:
        given.picture.write_text(picture(own, theirs), encoding="utf-8")


if __name__ == "__main__":
    main()
