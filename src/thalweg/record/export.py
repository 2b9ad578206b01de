"""A record as Parquet or CSV, for tools that know nothing of it.

``runs`` has one row per run: its outcome, its factors and its finals as columns. ``curves`` is
long: one row per run, series and step.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from thalweg.record.store import Record
from thalweg.record.tables import Experiment, Run

__all__ = ["export"]

Format = Literal["parquet", "csv"]

CURVES = pa.schema(
    [("run", pa.string()), ("series", pa.string()), ("step", pa.int32()), ("value", pa.float32())]
)
WRITERS: dict[Format, Any] = {
    "parquet": pyarrow.parquet.ParquetWriter,
    "csv": pyarrow.csv.CSVWriter,
}


def export(record: Record, experiment: Experiment, folder: Path, format: Format) -> list[Path]:
    """Write ``runs`` and ``curves`` of an experiment; existing files are replaced.

    Args:
        record: where the curves are read from.
        experiment: one of its experiments, as ``record.experiment`` gives it.
        folder: made if it is not there.
        format: ``parquet`` or ``csv``.

    Returns:
        The two files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"runs.{format}", folder / f"curves.{format}"]
    runs = runs_table(experiment.runs)
    with WRITERS[format](paths[0], runs.schema) as writer:
        writer.write_table(runs)
    with WRITERS[format](paths[1], CURVES) as writer:
        for table in _curves(record, list(dict.fromkeys(run.id for run in experiment.runs))):
            writer.write_table(table)
    return paths


def runs_table(runs: Sequence[Run]) -> pa.Table:
    """One row per run. A factor or final whose name is taken has its kind in front."""
    fields = ("id", "phase", "outcome", "seed", "step", "steps", "program", "train_seconds")
    columns = {name: [getattr(run, name) for run in runs] for name in fields}
    for kind, held in (("factor", "factors"), ("final", "finals")):
        names = dict.fromkeys(name for run in runs for name in getattr(run, held))
        for name in names:
            column = name if name not in columns else f"{kind}.{name}"
            columns[column] = [getattr(run, held).get(name) for run in runs]
    return pa.table({name: _column(values) for name, values in columns.items()})


def _column(values: list[Any]) -> pa.Array:
    """Values of one scalar type as they are; mixtures and lists as JSON text."""
    types = {type(value) for value in values if value is not None}
    if types == {int, float}:
        values, types = [None if value is None else float(value) for value in values], {float}
    if len(types) > 1 or not types <= {bool, int, float, str}:
        values = [None if value is None else json.dumps(value) for value in values]
    return pa.array(values)


def _curves(record: Record, runs: Sequence[str]) -> Iterable[pa.Table]:
    """The long table, one series of all runs at a time, which bounds the memory it takes."""
    for name in record.series_names(runs):
        curves = record.series(name, runs)
        steps, values = zip(*curves.values(), strict=True)
        lengths = [len(curve) for curve in steps]
        ids = np.repeat(np.arange(len(curves), dtype=np.int32), lengths)
        run = pa.DictionaryArray.from_arrays(ids, list(curves)).cast(pa.string())
        series = pa.repeat(name, len(ids))
        yield pa.table([run, series, np.concatenate(steps), np.concatenate(values)], schema=CURVES)
