"""The master comparison of optimizers, beside the same runs in PyTorch and scikit-learn.

    python benchmarks/master.py [--project DIR] [--out FILE.json]

Thalweg trains all of ``examples/optimizers_moons.toml`` from an empty cache to the verdict. The
peers would take hours, so one run of every program's kind (optimizer, batch size, hidden layers)
is timed for a few epochs in each, and scaled to all epochs and runs.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from peers import pytorch, scikit_learn
from work import SPLIT, Work

from thalweg.data import Moons
from thalweg.engine import devices
from thalweg.engine.compilation import compile_seconds
from thalweg.laboratory import Laboratory
from thalweg.part import part_name
from thalweg.spec import Experiment

SPEC = Path(__file__).parents[1] / "examples" / "optimizers_moons.toml"

# Steps for which a peer is timed.
STEPS = 1500


def ours(project: Path) -> tuple[Laboratory, dict[str, Any]]:
    """Train, compare and report; what it took."""
    begin, compiled = time.perf_counter(), compile_seconds()
    laboratory = Laboratory(Experiment.from_file(SPEC), project, SPEC.read_text("utf-8"))
    planned = laboratory.plan()
    for _ in laboratory.run():
        pass
    trained = time.perf_counter()
    comparison = laboratory.compare()
    compared = time.perf_counter()
    laboratory.report(project / "report.html")
    return laboratory, {
        "runs": planned.runs,
        "run_steps": planned.steps,
        "programs": len(planned.groups),
        "seconds": trained - begin,
        "of_it_compilation": compile_seconds() - compiled,
        "comparing": compared - trained,
        "reporting": time.perf_counter() - compared,
        "verdict": comparison.verdict if comparison else "",
    }


def theirs(laboratory: Laboratory) -> dict[str, float]:
    """Seconds that PyTorch and scikit-learn would take for the same runs."""
    totals = {"PyTorch loop": 0.0, "scikit-learn MLPClassifier": 0.0}
    for group in laboratory.plan().groups:
        recipe, shape = group.jobs[0].recipe, group.shape
        work = Work(
            "",
            lambda: Moons(samples=1000, noise=0.2, split=SPLIT),
            recipe.network.hidden,
            shape.batch_size,
            recipe.training.epochs,
            1,
            1,
            1,
        )
        arrays = work.arrays(0)
        epochs = max(1, min(work.epochs, STEPS // shape.steps_per_epoch))
        for name, train in zip(totals, (pytorch, scikit_learn), strict=True):
            begin = time.perf_counter()
            train(work, arrays, epochs, 0, part_name(recipe.optimizer))
            seconds = time.perf_counter() - begin
            totals[name] += seconds * work.epochs / epochs * len(group.jobs)
    return totals


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--project", type=Path)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    os.environ["THALWEG_CACHE"] = tempfile.mkdtemp(prefix="thalweg-cache-")
    devices.prepare()
    project = asked.project or Path(tempfile.mkdtemp(prefix="thalweg-master-"))
    laboratory, found = ours(project)
    print(json.dumps(found, indent=1), flush=True)
    found["peers"] = theirs(laboratory)
    found["machine"] = devices.describe()
    print(json.dumps(found["peers"], indent=1))
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
