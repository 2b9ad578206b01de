"""Small runs that all devices of this process share.

    python -m tests.engine.spread FOLDER DEVICES

writes what is recorded of a run of each family, computed in double precision by so many devices,
to ``FOLDER/DEVICES-FAMILY.npz``.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={sys.argv[2]}"

import numpy as np
from tests.conftest import compile_programs
from tests.engine.determined import FAMILIES
from tests.engine.laboratory_setup import everything, jobs, recipe, trained

from thalweg.catalogue.layers import BatchNormalization
from thalweg.catalogue.networks import MLP, VGG, RecurrentNetwork, Transformer
from thalweg.catalogue.optimizers import Adam
from thalweg.engine.plan import Job

# Wide enough for parameters to be divided.
NETWORKS = {
    "dense": MLP(hidden=(32, 32), normalization=BatchNormalization(), dropout=0.2),
    "convolutional": VGG(
        filters=(8, 16), convolutions=1, hidden=(), normalization=BatchNormalization()
    ),
    "recurrent": RecurrentNetwork(hidden=(16,), dropout=0.2),
    "transformer": Transformer(width=32, heads=2, blocks=1, dropout=0.2),
}


def run(family: str, spread: str | None, rate: Any = 0.003, **training: Any) -> list[Job]:
    """The one run of a family; its last mini-batch of an epoch is short."""
    given = {**FAMILIES[family], "network": NETWORKS[family]}
    training = {"epochs": 3, "batch_size": 24, "spread": spread, "probes": 2, **training}
    return jobs([recipe(optimizer=Adam(learning_rate=rate), training=training, **given)])


def main() -> None:
    folder, devices = sys.argv[1:]
    compile_programs(quickly=True)
    for family in NETWORKS:
        with tempfile.TemporaryDirectory() as project:
            wanted = run(family, "parameters", precision="float64", probes=0)
            with trained(wanted, Path(project)) as record:
                seen = everything(record, wanted[0].id) | record.experiment().runs[0].finals
        np.savez(Path(folder) / f"{devices}-{family}.npz", **seen)


if __name__ == "__main__":
    main()
