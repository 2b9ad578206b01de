"""The statements that read: plain functions of a connection, called inside one snapshot."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from thalweg.errors import RecordError
from thalweg.record.schema import curve_checksum, has_table, selected
from thalweg.record.tables import Adjustment, Experiment, Outcome, Program, Run

__all__ = [
    "SPLITS",
    "CheckpointRow",
    "array_places",
    "checkpoint_row",
    "checkpoint_rows",
    "read_adjusted",
    "read_answered",
    "read_experiment",
    "read_experiments",
    "read_outcomes",
    "read_series",
    "read_series_names",
]

# Id, runs, step, file, extra, checksum of the file.
CheckpointRow = tuple[str, tuple[str, ...], int, str, dict[str, Any], int | None]

SPLITS = ("train", "validation", "test", "batch")  # prefixes of series that are of no layer

# Any number of ids fits in one JSON argument, where a list of placeholders would have a limit.
_RUNS = "select key from run where id in (select value from json_each(?))"


def read_outcomes(connection: sqlite3.Connection, runs: Iterable[str]) -> dict[str, Outcome]:
    """The outcome of every run that is known, by its name."""
    query = "select id, outcome from run where id in (select value from json_each(?))"
    return dict(connection.execute(query, (json.dumps(list(runs)),)))


# ------------------------------------------------------------------------------------- experiments


def read_experiments(connection: sqlite3.Connection) -> list[tuple[str, str, str]]:
    """Name, question and date of every experiment, the newest first."""
    query = "select id, question, created from experiment order by key desc"
    return connection.execute(query).fetchall()


def read_experiment(connection: sqlite3.Connection, id: str | None) -> Experiment:
    """An experiment with its runs; the newest if none is named."""
    known = [name for name, _, _ in read_experiments(connection)]
    if id is None and not known:
        raise RecordError("the record holds no experiment yet; run one with `thalweg run SPEC`")
    if id is None:
        id = known[0]
    if id not in known:
        raise RecordError(f"experiment {id} is not in the record; it has {', '.join(known)}")
    key, question, *texts = connection.execute(
        "select key, question, spec, compare, environment from experiment where id = ?", (id,)
    ).fetchone()
    spec, compare, environment = map(json.loads, texts)
    programs = connection.execute(
        "select id, description, compile_seconds from program where id in "
        "(select program from run join member on run.key = member.run where experiment = ?) "
        "order by key",
        (key,),
    )
    return Experiment(
        id=id,
        question=question,
        spec=spec,
        compare=compare,
        environment=environment,
        runs=tuple(_read_members(connection, key)),
        programs=tuple(Program(id, json.loads(text), seconds) for id, text, seconds in programs),
    )


def _read_members(connection: sqlite3.Connection, experiment: int) -> Iterable[Run]:
    rows = connection.execute(
        "select run.key, id, spec, seed, outcome, step, steps, program, train_seconds, finals, "
        "phase, factors from member join run on run.key = member.run "
        "where experiment = ? order by position",
        (experiment,),
    ).fetchall()
    layers = _layers(connection, experiment)
    adjustments = _adjustments(connection, experiment)
    for key, id, spec, seed, outcome, step, steps, program, seconds, finals, phase, factors in rows:
        yield Run(
            id=id,
            spec=json.loads(spec),
            seed=seed,
            outcome=outcome,
            step=step,
            steps=steps,
            program=program,
            train_seconds=seconds,
            finals=json.loads(finals),
            phase=phase,
            factors=json.loads(factors),
            layers=layers.get(key, ()),
            adjustments=tuple(adjustments[key]),
        )


def _adjustments(connection: sqlite3.Connection, experiment: int) -> dict[int, list[Adjustment]]:
    """What was changed by hand of each run, in order."""
    found: dict[int, list[Adjustment]] = defaultdict(list)
    if has_table(connection, "adjustment"):
        for key, *row in connection.execute(
            "select run.key, run.id, adjustment.step, name, factor, origin, time, request "
            "from adjustment join run on run.key = adjustment.run "
            "where run.key in (select run from member where experiment = ?) "
            "order by adjustment.key",
            (experiment,),
        ):
            found[key].append(Adjustment(*row))
    return found


def read_adjusted(connection: sqlite3.Connection) -> set[str]:
    """Ids of all runs that were adjusted by hand."""
    if not has_table(connection, "adjustment"):
        return set()
    query = "select id from run where key in (select run from adjustment)"
    return {id for (id,) in connection.execute(query)}


def read_answered(connection: sqlite3.Connection) -> set[str]:
    """Ids of the requests from which adjustments by hand came."""
    if not has_table(connection, "adjustment"):
        return set()
    return {id for (id,) in connection.execute("select distinct request from adjustment")}


def _layers(connection: sqlite3.Connection, experiment: int) -> dict[int, tuple[str, ...]]:
    """The layers of each run that has any, in the order in which their series appeared."""
    appeared: dict[int, list[tuple[int, str]]] = {}
    for cohort, name, key in connection.execute(
        "select cohort, name, min(key) from curve where cohort in (select cohort from cohort_run "
        "join member using (run) where experiment = ?) group by cohort, name order by min(key)",
        (experiment,),
    ):
        prefix, _, layer = name.partition(".")
        if layer and prefix not in SPLITS:
            appeared.setdefault(cohort, []).append((key, layer))
    cohorts: dict[int, list[int]] = {}
    for run, cohort in connection.execute(
        "select distinct run, cohort from cohort_run join member using (run) where experiment = ?",
        (experiment,),
    ):
        cohorts.setdefault(run, []).append(cohort)
    known: dict[tuple[int, ...], tuple[str, ...]] = {}  # lanes of a program share their answer
    for held in {tuple(held) for held in cohorts.values()}:
        series = sorted(pair for cohort in held for pair in appeared.get(cohort, ()))
        known[held] = tuple(dict.fromkeys(layer for _, layer in series))
    return {run: known[tuple(held)] for run, held in cohorts.items()}


# ------------------------------------------------------------------------------------------ curves


def read_series_names(connection: sqlite3.Connection, runs: Iterable[str]) -> list[str]:
    """The names of all curves that any of the runs has, sorted."""
    rows = connection.execute(
        f"select name from curve where cohort in (select cohort from cohort_run "
        f"where run in ({_RUNS})) group by name order by min(key)",
        (json.dumps(list(runs)),),
    )
    return [name for (name,) in rows]


def read_series(
    connection: sqlite3.Connection, name: str, runs: Sequence[str]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """One curve of some runs: steps and values, for those that have it."""
    members: dict[int, list[tuple[str, int]]] = {}
    for run, cohort, row in connection.execute(
        "select id, cohort, row from run join cohort_run on run.key = cohort_run.run "
        "where id in (select value from json_each(?))",
        (json.dumps(list(runs)),),
    ):
        members.setdefault(cohort, []).append((run, row))
    stretches: dict[int, list[tuple[bytes, bytes]]] = {}
    asked = selected(connection, "curve", "cohort", "step_blob", "value_blob", "checksum")
    for cohort, steps, values, checksum in connection.execute(
        f"select {asked} from curve where name = ? "
        "and cohort in (select value from json_each(?)) order by last",
        (name, json.dumps(list(members))),
    ):
        if checksum not in (None, curve_checksum(steps, values)):
            raise ValueError(f"a stretch of {name} is not what was written")
        stretches.setdefault(cohort, []).append((steps, values))

    parts: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for cohort, pieces in stretches.items():
        ids, rows = zip(*members[cohort], strict=True)
        steps, values = _join_cohort(pieces, list(rows))
        for run, curve in zip(ids, values, strict=True):
            parts.setdefault(run, []).append((steps, curve))
    return {run: _join_parts(parts[run]) for run in runs if run in parts}


def _join_cohort(
    pieces: Sequence[tuple[bytes, bytes]], rows: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Chunks of a cohort's curves joined: steps [step] and, for some of its rows, [row, step]."""
    steps = [np.frombuffer(blob, "<i4") for blob, _ in pieces]
    values = [
        np.frombuffer(blob, "<f4").reshape(-1, len(chunk))[rows]
        for chunk, (_, blob) in zip(steps, pieces, strict=True)
    ]
    return np.concatenate(steps), np.concatenate(values, axis=1)


