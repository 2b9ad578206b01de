"""Tables that stay on disk: a Parquet file, read once by row groups into a file of plain numbers.

Rows of a Parquet file cannot be read one by one: its columns are packed. What is read of it is kept
in the cache as float32, row after row, from where rows are mapped; it is made anew where the file
has changed or other columns are asked for, and may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from thalweg.data.columns import encode_numbers, encode_target
from thalweg.data.dataset import Dataset
from thalweg.data.stored import Files, Finding, MappedRows, Stored, cache_root, small_in_memory
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
    try:
        parquet = pyarrow.parquet.ParquetFile(file)
        names = parquet.schema_arrow.names
        if parquet.metadata.num_rows == 0:
            raise DataError(f"{path} has no rows")
        chosen = chosen_columns(names, path, target, columns, drop)
        answer = encode_target(target, parquet.read([target])[target], task)
        origin = Files.of([file])
        named = hashlib.sha256(json.dumps([origin.identity, target, chosen]).encode()).hexdigest()
        numbers = cache_root() / "data" / f"table-{named}.f32"
        finding = Finding("table", named)
        told = finding.kept()
        if told is None or not numbers.exists():
            told = finding.keep({"missing": _write(parquet, chosen, answer.present, numbers)})
    except DataError as error:
        raise DataError(f"{path}: {error}" if path not in str(error) else str(error)) from error
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not a Parquet file, or is damaged: {error}") from error
    shape, dtype = (int(answer.present.sum()), len(chosen)), np.dtype(np.float32)
    files = Files.of([numbers, file])
    read = MappedRows(files, dtype, 0, shape, dtype)
    rows = len(answer.present)
    missing = tuple(
        f"column {name!r} lacks {count} of {rows} values"
        for name, count in zip(chosen, told["missing"], strict=True)
        if count
    )
    return Dataset(
        small_in_memory(Stored(files, read, shape, dtype, checked=True)),
        answer.values,
        answer.task,
        tuple(chosen),
        answer.class_names,
        notes=(*answer.notes, *missing),
    )


def _write(
    parquet: pyarrow.parquet.ParquetFile, names: Sequence[str], present: np.ndarray, to: Path
) -> list[int]:
    """Write columns of numbers, row after row, where the target is present.

    Returns:
        How many values every column lacks.
    """
    partial, begin = to.with_suffix(f".{os.getpid()}"), 0
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        partial.touch()
    except OSError as error:
        raise DataError(f"the cache {to.parent} cannot be written: {error.strerror}") from error
    missing = np.zeros(len(names), int)
    try:
        with partial.open("wb") as file:
            for group in range(parquet.num_row_groups):
                table = parquet.read_row_group(group, columns=list(names))
                rows = np.flatnonzero(present[begin : begin + table.num_rows])
                values = [encode_numbers(n, table[n].take(rows), begin + rows + 1) for n in names]
                block = np.stack(values, axis=1).astype(np.float32)
                missing += np.isnan(block).sum(axis=0)
                file.write(block.tobytes())
                begin += table.num_rows
        if (missing == present.sum()).any():
            name = names[int((missing == present.sum()).argmax())]
            raise DataError(f"column {name!r} holds no values at all; leave it out with drop")
        os.replace(partial, to)
    finally:
        partial.unlink(missing_ok=True)
    return missing.tolist()
