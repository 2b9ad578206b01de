"""Training as a process of its own: interrupted, killed, watched on a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time
from contextlib import suppress
from pathlib import Path

import pyarrow.csv
import pytest
from tests.cli.commands import environment, run_here, start

from thalweg.errors import RecordError
from thalweg.record import Record

# Trains for several seconds, so that it is cut off on the way and a checkpoint is there.
LONG = """\
[data]
moons = { samples = 200, noise = 0.1 }

[optimizer]
adam = { learning_rate = [0.001, 0.01] }

[training]
epochs = 30000
batch_size = "full"
"""


def curves(spec: Path, project: Path) -> tuple[list[bytes], list[bytes]]:
    """The exported tables, seconds apart."""
    folder = project / "exported"
    ran = run_here("export", spec, "--project", project, "--to", folder, "--format", "csv")
    assert ran.code == 0, ran.err
    runs = pyarrow.csv.read_csv(folder / "runs.csv")
    runs = runs.drop_columns([name for name in runs.column_names if "seconds" in name])
    return [str(row).encode() for row in runs.to_pylist()], (
        folder / "curves.csv"
    ).read_bytes().splitlines()


@pytest.fixture(scope="module")
def spec(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("long") / "long.toml"
    path.write_text(LONG)
    return path


@pytest.fixture(scope="module")
def uninterrupted(spec):
    """The tables of a training that nothing happened to."""
    project = spec.parent / "uninterrupted"
    with start("run", spec, "--project", project) as process:
        _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return curves(spec, project)


def underway(spec: Path, project: Path) -> subprocess.Popen[str]:
    """A training that has recorded something, and has not ended."""
    process = start("run", spec, "--project", project)
    for _ in range(1200):
        if process.poll() is not None:
            break
        with suppress(RecordError), Record.open(project) as record:  # it is not there at once
            if record.checkpoints():
                return process
        time.sleep(0.05)
    process.kill()
    out, said = process.communicate()
    pytest.fail(f"the training ended before it was interrupted: {out}{said}")


@pytest.mark.slow
@pytest.mark.optimized  # as the process that was cut off
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_a_training_that_is_cut_off_goes_on(how, spec, uninterrupted, tmp_path):
    project = tmp_path / "project"
    with underway(spec, project) as process:
        process.send_signal(signal.SIGSTOP)  # so that it cannot end before it is cut off
        if how == signal.SIGINT:  # meanwhile, others may read but not write
            ran = run_here("run", spec, "--project", project)
            assert ran.code == 1
            assert f"another process (pid {process.pid}) is writing {project}" in ran.err
            assert run_here("plan", spec, "--project", project).code == 0
        process.send_signal(how)
        process.send_signal(signal.SIGCONT)
        _, said = process.communicate(timeout=60)
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert said.splitlines()[-1] == (
            "interrupted with 0 of 2 runs done; run the same command again to go on from here"
        )
    with Record.open(project) as record:
        [checkpoint] = record.checkpoints()
    assert 0 < checkpoint.step < 30_000

    ran = run_here("run", spec, "--project", project)
    assert ran.code == 0, ran.err
    assert curves(spec, project) == uninterrupted


# -------------------------------------------------------------------------------------- a terminal


def on_terminal(columns: int, *words: str | Path, **variables: str | None) -> tuple[int, str]:
    """Exit code, and all that a command writes to a terminal of so many columns."""
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    plain = {"COLUMNS": None, "LINES": None, "NO_COLOR": None, "TERM": "xterm"}
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), terminal)
    with start(*words, env=environment(**{**plain, **variables}), **streams) as process:
        os.close(terminal)
        written = b""
        with suppress(OSError):  # the other side is closed
            while some := os.read(screen, 65536):
                written += some
        os.close(screen)
        return process.wait(), written.decode()


CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.mark.slow
@pytest.mark.parametrize("columns", [40, 80])
def test_a_training_on_a_terminal(columns, trained, tmp_path):
    fresh = ("run", trained.parent / "spec.toml", "--project", tmp_path)
    code, written = on_terminal(columns, *fresh)
    assert code == 0
    assert re.search(r"\d of 8 runs", written)
    assert "\x1b[?25h" in written  # the cursor is there again
    lines = re.split(r"[\r\n]+", CONTROL.sub("", written))
    assert [line for line in lines if len(line) > columns and str(tmp_path) not in line] == []

    code, written = on_terminal(columns, *fresh, NO_COLOR="1")
    assert code == 0
    assert "\x1b" not in written
