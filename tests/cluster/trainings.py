"""What is done to trainings on clusters, and what must hold of them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.engine.laboratory_setup import assert_same_bits, everything

from thalweg.errors import RecordError
from thalweg.record import Record


def until(holds: Callable[[], object], seconds: float = 20.0) -> bool:
    """Wait until something holds; whether it does."""
    end = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < end:
        time.sleep(0.05)
    return bool(held)


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


def workers(process: int, named: bytes) -> set[int]:
    """The processes of a training that train waves now, by what their command holds."""
    found = set()
    for child in below(process):
        with suppress(OSError):
            if named in Path(f"/proc/{child}/cmdline").read_bytes():
                found.add(child)
    return found


def lose_workers(process: subprocess.Popen[str], project: Path, named: bytes) -> None:
    """Kill all that train waves of a training that is under way, and wait until others do."""
    underway(process, project)
    before = workers(process.pid, named)
    for worker in before:
        os.kill(worker, signal.SIGKILL)
    again = until(lambda: workers(process.pid, named) - before)
    assert again, "what they did is given to others"


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
