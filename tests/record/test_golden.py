"""A record that format version 1 wrote is read for ever: ``tests/golden/record_v1``.

It was made by ``python tests/record/test_golden.py FOLDER``, and is never made again: a new format
version gets a folder of its own.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import numpy as np

from thalweg.record import Record
from thalweg.record.checking import examine
from thalweg.record.tables import (
    ArraysUpdate,
    Checkpoint,
    Experiment,
    Program,
    Run,
    RunUpdate,
    SeriesChunk,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "record_v1"

RUNS = (
    Run(
        *("run-a", {"optimizer": {"adam": {"learning_rate": 0.01}}, "seed": 1}, 1, "finished"),
        *(6, 6, "program-1", 0.75, {"train.loss": 0.25, "test.accuracy": 0.875}),
        *("tune", {"optimizer": "adam", "learning_rate": 0.01}, ("dense_0", "out")),
    ),
    Run(
        *("run-b", {"optimizer": {"momentum": {"β": 0.9}}, "seed": 2}, 2, "diverged"),
        *(3, 6, "program-1", 0.5, {"train.loss": float("inf"), "test.accuracy": 0.5}),
        *("report", {"optimizer": "momentum", "learning_rate": 1.0}, ("dense_0", "out")),
    ),
    Run("run-c", {"optimizer": {"adam": {}}, "seed": 3}, 3, steps=6, factors={"optimizer": "adam"}),
)
EXPERIMENT = Experiment(
    id="experiment-1",
    question="Does it still read?",
    spec={"data": {"moons": {"samples": 100}}, "optimizer": [{"adam": {}}, {"momentum": {}}]},
    compare={"factor": "optimizer", "metric": "test.accuracy"},
    environment={"thalweg": "0.1.0", "cores": 2},
    runs=RUNS,
    programs=(Program("program-1", {"lanes": 2, "cpu": "any"}, 1.25),),
)
LOSS = {  # steps, values
    "run-a": ([0, 1, 2, 3, 4, 5, 6], [1.0, 0.75, 0.5, 0.5, 0.375, 0.25, 0.25]),
    "run-b": ([0, 1, 2, 3], [1.0, 2.0, 1e30, np.inf]),
}
NORMS = {
    "gradient_norm.dense_0": {"run-a": [3.0, 0.5], "run-b": [9.0]},
    "gradient_norm.out": {"run-a": [4.0, 0.25], "run-b": [np.nan]},
}
WEIGHTS = np.array([[[1, -2], [3, 0.5]], [[0, 1], [np.nan, 2]]], np.float32)  # of run-a and run-b


def make(project: Path) -> None:
    """Write the record, in two chunks with a restart between them."""
    waiting = [Run(r.id, r.spec, r.seed, steps=6, phase=r.phase, factors=r.factors) for r in RUNS]
    both = ("run-a", "run-b")
    with Record.open(project, write=True) as record:
        record.add_experiment(Experiment(**{**vars(EXPERIMENT), "runs": tuple(waiting)}))
        record.write(
            updates=[RunUpdate(run, "training", 3, 0.5) for run in both],
            series=[chunk(run, "train.loss", 0, 4) for run in both]
            + [
                SeriesChunk(run, name, np.array([2]), np.array(values[run][:1]))
                for name, values in NORMS.items()
                for run in both
            ],
            program="program-1",
            checkpoint=Checkpoint("wave-1", both, 3, {"x": np.zeros(2)}),
            arrays=ArraysUpdate(both, {"dense_0.weight": WEIGHTS, "out.bias": WEIGHTS[:, 0]}),
        )
    with Record.open(project, write=True) as record:
        record.write(
            updates=[
                RunUpdate("run-a", "finished", 6, 0.25, RUNS[0].finals),
                RunUpdate("run-b", "diverged", 3, 0.0, RUNS[1].finals),
            ],
            series=[chunk("run-a", "train.loss", 4, 7)]
            + [
                SeriesChunk("run-a", name, np.array([5]), np.array(values["run-a"][1:]))
                for name, values in NORMS.items()
            ],
            checkpoint=Checkpoint(
                *("wave-1", ("run-a",), 6, {"x": np.arange(3), "y": WEIGHTS}, {"lanes": [0]})
            ),
            arrays=ArraysUpdate(("run-a",), {"out.bias": np.array([[7.0, 8.0]])}),
        )
    (project / "writer.lock").unlink()


def chunk(run: str, name: str, start: int, stop: int) -> SeriesChunk:
    steps, values = (np.array(numbers[start:stop]) for numbers in LOSS[run])
    return SeriesChunk(run, name, steps, values)


def test_format_version_1_is_read(tmp_path):
    project = tmp_path / "record"
    shutil.copytree(GOLDEN, project)  # readers may leave an empty log behind
    with Record.open(project) as record:
        assert [entry[:2] for entry in record.experiments()] == [
            ("experiment-1", "Does it still read?")
        ]
        assert record.experiment() == EXPERIMENT
        assert record.outcomes(["run-a", "run-b", "run-c", "run-d"]) == {
            "run-a": "finished",
            "run-b": "diverged",
            "run-c": "waiting",
        }
        assert record.series_names(["run-a", "run-b", "run-c"]) == ["train.loss", *NORMS]
        curves = record.series("train.loss", ["run-a", "run-b", "run-c"])
        assert curves.keys() == LOSS.keys()
        for run, (steps, values) in curves.items():
            assert steps.tolist() == LOSS[run][0]
            np.testing.assert_array_equal(values, np.array(LOSS[run][1], np.float32))
        for name, norms in NORMS.items():
            for run, (steps, values) in record.series(name, norms).items():
                assert steps.tolist() == [2, 5][: len(norms[run])]
                np.testing.assert_array_equal(values, norms[run])
        np.testing.assert_equal(
            record.arrays("run-a"), {"dense_0.weight": WEIGHTS[0], "out.bias": np.array([7.0, 8.0])}
        )
        np.testing.assert_equal(
            record.arrays("run-b"), {"dense_0.weight": WEIGHTS[1], "out.bias": WEIGHTS[1, 0]}
        )
        checkpoint = record.checkpoint("wave-1")
        assert (checkpoint.runs, checkpoint.step) == (("run-a",), 6)
        assert checkpoint.extra == {"lanes": [0]}
        np.testing.assert_equal(dict(checkpoint.arrays), {"x": np.arange(3), "y": WEIGHTS})


def test_format_version_1_is_still_written_so(tmp_path):
    """A change to the tables that would need a new format version does not pass unseen."""
    make(tmp_path / "made")
    shutil.copytree(GOLDEN, tmp_path / "golden")
    schemas = []
    for name in ("made", "golden"):
        with Record.open(tmp_path / name, write=True) as record:  # checksums came later
            schemas.append(described(record))
    assert schemas[0] == schemas[1]


def described(record: Record) -> list[object]:
    """Tables and indices, and the columns of each."""
    ask = record._connection.execute
    names = ask("select type, name from sqlite_master order by name").fetchall()
    return [(names, ask(f"pragma table_xinfo({name})").fetchall()) for _, name in names]


def test_a_record_without_checksums_gets_them_as_it_goes_on(tmp_path):
    project = tmp_path / "record"
    shutil.copytree(GOLDEN, project)
    assert examine(project).well
    with Record.open(project, write=True) as record:
        steps, values = np.array([7, 8]), np.array([1.0, 2.0])
        record.write(
            updates=[RunUpdate("run-a", "finished", 8)],
            series=[SeriesChunk("run-a", "train.loss", steps, values)],
            finished_checkpoint="wave-1",
        )
    assert examine(project).well
    with closing(sqlite3.connect(project / "record.sqlite")) as connection, connection:
        told = connection.execute("select checksum from curve order by key").fetchall()
        assert [checksum is None for (checksum,) in told] == [True] * (len(told) - 1) + [False]
        connection.execute("update curve set value_blob = zeroblob(length(value_blob))")
    assert set(examine(project).curves) == {"run-a"}


def test_the_stored_record_is_small():
    assert sum(path.stat().st_size for path in GOLDEN.rglob("*")) < 100 * 1024


if __name__ == "__main__":
    make(Path(sys.argv[1]))
