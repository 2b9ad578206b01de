"""A damaged record back to its last good state.

What cannot be read is forgotten, so that its runs wait again and are trained when their experiment
is run. All that was there is kept in a folder beside the record first.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from thalweg.record import files
from thalweg.record.checking import examine, is_sound
from thalweg.record.schema import (
    ADJUSTMENTS,
    columns,
    connected,
    explained,
    has_table,
    selected,
)
from thalweg.record.store import Record
from thalweg.record.writing import unnamed

__all__ = ["repair"]


def repair(project: Path) -> Path | None:
    """Take a record back to its last good state.

    Returns:
        The folder that keeps the record as it was; None where all was well.

    Raises:
        RecordError: another process is writing it, or it cannot be written to.
    """
    found = examine(project)
    if found.well:
        return None
    with explained(project):
        descriptor = files.lock_for_writing(project)
        try:
            kept = _keep(project)
            if found.database:
                _salvage(project)
            with connected(project / "record.sqlite", write=True) as connection:
                names = unnamed(connection, files.list_files(project / "arrays"))
                files.delete_files(project / "arrays", names)
                # What is forgotten may strand others: a wave goes on with all its runs or not.
                while (left := examine(project)).lost or left.checkpoints:
                    _forget(connection, left.lost, left.checkpoints)
        finally:
            os.close(descriptor)
    with Record.open(project, write=True):  # deletes the files of what was forgotten
        return kept


def _keep(project: Path) -> Path:
    """Keep a copy of a record; files of arrays never change, so they are kept by a second name."""
    kept = project / f"damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    files.make_folder(kept / "arrays")
    for path in project.glob("record.sqlite*"):
        shutil.copy2(path, kept)
    for path in project.glob("arrays/*"):
        try:
            os.link(path, kept / "arrays" / path.name)
        except OSError:  # not every file system can
            shutil.copy2(path, kept / "arrays")
    return kept


def _forget(
    connection: sqlite3.Connection, runs: Iterable[str], checkpoints: Iterable[str]
) -> None:
    """Let runs wait as if they had never begun, and drop checkpoints."""
    with connection:
        connection.execute("begin immediate")
        connection.execute(ADJUSTMENTS)
        for run in runs:
            [key] = connection.execute("select key from run where id = ?", (run,)).fetchone()
            connection.execute("delete from cohort_run where run = ?", (key,))
            connection.execute("delete from adjustment where run = ?", (key,))
            connection.execute(
                "update run set outcome = 'waiting', step = 0, program = '', train_seconds = 0, "
                "finals = '{}' where key = ?",
                (key,),
            )
        connection.executemany("delete from checkpoint where id = ?", [(id,) for id in checkpoints])
        for table in ("curve", "array_file"):
            connection.execute(
                f"delete from {table} where cohort not in (select cohort from cohort_run)"
            )


# ----------------------------------------------------------------------------------------- salvage


def _salvage(project: Path) -> None:
    """Make a new database of all rows that can still be read, and forget runs that lost some."""
    database, fresh = project / "record.sqlite", project / "salvaged.sqlite"
    fresh.unlink(missing_ok=True)
    with connected(fresh, write=True) as made:
        torn = _copied(database, made)
        with made:
            made.execute("begin immediate")
            _drop_loose_rows(made)
        _forget(made, _concerned(made, torn), ())
        made.execute("pragma journal_mode = delete")  # all of it in one file, on disk
    for name in ("record.sqlite-wal", "record.sqlite-shm"):
        (project / name).unlink(missing_ok=True)
    os.replace(fresh, database)
    files.sync_folder(project)


def _copied(database: Path, made: sqlite3.Connection) -> set[str]:
    """Copy what can be read; returns the tables of which something could not."""
    torn: set[str] = set()
    made.execute(ADJUSTMENTS)
    with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as old:
        for table, kinds in columns().items():
            marks = ", ".join("?" * len(kinds))
            for direction in ("asc", "desc"):  # from both ends, up to what is damaged
                try:
                    if table == "adjustment" and not has_table(old, table):
                        break
                    order = ", ".join(f"{key} {direction}" for key in _keys(made, table))
                    query = f"select {selected(old, table)} from {table} order by {order}"
                    for row in old.execute(query):
                        if is_sound(table, row):
                            made.execute(f"insert or ignore into {table} values ({marks})", row)
                        else:
                            torn.add(table)
                except (sqlite3.DatabaseError, UnicodeDecodeError):  # which it may quote
                    torn.add(table)
    return torn


def _keys(connection: sqlite3.Connection, table: str) -> list[str]:
    """The columns of a table's primary key, in order."""
    rows = connection.execute(f"pragma table_info({table})")
    return [name for _, name in sorted((place, name) for _, name, *_, place in rows if place)]


def _drop_loose_rows(connection: sqlite3.Connection) -> None:
    """Delete rows that refer to what is not there any more."""
    for table in ("member", "cohort_run", "adjustment"):
        connection.execute(f"delete from {table} where run not in (select key from run)")
    connection.execute("delete from member where experiment not in (select key from experiment)")
    connection.execute(
        "delete from checkpoint where exists "
        "(select 1 from json_each(runs) where value not in (select id from run))"
    )


def _concerned(connection: sqlite3.Connection, torn: set[str]) -> list[str]:
    """Runs of which a row may be gone.

    Stretches of curves are numbered as they are written, those of one write one after another. So
    a gap concerns the cohorts before and after it; had a cohort nothing else in that write, then
    its curves do not end where its runs end, which is found without this, unless they may end
    anywhere.
    """
    if torn & {"cohort_run", "array_file", "adjustment"}:
        return [id for (id,) in connection.execute("select id from run")]
    if "curve" not in torn:
        return []
    query = (
        "select id from run where key in (select run from cohort_run where cohort in ("
        "select cohort from (select cohort, key - lag(key, 1, 0) over (order by key) as before, "
        "lead(key) over (order by key) - key as after from curve) "
        "where before > 1 or after > 1)) or outcome in ('training', 'diverged')"
    )
    return [id for (id,) in connection.execute(query)]
