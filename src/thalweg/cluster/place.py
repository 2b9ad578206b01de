"""Where runs are trained when it is not here: what ``--on`` says, and the cluster it means."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec

from thalweg.engine.train import Train
from thalweg.errors import MissingExtra, SpecError

__all__ = ["Place", "connected"]


@dataclass(frozen=True)
class Place:
    """Where waves are trained, and what each of them is given.

    Args:
        on: ``ray``, a Ray cluster on this machine, started for this training and ended with it;
            ``ray:auto`` or ``ray:HOST:PORT``, a running one of which this machine is a part; or
            ``ray://HOST:PORT``, one that is reached through its client server; or ``slurm``, jobs
            of the cluster that this machine submits to.
        cores: processor cores for each wave.
        gpus: GPUs for each wave; where nothing is given, one if a Ray cluster has any, and none
            on Slurm.
        jobs: the most jobs at once on Slurm.

    Raises:
        SpecError: there is no such place.
    """

    on: str
    cores: int = 1
    gpus: int | None = None
    jobs: int = 16

    def __post_init__(self) -> None:
        of_ray = self.on.startswith("ray:") and self.on.rstrip("/:") != "ray"
        if self.on not in ("ray", "slurm") and not of_ray:
            raise SpecError(
                "--on must be ray, ray:auto, ray:HOST:PORT, ray://HOST:PORT or slurm, got "
                f"{self.on!r}"
            )
        for name in ("cores", "jobs"):
            if getattr(self, name) < 1:
                raise SpecError(f"--{name} must be 1 or more, got {getattr(self, name)}")
        if self.gpus is not None and self.gpus < 0:
            raise SpecError(f"--gpus must be 0 or more, got {self.gpus}")

    @property
    def address(self) -> str:
        """As ``ray.init`` takes it."""
        if self.on == "ray":
            return "local"
        return self.on if self.on.startswith("ray://") else self.on.removeprefix("ray:")


@contextmanager
def connected(place: Place) -> Iterator[Train]:
    """A cluster while it is used.

    Returns:
        A function that trains as ``engine.train.train`` does, on the cluster.

    Raises:
        ClusterError: it cannot be reached, or has no machine that is large enough.
        MissingExtra: Ray, or submitit, is not installed.
    """
    library = "submitit" if place.on == "slurm" else "ray"
    if find_spec(library) is None:
        raise MissingExtra(f"--on {place.on} needs {library}: pip install 'thalweg[cluster]'")
    if place.on == "slurm":
        from thalweg.cluster.slurm import Slurm as Cluster
    else:
        from thalweg.cluster.ray import Cluster

    with Cluster(place) as cluster:
        yield cluster.train
