"""Whether a record is whole: its database, the files it names, and that all of it fits together.

Checksums tell whether the numbers of curves and arrays are those that were written; of the others,
which are few, it cannot be known: nothing here computes.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from thalweg.errors import RecordError
from thalweg.record import files
from thalweg.record.schema import (
    DamagedRecord,
    NoRecord,
    check_knows_arrays,
    columns,
    connected,
    curve_checksum,
    explained,
    has_table,
    no_record,
    selected,
)

__all__ = ["Examined", "examine", "is_sound"]

# Columns that hold JSON, and what it may be.
_JSON: dict[tuple[str, str], tuple[type, ...]] = {
    ("program", "description"): (dict,),
    ("run", "spec"): (dict,),
    ("run", "finals"): (dict,),
    ("experiment", "spec"): (dict,),
    ("experiment", "compare"): (dict, type(None)),
    ("experiment", "environment"): (dict,),
    ("member", "factors"): (dict,),
    ("checkpoint", "runs"): (list,),
    ("checkpoint", "extra"): (dict,),
    ("array_file", "names"): (list,),
}

_KINDS: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "real": (int, float),
    "text": (str,),
    "blob": (bytes,),
}

_OUTCOMES = ("waiting", "training", "finished", "diverged", "stopped")


@dataclass
class Examined:
    """What was looked at, and what is wrong with it.

    Args:
        counts: how many experiments, runs, curves, arrays (files) and checkpoints there are.
        database: why the database cannot be trusted; empty where it can.
        curves: by run, what is wrong with its curves.
        arrays: by run, what is wrong with its arrays.
        checkpoints: by id of a checkpoint, why nothing can go on from it.
        stranded: runs that had begun, and have no checkpoint to go on from.
    """

    counts: dict[str, int] = field(default_factory=dict)
    database: str = ""
    curves: dict[str, str] = field(default_factory=dict)
    arrays: dict[str, str] = field(default_factory=dict)
    checkpoints: dict[str, str] = field(default_factory=dict)
    stranded: dict[str, str] = field(default_factory=dict)

    @property
    def well(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.database or self.lost or self.checkpoints)

    @property
    def lost(self) -> set[str]:
        """The runs that must be trained again."""
        return {*self.curves, *self.arrays, *self.stranded}


_Cohorts = Mapping[int, Mapping[int, int]]  # by cohort, the row of each run


class _Run(NamedTuple):
    id: str
    outcome: str
    step: int
    steps: int

    @property
    def final(self) -> bool:
        return self.outcome in _OUTCOMES[2:]


def examine(project: Path) -> Examined:
    """Look at all of a record, and change nothing.

    Raises:
        RecordError: there is none, or it is not for this Thalweg to read.
    """
    before, found = None, _look(project)
    # While another process writes, files go between being named and being opened: damage stays.
    while not found.well and found != before:
        before, found = found, _look(project)
    return found


def _look(project: Path) -> Examined:
    database = project / "record.sqlite"
    try:
        if not database.exists():
            raise no_record(project)
        with explained(project), connected(database, write=False) as connection:
            connection.execute("begin")
            check_knows_arrays(connection, project)
            return _examined(connection, project / "arrays")
    except DamagedRecord as error:
        return Examined(database=str(error.__cause__ or error))
    except NoRecord:
        if not files.list_files(project / "arrays"):
            raise
        return Examined(database="there are files of arrays, and nothing that knows them")


def _examined(connection: sqlite3.Connection, arrays: Path) -> Examined:
    found = Examined(database=_database_fault(connection))
    if found.database:
        return found
    rows = connection.execute("select key, id, outcome, step, steps from run")
    runs = {key: _Run(*values) for key, *values in rows}
    cohorts: dict[int, dict[int, int]] = defaultdict(dict)  # the row of each run, by cohort
    for cohort, run, row in connection.execute("select cohort, run, row from cohort_run"):
        cohorts[cohort][run] = row
    ends = _check_curves(connection, runs, cohorts, found)
    _check_arrays(connection, runs, cohorts, arrays, found)
    _check_checkpoints(connection, runs, ends, arrays, found)
    for word, table in (("experiments", "experiment"), ("runs", "run")):
        [found.counts[word]] = connection.execute(f"select count(*) from {table}").fetchone()
    return found


def _database_fault(connection: sqlite3.Connection) -> str:
    """What SQLite finds wrong, or the table of a row that says nothing."""
    [answer] = connection.execute("pragma integrity_check(1)").fetchone()
    if answer != "ok":
        return " ".join(answer.split())
    loose = connection.execute("pragma foreign_key_check").fetchone()
    if loose is not None:
        return f"a row of the table {loose[0]} refers to one of {loose[2]} that is not there"
    for table in columns():
        if has_table(connection, table):
            for row in connection.execute(f"select {selected(connection, table)} from {table}"):
                if not is_sound(table, row):
                    return f"a row of the table {table} cannot be read"
    return ""


def is_sound(table: str, row: Sequence[object]) -> bool:
    """Whether a row has values of the kinds its table has, and JSON where JSON belongs."""
    for (name, kind), value in zip(columns()[table].items(), row, strict=True):
        if value is None and name == "checksum":
            continue
        if not isinstance(value, _KINDS[kind]):
            return False
        if name == "file" and not files.is_name(value):
            return False
        wanted = _JSON.get((table, name))
        if wanted is not None and not isinstance(_decoded(value), wanted):
            return False
    values = dict(zip(columns()[table], row, strict=True))
    return table != "run" or values["outcome"] in _OUTCOMES


def _decoded(text: object) -> object:
    """JSON; no kind of data where it is none."""
    try:
        return json.loads(str(text))
    except (ValueError, RecursionError):
        return ...


# ------------------------------------------------------------------------------------------ curves


def _check_curves(
    connection: sqlite3.Connection, runs: Mapping[int, _Run], cohorts: _Cohorts, found: Examined
) -> dict[str, int]:
    """Every stretch has a row for each run, no step comes twice, and curves end where runs end.

    Returns:
        The last step of the curves of each run.
    """
    stretches: dict[tuple[int, str], list[np.ndarray]] = defaultdict(list)
    ends: dict[int, int] = defaultdict(lambda: -1)  # the last step of a cohort
    query = f"select {selected(connection, 'curve')} from curve order by key"
    for _, cohort, name, last, steps, blob, checksum in connection.execute(query):
        rows, values = cohorts.get(cohort, {}), len(blob)
        numbers = np.frombuffer(steps[: len(steps) // 4 * 4], "<i4")
        height = max(rows.values(), default=-1) + 1
        whole = len(steps) == 4 * len(numbers) > 0 and values % len(steps) == 0
        cut = not whole or values // len(steps) < height or numbers[-1] != last
        if cut or checksum not in (None, curve_checksum(steps, blob)):
            fault = f"{name} is {'cut off' if cut else 'not what was written'}"
            found.curves |= {runs[run].id: fault for run in rows}
            continue
        stretches[cohort, name].append(numbers)
        ends[cohort] = max(ends[cohort], last)
    found.counts["curves"] = len(stretches)

    by_run: dict[int, list[int]] = defaultdict(list)
    for cohort, rows in cohorts.items():
        for run in rows:
            by_run[run].append(cohort)
    names = {name for _, name in stretches}
    twice = {
        held: _counted_twice(stretches, names, held) for held in {tuple(h) for h in by_run.values()}
    }
    lasts = {run.id: max((ends[c] for c in by_run[key]), default=-1) for key, run in runs.items()}
    for key, run in runs.items():
        held, last = tuple(by_run[key]), lasts[run.id]
        if twice.get(held):
            found.curves[run.id] = f"{twice[held]} has a step twice"
        elif run.outcome == "waiting" and last >= 0:
            found.curves[run.id] = "there are curves although it waits"
        elif run.outcome in ("finished", "stopped") and last != run.step:
            found.curves[run.id] = f"its curves end at step {last}, it at step {run.step}"
    return lasts


def _counted_twice(
    stretches: Mapping[tuple[int, str], list[np.ndarray]], names: set[str], held: tuple[int, ...]
) -> str:
    """A curve that has a step more than once in the cohorts of a run."""
    for name in sorted(names):
        parts = [part for cohort in held for part in stretches.get((cohort, name), ())]
        steps = np.concatenate(parts) if parts else np.array([])
        if len(np.unique(steps)) < len(steps):
            return name
    return ""


# ------------------------------------------------------------------------------------------- files


def _check_arrays(
    connection: sqlite3.Connection,
    runs: Mapping[int, _Run],
    cohorts: _Cohorts,
    folder: Path,
    found: Examined,
) -> None:
    """Every file that is named holds what it is said to, and every run that ended has arrays."""
    having: set[int] = set()
    query = f"select {selected(connection, 'array_file')} from array_file"
    rows = connection.execute(query).fetchall()
    for _, cohort, file, text, checksum in rows:
        members = cohorts.get(cohort, {})
        having |= members.keys()
        height = max(members.values(), default=-1) + 1
        try:
            shapes = files.checked_shapes(files.located(folder, file), checksum)
        except RecordError as error:
            found.arrays |= {runs[run].id: _fault_of(file, error) for run in members}
            continue
        missing = [n for n in json.loads(text) if shapes.get(n, (0,))[:1] < (height,)]
        if missing:
            reason = f"{file} lacks {', '.join(map(str, missing))}"
            found.arrays |= {runs[run].id: reason for run in members}
    found.counts["arrays"] = len(rows)
    for key, run in runs.items():
        if run.final and key not in having:
            found.arrays.setdefault(run.id, "it ended, and has no arrays")


def _fault_of(file: str, error: RecordError) -> str:
    return f"{file} is {'missing' if isinstance(error, files.FileMissing) else 'damaged'}"


def _check_checkpoints(
    connection: sqlite3.Connection,
    runs: Mapping[int, _Run],
    ends: Mapping[str, int],
    folder: Path,
    found: Examined,
) -> None:
    """Every checkpoint can be gone on from, and every run that has begun has one."""
    by_id = {run.id: run for run in runs.values()}
    carried: set[str] = set()
    query = f"select {selected(connection, 'checkpoint')} from checkpoint"
    rows = connection.execute(query).fetchall()
    for id, text, step, file, _, checksum in rows:
        members = [str(run) for run in json.loads(text)]
        ended = [run for run in members if run not in by_id or run in found.lost]
        try:
            files.checked_shapes(files.located(folder, file), checksum)
        except RecordError as error:
            found.checkpoints[id] = _fault_of(file, error)
            continue
        if ended:
            found.checkpoints[id] = f"it needs the run {ended[0]}, which is not to be had"
        elif any(max(by_id[run].step, ends[run]) > step for run in members):
            found.checkpoints[id] = "its runs are further than it is"
        else:
            carried |= set(members)
    found.counts["checkpoints"] = len(rows)
    for run in runs.values():
        if run.outcome == "training" and run.id not in carried:
            found.stranded[run.id] = "it has no checkpoint to go on from"