def _join_parts(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """One curve from what several cohorts have of it, which may interleave."""
    if len(parts) == 1:
        [(steps, values)] = parts
        return steps.copy(), values  # runs of a cohort must not share an array one may change
    steps, values = (np.concatenate(halves) for halves in zip(*parts, strict=True))
    order = np.argsort(steps)
    return steps[order], values[order]


# ------------------------------------------------------------------------------------------- files


def checkpoint_rows(connection: sqlite3.Connection) -> list[CheckpointRow]:
    """All checkpoints, without their arrays."""
    query = f"select {selected(connection, 'checkpoint')} from checkpoint order by id"
    return [
        (id, tuple(json.loads(runs)), step, file, json.loads(extra), checksum)
        for id, runs, step, file, extra, checksum in connection.execute(query)
    ]


def checkpoint_row(connection: sqlite3.Connection, id: str) -> CheckpointRow:
    """One checkpoint, without its arrays."""
    rows = {row[0]: row for row in checkpoint_rows(connection)}
    if id not in rows:
        raise RecordError(
            f"checkpoint {id} is not in the record; it has {', '.join(rows) or 'none'}"
        )
    return rows[id]


def array_places(
    connection: sqlite3.Connection, run: str, names: Sequence[str] | None
) -> dict[str, tuple[str, int]]:
    """Where the arrays of a run are: by name, the newest file that has it and the row in it."""
    found = connection.execute("select key from run where id = ?", (run,)).fetchone()
    if found is None:
        raise RecordError(f"run {run} is not in the record")
    places: dict[str, tuple[str, int]] = {}
    for file, held, row in connection.execute(
        "select file, names, row from array_file join cohort_run using (cohort) "
        "where run = ? order by array_file.key desc",
        found,
    ):
        for name in json.loads(held):
            places.setdefault(name, (file, row))
    if names is None:
        return places
    missing = [name for name in names if name not in places]
    if missing:
        raise RecordError(
            f"run {run} has no array {', '.join(missing)}; it has {', '.join(places) or 'none'}"
        )
    return {name: places[name] for name in names}
