"""Tables that stay on disk: a Parquet file, read once by row groups into a file of plain numbers.

Rows of a Parquet file cannot be read one by one: its columns are packed. What is read of it is kept
in the cache as float32, row after row, from where rows are mapped; it is made anew where the file
has changed or other columns are asked for, and may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from thalweg.data.columns import encode_numbers, encode_target
from thalweg.data.dataset import Dataset
from thalweg.data.stored import (
    Files,
    Finding,
    MappedRows,
    Stored,
    cache_root,
    made_once,
    small_in_memory,
    written_whole,
)
from thalweg.data.tables import chosen_columns, existing
from thalweg.errors import DataError
from thalweg.tasks import TableTask

__all__ = ["lying_table"]


def lying_table(
    path: str,
    *,
    target: str,
    columns: tuple[str, ...] = (),
    drop: tuple[str, ...] = (),
    task: TableTask | None = None,
) -> Dataset:
    """A Parquet file of numbers as a data set; its inputs are never in memory together.

    Args:
        path: the file.
        target, columns, drop, task: as in ``table_dataset``.

    Raises:
        DataError: as there, or a column does not hold numbers.
    """
    file = existing(path)
    origin = Files.of([file])  # as it was before anything was read
    try:
        with pyarrow.parquet.ParquetFile(file) as parquet:
            if parquet.metadata.num_rows == 0:
                raise DataError(f"{path} has no rows")
            chosen = chosen_columns(parquet.schema_arrow.names, path, target, columns, drop)
            answer = encode_target(target, parquet.read([target])[target], task)
            told = [origin.identity, target, chosen]
            named = hashlib.sha256(json.dumps(told).encode()).hexdigest()
            numbers = cache_root() / "data" / f"table-{named}.f32"
            missing = _kept(parquet, chosen, answer.present, numbers, Finding("table", named))
    except DataError as error:
        raise DataError(f"{path}: {error}" if path not in str(error) else str(error)) from error
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not a Parquet file, or is damaged: {error}") from error
    shape, dtype = (int(answer.present.sum()), len(chosen)), np.dtype(np.float32)
    origin.check([0])
    files = Files.of([numbers, file])
    read = MappedRows(files, dtype, 0, shape, dtype)
    rows = len(answer.present)
    lacking = tuple(
        f"column {name!r} lacks {count} of {rows} values"
        for name, count in zip(chosen, missing, strict=True)
        if count
    )
    return Dataset(
        small_in_memory(Stored(files, read, shape, dtype, checked=True)),
        answer.values,
        answer.task,
        tuple(chosen),
        answer.class_names,
        notes=(*answer.notes, *lacking),
    )


def _kept(
    parquet: pyarrow.parquet.ParquetFile,
    names: Sequence[str],
    present: np.ndarray,
    numbers: Path,
    finding: Finding,
) -> list[int]:
    """See that columns of numbers are in a file, row after row, where the target is present.

    Returns:
        How many values every column lacks.
    """
    size = int(present.sum()) * len(names) * np.dtype(np.float32).itemsize

    def found() -> dict[str, Any] | None:
        is_whole = numbers.exists() and numbers.stat().st_size == size
        return finding.kept() if is_whole else None

    def make() -> dict[str, Any]:
        return finding.keep({"missing": _written(parquet, names, present, numbers)})

    return made_once(numbers, found, make)["missing"]


def _written(
    parquet: pyarrow.parquet.ParquetFile, names: Sequence[str], present: np.ndarray, to: Path
) -> list[int]:
    begin, missing = 0, np.zeros(len(names), int)
    with written_whole(to) as file:
        for group in range(parquet.num_row_groups):
            table = _group(parquet, group, names)
            rows = np.flatnonzero(present[begin : begin + table.num_rows])
            values = [encode_numbers(n, table[n].take(rows), begin + rows + 1) for n in names]
            block = np.stack(values, axis=1).astype(np.float32)
            missing += np.isnan(block).sum(axis=0)
            file.write(block.data)
            begin += table.num_rows
        if (missing == present.sum()).any():
            name = names[int((missing == present.sum()).argmax())]
            raise DataError(f"column {name!r} holds no values at all; leave it out with drop")
    return missing.tolist()


def _group(parquet: pyarrow.parquet.ParquetFile, group: int, names: Sequence[str]) -> pa.Table:
    try:
        return parquet.read_row_group(group, columns=list(names))
    except OSError as error:  # which would else be one of the cache
        raise DataError(f"it is damaged: {error}") from error
