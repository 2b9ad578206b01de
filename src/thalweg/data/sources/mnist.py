"""MNIST from its four IDX files, or anything in the same files, such as Fashion-MNIST."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from thalweg.data.dataset import Dataset, Shares
from thalweg.data.fetch import MNIST_FILES, data_folder
from thalweg.data.idx import read_idx
from thalweg.data.split import check_shares
from thalweg.errors import DataError, SpecError
from thalweg.part import choice, part

__all__ = ["MNIST"]


@part
class MNIST:
    """Handwritten digits on 28 × 28 pixels, with the official test set of 10,000.

    Choices: folder: where the four IDX files are, gzipped or not; the folder mnist within
        $THALWEG_DATA or ~/.local/share/thalweg where omitted; samples: training digits to keep,
        each class in proportion and the same ones every time, all 60,000 where omitted; flat:
        pixels in a row, or images, which convolutions and warps need; split: shares of the
        training digits for training and validation, the third being 0
    Shapes: inputs [70000, 784], targets [70000]: multiclass; inputs [70000, 28, 28, 1] if not flat
    Watch for: pixels are divided by 255. The last 10,000 rows are the test set: never choose
        anything by it. Flat inputs take 220 MB.
    Source: Y. LeCun, C. Cortes and C. Burges, The MNIST Database of Handwritten Digits, 1998.
        Licence: CC BY-SA 3.0, as commonly stated.
    Example:
        >>> MNIST(folder="nowhere").missing().split("(")[0]
        'nowhere does not hold train-images-idx3-ubyte'
    """

    folder: str | None = choice(None)
    samples: int | None = choice(None, low=10)
    flat: bool = choice(True)
    split: Shares = choice((0.9, 0.1, 0.0))

    def check(self) -> None:
        check_shares(self)
        if self.split[2]:
            raise SpecError(
                "MNIST.split must give 0 to the test set, which is official and apart, "
                f"got {self.split}"
            )

    def missing(self) -> str:
        """What is not there and how to get it; empty where all files are."""
        absent = [name for name in MNIST_FILES if not self._file(name).exists()]
        if not absent:
            return ""
        more = f" and {len(absent) - 1} more" if absent[1:] else ""
        return (
            f"{self._folder} does not hold {absent[0]}(.gz){more}; get them with "
            "`thalweg data fetch mnist` (12 MB), or put them there"
        )

    def load(self) -> Dataset:
        if missing := self.missing():
            raise DataError(missing)
        train_images, train_labels, test_images, test_labels = map(self._read, MNIST_FILES)
        for images, labels in ((train_images, train_labels), (test_images, test_labels)):
            if len(images) != len(labels):
                raise DataError(
                    f"{self._folder} holds {len(images)} images with {len(labels)} labels; "
                    "the files do not belong together"
                )
        kept = self._kept(train_labels)
        images = np.concatenate([train_images[kept], test_images])
        shape = (len(images), 784) if self.flat else (len(images), 28, 28, 1)
        return Dataset(
            inputs=images.reshape(shape) / np.float32(255),
            targets=np.concatenate([train_labels[kept], test_labels]),
            task="multiclass",
            class_names=tuple(map(str, range(10))),
            fixed_test=len(test_labels),
        )

    @property
    def _folder(self) -> Path:
        return Path(self.folder).expanduser() if self.folder else data_folder() / "mnist"

    def _file(self, name: str) -> Path:
        packed = self._folder / f"{name}.gz"
        return packed if packed.exists() else self._folder / name

    def _read(self, name: str) -> np.ndarray:
        path = self._file(name)
        array = read_idx(path)
        axes = (28, 28) if "images" in name else ()
        if array.dtype != np.uint8 or array.ndim == 0 or array.shape[1:] != axes:
            expected = ", ".join(map(str, ("rows", *axes)))
            raise DataError(
                f"{path} must hold bytes of shape ({expected}), got {array.dtype} {array.shape}"
            )
        return array

    def _kept(self, labels: np.ndarray) -> np.ndarray:
        """Rows of the training digits to keep, ascending."""
        from sklearn.model_selection import train_test_split

        rows = np.arange(len(labels))
        if self.samples is None or self.samples == len(labels):
            return rows
        if self.samples > len(labels):
            raise DataError(
                f"MNIST.samples must be <= {len(labels)}, the digits in {self._folder}, "
                f"got {self.samples}"
            )
        kept, _ = train_test_split(rows, train_size=self.samples, stratify=labels, random_state=0)
        return np.sort(kept)
