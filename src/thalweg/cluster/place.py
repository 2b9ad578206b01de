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
            ``ray://HOST:PORT``, one that is reached through its client server.
        cores: processor cores for each wave.
        gpus: GPUs for each wave; one where the cluster has any and nothing is given.

    Raises:
        SpecError: there is no such place.
    """

    on: str
    cores: int = 1
    gpus: int | None = None

    def __post_init__(self) -> None:
        if self.on != "ray" and not (self.on.startswith("ray:") and self.on.rstrip("/:") != "ray"):
            raise SpecError(
                f"--on must be ray, ray:auto, ray:HOST:PORT or ray://HOST:PORT, got {self.on!r}"
            )
        if self.cores < 1:
            raise SpecError(f"--cores must be 1 or more, got {self.cores}")
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
        MissingExtra: Ray is not installed.
    """
    if find_spec("ray") is None:
        raise MissingExtra(f"--on {place.on} needs Ray: pip install 'thalweg[cluster]'")
    from thalweg.cluster.ray import Cluster

    with Cluster(place) as cluster:
        yield cluster.train
