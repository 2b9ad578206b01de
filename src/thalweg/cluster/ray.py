"""Waves on a Ray cluster: a pool of workers that are asked for message after message.

A worker is a Ray actor with cores and GPUs of its own; it trains one wave at a time in a thread
and keeps what it has compiled for the next. It is asked for each message (actors' results, unlike
streams, also come through Ray's client), so a wave never runs further ahead than one message.
Ray itself retries nothing: a wave whose worker is lost is sent out again from the checkpoint that
the record has, and what the lost one may still be doing is not listened to.
"""

from __future__ import annotations

import os
import queue
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Self

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when Ray is imported

import ray
from ray.exceptions import RayError, RayTaskError

from thalweg.cluster.place import Place
from thalweg.cluster.work import (
    MOST_LOSSES,
    Inbox,
    Message,
    Work,
    check_schedules,
    compute_on,
    divided,
    train_wave,
)
from thalweg.data import Dataset
from thalweg.engine import devices
from thalweg.engine.plan import Job
from thalweg.engine.train import Planned
from thalweg.engine.wave import Progress, wave_id
from thalweg.errors import ClusterError
from thalweg.record.store import Record

__all__ = ["Cluster", "Worker"]


class Worker:
    """What a Ray actor does: it trains one wave at a time.

    Args:
        cores: processor cores it has been given.
        gpus: GPUs it has been given; where there is none, it computes on the cores.
    """

    def __init__(self, cores: int, gpus: int) -> None:
        compute_on(cores, gpus)
        self._datasets: dict[str, Dataset] = {}
        self._messages: queue.Queue[Message | Future[None]] = queue.Queue(1)
        self._thread = ThreadPoolExecutor(1, "wave")

    def begin(self, work: Work, names: Sequence[str], *datasets: Dataset) -> Message:
        """Begin a wave, and wait for its first message.

        Args:
            work: the wave.
            names: fingerprints of the data sets that follow.
            datasets: those of the wave.
        """
        for name, dataset in zip(names, datasets, strict=True):
            self._datasets.setdefault(name, dataset)  # caches know a data set by identity
        training = self._thread.submit(train_wave, work, self._datasets, self._messages.put)
        training.add_done_callback(self._ended)
        return self.next()

    def next(self) -> Message:
        """Wait for the next message of the wave; raises what it was ended by."""
        message = self._messages.get()
        if isinstance(message, Future):
            message.result()
            raise AssertionError("only what failed is a message")
        return message

    def _ended(self, training: Future[None]) -> None:
        if training.exception() is not None:
            self._messages.put(training)


