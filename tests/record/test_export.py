"""What pandas' and Spark's formats hold after an export, read back by pyarrow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest

from thalweg.record.export import export
from thalweg.record.tables import RunUpdate, SeriesChunk

READ = {"parquet": pyarrow.parquet.read_table, "csv": pyarrow.csv.read_csv}


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_export(record, plan, tmp_path, format):
    factors = (
        {"optimizer": "adam", "batch_size": 16, "hidden": [32, 16], "rate": 1, "seed": 5},
        {"optimizer": "momentum", "batch_size": "full", "hidden": [8], "rate": 0.5, "seed": 6},
        {"optimizer": "momentum"},
    )
    runs = tuple(
        replace(run, factors=held) for run, held in zip(plan().runs, factors, strict=False)
    )
    record.add_experiment(replace(plan(), id="e2", runs=runs))
    record.write(
        updates=[RunUpdate("r0", "finished", 3, 0.5, {"test.loss": 0.25})],
        series=[
            SeriesChunk("r0", "train.loss", np.array([0, 2]), np.array([1.5, 0.5])),
            SeriesChunk("r1", "train.loss", np.array([1]), np.array([0.75])),
            SeriesChunk("r1", "norm.out", np.array([1]), np.array([8.0])),
        ],
        program="p1",
    )
    paths = export(record, record.experiment("e2"), tmp_path / "new" / "folder", format)
    assert [path.name for path in paths] == [f"runs.{format}", f"curves.{format}"]
    rows = READ[format](paths[0]).to_pylist()
    assert rows[0] == {
        "id": "r0",
        "phase": "tune",
        "outcome": "finished",
        "seed": 0,
        "step": 3,
        "steps": 100,
        "program": "p1",
        "train_seconds": 0.5,
        "optimizer": "adam",
        "batch_size": "16",
        "hidden": "[32, 16]",
        "rate": 1.0,
        "factor.seed": 5,
        "test.loss": 0.25,
    }
    assert rows[1]["batch_size"] == '"full"'
    assert rows[2]["rate"] is None
    assert rows[2]["test.loss"] is None
    curves = READ[format](paths[1])
    assert curves.to_pylist() == [
        {"run": "r0", "series": "train.loss", "step": 0, "value": 1.5},
        {"run": "r0", "series": "train.loss", "step": 2, "value": 0.5},
        {"run": "r1", "series": "train.loss", "step": 1, "value": 0.75},
        {"run": "r1", "series": "norm.out", "step": 1, "value": 8.0},
    ]


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_an_experiment_of_which_nothing_has_run(record, tmp_path, format):
    paths = export(record, record.experiment(), tmp_path, format)
    assert [len(READ[format](path)) for path in paths] == [4, 0]
