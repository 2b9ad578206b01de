"""A writer killed at any instant leaves a record that agrees with itself, and can be gone on with.

The processes that are killed run ``crashing_writer.py``.
"""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).with_name("crashing_writer.py")


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("crashing_writer", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(project: Path, what: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(SCRIPT), str(project), what]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_killed_before_every_single_operation(writer, project):
    writer.start(project)
    with writer.Record.open(project, write=True) as record:
        writer.write(record, 5)
    with run(project, "points") as process:
        lines = process.communicate()[0].splitlines()
    assert process.returncode == 0
    steps = [int(line.split()[2]) for line in lines]
    assert [int(line.split()[3]) for line in lines] == steps
    # Up to the commit the write is as if it had never begun, from there on it is whole.
    before = steps.index(10)
    assert steps == [5] * before + [10] * (len(steps) - before)
    assert before > 10
    assert len(steps) - before > 2, "superseded files are deleted after the commit"


def test_killed_anywhere_loses_the_write_in_flight_at_most(writer, project):
    writer.start(project)
    recorded = 0
    for lines in (1, 9, 3):
        with run(project, "loop") as process:
            assert process.stdout is not None
            for _ in range(lines):
                recorded = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            rest = process.stdout.read().split()
        recorded = int(rest[-1]) if rest else recorded
        stands = writer.found(project, write=False)
        assert stands in (recorded, recorded + writer.POINTS)
        assert writer.found(project, write=True) == stands


def test_readers_see_whole_writes_while_another_process_writes(writer, project):
    writer.start(project)
    with run(project, "loop") as process, writer.Record.open(project) as reader:
        assert process.stdout is not None
        seen = [0]
        while seen[-1] < 150:
            recorded = int(process.stdout.readline())
            experiment = reader.experiment()
            [step] = {run.step for run in experiment.runs}
            assert step >= recorded
            curves = reader.series("batch.loss", writer.RUNS)
            lengths = {len(steps) for steps, _ in curves.values()}
            assert len(lengths) == 1, "a write shows in all runs or in none"
            assert lengths.pop() >= step
            # The file is superseded again and again between being found and being opened.
            assert reader.arrays("r1")["weights"][0] >= step
            assert reader.checkpoint("wave").step >= step
            seen.append(step)
        process.kill()
    assert seen == sorted(seen)
