"""Programs as jobs of Slurm, or rather processes of this machine, which submitit starts alike."""

from __future__ import annotations

import hmac
import os
import pickle
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.cli.commands import SPEC, environment, run_here, start
from tests.cluster.trainings import (
    assert_same_records,
    below,
    lose_workers,
    parents,
    underway,
    until,
)

from thalweg.cluster.place import Place
from thalweg.record import Record

pytest.importorskip("submitit")

from thalweg.cluster.slurm import SEAL, Slurm

JOB = b"submitit.core._submit"


def on_slurm(spec: Path, project: Path) -> subprocess.Popen[str]:
    """A training in two jobs."""
    command = ("run", spec, "--project", project, "--on", "slurm", "--jobs", "2")
    return start(*command, env=environment(THALWEG_SLURM="local"))


@pytest.mark.slow
@pytest.mark.optimized  # as the processes that train
def test_of_lost_jobs_the_waves_go_on(spec, here, tmp_path):
    with on_slurm(spec, tmp_path) as process:
        lose_workers(process, tmp_path, JOB)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert_same_records(here, tmp_path)
    assert not [*tmp_path.glob("slurm/wave-*")]


@pytest.mark.slow
@pytest.mark.optimized
def test_what_jobs_wrote_while_nobody_waited_is_taken_in(spec, here, tmp_path):
    with on_slurm(spec, tmp_path) as process:
        underway(process, tmp_path)
        process.send_signal(signal.SIGSTOP)  # so that messages lie there
        jobs = [*below(process.pid)]
        assert until(lambda: [*tmp_path.glob("slurm/wave-*/*.message")])
        for job in jobs:  # so that they do not end before they are cut off
            os.kill(job, signal.SIGSTOP)
        process.kill()
        process.wait()  # its pipes are held open by the jobs
    left = max(tmp_path.glob("slurm/wave-*/*.message"))
    message = pickle.loads(left.read_bytes()[SEAL:])
    with on_slurm(spec, tmp_path) as process:
        assert until(lambda: not left.exists())
        assert until(lambda: [*tmp_path.glob("slurm/wave-*/work")])
        for job in jobs:
            os.kill(job, signal.SIGCONT)
        for path in tmp_path.glob(f"slurm/{left.parent.name.rpartition('-')[0]}-*/work"):
            # What lay there is not trained again.
            begins = pickle.loads(path.read_bytes()[SEAL:]).checkpoint
            assert begins.step >= message.writes[-1]["checkpoint"].step
        _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert_same_records(here, tmp_path)
    assert not [*tmp_path.glob("slurm/wave-*")]
    gone = until(lambda: not parents().keys() & set(jobs))
    assert gone, "jobs end whose folders are gone"


class Harmful:
    """Runs something where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("seal", [b"", bytes(SEAL), hmac.digest(b"another", b"", "sha256")])
def test_what_strangers_left_is_thrown_away_unread(monkeypatch, seal, tmp_path):
    monkeypatch.setenv("THALWEG_SLURM", "local")
    monkeypatch.setenv("THALWEG_CACHE", str(tmp_path / "cache"))
    folder, mark = tmp_path / "project" / "slurm" / "wave-of-somebody", tmp_path / "mark"
    folder.mkdir(parents=True)
    (folder / "00000000.message").write_bytes(seal + pickle.dumps(Harmful(mark)))
    with Record.open(tmp_path / "project", write=True) as record:
        place = Place("slurm", jobs=1)
        assert not [*Slurm(place).train([], record)]
    assert not folder.exists()
    assert not mark.exists()
    assert (tmp_path / "cache" / "thalweg" / "slurm.key").stat().st_mode & 0o777 == 0o600


def test_where_there_is_no_slurm(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    spec = tmp_path / "spec.toml"
    spec.write_text(SPEC)
    ran = run_here("run", spec, "--project", tmp_path / "project", "--on", "slurm")
    assert ran.code == 1
    assert ran.err == "Error: --on slurm needs a machine that submits to Slurm; no sbatch is here\n"
