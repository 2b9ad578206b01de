"""Your own arrays in ``.npy`` files: ``Arrays``."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from tokenize import TokenError

import numpy as np

from thalweg.data.dataset import Dataset, Shares
from thalweg.data.split import check_shares
from thalweg.data.stored import Files, MappedRows, Stored, small_in_memory
from thalweg.errors import DataError
from thalweg.part import choice, part
from thalweg.tasks import TableTask, classification

__all__ = ["Arrays"]

# What numpy raises of a file that is none of its own: headers are read as a piece of Python.
_UNREADABLE = (
    EOFError,
    OSError,
    OverflowError,
    SyntaxError,
    TokenError,
    TypeError,
    ValueError,
)


@part
class Arrays:
    """Arrays of your own in two ``.npy`` files, which may be larger than memory.

    Choices: inputs: the file of the inputs, one row for each example; targets: the file of the
        targets, as many rows; task: inferred from the targets where omitted, whole numbers being
        classes counted from 0; split: shares of the rows for training, validation and test
    Shapes: inputs [rows, features], [rows, time, features] or [rows, height, width, channel],
        targets [rows] for classes, [rows] or [rows, outputs] for regression
    Watch for: inputs of more than 256 MB stay on disk and are read as they are needed; results are
        those of data in memory. Inputs become float32 as they are: bytes of images are not divided
        by 255, which ``min_max`` does. Files of Python objects are refused.
    Source: your own files. Licence: yours.
    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     np.save(f"{folder}/x.npy", np.arange(8).reshape(4, 2))
        ...     np.save(f"{folder}/y.npy", np.array([0, 1, 1, 0]))
        ...     data = Arrays(inputs=f"{folder}/x.npy", targets=f"{folder}/y.npy").load()
        >>> data.task, data.inputs.shape, data.class_names
        ('binary', (4, 2), ('0', '1'))
    """

    inputs: str = choice()
    targets: str = choice()
    task: TableTask | None = choice(None)
    split: Shares = choice((0.7, 0.15, 0.15))
    check = check_shares

    def load(self) -> Dataset:
        inputs, files = _lying(self.inputs)
        if inputs.ndim not in (2, 3, 4):
            raise DataError(
                f"{self.inputs} must be [rows, features], [rows, time, features] or "
                f"[rows, height, width, channel], got shape {inputs.shape}"
            )
        targets = np.array(_lying(self.targets)[0])
        if not targets.ndim or len(targets) != len(inputs):
            raise DataError(
                f"{self.inputs} has {len(inputs)} rows, so {self.targets} must have as many, got "
                f"shape {targets.shape}"
            )
        dtype = np.dtype(np.float32)
        read = MappedRows(files, inputs.dtype, inputs.offset, inputs.shape, dtype)
        stored = Stored(files, read, inputs.shape, dtype)
        whole = targets.dtype.kind in "iub" and self.task != "regression"
        if self.task not in (None, "regression") and not whole:
            raise DataError(
                f"{self.targets} holds {targets.dtype}, so the task cannot be {self.task}: classes "
                "are whole numbers from 0"
            )
        if not whole:
            targets = targets[:, None] if targets.ndim == 1 else targets
            return Dataset(small_in_memory(stored), targets, "regression")
        count = int(targets.max(initial=0)) + 1
        if count > len(targets):
            raise DataError(
                f"{self.targets} must hold classes, numbered from 0, got {count - 1} in "
                f'{len(targets)} rows; give Arrays.task = "regression" where they are numbers'
            )
        if self.task is not None and self.task != classification(count):
            raise DataError(
                f"{self.targets} has {count} classes, so the task cannot be {self.task}"
            )
        names = tuple(map(str, range(count)))
        return Dataset(small_in_memory(stored), targets, classification(count), class_names=names)


def _lying(path: str) -> tuple[np.memmap, Files]:
    """The array in a file, of which nothing is read yet, and the file as it was then.

    Raises:
        DataError: there is no such file, or it holds something else.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise DataError(f"there is no file {path} (looked in {Path.cwd()})")
    files = Files.of([file])
    try:
        # Of headers that are written as Python 2 did, and of lengths beyond all numbers.
        with warnings.catch_warnings(), np.errstate(over="ignore"):
            warnings.simplefilter("ignore", UserWarning)
            lying = np.lib.format.open_memmap(file, mode="r")
    except _UNREADABLE as error:
        sentence = "must be a whole .npy file of numbers; files of Python objects are not read"
        if zipfile.is_zipfile(file):
            sentence = "is an archive; save each array by itself with numpy.save"
        raise DataError(f"{path} {sentence}") from error
    if lying.dtype.kind not in "fiub":
        raise DataError(f"{path} must hold numbers, got {lying.dtype}")
    if not lying.flags.c_contiguous:
        raise DataError(
            f"{path} has its rows spread all over the file; save "
            "numpy.ascontiguousarray of the array"
        )
    return lying, files
