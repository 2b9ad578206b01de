"""Small runs of every family of networks, trained under the conditions of this process.

    python -m tests.engine.determined FOLDER CORES [FAMILY ...]

writes what is recorded of the watched run of each family to ``FOLDER/FAMILY.npz``, computing on so
many of the processor cores there are, at most.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from tests.engine.laboratory_setup import everything, jobs, recipe, trained

from thalweg.catalogue.layers import BatchNormalization, Dense, NormalSample
from thalweg.catalogue.networks import (
    GAN,
    MLP,
    VGG,
    EncoderDecoder,
    RecurrentNetwork,
    Recursive,
    Sequential,
    Siamese,
    Transformer,
)
from thalweg.catalogue.optimizers import Adam
from thalweg.data import (
    Comparisons,
    Copy,
    Digits,
    ListOperations,
    Moons,
    Parity,
    Reconstruction,
    Unlabelled,
)
from thalweg.engine.plan import Job
from thalweg.spec import Recipe

SPLIT = (0.5, 0.25, 0.25)
WATCHED = 2

BITS = Parity(samples=60, shortest=2, longest=6, split=SPLIT)

FAMILIES: dict[str, dict] = {
    "dense": {
        "network": MLP(hidden=(16, 8), normalization=BatchNormalization(), dropout=0.2),
    },
    "convolutional": {
        "data": Digits(flat=False, split=(0.04, 0.02, 0.94)),
        "network": VGG(
            filters=(4, 8), convolutions=1, hidden=(), normalization=BatchNormalization()
        ),
    },
    "recurrent": {"data": BITS, "network": RecurrentNetwork(hidden=(8,), dropout=0.2)},
    "transformer": {
        "data": BITS,
        "network": Transformer(width=8, heads=2, blocks=1, dropout=0.2),
    },
    "encoder and decoder": {
        "data": Copy(samples=60, symbols=3, shortest=2, longest=4, split=SPLIT),
        "network": EncoderDecoder(units=8, features=4),
    },
    "recursive": {
        "data": ListOperations(samples=60, depth=2, split=SPLIT),
        "network": Recursive(units=8, features=8),
    },
    "auto-encoding": {
        "data": Reconstruction(of=Moons(samples=120, noise=0.2), split=SPLIT),
        "network": Sequential(layers=(Dense(units=8), NormalSample(), Dense(units=2))),
    },
    "adversarial": {
        "data": Unlabelled(of=Moons(samples=120, noise=0.2), split=SPLIT),
        "network": GAN(generator=MLP(hidden=(8,)), discriminator=MLP(hidden=(8,)), code=2),
    },
    "pairwise": {
        "data": Comparisons(samples=60, question="same", split=(0.7, 0.3, 0.0)),
        "network": Siamese(branch=MLP(hidden=(8,), outputs=3)),
    },
}


def runs(family: str) -> list[Job]:
    """Six runs of a family, which differ in the rate and so in everything."""
    rates = np.geomspace(1e-3, 3e-2, 6)
    return jobs(one(family, float(rate)) for rate in rates)


def one(family: str, rate: float) -> Recipe:
    return recipe(optimizer=Adam(learning_rate=rate), **FAMILIES[family])


def seen(wanted: list[Job], project: Path) -> dict[str, np.ndarray]:
    """Everything that is recorded of the watched run, or of the only one, after training."""
    watched = wanted[min(WATCHED, len(wanted) - 1)]
    with trained(wanted, project) as record:
        return everything(record, watched.id)


def main() -> None:
    folder, cores, *families = sys.argv[1:]
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(cores)])
    for family in families or FAMILIES:
        with tempfile.TemporaryDirectory() as project:
            np.savez(Path(folder) / f"{family}.npz", **seen(runs(family), Path(project)))


if __name__ == "__main__":
    main()
