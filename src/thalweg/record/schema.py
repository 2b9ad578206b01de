"""The database of a record: its tables, how it is opened, and what its failures mean.

Runs trained together form a *cohort*: an ordered list of runs that were written in one go. One
stretch of one curve of a whole cohort is one row of ``curve``: its steps once, its values as a
matrix [run, step]. So hundreds of short curves cost one row, and are written and read as one.
The rows of ``cohort_run`` say which row of those matrices (and of files in ``array_file``) is
which run's.
"""

from __future__ import annotations

import errno
import json
import shutil
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import TypeVar

from thalweg.errors import RecordError

__all__ = [
    "ADJUSTMENTS",
    "FORMAT_VERSION",
    "DamagedRecord",
    "NoRecord",
    "Senseless",
    "check_knows_arrays",
    "columns",
    "connected",
    "curve_checksum",
    "decoded",
    "explained",
    "has_table",
    "no_record",
    "read_json",
    "selected",
]

T = TypeVar("T")

FORMAT_VERSION = 1  # kept in the file as `pragma user_version`
APPLICATION_ID = 0x54686C77  # "Thlw": tells a record from any other SQLite file

SCHEMA = """
create table program (
    key integer primary key,
    id text not null unique,
    description text not null,              -- JSON, as are spec, finals, factors, extra, names
    compile_seconds real not null
);
create table run (
    key integer primary key,
    id text not null unique,
    spec text not null,
    seed integer not null,
    outcome text not null,
    step integer not null,
    steps integer not null,
    program text not null,                  -- id of the program, empty while waiting
    train_seconds real not null,
    finals text not null
);
create table experiment (
    key integer primary key,                -- grows: the experiment added last has the largest
    id text not null unique,
    question text not null,
    spec text not null,
    compare text not null,
    environment text not null,
    created text not null                   -- ISO 8601, UTC
);
create table member (
    experiment integer not null references experiment,
    position integer not null,              -- place in the plan
    run integer not null references run,
    phase text not null,
    factors text not null,
    primary key (experiment, position)
) without rowid;
create table cohort_run (
    run integer not null references run,
    cohort integer not null,
    row integer not null,                   -- of the cohort's matrices
    primary key (run, cohort)
) without rowid;
create index cohort_run_by_cohort on cohort_run (cohort, row, run);
create table curve (
    key integer primary key,                -- grows: order of first appearance
    cohort integer not null,
    name text not null,
    last integer not null,                  -- last of the steps
    step_blob blob not null,                -- int32, little-endian, [step]
    value_blob blob not null,               -- float32, little-endian, [run, step]
    checksum integer                        -- CRC-32 of both; null before there were any
);
create index curve_by_cohort on curve (cohort, name, last);
create table checkpoint (
    id text primary key,
    runs text not null,
    step integer not null,
    file text not null,
    extra text not null,
    checksum integer                        -- CRC-32 of the file
) without rowid;
create table array_file (
    key integer primary key,                -- grows: a later file supersedes an earlier one
    cohort integer not null,
    file text not null unique,
    names text not null,
    checksum integer                        -- CRC-32 of the file
);
create index array_file_by_cohort on array_file (cohort);
"""

# Made when the first run is adjusted by hand: most records never have it.
ADJUSTMENTS = """
create table if not exists adjustment (
    key integer primary key,                -- grows: the order in which they were made
    run integer not null references run,
    step integer not null,
    name text not null,
    factor real not null,
    origin text not null,
    time text not null,
    request text not null
)
"""


class Senseless(Exception):
    """A row holds what no writer has put there; ``explained`` says so."""


class NoRecord(RecordError):
    """There is none, or a writer was killed before there was."""


class DamagedRecord(RecordError):
    """The database holds what no writer has put there."""


