"""The IDX reader, against bytes laid out by hand with ``struct``."""

from __future__ import annotations

import gzip
import math
import struct

import numpy as np
import pytest

from thalweg.data import read_idx
from thalweg.errors import DataError

CODES = {0x08: "B", 0x09: "b", 0x0B: "h", 0x0C: "i", 0x0D: "f", 0x0E: "d"}


def layout(code, shape, values):
    header = struct.pack(f">BBBB{len(shape)}I", 0, 0, code, len(shape), *shape)
    return header + struct.pack(f">{len(values)}{CODES[code]}", *values)


@pytest.fixture
def file(tmp_path):
    def write(content):
        path = tmp_path / "numbers-idx"
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("shape", [(6,), (2, 3), (3, 1, 2), (0, 3)])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_values_come_back_in_the_machine_s_byte_order(file, code, shape, pack):
    values = [0, 1, 2, 100, 127, 3][: math.prod(shape)]
    array = read_idx(file(pack(layout(code, shape, values))))
    assert array.dtype == np.dtype(CODES[code])
    assert array.dtype.isnative
    np.testing.assert_array_equal(array, np.array(values).reshape(shape))


def test_negative_numbers_and_fractions(file):
    assert read_idx(file(layout(0x0B, (2,), [-300, 300]))).tolist() == [-300, 300]
    assert read_idx(file(layout(0x0E, (2,), [-0.1, 1e300]))).tolist() == [-0.1, 1e300]


SOUND = layout(0x08, (2, 3), range(6))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "numbers-idx is empty"),
        (b"\x89PNG....", "is not an IDX file: it begins with '89 50 4e 47'"),
        (b"\0\0", "is not an IDX file: it begins with '00 00'"),
        (b"\0\0\x07\x01\0\0\0\0", "is not an IDX file"),
        (SOUND[:9], "is truncated: it ends within its header"),
        (SOUND[:-1], r"is truncated: its header promises \(2, 3\) values in 6 bytes, it holds 5"),
        (SOUND + b"\0", "is too long: its header promises .* in 6 bytes, it holds 7"),
        (layout(0x08, (2**32 - 1,) * 3, []), "is truncated"),
        (gzip.compress(SOUND, mtime=0)[:-9], "is damaged: gzip says .*; get it again"),
        (gzip.compress(SOUND, mtime=0)[:-8] + b"\0" * 8, "is damaged: gzip says 'CRC check failed"),
        (b"\x1f\x8b" + b"\x08" * 30, "is damaged: gzip says"),
        (gzip.compress(b"not numbers", mtime=0), "is not an IDX file"),
    ],
)
def test_other_bytes_are_refused(file, content, sentence):
    with pytest.raises(DataError, match=sentence):
        read_idx(file(content))


def test_no_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"there is no file .*absent"):
        read_idx(tmp_path / "absent")
    with pytest.raises(DataError, match="is a folder, not an IDX file"):
        read_idx(tmp_path)
