"""One training in two processes that take each step together."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from tests.cli.commands import environment, run_here, start
from tests.cluster.trainings import assert_same_records, underway, until

from thalweg.record import Record

EPOCHS = 300

# The command, which writes a checkpoint as soon as it can, and leaves on disk what lies there.
COMMAND = """
import sys
from thalweg.cli import main
from thalweg.data import stored
from thalweg.engine import wave
stored.WHOLE, wave.WRITE_EVERY = 0, 0.0
sys.exit(main())
"""

# What two devices share: a run and its parameters, or the runs.
SPEC = """\
[data]
moons = { samples = 64, noise = 0.1, split = [0.5, 0.25, 0.25] }

[network]
mlp = { hidden = [32, 32] }

[training]
epochs = EPOCHS
batch_size = "full"
probes = 0
early_stopping = { patience = 1000 }

[[cases]]
name = "parameters"
training = { spread = "parameters" }

[[cases]]
name = "runs"
training = { epochs = 10 }
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.toml"
    path.write_text(SPEC.replace("EPOCHS", str(EPOCHS)))
    return path


def place() -> tuple[str, ...]:
    """Where two processes meet."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return "--on", f"processes:127.0.0.1:{found.getsockname()[1]}", "--processes", "2"


@contextmanager
def together(spec: Path, project: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """A training by two processes, each with a device, of which none is left in the end."""
    where, others = place(), project.with_name("nothing")
    command = [sys.executable, "-c", COMMAND, "run", str(spec)]
    started = [
        subprocess.Popen(
            [*command, "--project", str(own), *where, "--process", number],
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number, own in (("0", project), ("1", others))
    ]
    try:
        yield started
        assert not others.exists(), "only the first one has a record"
    finally:
        for process in started:
            process.kill()
            process.communicate()


def ends(started: list[subprocess.Popen[str]]) -> list[tuple[int, str]]:
    """Exit codes, and what was said on standard error."""
    said = [process.communicate(timeout=200)[1] for process in started]
    return [(process.returncode, words) for process, words in zip(started, said, strict=True)]


@pytest.mark.slow
@pytest.mark.optimized  # as the processes that train
def test_cut_off_twice_it_ends_as_in_one_process(spec: Path, tmp_path: Path) -> None:
    two_devices = environment(XLA_FLAGS="--xla_force_host_platform_device_count=2")
    with start("run", spec, "--project", tmp_path / "one", env=two_devices) as process:
        process.communicate(timeout=300)
    assert process.returncode == 0
    project = tmp_path / "two"

    with together(spec, project) as started:
        underway(started[0], project)
        started[1].kill()
        (code, said), _ = ends(started)
    assert code == 1
    assert said.splitlines()[-1].startswith(
        "Error: a process was lost, and the others cannot go on without it; give all of them the "
        "same commands again to go on from the last checkpoint ("
    )
    with Record.open(project) as record:
        (lost,) = record.checkpoints()

    with together(spec, project) as started:
        assert until(lambda: step_of(project) > lost.step, 200)
        for process in started:  # as Ctrl-C does where one terminal has both
            os.kill(process.pid, signal.SIGINT)
        (first, said), (second, _) = ends(started)
    assert (first, second) == (130, 0)
    assert "run the same command again to go on from here" in said

    assert lost.step < step_of(project) < EPOCHS
    with together(spec, project) as started:
        assert [code for code, _ in ends(started)] == [0, 0]
    assert_same_records(tmp_path / "one", project)


@pytest.mark.slow
@pytest.mark.optimized  # as the processes that train
def test_data_on_disk_are_fed_to_all(spec: Path, tmp_path: Path) -> None:
    inputs = np.random.default_rng(0).normal(size=(64, 3))
    np.save(tmp_path / "x.npy", inputs)
    np.save(tmp_path / "y.npy", (inputs.sum(axis=1) > 0).astype(int))
    text = spec.read_text().replace(str(EPOCHS), "3").replace('"full"', "8")
    arrays = f'arrays = {{ inputs = "{tmp_path}/x.npy", targets = "{tmp_path}/y.npy" }}'
    spec.write_text(re.sub("moons = {.*}", arrays, text))
    two_devices = environment(XLA_FLAGS="--xla_force_host_platform_device_count=2")
    with start("run", spec, "--project", tmp_path / "one", env=two_devices) as process:
        process.communicate(timeout=300)  # all in memory
    assert process.returncode == 0
    with together(spec, tmp_path / "two") as started:
        assert [code for code, _ in ends(started)] == [0, 0]
    assert_same_records(tmp_path / "one", tmp_path / "two")


def step_of(project: Path) -> int:
    """The step of the checkpoint that is there."""
    with Record.open(project) as record:
        return max((checkpoint.step for checkpoint in record.checkpoints()), default=0)


JOINED = """
import os, sys
from thalweg.cluster.place import Place
from thalweg.cluster.processes import Processes
_, on, _, count, number = sys.argv[1:]
with Processes(Place(on, processes=int(count), process=int(number))) as joined:
    joined.follow() if joined.number else os._exit(9)
"""


@pytest.mark.slow
def test_where_the_first_one_dies_the_others_end() -> None:
    command, where = [sys.executable, "-c", JOINED], place()
    joined = [
        subprocess.Popen([*command, *where, number], stderr=subprocess.PIPE, text=True)
        for number in ("0", "1")
    ]
    (first, _), (second, said) = ends(joined)
    assert first == 9
    assert second != 0
    assert "a process was lost" in said or "another task died" in said  # JAX may be the quicker one


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--on", "processes:here"), "slurm, processes or processes:HOST:PORT, got 'processes:he"),
        (("--on", "processes:a:70000"), "processes or processes:HOST:PORT, got 'processes:a:7"),
        (("--on", "processes:a:1", "--process", "0"), "--on processes:a:1 needs --processes, how"),
        (("--on", "processes:a:1", "--processes", "2"), "and --process, which of them this is"),
        (("--on", "ray", "--processes", "2"), "leave them out with --on ray"),
        (("--on", "processes", "--process", "1"), "leave them out with --on processes"),
        (("--processes", "2"), "--processes and --process need --on processes:HOST:PORT"),
        (("--process", "0"), "--processes and --process need --on processes:HOST:PORT"),
        (
            ("--on", "processes:a:1", "--processes", "1", "--process", "0"),
            "--processes must be 2 or more, got 1",
        ),
        (
            ("--on", "processes:a:1", "--processes", "2", "--process", "2"),
            "--process must be from 0 to 1, got 2",
        ),
        (("--on", "processes", "--gpus", "1"), "each process has those it sees, got 1"),
    ],
)
def test_wrong_words_are_refused(words: tuple[str, ...], said: str, spec: Path) -> None:
    ran = run_here("run", spec, "--project", spec.parent / "project", *words)
    assert ran.code == 2
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1
