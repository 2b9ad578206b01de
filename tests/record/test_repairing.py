"""What is wrong with a record is found, and it goes back to its last good state."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from thalweg.errors import RecordError
from thalweg.record import Record, files
from thalweg.record.checking import examine
from thalweg.record.repairing import repair
from thalweg.record.tables import ArraysUpdate, Checkpoint, RunUpdate, SeriesChunk


def curve(run: str, first: int, last: int) -> SeriesChunk:
    steps = np.arange(first, last + 1)
    return SeriesChunk(run, "train.loss", steps, steps / 2)


@pytest.fixture
def written(record, project) -> Path:
    """``r0`` and ``r1`` have finished, ``r2`` trains, ``r3`` waits."""
    record.write(
        updates=[RunUpdate(run, "finished", 100, 1.0, {"test.loss": 1.0}) for run in ("r0", "r1")],
        series=[curve(run, 1, 100) for run in ("r0", "r1")],
        arrays=ArraysUpdate(("r0", "r1"), {"a": np.ones((2, 3))}),
    )
    record.write(
        updates=[RunUpdate("r2", "training", 50, 1.0)],
        series=[curve("r2", 1, 50)],
        checkpoint=Checkpoint("w", ("r2",), 50, {"x": np.ones(3)}),
    )
    record.close()
    return project


def change(statement: str) -> Callable[[Path], None]:
    """Change the database behind the record's back."""

    def changed(project: Path) -> None:
        with closing(sqlite3.connect(project / "record.sqlite")) as connection, connection:
            connection.execute(statement)

    return changed


def file_of(project: Path, table: str) -> Path:
    with closing(sqlite3.connect(project / "record.sqlite")) as connection:
        [name] = connection.execute(f"select file from {table}").fetchone()
    return project / "arrays" / name


def flip(table: str) -> Callable[[Path], None]:
    """Change the last bit of the last number of a file."""

    def flipped(project: Path) -> None:
        path = file_of(project, table)
        held = path.read_bytes()
        path.write_bytes(held[:-1] + bytes([held[-1] ^ 1]))

    return flipped


# Half of a stretch as it was, and nothing where the other half was.
HALVED = change(
    "update curve set value_blob = cast(substr(value_blob, 1, 400) || zeroblob(400) as blob) "
    "where cohort = 1"
)


def cut(table: str) -> Callable[[Path], None]:
    return lambda project: os.truncate(file_of(project, table), 70)


def outcomes(project: Path) -> list[str]:
    with Record.open(project, write=True) as record:
        return [run.outcome for run in record.experiment().runs]


WHOLE = ["finished", "finished", "training", "waiting"]
LOST_TWO = ["waiting", "waiting", "training", "waiting"]
LOST_ONE = ["waiting", "finished", "training", "waiting"]
LOST_THIRD = ["finished", "finished", "waiting", "waiting"]


def test_a_whole_record(written):
    found = examine(written)
    assert found.well, found
    assert found.counts == {
        "curves": 2, "arrays": 1, "checkpoints": 1, "experiments": 1, "runs": 4
    }  # fmt: skip
    before = sorted(path.name for path in written.rglob("*"))
    assert repair(written) is None
    assert sorted(path.name for path in written.rglob("*")) == before
    assert outcomes(written) == WHOLE


@pytest.mark.parametrize(
    ("harm", "left"),
    [
        (cut("array_file"), LOST_TWO),
        (lambda project: file_of(project, "array_file").unlink(), LOST_TWO),
        (flip("array_file"), LOST_TWO),
        (HALVED, LOST_TWO),
        (cut("checkpoint"), LOST_THIRD),
        (flip("checkpoint"), LOST_THIRD),
        (lambda project: file_of(project, "checkpoint").unlink(), LOST_THIRD),
        (change("delete from checkpoint"), LOST_THIRD),
        (change("update checkpoint set step = 40"), LOST_THIRD),
        (change("delete from array_file"), LOST_TWO),
        (change("update checkpoint set file = '/tmp/x.safetensors'"), LOST_THIRD),
        (change("""update array_file set names = '["b"]'"""), LOST_TWO),
        (change("update curve set value_blob = zeroblob(400) where cohort = 1"), LOST_TWO),
        (change("update curve set step_blob = x'01' where cohort = 1"), LOST_TWO),
        (change("update run set step = 99 where id = 'r0'"), LOST_ONE),
        (change("update run set outcome = 'waiting' where id = 'r0'"), LOST_ONE),
        (change("insert into curve select 9, cohort, name, last, step_blob, value_blob, null "
                "from curve where cohort = 1"), LOST_TWO),
        # A row that says nothing is lost itself; the rest is as it was.
        (change("update run set finals = '{' where id = 'r0'"), WHOLE[1:]),
        (change("update run set seed = 'x' where id = 'r0'"), WHOLE[1:]),
        (change("update program set description = '[]'"), WHOLE),
        (change("update curve set last = 'x' where cohort = 2"), LOST_THIRD),
    ],
)  # fmt: skip
def test_what_is_wrong_is_forgotten(written, harm, left):
    harm(written)
    assert not examine(written).well
    before = (written / "record.sqlite").read_bytes()
    kept = repair(written)
    assert kept is not None
    assert (kept / "record.sqlite").read_bytes() == before
    found = examine(written)
    assert found.well, found
    assert outcomes(written) == left
    with Record.open(written, write=True) as record:  # what is forgotten can be written again
        for run in record.experiment().runs:
            if run.outcome == "waiting":
                record.write(series=[curve(run.id, 1, 100)])
            else:
                assert record.series("train.loss", [run.id])[run.id][0][-1] == run.step


