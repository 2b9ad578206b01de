"""Data that stay on disk: the numbers are those in memory, and what is wrong has a sentence."""

from __future__ import annotations

import os
import pickle
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from PIL import Image

from thalweg.data import Arrays, Dataset, Images, Parquet, stored
from thalweg.errors import DataError, SpecError


@pytest.fixture(autouse=True)
def _nothing_is_small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All inputs stay on disk and are read a few rows at a time; nothing is found before."""
    monkeypatch.setattr(stored, "WHOLE", 0)
    monkeypatch.setattr(stored, "BLOCK", 64)
    monkeypatch.setenv("THALWEG_CACHE", str(tmp_path / "cache"))


def arrays(folder: Path, inputs: Any, targets: Any, **fields: Any) -> Arrays:
    for name, array in (("x", inputs), ("y", targets)):
        np.save(folder / f"{name}.npy", array)
    return Arrays(inputs=str(folder / "x.npy"), targets=str(folder / "y.npy"), **fields)


NUMBERS = np.random.default_rng(0).normal(size=(30, 4))
CLASSES = np.arange(30) % 3


# ------------------------------------------------------------------------------------------- arrays


def test_arrays_are_those_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = arrays(tmp_path, NUMBERS, CLASSES)
    lying = source.load()
    assert lying.is_stored
    monkeypatch.setattr(stored, "WHOLE", 2**20)
    whole = source.load()
    assert isinstance(whole.inputs, np.ndarray)
    assert whole.inputs.dtype == np.float32
    np.testing.assert_array_equal(whole.inputs, NUMBERS.astype(np.float32))
    for rows in (np.array([7, 0, 29]), slice(3, 9), slice(27, 40), slice(-2, None)):
        assert lying.inputs[rows].tobytes() == whole.inputs[rows].tobytes()
    assert lying.fingerprint == whole.fingerprint
    assert (lying.task, lying.class_names) == ("multiclass", ("0", "1", "2"))


@pytest.mark.parametrize(
    ("targets", "task", "shape"),
    [
        (NUMBERS[:, 0], None, (30, 1)),
        (NUMBERS[:, :2], None, (30, 2)),
        (CLASSES, "regression", (30, 1)),
    ],
)
def test_targets_that_are_numbers(
    tmp_path: Path, targets: np.ndarray, task: Any, shape: tuple[int, ...]
) -> None:
    data = arrays(tmp_path, NUMBERS, targets, task=task).load()
    assert (data.task, data.targets.shape) == ("regression", shape)


def test_missing_cells_are_found_in_any_block(tmp_path: Path) -> None:
    assert not arrays(tmp_path, NUMBERS, CLASSES).load().has_missing
    missing = NUMBERS.copy()
    missing[17, 2] = np.nan
    assert arrays(tmp_path, missing, CLASSES).load().has_missing


def test_what_was_found_is_kept_until_the_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = arrays(tmp_path, NUMBERS, CLASSES)
    first = source.load().fingerprint
    with monkeypatch.context() as patched:
        patched.setattr(stored.MappedRows, "__call__", None)  # nothing is read
        assert source.load().fingerprint == first
    changed = NUMBERS.copy()
    changed[29, 3] += 1
    np.save(tmp_path / "x.npy", changed)
    os.utime(tmp_path / "x.npy", ns=(0, 1))
    assert source.load().fingerprint != first


def test_a_file_that_changes_after_loading_is_not_read(tmp_path: Path) -> None:
    data = arrays(tmp_path, NUMBERS, CLASSES).load()
    np.save(tmp_path / "x.npy", NUMBERS + 1)
    os.utime(tmp_path / "x.npy", ns=(0, 1))
    with pytest.raises(DataError, match=r"x\.npy has changed since the data were loaded; give the"):
        data.inputs[:2]
    (tmp_path / "x.npy").unlink()
    with pytest.raises(DataError, match=r"x\.npy cannot be read: No such file"):
        data.inputs[:2]


def bad_arrays(**changes: Any) -> Callable[[Path], Dataset]:
    return lambda folder: arrays(
        folder, **{"inputs": NUMBERS, "targets": CLASSES, **changes}
    ).load()


def with_bytes(held: bytes) -> Callable[[Path], Dataset]:
    def load(folder: Path) -> Dataset:
        source = arrays(folder, NUMBERS, CLASSES)
        (folder / "x.npy").write_bytes(held)
        return source.load()

    return load


def header(text: str) -> bytes:
    """A file of numpy that is no more than its header."""
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def archive(folder: Path) -> Dataset:
    np.savez(folder / "x.npz", NUMBERS)
    arrays(folder, NUMBERS, CLASSES)
    return Arrays(inputs=str(folder / "x.npz"), targets=str(folder / "y.npy")).load()


TOO_LONG = "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999, 9)}"
INFINITE = np.where(np.arange(120).reshape(30, 4) == 86, np.inf, 0.0)

BAD_ARRAYS = {
    "no file": (
        lambda folder: Arrays(inputs="a.npy", targets="b.npy").load(),
        "there is no file a",
    ),
    "objects": (
        bad_arrays(inputs=np.array([[{}]] * 30, object)),
        "files of Python objects are not",
    ),
    "empty": (with_bytes(b""), "must be a whole .npy file of numbers"),
    "pickle": (with_bytes(pickle.dumps({})), "must be a whole .npy file of numbers"),
    "cut off": (with_bytes(b"\x93NUMPY\x01"), "must be a whole .npy file of numbers"),
    "no archive": (with_bytes(b"PK\x03\x04 and no more"), "must be a whole .npy file of numbers"),
    "header": (with_bytes(header("{'descr': (")), "must be a whole .npy file of numbers"),
    "header of Python": (
        with_bytes(b"\x93NUMPY\x01\0\x04\0{(1\n"),
        "must be a whole .npy file of numbers",
    ),
    "far too long": (
        with_bytes(header(TOO_LONG)),
        "must be a whole .npy file of numbers",
    ),
    "archive": (archive, "x.npz is an archive; save each array by itself"),
    "texts": (bad_arrays(inputs=np.array([["a"]] * 30)), "must hold numbers, got <U1"),
    "columns": (bad_arrays(inputs=np.asfortranarray(NUMBERS)), "has its rows spread all over"),
    "one axis": (bad_arrays(inputs=NUMBERS[:, 0]), r"got shape \(30,\)"),
    "lengths": (
        bad_arrays(targets=CLASSES[:-1]),
        r"has 30 rows, so .*y.npy must have as many, got",
    ),
    "infinite": (bad_arrays(inputs=INFINITE), "must be finite, got inf in row 22, feature"),
    "too large": (bad_arrays(inputs=NUMBERS * 1e300), "must be finite, got"),
    "huge class": (bad_arrays(targets=CLASSES + 10**9), "must hold classes, numbered from 0, got"),
    "no class": (bad_arrays(targets=CLASSES + 1), "class '0' has no rows"),
    "task": (bad_arrays(task="binary"), "has 3 classes, so the task cannot be binary"),
    "no classes": (bad_arrays(targets=NUMBERS, task="binary"), "so the task cannot be binary"),
}


@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_bad_arrays(tmp_path: Path, name: str) -> None:
    load, sentence = BAD_ARRAYS[name]
    with pytest.raises(DataError, match=sentence):
        load(tmp_path)


# ------------------------------------------------------------------------------------------- images


def shades(number: int, height: int = 4, width: int = 6) -> np.ndarray:
    drawn = np.random.default_rng(number).integers(256, size=(height, width, 3))
    return drawn.astype(np.uint8)


def folder_of_images(folder: Path) -> Path:
    """Three images of one class and two of another, in two formats."""
    for number, place in enumerate(("b/1.png", "b/2.png", "b/3.png", "a/x.png", "a/y.png")):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(shades(number)).save(folder / place)
    (folder / "a" / ".hidden").write_text("not looked at")
    return folder


def test_images_are_decoded_as_they_are_read(tmp_path: Path) -> None:
    data = Images(folder=str(folder_of_images(tmp_path / "images"))).load()
    assert data.is_stored
    assert (data.class_names, data.targets.tolist()) == (("a", "b"), [0, 0, 1, 1, 1])
    assert data.inputs.shape == (5, 4, 6, 3)
    np.testing.assert_array_equal(data.inputs[np.array([4])][0], shades(2) / np.float32(255))


def test_images_are_brought_to_a_size_and_to_grey(tmp_path: Path) -> None:
    folder = folder_of_images(tmp_path / "images")
    Image.fromarray(shades(9, 8, 12)).save(folder / "a" / "z.jpg")
    data = Images(folder=str(folder), size=(2, 3), channels=1).load()
    assert data.inputs.shape == (6, 2, 3, 1)
    expected = Image.open(folder / "a" / "z.jpg").convert("L").resize((3, 2))
    np.testing.assert_array_equal(
        data.inputs[2:3][0, ..., 0], np.float32(expected) / np.float32(255)
    )


def spoiled(place: str, held: bytes | None = None, image: Any = None) -> Callable[[Path], None]:
    """One file more, of some bytes or an image; a folder, where neither is given."""

    def spoil(folder: Path) -> None:
        if image is not None:
            image.save(folder / place)
        elif held is not None:
            (folder / place).write_bytes(held)
        else:
            (folder / place).mkdir()

    return spoil


def cut_off(folder: Path) -> None:
    path = folder / "a" / "x.png"
    path.write_bytes(path.read_bytes()[:-60])


def chunk(kind: bytes, held: bytes) -> bytes:
    return len(held).to_bytes(4) + kind + held + zlib.crc32(kind + held).to_bytes(4)


def bomb(at_end: bool) -> bytes:
    """A PNG of six by four shades, with a text that takes megabytes."""
    size = (6).to_bytes(4) + (4).to_bytes(4) + bytes([8, 0, 0, 0, 0])
    text = chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(2**21)))
    shades = chunk(b"IDAT", zlib.compress(bytes(28)))
    inner = shades + text if at_end else text + shades
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + inner + chunk(b"IEND", b"")


DEEP = Image.fromarray(np.zeros((4, 6), np.uint16))
BAD_IMAGES = {
    "empty class": (spoiled("c"), "c holds no images; put some there, or remove it"),
    "no image": (spoiled("a/notes.txt", b"words"), "a/notes.txt is no image in PNG or JPEG"),
    "folder": (spoiled("a/deeper"), "a/deeper is no image in PNG or JPEG"),
    "bomb": (spoiled("a/z.png", bomb(at_end=False)), "a/z.png is no image in PNG or JPEG, or is"),
    "late bomb": (spoiled("a/z.png", bomb(at_end=True)), "a/z.png is no image in PNG or JPEG, or"),
    "cut off": (cut_off, "a/x.png is no image in PNG or JPEG, or is damaged"),
    "sizes": (
        spoiled("b/0.png", image=Image.fromarray(shades(0, 5, 5))),
        r"b/0.png has 5 × 5 pixels, but .*a/x.png has 4 × 6; give Images.size",
    ),
    "deep": (spoiled("a/deep.png", image=DEEP), "deep.png has more than 8 bits a channel"),
}


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_bad_images(tmp_path: Path, name: str) -> None:
    spoil, sentence = BAD_IMAGES[name]
    folder = folder_of_images(tmp_path / "images")
    spoil(folder)
    with pytest.raises(DataError, match=sentence):
        Images(folder=str(folder)).load()


def test_no_folder_and_no_classes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no folder nowhere"):
        Images(folder="nowhere").load()
    with pytest.raises(DataError, match="a folder for each of at least two classes, got 0"):
        Images(folder=str(tmp_path)).load()
    with pytest.raises(SpecError, match="channels must be one of"):
        Images(folder="nowhere", channels=2)


# ------------------------------------------------------------------------------------------ parquet


def table(folder: Path, **columns: Any) -> str:
    """A table in groups of seven rows, two cells and one target of which are missing."""
    given: dict[str, Any] = {
        "size": [None if row in (3, 20) else row / 7 for row in range(30)],
        "count": list(range(30)),
        "kind": [None if row == 12 else f"k{row % 3}" for row in range(30)],
    }
    path = str(folder / "table.parquet")
    pyarrow.parquet.write_table(pa.table({**given, **columns}), path, row_group_size=7)
    return path


def test_a_table_is_read_by_row_groups_as_in_memory(tmp_path: Path) -> None:
    path = table(tmp_path)
    whole = Parquet(path=path, target="kind").load()
    lying = Parquet(path=path, target="kind", in_memory=False).load()
    assert lying.is_stored
    assert lying.inputs[:].tobytes() == whole.whole("a test").tobytes()
    assert lying.fingerprint == whole.fingerprint
    assert lying.has_missing
    assert any("column 'size' lacks 2 of 30 values" in note for note in lying.notes)


def test_a_table_is_read_again_where_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Parquet(path=table(tmp_path), target="kind", in_memory=False)
    first = source.load()
    with monkeypatch.context() as patched:
        patched.setattr(pyarrow.parquet.ParquetFile, "read_row_group", None)  # nothing is read
        assert source.load().fingerprint == first.fingerprint
    table(tmp_path, count=list(range(1, 31)))
    assert source.load().inputs[:][0, 1] == 1
    with pytest.raises(DataError, match=r"table\.parquet has changed since the data were loaded"):
        first.inputs[:2]


def test_booleans_are_numbers_where_a_table_stays_on_disk(tmp_path: Path) -> None:
    path = table(tmp_path, flag=[row % 2 == 1 for row in range(30)])
    data = Parquet(path=path, target="kind", columns=("flag",), in_memory=False).load()
    assert data.inputs[:][:4, 0].tolist() == [0, 1, 0, 1]


BAD_TABLES = {
    "texts": ({"name": ["a"] * 30}, "column 'name' holds string, and must hold numbers where in_m"),
    "nothing": ({"none": pa.nulls(30, pa.float64())}, "column 'none' holds no values at all"),
    "infinite": ({"far": [1e300] * 30}, "'far' holds numbers that are infinite or beyond 3.4e38"),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_bad_tables(tmp_path: Path, name: str) -> None:
    columns, sentence = BAD_TABLES[name]
    with pytest.raises(DataError, match=sentence):
        Parquet(path=table(tmp_path, **columns), target="kind", in_memory=False).load()
    assert not list((tmp_path / "cache").rglob("*.f32"))


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("THALWEG_CACHE", str(tmp_path / "file"))
    assert arrays(tmp_path, NUMBERS, CLASSES).load().is_stored
    with pytest.raises(DataError, match="cannot be written: Not a directory"):
        Parquet(path=table(tmp_path), target="kind", in_memory=False).load()


def test_a_table_that_was_cut_off_in_the_cache_is_made_again(tmp_path: Path) -> None:
    source = Parquet(path=table(tmp_path), target="kind", in_memory=False)
    first = source.load()
    (numbers,) = (tmp_path / "cache").rglob("*.f32")
    numbers.write_bytes(numbers.read_bytes()[:-5])
    assert source.load().fingerprint == first.fingerprint


def test_a_disk_that_is_full_is_not_the_fault_of_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(stored.os, "fsync", full)
    with pytest.raises(DataError, match=r"the cache .* cannot be written: No space left on device"):
        Parquet(path=table(tmp_path), target="kind", in_memory=False).load()
    assert [path.suffix for path in (tmp_path / "cache").rglob("*.*")] == [".lock"]


def test_what_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(b"words")
    with pytest.raises(DataError, match=r"x\.parquet is not a Parquet file, or is damaged"):
        Parquet(path=str(path), target="kind", in_memory=False).load()
    with pytest.raises(DataError, match="there is no file nowhere"):
        Parquet(path="nowhere", target="kind", in_memory=False).load()
    with pytest.raises(SpecError, match="categorical needs in_memory = true"):
        Parquet(path="x", target="kind", categorical=("count",), in_memory=False)