@cache
def columns() -> dict[str, dict[str, str]]:
    """By table, its columns and the kind of value each holds; rows refer to earlier tables."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(f"{SCHEMA}; {ADJUSTMENTS}")
        tables = connection.execute("select name from sqlite_master where type = 'table'")
        described = {table: f"pragma table_info({table})" for (table,) in tables.fetchall()}
        return {
            table: {name: kind.lower() for _, name, kind, *_ in connection.execute(query)}
            for table, query in described.items()
        }


def curve_checksum(steps: bytes, values: bytes) -> int:
    """CRC-32 of a stretch of a curve."""
    return zlib.crc32(values, zlib.crc32(steps))


def selected(connection: sqlite3.Connection, table: str, *names: str) -> str:
    """Columns of a table, all where none is named, as a query asks for them.

    Checksums are null in a record that was made before there were any.
    """
    kept = _has_checksums(connection, table)
    asked = names or columns()[table]
    return ", ".join("null" if name == "checksum" and not kept else name for name in asked)


def _has_checksums(connection: sqlite3.Connection, table: str) -> bool:
    return "checksum" in {name for _, name, *_ in connection.execute(f"pragma table_info({table})")}


def _add_checksums(connection: sqlite3.Connection) -> None:
    """Make room for checksums in a record that was made before there were any.

    A Thalweg of that time reads and writes it all the same, so it has the same format version.
    """
    for table, kinds in columns().items():
        if "checksum" in kinds and not _has_checksums(connection, table):
            connection.execute(f"alter table {table} add column checksum integer")


def has_table(connection: sqlite3.Connection, name: str) -> bool:
    """Whether the database has a table."""
    query = "select count(*) from sqlite_master where name = ?"
    return connection.execute(query, (name,)).fetchone() == (1,)


def check_knows_arrays(connection: sqlite3.Connection, project: Path) -> None:
    """Refuse a record that was lost or emptied: its runs come before their arrays.

    Raises:
        DamagedRecord: it has no run, and there are files of arrays.
    """
    [runs] = connection.execute("select count(*) from run").fetchone()
    if not runs and any((project / "arrays").glob("*.safetensors")):
        raise _record_error(_DAMAGED, project, "it knows none of the files in arrays")


@contextmanager
def connected(database: Path, *, write: bool) -> Iterator[sqlite3.Connection]:
    """Open the database, for writing make it if it is not there; refuse what is not a record."""
    with _opened(database, "mode=rwc" if write else _reading_mode(database)) as connection:
        held = _holds_tables(connection, database)
        if write:
            # Every commit is synced. kill -9 alone would not need it, but files that a transaction
            # supersedes are deleted after it, so a loss of power must not undo it.
            connection.execute("pragma synchronous = full")
            if held:
                _add_checksums(connection)
            else:
                _create(connection)
        elif not held:
            raise no_record(database.parent)
        yield connection


def _reading_mode(database: Path) -> str:
    """How to open for reading.

    Reading a WAL database takes a place for its shared memory, which a folder without write
    permission may not have. Without a log there is no writer either, and nothing to recover: then
    the file can be read as one that never changes. (Should a writer with more rights come later,
    that reader must open the record again to see what it writes.)
    """
    try:
        with _opened(database, "mode=ro") as connection:
            connection.execute("pragma user_version")
    except sqlite3.OperationalError:
        log = database.with_name(database.name + "-wal")
        if log.exists() and log.stat().st_size:
            raise
        return "immutable=1"
    return "mode=ro"


def no_record(project: Path) -> NoRecord:
    """The error of a folder without a record."""
    return NoRecord(
        f"{project} holds no record; run an experiment with `thalweg run SPEC --project {project}`"
    )


def _opened(database: Path, mode: str) -> closing[sqlite3.Connection]:
    # Transactions are begun and committed in so many words (isolation_level=None). A record may
    # be handed from thread to thread, e.g. to a server's workers, one at a time.
    return closing(
        sqlite3.connect(
            f"{database.absolute().as_uri()}?{mode}",
            uri=True,
            timeout=30,
            isolation_level=None,
            check_same_thread=False,
        )
    )


def _holds_tables(connection: sqlite3.Connection, database: Path) -> bool:
    """Whether the file is a record (True) or still empty (False)."""
    [version] = connection.execute("pragma user_version").fetchone()
    [application] = connection.execute("pragma application_id").fetchone()
    [tables] = connection.execute("select count(*) from sqlite_master").fetchone()
    if tables and application != APPLICATION_ID:
        raise RecordError(
            f"{database} is a database of another program; choose another project folder"
        )
    if version > FORMAT_VERSION:
        raise RecordError(
            f"{database} has format version {version}, and this Thalweg reads versions up to "
            f"{FORMAT_VERSION}; upgrade Thalweg, or choose another project folder"
        )
    return tables > 0


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("pragma journal_mode = wal")
    connection.executescript(
        f"begin; {SCHEMA}; pragma application_id = {APPLICATION_ID};"
        f"pragma user_version = {FORMAT_VERSION}; commit"
    )


# ----------------------------------------------------------------------------------------- failures

_FULL = (
    "the disk that holds {project} is full: nothing of this write was kept, and all that was "
    "recorded before is safe; free some space and run again"
)
_FORBIDDEN = "{project} cannot be written to ({error}); choose another project folder"
_DAMAGED = (
    "{project}/record.sqlite is damaged or is not a database ({error}); restore it from a backup, "
    "or let `thalweg doctor --repair` save what can be read"
)
_UNOPENED = (
    "{project}/record.sqlite cannot be opened ({error}); if its folder is read-only, copy the "
    "folder to where you may write"
)

_SQLITE = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _FORBIDDEN,
    sqlite3.SQLITE_PERM: _FORBIDDEN,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_CANTOPEN: _UNOPENED,
}
_SYSTEM = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: _FORBIDDEN,
    errno.ENOTDIR: _FORBIDDEN,
    errno.EEXIST: _FORBIDDEN,
}


@contextmanager
def explained(project: Path) -> Iterator[None]:
    """Turn failures of the database and of the disk into sentences with what to do.

    Raises:
        RecordError: in place of any error of SQLite or of the operating system.
    """
    try:
        yield
    except (Senseless, UnicodeDecodeError) as error:  # the second where SQLite quotes the database
        raise _record_error(_DAMAGED, project, str(error)) from error
    except sqlite3.Error as error:
        # An extended code keeps its family in the low byte.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        no_room = code == sqlite3.SQLITE_IOERR and _is_full(project)
        sentence = _FULL if no_room else _SQLITE.get(code)
        raise _record_error(sentence, project, str(error)) from error
    except OSError as error:
        sentence = _SYSTEM.get(error.errno or 0)
        raise _record_error(sentence, project, error.strerror or str(error)) from error


@contextmanager
def decoded(project: Path) -> Iterator[None]:
    """Turn what makes no sense in the rows of a database into a sentence.

    Raises:
        DamagedRecord: in place of what comes of JSON that is none, and of matrices cut short.
    """
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise _record_error(_DAMAGED, project, str(error)) from error


def read_json(text: object, kind: type[T]) -> T:
    """JSON of a row, for those who write.

    Raises:
        Senseless: it is none, or of another kind.
    """
    try:
        held = json.loads(str(text))
    except (ValueError, RecursionError) as error:
        raise Senseless(f"{text!r:.40} in a row cannot be read") from error
    if not isinstance(held, kind):
        raise Senseless(f"{text!r:.40} in a row is of another kind")
    return held


def _is_full(project: Path) -> bool:
    """Whether the disk has no room for what SQLite maps into memory, which it takes for broken."""
    there = next(folder for folder in (project, *project.parents) if folder.exists())
    return shutil.disk_usage(there).free < 2**16  # two pieces of the index of its log


def _record_error(sentence: str | None, project: Path, error: str) -> RecordError:
    fallback = "the record in {project} cannot be used: {error}"
    kind = DamagedRecord if sentence is _DAMAGED else RecordError
    return kind((sentence or fallback).format(project=project, error=error))
