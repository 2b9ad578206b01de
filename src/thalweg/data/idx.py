"""The IDX format of MNIST and its relatives: a magic number, the lengths of the axes, the numbers.

Source: Y. LeCun, C. Cortes and C. Burges, The MNIST database, section "File formats".
"""

from __future__ import annotations

import gzip
import io
import math
import zlib
from pathlib import Path

import numpy as np

from thalweg.errors import DataError

__all__ = ["read_idx"]

# The third byte of the magic number. Numbers are stored with the most significant byte first.
TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | Path) -> np.ndarray:
    """Read an IDX file, gzipped or not, into an array of the machine's own byte order.

    Raises:
        DataError: the file is absent, damaged, truncated, or of another format.
    """
    content = _content(Path(path))
    if not content:
        raise DataError(f"{path} is empty")
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in TYPES:
        raise DataError(f"{path} is not an IDX file: it begins with {content[:4].hex(' ')!r}")
    dtype, axes = np.dtype(TYPES[content[2]]), content[3]
    begin = 4 + 4 * axes
    if len(content) < begin:
        raise DataError(f"{path} is truncated: it ends within its header")
    shape = tuple(int(length) for length in np.frombuffer(content, ">u4", axes, 4))
    promised = math.prod(shape) * dtype.itemsize
    if len(content) - begin != promised:
        state = "truncated" if len(content) - begin < promised else "too long"
        raise DataError(
            f"{path} is {state}: its header promises {shape} values in {promised} bytes, "
            f"it holds {len(content) - begin}"
        )
    return (
        np.frombuffer(content, dtype, offset=begin).reshape(shape).astype(dtype.newbyteorder("="))
    )


def _content(path: Path) -> bytes:
    if path.is_dir():
        raise DataError(f"{path} is a folder, not an IDX file")
    if not path.exists():
        raise DataError(f"there is no file {path}")
    content = path.read_bytes()
    if not content.startswith(b"\x1f\x8b"):  # gzip is told by its content: names vary
        return content
    try:
        return _unpacked(content)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged: gzip says {str(error)!r}; get it again") from error


def _unpacked(content: bytes) -> bytes:
    """What is packed, or as much as shows that it is more than its header promises."""
    parts, held = [], 0
    with gzip.open(io.BytesIO(content)) as file:
        while some := file.read(1 << 20):
            parts.append(some)
            held += len(some)
            if held > _promised(parts[0]):
                break
    return b"".join(parts)


def _promised(content: bytes) -> int:
    """Bytes that a file holds by its header; none where it is of another format."""
    if len(content) < 4 or content[2] not in TYPES:
        return 0
    axes = min(content[3], (len(content) - 4) // 4)
    lengths = np.frombuffer(content, ">u4", axes, 4)
    return 4 + 4 * axes + math.prod(map(int, lengths)) * np.dtype(TYPES[content[2]]).itemsize
