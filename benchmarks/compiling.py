"""How long the first step of a small network waits for its program: with an empty cache, and after.

    python benchmarks/compiling.py [--rounds 3]

Each is measured in a process of its own: the seconds of the first call of the program of
64-128-64-10, batch 64, Adam, which has steps, drawing of mini-batches and measures in it; and what
they went to, tracing and lowering by JAX, and compiling by XLA or reading from the cache.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from statistics import median

# What JAX calls them, and what they are.
PARTS = {
    "/jax/core/compile/jaxpr_trace_duration": "tracing",
    "/jax/core/compile/jaxpr_to_mlir_module_duration": "lowering",
    "/jax/core/compile/backend_compile_duration": "compiling or reading",
}


def first_call() -> dict[str, float]:
    """Seconds of a first call, in this process, and of its parts."""
    from networks import thalweg
    from table import dense

    from thalweg.engine.devices import prepare

    prepare()
    import jax

    call, spent = thalweg(dense((64, 128, 64), 64, 2), 8), defaultdict(float)

    def listen(name: str, seconds: float, **_: object) -> None:
        if name in PARTS:
            spent[PARTS[name]] += seconds

    jax.monitoring.register_event_duration_secs_listener(listen)
    begin = time.perf_counter()
    call()
    return {"all": time.perf_counter() - begin, **spent}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        print(json.dumps(first_call()))
        return
    found: dict[str, list[dict[str, float]]] = {"empty cache": [], "from the cache": []}
    for _ in range(given.rounds):
        with tempfile.TemporaryDirectory() as cache:
            variables = {**os.environ, "THALWEG_CACHE": cache}
            for rows in found.values():
                command = [sys.executable, __file__, "--here"]
                said = subprocess.check_output(command, env=variables, text=True)
                rows.append(json.loads(said.splitlines()[-1]))
    print(f"| | all, s | {' | '.join(PARTS.values())} |")
    print("|---|--:|--:|--:|--:|")
    for name, rows in found.items():
        each = (f"{median(row[part] for row in rows):.2f}" for part in ("all", *PARTS.values()))
        print(f"| {name} | {' | '.join(each)} |")


if __name__ == "__main__":
    main()
