"""Your own images, one folder a class: ``Images``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from thalweg.data.dataset import Dataset, Shares
from thalweg.data.split import check_shares
from thalweg.data.stored import Files, Finding, Stored, small_in_memory
from thalweg.errors import DataError, MissingExtra
from thalweg.part import choice, part
from thalweg.tasks import classification

__all__ = ["Images"]

FORMATS = ("PNG", "JPEG")


@part
class Images:
    """Images of your own, PNG or JPEG, in one folder for each class.

    Choices: folder: holds a folder for each class, named like it; size: height and width that all
        are brought to, theirs where omitted, which must then be the same; channels: 3 for colours,
        1 for grey; split: shares of the images for training, validation and test
    Shapes: inputs [rows, height, width, channels], targets [rows], classes
    Watch for: images are decoded each time they are read, where all together take more than 256 MB
        as numbers: large photographs are better made small once. Pixels are divided by 255.
        Transparency is left out; images of more than 8 bits a channel are refused.
    Source: your own files. Licence: yours.
    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from PIL import Image
        >>> with TemporaryDirectory() as folder:
        ...     for name, shade in (("night", 0), ("day", 255)):
        ...         Path(folder, name).mkdir()
        ...         Image.new("L", (3, 2), shade).save(f"{folder}/{name}/1.png")
        ...     data = Images(folder=folder, channels=1).load()
        >>> data.class_names, data.inputs.shape, data.inputs[:, 0, 0, 0].tolist()
        (('day', 'night'), (2, 2, 3, 1), [1.0, 0.0])
    """

    folder: str = choice()
    size: tuple[int, int] | None = choice(None, low=1)
    channels: int = choice(3, options=(1, 3))
    split: Shares = choice((0.7, 0.15, 0.15))
    check = check_shares

    def missing(self) -> str:
        """What to install before images can be read; empty where it is there."""
        return "" if find_spec("PIL") else "images need Pillow: pip install 'thalweg[data]'"

    def load(self) -> Dataset:
        if missing := self.missing():
            raise MissingExtra(missing)
        names, paths = self._classes()
        files = Files.of(path for of_class in paths for path in of_class)
        height, width = self.size or _common_size(files)
        if self.size is not None:
            _sizes(files)  # which sees that every file is an image
        shape = (len(files.paths), height, width, self.channels)
        read = ImageRows(files, (height, width), self.channels)
        # Another Pillow may decode and resize in another way.
        reading = f"{height}x{width}x{self.channels} by Pillow {version('pillow')}"
        stored = Stored(files, read, shape, np.dtype(np.float32), reading, checked=True)
        targets = np.repeat(np.arange(len(names)), [len(of_class) for of_class in paths])
        task = classification(len(names))
        return Dataset(small_in_memory(stored), targets, task, class_names=names)

    def _classes(self) -> tuple[tuple[str, ...], list[list[Path]]]:
        """Names of the classes, and the files of each, in order."""
        folder = Path(self.folder).expanduser()
        if not folder.is_dir():
            raise DataError(f"there is no folder {self.folder} (looked in {Path.cwd()})")
        classes = sorted(path for path in _seen(folder) if path.is_dir())
        if len(classes) < 2:
            raise DataError(
                f"{self.folder} must hold a folder for each of at least two classes, got "
                f"{len(classes)}"
            )
        paths = [sorted(_seen(of_class)) for of_class in classes]
        for of_class, held in zip(classes, paths, strict=True):
            if not held:
                raise DataError(f"{of_class} holds no images; put some there, or remove it")
        return tuple(of_class.name for of_class in classes), paths


def _seen(folder: Path) -> list[Path]:
    """What is in a folder and not hidden."""
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


def _sizes(files: Files) -> list[list[int]]:
    """Height and width of all images, from their headers; every file is one."""
    finding = Finding("sizes", files.identity)
    kept = finding.kept() or finding.keep({"sizes": [_size(path) for path in files.paths]})
    return kept["sizes"]


def _size(path: str) -> list[int]:
    with _opened(path) as image:
        if image.mode[0] in "IF":
            raise DataError(f"{path} has more than 8 bits a channel; save it with 8")
        return [image.height, image.width]


def _common_size(files: Files) -> list[int]:
    sizes = _sizes(files)
    for path, size in zip(files.paths, sizes, strict=True):
        if size != sizes[0]:
            raise DataError(
                f"{path} has {size[0]} × {size[1]} pixels, but {files.paths[0]} has {sizes[0][0]} "
                f"× {sizes[0][1]}; give Images.size = [height, width], to which all are brought"
            )
    return sizes[0]


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    """An image whose header has been read.

    Raises:
        DataError: it is none; or it turns out to be damaged as it is decoded.
    """
    image = import_module("PIL.Image")
    broken = (OSError, ValueError, SyntaxError, image.DecompressionBombError)
    try:
        with image.open(path, formats=FORMATS) as opened:
            yield opened
    except broken as error:
        raise DataError(f"{path} is no image in PNG or JPEG, or is damaged") from error


@dataclass(frozen=True)
class ImageRows:
    """Images from files, decoded when they are read.

    Args:
        files: one for each image.
        size: height and width they are brought to.
        channels: 1 or 3.
    """

    files: Files
    size: tuple[int, int]
    channels: int

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        self.files.check(rows)
        made = np.empty((len(rows), *self.size, self.channels), np.float32)
        for place, row in zip(made, rows, strict=True):
            place[...] = self._read(self.files.paths[row])
        return made

    def _read(self, path: str) -> np.ndarray:
        height, width = self.size
        with _opened(path) as image:
            shades = image.convert("L" if self.channels == 1 else "RGB")
        if shades.size != (width, height):
            shades = shades.resize((width, height))
        return np.asarray(shades, np.float32).reshape(height, width, -1) / np.float32(255)
