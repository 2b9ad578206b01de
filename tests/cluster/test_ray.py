"""Programs on a Ray cluster of this machine: workers killed, trainings interrupted."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.cli.commands import environment, start
from tests.engine.laboratory_setup import assert_same_bits, everything, jobs, known, recipe

from thalweg.catalogue.optimizers import Momentum
from thalweg.catalogue.schedules import Manual
from thalweg.errors import RecordError, SpecError
from thalweg.record import Record

ray = pytest.importorskip("ray")

# Two programs that train for several seconds each, so that they are cut off on the way.
LONG = """\
[data]
moons = { samples = 200, noise = 0.1 }

[[optimizer]]
adam = { learning_rate = [0.001, 0.01] }

[[optimizer]]
momentum = { learning_rate = [0.01, 0.1] }

[training]
epochs = 30000
batch_size = "full"
"""

ONE_DEVICE = "--xla_force_host_platform_device_count=1"


@pytest.fixture(scope="module")
def spec(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("long") / "long.toml"
    path.write_text(LONG)
    return path


@pytest.fixture(scope="module")
def here(spec: Path) -> Path:
    """The project of a training of this machine, on as many devices as a worker has."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} {ONE_DEVICE}"
    with start("run", spec, "--project", spec.parent, env=environment(XLA_FLAGS=flags)) as process:
        _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return spec.parent


def on_ray(spec: Path, project: Path, *words: str) -> subprocess.Popen[str]:
    """A training on a cluster of two cores, in a group of processes as of a terminal."""
    command = ("run", spec, "--project", project, "--on", "ray", *words)
    return start(*command, start_new_session=True)


def underway(process: subprocess.Popen[str], project: Path) -> None:
    """Wait until a wave has a checkpoint."""
    for _ in range(1200):
        if process.poll() is not None:
            break
        with suppress(RecordError), Record.open(project) as record:  # it is not there at once
            if record.checkpoints():
                return
        time.sleep(0.05)
    process.kill()
    out, said = process.communicate()
    pytest.fail(f"the training ended before anything happened to it: {out}{said}")


def parents() -> dict[int, int]:
    """Of all processes, their parents."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            found[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    return found


def below(process: int) -> Iterator[int]:
    """The processes that come from this one, near and far."""
    tree = parents()
    for child, parent in tree.items():
        while parent not in (process, 0):
            parent = tree.get(parent, 0)
        if parent == process:
            yield child


def workers(process: int) -> list[int]:
    """The processes of a training that train waves now."""
    found = []
    for child in below(process):
        with suppress(OSError):
            if Path(f"/proc/{child}/cmdline").read_bytes().startswith(b"ray::Worker"):
                found.append(child)
    return found


def assert_same_records(one: Path, other: Path) -> None:
    """Runs, their ends, curves and parameters are the same, and nothing waits."""
    with Record.open(one) as first, Record.open(other) as second:
        assert second.checkpoints() == []
        runs = zip(first.experiment().runs, second.experiment().runs, strict=True)
        for run, again in runs:
            assert (run.id, run.outcome, run.step) == (again.id, again.outcome, again.step)
            assert (run.phase, run.factors, run.finals) == (
                again.phase,
                again.factors,
                again.finals,
            )
            assert_same_bits(everything(first, run.id), everything(second, run.id))


@pytest.mark.slow
@pytest.mark.optimized  # as the processes that train
def test_of_lost_workers_the_waves_go_on(spec, here, tmp_path):
    with on_ray(spec, tmp_path) as process:
        underway(process, tmp_path)
        before = workers(process.pid)
        for worker in before:
            os.kill(worker, signal.SIGKILL)
        for _ in range(400):
            if new := set(workers(process.pid)) - set(before):
                break
            time.sleep(0.05)
        assert new, "what they did is given to others"
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
    for _ in range(200):
        if not parents().keys() & set(started):
            break
        time.sleep(0.05)
    assert not parents().keys() & set(started), "nothing of the cluster is left"
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
