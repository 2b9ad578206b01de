"""Tables from files, as data sets: read, choose columns, turn them into numbers, infer the task.

Read in this order: ``read_csv`` and ``read_parquet``, then ``table_dataset``. What one column
becomes is in ``thalweg.data.columns``. Rows are counted from 1, below the header, in every message.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from thalweg.data.columns import encode_input, encode_target
from thalweg.data.dataset import Dataset
from thalweg.errors import DataError
from thalweg.part import nearest
from thalweg.tasks import TableTask

__all__ = ["chosen_columns", "existing", "read_csv", "read_parquet", "table_dataset"]


def read_csv(path: str, delimiter: str = ",") -> pa.Table:
    """Read a CSV file whose first line names the columns; empty cells and "NA" are missing."""
    file = existing(path)
    if file.stat().st_size == 0:
        raise DataError(f"{path} is empty")
    try:
        return pyarrow.csv.read_csv(
            file,
            parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(strings_can_be_null=True),
        )
    except (pa.ArrowException, OSError) as error:  # the second from what it is packed with
        raise DataError(f"{path} is not a well-formed table: {error}") from error


def read_parquet(path: str) -> pa.Table:
    """Read a Parquet file."""
    try:
        return pyarrow.parquet.ParquetFile(existing(path)).read()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last from names
        raise DataError(f"{path} is not a Parquet file, or is damaged: {error}") from error


def table_dataset(
    table: pa.Table,
    place: str,
    *,
    target: str,
    columns: tuple[str, ...] = (),
    drop: tuple[str, ...] = (),
    categorical: tuple[str, ...] = (),
    task: TableTask | None = None,
) -> Dataset:
    """Turn a table into a data set.

    Args:
        table: columns of numbers, texts or booleans; texts and booleans become one column of 0 and
            1 for each distinct value, numbers stay as they are, and missing numbers are NaN.
        place: where the table comes from, for messages.
        target: the column to predict; rows without it are left out.
        columns: the columns to predict from; all where empty.
        drop: columns to leave out.
        categorical: columns whose numbers are codes, to be treated like texts.
        task: what is to be predicted; inferred from the target where omitted.

    Raises:
        DataError: the table does not have what is asked for, or a column cannot become numbers.
    """
    try:
        chosen = chosen_columns(table.column_names, place, target, columns, drop, categorical)
    except UnicodeDecodeError as error:
        raise _not_in_utf8(place) from error
    if table.num_rows == 0:
        raise DataError(f"{place} has no rows below its header")
    try:
        answer = encode_target(target, table[target], task)
        rows = np.flatnonzero(answer.present)
        inputs = [
            encode_input(name, table[name].take(rows), name in categorical, rows + 1)
            for name in chosen
        ]
    except DataError as error:
        raise DataError(f"{place}: {error}") from error
    except UnicodeDecodeError as error:
        raise _not_in_utf8(place) from error
    return Dataset(
        inputs=np.concatenate([column.values for column in inputs], axis=1),
        targets=answer.values,
        task=answer.task,
        feature_names=tuple(name for column in inputs for name in column.names),
        class_names=answer.class_names,
        notes=(*answer.notes, *(note for column in inputs for note in column.notes)),
    )


def _not_in_utf8(place: str) -> DataError:
    return DataError(f"{place} is not text in UTF-8; save it with that encoding")


def chosen_columns(
    names: list[str],
    place: str,
    target: str,
    columns: tuple[str, ...],
    drop: tuple[str, ...],
    categorical: tuple[str, ...] = (),
) -> list[str]:
    """The columns to predict from, of those there are.

    Raises:
        DataError: a column that is asked for is not there, or none is left.
    """
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(f"{place} has more than one column named {', '.join(map(repr, repeated))}")
    for name in (target, *columns, *drop, *categorical):
        if name not in names:
            raise DataError(f"{place} has no column {name!r}{_instead(name, names)}")
    chosen = [name for name in columns or names if name != target and name not in drop]
    if not chosen:
        raise DataError(f"{place} has no column to predict {target!r} from")
    return chosen


def _instead(name: str, names: list[str]) -> str:
    """What may have been meant by a column that is not there."""
    if len(names) == 1:
        return f"; its only column is {names[0]!r}: is the delimiter right?"
    tail = nearest(name, names)
    return tail if len(tail) < 300 else f"; it has {len(names)} others"


def existing(path: str) -> Path:
    """The file with a path, if there is one."""
    file = Path(path).expanduser()
    if file.is_dir():
        raise DataError(f"{path} is a folder, not a file")
    if not file.exists():
        raise DataError(f"there is no file {path} (looked in {Path.cwd()})")
    return file
