"""What stands beside the database: the writer's lock, and arrays as safetensors files.

A file is complete before a transaction names it, never changes, has a name no other file ever had,
and is deleted only once no row names it. So whoever finds a name in the database finds the file,
unless it was superseded in between; then the database knows a newer one.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from thalweg.errors import RecordError

__all__ = [
    "FileMissing",
    "Saved",
    "StoredArrays",
    "check",
    "checked_shapes",
    "delete_files",
    "is_name",
    "list_files",
    "located",
    "lock_for_writing",
    "make_folder",
    "read_places",
    "save_arrays",
    "sync_folder",
]


_REMEDY = "restore it from a backup, or let `thalweg doctor --repair` forget its runs"

# Bytes of a file that are read at a time.
BLOCK = 1 << 20


def make_folder(folder: Path) -> None:
    """Make a folder and those above it where they are missing, with names that are on disk."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        sync_folder(path.parent)


def lock_for_writing(project: Path) -> int:
    """Take the project's only writing place; returns a descriptor to close when done.

    The operating system frees it when the process ends, however it ends.

    Raises:
        RecordError: another process (or another ``Record`` of this one) holds it.
    """
    descriptor = os.open(project / "writer.lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, 20, 0).decode(errors="replace")
        os.close(descriptor)
        raise RecordError(
            f"another process (pid {holder or 'unknown'}) is writing {project}; wait until it is "
            f"done, stop it, or choose another project folder"
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor


class Saved(NamedTuple):
    """A file of arrays: its name, and the CRC-32 of what was written to it."""

    name: str
    checksum: int


def save_arrays(folder: Path, arrays: Mapping[str, np.ndarray]) -> Saved:
    """Write arrays to a new file that is complete and on disk on return."""
    name = f"{uuid.uuid4().hex}.safetensors"
    partial = folder / f"{name}.partial"
    try:
        # safetensors takes the memory as it lies, so arrays must be in C order.
        data = save({key: np.asarray(array, order="C") for key, array in arrays.items()})
    except SafetensorError as error:
        raise RecordError(f"arrays {', '.join(arrays)} cannot be recorded: {error}") from error
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, folder / name)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(folder)
    return Saved(name, zlib.crc32(data))


def sync_folder(folder: Path) -> None:
    """Make the names in a folder as durable as the contents of its files."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_name(value: object) -> bool:
    """Whether something is the name of a file of arrays: a word, which leads to no other folder."""
    return isinstance(value, str) and re.fullmatch(r"\w+\.safetensors", value, re.A) is not None


def located(folder: Path, name: str) -> Path:
    """Where a file of arrays is.

    Raises:
        RecordError: the record names what no writer has put there.
    """
    if not is_name(name):
        raise RecordError(
            f"{folder.parent}/record.sqlite is damaged: it has {name!r:.40} for a file of arrays; "
            f"{_REMEDY}"
        )
    return folder / name


def delete_files(folder: Path, names: Iterable[str]) -> None:
    """Delete files, finished or not; those already gone do not matter."""
    for name in names:
        whole = located(folder, str(name).removesuffix(".partial"))
        whole.with_name(name).unlink(missing_ok=True)


def list_files(folder: Path) -> list[str]:
    """Names of all array files, complete or not."""
    names = (path.name for path in folder.glob("*.safetensors*"))
    return [name for name in names if is_name(name.removesuffix(".partial"))]


def read_places(folder: Path, places: Mapping[str, tuple[str, int]]) -> dict[str, np.ndarray]:
    """Arrays by name, each from a row of the array of that name in a file; nothing else is read."""
    arrays = {}
    for file, row in dict.fromkeys(places.values()):
        with _opened(located(folder, file)) as opened:
            for name, place in places.items():
                if place == (file, row):
                    arrays[name] = np.asarray(opened.get_slice(name)[row])
    return {name: arrays[name] for name in places}


class StoredArrays(Mapping[str, np.ndarray]):
    """The arrays of a file, each read when it is asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __getitem__(self, name: str) -> np.ndarray:
        with _opened(self._path) as file:
            if name in file.keys():  # noqa: SIM118 (not a dict)
                return file.get_tensor(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        with _opened(self._path) as file:
            return iter(list(file.keys()))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class FileMissing(RecordError):
    """A file is not there; either superseded since its name was read, or lost."""


def checked_shapes(path: Path, checksum: int | None) -> dict[str, tuple[int, ...]]:
    """The shapes of the arrays of a file that is whole, by name; arguments and errors of ``check``.

    That arrays fill the file to its end is known before it is read.
    """
    with _opened(path) as file:
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    check(path, checksum)
    return shapes


def check(path: Path, checksum: int | None) -> None:
    """Read a file to its end, which finds bad sectors, and numbers that were changed.

    Args:
        path: of the file.
        checksum: of what was written to it; None where that is not known.

    Raises:
        RecordError: it is missing, cannot be read, or is not what was written.
    """
    with _explained(path):
        found = 0
        with path.open("rb") as file:
            while some := file.read(BLOCK):
                found = zlib.crc32(some, found)
        if checksum not in (None, found):
            raise ValueError("it is not what was written")


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    with _explained(path), safe_open(path, framework="numpy") as file:
        yield file


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what is wrong with a file into a sentence with what to do."""
    try:
        # Looked at once: between two looks another process may take the place of the file.
        if not stat.S_ISREG(path.stat().st_mode):
            raise ValueError("it is no file")  # opening or reading it might not end
        yield
    except FileNotFoundError as error:
        raise FileMissing(
            f"{path} is missing, although the record names it; put the folder arrays back beside "
            "record.sqlite, or let `thalweg doctor --repair` forget its runs"
        ) from error
    except (SafetensorError, OSError, ValueError, TypeError, IndexError) as error:
        raise RecordError(f"{path} is damaged ({error}); {_REMEDY}") from error
