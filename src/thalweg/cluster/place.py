"""Where runs are trained when it is not here: what ``--on`` says, and the cluster it means."""

from __future__ import annotations

import re
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
            of the cluster that this machine submits to; or ``processes:HOST:PORT``, this process
            and others that are started alike and compute together, the first of them on HOST; or
            ``processes``, the same where Slurm or MPI started them.
        cores: processor cores for each wave, or for each of the processes.
        gpus: GPUs for each wave; where nothing is given, one if a Ray cluster has any, none on
            Slurm, and for each of the processes those it sees.
        jobs: the most jobs at once on Slurm.
        processes: how many there are.
        process: which of them this is, from 0.

    Raises:
        SpecError: there is no such place.
    """

    on: str
    cores: int = 1
    gpus: int | None = None
    jobs: int = 16
    processes: int | None = None
    process: int | None = None

    def __post_init__(self) -> None:
        of_ray = self.on.startswith("ray:") and self.on.rstrip("/:") != "ray"
        if not of_ray and self.on not in ("ray", "slurm", "processes") and not self.coordinator:
            raise SpecError(
                "--on must be ray, ray:auto, ray:HOST:PORT, ray://HOST:PORT, slurm, processes or "
                f"processes:HOST:PORT, got {self.on!r}"
            )
        self._check_processes()
        for name in ("cores", "jobs"):
            if getattr(self, name) < 1:
                raise SpecError(f"--{name} must be 1 or more, got {getattr(self, name)}")
        if self.gpus is not None and self.gpus < 0:
            raise SpecError(f"--gpus must be 0 or more, got {self.gpus}")

    def _check_processes(self) -> None:
        given = self.processes is not None, self.process is not None
        if self.coordinator is None and any(given):
            raise SpecError(
                "--processes and --process are for --on processes:HOST:PORT; leave them out with "
                f"--on {self.on}"
            )
        if self.on.startswith("processes") and self.gpus:
            raise SpecError(
                "--gpus with --on processes is 0, or left out: each process has those it sees, got "
                f"{self.gpus}"
            )
        if self.coordinator is None:
            return
        if self.processes is None or self.process is None:
            raise SpecError(
                f"--on {self.on} needs --processes, how many there are, and --process, which of "
                "them this is, from 0"
            )
        if self.processes < 2:
            raise SpecError(f"--processes must be 2 or more, got {self.processes}")
        if not 0 <= self.process < self.processes:
            raise SpecError(f"--process must be from 0 to {self.processes - 1}, got {self.process}")

    @property
    def coordinator(self) -> str | None:
        """HOST:PORT of the first of the processes; None where it is not given."""
        found = re.fullmatch(r"processes:(.+:(\d+))", self.on)
        return found[1] if found and int(found[2]) < 2**16 else None

    @property
    def address(self) -> str:
        """As ``ray.init`` takes it."""
        if self.on == "ray":
            return "local"
        return self.on if self.on.startswith("ray://") else self.on.removeprefix("ray:")


@contextmanager
def connected(place: Place) -> Iterator[Train | None]:
    """A cluster while it is used.

    Returns:
        A function that trains as ``engine.train.train`` does, on the cluster. None in a process
        that is not the first: it has followed the first one to the end, and nothing is left to do.

    Raises:
        ClusterError: it cannot be reached, or has no machine that is large enough.
        MissingExtra: Ray, or submitit, is not installed.
    """
    if place.on.startswith("processes"):
        from thalweg.cluster.processes import Processes

        with Processes(place) as processes:
            if processes.number:
                processes.follow()
            yield None if processes.number else processes.train
        return
    library = "submitit" if place.on == "slurm" else "ray"
    if find_spec(library) is None:
        raise MissingExtra(f"--on {place.on} needs {library}: pip install 'thalweg[cluster]'")
    if place.on == "slurm":
        from thalweg.cluster.slurm import Slurm as Cluster
    else:
        from thalweg.cluster.ray import Cluster

    with Cluster(place) as cluster:
        yield cluster.train
