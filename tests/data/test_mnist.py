"""MNIST: the real files against checksums and known counts, small false ones for the errors."""

from __future__ import annotations

import gzip
import hashlib
import struct

import numpy as np
import pytest

from thalweg.data import MNIST, read_idx, split_rows
from thalweg.data.fetch import MNIST_FILES
from thalweg.errors import DataError, SpecError

# Digits 0 to 9 in the training and the test set, as counted in many places.
TRAINING = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
TEST = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.mark.parametrize("name", MNIST_FILES)
def test_the_reader_sees_the_published_bytes(mnist_folder, name):
    array = read_idx(mnist_folder / f"{name}.gz")
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    assert hashlib.md5(header + array.tobytes()).hexdigest() == MNIST_FILES[name]


def test_the_whole_of_it(mnist_folder):
    data = MNIST(folder=str(mnist_folder)).load()
    assert data.inputs.shape == (70_000, 784)
    assert np.bincount(data.targets[:60_000]).tolist() == TRAINING
    assert np.bincount(data.targets[60_000:]).tolist() == TEST
    assert (data.inputs.min(), data.inputs.max()) == (0, 1)
    # Mean and deviation that are in every tutorial's normalization.
    assert data.inputs[:60_000].mean(dtype=float) == pytest.approx(0.1307, abs=5e-5)
    assert data.inputs[:60_000].std(dtype=float) == pytest.approx(0.3081, abs=5e-5)
    split = split_rows(data, MNIST().split, seed=0)
    assert [len(split.train), len(split.validation), len(split.test)] == [54_000, 6_000, 10_000]
    assert split.test.tolist() == list(range(60_000, 70_000))


def test_a_part_of_it_as_images(mnist_folder):
    data = MNIST(folder=str(mnist_folder), samples=1000, flat=False).load()
    assert data.inputs.shape == (11_000, 28, 28, 1)
    assert data.fixed_test == 10_000
    counts = np.bincount(data.targets[:1000])
    assert np.abs(counts - np.array(TRAINING) / 60).max() <= 1
    assert np.bincount(data.targets[1000:]).tolist() == TEST
    assert (
        data.fingerprint
        == MNIST(folder=str(mnist_folder), samples=1000, flat=False).load().fingerprint
    )


def write(folder, name, array, pack=bytes, magic=b"\0\0\x08"):
    header = magic + struct.pack(f">B{array.ndim}I", array.ndim, *array.shape)
    path = folder / (f"{name}.gz" if pack is gzip.compress else name)
    path.write_bytes(pack(header + array.astype(np.uint8).tobytes()))


@pytest.fixture
def small(tmp_path):
    """Forty training and ten test digits: unpacked images, packed labels."""
    for name, count in (("train", 40), ("t10k", 10)):
        images = np.arange(count)[:, None, None] * np.ones((1, 28, 28))
        write(tmp_path, f"{name}-images-idx3-ubyte", images)
        write(tmp_path, f"{name}-labels-idx1-ubyte", np.arange(count) % 10, gzip.compress)
    return tmp_path


def test_files_packed_or_not(small):
    data = MNIST(folder=str(small)).load()
    assert data.inputs[:, 0] * np.float32(255) == pytest.approx([*range(40), *range(10)])
    assert data.targets.tolist() == [*range(10)] * 5
    part = MNIST(folder=str(small), samples=20).load()
    assert np.bincount(part.targets).tolist() == [3] * 10
    assert (np.diff(part.inputs[:20, 0]) > 0).all()


def test_the_folder_comes_from_the_environment(small, monkeypatch, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mnist").symlink_to(small)
    monkeypatch.setenv("THALWEG_DATA", str(tmp_path / "data"))
    assert MNIST().missing() == ""
    assert MNIST().load().rows == 50


def test_absent_files_are_named_with_the_remedy(small):
    (small / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(
        DataError, match=r"does not hold t10k-images-idx3-ubyte\(.gz\); get them with"
    ):
        MNIST(folder=str(small)).load()
    with pytest.raises(
        DataError, match=r"nowhere does not hold train-images.* and 3 more; get them"
    ):
        MNIST(folder="nowhere").load()


@pytest.mark.parametrize(
    ("name", "array", "sentence"),
    [
        ("train-images-idx3-ubyte", np.zeros((40, 27, 28)), r"hold bytes of shape \(rows, 28, 28"),
        ("train-images-idx3-ubyte", np.zeros((40, 784)), r"got uint8 \(40, 784\)"),
        ("train-images-idx3-ubyte", np.zeros((39, 28, 28)), "holds 39 images with 40 labels"),
        ("t10k-images-idx3-ubyte", np.zeros((11, 28, 28)), "holds 11 images with 10 labels"),
        ("train-images-idx3-ubyte", np.zeros(()), r"got uint8 \(\)"),
    ],
)
def test_files_that_hold_something_else_are_refused(small, name, array, sentence):
    write(small, name, array)
    with pytest.raises(DataError, match=sentence):
        MNIST(folder=str(small)).load()


def test_labels_beyond_nine_are_refused(small):
    write(small, "t10k-labels-idx1-ubyte", np.arange(10) + 1, gzip.compress)
    with pytest.raises(DataError, match="targets must be >= 0 and < 10, got 0 to 10"):
        MNIST(folder=str(small)).load()


def test_a_truncated_file_is_refused_by_name(small):
    path = small / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="train-images-idx3-ubyte is truncated"):
        MNIST(folder=str(small)).load()


def test_fields_that_cannot_be(small):
    with pytest.raises(
        SpecError, match=r"MNIST.split must give 0 to the test set.*got \(0.8, 0.1, 0.1\)"
    ):
        MNIST(split=(0.8, 0.1, 0.1))
    with pytest.raises(SpecError, match=r"MNIST.samples must be >= 10, got 5"):
        MNIST(samples=5)
    with pytest.raises(DataError, match=r"MNIST.samples must be <= 40, the digits in .*, got 41"):
        MNIST(folder=str(small), samples=41).load()
