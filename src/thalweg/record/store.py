"""The record of a project: what every run was, how it went, its curves and its arrays.

A folder with one SQLite database (``record.sqlite``, with a write-ahead log), safetensors files
(``arrays/``) and the writer's lock. One process writes; any number read meanwhile, each seeing the
record as it was after some whole ``write``. Killing the writer loses the write in flight, no more.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self, TypeVar

import numpy as np

from thalweg.errors import RecordError
from thalweg.record import files, reading, writing
from thalweg.record.schema import (
    NoRecord,
    check_knows_arrays,
    connected,
    decoded,
    explained,
    no_record,
)
from thalweg.record.tables import (
    Adjustment,
    ArraysUpdate,
    Checkpoint,
    Experiment,
    Outcome,
    Program,
    RunUpdate,
    SeriesChunk,
)

__all__ = ["Record"]

Place = TypeVar("Place")
Found = TypeVar("Found")


class Record:
    """The record in a project folder; open it with ``Record.open``, close it with ``with``.

    A ``Record`` serves one thread at a time; threads that read at once open one each.
    """

    def __init__(self, project: Path, connection: sqlite3.Connection, writable: bool) -> None:
        self.project = project
        self.writable = writable
        self._arrays = project / "arrays"
        self._connection = connection
        self._cohorts = writing.Cohorts()
        self._closing = ExitStack()

    @classmethod
    def open(cls, project: Path | str, *, write: bool = False) -> Self:
        """Open the record of a project folder.

        Args:
            project: the folder, e.g. ``.thalweg``.
            write: whether to write; makes folder and record where there are none.

        Raises:
            RecordError: there is no record, it is damaged, of a newer format, or being written by
                another process.
        """
        project = Path(project)
        database = project / "record.sqlite"
        with ExitStack() as stack, explained(project):
            if write:
                files.make_folder(project / "arrays")
                stack.callback(os.close, files.lock_for_writing(project))
            elif not database.exists():
                raise no_record(project)
            connection = stack.enter_context(connected(database, write=write))
            record = cls(project, connection, write)
            if write:
                check_knows_arrays(connection, project)
                # What a killed writer left behind.
                record._delete_unnamed(files.list_files(record._arrays))
            record._closing = stack.pop_all()
            return record

    @classmethod
    def exists(cls, project: Path | str) -> bool:
        """Whether a folder has a record; none is there yet if its first writer was killed early.

        Raises:
            RecordError: it has one that cannot be opened.
        """
        try:
            with cls.open(project):
                return True
        except NoRecord:
            return False

    def close(self) -> None:
        """Close the record; a second time does nothing."""
        self._closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # ------------------------------------------------------------------------------------- writing

    def add_programs(self, programs: Iterable[Program]) -> None:
        """Record compiled programs; one of a known id is replaced."""
        programs = tuple(programs)
        with self._transaction() as connection:
            writing.put_programs(connection, programs)

    def add_experiment(self, experiment: Experiment) -> None:
        """Record an experiment, its programs, and those of its runs that are not there yet.

        Runs already recorded keep what they have; phase, factors and place belong to the
        experiment. One that is added again is replaced and becomes the newest.
        """
        with self._transaction() as connection:
            writing.put_experiment(connection, experiment)

    def write(
        self,
        *,
        updates: Iterable[RunUpdate] = (),
        series: Iterable[SeriesChunk] = (),
        program: str = "",
        checkpoint: Checkpoint | None = None,
        finished_checkpoint: str | None = None,
        arrays: ArraysUpdate | None = None,
        adjustments: Iterable[Adjustment] = (),
    ) -> None:
        """Record progress: all of it or, where that fails, nothing.

        Args:
            updates: what became of runs.
            series: stretches of their curves, each after what is recorded of it.
            program: id of the program that trained the runs in ``updates``.
            checkpoint: state of a wave of lanes at the end of these stretches.
            finished_checkpoint: id of a checkpoint that is no longer needed.
            arrays: arrays of runs.
            adjustments: what was changed by hand since the last write.

        Raises:
            RecordError: nothing was recorded, and the sentence says why.
        """
        self._check_writable()
        updates, series, adjustments = tuple(updates), tuple(series), tuple(adjustments)
        runs = [item.run for item in (*updates, *series, *adjustments)]
        runs += () if checkpoint is None else checkpoint.runs
        runs += () if arrays is None else writing.checked_runs(arrays)
        stale: list[str] = []  # files that have no place in the record afterwards
        with self._transaction() as connection, self._new_files() as save:
            keys = writing.run_keys(connection, runs)
            writing.update_runs(connection, keys, updates, program)
            writing.append_series(connection, keys, self._cohorts, series)
            writing.put_adjustments(connection, keys, adjustments)
            if finished_checkpoint is not None:
                stale += writing.drop_checkpoint(connection, finished_checkpoint)
            if checkpoint is not None:
                saved = save(checkpoint.arrays)
                stale += writing.put_checkpoint(connection, checkpoint, saved)
            if arrays is not None:
                saved = save(arrays.arrays)
                stale += writing.name_arrays(connection, keys, self._cohorts, arrays, saved)
        self._delete_unnamed(stale)

    def _check_writable(self) -> None:
        if not self.writable:
            raise RecordError(
                f"{self.project} is open for reading; open it with write=True to record"
            )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._check_writable()
        try:
            with explained(self.project), self._connection as connection:
                connection.execute("begin immediate")
                yield connection
        except BaseException:
            self._cohorts.forget()
            raise

    @contextmanager
    def _new_files(self) -> Iterator[Callable[[Mapping[str, np.ndarray]], files.Saved]]:
        """Writes files of arrays; what fails inside takes them away again.

        A commit that fails is outside, and leaves them: some of it may be on disk all the same,
        and a record that is opened after a loss of power then names them. The next writer deletes
        those that none names.
        """
        written: list[str] = []

        def save(arrays: Mapping[str, np.ndarray]) -> files.Saved:
            saved = files.save_arrays(self._arrays, arrays)
            written.append(saved.name)
            return saved

        try:
            yield save
        except BaseException:
            files.delete_files(self._arrays, written)
            raise

    def _delete_unnamed(self, names: Iterable[str]) -> None:
        if names:
            files.delete_files(self._arrays, writing.unnamed(self._connection, names))

    # ------------------------------------------------------------------------------------- reading

    def outcomes(self, runs: Iterable[str]) -> dict[str, Outcome]:
        """Outcome of each run by id; runs that are not in the record are left out."""
        with self._snapshot() as connection:
            return reading.read_outcomes(connection, tuple(runs))

    def experiments(self) -> list[tuple[str, str, str]]:
        """Id, question and time of recording (ISO 8601, UTC) of all experiments, newest first."""
        with self._snapshot() as connection:
            return reading.read_experiments(connection)

    def experiment(self, id: str | None = None) -> Experiment:
        """One experiment with its runs and programs, as they stand; the newest if no id is given.

        Raises:
            RecordError: there is none.
        """
        with self._snapshot() as connection:
            return reading.read_experiment(connection, id)

    def adjusted(self, runs: Iterable[str]) -> set[str]:
        """Those of the runs that were adjusted by hand."""
        with self._snapshot() as connection:
            return reading.read_adjusted(connection) & set(runs)

    def answered(self) -> set[str]:
        """Ids of the requests from which adjustments by hand came."""
        with self._snapshot() as connection:
            return reading.read_answered(connection)

    def series(self, name: str, runs: Iterable[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """One curve of many runs.

        Returns:
            By run, in the order asked for, steps (int32 [n]) and values (float32 [n]); runs
            without this curve are left out.
        """
        with self._snapshot() as connection:
            return reading.read_series(connection, name, tuple(runs))

    def series_names(self, runs: Iterable[str]) -> list[str]:
        """Names of all curves of these runs, in order of first appearance."""
        with self._snapshot() as connection:
            return reading.read_series_names(connection, tuple(runs))

    def arrays(self, run: str, names: Iterable[str] | None = None) -> dict[str, np.ndarray]:
        """Arrays of one run by name, all of them if no names are given.

        Raises:
            RecordError: the run or a name is not in the record, or a file is missing or damaged.
        """
        wanted = None if names is None else tuple(names)

        def find() -> dict[str, tuple[str, int]]:
            with self._snapshot() as connection:
                return reading.array_places(connection, run, wanted)

        return self._load(find, lambda places: files.read_places(self._arrays, places))

    def checkpoints(self) -> list[Checkpoint]:
        """All checkpoints; an array is read from its file when it is asked for."""
        with self._snapshot() as connection:
            rows = reading.checkpoint_rows(connection)
        return [
            Checkpoint(id, runs, step, files.StoredArrays(files.located(self._arrays, file)), extra)
            for id, runs, step, file, extra, _ in rows
        ]

    def checkpoint(self, id: str) -> Checkpoint:
        """One checkpoint with its arrays in memory.

        Raises:
            RecordError: there is none of this id, or its file is missing or damaged.
        """

        def find() -> reading.CheckpointRow:
            with self._snapshot() as connection:
                return reading.checkpoint_row(connection, id)

        def load(row: reading.CheckpointRow) -> Checkpoint:
            id, runs, step, file, extra, checksum = row
            path = files.located(self._arrays, file)
            files.check(path, checksum)  # what goes on from it would hide the damage
            return Checkpoint(id, runs, step, dict(files.StoredArrays(path)), extra)

        return self._load(find, load)

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        with explained(self.project), decoded(self.project), self._connection as connection:
            connection.execute("begin")
            yield connection

    def _load(self, find: Callable[[], Place], load: Callable[[Place], Found]) -> Found:
        """Read files that may be superseded between finding and opening them: then look again."""
        place = find()
        while True:
            try:
                with explained(self.project):
                    return load(place)
            except files.FileMissing:
                before, place = place, find()
                if place == before:
                    raise
