"""Bytes from outside, changed at random: a sentence, at once, in little memory, and nothing runs.

THALWEG_HOSTILE says how many are tried of each kind: 40 where it does not, 10,000 for a long look.
"""

from __future__ import annotations

import decimal
import gzip
import io
import os
import re
import resource
import shutil
import signal
import sqlite3
import struct
import sys
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.cli.commands import SPEC
from tests.record.conftest import planned

from thalweg import laboratory  # noqa: F401 (imported before memory is counted)
from thalweg.cli.request import Request
from thalweg.data import CSV, Arrays, Parquet, read_idx
from thalweg.errors import DataError, ThalwegError
from thalweg.record import Record
from thalweg.record.checking import examine
from thalweg.record.repairing import repair
from thalweg.record.schema import columns
from thalweg.record.tables import ArraysUpdate, Checkpoint, RunUpdate, SeriesChunk

hostile = settings(
    max_examples=int(os.environ.get("THALWEG_HOSTILE", "40")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize="THALWEG_HOSTILE" not in os.environ,
)

SECONDS, MEGABYTES = 2.0, 200

# ---------------------------------------------------------------------------- what must not happen

FORBIDDEN = {
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.system",
    "pickle.find_class",
}
FORBIDDEN |= {"subprocess.Popen", "ctypes.dlopen", "socket.connect"}
_watching = False


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching and event in FORBIDDEN:
        raise AssertionError(f"{event} {arguments!r:.100}")


sys.addaudithook(_watch)


def _too_long(*_: object) -> None:
    raise AssertionError(f"more than {SECONDS} seconds of processor time")


@contextmanager
def limits(size: int) -> Iterator[None]:
    """No more than so much time and memory, nothing executed; what is refused is refused so."""
    global _watching
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + 2 * size + (MEGABYTES << 20)
    before = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGPROF, _too_long)
    resource.setrlimit(resource.RLIMIT_AS, (most, before[1]))
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    _watching = True
    try:
        yield
    except ThalwegError:
        pass
    finally:
        _watching = False
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.signal(signal.SIGPROF, handler)


@st.composite
def mutations(draw: st.DrawFn) -> list[tuple[str, float, bytes]]:
    """Some changes: where (a share of the file), and what is put there."""
    kinds = st.sampled_from(["replace", "insert", "delete", "cut", "repeat"])
    words = st.sampled_from(
        [b"\0", b"\xff" * 8, b"\n", b'"', b"{", b"]", b",", b"-", b"9" * 30, b"nan"]
    )
    some = st.one_of(words, st.binary(min_size=1, max_size=12))
    places = st.floats(0, 1, exclude_max=True)
    return draw(st.lists(st.tuples(kinds, places, some), min_size=1, max_size=4))


def mutated(held: bytes, changes: list[tuple[str, float, bytes]]) -> bytes:
    for kind, share, some in changes:
        place = int(share * len(held))
        before, after = held[:place], held[place:]
        if kind == "replace":
            held = before + some + after[len(some) :]
        elif kind == "insert":
            held = before + some + after
        elif kind == "delete":
            held = before + after[len(some) :]
        elif kind == "cut":
            held = before
        else:
            held = before + after[:64] * 20 + after
    return held


@pytest.fixture(scope="module", autouse=True)
def _imported(tmp_path_factory) -> None:
    """Libraries that are imported when they are first needed take memory of their own."""
    folder = tmp_path_factory.mktemp("imported")
    (folder / "table.csv").write_bytes(TABLE)
    CSV(path=str(folder / "table.csv"), target="y").load()
    (folder / "table.parquet").write_bytes(parquet("all"))
    Parquet(path=str(folder / "table.parquet"), target="y").load()
    (folder / "spec.toml").write_text(SPEC)
    Request(folder / "spec.toml", project=folder).laboratory().plan()


# --------------------------------------------------------------------------------------- the kinds

SPECS = sorted((Path(__file__).parents[2] / "examples").glob("*.toml"))


@hostile
@given(st.sampled_from(SPECS), mutations())
def test_specs(tmp_path_factory, source, changes):
    path = tmp_path_factory.getbasetemp() / "mutated.toml"
    path.write_bytes(mutated(source.read_bytes(), changes))
    with limits(path.stat().st_size):
        Request(path).laboratory().size()


values = st.recursive(
    st.one_of(
        st.text(max_size=8), st.integers(), st.floats(), st.booleans(), st.just("0.1..1 log 5")
    ),
    lambda held: st.one_of(
        st.lists(held, max_size=4), st.dictionaries(st.text(max_size=8), held, max_size=4)
    ),
    max_leaves=12,
)
WORDS = re.findall(r"[a-z_]+", " ".join(path.read_text() for path in SPECS))


