"""Waves as jobs of Slurm, through submitit: what they write waits in the project until it is taken.

A job has a folder of its own in ``slurm/`` of the project, which all machines must see: its work
lies there, and its messages, numbered, each appearing whole. This process takes them into the
record and deletes them. A job whose folder is gone has nothing to do any more, so whatever was
left by a process that was killed is taken in first, and its folders deleted.

All of it is pickled, as submitit pickles its jobs, and a pickle can run whatever its writer likes.
So it is sealed with a key that only this user has, and what has another seal, as in a project that
came from somebody else, is thrown away unread.
"""

from __future__ import annotations

import hmac
import os
import pickle
import re
import secrets
import shutil
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, Self

import submitit

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
from thalweg.data.stored import cache_root
from thalweg.engine.plan import Job
from thalweg.engine.train import Planned
from thalweg.engine.wave import Progress, wave_id
from thalweg.errors import ClusterError
from thalweg.record.store import Record

__all__ = ["Slurm", "train_in_folder"]

# Seconds between looks into the folders; messages that may lie there before a job waits.
LOOK_EVERY, MOST_AHEAD = 0.5, 8
# Minutes a job may take unless SBATCH_TIMELIMIT says otherwise; its wave goes on in another.
MINUTES = 60


# Bytes of a key, and of a seal.
KEY, SEAL = 32, 32


def train_in_folder(folder: Path, key: bytes, cores: int, gpus: int) -> None:
    """What a job does: it trains the wave of its folder.

    Raises:
        OSError: the folder is gone, so nobody waits for the wave.
    """
    compute_on(cores, gpus)
    work: Work = _read(folder / "work", key)
    datasets = {name: _read(_data(folder.parent) / name, key) for name in set(work.datasets)}
    numbers = count()

    def send(message: Message) -> None:
        while len(_messages(folder)) >= MOST_AHEAD:
            time.sleep(LOOK_EVERY)
        _write(folder / f"{next(numbers):08}.message", message, key)

    train_wave(work, datasets, send)


def _data(root: Path) -> Path:
    return root / "data"