class Cluster:
    """A Ray cluster; to be closed, with ``with``.

    Args:
        place: which, and what each wave is given of it.

    Raises:
        ClusterError: it cannot be reached.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        own: dict[str, Any] = {"include_dashboard": False, "num_cpus": devices.cores()}
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        try:
            ray.init(place.address, **quiet, **(own if place.address == "local" else {}))
        except (ConnectionError, ValueError, RuntimeError) as error:
            reason = str(error).partition("\n")[0]
            raise ClusterError(f"{place.on} cannot be reached: {reason}") from error
        there = ray.cluster_resources().get("GPU", 0) >= 1
        self.gpus = int(there) if place.gpus is None else place.gpus

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        ray.shutdown()

    # ------------------------------------------------------------------------------------ resources

    def worker(self) -> Any:
        """A new worker; it begins to work when there is room for it."""
        made = ray.remote(Worker).options(
            num_cpus=self.place.cores, num_gpus=self.gpus, max_restarts=0, max_task_retries=0
        )
        return made.remote(self.place.cores, self.gpus)

    def slots(self) -> int:
        """Waves that fit on the machines there are now."""
        wanted = {"CPU": self.place.cores, "GPU": self.gpus}
        return sum(
            min(int(node["Resources"].get(name, 0) // n) for name, n in wanted.items() if n)
            for node in ray.nodes()
            if node["Alive"]
        )

    # ------------------------------------------------------------------------------------- training

    def train(self, jobs: Sequence[Job], record: Record) -> Iterator[Progress]:
        """Train runs that the record does not have, as ``engine.train.train`` does.

        Raises:
            ClusterError: no machine is large enough, or a wave ends every worker it is given.
            SpecError: runs have schedules that are adjusted by hand.
        """
        check_schedules(jobs)
        cores, gpus, slots = self.place.cores, self.gpus, self.slots()
        if not slots:
            also = f" and {gpus} GPUs" if gpus else ""
            raise ClusterError(
                f"no machine of {self.place.on} has {cores} cores{also}; ask for fewer with "
                "--cores and --gpus"
            )
        waves = divided(jobs, record, slots, cores, gpus)
        datasets = {job.dataset.fingerprint: job.dataset for job in jobs}
        # In the object store of Ray, from which each goes to a machine once.
        held = {name: ray.put(dataset) for name, dataset in datasets.items()}
        yield from _Training(self, waves, held, Inbox(record)).run()


class _Attempt(NamedTuple):
    """A wave under way, and who trains it."""

    worker: Any
    wave: Planned


class _Training:
    """Waves going out and messages coming in.

    Args:
        cluster: where to.
        waves: in the order in which they begin.
        datasets: references to them, by fingerprint.
        inbox: where messages go.
    """

    def __init__(
        self,
        cluster: Cluster,
        waves: Sequence[Planned],
        datasets: Mapping[str, Any],
        inbox: Inbox,
    ) -> None:
        self._cluster, self._datasets, self._inbox = cluster, datasets, inbox
        self._waves = deque(waves)
        self._under_way: dict[Any, _Attempt] = {}  # by what its worker has been asked for
        self._workers: list[Any] = []
        self._idle: list[Any] = []
        self._losses: Counter[str] = Counter()

    def run(self) -> Iterator[Progress]:
        """Train all waves; workers are gone when it ends, however it does."""
        try:
            while self._waves or self._under_way:
                self._send_out()
                # What has waited longest comes first, so that no wave is kept waiting.
                [ready], _ = ray.wait([*self._under_way], num_returns=1)
                progress = self._take_in(ready)
                if progress is not None:
                    yield progress
        finally:
            for worker in self._workers:
                ray.kill(worker)

    def _send_out(self) -> None:
        """Give waves to workers, as many as there is room for; who has nothing to do goes."""
        while self._waves and (self._idle or len(self._workers) < max(1, self._cluster.slots())):
            if not self._idle:
                self._idle.append(self._cluster.worker())
                self._workers.append(self._idle[-1])
            attempt = _Attempt(self._idle.pop(), self._waves.popleft())
            checkpoint = self._inbox.checkpoint(wave_id(attempt.wave.jobs))
            work = Work.of(attempt.wave, checkpoint)
            names = sorted(set(work.datasets))
            held = [self._datasets[name] for name in names]
            self._under_way[attempt.worker.begin.remote(work, names, *held)] = attempt
        while self._idle:
            self._dismiss(self._idle.pop())

    def _take_in(self, ready: Any) -> Progress | None:
        """Apply a message, and ask for the next one; None where there is none any more."""
        worker, wave = attempt = self._under_way.pop(ready)
        name = wave_id(wave.jobs)
        try:
            message: Message = ray.get(ready)
        except RayTaskError as error:  # of ours: it would happen again
            raise error.cause from error
        except RayError as error:
            self._dismiss(worker)
            self._losses[name] += 1
            if self._losses[name] == MOST_LOSSES:
                reason = " ".join(str(error).split())
                raise ClusterError(
                    f"a wave of {len(wave.jobs)} runs has lost {MOST_LOSSES} workers in turn; the "
                    f"last one: {reason}"
                ) from error
            self._waves.appendleft(wave)
            return None
        self._losses[name] = 0
        progress = self._inbox.receive(message)
        if message.last:
            self._idle.append(worker)
        else:
            self._under_way[worker.next.remote()] = attempt
        return progress

    def _dismiss(self, worker: Any) -> None:
        self._workers.remove(worker)
        ray.kill(worker)
