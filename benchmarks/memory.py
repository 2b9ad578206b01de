"""What ``thalweg plan`` says a training needs of memory, beside what its process takes.

    python benchmarks/memory.py

Each training is a process of its own. What it takes is the most that it holds while it trains, less
what it holds when the program is loaded and nothing is planned (``VmHWM`` and ``VmRSS`` of Linux).
What it takes for itself, above all to compile, is told by the same training on few rows a step.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

DENSE = "mlp = { hidden = [2048, 2048, 2048, 2048] }", "digits = {}"
IMAGES = (
    "vgg = { filters = [64, 128], convolutions = 2, hidden = [] }",
    "digits = { flat = false }",
)
LETTERS = "delayed_recall = { samples = 1000, time = 50, lag = 40 }"
LSTM = 'recurrent_network = { cell = "lstm", hidden = [256], returns = "sequence" }', LETTERS
ATTENTION = (
    'transformer = { width = 128, blocks = 6, causal = true, returns = "sequence" }',
    LETTERS,
)

# Network and data, batch, and what else is asked of the training.
WORKS = {
    "dense, 4 × 2,048, batch 512": (DENSE, 512, ""),
    "convolutions of 64 and 128, batch 512": (IMAGES, 512, ""),
    "the same, in 4 portions": (IMAGES, 512, "portions = 4"),
    "LSTM of 256, batch 256": (LSTM, 256, ""),
    "transformer, 6 blocks of 128, batch 128": (ATTENTION, 128, ""),
    "the same, made again for the gradient": (ATTENTION, 128, "rematerialize = true"),
}
# Of mini-batches of so few rows a process takes what it takes for itself, and to compile.
FEW = 8


def held(what: str) -> float:
    """Megabytes of this process, as Linux tells them."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if what in line)
    return float(line.split()[1]) / 1e3


def one(spec: Path) -> None:
    """Plan, train, and print what was said and what was taken."""
    from thalweg import Experiment
    from thalweg.engine.devices import mesh

    mesh()
    begin = held("VmRSS")
    laboratory = Experiment.from_file(spec).laboratory(spec.parent / "record")
    told = laboratory.plan().memory / 1e6
    for _ in laboratory.run():
        pass
    print(told, held("VmHWM") - begin)


def measured(work: tuple[tuple[str, str], int, str]) -> tuple[float, float]:
    """Megabytes told, and taken, by a process that plans and trains."""
    (network, data), batch, extra = work
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "spec.toml"
        spec.write_text(
            f"seeds = 2\n[data]\n{data}\n[network]\n{network}\n[training]\nepochs = 1\n"
            f"probes = 0\nbatch_size = {batch}\n{extra}\n"
        )
        command = [sys.executable, __file__, str(spec)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    told, taken = map(float, done.stdout.split())
    return told, taken


def main() -> None:
    if len(sys.argv) > 1:
        one(Path(sys.argv[1]))
        return
    print("| training, two runs | MB told | MB taken | by the process itself | ratio |")
    print("|---|--:|--:|--:|--:|")
    for name, work in WORKS.items():
        told, taken = measured(work)
        told_of_few, taken_of_few = measured((work[0], FEW, ""))
        own = max(0.0, taken_of_few - told_of_few)
        ratio = told / (taken - own)
        print(f"| {name} | {told:,.0f} | {taken:,.0f} | {own:,.0f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