def _messages(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.message"))


def _write(path: Path, value: Any, key: bytes) -> None:
    """Write something that appears whole, and sealed."""
    unfinished, held = path.with_suffix(".part"), pickle.dumps(value)
    unfinished.write_bytes(hmac.digest(key, held, "sha256") + held)
    unfinished.rename(path)


def _read(path: Path, key: bytes) -> Any:
    """What was written; None where it has another seal."""
    written = path.read_bytes()
    seal, held = written[:SEAL], written[SEAL:]
    is_own = hmac.compare_digest(seal, hmac.digest(key, held, "sha256"))
    return pickle.loads(held) if is_own else None


def _own_key() -> bytes:
    """The key of this user, which is made where there is none yet."""
    place = cache_root() / "slurm.key"
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        unfinished = place.with_suffix(f".{uuid.uuid4().hex}")
        unfinished.touch(mode=0o600)
        unfinished.write_bytes(secrets.token_bytes(KEY))
        with suppress(FileExistsError):  # another process was first
            os.link(unfinished, place)
        unfinished.unlink()
    return place.read_bytes()


class _Attempt(NamedTuple):
    """A wave under way."""

    wave: Planned
    folder: Path
    job: Any


class Slurm:
    """Jobs of Slurm, or processes of this machine where ``THALWEG_SLURM`` is ``local``.

    Args:
        place: what each job is given.

    Raises:
        ClusterError: there is no Slurm here.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._kind = os.environ.get("THALWEG_SLURM", "slurm")
        if self._kind == "slurm" and shutil.which("sbatch") is None:
            raise ClusterError(
                "--on slurm needs a machine that submits to Slurm; no sbatch is here"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing is held: jobs end with the training they are of."""

    def train(self, jobs: Sequence[Job], record: Record) -> Iterator[Progress]:
        """Train runs that the record does not have, as ``engine.train.train`` does.

        Raises:
            ClusterError: a wave ends every job it is given.
            SpecError: runs have schedules that are adjusted by hand.
        """
        check_schedules(jobs)
        root, place = record.project / "slurm", self._place
        inbox, key = Inbox(record), _own_key()
        yield from _left_behind(root, inbox, key)
        outcomes = record.outcomes([job.id for job in jobs])
        jobs = [job for job in jobs if outcomes[job.id] in ("waiting", "training")]
        waves = divided(jobs, record, place.jobs, place.cores, place.gpus or 0)
        datasets = {job.dataset.fingerprint: job.dataset for job in jobs}
        yield from _Training(self._executor(root), place, root, inbox, key).run(waves, datasets)

    def _executor(self, root: Path) -> submitit.AutoExecutor:
        executor = submitit.AutoExecutor(folder=root / "logs", cluster=self._kind)
        executor.update_parameters(
            name="thalweg",
            nodes=1,
            tasks_per_node=1,
            cpus_per_task=self._place.cores,
            gpus_per_node=self._place.gpus or 0,
            timeout_min=MINUTES,
            slurm_array_parallelism=self._place.jobs,
        )
        return executor


def _left_behind(root: Path, inbox: Inbox, key: bytes) -> Iterator[Progress]:
    """Take in what jobs wrote after the process that waited for them was killed."""
    for folder in sorted(path for path in root.glob("wave-*") if path.is_dir()):
        yield from _taken(folder, folder.name.split("-")[1], inbox, key)
        shutil.rmtree(folder)


def _taken(folder: Path, wave: str, inbox: Inbox, key: bytes) -> Iterator[Progress]:
    """Take in the messages of a wave that are there; the progress of each."""
    for path in _messages(folder):
        message: Message | None = _read(path, key)
        progress = None
        # Else it was recorded, by a process that was killed before the file was deleted.
        if message is not None and inbox.awaits(message, wave):
            progress = inbox.receive(message)
        path.unlink()
        if progress is not None:
            yield progress


class _Training:
    """Jobs that are out, and what comes back.

    Args:
        executor: makes jobs.
        place: what each is given.
        root: folder of their folders.
        inbox: where messages go.
        key: of their seals.
    """

    def __init__(
        self,
        executor: submitit.AutoExecutor,
        place: Place,
        root: Path,
        inbox: Inbox,
        key: bytes,
    ) -> None:
        self._executor, self._place, self._root = executor, place, root
        self._inbox, self._key = inbox, key
        self._attempts: list[_Attempt] = []
        self._losses: Counter[str] = Counter()

    def run(self, waves: Sequence[Planned], datasets: Mapping[str, Dataset]) -> Iterator[Progress]:
        """Train all waves; nothing of them is left when it ends, however it does."""
        _data(self._root).mkdir(parents=True, exist_ok=True)
        try:
            for name, dataset in datasets.items():
                _write(_data(self._root) / name, dataset, self._key)
            with self._executor.batch(allow_implicit_submissions=True):  # one array for all
                self._attempts += [self._sent_out(wave) for wave in waves]
            while self._attempts:
                for attempt in list(self._attempts):
                    yield from self._look(attempt)
                time.sleep(LOOK_EVERY)
        finally:
            for attempt in self._attempts:
                attempt.job.cancel(check=False)
            for _ in _left_behind(self._root, self._inbox, self._key):
                pass
            shutil.rmtree(_data(self._root))

    def _sent_out(self, wave: Planned) -> _Attempt:
        name = wave_id(wave.jobs)
        folder = self._root / f"wave-{name}-{uuid.uuid4().hex[:8]}"
        folder.mkdir()
        _write(folder / "work", Work.of(wave, self._inbox.checkpoint(name)), self._key)
        where = folder.resolve(), self._key, self._place.cores, self._place.gpus or 0
        return _Attempt(wave, folder, self._executor.submit(train_in_folder, *where))

    def _look(self, attempt: _Attempt) -> Iterator[Progress]:
        """Take in what is there of a wave; send it out again if its job has ended too early."""
        name = wave_id(attempt.wave.jobs)
        over = attempt.job.done()  # asked before, as the last messages may come meanwhile
        for progress in _taken(attempt.folder, name, self._inbox, self._key):
            self._losses[name] = 0
            yield progress
            if progress.finished:
                self._attempts.remove(attempt)
                shutil.rmtree(attempt.folder)
                return
        if over:
            self._attempts.remove(attempt)
            shutil.rmtree(attempt.folder)
            self._count_loss(attempt)
            self._attempts.append(self._sent_out(attempt.wave))

    def _count_loss(self, attempt: _Attempt) -> None:
        name = wave_id(attempt.wave.jobs)
        self._losses[name] += 1
        if self._losses[name] == MOST_LOSSES:
            raise ClusterError(
                f"a wave of {len(attempt.wave.jobs)} runs has lost {MOST_LOSSES} jobs in turn; the "
                f"last one: {_reason(attempt.job.exception())}; logs are in {self._root / 'logs'}"
            )


def _reason(error: Exception | None) -> str:
    """Why a job failed: what it raised, which submitit puts between its trace and where logs are;
    the last line where it was ended."""
    lines = str(error).strip().splitlines()
    raised = [line for line in lines if re.match(r"[\w.]+Error: ", line)]
    return (raised or lines)[-1].removeprefix("thalweg.errors.")
