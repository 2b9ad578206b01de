"""Places that cannot be written or read: a sentence, and nothing recorded is lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from tests.cli.commands import start

from thalweg.record import Record

ALL = ("run", "plan", "compare", "report")


@pytest.fixture
def small_disk(tmp_path):
    """A function that mounts a disk of so many bytes."""
    mounted: list[Path] = []

    def mount(size: int) -> Path:
        folder = tmp_path / "disk"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        if os.geteuid() or not shutil.which("mount") or subprocess.run(command).returncode:
            pytest.skip("mounting a small file system takes root")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(thalweg, project, small_disk):
    recorded = thalweg("compare", "spec.toml", "--project", project, "--json")
    disk = small_disk(sum(f.stat().st_size for f in project.rglob("*")) + 60_000)
    shutil.copytree(project, disk / "project")
    place = ("spec.toml", "--project", disk / "project")
    more = ("run", *place, "--set", "compare.seeds.report=60", "--json")

    ran = thalweg(*more)
    assert ran.code == 1
    full = (
        f"the disk that holds {disk / 'project'} is full: nothing of this write was kept, and all"
    )
    assert full in ran.err
    assert thalweg("compare", *place, "--json") == recorded

    subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
    assert thalweg(*more).json["runs"]["finished"] == 4 + 2 * 60


def test_no_room_for_a_report(thalweg, project):
    ran = thalweg("run", "spec.toml", "--project", project, "--report", "/dev/full")
    assert ran.code == 1
    assert ran.err == "Error: /dev/full cannot be written: No space left on device\n"
    assert "Ranking" in ran.out  # the verdict is told all the same


@pytest.mark.parametrize("words", [["list"], ["--help"]])
def test_no_room_for_the_output(words):
    with open("/dev/full", "w") as full, start(*words, stdout=full) as process:
        _, said = process.communicate()
    assert process.returncode == 1
    assert said == "Error: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize("words", [["list"], ["run", "--help"]])
def test_a_reader_that_has_gone(words):
    read, write = os.pipe()
    os.close(read)
    with start(*words, stdout=write) as process:
        os.close(write)
        _, said = process.communicate()
    assert (process.returncode, said) == (1, "")


def test_a_project_that_cannot_be_written(thalweg):
    ran = thalweg("run", "spec.toml", "--project", "spec.toml")
    assert ran.code == 1
    assert ran.err == (
        "Error: spec.toml cannot be written to (Not a directory); choose another project folder\n"
    )


@pytest.mark.parametrize(
    ("option", "place"),
    [
        (["report", "--out"], "in_the_way/r.html"),
        (["report", "--markdown"], "in_the_way/r.md"),
        (["report", "--svg"], "in_the_way"),
        (["export", "--to"], "in_the_way"),
    ],
    ids=" ".join,
)
def test_files_where_folders_should_be(option, place, thalweg, project):
    Path("in_the_way").write_text("kept")
    command, flag = option
    ran = thalweg(command, "spec.toml", "--project", project, flag, place)
    assert ran.code == 1
    assert ran.err == "Error: in_the_way cannot be written: a file is where a folder should be\n"
    assert Path("in_the_way").read_text() == "kept"


def test_a_folder_where_a_report_should_be(thalweg, project):
    ran = thalweg("report", "spec.toml", "--project", project, "--out", project)
    assert (ran.code, ran.err) == (1, f"Error: {project} cannot be written: Is a directory\n")


@pytest.mark.parametrize("command", ALL)
def test_a_record_of_a_newer_format(command, thalweg, project):
    database = project / "record.sqlite"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("pragma user_version = 99")
    ran = thalweg(command, "spec.toml", "--project", project)
    assert ran.code == 1
    assert "has format version 99" in ran.err
    assert "upgrade Thalweg, or choose another project folder" in ran.err


@pytest.mark.parametrize("command", ["compare", "report", "export --to x"])
def test_an_experiment_that_is_not_recorded(command, thalweg, project):
    name, *options = command.split()
    ran = thalweg(name, "spec.toml", "--project", project, "--set", "training.epochs=5", *options)
    assert ran.code == 1
    assert f"{project} does not hold this experiment; `thalweg run` it first" in ran.err


def test_two_writers(thalweg, project):
    with Record.open(project, write=True):
        ran = thalweg("run", "spec.toml", "--project", project)
        assert ran.code == 1
        assert f"(pid {os.getpid()}) is writing {project}; wait until it is done" in ran.err
        assert thalweg("compare", "spec.toml", "--project", project).code == 0
        assert thalweg("plan", "spec.toml", "--project", project).code == 0
    assert thalweg("run", "spec.toml", "--project", project).code == 0
