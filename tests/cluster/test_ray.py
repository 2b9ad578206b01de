"""Programs on a Ray cluster of this machine: workers killed, trainings interrupted."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.cli.commands import start
from tests.cluster.trainings import (
    assert_same_records,
    below,
    lose_workers,
    parents,
    underway,
    until,
)
from tests.engine.laboratory_setup import jobs, known, recipe

from thalweg.catalogue.optimizers import Momentum
from thalweg.catalogue.schedules import Manual
from thalweg.errors import SpecError
from thalweg.record import Record

pytest.importorskip("ray")

WORKER = b"ray::Worker"


def on_ray(spec: Path, project: Path, *words: str) -> subprocess.Popen[str]:
    """A training on a cluster of two cores, in a group of processes as of a terminal."""
    command = ("run", spec, "--project", project, "--on", "ray", *words)
    return start(*command, start_new_session=True)


@pytest.mark.slow
@pytest.mark.optimized  # as the processes that train
def test_of_lost_workers_the_waves_go_on(spec, here, tmp_path):
    with on_ray(spec, tmp_path) as process:
        lose_workers(process, tmp_path, WORKER)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    # A wave with a checkpoint may not begin again, which would record stretches of curves twice.
    assert_same_records(here, tmp_path)


@pytest.mark.slow
@pytest.mark.optimized
def test_interrupted_and_given_again_it_goes_on(spec, here, tmp_path):
    with on_ray(spec, tmp_path) as process:
        underway(process, tmp_path)
        started = [*below(process.pid)]
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert re.fullmatch(
        "interrupted with [02] of 4 runs done; run the same command again to go on from here",
        said.splitlines()[-1],
    )
    gone = until(lambda: not parents().keys() & set(started))
    assert gone, "nothing of the cluster is left"
    with Record.open(tmp_path) as record:
        steps = [checkpoint.step for checkpoint in record.checkpoints()]
    assert steps
    assert all(0 < step < 30_000 for step in steps)

    with on_ray(spec, tmp_path) as process:
        _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert_same_records(here, tmp_path)


@pytest.mark.slow
def test_a_machine_that_is_too_small(spec, tmp_path):
    with on_ray(spec, tmp_path, "--cores", "1000") as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said.splitlines()[-1] == (
        "Error: no machine of ray has 1000 cores; ask for fewer with --cores and --gpus"
    )


def test_what_is_adjusted_by_hand_is_trained_where_the_hand_is(tmp_path):
    from thalweg.cluster.ray import Cluster

    wanted = jobs([recipe(optimizer=Momentum(learning_rate=Manual(initial=0.1)))])
    with Record.open(tmp_path, write=True) as record:
        record.add_experiment(known(wanted))
        with pytest.raises(SpecError, match="adjusted where their runs train; leave --on out"):
            next(Cluster.train(SimpleNamespace(), wanted, record))  # type: ignore[arg-type]
