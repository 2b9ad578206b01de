"""Your own tables: ``CSV`` and ``Parquet``."""

from __future__ import annotations

import pyarrow as pa

from thalweg.data.dataset import Dataset, Shares
from thalweg.data.lying import lying_table
from thalweg.data.split import check_shares
from thalweg.data.tables import read_csv, read_parquet, table_dataset
from thalweg.errors import SpecError
from thalweg.part import choice, part
from thalweg.tasks import TableTask

__all__ = ["CSV", "Parquet"]


@part
class CSV:
    r"""A table in a text file, its first line naming the columns.

    Choices: path: the file, gzipped or not; target: the column to predict; columns: those to
        predict from, all others where empty; drop: columns to leave out; categorical: columns of
        numbers that are codes; delimiter: the character between cells; task: inferred from the
        target where omitted; split: shares of the rows for training, validation and test
    Shapes: inputs [rows, features], targets [rows] for classes, [rows, 1] for regression
    Watch for: texts become a column of 0 and 1 per distinct value; empty cells, NA and NaN are
        missing; a column that gives the answer away, or numbers each row, must be dropped by you.
    Source: your own file. Licence: yours.
    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "tea.csv"
        ...     _ = path.write_text("minutes,tea,good\n2,green,yes\n5,black,yes\n9,green,no\n")
        ...     data = CSV(path=str(path), target="good").load()
        >>> data.feature_names
        ('minutes', 'tea=black', 'tea=green')
        >>> data.notes[0]
        "task: binary classification, because target 'good' has 2 distinct values"
    """

    path: str = choice()
    target: str = choice()
    columns: tuple[str, ...] = choice(())
    drop: tuple[str, ...] = choice(())
    categorical: tuple[str, ...] = choice(())
    delimiter: str = choice(",")
    task: TableTask | None = choice(None)
    split: Shares = choice((0.7, 0.15, 0.15))

    def check(self) -> None:
        check_shares(self)
        _check_columns(self)
        if len(self.delimiter) != 1:
            raise SpecError(f"CSV.delimiter must be one character, got {self.delimiter!r}")

    def load(self) -> Dataset:
        return _load(self, read_csv(self.path, self.delimiter))


@part
class Parquet:
    """A table in a Parquet file.

    Choices: path: the file; target: the column to predict; columns: those to predict from, all
        others where empty; drop: columns to leave out; categorical: columns of numbers that are
        codes; task: inferred from the target where omitted; in_memory: whether the table is read
        whole, or once by row groups into a file in the cache; split: shares of the rows for
        training, validation and test
    Shapes: inputs [rows, features], targets [rows] for classes, [rows, 1] for regression
    Watch for: texts, dictionaries and booleans become a column of 0 and 1 per distinct value; null
        and NaN are missing; nested columns and dates are refused. Not in memory, columns must hold
        numbers or booleans, and the cache takes 4 bytes for each.
    Source: your own file. Licence: yours.
    Example:
        >>> import pyarrow, pyarrow.parquet
        >>> from tempfile import TemporaryDirectory
        >>> table = pyarrow.table({"hours": [1.0, 2.0, 4.0], "mark": [2.5, 3.5, 5.0]})
        >>> with TemporaryDirectory() as folder:
        ...     pyarrow.parquet.write_table(table, f"{folder}/marks.parquet")
        ...     data = Parquet(path=f"{folder}/marks.parquet", target="mark").load()
        >>> data.task, data.targets.ravel().tolist()
        ('regression', [2.5, 3.5, 5.0])
    """

    path: str = choice()
    target: str = choice()
    columns: tuple[str, ...] = choice(())
    drop: tuple[str, ...] = choice(())
    categorical: tuple[str, ...] = choice(())
    task: TableTask | None = choice(None)
    in_memory: bool = choice(default=True)
    split: Shares = choice((0.7, 0.15, 0.15))

    def check(self) -> None:
        check_shares(self)
        _check_columns(self)
        if self.categorical and not self.in_memory:
            raise SpecError("Parquet.categorical needs in_memory = true; number the codes yourself")

    def load(self) -> Dataset:
        if self.in_memory:
            return _load(self, read_parquet(self.path))
        chosen = {"columns": self.columns, "drop": self.drop, "task": self.task}
        return lying_table(self.path, target=self.target, **chosen)


def _load(source: CSV | Parquet, table: pa.Table) -> Dataset:
    return table_dataset(
        table,
        source.path,
        target=source.target,
        columns=source.columns,
        drop=source.drop,
        categorical=source.categorical,
        task=source.task,
    )


def _check_columns(source: CSV | Parquet) -> None:
    owner = type(source).__name__
    if source.columns and source.drop:
        raise SpecError(f"{owner}.columns and {owner}.drop say the same thing twice; give one")
    for field in ("columns", "drop"):
        if source.target in getattr(source, field):
            raise SpecError(
                f"{owner}.{field} must not name the target, {source.target!r}: "
                "it is what is to be predicted"
            )