@hostile
@given(
    st.sampled_from(SPECS), st.sampled_from(sorted(set(WORDS))), st.sampled_from(sorted(set(WORDS)))
)
def test_specs_with_other_words(tmp_path_factory, source, old, new):
    path = tmp_path_factory.getbasetemp() / "mutated.toml"
    path.write_text(re.sub(rf"\b{old}\b", new, source.read_text()))
    with limits(path.stat().st_size):
        Request(path).laboratory().size()


@hostile
@given(st.sampled_from(["data", "network", "optimizer", "training", "compare", "seeds"]), values)
def test_specs_of_any_data(field, value):
    from thalweg.spec.text import from_data

    with limits(0):
        from_data({"data": {"moons": {}}, field: value})


@settings(hostile, max_examples=hostile.max_examples // 4)
@given(mutations())
def test_plans(tmp_path_factory, changes):
    path = tmp_path_factory.getbasetemp() / "mutated.toml"
    path.write_bytes(mutated(SPEC.encode(), changes))
    with limits(path.stat().st_size):
        Request(path, project=path.parent / "none").laboratory().plan()


IDX = struct.pack(">BBBBII", 0, 0, 8, 2, 30, 4) + bytes(range(120))


@hostile
@given(st.booleans(), mutations())
def test_idx(tmp_path_factory, compressed, changes):
    path = tmp_path_factory.getbasetemp() / "mutated-idx"
    path.write_bytes(mutated(gzip.compress(IDX) if compressed else IDX, changes))
    with limits(path.stat().st_size):
        assert isinstance(read_idx(path), np.ndarray)


def test_a_small_file_that_unpacks_to_much(tmp_path):
    packing = zlib.compressobj(1, wbits=31)
    parts = [packing.compress(IDX), *(packing.compress(bytes(2**20)) for _ in range(300))]
    path = tmp_path / "images-idx3-ubyte.gz"
    path.write_bytes(b"".join([*parts, packing.flush()]))
    assert path.stat().st_size < 2**22
    with limits(0), pytest.raises(DataError, match="too long"):
        read_idx(path)


TABLE = b"a,b,kind,y\n" + b"".join(
    b"%d,%d.5,%s,%d\n" % (i, i % 7, b"red" if i % 3 else b"blue", i % 2) for i in range(60)
)


@hostile
@given(mutations())
def test_csv(tmp_path_factory, changes):
    path = tmp_path_factory.getbasetemp() / "mutated.csv"
    path.write_bytes(mutated(TABLE, changes))
    with limits(path.stat().st_size):
        CSV(path=str(path), target="y").load()


PACKINGS = ("gz", "bz2", "zst", "lz4")


@cache
def packed(packing: str) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"table.csv.{packing}"
        with pa.output_stream(path) as stream:  # packs by the name
            stream.write(TABLE)
        return path.read_bytes()


@hostile
@given(st.sampled_from(PACKINGS), mutations())
def test_packed_csv(tmp_path_factory, packing, changes):
    path = tmp_path_factory.getbasetemp() / f"mutated.csv.{packing}"
    path.write_bytes(mutated(packed(packing), changes))
    with limits(path.stat().st_size):
        CSV(path=str(path), target="y").load()


@cache
def parquet(kind: str) -> bytes:
    """A file of numbers alone, or with all that becomes them, packed in one way or another."""
    numbers = {"a": [*range(58), None, None], "b": [i % 7 + 0.5 for i in range(60)]}
    columns: dict[str, Any] = {**numbers, "y": [i % 2 for i in range(60)]}
    if kind != "numbers":
        kinds = pa.array(["red" if i % 3 else "blue" for i in range(60)])
        whole = pa.array([decimal.Decimal(i) / 4 for i in range(60)])
        columns |= {"kind": kinds, "coded": kinds.dictionary_encode(), "whole": whole}
        columns |= {"sure": [i % 4 == 0 for i in range(60)]}
    made, packing = io.BytesIO(), "zstd" if kind == "zstd" else "none"
    pyarrow.parquet.write_table(pa.table(columns), made, row_group_size=25, compression=packing)
    return made.getvalue()


@hostile
@given(st.sampled_from(["numbers", "all", "zstd"]), st.booleans(), mutations())
def test_parquet(tmp_path_factory, kind, in_memory, changes):
    path = tmp_path_factory.getbasetemp() / "mutated.parquet"
    path.write_bytes(mutated(parquet(kind), changes))
    with limits(path.stat().st_size):
        Parquet(path=str(path), target="y", in_memory=in_memory or kind != "numbers").load()


@cache
def npy(kind: str) -> bytes:
    made = io.BytesIO()
    np.save(made, {"inputs": np.arange(240.0).reshape(60, 4), "targets": np.arange(60) % 3}[kind])
    return made.getvalue()


@hostile
@given(st.sampled_from(["inputs", "targets"]), mutations())
def test_arrays(tmp_path_factory, kind, changes):
    paths = {of: tmp_path_factory.getbasetemp() / f"{of}.npy" for of in ("inputs", "targets")}
    for of, path in paths.items():
        path.write_bytes(mutated(npy(of), changes) if of == kind else npy(of))
    with limits(sum(path.stat().st_size for path in paths.values())):
        Arrays(inputs=str(paths["inputs"]), targets=str(paths["targets"])).load()


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A record with a checkpoint, curves and arrays."""
    project = tmp_path_factory.mktemp("whole") / "project"
    with Record.open(project, write=True) as record:
        record.add_experiment(planned(20))
        runs = tuple(f"r{i}" for i in range(20))
        steps = np.arange(1, 301)
        ended = [RunUpdate(run, "finished", 300, 1.0, {"test.loss": 0.5}) for run in runs[:10]]
        under_way = [RunUpdate(run, "training", 300, 1.0) for run in runs[10:]]
        record.write(
            updates=[*ended, *under_way],
            series=[SeriesChunk(run, f"{s}.loss", steps, steps / 7) for run in runs for s in "ab"],
            checkpoint=Checkpoint("w", runs[10:], 300, {"x": np.ones((10, 50))}),
            arrays=ArraysUpdate(runs[:10], {"parameters": np.ones((10, 40), np.float32)}),
        )
    return project


oddities = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.binary(max_size=20),
    st.text(max_size=20),
    st.sampled_from(["{", "[]", "[1]", "null", '{"a": []}', "[" * 10_000, "9" * 5_000, '"r0"']),
)


@hostile
@given(st.data(), oddities)
def test_records_with_other_values(tmp_path_factory, whole, data, value):
    project = tmp_path_factory.getbasetemp() / "changed"
    shutil.rmtree(project, ignore_errors=True)
    shutil.copytree(whole, project)
    table = data.draw(st.sampled_from([name for name in columns() if name != "adjustment"]))
    column = data.draw(st.sampled_from(list(columns()[table])))
    changing = closing(sqlite3.connect(project / "record.sqlite"))
    with suppress(sqlite3.IntegrityError), changing as connection, connection:  # of keys
        connection.execute(f"update {table} set {column} = ?", (value,))
    check_record(project)


def read_all(project: Path) -> None:
    """All that can be asked of a record; each failure is one of its own."""
    with Record.open(project) as record:
        runs = [f"r{i}" for i in range(20)]
        questions: list[Any] = [
            record.experiment,
            record.experiments,
            record.checkpoints,
            lambda: record.outcomes(runs),
            lambda: record.checkpoint("w"),
            lambda: record.series("a.loss", runs),
            lambda: record.series_names(runs),
            *(lambda run=run: record.arrays(run) for run in runs),
        ]
        for question in questions:
            with suppress(ThalwegError):
                question()


def go_on(project: Path) -> None:
    """What a training does with a record that it finds."""
    with Record.open(project, write=True) as record:
        runs = tuple(f"r{i}" for i in range(10, 20))
        steps = np.arange(301, 401)
        record.checkpoint("w")
        record.write(
            updates=[RunUpdate(run, "training", 400, 1.0) for run in runs],
            series=[SeriesChunk(run, "a.loss", steps, steps / 7) for run in runs],
            checkpoint=Checkpoint("w", runs, 400, {"x": np.ones((10, 50))}),
        )
        record.write(
            updates=[RunUpdate(run, "finished", 400, 1.0) for run in runs],
            finished_checkpoint="w",
            arrays=ArraysUpdate(runs, {"parameters": np.ones((10, 40), np.float32)}),
        )


@hostile
@given(st.sampled_from(["record.sqlite", "parameters", "checkpoint"]), mutations())
def test_records(tmp_path_factory, whole, what, changes):
    project = tmp_path_factory.getbasetemp() / "mutated"
    shutil.rmtree(project, ignore_errors=True)
    shutil.copytree(whole, project)
    files = sorted(project.glob("arrays/*"), key=lambda path: path.stat().st_size)
    path = {"record.sqlite": project / what, "parameters": files[0], "checkpoint": files[1]}[what]
    path.write_bytes(mutated(path.read_bytes(), changes))
    check_record(project)


def check_record(project: Path) -> None:
    """It can be read, looked at, and taken back to where it is whole."""
    size = sum(path.stat().st_size for path in project.rglob("*"))
    for look in (read_all, examine, go_on):
        with limits(size):
            look(project)
    with limits(size):
        repair(project)
        found = examine(project)
        assert found.well, found
        with Record.open(project, write=True) as record:
            assert record.experiments() is not None