def test_numbers_that_were_changed_are_not_gone_on_from_or_shown(written):
    flip("checkpoint")(written)
    HALVED(written)
    with Record.open(written) as record:
        with pytest.raises(RecordError, match=r"damaged \(it is not what was written\)"):
            record.checkpoint("w")
        with pytest.raises(RecordError, match="is not what was written"):
            record.series("train.loss", ["r0"])


@pytest.mark.parametrize("name", ["../../mine.safetensors", "ABSOLUTE", "", "..", 7, b"x"])
def test_a_record_does_not_lead_to_files_elsewhere(name, written):
    mine = written.parent / "mine.safetensors"
    save_file({"x": np.ones(3)}, mine)
    name = str(mine) if name == "ABSOLUTE" else name
    with closing(sqlite3.connect(written / "record.sqlite")) as connection, connection:
        connection.execute("update checkpoint set file = ?, checksum = null", (name,))
    with pytest.raises(RecordError, match="for a file of arrays"), Record.open(written) as record:
        record.checkpoint("w")
    with (
        pytest.raises(RecordError, match="for a file of arrays"),
        Record.open(written, write=True) as record,
    ):
        record.write(finished_checkpoint="w")  # which deletes its file
    assert mine.exists()


def test_a_pipe_where_a_file_should_be(written):
    for table in ("array_file", "checkpoint"):
        path = file_of(written, table)
        path.unlink()
        os.mkfifo(path)  # whoever opens it waits for ever
    found = examine(written)
    assert set(found.arrays) == {"r0", "r1"}
    assert set(found.checkpoints) == {"w"}
    with Record.open(written) as record:
        for attempt in (lambda: record.arrays("r0"), lambda: record.checkpoint("w")):
            with pytest.raises(RecordError, match="it is no file"):
                attempt()


def test_a_file_that_goes_while_it_is_looked_at_is_missing(written, monkeypatch):
    path = file_of(written, "array_file")
    look = Path.stat

    def looked(self, **more):
        found = look(self, **more)
        if self == path:
            os.unlink(path)  # another process has written a newer one
        return found

    monkeypatch.setattr(Path, "stat", looked)
    with pytest.raises(files.FileMissing):
        files.check(path, None)


@pytest.mark.parametrize("page", range(1, 20))
def test_a_page_of_the_database_is_torn(written, page):
    database = written / "record.sqlite"
    held = database.read_bytes()
    assert len(held) > 4096
    begin = page * 4096 % len(held)
    database.write_bytes(held[:begin] + b"\xa5" * 4096 + held[begin + 4096 :])
    if examine(written).well:
        return  # nothing is on that page
    assert repair(written) is not None
    found = examine(written)
    assert found.well, found
    with Record.open(written, write=True) as record:
        for id, _, _ in record.experiments():
            for run in record.experiment(id).runs:
                if run.outcome == "finished":
                    steps, values = record.series("train.loss", [run.id])[run.id]
                    np.testing.assert_array_equal(values, np.arange(1, 101, dtype=np.float32) / 2)
                    assert len(steps) == 100


def test_a_file_that_is_superseded_meanwhile(written, monkeypatch):
    shapes, writer = files.checked_shapes, Record.open(written, write=True)

    def late(path: Path, checksum: int | None) -> object:
        if writer.writable and path.name == file_of(written, "checkpoint").name:
            writer.writable = False
            path.rename(path.with_suffix(".away"))
            try:
                return shapes(path, checksum)
            finally:
                path.with_suffix(".away").rename(path)
        return shapes(path, checksum)

    monkeypatch.setattr(files, "checked_shapes", late)
    assert examine(written).well
    assert not writer.writable
    writer.close()


def test_a_lost_database_is_not_begun_anew(written):
    (written / "record.sqlite").unlink()
    with pytest.raises(RecordError, match="knows none of the files in arrays"):
        Record.open(written, write=True)
    kept = repair(written)
    assert kept is not None
    assert len(list((kept / "arrays").iterdir())) == 2
    with Record.open(written, write=True) as record:
        assert record.experiments() == []


def test_a_record_that_is_written_is_not_repaired(written):
    cut("checkpoint")(written)
    with Record.open(written, write=True), pytest.raises(RecordError, match="is writing"):
        repair(written)
