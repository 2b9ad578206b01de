"""Arrays that stay on disk: ``Stored``, of which rows are read when they are asked for.

What reads all of them goes over ``blocks``. Data that fit into memory are read whole when they are
loaded (``small_in_memory``), so that only what is large is handled in another way.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeAlias, TypeVar

import numpy as np

from thalweg.errors import DataError

__all__ = [
    "Files",
    "Finding",
    "Inputs",
    "MappedRows",
    "Stored",
    "Targets",
    "blocks",
    "cache_root",
    "in_blocks",
    "made_once",
    "mapped",
    "small_in_memory",
    "written_whole",
]

T = TypeVar("T")

# Arrays of up to so many bytes are read into memory whole; of larger ones so many bytes at a time.
WHOLE, BLOCK = 2**28, 2**26


def cache_root() -> Path:
    """The folder of what can be made again."""
    root = os.environ.get("THALWEG_CACHE") or os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "thalweg"


@dataclass(frozen=True)
class Files:
    """Some files as they were when they were looked at.

    Args:
        paths: of the files.
        stamps: the size in bytes of each, and when it was changed last, in nanoseconds.
    """

    paths: tuple[str, ...]
    stamps: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, paths: Iterable[Path]) -> Files:
        """The files as they are now."""
        named = tuple(str(path.absolute()) for path in paths)
        return cls(named, tuple(map(_stamp, named)))

    @property
    def identity(self) -> str:
        """A name for what is in the files, as long as they stay as they are."""
        return hashlib.sha256(json.dumps([self.paths, self.stamps]).encode()).hexdigest()

    def check(self, numbers: Iterable[int]) -> None:
        """Refuse to read what is no longer what it was.

        Raises:
            DataError: one of the files with these numbers has changed, or is gone.
        """
        for number in numbers:
            if _stamp(self.paths[number]) != self.stamps[number]:
                raise DataError(
                    f"{self.paths[number]} has changed since the data were loaded; give the "
                    "command again"
                )


def _stamp(path: str) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    return found.st_size, found.st_mtime_ns


class Reader(Protocol):
    """Reads rows from files, in any order, and as they are stored nowhere else."""

    def __call__(self, rows: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True, eq=False)
class Stored:
    """An array whose rows lie in files.

    Args:
        files: where it lies.
        read: from row numbers, int [row], to these rows.
        shape, dtype: of the whole array.
        reading: what is made of the files besides, as text; with them it says what the array holds.
        checked: whether every number was looked at when the files were made.
    """

    files: Files
    read: Reader
    shape: tuple[int, ...]
    dtype: np.dtype
    reading: str = ""
    checked: bool = False

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return int(np.prod(self.shape))

    @property
    def nbytes(self) -> int:
        """Bytes of all rows."""
        return self.size * self.dtype.itemsize

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        """Some rows, read now.

        Raises:
            DataError: a file has changed, or cannot be read.
        """
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(len(self)))
        return self.read(np.asarray(rows))

    @property
    def identity(self) -> str:
        """A name for what the array holds, as long as its files stay as they are."""
        told = [self.files.identity, self.reading, self.shape, str(self.dtype)]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


# What a data set is made of: in memory, or on disk.
Inputs: TypeAlias = np.ndarray | Stored
Targets: TypeAlias = np.ndarray | Stored


@dataclass(frozen=True)
class MappedRows:
    """Rows of an array in one file, which is mapped anew each time, so that memory is given back.

    Args:
        files: the file, and those it was made of.
        stored: type of its numbers.
        begin: bytes before the first.
        shape: of the array in the file.
        dtype: type that its numbers are turned into.
    """

    files: Files
    stored: np.dtype
    begin: int
    shape: tuple[int, ...]
    dtype: np.dtype

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        lying = mapped(self.files, self.stored, self.begin, self.shape)
        with np.errstate(over="ignore"):  # what is beyond the type becomes infinite, and is refused
            return np.asarray(lying[rows]).astype(self.dtype, copy=False)


def mapped(files: Files, stored: np.dtype, begin: int, shape: tuple[int, ...]) -> np.memmap:
    """The array in the first of some files, all of which are as they were.

    Args:
        files, stored, begin, shape: as in ``MappedRows``.

    Raises:
        DataError: a file has changed, or cannot be read.
    """
    files.check(range(len(files.paths)))
    try:
        return np.memmap(files.paths[0], stored, "r", begin, shape)
    except OSError as error:
        raise DataError(f"{files.paths[0]} cannot be read: {error.strerror}") from error


def small_in_memory(inputs: Stored) -> Inputs:
    """The array read whole where it is small, and as it is where it is not."""
    return inputs[:] if inputs.nbytes <= WHOLE else inputs


def in_blocks(inputs: Inputs, rows: np.ndarray | None = None) -> Sequence[np.ndarray]:
    """Some rows of an array, or all, as blocks that are read each time one is asked for.

    What is small is one block, in memory or not, so that what is computed over blocks does not
    depend on where an array lies.
    """
    return _Blocks(inputs, rows)


class _Blocks(Sequence[np.ndarray]):
    def __init__(self, inputs: Inputs, rows: np.ndarray | None) -> None:
        self._inputs, self._rows = inputs, rows
        self._count = len(inputs) if rows is None else len(rows)
        row = max(inputs.nbytes // max(len(inputs), 1), 1)
        self._size = self._count if row * self._count <= WHOLE else max(BLOCK // row, 1)

    def __len__(self) -> int:
        return -(-self._count // self._size) if self._count else 0

    def __getitem__(self, number: Any) -> Any:
        if not 0 <= number < len(self):
            raise IndexError(number)
        chosen = slice(number * self._size, (number + 1) * self._size)
        return self._inputs[chosen if self._rows is None else self._rows[chosen]]


def blocks(inputs: Inputs) -> Iterator[tuple[int, np.ndarray]]:
    """The number of the first row of every block, and the block."""
    begin = 0
    for block in in_blocks(inputs):
        yield begin, block
        begin += len(block)


@dataclass(frozen=True)
class Finding:
    """What was found in data once, kept in the cache as long as the data stay as they are.

    Args:
        kind: of what is found.
        identity: a name for what it is found in.
    """

    kind: str
    identity: str

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return cache_root() / "data" / f"{self.kind}-{self.identity}.json"

    def kept(self) -> dict[str, Any] | None:
        """What was found; None where it has to be found first."""
        try:
            return json.loads(self.path.read_text())
        except (OSError, ValueError):
            return None

    def keep(self, found: dict[str, Any]) -> dict[str, Any]:
        """Keep what was found, and give it back; without a cache it is found anew next time."""
        with suppress(DataError), written_whole(self.path) as file:
            file.write(json.dumps(found).encode())
        return found


# ------------------------------------------------------------------------------- files of the cache


@contextmanager
def written_whole(path: Path) -> Iterator[BinaryIO]:
    """A file of the cache to be written, which has its name once all of it is on disk.

    Raises:
        DataError: it cannot be written; nothing is left of it.
    """
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
    with _writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def made_once(path: Path, found: Callable[[], T | None], make: Callable[[], T]) -> T:
    """What is found in the cache, or is made there by one process alone, for which others wait.

    So what takes long is done once, and no file takes the place of one that is in use.

    Args:
        path: the file that is made.
        found: what there is of it; None where it is not there, or not whole.
        make: makes it. What a process that was killed has left of it is removed before.

    Raises:
        DataError: the cache cannot be written.
    """
    if (there := found()) is not None:
        return there
    with _writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o666)
    try:
        with _writing(path.parent):
            fcntl.flock(lock, fcntl.LOCK_EX)
            for partial in path.parent.glob(f"{path.name}.*.partial"):
                partial.unlink(missing_ok=True)
        there = found()
        return make() if there is None else there
    finally:
        os.close(lock)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"the cache {folder} cannot be written: {error.strerror}") from error
