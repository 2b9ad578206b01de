"""Every failure is one clear sentence, and nothing recorded before it is lost."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from thalweg.errors import RecordError
from thalweg.record import FORMAT_VERSION, Record
from thalweg.record.repairing import repair
from thalweg.record.tables import ArraysUpdate, Checkpoint, Program, RunUpdate, SeriesChunk


def progress(step: int, size: int = 4) -> dict:
    """The arguments of a write that takes ``r0`` to a step."""
    values = np.full(size, step, np.float32)
    return {
        "updates": [RunUpdate("r0", "training", step)],
        "series": [SeriesChunk("r0", "train.loss", step + np.arange(size), values)],
        "checkpoint": Checkpoint("w", ("r0",), step, {"x": np.full(size, step)}),
        "arrays": ArraysUpdate(("r0",), {"a": np.full((1, size), step)}),
    }


def assert_stands_at(record: Record, step: int, size: int = 4) -> None:
    """Every part of the record is that of the last write that succeeded, and no other file is."""
    assert record.experiment().runs[0].step == step
    assert record.series("train.loss", ["r0"])["r0"][0][-1] == step + size - 1
    assert record.checkpoint("w").arrays["x"][0] == step
    assert record.arrays("r0")["a"][0] == step
    assert len(list((record.project / "arrays").iterdir())) == 2


# ------------------------------------------------------------------------------ what cannot be read


def test_no_record(tmp_path):
    (tmp_path / "file").touch()
    for project in (tmp_path, tmp_path / "nowhere", tmp_path / "file" / "below"):
        with pytest.raises(RecordError, match=f"{project} holds no record; run an experiment with"):
            Record.open(project)
    (tmp_path / "record.sqlite").touch()  # a writer was killed before it wrote anything
    with pytest.raises(RecordError, match="holds no record"):
        Record.open(tmp_path)
    with Record.open(tmp_path, write=True) as record:
        assert record.experiments() == []
        with pytest.raises(RecordError, match="holds no experiment yet"):
            record.experiment()


@pytest.mark.parametrize("write", [False, True])
def test_a_newer_format_version(record, project, write):
    record.close()
    with sqlite3.connect(project / "record.sqlite") as connection:
        connection.execute(f"pragma user_version = {FORMAT_VERSION + 1}")
    connection.close()
    before = (project / "record.sqlite").read_bytes()
    with pytest.raises(RecordError, match=r"format version 2, .* up to 1; upgrade Thalweg"):
        Record.open(project, write=write)
    assert (project / "record.sqlite").read_bytes() == before


@pytest.mark.parametrize("write", [False, True])
def test_another_programs_database(tmp_path, write):
    with sqlite3.connect(tmp_path / "record.sqlite") as connection:
        connection.execute("create table mine (x)")
    connection.close()
    before = (tmp_path / "record.sqlite").read_bytes()
    with pytest.raises(RecordError, match="is a database of another program; choose another"):
        Record.open(tmp_path, write=write)
    assert (tmp_path / "record.sqlite").read_bytes() == before


@pytest.mark.parametrize("write", [False, True])
def test_not_a_database(tmp_path, write):
    (tmp_path / "record.sqlite").write_text("These are my notes. " * 500)
    with pytest.raises(
        RecordError, match=r"damaged or is not a database .* restore it from a back"
    ):
        Record.open(tmp_path, write=write)
    assert (tmp_path / "record.sqlite").read_text() == "These are my notes. " * 500


@pytest.mark.parametrize("write", [False, True])
def test_a_truncated_database(record, project, write):
    record.close()
    with (project / "record.sqlite").open("r+b") as file:
        file.truncate(20_000)
    with pytest.raises(RecordError, match="damaged or is not a database"):
        Record.open(project, write=write)


def test_a_schema_that_is_no_text(record, project):
    record.close()
    database = project / "record.sqlite"
    held = database.read_bytes()
    assert b"tablecurvecurve" in held
    database.write_bytes(held.replace(b"tablecurvecurve", b"table\x80urvecurve"))
    with pytest.raises(RecordError, match="damaged or is not a database"):
        Record.open(project)
    repair(project)
    with Record.open(project) as again:
        assert again.experiments() == [] or again.experiment().runs


@pytest.mark.parametrize("held", ["7", "[", '{"test.loss": []}'])
def test_finals_that_are_none_are_not_added_to(held, record, project):
    with closing(sqlite3.connect(project / "record.sqlite")) as connection, connection:
        connection.execute("update run set finals = ?", (held,))
    with pytest.raises(RecordError, match="damaged or is not a database"):
        record.write(updates=[RunUpdate("r0", "training", 3)])


def test_a_damaged_page_is_found_when_it_is_read(record, project):
    record.close()
    database = project / "record.sqlite"
    size = database.stat().st_size
    database.write_bytes(database.read_bytes()[:8192] + b"\xff" * (size - 8192))
    with pytest.raises(RecordError, match="damaged"), Record.open(project) as again:
        again.experiment()


def test_a_missing_array_file(record, project):
    record.write(**progress(1))
    for file in (project / "arrays").iterdir():
        file.unlink()
    reads: list[Callable] = [
        lambda: record.arrays("r0"),
        lambda: record.checkpoint("w"),
        lambda: record.checkpoints()[0].arrays["x"],
    ]
    for read in reads:
        with pytest.raises(RecordError, match=r"safetensors is missing, although the record names"):
            read()
    assert record.series_names(["r0"]) == ["train.loss"], "the rest can be read"


def test_a_damaged_array_file(record, project):
    record.write(**progress(1))
    for file in (project / "arrays").iterdir():
        file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(RecordError, match=r"is damaged .* restore it from a backup"):
        record.arrays("r0")
    with pytest.raises(RecordError, match=r"is damaged .* restore it from a backup"):
        record.checkpoint("w")


def test_what_is_not_there(record):
    with pytest.raises(RecordError, match="experiment e9 is not in the record; it has e1"):
        record.experiment("e9")
    with pytest.raises(RecordError, match="run r9 is not in the record"):
        record.arrays("r9")
    with pytest.raises(RecordError, match="checkpoint w is not in the record; it has none"):
        record.checkpoint("w")
    record.write(**progress(1))
    with pytest.raises(RecordError, match="run r0 has no array b, c; it has a"):
        record.arrays("r0", ["a", "b", "c"])


# -------------------------------------------------------------------------- what cannot be written


def test_two_writers(record, project):
    with pytest.raises(RecordError, match=rf"another process \(pid {os.getpid()}\) is writing"):
        Record.open(project, write=True)
    record.write(**progress(1))
    assert_stands_at(record, 1)
    record.close()
    with Record.open(project, write=True) as again:
        again.write(**progress(9))


def test_writing_to_a_record_open_for_reading(record, project):
    with Record.open(project) as reader:
        for attempt in (
            lambda: reader.write(**progress(1)),
            lambda: reader.add_programs([]),
            lambda: reader.add_experiment(record.experiment()),
        ):
            with pytest.raises(RecordError, match="is open for reading; open it with write=True"):
                attempt()


@pytest.mark.parametrize("first", [0, 3, 7])
def test_a_stretch_that_was_recorded_already(record, first):
    record.write(**progress(4))
    again = SeriesChunk("r0", "train.loss", first + np.arange(3), np.zeros(3))
    fresh = SeriesChunk("r1", "test.loss", first + np.arange(3), np.zeros(3))
    with pytest.raises(RecordError, match=f"of run r0 is recorded up to step 7 .* step {first};"):
        record.write(updates=[RunUpdate("r1", "training", 3)], series=[fresh, again])
    assert_stands_at(record, 4)
    assert record.experiment().runs[1].outcome == "waiting"
    assert record.series_names(["r1"]) == []
    record.write(series=[fresh])  # the write that failed left nothing behind that is in the way
    record.write(**progress(8))
    assert record.series("test.loss", ["r1"])["r1"][0].tolist() == fresh.steps.tolist()
    assert_stands_at(record, 8)


def test_a_stretch_recorded_in_other_company_in_the_meantime(record):
    def put(step: int, *runs: str) -> None:
        record.write(series=[SeriesChunk(r, "a", np.array([step]), np.zeros(1)) for r in runs])

    put(1, "r0", "r1")
    put(3, "r1")
    with pytest.raises(RecordError, match="a of run r1 is recorded up to step 3 already"):
        put(2, "r0", "r1")
    put(2, "r0")


def test_the_same_stretch_twice_in_one_write(record):
    twice = [SeriesChunk("r0", "train.loss", np.arange(3), np.zeros(3))] * 2
    with pytest.raises(RecordError, match="recorded up to step 2 already"):
        record.write(series=twice)


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        ({"updates": [RunUpdate("r9", "training", 1)]}, "run r9 is not in the record; add its exp"),
        ({"series": [SeriesChunk("r9", "a", np.arange(1), np.zeros(1))]}, "run r9 is not in the"),
        ({"checkpoint": Checkpoint("w", ("r9",), 1, {})}, "run r9 is not in the record"),
        ({"arrays": ArraysUpdate(("r9",), {})}, "run r9 is not in the record"),
        ({"program": "p9"}, "program p9 is not in the record; add it with add_programs first"),
        ({"arrays": ArraysUpdate(("r0", "r0"), {})}, "runs must be distinct, got r0, r0"),
        (
            {"arrays": ArraysUpdate(("r0", "r1"), {"a": np.zeros((3, 2))})},
            r"arrays\['a'\] must have a row for each of the 2 runs, got shape \(3, 2\)",
        ),
        (
            {"arrays": ArraysUpdate(("r0",), {"a": np.zeros(1, np.complex128)})},
            "arrays a cannot be recorded: .*complex128",
        ),
        (
            {"series": [SeriesChunk("r0", "a", np.arange(2), np.zeros(3))]},
            "values of a must be one value for each of the 2 steps, got 3",
        ),
        *(
            (
                {"series": [SeriesChunk("r0", "a", np.array(steps), np.zeros(2))]},
                "steps of a must be whole numbers that increase strictly, from 0 or more, got",
            )
            for steps in ([1, 1], [2, 1], [-1, 0], [0.5, 1.5], [0, 2**31], [[0], [1]])
        ),
    ],
)
def test_what_a_write_refuses(record, write, sentence):
    record.write(**progress(1))
    with pytest.raises(RecordError, match=sentence):
        record.write(**write)
    assert_stands_at(record, 1)


# ----------------------------------------------------------------------------------- permissions


@contextmanager
def forbidden(folder: Path) -> Iterator[None]:
    """Take away the permission to write to a folder and to what is in it, also from root."""
    modes = {path: path.stat().st_mode for path in (folder, *folder.rglob("*"))}
    for path in modes:
        path.chmod(0o555 if path.is_dir() else 0o444)
    root = os.geteuid() == 0
    if root:  # whom no permission stops, so we act as nobody, who must be able to come here
        ours = [path for path in folder.parents if Path(tempfile.gettempdir()) in path.parents]
        modes |= {path: path.stat().st_mode for path in ours}
        for path in ours:
            path.chmod(0o755)
        os.seteuid(65534)
    try:
        if not os.access(folder, os.R_OK | os.X_OK, effective_ids=True):
            pytest.skip("a user without rights cannot reach the folder of temporary files")
        yield
    finally:
        if root:
            os.seteuid(0)
        for path, mode in modes.items():
            if path.exists():
                path.chmod(mode)


def test_writing_without_permission(record, project, tmp_path):
    record.close()
    with forbidden(project), pytest.raises(RecordError, match=r"cannot be written to .*Permission"):
        Record.open(project, write=True)
    (tmp_path / "closed").mkdir()
    with forbidden(tmp_path / "closed"), pytest.raises(RecordError, match="cannot be written to"):
        Record.open(tmp_path / "closed" / "project", write=True)
    (tmp_path / "file").touch()
    with pytest.raises(
        RecordError, match=r"cannot be written to .*; choose another project folder"
    ):
        Record.open(tmp_path / "file" / "project", write=True)


def test_reading_needs_no_permission_to_write(record, project):
    record.write(**progress(1))
    with forbidden(project), Record.open(project) as reader:  # while a writer is there
        assert_stands_at(reader, 1)
    record.close()
    with forbidden(project), Record.open(project) as reader:  # closed, so without a log
        assert_stands_at(reader, 1)
    with Record.open(project) as reader:  # which leaves an empty log
        assert_stands_at(reader, 1)
    with forbidden(project), Record.open(project) as reader:
        assert_stands_at(reader, 1)


def test_a_log_to_be_recovered_is_not_passed_over(record, project, tmp_path):
    record.write(**progress(1))
    copy = tmp_path / "copy"  # as a killed writer leaves it, brought elsewhere
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns("*-shm"))
    with (
        forbidden(copy),
        pytest.raises(RecordError, match=r"cannot be opened .* copy the folder to where you may"),
    ):
        Record.open(copy)
    with Record.open(copy) as reader:
        assert_stands_at(reader, 1)


# ------------------------------------------------------------------------------------- a full disk

FULL = "is full: nothing of this write was kept, and all that was recorded before is safe"


def test_the_database_cannot_grow(record):
    record.write(**progress(1))
    [pages] = record._connection.execute("pragma page_count").fetchone()
    record._connection.execute(f"pragma max_page_count = {pages}")
    with pytest.raises(RecordError, match=FULL):
        record.write(**progress(5, size=10_000))
    assert_stands_at(record, 1)
    with pytest.raises(RecordError, match=FULL):
        record.add_programs([Program("large", {"text": "x" * 100_000})])
    record._connection.execute("pragma max_page_count = 1000000")
    record.write(**progress(5))
    assert_stands_at(record, 5)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_no_room_for_arrays(record, monkeypatch, code):
    record.write(**progress(1))

    def fail(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(RecordError, match=FULL):
            record.write(**progress(5))
    assert_stands_at(record, 1)
    record.write(**progress(5))
    assert_stands_at(record, 5)


def test_disks_of_any_size_too_small(tmp_path, plan):
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    if os.geteuid() or not shutil.which("mount") or subprocess.run(mount).returncode:
        pytest.skip("mounting a small file system takes root")
    sentences = set()
    try:
        for kibibytes in range(4, 160, 4):
            subprocess.run(["mount", "-o", f"remount,size={kibibytes}k", str(tmp_path)], check=True)
            try:
                with Record.open(tmp_path / "project", write=True) as record:
                    record.add_experiment(plan())
            except RecordError as error:
                sentences.add(str(error))
            shutil.rmtree(tmp_path / "project", ignore_errors=True)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert sentences
    assert all("is full" in sentence for sentence in sentences), sentences


def test_a_disk_that_is_really_full(tmp_path, plan):
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    if os.geteuid() or not shutil.which("mount") or subprocess.run(mount).returncode:
        pytest.skip("mounting a small file system takes root")
    try:
        with Record.open(tmp_path / "project", write=True) as record:
            record.add_experiment(plan())
            record.write(**progress(1))
            with pytest.raises(RecordError, match=FULL):  # by the arrays
                record.write(**progress(5, size=200_000))
            assert_stands_at(record, 1)
            ballast = tmp_path / "ballast"
            with pytest.raises(OSError, match="No space"):
                ballast.write_bytes(bytes(2**20))
            with pytest.raises(RecordError, match=FULL):  # by the database
                record.write(series=progress(5, size=5_000)["series"])
            assert_stands_at(record, 1)
            ballast.unlink()
            record.write(**progress(5))
            assert_stands_at(record, 5)
        with Record.open(tmp_path / "project") as record:
            assert_stands_at(record, 5)
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_an_interrupted_write_leaves_nothing(record, monkeypatch):
    record.write(**progress(1))

    def interrupt(source: object, target: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            record.write(**progress(5))
    assert_stands_at(record, 1)
    record.write(**progress(5))
    assert_stands_at(record, 5)
