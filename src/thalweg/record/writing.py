"""The statements that write; each is called inside a transaction, which the store begins and ends.

Rows refer to runs by their integer keys, which ``run_keys`` finds once for all that follows;
``Cohorts`` numbers the lists of runs that are written together.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from thalweg.errors import RecordError
from thalweg.record.files import Saved
from thalweg.record.schema import ADJUSTMENTS, Senseless, curve_checksum, read_json
from thalweg.record.tables import (
    Adjustment,
    ArraysUpdate,
    Checkpoint,
    Experiment,
    Program,
    RunUpdate,
    SeriesChunk,
)

__all__ = [
    "Cohorts",
    "append_series",
    "checked_runs",
    "drop_checkpoint",
    "name_arrays",
    "put_adjustments",
    "put_checkpoint",
    "put_experiment",
    "put_programs",
    "run_keys",
    "unnamed",
    "update_runs",
]


class Cohorts:
    """Numbers for the lists of runs that are written together.

    A list seen again gets the number it had. They are remembered by the writer alone: a list that
    comes back after a restart gets a new number, which costs a few rows and changes nothing.
    """

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, ...], int] = {}
        self._sharing: dict[int, str] = {}

    def number(self, connection: sqlite3.Connection, runs: tuple[int, ...]) -> int:
        """The number of the cohort of these runs, recorded if it is new."""
        if runs not in self._numbers:
            query = "select coalesce(max(cohort), 0) + 1 from cohort_run"
            [number] = connection.execute(query).fetchone()
            rows = [(run, number, row) for row, run in enumerate(runs)]
            connection.executemany("insert into cohort_run values (?, ?, ?)", rows)
            self._numbers[runs] = number
            self._sharing.clear()
        return self._numbers[runs]

    def sharing(self, connection: sqlite3.Connection, cohort: int) -> str:
        """Cohorts that have a run in common with this one, itself included, as JSON."""
        if cohort not in self._sharing:
            query = (
                "select distinct theirs.cohort from cohort_run ours "
                "join cohort_run theirs using (run) where ours.cohort = ?"
            )
            self._sharing[cohort] = _json([key for (key,) in connection.execute(query, (cohort,))])
        return self._sharing[cohort]

    def forget(self) -> None:
        """Drop what is remembered, because the transaction that recorded it was undone."""
        self._numbers.clear()
        self._sharing.clear()


def run_keys(connection: sqlite3.Connection, runs: Iterable[str]) -> dict[str, int]:
    """Keys of runs by id.

    Raises:
        RecordError: a run is not in the record.
    """
    wanted = list(dict.fromkeys(runs))
    query = "select id, key from run where id in (select value from json_each(?))"
    keys = dict(connection.execute(query, (_json(wanted),)))
    for run in wanted:
        if run not in keys:
            raise RecordError(f"run {run} is not in the record; add its experiment first")
    return keys


# --------------------------------------------------------------------------- experiments, programs


def put_programs(connection: sqlite3.Connection, programs: Iterable[Program]) -> None:
    """Add programs; those that are known are described anew."""
    _insert(
        connection,
        "program",
        [
            {
                "id": program.id,
                "description": _json(program.description),
                "compile_seconds": float(program.compile_seconds),
            }
            for program in programs
        ],
        "on conflict (id) do update set description = excluded.description, "
        "compile_seconds = excluded.compile_seconds",
    )


def put_experiment(connection: sqlite3.Connection, experiment: Experiment) -> None:
    """Add or replace an experiment, its runs and programs."""
    put_programs(connection, experiment.programs)
    _insert(
        connection,
        "run",
        [
            {
                "id": run.id,
                "spec": _json(run.spec),
                "seed": int(run.seed),
                "outcome": run.outcome,
                "step": int(run.step),
                "steps": int(run.steps),
                "program": run.program,
                "train_seconds": float(run.train_seconds),
                "finals": _finals(run.finals),
            }
            for run in experiment.runs
        ],
        "on conflict (id) do nothing",
    )
    query = "select key, created from experiment where id = ?"
    old = connection.execute(query, (experiment.id,)).fetchone()
    created = old[1] if old else datetime.now(UTC).isoformat(timespec="seconds")
    if old:  # taken out and added again, so that it is the newest
        connection.execute("delete from member where experiment = ?", old[:1])
        connection.execute("delete from experiment where key = ?", old[:1])
    row = {
        "id": experiment.id,
        "question": experiment.question,
        "spec": _json(experiment.spec),
        "compare": _json(experiment.compare),
        "environment": _json(experiment.environment),
        "created": created,
    }
    _insert(connection, "experiment", [row])
    [key] = connection.execute("select max(key) from experiment").fetchone()
    keys = run_keys(connection, (run.id for run in experiment.runs))
    members = [
        {
            "experiment": key,
            "position": position,
            "run": keys[run.id],
            "phase": run.phase,
            "factors": _json(run.factors),
        }
        for position, run in enumerate(experiment.runs)
    ]
    _insert(connection, "member", members)


def update_runs(
    connection: sqlite3.Connection,
    keys: Mapping[str, int],
    updates: Sequence[RunUpdate],
    program: str,
) -> None:
    """Record progress: seconds add up, finals replace those of the same name."""
    query = "select 1 from program where id = ?"
    if program and not connection.execute(query, (program,)).fetchone():
        raise RecordError(f"program {program} is not in the record; add it with add_programs first")
    query = "select key, finals from run where key in (select value from json_each(?))"
    stored = connection.execute(query, (_json([keys[update.run] for update in updates]),))
    finals = {key: _read_finals(text) for key, text in stored}
    for update in updates:
        finals[keys[update.run]] |= update.finals
    connection.executemany(
        "update run set outcome = :outcome, step = :step, finals = :finals, "
        "train_seconds = train_seconds + :train_seconds, "
        "program = iif(:program = '', program, :program) where key = :key",
        [
            {
                "key": keys[update.run],
                "outcome": update.outcome,
                "step": int(update.step),
                "finals": _finals(finals[keys[update.run]]),
                "train_seconds": float(update.train_seconds),
                "program": program,
            }
            for update in updates
        ],
    )


def put_adjustments(
    connection: sqlite3.Connection, keys: Mapping[str, int], adjustments: Sequence[Adjustment]
) -> None:
    """Add what was changed by hand."""
    if adjustments:
        connection.execute(ADJUSTMENTS)
    _insert(
        connection,
        "adjustment",
        [
            {
                "run": keys[made.run],
                "step": int(made.step),
                "name": made.name,
                "factor": float(made.factor),
                "origin": made.origin,
                "time": made.time,
                "request": made.request,
            }
            for made in adjustments
        ],
    )


# ------------------------------------------------------------------------------------------ curves


def append_series(
    connection: sqlite3.Connection,
    keys: Mapping[str, int],
    cohorts: Cohorts,
    chunks: Sequence[SeriesChunk],
) -> None:
    """Record stretches of curves; runs whose stretches have the same names and steps form a cohort.

    Raises:
        RecordError: a stretch does not come after what is recorded of its curve.
    """
    stretches: dict[str, list[tuple[str, bytes]]] = {}  # name and steps, by run
    values: dict[str, list[np.ndarray]] = {}
    known: dict[int, bytes] = {}  # lanes share their steps, so few have to be looked at
    for chunk in chunks:
        if len(chunk.values) != len(chunk.steps):
            raise RecordError(
                f"SeriesChunk.values of {chunk.name} must be one value for each of the "
                f"{len(chunk.steps)} steps, got {len(chunk.values)}"
            )
        if not len(chunk.steps):
            continue
        steps = known.get(id(chunk.steps))
        if steps is None:
            steps = known[id(chunk.steps)] = _checked_steps(chunk)
        stretches.setdefault(chunk.run, []).append((chunk.name, steps))
        values.setdefault(chunk.run, []).append(chunk.values)

    alike: dict[tuple[tuple[str, bytes], ...], list[str]] = {}
    for run, held in stretches.items():
        alike.setdefault(tuple(held), []).append(run)
    for held, runs in alike.items():
        cohort = cohorts.number(connection, tuple(keys[run] for run in runs))
        sharing = cohorts.sharing(connection, cohort)
        for place, (name, steps) in enumerate(held):
            first, last = (int(step) for step in np.frombuffer(steps, "<i4")[[0, -1]])
            _check_follows(connection, cohort, sharing, name, first)
            with np.errstate(over="ignore"):  # beyond float32 is infinite
                matrix = np.array([values[run][place] for run in runs]).astype("<f4", copy=False)
            blob = matrix.tobytes()
            row = {"cohort": cohort, "name": name, "last": last, "step_blob": steps}
            row |= {"value_blob": blob, "checksum": curve_checksum(steps, blob)}
            _insert(connection, "curve", [row])


def _checked_steps(chunk: SeriesChunk) -> bytes:
    """The steps as they are stored."""
    steps = np.asarray(chunk.steps)
    if (
        steps.dtype.kind not in "iu"
        or steps.ndim != 1
        or steps[0] < 0
        or steps[-1] >= 2**31
        or np.any(steps[1:] <= steps[:-1])
    ):
        raise RecordError(
            f"SeriesChunk.steps of {chunk.name} must be whole numbers that increase strictly, from "
            f"0 or more, got {chunk.steps!r}"
        )
    return steps.astype("<i4").tobytes()


def _check_follows(
    connection: sqlite3.Connection, cohort: int, sharing: str, name: str, first: int
) -> None:
    """Refuse to record a curve twice: every run of the cohort must have ended before ``first``."""
    found = connection.execute(
        "select cohort, last from curve where name = ? and last >= ? "
        "and cohort in (select value from json_each(?)) limit 1",
        (name, first, sharing),
    ).fetchone()
    if found is None:
        return
    [run] = connection.execute(
        "select id from run where key in (select run from cohort_run where cohort = ? "
        "intersect select run from cohort_run where cohort = ?) limit 1",
        (cohort, found[0]),
    ).fetchone()
    raise RecordError(
        f"{name} of run {run} is recorded up to step {found[1]} already, got step {first}; go on "
        f"from the run's checkpoint, which agrees with what is recorded"
    )


# ------------------------------------------------------------------------------ files: by name only


def put_checkpoint(
    connection: sqlite3.Connection, checkpoint: Checkpoint, saved: Saved
) -> list[str]:
    """Name the file of a checkpoint; returns the file it supersedes, if any."""
    stale = drop_checkpoint(connection, checkpoint.id)
    row = {
        "id": checkpoint.id,
        "runs": _json(checkpoint.runs),
        "step": int(checkpoint.step),
        "file": saved.name,
        "extra": _json(checkpoint.extra),
        "checksum": saved.checksum,
    }
    _insert(connection, "checkpoint", [row])
    return stale


def drop_checkpoint(connection: sqlite3.Connection, id: str) -> list[str]:
    """Forget a checkpoint, if there is one; returns its file."""
    query = "delete from checkpoint where id = ? returning file"
    return [file for (file,) in connection.execute(query, (id,)).fetchall()]


def checked_runs(update: ArraysUpdate) -> tuple[str, ...]:
    """The runs of an update whose arrays have a row for each of them."""
    if len(set(update.runs)) < len(update.runs):
        raise RecordError(f"ArraysUpdate.runs must be distinct, got {', '.join(update.runs)}")
    for name, array in update.arrays.items():
        if np.shape(array)[:1] != (len(update.runs),):
            raise RecordError(
                f"ArraysUpdate.arrays[{name!r}] must have a row for each of the "
                f"{len(update.runs)} runs, got shape {np.shape(array)}"
            )
    return update.runs


def name_arrays(
    connection: sqlite3.Connection,
    keys: Mapping[str, int],
    cohorts: Cohorts,
    update: ArraysUpdate,
    saved: Saved,
) -> list[str]:
    """Name a file of arrays of runs; returns the files of which nothing is needed any more."""
    cohort = cohorts.number(connection, tuple(keys[run] for run in update.runs))
    row = {"cohort": cohort, "file": saved.name, "names": _json(sorted(update.arrays))}
    _insert(connection, "array_file", [row | {"checksum": saved.checksum}])
    stale = _superseded(connection, cohorts.sharing(connection, cohort))
    connection.executemany("delete from array_file where file = ?", [(name,) for name in stale])
    return stale


def _superseded(connection: sqlite3.Connection, cohorts: str) -> list[str]:
    """Files of these cohorts that hold nothing of which no run has a newer array."""
    query = (
        "select file from array_file where cohort in (select value from json_each(?)) order by key"
    )
    candidates = [file for (file,) in connection.execute(query, (cohorts,))]
    query = (
        "select run, file, names from cohort_run join array_file using (cohort) where run in "
        "(select run from cohort_run join array_file using (cohort) "
        "where cohort in (select value from json_each(?))) order by array_file.key desc"
    )
    newer: dict[int, set[str]] = {}  # names by run, while going back in time
    needed: set[str] = set()
    for run, file, text in connection.execute(query, (cohorts,)):
        names, held = list(map(str, read_json(text, list))), newer.setdefault(run, set())
        if not held.issuperset(names):
            needed.add(file)
            held.update(names)
    return [file for file in candidates if file not in needed]


def unnamed(connection: sqlite3.Connection, files: Iterable[str]) -> list[str]:
    """Those of the files that no row names."""
    query = "select file from checkpoint union all select file from array_file"
    named = {file for (file,) in connection.execute(query)}
    return [file for file in files if file not in named]


# -------------------------------------------------------------------------------------------- rows


def _insert(
    connection: sqlite3.Connection, table: str, rows: Sequence[dict[str, Any]], else_: str = ""
) -> None:
    """Insert rows, all of the same columns."""
    if rows:
        columns, values = ", ".join(rows[0]), ", ".join(f":{column}" for column in rows[0])
        connection.executemany(f"insert into {table} ({columns}) values ({values}) {else_}", rows)


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _read_finals(text: str) -> dict[str, float]:
    held = read_json(text, dict)
    if not all(isinstance(value, int | float) for value in held.values()):
        raise Senseless(f"{text!r:.40} are no finals")
    return held


def _finals(finals: Any) -> str:
    # A diverged run may end in NaN or infinity, which Python's JSON writes and reads.
    return _json({name: float(value) for name, value in finals.items()})
